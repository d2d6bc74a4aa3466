// SPDX-License-Identifier: Apache-2.0
#include "signin/upgraded.hpp"

#include <algorithm>
#include <new>

#include "base/worker_event.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {
namespace {

constexpr ngx_msec_t kPass = 2000;  // in which every entry is looked at
constexpr ngx_msec_t kShortestTurn = 10;
constexpr std::size_t kTurn = 100;  // entries of one turn

class Watch;

// In the request's pool, and in the worker's list as long as the request lives.
struct Entry {
    ngx_queue_t link{};
    Watch* watch = nullptr;
    ngx_http_request_t* request = nullptr;
    const Provider* provider = nullptr;
    SessionRef ref;
    SessionView session;    // borrows the request's pool
    Seconds token_end = 0;  // of an access token, whose end nobody tells; 0: of a session
    SessionStore::Ticket ticket = 0;
    bool closing = false;
};

class Watch final : public Upgraded {
  public:
    explicit Watch(ngx_log_t* log) noexcept;
    ~Watch() override;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ngx_int_t watch(ngx_http_request_t* r, const Decision& decision) noexcept override;
    void ended(std::span<const Digest> keys) noexcept override;
    void look_now() noexcept override;

  private:
    static void on_turn(ngx_event_t* event) noexcept;
    static void on_cleanup(void* data) noexcept;
    static void close(Entry& entry) noexcept;
    static void shut_down(const ngx_connection_t* connection) noexcept;
    void ask(Entry& entry) noexcept;
    void remove(Entry& entry) noexcept;
    void schedule() noexcept;

    ngx_queue_t entries_{};
    std::size_t count_ = 0;
    std::size_t urgent_ = 0;  // entries from the head that are looked at without a wait
    WorkerEvent event_;
};

Watch* g_watch = nullptr;

Entry& entry_of(ngx_queue_t* link) noexcept {
    return *ngx_queue_data(link, Entry, link);
}

// Both halves of the pair are at their end then, and nginx finishes the request its own way.
void Watch::shut_down(const ngx_connection_t* connection) noexcept {
    if (connection != nullptr && connection->fd != static_cast<ngx_socket_t>(-1) &&
        ngx_shutdown_socket(connection->fd, SHUT_RDWR) == -1 && ngx_socket_errno != NGX_ENOTCONN) {
        ngx_log_error(NGX_LOG_INFO, connection->log, ngx_socket_errno,
                      "oidc: " ngx_shutdown_socket_n " failed");
    }
}

void Watch::close(Entry& entry) noexcept {
    if (entry.closing) {
        return;
    }
    entry.closing = true;
    ngx_http_request_t* r = entry.request;
    const bool of_token = entry.token_end != 0;
    const bool expired =
        of_token || ngx_time() >= entry.session.created() + entry.provider->config.session_timeout;
    ngx_str_t user = borrow(entry.session.username());
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "oidc: the upgraded connection of \"%V\" is closed, its %s has %s", &user,
                  of_token ? "access token" : "session", expired ? "expired" : "ended");
    if (r->upstream != nullptr) {
        shut_down(r->upstream->peer.connection);
    }
    shut_down(r->connection);
}

void Watch::on_cleanup(void* data) noexcept {
    auto& entry = *static_cast<Entry*>(data);
    // Without a watch the worker is about to end, and its store may be gone.
    if (g_watch != nullptr && g_watch == entry.watch) {
        g_watch->remove(entry);
    }
}

void Watch::remove(Entry& entry) noexcept {
    if (entry.ticket != 0) {
        entry.provider->store->sessions().cancel(entry.ticket);
        entry.ticket = 0;
    }
    ngx_queue_remove(&entry.link);
    entry.watch = nullptr;
    urgent_ = std::min(urgent_, --count_);
    if (count_ == 0) {
        event_.stop();
    }
}

Watch::Watch(ngx_log_t* log) noexcept : event_(this, on_turn, log) {
    ngx_queue_init(&entries_);
    g_watch = this;
}

Watch::~Watch() {
    while (!ngx_queue_empty(&entries_)) {
        remove(entry_of(ngx_queue_head(&entries_)));
    }
    g_watch = nullptr;
}

ngx_int_t Watch::watch(ngx_http_request_t* r, const Decision& decision) noexcept {
    ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, sizeof(Entry));
    if (cleanup == nullptr) {
        return NGX_ERROR;
    }
    auto* entry = new (cleanup->data) Entry;
    entry->request = r;
    entry->provider = decision.provider;
    entry->ref = decision.ref;
    entry->session = decision.session;
    const RequestContext* ctx = find_context(r);
    if (ctx != nullptr && is_of_token(*ctx, decision)) {
        entry->token_end = decision.expires + decision.provider->config.clock_skew;
    }
    entry->watch = this;
    cleanup->handler = on_cleanup;
    ngx_queue_insert_tail(&entries_, &entry->link);
    if (++count_ == 1) {
        schedule();
    }
    return NGX_OK;
}

// The whole list within kPass, as far as the turns allow it; workers that were started together do
// not ask together.
void Watch::schedule() noexcept {
    const ngx_msec_t turns = static_cast<ngx_msec_t>((count_ + kTurn - 1) / kTurn);
    const ngx_msec_t interval = std::max(kPass / std::max<ngx_msec_t>(turns, 1), kShortestTurn);
    event_.set(interval - interval / 8 +
               static_cast<ngx_msec_t>(ngx_random()) % (interval / 4 + 1));
}

void Watch::ask(Entry& entry) noexcept try {
    if (entry.closing || entry.ticket != 0) {
        return;
    }
    if (entry.token_end != 0) {
        if (ngx_time() >= entry.token_end) {
            close(entry);
        }
        return;
    }
    const SessionStore::Ticket ticket =
        entry.provider->store->sessions().alive(entry.ref, [&entry](const Result<bool>& alive) {
            entry.ticket = 0;
            // A store that cannot say closes nothing.
            if (alive && !*alive) {
                close(entry);
            }
        });
    if (ticket != 0) {
        entry.ticket = ticket;
    }
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "oidc: no memory to ask about an upgraded connection");
}

void Watch::on_turn(ngx_event_t* event) noexcept {
    auto& self = WorkerEvent::of<Watch>(event);
    // The answer of a store may end entries of its own accord only through nginx's events, which
    // come later: the list does not change here.
    for (std::size_t left = std::min(self.count_, kTurn); left > 0; --left) {
        ngx_queue_t* link = ngx_queue_head(&self.entries_);
        ngx_queue_remove(link);
        ngx_queue_insert_tail(&self.entries_, link);
        self.ask(entry_of(link));
    }
    self.urgent_ -= std::min(self.urgent_, kTurn);
    if (self.urgent_ > 0) {
        self.event_.set(1);
    } else if (self.count_ > 0) {
        self.schedule();
    }
}

void Watch::ended(std::span<const Digest> keys) noexcept {
    for (ngx_queue_t* link = ngx_queue_head(&entries_); link != ngx_queue_sentinel(&entries_);
         link = ngx_queue_next(link)) {
        Entry& entry = entry_of(link);
        if (std::find(keys.begin(), keys.end(), entry.ref.key) != keys.end()) {
            close(entry);
        }
    }
}

void Watch::look_now() noexcept {
    urgent_ = count_;
    if (count_ > 0) {
        event_.post();
    }
}

}  // namespace

Upgraded* Upgraded::worker() noexcept {
    return g_watch;
}

std::unique_ptr<Upgraded> Upgraded::make(ngx_log_t* log) {
    return std::make_unique<Watch>(log);
}

void close_upgraded(std::span<const Digest> keys) noexcept {
    if (g_watch != nullptr) {
        g_watch->ended(keys);
    }
}

void look_at_upgraded() noexcept {
    if (g_watch != nullptr) {
        g_watch->look_now();
    }
}

}  // namespace oidc::ngx
