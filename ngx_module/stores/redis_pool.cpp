// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_pool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "shm/counters_zone.hpp"

namespace oidc::ngx {

namespace {

// Batches in flight on every connection before another one is opened.
constexpr std::size_t kBusy = 16;

}  // namespace

RedisPool::RedisPool(std::string store, const RedisSettings& settings, ngx_ssl_t* ssl,
                     ngx_log_t* log)
    : settings_(settings),
      log_(log),
      servers_(std::move(store), settings, log),
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

// ---- commands ----------------------------------------------------------------------------------

void RedisPool::send(RedisBatch batch, Done done) {
    const char* refused = servers_.is_down()               ? "redis is not reachable"
                          : pending_.size() >= kMaxBatches ? "too many commands wait for redis"
                          : bytes_ > kMaxBytes             ? "too much waits for redis"
                          : servers_.empty()               ? "no server"
                                                           : nullptr;
    if (refused != nullptr) {
        count_failure(StoreFailure::unavailable);
        if (done) {
            done(oidc::fail(Reason::store_unavailable, refused));
        }
        return;
    }
    Tickets ticket{last_ + 1};
    Pending pending;
    pending.batch = std::move(batch);
    pending.done = std::move(done);
    pending.deadline = ngx_current_msec + settings_.timeout;
    pending.started = std::chrono::steady_clock::now();
    const auto [it, added] = pending_.emplace(ticket.front(), std::move(pending));
    ++last_;
    bytes_ += it->second.batch.wire().size();
    waiting_.splice(waiting_.end(), ticket);
    dispatch();
    update_timers();
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

RedisConn* RedisPool::holder_of(Ticket ticket) noexcept {
    const auto it =
        std::find_if(connections_.begin(), connections_.end(), [ticket](const auto& connection) {
            return std::find(connection->in_flight.begin(), connection->in_flight.end(), ticket) !=
                   connection->in_flight.end();
        });
    return it != connections_.end() ? it->get() : nullptr;
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
        closed->open(servers_.current());
    }
}

void RedisPool::dispatch() noexcept {
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
        if (!connection->send(it->second.batch.wire())) {
            return;  // it times out
        }
        connection->in_flight.splice(connection->in_flight.end(), waiting_, waiting_.begin());
        ++it->second.sent;
        it->second.refused = false;
        it->second.replies.clear();
        if (connection->in_flight.size() >= kBusy &&
            static_cast<ngx_msec_int_t>(ngx_current_msec - no_more_until_) >= 0) {
            open_one();
        }
    }
}

// ---- answers -----------------------------------------------------------------------------------

void RedisPool::on_ready(RedisConn& /*connection*/) noexcept {
    if (CountersZone* zone = CountersZone::running()) {
        zone->count_store_connection();
    }
    servers_.reached();
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
    const std::vector<std::string>& names = pending.batch.names();
    if (reply.is_error()) {
        count_failure(StoreFailure::refused);
        pending.refused = pending.refused || wants_other_server(reply.error_code());
        const std::size_t index = std::min(pending.replies.size(), names.size() - 1);
        servers_.log_error(names[index], reply);
    } else {
        servers_.answered();
    }
    try {
        pending.replies.push_back(std::move(reply));
    } catch (...) {
        connection.close();
        on_lost(connection, RedisConn::Lost::broken, "no memory");
        return;
    }
    if (pending.replies.size() < names.size()) {
        return;
    }
    Tickets done;
    done.splice(done.end(), connection.in_flight, connection.in_flight.begin());
    if (pending.refused && servers_.refused(pending.sent)) {
        requeue(done, true);
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
        ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: an answer of redis was lost");
    }
}

void RedisPool::fail(PendingMap::iterator it, const char* why, StoreFailure failure) noexcept {
    count_failure(failure);
    Error error{Reason::store_unavailable, {}, {}};
    try {
        error.detail = why;
    } catch (...) {
        // The reason says enough.
    }
    finish(it, std::move(error));
}

// ---- failures ----------------------------------------------------------------------------------

void RedisPool::on_lost(RedisConn& connection, RedisConn::Lost why,
                        std::string_view detail) noexcept {
    Tickets lost;
    lost.swap(connection.in_flight);
    requeue(lost, why == RedisConn::Lost::closed);
    ngx_str_t text = borrow(detail);
    if (why == RedisConn::Lost::refused && least_busy() != nullptr) {
        // One connection more than the server takes.
        no_more_until_ = ngx_current_msec + RedisServers::kLastBackoff;
        ngx_log_error(NGX_LOG_WARN, log_, 0, "oidc: another connection to redis was refused: %V",
                      &text);
    } else if (why != RedisConn::Lost::closed) {
        server_failed(detail);
    } else {
        // Redis closes connections when it ends, or finds them idle. The next one says which.
        ngx_log_error(NGX_LOG_INFO, log_, 0, "oidc: connection to redis ended: %V", &text);
        dispatch();
        if (!ngx_exiting && !has_connection()) {
            retry_.set(RedisServers::kFirstBackoff);
        }
    }
    update_timers();
}

// Puts batches back to where they came from, first in line, or fails those that must not be sent
// again.
void RedisPool::requeue(Tickets& tickets, bool may_repeat) noexcept {
    while (!tickets.empty()) {
        const auto last = std::prev(tickets.end());
        const auto it = pending_.find(*last);
        const bool again =
            it != pending_.end() && may_repeat &&
            (it->second.refused || (!it->second.batch.is_once() && it->second.sent < 2));
        if (again) {
            waiting_.splice(waiting_.begin(), tickets, last);
            continue;
        }
        tickets.erase(last);
        if (it != pending_.end()) {
            fail(it, "the connection to redis broke", StoreFailure::unavailable);
        }
    }
}

void RedisPool::close_all() noexcept {
    for (const auto& connection : connections_) {
        if (connection->is_closed()) {
            continue;
        }
        connection->close();
        Tickets lost;
        lost.swap(connection->in_flight);
        requeue(lost, true);
    }
}

void RedisPool::server_failed(std::string_view detail) noexcept {
    // First, because callbacks may send other commands from here on.
    const bool all_failed = servers_.failed(detail);
    close_all();
    if (!all_failed) {
        open_one();
        return;
    }
    // Nothing waits any longer, and the next try is put off.
    retry_.set(servers_.retry_delay());
    Tickets waiting;
    waiting.swap(waiting_);
    while (!waiting.empty()) {
        if (const auto it = pending_.find(waiting.front()); it != pending_.end()) {
            fail(it, "redis is not reachable", StoreFailure::unavailable);
        }
        waiting.pop_front();
    }
}

void RedisPool::on_retry(ngx_event_t* event) noexcept {
    auto& self = WorkerEvent::of<RedisPool>(event);
    if ((self.is_down() || !ngx_exiting) && !self.servers_.empty() && !self.has_connection()) {
        self.open_one();
    }
}

// ---- time --------------------------------------------------------------------------------------

void RedisPool::on_deadline(ngx_event_t* event) noexcept {
    auto& self = WorkerEvent::of<RedisPool>(event);
    self.expire();
    self.update_timers();
}

void RedisPool::expire() noexcept {
    while (!pending_.empty()) {
        const auto it = pending_.begin();
        if (static_cast<ngx_msec_int_t>(it->second.deadline - ngx_current_msec) > 0) {
            return;
        }
        RedisConn* stalled = holder_of(it->first);
        if (stalled == nullptr) {
            fail(it, "no connection to redis in time", StoreFailure::timeout);
            continue;
        }
        // A server that has not answered this will not answer what was sent behind it.
        count_failure(StoreFailure::timeout);
        stalled->close();
        on_lost(*stalled, RedisConn::Lost::broken, "no answer in time");
    }
}

// A worker that shuts down waits for commands, which end within their time.
void RedisPool::update_timers() noexcept {
    if (pending_.empty()) {
        deadline_.unset();
        deadline_.hold_worker(false);
        return;
    }
    deadline_.hold_worker(true);
    if (!deadline_.is_timed()) {
        const auto left =
            static_cast<ngx_msec_int_t>(pending_.begin()->second.deadline - ngx_current_msec);
        deadline_.set(left > 0 ? static_cast<ngx_msec_t>(left) : 1);
    }
}

}  // namespace oidc::ngx
