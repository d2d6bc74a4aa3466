#include "stores/redis_pool.hpp"

#include <algorithm>
#include <utility>

#include "oidc/encode.hpp"
#include "shm/counters_zone.hpp"

namespace oidc::ngx {

namespace {

// Batches in flight on every connection before another one is opened.
constexpr std::size_t kBusy = 16;
// Within this, each server is tried once when servers say that they cannot serve now.
constexpr ngx_msec_t kRoleSwitch = 250;

// What a server says that another of the list may not: a replica, one that loads its data or has
// lost its master, a node of a broken cluster.
bool wants_other_server(std::string_view code) noexcept {
    return code == "READONLY" || code == "LOADING" || code == "MASTERDOWN" || code == "CLUSTERDOWN";
}

}  // namespace

RedisPool::RedisPool(std::string store, const RedisSettings& settings, ngx_ssl_t* ssl,
                     ngx_log_t* log)
    : store_(std::move(store)),
      settings_(settings),
      log_(log),
      deadline_(this, on_deadline, log),
      retry_(this, on_retry, log) {
    RedisConn::Owner& owner = *this;
    for (auto& connection : connections_) {
        connection = std::make_unique<RedisConn>(settings, ssl, owner, log);
    }
    retry_.set(1);
}

RedisPool::~RedisPool() = default;

void RedisPool::count_failure(StoreFailure failure) noexcept {
    if (CountersZone* zone = CountersZone::running()) {
        zone->count_store_failure(failure);
    }
}

void RedisPool::log(ngx_uint_t level, std::string_view text) const noexcept {
    ngx_str_t line = borrow(text);
    ngx_log_error(level, log_, 0, "oidc: %V", &line);
}

// ---- commands ----------------------------------------------------------------------------------

RedisPool::Ticket RedisPool::send(RedisBatch batch, Done done) {
    const char* refused = down_                            ? "redis is not reachable"
                          : pending_.size() >= kMaxBatches ? "too many commands wait for redis"
                          : bytes_ > kMaxBytes             ? "too much waits for redis"
                          : settings_.servers.empty()      ? "no server"
                                                           : nullptr;
    if (refused != nullptr) {
        count_failure(StoreFailure::unavailable);
        if (done) {
            done(oidc::fail(Reason::store_unavailable, refused));
        }
        return 0;
    }
    const Ticket ticket = ++last_;
    Pending pending;
    bytes_ += batch.wire().size();
    pending.batch = std::move(batch);
    pending.done = std::move(done);
    pending.deadline = ngx_current_msec + settings_.timeout;
    pending.started = std::chrono::steady_clock::now();
    pending_.emplace(ticket, std::move(pending));
    waiting_.push_back(ticket);
    dispatch();
    update_timers();
    return ticket;
}

void RedisPool::cancel(Ticket ticket) noexcept {
    // What waits is sent all the same: it may end sessions.
    if (auto it = pending_.find(ticket); it != pending_.end()) {
        it->second.done = nullptr;
    }
}

RedisConn* RedisPool::least_busy() noexcept {
    RedisConn* best = nullptr;
    for (const auto& connection : connections_) {
        if (connection->is_ready() &&
            (best == nullptr || connection->in_flight.size() < best->in_flight.size())) {
            best = connection.get();
        }
    }
    return best;
}

bool RedisPool::has_connection() const noexcept {
    return std::any_of(connections_.begin(), connections_.end(),
                       [](const auto& connection) { return !connection->is_closed(); });
}

// Opens one more connection unless one is being opened.
void RedisPool::open_one() noexcept {
    RedisConn* closed = nullptr;
    for (const auto& connection : connections_) {
        if (connection->is_closed()) {
            closed = connection.get();
        } else if (!connection->is_ready()) {
            return;
        }
    }
    if (closed != nullptr) {
        closed->open(settings_.servers[server_]);
    }
}

void RedisPool::dispatch() noexcept try {
    while (!waiting_.empty()) {
        const auto it = pending_.find(waiting_.front());
        if (it == pending_.end()) {
            waiting_.pop_front();
            continue;
        }
        RedisConn* connection = least_busy();
        if (connection == nullptr) {
            open_one();
            return;
        }
        connection->in_flight.push_back(it->first);
        if (!connection->send(it->second.batch.wire())) {
            connection->in_flight.pop_back();
            return;  // it times out
        }
        ++it->second.sent;
        it->second.refused = false;
        it->second.replies.clear();
        waiting_.pop_front();
        if (connection->in_flight.size() >= kBusy &&
            static_cast<ngx_msec_int_t>(ngx_current_msec - no_more_until_) >= 0) {
            open_one();
        }
    }
} catch (...) {
    log(NGX_LOG_ERR, "no memory for a command to redis");
}

// ---- answers -----------------------------------------------------------------------------------

void RedisPool::on_ready(RedisConn& /*connection*/) noexcept {
    if (CountersZone* zone = CountersZone::running()) {
        zone->count_store_connection();
    }
    if (down_ || told_) {
        try {
            log(NGX_LOG_NOTICE, "session store \"" + store_ +
                                    "\" is available again, by redis server \"" +
                                    settings_.servers[server_].name + "\"");
        } catch (...) {
            // Only the line is lost.
        }
    }
    down_ = false;
    told_ = false;
    failed_in_round_ = 0;
    dispatch();
}

void RedisPool::on_reply(RedisConn& connection, RedisReply&& reply) noexcept {
    const auto it = pending_.find(connection.in_flight.front());
    if (it == pending_.end()) {  // cannot be: what is in flight stays
        connection.close();
        on_lost(connection, RedisConn::Lost::broken, "a reply to nothing");
        return;
    }
    Pending& pending = it->second;
    try {
        if (reply.is_error()) {
            count_failure(StoreFailure::refused);
            pending.refused = pending.refused || wants_other_server(reply.error_code());
            log_reply_error(pending, reply);
        } else {
            backoff_ = 0;
        }
        pending.replies.push_back(std::move(reply));
    } catch (...) {
        connection.close();
        on_lost(connection, RedisConn::Lost::broken, "no memory");
        return;
    }
    if (pending.replies.size() < pending.batch.names().size()) {
        return;
    }
    connection.in_flight.pop_front();
    if (pending.refused && switch_role(pending)) {
        std::deque<Ticket> again;
        again.push_back(it->first);
        requeue(again, true);
        close_all();
        open_one();
        return;
    }
    answered(it);
    update_timers();
}

void RedisPool::answered(PendingMap::iterator it) noexcept {
    const auto passed = std::chrono::steady_clock::now() - it->second.started;
    const auto took = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    if (CountersZone* zone = CountersZone::running()) {
        zone->count_store_answer(took);
    }
    if (it->second.refused) {
        fail(it, "no server of the list can serve", StoreFailure::unavailable);
        return;
    }
    Replies replies = std::move(it->second.replies);
    finish(it, std::move(replies));
}

// True: the server of the list that is tried next has been chosen.
bool RedisPool::switch_role(const Pending& pending) noexcept {
    const std::size_t count = settings_.servers.size();
    if (ngx_current_msec - role_switch_at_ > kRoleSwitch) {
        role_switches_ = 0;
    }
    if (role_switches_ + 1 >= count || pending.sent > count) {
        return false;
    }
    ++role_switches_;
    role_switch_at_ = ngx_current_msec;
    server_ = (server_ + 1) % count;
    if (CountersZone* zone = CountersZone::running()) {
        zone->count_store_failover();
    }
    return true;
}

// One line of a kind in a second: every request may meet the same error.
void RedisPool::log_reply_error(const Pending& pending, const RedisReply& reply) noexcept try {
    const std::string code(reply.error_code());
    if (code == "EXECABORT") {
        return;  // because of an error that stands in the log
    }
    if (code == logged_code_ && ngx_time() == logged_at_) {
        return;
    }
    logged_code_ = code;
    logged_at_ = ngx_time();
    const std::size_t index = pending.replies.size();
    const std::vector<std::string>& names = pending.batch.names();
    const std::string& name = index < names.size() ? names[index] : names.back();
    std::string text = "session store \"" + store_ + "\": redis server \"" +
                       settings_.servers[server_].name + "\" refused " + name + ": " +
                       log_escape(reply.error_text(), 160);
    if (code == "MOVED" || code == "ASK" || code == "CROSSSLOT") {
        text += "; redis cluster is not supported";
    }
    log(pending.refused ? NGX_LOG_WARN : NGX_LOG_ERR, text);
} catch (...) {
    // Only the line is lost.
}

void RedisPool::finish(PendingMap::iterator it, Result<Replies> result) noexcept {
    Pending ended = std::move(it->second);
    bytes_ -= ended.batch.wire().size();
    pending_.erase(it);
    if (!ended.done) {
        return;
    }
    try {
        ended.done(std::move(result));
    } catch (...) {
        log(NGX_LOG_ERR, "an answer of redis was lost");
    }
}

void RedisPool::fail(PendingMap::iterator it, const char* why, StoreFailure failure) noexcept {
    count_failure(failure);
    try {
        finish(it, oidc::fail(Reason::store_unavailable, why));
    } catch (...) {
        finish(it, Error{Reason::store_unavailable, {}, {}});
    }
}

}  // namespace oidc::ngx
