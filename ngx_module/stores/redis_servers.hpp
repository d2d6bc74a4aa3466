// SPDX-License-Identifier: Apache-2.0
// RedisServers: which server of a store's list is the one to talk to, what the log hears of it, and
// when the next try is due. Knows no connection.
#pragma once

#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/redis_codec.hpp"

namespace oidc::ngx {

class RedisServers {
  public:
    static constexpr ngx_msec_t kFirstBackoff = 50;
    static constexpr ngx_msec_t kLastBackoff = 1000;

    // Borrows the settings. `store` is the store's name, for the log.
    RedisServers(std::string store, const RedisSettings& settings, ngx_log_t* log);

    [[nodiscard]] bool empty() const noexcept { return settings_.servers.empty(); }
    // Precondition: !empty().
    [[nodiscard]] const RedisSettings::Server& current() const noexcept;
    // Since every server has failed; until one is reached.
    [[nodiscard]] bool is_down() const noexcept { return down_; }

    // The current server has taken a connection.
    void reached() noexcept;
    // It has answered a command.
    void answered() noexcept { backoff_ = 0; }
    // It cannot be reached, or has broken off: the next of the list is the current one. True: it
    // was the last of a round, so that nothing can be had until retry_delay() has passed.
    bool failed(std::string_view detail) noexcept;
    // Milliseconds; longer from round to round.
    ngx_msec_t retry_delay() noexcept;
    // It says that it cannot serve now: the next of the list is the current one. False: a command
    // that was sent so many times has no further server to try.
    bool refused(unsigned sent) noexcept;
    // One line of a kind in a second: every request may meet the same error.
    void log_error(std::string_view command, const RedisReply& reply) noexcept;

  private:
    void next() noexcept;
    void log(ngx_uint_t level, std::string_view text) const noexcept;

    std::string store_;
    const RedisSettings& settings_;
    ngx_log_t* log_;
    std::size_t current_ = 0;
    std::size_t failed_in_round_ = 0;
    ngx_msec_t backoff_ = 0;  // 0: the last round was good
    bool down_ = false;
    bool told_ = false;  // the log knows of the outage
    ngx_msec_t refused_at_ = 0;
    std::size_t refusals_ = 0;
    std::string logged_code_;
    time_t logged_at_ = 0;
};

// What a server says that another of the list may not: a replica, one that loads its data or has
// lost its master, a node of a broken cluster.
bool wants_other_server(std::string_view code) noexcept;

}  // namespace oidc::ngx
