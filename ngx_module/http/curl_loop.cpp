// SPDX-License-Identifier: Apache-2.0
#include "http/curl_loop.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <new>

#include "base/debug_log.hpp"
#include "base/worker_event.hpp"
#include "http/curl_sockets.hpp"
#include "http/curl_transfer.hpp"
#include "oidc/ptr.hpp"
#include "shm/counters_zone.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kMaxTransfers = 512;
constexpr std::size_t kKeptHandles = 32;
// libcurl notices that a kept connection is too old only when it looks for one. A loop that has
// been idle for longer than connections may live drops them itself, when there are more than a few.
constexpr ngx_msec_t kIdleLimit = 65 * 1000;
constexpr std::uint64_t kKeptIdleConnections = 8;
// Keeps a worker that shuts down alive while transfers run, should libcurl want no timer.
constexpr ngx_msec_t kWatch = 1000;

class Loop;
Loop* g_loop = nullptr;

struct EasyDeleter {
    void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
using EasyPtr = std::unique_ptr<CURL, EasyDeleter>;

struct CurlLibrary {
    explicit CurlLibrary(ngx_log_t* log) {
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "oidc: libcurl cannot be initialised");
            throw std::bad_alloc();
        }
    }
    ~CurlLibrary() {
        OpensslErrorGuard guard;
        curl_global_cleanup();
    }
    CurlLibrary(const CurlLibrary&) = delete;
    CurlLibrary& operator=(const CurlLibrary&) = delete;
};

class Loop final : public CurlLoop {
  public:
    explicit Loop(ngx_cycle_t* cycle);
    ~Loop() override;
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    Handle start(HttpRequest request, const Transport& transport, Done done, bool background,
                 ngx_log_t* log) override;
    void cancel(Handle handle) noexcept override;
    [[nodiscard]] Counters counters() const noexcept override { return counters_; }

  private:
    struct Live {
        Live(HttpRequest request, const Transport& transport)
            : endpoint(idp_endpoint(request.endpoint)), transfer(std::move(request), transport) {}
        Handle handle = 0;
        IdpEndpoint endpoint;
        std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
        CurlTransfer transfer;
        EasyPtr easy;
        Done done;
        bool background = false;
        ngx_log_t* log = nullptr;
        std::optional<Error> refused;  // ends at the next turn of the event loop
        bool cancelled = false;        // the same, silently
    };
    using LiveMap = std::map<Handle, std::unique_ptr<Live>>;

    static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket) noexcept;
    static int on_timer(CURLM* multi, long delay, void* self) noexcept;
    static void on_ready(ngx_event_t* event) noexcept;
    static void on_timeout(ngx_event_t* event) noexcept;
    static void on_refused(ngx_event_t* event) noexcept;
    static void on_idle(ngx_event_t* event) noexcept;

    void open_multi();
    void close_multi() noexcept;
    void act(curl_socket_t fd, int mask) noexcept;
    void reap() noexcept;
    bool again(Live& live) noexcept;
    void end(LiveMap::iterator it, CURLcode code) noexcept;
    static void log_end(const Live& live, const HttpOutcome& outcome) noexcept;
    static void count(const Live& live, const HttpOutcome& outcome, long connects);
    void detach(Live& live, bool keep) noexcept;
    void refuse(CURL* easy) noexcept;
    void update_timers() noexcept;
    LiveMap::iterator find(CURL* easy) noexcept;
    EasyPtr take_handle();

    ngx_log_t* log_;
    CurlLibrary library_;
    CURLM* multi_ = nullptr;
    WorkerEvent timer_;
    WorkerEvent refusals_;
    WorkerEvent idle_;
    CurlSockets sockets_;
    LiveMap live_;
    std::array<EasyPtr, kKeptHandles> spare_;  // the first spares_ of them
    std::size_t spares_ = 0;
    Handle last_ = 0;
    std::size_t limit_;
    std::size_t foreground_ = 0;
    bool in_callback_ = false;
    std::uint64_t opened_ = 0;  // connections of this multi handle
    Counters counters_;
};

Loop::Loop(ngx_cycle_t* cycle)
    : log_(cycle->log),
      library_(cycle->log),
      timer_(this, on_timeout, cycle->log),
      refusals_(this, on_refused, cycle->log),
      idle_(this, on_idle, cycle->log),
      sockets_(this, on_ready, cycle->log),
      // Each login in flight has one connection of its browser and one to the provider.
      limit_(std::clamp<std::size_t>(cycle->connection_n / 2, 8, kMaxTransfers)) {
    open_multi();
    g_loop = this;
}

Loop::~Loop() {
    OpensslErrorGuard guard;
    for (auto& [handle, live] : live_) {
        if (live->easy) {
            curl_multi_remove_handle(multi_, live->easy.get());
        }
    }
    live_.clear();
    spare_ = {};
    close_multi();
    g_loop = nullptr;
}

void Loop::open_multi() {
    multi_ = curl_multi_init();
    if (multi_ == nullptr ||
        curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this) != CURLM_OK ||
        curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
        curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this) != CURLM_OK ||
        curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING)) !=
            CURLM_OK ||
        // The limit counts connections in use as well: a lower one would close each of them after
        // its first request when many logins run at once.
        curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(limit_)) != CURLM_OK) {
        close_multi();
        throw std::bad_alloc();
    }
    opened_ = 0;
}

void Loop::close_multi() noexcept {
    if (multi_ != nullptr) {
        curl_multi_cleanup(multi_);
        multi_ = nullptr;
    }
    sockets_.clear();
    timer_.stop();
}

EasyPtr Loop::take_handle() {
    if (spares_ == 0) {
        return EasyPtr(curl_easy_init());
    }
    return std::move(spare_[--spares_]);
}

CurlLoop::Handle Loop::start(HttpRequest request, const Transport& transport, Done done,
                             bool background, ngx_log_t* log) {
    OpensslErrorGuard guard;
    const Handle handle = ++last_;
    auto live = std::make_unique<Live>(std::move(request), transport);
    live->handle = handle;
    live->done = std::move(done);
    live->background = background;
    live->log = log != nullptr ? log : log_;
    ++counters_.requests;
    if (live_.size() >= limit_) {
        live->refused = live->transfer.error(Reason::idp_busy, "too many requests in flight",
                                             "worker_connections");
    } else if (multi_ == nullptr) {
        open_multi();
    }
    if (!live->refused) {
        live->easy = take_handle();
        if (!live->easy) {
            throw std::bad_alloc();
        }
        if (auto ready = live->transfer.prepare(live->easy.get()); !ready) {
            live->refused = ready.error();
        }
        curl_easy_setopt(live->easy.get(), CURLOPT_PRIVATE, live.get());
    }
    auto [it, inserted] = live_.emplace(handle, std::move(live));
    Live& started = *it->second;
    if (!started.background) {
        ++foreground_;
    }
    if (!started.refused && curl_multi_add_handle(multi_, started.easy.get()) != CURLM_OK) {
        started.refused = started.transfer.error(Reason::internal_error, "libcurl failed");
    }
    if (started.refused) {
        refusals_.post();
    }
    update_timers();
    return handle;
}

// Ends libcurl's part of a transfer. The handle is kept for another after a transfer that went
// well: with libcurl 8.14 a POST that could not be sent again leaves a mark that survives
// curl_easy_reset() and fails every later request of the handle.
void Loop::detach(Live& live, bool keep) noexcept {
    if (!live.easy) {
        return;
    }
    curl_multi_remove_handle(multi_, live.easy.get());
    if (keep && spares_ < spare_.size()) {
        curl_easy_reset(live.easy.get());
        spare_[spares_++] = std::move(live.easy);
    }
    live.easy.reset();
}

void Loop::cancel(Handle handle) noexcept {
    auto it = live_.find(handle);
    if (it == live_.end()) {
        return;
    }
    Live& live = *it->second;
    if (in_callback_) {
        // libcurl is on the stack and does not take this call now.
        live.done = nullptr;
        live.cancelled = true;
        refusals_.post();
        return;
    }
    OpensslErrorGuard guard;
    if (!live.background) {
        --foreground_;
    }
    // Out of the map first: nothing that runs from here may find it.
    std::unique_ptr<Live> ending = std::move(it->second);
    live_.erase(it);
    detach(*ending, false);
    update_timers();
}

void Loop::update_timers() noexcept {
    timer_.hold_worker(foreground_ > 0);
    if (foreground_ > 0 && !timer_.is_timed() && !timer_.is_posted()) {
        timer_.set(kWatch);
    }
    if (live_.empty()) {
        idle_.set(kIdleLimit);
    } else {
        idle_.unset();
    }
}

Loop::LiveMap::iterator Loop::find(CURL* easy) noexcept {
    void* live = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &live);
    return live == nullptr ? live_.end() : live_.find(static_cast<Live*>(live)->handle);
}

void Loop::act(curl_socket_t fd, int mask) noexcept {
    OpensslErrorGuard guard;
    int running = 0;
    const CURLMcode code = curl_multi_socket_action(multi_, fd, mask, &running);
    if (code != CURLM_OK && code != CURLM_BAD_SOCKET) {
        ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: libcurl failed: %s", curl_multi_strerror(code));
    }
    reap();
    update_timers();
}

void Loop::reap() noexcept {
    int left = 0;
    // The callers' callbacks may start and cancel transfers here, which changes libcurl's queue.
    while (multi_ != nullptr) {
        const CURLMsg* message = curl_multi_info_read(multi_, &left);
        if (message == nullptr) {
            return;
        }
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        // The message is gone once the handle is removed.
        const CURLcode code = message->data.result;
        if (auto it = find(message->easy_handle); it != live_.end()) {
            if (!again(*it->second)) {
                end(it, code);
            }
        } else {
            curl_multi_remove_handle(multi_, message->easy_handle);
        }
    }
}

// Begins a transfer anew of which nothing was sent.
bool Loop::again(Live& live) noexcept {
    if (live.refused || !live.transfer.again(live.easy.get())) {
        return false;
    }
    curl_multi_remove_handle(multi_, live.easy.get());
    return curl_multi_add_handle(multi_, live.easy.get()) == CURLM_OK;
}

void Loop::end(LiveMap::iterator it, CURLcode code) noexcept {
    std::unique_ptr<Live> live = std::move(it->second);
    live_.erase(it);
    if (!live->background) {
        --foreground_;
    }
    long connects = 0;
    if (live->easy && curl_easy_getinfo(live->easy.get(), CURLINFO_NUM_CONNECTS, &connects) == 0) {
        counters_.connections += static_cast<std::uint64_t>(connects);
        opened_ += static_cast<std::uint64_t>(connects);
    }
    const bool keep = code == CURLE_OK && !live->refused;
    try {
        HttpOutcome outcome = live->refused ? HttpOutcome(std::move(*live->refused))
                                            : live->transfer.finish(live->easy.get(), code);
        detach(*live, keep);
        log_end(*live, outcome);
        if (!outcome) {
            ++counters_.errors;
        }
        count(*live, outcome, connects);
        if (live->done) {
            live->done(std::move(outcome));
        }
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: a response of the provider was lost");
        detach(*live, false);
    }
}

// The URL without its query, which may hold what does not belong into a log.
void Loop::log_end(const Live& live, const HttpOutcome& outcome) noexcept try {
    if (!debugs(live.log)) {
        return;
    }
    const HttpRequest& request = live.transfer.request();
    const char* method = request.method == HttpRequest::Method::post ? "POST" : "GET";
    const std::size_t length = std::min(request.url.find_first_of("?#"), request.url.size());
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - live.started);
    const auto took = static_cast<ngx_int_t>(passed.count());
    if (outcome) {
        debug_log(live.log, "oidc call: %s %*s: %i in %i ms", method, length, request.url.data(),
                  static_cast<ngx_int_t>(outcome->status), took);
    } else {
        debug_log(live.log, "oidc call: %s %*s: %s in %i ms", method, length, request.url.data(),
                  reason_info(outcome.error().reason).code.data(), took);
    }
} catch (...) {
    // Only the line is lost.
}

void Loop::count(const Live& live, const HttpOutcome& outcome, long connects) {
    CountersZone* zone = CountersZone::running();
    if (zone == nullptr) {
        return;
    }
    const auto failure = idp_failure(outcome);
    std::optional<std::uint64_t> took;
    if (failure != IdpFailure::busy) {
        const auto passed = std::chrono::steady_clock::now() - live.started;
        took = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    }
    zone->count_request(live.endpoint, took, failure, static_cast<std::uint64_t>(connects));
}

// The transfer of this handle fails, but not here: libcurl is on the stack.
void Loop::refuse(CURL* easy) noexcept try {
    auto it = find(easy);
    if (it != live_.end() && !it->second->refused) {
        it->second->refused = it->second->transfer.error(
            Reason::idp_busy, "no connection slot is free", "worker_connections");
        refusals_.post();
    }
} catch (...) {
    // The transfer times out.
}

// Always 0: -1 would end every transfer of the worker.
int Loop::on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket) noexcept try {
    auto& loop = *static_cast<Loop*>(self);
    auto* connection = static_cast<ngx_connection_t*>(socket);
    if (what == CURL_POLL_REMOVE) {
        if (connection != nullptr) {
            curl_multi_assign(loop.multi_, fd, nullptr);
            loop.sockets_.release(connection);
        }
        return 0;
    }
    if (connection == nullptr) {
        // Requests may end here, and cancel their transfers.
        loop.in_callback_ = true;
        connection = loop.sockets_.adopt(fd);
        loop.in_callback_ = false;
        if (connection == nullptr) {
            loop.refuse(easy);
            return 0;
        }
        curl_multi_assign(loop.multi_, fd, connection);
    }
    if (!CurlSockets::watch(connection, what)) {
        loop.refuse(easy);
    }
    return 0;
} catch (...) {
    static_cast<Loop*>(self)->in_callback_ = false;
    static_cast<Loop*>(self)->refuse(easy);
    return 0;
}

// Must not call libcurl: it only notes when to.
int Loop::on_timer(CURLM* /*multi*/, long delay, void* self) noexcept {
    auto& loop = *static_cast<Loop*>(self);
    loop.timer_.stop();
    if (delay == 0) {
        loop.timer_.post();
    } else if (delay > 0) {
        loop.timer_.set(static_cast<ngx_msec_t>(delay));
    }
    return 0;
}

void Loop::on_ready(ngx_event_t* event) noexcept {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    auto& loop = *static_cast<Loop*>(connection->data);
    // The connection may be gone when this returns.
    loop.act(connection->fd, event->write ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
}

void Loop::on_timeout(ngx_event_t* event) noexcept {
    WorkerEvent::of<Loop>(event).act(CURL_SOCKET_TIMEOUT, 0);
}

void Loop::on_refused(ngx_event_t* event) noexcept {
    auto& loop = WorkerEvent::of<Loop>(event);
    OpensslErrorGuard guard;
    // From the start each time: the callbacks change the map.
    while (true) {
        auto it = std::find_if(loop.live_.begin(), loop.live_.end(), [](const auto& item) {
            return item.second->refused || item.second->cancelled;
        });
        if (it == loop.live_.end()) {
            break;
        }
        if (it->second->cancelled) {
            loop.cancel(it->first);
        } else {
            loop.end(it, CURLE_OK);
        }
    }
    loop.update_timers();
}

void Loop::on_idle(ngx_event_t* event) noexcept {
    auto& loop = WorkerEvent::of<Loop>(event);
    if (loop.live_.empty() && loop.opened_ > kKeptIdleConnections) {
        OpensslErrorGuard guard;
        loop.close_multi();  // start() opens another
    }
}

}  // namespace

CurlLoop* CurlLoop::worker() noexcept {
    return g_loop;
}

std::unique_ptr<CurlLoop> CurlLoop::make(ngx_cycle_t* cycle) {
    return std::make_unique<Loop>(cycle);
}

}  // namespace oidc::ngx
