// When servers fail: which one is next, what becomes of commands, and what takes too long.
#include <algorithm>
#include <utility>

#include "shm/counters_zone.hpp"
#include "stores/redis_pool.hpp"

namespace oidc::ngx {

namespace {

constexpr unsigned kFirstBackoff = 50;  // milliseconds
constexpr unsigned kLastBackoff = 1000;

}  // namespace

// ---- failures ----------------------------------------------------------------------------------

void RedisPool::on_lost(RedisConn& connection, RedisConn::Lost why,
                        const std::string& detail) noexcept {
    std::deque<Ticket> lost;
    lost.swap(connection.in_flight);
    requeue(lost, why == RedisConn::Lost::closed);
    if (why == RedisConn::Lost::refused && least_busy() != nullptr) {
        // One connection more than the server takes.
        no_more_until_ = ngx_current_msec + kLastBackoff;
        ngx_log_error(NGX_LOG_WARN, log_, 0, "oidc: another connection to redis was refused: %s",
                      detail.c_str());
    } else if (why != RedisConn::Lost::closed) {
        server_failed(detail);
    } else {
        // Redis closes connections when it ends, or finds them idle. The next one says which.
        ngx_log_error(NGX_LOG_INFO, log_, 0, "oidc: connection to redis ended: %s", detail.c_str());
        dispatch();
        if (!ngx_exiting && !has_connection()) {
            retry_.set(kFirstBackoff);
        }
    }
    update_timers();
}

// Puts batches back to where they came from, first in line, or fails those that must not be sent
// again.
void RedisPool::requeue(std::deque<Ticket>& tickets, bool may_repeat) noexcept {
    while (!tickets.empty()) {
        const auto it = pending_.find(tickets.back());
        tickets.pop_back();
        if (it == pending_.end()) {
            continue;
        }
        const bool again = may_repeat && (it->second.refused ||
                                          (!it->second.batch.is_once() && it->second.sent < 2));
        try {
            if (again) {
                waiting_.push_front(it->first);
                continue;
            }
        } catch (...) {
            // It fails instead.
        }
        fail(it, "the connection to redis broke", StoreFailure::unavailable);
    }
}

void RedisPool::close_all() noexcept {
    for (const auto& connection : connections_) {
        if (connection->is_closed()) {
            continue;
        }
        connection->close();
        std::deque<Ticket> lost;
        lost.swap(connection->in_flight);
        requeue(lost, true);
    }
}

void RedisPool::server_failed(const std::string& detail) noexcept {
    try {
        const std::string text = "session store \"" + store_ + "\": redis server \"" +
                                 settings_.servers[server_].name + "\" is unavailable: " + detail;
        // An outage is told once for each server, its repetitions are for those who look closely.
        log(told_ && down_ ? NGX_LOG_INFO : NGX_LOG_ERR, text);
    } catch (...) {
        log(NGX_LOG_ERR, "redis is unavailable");
    }
    server_ = (server_ + 1) % settings_.servers.size();
    if (settings_.servers.size() > 1) {
        if (CountersZone* zone = CountersZone::running()) {
            zone->count_store_failover();
        }
    }
    told_ = true;
    // First, because callbacks may send other commands from here on.
    const bool round_over = ++failed_in_round_ >= settings_.servers.size();
    down_ = down_ || round_over;
    close_all();
    if (round_over) {
        go_down();
    } else {
        open_one();
    }
}

// Every server has failed: nothing waits any longer, and the next try is put off.
void RedisPool::go_down() noexcept {
    failed_in_round_ = 0;
    backoff_ = backoff_ == 0 ? kFirstBackoff : std::min(backoff_ * 2, kLastBackoff);
    const unsigned half = backoff_ / 2;
    retry_.set(half + static_cast<ngx_msec_t>(ngx_random()) % (half + 1));
    std::deque<Ticket> waiting;
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
    if ((self.down_ || !ngx_exiting) && !self.settings_.servers.empty() && !self.has_connection()) {
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
        const Ticket ticket = it->first;
        const auto holder = std::find_if(
            connections_.begin(), connections_.end(), [ticket](const auto& connection) {
                return std::find(connection->in_flight.begin(), connection->in_flight.end(),
                                 ticket) != connection->in_flight.end();
            });
        if (holder == connections_.end()) {
            fail(it, "no connection to redis in time", StoreFailure::timeout);
            continue;
        }
        // A server that has not answered this will not answer what was sent behind it.
        count_failure(StoreFailure::timeout);
        RedisConn& stalled = **holder;
        stalled.close();
        on_lost(stalled, RedisConn::Lost::broken, "no answer in time");
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
