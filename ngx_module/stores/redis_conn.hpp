// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server on nginx's events: TCP or unix socket, TLS, AUTH and SELECT,
// then batches of commands and their replies in order. Nothing here blocks. RedisPool owns it.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "base/worker_event.hpp"
#include "config/conf.hpp"
#include "oidc/bytes.hpp"
#include "oidc/redis_codec.hpp"

namespace oidc::ngx {

class RedisConn {
  public:
    // Names what was sent, for the owner.
    using Ticket = std::uint64_t;
    using Tickets = std::list<Ticket>;

    enum class Lost : std::uint8_t {
        refused,  // the server cannot be reached, or does not want us
        closed,   // an established connection ended
        broken,   // what came is no protocol
    };
    // All three are called from the event loop only, never from inside a call of RedisConn. The
    // owner may call anything of the connection from them.
    class Owner {
      public:
        Owner() = default;
        Owner(const Owner&) = delete;
        Owner& operator=(const Owner&) = delete;
        virtual void on_ready(RedisConn& connection) noexcept = 0;
        // The next reply to what was sent.
        virtual void on_reply(RedisConn& connection, RedisReply&& reply) noexcept = 0;
        // The connection is closed already.
        virtual void on_lost(RedisConn& connection, Lost why, std::string_view detail) noexcept = 0;

      protected:
        ~Owner() = default;
    };

    // All are borrowed for as long as this lives. `ssl` null: plain text.
    RedisConn(const RedisSettings& settings, ngx_ssl_t* ssl, Owner& owner, ngx_log_t* log) noexcept;
    ~RedisConn() { close(); }
    RedisConn(const RedisConn&) = delete;
    RedisConn& operator=(const RedisConn&) = delete;

    // Begins to connect; ends in on_ready or on_lost. Precondition: is_closed().
    void open(const RedisSettings::Server& server) noexcept;
    // Ends it without a word.
    void close() noexcept;
    // Queues commands, which go out with all others of this turn of the event loop. False: no
    // memory, nothing was queued. Precondition: is_ready().
    [[nodiscard]] bool send(std::string_view wire) noexcept;

    [[nodiscard]] bool is_closed() const noexcept { return state_ == State::closed; }
    [[nodiscard]] bool is_ready() const noexcept { return state_ == State::ready; }

    // Kept by the owner: what was sent and is not answered, oldest first.
    Tickets in_flight;

  private:
    enum class State : std::uint8_t { closed, starting, connecting, handshake, greeting, ready };

    static void on_event(ngx_event_t* event) noexcept;
    static void on_handshake(ngx_connection_t* connection) noexcept;
    static void on_setup(ngx_event_t* event) noexcept;
    static void on_deadline(ngx_event_t* event) noexcept;

    void start();
    bool connect();
    void connected();
    [[nodiscard]] const std::string& tls_name() const noexcept;
    void start_tls();
    void handshaken();
    void greet();
    bool greeted(const RedisReply& reply);
    void read();
    void flush();
    void drop_socket() noexcept;
    // `detail` is no member, which this clears.
    void lose(Lost why, std::string_view detail) noexcept;

    const RedisSettings& settings_;
    ngx_ssl_t* ssl_;
    Owner& owner_;
    ngx_log_t* log_;
    const RedisSettings::Server* server_ = nullptr;
    State state_ = State::closed;
    ngx_connection_t* connection_ = nullptr;
    std::optional<RedisReader> reader_;
    Secret out_;
    std::size_t sent_ = 0;
    std::list<std::string> greetings_;  // names of the commands of the greeting without a reply
    std::string failure_;               // why connect() did not
    WorkerEvent setup_;                 // connects at the next turn of the event loop
    WorkerEvent deadline_;              // of the whole opening
};

}  // namespace oidc::ngx
