// SPDX-License-Identifier: Apache-2.0
// The core's ports in nginx: cached time, OpenSSL's randomness, nginx's log.
#pragma once

#include "base/ngx.hpp"
#include "base/random_reserve.hpp"
#include "base/worker_event.hpp"
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

// One line at the reason's level: `oidc: <what> at provider "<name>" refused: <code>: <detail>;
// <fix>, reference <ref>`. `what` is "login" or "logout". What an outsider has brought about goes
// to level info when there were many such lines, with a line that says how many.
void log_refusal(ngx_log_t* log, std::string_view what, std::string_view provider,
                 const Error& error, std::string_view reference, bool outsider) noexcept;

// Bounds the lines of refusals that outsiders bring about.
class RefusalLog {
  public:
    RefusalLog() noexcept;
    // Writes what was held back.
    ~RefusalLog();
    RefusalLog(const RefusalLog&) = delete;
    RefusalLog& operator=(const RefusalLog&) = delete;
    // False: this line is one too many of its reason.
    bool pass(Reason reason) noexcept;

  private:
    static void on_timer(ngx_event_t* event) noexcept;
    void write_held(bool all) noexcept;

    LogThrottle<Reason> throttle_;
    WorkerEvent timer_;
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
    RefusalLog refusals_;
    LogThrottle<Notice> notices_;
};

// The worker's; null outside workers.
Sha256* worker_sha256() noexcept;

}  // namespace oidc::ngx
