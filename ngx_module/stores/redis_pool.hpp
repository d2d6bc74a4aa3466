// SPDX-License-Identifier: Apache-2.0
// RedisPool: the connections of one store and worker. Commands are pipelined over a few
// connections to one server at a time; when that one fails, the next of the list is tried.
//
// While no server can be had, commands fail at once and the pool tries again by itself, after 50 ms
// at first and at most a second apart. Otherwise a command waits for a connection within its time.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oidc/metrics.hpp"
#include "oidc/result.hpp"
#include "stores/redis_conn.hpp"
#include "stores/redis_servers.hpp"

namespace oidc::ngx {

class RedisPool final : private RedisConn::Owner {
  public:
    using Replies = std::vector<RedisReply>;
    using Done = std::function<void(Result<Replies>)>;

    // Borrows the settings and, unless null, `ssl`. `store` is the store's name, for the log.
    // Connects at the first turn of the event loop.
    RedisPool(std::string store, const RedisSettings& settings, ngx_ssl_t* ssl, ngx_log_t* log);
    ~RedisPool();
    RedisPool(const RedisPool&) = delete;
    RedisPool& operator=(const RedisPool&) = delete;

    // Sends a batch; `done`, which may be empty, is called once, with one reply for each command,
    // at once or later. An error that Redis answers with is a reply, logged already. What waits is
    // sent even when nobody wants the answer any longer: it may end sessions. Errors:
    // store_unavailable, at once or within the timeout. When this throws (std::bad_alloc), nothing
    // is sent.
    void send(RedisBatch batch, Done done);

    [[nodiscard]] bool is_down() const noexcept { return servers_.is_down(); }

    static constexpr std::size_t kMaxBatches = 4096;
    static constexpr std::size_t kMaxBytes = 32 * 1024 * 1024;

  private:
    using Ticket = RedisConn::Ticket;
    // A ticket moves from list to list, which takes no memory: what runs when connections break
    // cannot fail for lack of it.
    using Tickets = RedisConn::Tickets;
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
                 std::string_view detail) noexcept override;
    static void on_deadline(ngx_event_t* event) noexcept;
    static void on_retry(ngx_event_t* event) noexcept;

    void dispatch() noexcept;
    void open_one() noexcept;
    [[nodiscard]] RedisConn* least_busy() noexcept;
    [[nodiscard]] bool has_connection() const noexcept;
    [[nodiscard]] RedisConn* holder_of(Ticket ticket) noexcept;
    void expire() noexcept;
    void requeue(Tickets& tickets, bool may_repeat) noexcept;
    void answered(PendingMap::iterator it) noexcept;
    void server_failed(std::string_view detail) noexcept;
    void close_all() noexcept;
    void finish(PendingMap::iterator it, Result<Replies> result) noexcept;
    void fail(PendingMap::iterator it, const char* why, StoreFailure failure) noexcept;
    void update_timers() noexcept;
    static void count_failure(StoreFailure failure) noexcept;

    static constexpr std::size_t kConnections = 3;

    const RedisSettings& settings_;
    ngx_log_t* log_;
    RedisServers servers_;
    std::array<std::unique_ptr<RedisConn>, kConnections> connections_;
    PendingMap pending_;
    Tickets waiting_;        // may hold tickets that have ended
    std::size_t bytes_ = 0;  // of pending_
    Ticket last_ = 0;
    ngx_msec_t no_more_until_ = ngx_current_msec;  // connections than there are
    WorkerEvent deadline_;
    WorkerEvent retry_;
};

}  // namespace oidc::ngx
