// RedisPool: the connections of one store and worker. Commands are pipelined over a few
// connections to one server at a time; when that one fails, the next of the list is tried.
//
// While no server can be had, commands fail at once and the pool tries again by itself, after 50 ms
// at first and at most a second apart. Otherwise a command waits for a connection within its time.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oidc/metrics.hpp"
#include "oidc/result.hpp"
#include "stores/redis_conn.hpp"

namespace oidc::ngx {

class RedisPool final : private RedisConn::Owner {
  public:
    using Ticket = std::uint64_t;  // 0: answered at once
    using Replies = std::vector<RedisReply>;
    using Done = std::function<void(Result<Replies>)>;

    // Borrows the settings and, unless null, `ssl`. `store` is the store's name, for the log.
    // Connects at the first turn of the event loop.
    RedisPool(std::string store, const RedisSettings& settings, ngx_ssl_t* ssl, ngx_log_t* log);
    ~RedisPool();
    RedisPool(const RedisPool&) = delete;
    RedisPool& operator=(const RedisPool&) = delete;

    // Sends a batch; `done` is called once, with one reply for each command. It may be empty. An
    // error that Redis answers with is a reply, logged already. Errors: store_unavailable, at once
    // (the ticket is then 0) or within the timeout.
    Ticket send(RedisBatch batch, Done done);
    // Forgets `done`; what was sent is sent.
    void cancel(Ticket ticket) noexcept;

    [[nodiscard]] bool is_down() const noexcept { return down_; }

    static constexpr std::size_t kMaxBatches = 4096;
    static constexpr std::size_t kMaxBytes = 32 * 1024 * 1024;

  private:
    struct Pending {
        RedisBatch batch;
        Done done;
        Replies replies;
        ngx_msec_t deadline = 0;
        std::chrono::steady_clock::time_point started;
        unsigned sent = 0;     // times
        bool refused = false;  // by a server that cannot serve now
    };
    // Tickets grow with time and all batches have the same time, so the first ends first.
    using PendingMap = std::map<Ticket, Pending>;

    void on_ready(RedisConn& connection) noexcept override;
    void on_reply(RedisConn& connection, RedisReply&& reply) noexcept override;
    void on_lost(RedisConn& connection, RedisConn::Lost why,
                 const std::string& detail) noexcept override;
    static void on_deadline(ngx_event_t* event) noexcept;
    static void on_retry(ngx_event_t* event) noexcept;

    void dispatch() noexcept;
    void open_one() noexcept;
    [[nodiscard]] RedisConn* least_busy() noexcept;
    [[nodiscard]] bool has_connection() const noexcept;
    void expire() noexcept;
    void requeue(std::deque<Ticket>& tickets, bool may_repeat) noexcept;
    void answered(PendingMap::iterator it) noexcept;
    [[nodiscard]] bool switch_role(const Pending& pending) noexcept;
    void server_failed(const std::string& detail) noexcept;
    void go_down() noexcept;
    void close_all() noexcept;
    void finish(PendingMap::iterator it, Result<Replies> result) noexcept;
    void fail(PendingMap::iterator it, const char* why, StoreFailure failure) noexcept;
    void log_reply_error(const Pending& pending, const RedisReply& reply) noexcept;
    void update_timers() noexcept;
    static void count_failure(StoreFailure failure) noexcept;
    void log(ngx_uint_t level, std::string_view text) const noexcept;

    static constexpr std::size_t kConnections = 3;

    std::string store_;
    const RedisSettings& settings_;
    ngx_log_t* log_;
    std::array<std::unique_ptr<RedisConn>, kConnections> connections_;
    PendingMap pending_;
    std::deque<Ticket> waiting_;  // may hold tickets that have ended
    std::size_t bytes_ = 0;       // of pending_
    Ticket last_ = 0;
    std::size_t server_ = 0;
    std::size_t failed_in_round_ = 0;
    unsigned backoff_ = 0;  // milliseconds; 0: the last round was good
    bool down_ = false;
    bool told_ = false;  // the log knows of the outage
    ngx_msec_t role_switch_at_ = 0;
    ngx_msec_t no_more_until_ = ngx_current_msec;  // connections than there are
    std::size_t role_switches_ = 0;
    std::string logged_code_;
    time_t logged_at_ = 0;
    WorkerEvent deadline_;
    WorkerEvent retry_;
};

}  // namespace oidc::ngx
