// SPDX-License-Identifier: Apache-2.0
// The three ports of the core: time, randomness, log. The core has no clock, socket, file or
// global state of its own, so every rule is a deterministic unit test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "oidc/result.hpp"

namespace oidc {

// Seconds since the epoch, 64 bits everywhere.
using Seconds = std::int64_t;

class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Seconds now() const noexcept = 0;
};

class Random {
  public:
    virtual ~Random() = default;
    // Fills `out` from a CSPRNG. False: nothing may be done with `out`, the request must fail.
    [[nodiscard]] virtual bool fill(std::span<std::uint8_t> out) noexcept = 0;
};

// Lines that many requests can bring about: each kind is bounded by itself.
enum class Notice : std::uint8_t {
    token_ended,
    no_refresh_token,
    hint_left_out,
    username_fell,
    group_overage,
    former_credential,
    claim_source,
    count_,
};

class Log {
  public:
    virtual ~Log() = default;
    // One line. The implementation escapes control bytes and bounds the length; `text` must hold
    // no secret.
    virtual void write(LogLevel level, std::string_view text) noexcept = 0;
    // The same of what may come often: at level info when there were many such lines.
    virtual void note(Notice /*kind*/, LogLevel level, std::string_view text) noexcept {
        write(level, text);
    }
};

// Borrowed by flows for as long as they live.
struct Ports {
    const Clock& clock;
    Random& random;
    Log& log;
};

}  // namespace oidc
