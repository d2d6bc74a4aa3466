// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_conn.hpp"

#include <netinet/tcp.h>

#include <utility>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"
#include "stores/redis_tls.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kReadSize = 16 * 1024;

std::string errno_text(const char* what, ngx_err_t error) {
    u_char text[NGX_MAX_ERROR_STR];
    const u_char* end = ngx_strerror(error, text, sizeof text);
    return std::string(what) + " failed (" + std::to_string(error) + ": " +
           std::string(reinterpret_cast<const char*>(text),
                       static_cast<std::size_t>(end - static_cast<const u_char*>(text))) +
           ")";
}

}  // namespace

RedisConn::RedisConn(const RedisSettings& settings, ngx_ssl_t* ssl, Owner& owner,
                     ngx_log_t* log) noexcept
    : settings_(settings),
      ssl_(ssl),
      owner_(owner),
      log_(log),
      setup_(this, on_setup, log),
      deadline_(this, on_deadline, log) {}

// ---- opening -----------------------------------------------------------------------------------

void RedisConn::open(const RedisSettings::Server& server) noexcept {
    server_ = &server;
    state_ = State::starting;
    deadline_.set(settings_.timeout);
    // Not from here, because on_lost must not be called from here.
    setup_.post();
}

void RedisConn::on_setup(ngx_event_t* event) noexcept {
    auto& self = WorkerEvent::of<RedisConn>(event);
    try {
        self.start();
    } catch (...) {
        self.lose(Lost::refused, "no memory");
    }
}

void RedisConn::start() {
    state_ = State::connecting;
    failure_.clear();
    if (!connect()) {
        const std::string why = std::move(failure_);
        lose(Lost::refused, why);
    }
}

// False: failure_ says why.
bool RedisConn::connect() {
    const ngx_addr_t& address = server_->address;
    const int family = address.sockaddr->sa_family;
    const ngx_socket_t fd = ngx_socket(family, SOCK_STREAM, 0);
    if (fd == static_cast<ngx_socket_t>(-1)) {
        failure_ = errno_text("socket()", ngx_socket_errno);
        return false;
    }
    // May close idle connections of browsers to make room.
    connection_ = ngx_get_connection(fd, log_);
    if (connection_ == nullptr) {
        ::close(fd);  // not the member
        failure_ = "no connection slot is free, raise worker_connections";
        return false;
    }
    int on = 1;
    if (ngx_nonblocking(fd) == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        failure_ = errno_text("fcntl()", ngx_socket_errno);
        return false;
    }
    if (family != AF_UNIX) {
        // Small requests go out at once, and a peer that vanished is noticed some day.
        static_cast<void>(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        static_cast<void>(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
    }
    ngx_connection_t* c = connection_;
    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->data = this;
    c->log = log_;
    c->read->log = log_;
    c->write->log = log_;
    c->read->handler = on_event;
    c->write->handler = on_event;
    // Failures are told by the pool, once.
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    // A worker that shuts down tells the connection through its read handler.
    c->idle = 1;
    c->pool = ngx_create_pool(1024, log_);  // TLS wants one
    if (c->pool == nullptr) {
        failure_ = "no memory";
        return false;
    }
    const bool at_once = ::connect(fd, address.sockaddr, address.socklen) == 0;
    const ngx_err_t error = at_once ? 0 : ngx_socket_errno;
    if (!at_once && error != NGX_EINPROGRESS) {
        failure_ = errno_text("connect()", error);
        return false;
    }
    if (ngx_handle_read_event(c->read, 0) != NGX_OK ||
        ngx_handle_write_event(c->write, 0) != NGX_OK) {
        failure_ = "no event";
        return false;
    }
    if (at_once && !c->write->posted) {
        c->write->ready = 1;
        ngx_post_event(c->write, &ngx_posted_events);
    }
    return true;
}

// The socket is writable, or has failed.
void RedisConn::connected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection_->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) {
        error = ngx_socket_errno;
    }
    if (error != 0) {
        lose(Lost::refused, errno_text("connect()", error));
        return;
    }
    if (!connection_->write->ready) {
        return;  // the read side woke up first
    }
    if (ssl_ != nullptr) {
        start_tls();
    } else {
        greet();
    }
}

const std::string& RedisConn::tls_name() const noexcept {
    return settings_.ssl_name.empty() ? server_->host : settings_.ssl_name;
}

void RedisConn::start_tls() {
    state_ = State::handshake;
    std::string error;
    switch (redis_tls_start(ssl_, connection_, tls_name(), error)) {
        case NGX_OK:
            handshaken();
            return;
        case NGX_AGAIN:
            redis_tls_wait(connection_, on_handshake);
            return;
        default:
            lose(Lost::refused, error.empty() ? "TLS handshake failed" : error);
    }
}

void RedisConn::on_handshake(ngx_connection_t* connection) noexcept {
    auto& self = *static_cast<RedisConn*>(connection->data);
    const OpensslErrorGuard guard;
    try {
        self.handshaken();
    } catch (...) {
        self.lose(Lost::refused, "no memory");
    }
}

void RedisConn::handshaken() {
    std::string error;
    if (!redis_tls_verify(connection_, tls_name(), error)) {
        lose(Lost::refused, error);
        return;
    }
    // The handshake has had handlers of its own.
    connection_->read->handler = on_event;
    connection_->write->handler = on_event;
    greet();
}

// Who we are and which database, in one piece; PING tells a server that is still loading.
void RedisConn::greet() {
    state_ = State::greeting;
    reader_.emplace();
    RedisBatch batch;
    if (!settings_.password.empty()) {
        if (settings_.username.empty()) {
            batch.add({"AUTH", settings_.password.view()});
        } else {
            batch.add({"AUTH", settings_.username, settings_.password.view()});
        }
    }
    batch.add({"CLIENT", "SETNAME", "nginx-oidc"});
    if (settings_.database != 0) {
        batch.add({"SELECT", std::to_string(settings_.database)});
    }
    batch.add({"PING"});
    greetings_.assign(batch.names().begin(), batch.names().end());
    out_.append(batch.wire());
    flush();
}

// False: the connection is lost.
bool RedisConn::greeted(const RedisReply& reply) {
    const std::string name = std::move(greetings_.front());
    greetings_.pop_front();
    // A user that may not name its connection, or not PING, may still use it.
    const bool needless = name == "CLIENT" || reply.error_code() == "NOPERM";
    if (reply.is_error() && (!needless || name == "SELECT")) {
        // What Redis says of AUTH might repeat it.
        const std::string text =
            name == "AUTH" ? std::string(reply.error_code()) : log_escape(reply.error_text(), 128);
        const bool auth = name == "AUTH" || reply.error_code() == "NOAUTH";
        lose(Lost::refused,
             name + " was refused: " + text + (auth ? ", check username and password_file" : ""));
        return false;
    }
    if (greetings_.empty()) {
        state_ = State::ready;
        deadline_.stop();
        owner_.on_ready(*this);
        return !is_closed();
    }
    return true;
}

void RedisConn::on_deadline(ngx_event_t* event) noexcept {
    auto& self = WorkerEvent::of<RedisConn>(event);
    const char* what = self.state_ == State::greeting    ? "no answer to the greeting in time"
                       : self.state_ == State::handshake ? "TLS handshake timed out"
                                                         : "connect timed out";
    self.lose(Lost::refused, what);
}

// ---- events ------------------------------------------------------------------------------------

void RedisConn::on_event(ngx_event_t* event) noexcept {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    auto& self = *static_cast<RedisConn*>(connection->data);
    const OpensslErrorGuard guard;
    try {
        if (self.state_ == State::connecting) {
            self.connected();
            return;
        }
        if (event->write) {
            self.flush();
            return;
        }
        if (connection->close && self.in_flight.empty() && self.state_ == State::ready) {
            // The worker shuts down. Should a request still need the store, it is opened again.
            self.lose(Lost::closed, "the worker shuts down");
            return;
        }
        self.read();
    } catch (...) {
        self.lose(Lost::broken, "no memory");
    }
}

void RedisConn::read() {
    u_char buffer[kReadSize];
    while (true) {
        ngx_connection_t* c = connection_;
        const ssize_t size = c->recv(c, buffer, sizeof buffer);
        if (size == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                lose(Lost::closed, "no event");
            }
            return;
        }
        if (size == 0 || size == NGX_ERROR) {
            lose(state_ == State::ready ? Lost::closed : Lost::refused,
                 size == 0 ? "the server closed the connection" : "the connection broke");
            return;
        }
        if (!reader_->feed(
                {reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(size)})) {
            lose(Lost::broken, "a reply is too large");
            return;
        }
        RedisReply reply;
        RedisReader::Next next = reader_->next(reply);
        for (; next == RedisReader::Next::reply; next = reader_->next(reply)) {
            if (state_ == State::greeting) {
                if (!greeted(reply)) {
                    return;
                }
            } else if (in_flight.empty()) {
                lose(Lost::broken, "a reply to nothing");
                return;
            } else {
                owner_.on_reply(*this, std::move(reply));
            }
            if (connection_ != c || !reader_) {
                return;  // closed by the owner, and maybe open again
            }
        }
        if (next == RedisReader::Next::broken) {
            lose(Lost::broken, "a reply is malformed");
            return;
        }
        if (!c->read->ready) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                lose(Lost::closed, "no event");
            }
            return;
        }
    }
}

bool RedisConn::send(std::string_view wire) noexcept try {
    out_.append(wire);
    if (!connection_->write->posted) {
        ngx_post_event(connection_->write, &ngx_posted_events);
    }
    return true;
} catch (...) {
    return false;
}

void RedisConn::flush() {
    ngx_connection_t* c = connection_;
    while (sent_ < out_.size()) {
        const std::string_view rest = out_.view().substr(sent_);
        auto* bytes = reinterpret_cast<u_char*>(const_cast<char*>(rest.data()));
        const ssize_t size = c->send(c, bytes, rest.size());
        if (size == NGX_AGAIN) {
            break;
        }
        if (size <= 0) {
            lose(state_ == State::ready ? Lost::closed : Lost::refused, "the connection broke");
            return;
        }
        sent_ += static_cast<std::size_t>(size);
    }
    if (sent_ == out_.size()) {
        out_.clear();
        sent_ = 0;
    }
    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        lose(Lost::closed, "no event");
    }
}

// ---- the end -----------------------------------------------------------------------------------

void RedisConn::drop_socket() noexcept {
    if (connection_ == nullptr) {
        return;
    }
    ngx_connection_t* c = std::exchange(connection_, nullptr);
    ngx_pool_t* pool = c->pool;
    redis_tls_end(c);
    ngx_close_connection(c);
    if (pool != nullptr) {
        ngx_destroy_pool(pool);
    }
}

void RedisConn::close() noexcept {
    state_ = State::closed;
    setup_.stop();
    deadline_.stop();
    drop_socket();
    reader_.reset();
    out_.clear();
    sent_ = 0;
    greetings_.clear();
    failure_.clear();
}

void RedisConn::lose(Lost why, std::string_view detail) noexcept {
    close();
    owner_.on_lost(*this, why, detail);
}

}  // namespace oidc::ngx
