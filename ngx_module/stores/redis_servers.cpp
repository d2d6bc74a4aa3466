// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_servers.hpp"

#include <algorithm>
#include <utility>

#include "oidc/encode.hpp"
#include "shm/counters_zone.hpp"

namespace oidc::ngx {

namespace {

// Within this, each server is tried once when servers say that they cannot serve now.
constexpr ngx_msec_t kRound = 250;

}  // namespace

bool wants_other_server(std::string_view code) noexcept {
    return code == "READONLY" || code == "LOADING" || code == "MASTERDOWN" || code == "CLUSTERDOWN";
}

RedisServers::RedisServers(std::string store, const RedisSettings& settings, ngx_log_t* log)
    : store_(std::move(store)), settings_(settings), log_(log) {}

const RedisSettings::Server& RedisServers::current() const noexcept {
    return settings_.servers[current_];
}

void RedisServers::log(ngx_uint_t level, std::string_view text) const noexcept {
    ngx_str_t line = borrow(text);
    ngx_log_error(level, log_, 0, "oidc: %V", &line);
}

void RedisServers::next() noexcept {
    current_ = (current_ + 1) % settings_.servers.size();
    if (settings_.servers.size() > 1) {
        if (CountersZone* zone = CountersZone::running()) {
            zone->count_store_failover();
        }
    }
}

void RedisServers::reached() noexcept {
    if (down_ || told_) {
        try {
            log(NGX_LOG_NOTICE, "session store \"" + store_ +
                                    "\" is available again, by redis server \"" + current().name +
                                    "\"");
        } catch (...) {
            // Only the line is lost.
        }
    }
    down_ = false;
    told_ = false;
    failed_in_round_ = 0;
}

bool RedisServers::failed(std::string_view detail) noexcept {
    try {
        const std::string text = "session store \"" + store_ + "\": redis server \"" +
                                 current().name + "\" is unavailable: " + std::string(detail);
        // An outage is told once for each server, its repetitions are for those who look closely.
        log(told_ && down_ ? NGX_LOG_INFO : NGX_LOG_ERR, text);
    } catch (...) {
        log(NGX_LOG_ERR, "redis is unavailable");
    }
    next();
    told_ = true;
    if (++failed_in_round_ < settings_.servers.size()) {
        return false;
    }
    failed_in_round_ = 0;
    down_ = true;
    return true;
}

ngx_msec_t RedisServers::retry_delay() noexcept {
    backoff_ = backoff_ == 0 ? kFirstBackoff : std::min(backoff_ * 2, kLastBackoff);
    const ngx_msec_t half = backoff_ / 2;
    return half + static_cast<ngx_msec_t>(ngx_random()) % (half + 1);
}

bool RedisServers::refused(unsigned sent) noexcept {
    const std::size_t count = settings_.servers.size();
    if (ngx_current_msec - refused_at_ > kRound) {
        refusals_ = 0;
    }
    if (refusals_ + 1 >= count || sent > count) {
        return false;
    }
    ++refusals_;
    refused_at_ = ngx_current_msec;
    next();
    return true;
}

void RedisServers::log_error(std::string_view command, const RedisReply& reply) noexcept try {
    const std::string code(reply.error_code());
    if (code == "EXECABORT") {
        return;  // because of an error that stands in the log
    }
    if (code == logged_code_ && ngx_time() == logged_at_) {
        return;
    }
    logged_code_ = code;
    logged_at_ = ngx_time();
    std::string text = "session store \"" + store_ + "\": redis server \"" + current().name +
                       "\" refused " + std::string(command) + ": " +
                       log_escape(reply.error_text(), 160);
    if (code == "MOVED" || code == "ASK" || code == "CROSSSLOT") {
        text += "; redis cluster is not supported";
    }
    const bool elsewhere = wants_other_server(code);
    log(elsewhere ? NGX_LOG_WARN : NGX_LOG_ERR, text);
} catch (...) {
    // Only the line is lost.
}

}  // namespace oidc::ngx
