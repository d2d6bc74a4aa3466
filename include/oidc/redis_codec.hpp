// SPDX-License-Identifier: Apache-2.0
// The protocol of Redis (RESP2) as bytes in, bytes out: hiredis parses and formats, and no socket
// is known here.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"

struct redisReader;

namespace oidc {

struct RedisReply {
    enum class Type : std::uint8_t { nil, status, error, integer, string, array };
    Type type = Type::nil;
    long long integer = 0;
    std::string text;  // of a status, an error or a string
    std::vector<RedisReply> elements;

    [[nodiscard]] bool is_error() const noexcept { return type == Type::error; }
    [[nodiscard]] bool is_string() const noexcept { return type == Type::string; }
    [[nodiscard]] bool is_ok() const noexcept { return type == Type::status && text == "OK"; }
    // The first word of an error: NOAUTH, READONLY, OOM, ...; empty when it is none.
    [[nodiscard]] std::string_view error_code() const noexcept;
    // What an error says, for the log: without the arguments that Redis repeats in some.
    [[nodiscard]] std::string_view error_text() const noexcept;
};

// Commands that go out in one piece and are answered in one piece.
class RedisBatch {
  public:
    // A command and its arguments, any bytes. Throws std::bad_alloc.
    void add(std::span<const std::string_view> args);
    void add(std::initializer_list<std::string_view> args) {
        add(std::span<const std::string_view>(args.begin(), args.size()));
    }
    // Must not be sent again when the connection breaks before the answer: whether it was carried
    // out cannot be told, and doing it twice gives another answer.
    void once() noexcept { once_ = true; }

    [[nodiscard]] std::string_view wire() const noexcept { return wire_.view(); }
    // The names of the commands, in their order.
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
    [[nodiscard]] bool is_once() const noexcept { return once_; }

  private:
    Secret wire_;  // values and passwords
    std::vector<std::string> names_;
    bool once_ = false;
};

// Takes what a connection reads and gives whole replies. A reply is bounded in bytes, elements and
// depth, so that a broken or hostile peer cannot exhaust memory.
class RedisReader {
  public:
    RedisReader();
    ~RedisReader();
    RedisReader(const RedisReader&) = delete;
    RedisReader& operator=(const RedisReader&) = delete;

    // False: what came is no reply, or too large; the connection must be closed.
    [[nodiscard]] bool feed(std::string_view bytes) noexcept;
    enum class Next : std::uint8_t { reply, more, broken };
    [[nodiscard]] Next next(RedisReply& out) noexcept;

    static constexpr std::size_t kMaxReply = 4 * 1024 * 1024;
    static constexpr std::size_t kMaxElements = 4096;
    static constexpr std::size_t kMaxDepth = 7;  // of arrays in arrays

  private:
    redisReader* reader_;
    std::size_t pending_ = 0;  // bytes since the last whole reply
};

}  // namespace oidc
