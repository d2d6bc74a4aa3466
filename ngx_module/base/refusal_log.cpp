// SPDX-License-Identifier: Apache-2.0
#include "base/refusal_log.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "base/ports_ngx.hpp"
#include "oidc/encode.hpp"

namespace oidc::ngx {

namespace {

RefusalLog* g_refusals = nullptr;

}  // namespace

void log_refusal(ngx_log_t* log, std::string_view what, std::string_view provider,
                 const Error& error, std::string_view reference, bool outsider) noexcept try {
    const ReasonInfo& info = reason_info(error.reason);
    ngx_uint_t level = ngx_level(info.level);
    if (outsider && g_refusals != nullptr && !g_refusals->pass(error.reason)) {
        level = NGX_LOG_INFO;
    }
    if (log == nullptr || log->log_level < level) {
        return;
    }
    const std::string name = log_escape(provider, 64);
    const std::string detail = log_escape(error.detail, kMaxLogText);
    const std::string fix = log_escape(error.fix, 256);
    ngx_str_t v_what = borrow(what);
    ngx_str_t v_name = borrow(name);
    ngx_str_t v_code = borrow(info.code);
    ngx_str_t v_colon = borrow(detail.empty() ? "" : ": ");
    ngx_str_t v_detail = borrow(detail);
    // The fix is the name of a directive, or advice in words.
    ngx_str_t v_check = borrow(fix.empty()                          ? ""
                               : fix.find(' ') == std::string::npos ? "; check "
                                                                    : "; ");
    ngx_str_t v_fix = borrow(fix);
    ngx_str_t v_reference = borrow(reference);
    ngx_log_error(level, log, 0, "oidc: %V at provider \"%V\" refused: %V%V%V%V%V, reference %V",
                  &v_what, &v_name, &v_code, &v_colon, &v_detail, &v_check, &v_fix, &v_reference);
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, log, 0, "oidc: login refused, no memory to log the reason");
}

RefusalLog::RefusalLog() noexcept : timer_(this, on_timer, ngx_cycle->log) {
    g_refusals = this;
}

RefusalLog::~RefusalLog() {
    write_held(true);
    g_refusals = nullptr;
}

bool RefusalLog::pass(Reason reason) noexcept {
    const bool passes = throttle_.pass(reason, ngx_time());
    if (!passes && !timer_.is_timed()) {
        timer_.set(static_cast<ngx_msec_t>(LogThrottle<Reason>::kWindow) * 1000);
    }
    return passes;
}

void RefusalLog::on_timer(ngx_event_t* event) noexcept {
    auto& log = WorkerEvent::of<RefusalLog>(event);
    log.write_held(false);
    if (const std::optional<Seconds> end = log.throttle_.next_end()) {
        const Seconds left =
            std::clamp<Seconds>(*end - ngx_time(), 1, LogThrottle<Reason>::kWindow);
        log.timer_.set(static_cast<ngx_msec_t>(left) * 1000);
    }
}

void RefusalLog::write_held(bool all) noexcept {
    while (const std::optional<LogThrottle<Reason>::Held> held = throttle_.take(ngx_time(), all)) {
        ngx_str_t code = borrow(reason_info(held->kind).code);
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "oidc: %uD more refusals of \"%V\" within a minute, their lines are at level "
                      "info",
                      held->lines, &code);
    }
}

}  // namespace oidc::ngx
