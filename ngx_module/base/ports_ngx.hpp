// SPDX-License-Identifier: Apache-2.0
// The core's ports in nginx: cached time, OpenSSL's randomness, nginx's log.
#pragma once

#include "base/ngx.hpp"
#include "base/random_reserve.hpp"
#include "oidc/crypto.hpp"
#include "oidc/log_throttle.hpp"
#include "oidc/ports.hpp"

namespace oidc::ngx {

class NgxClock final : public Clock {
  public:
    [[nodiscard]] Seconds now() const noexcept override { return ngx_time(); }
};

class OpensslRandom final : public Random {
  public:
    [[nodiscard]] bool fill(std::span<std::uint8_t> out) noexcept override;
};

// A line of nginx's error log holds 2048 bytes; escaping may take four for one.
inline constexpr std::size_t kMaxLogText = 512;
ngx_uint_t ngx_level(LogLevel level) noexcept;

// Escapes and bounds the text, and puts "oidc: " in front.
class NgxLog final : public Log {
  public:
    explicit NgxLog(ngx_log_t* log) noexcept : log_(log) {}
    void write(LogLevel level, std::string_view text) noexcept override;
    void note(Notice kind, LogLevel level, std::string_view text) noexcept override;

  private:
    ngx_log_t* log_;
};

// The ports of one flow.
struct FlowPorts {
    explicit FlowPorts(ngx_log_t* flow_log) noexcept : log(flow_log) {}
    [[nodiscard]] Ports ports() noexcept { return {clock, random, log}; }
    NgxClock clock;
    OpensslRandom random;
    NgxLog log;
};

// What the ports of a worker draw on. Made once in a process, after the fork.
class WorkerPorts {
  public:
    WorkerPorts();
    ~WorkerPorts();
    WorkerPorts(const WorkerPorts&) = delete;
    WorkerPorts& operator=(const WorkerPorts&) = delete;

  private:
    Sha256 sha256_;
    RandomReserve random_;
    LogThrottle<Notice> notices_;
};

// The worker's; null outside workers.
Sha256* worker_sha256() noexcept;

}  // namespace oidc::ngx
