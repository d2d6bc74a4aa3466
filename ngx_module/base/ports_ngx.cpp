// SPDX-License-Identifier: Apache-2.0
#include "base/ports_ngx.hpp"

#include <string>

#include "oidc/encode.hpp"

namespace oidc::ngx {

namespace {

Sha256* g_sha256 = nullptr;
RandomReserve* g_random = nullptr;
LogThrottle<Notice>* g_notices = nullptr;

}  // namespace

ngx_uint_t ngx_level(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::error:
            return NGX_LOG_ERR;
        case LogLevel::warn:
            return NGX_LOG_WARN;
        case LogLevel::notice:
            return NGX_LOG_NOTICE;
        case LogLevel::info:
            return NGX_LOG_INFO;
        case LogLevel::debug:
            break;
    }
    return NGX_LOG_DEBUG;
}

bool OpensslRandom::fill(std::span<std::uint8_t> out) noexcept {
    return g_random != nullptr ? g_random->take(out) : RandomReserve::draw(out);
}

void NgxLog::write(LogLevel level, std::string_view text) noexcept try {
    const ngx_uint_t ngx = ngx_level(level);
    if (log_ == nullptr || log_->log_level < ngx) {
        return;
    }
    const std::string line = log_escape(text, kMaxLogText);
    ngx_str_t out = borrow(line);
    ngx_log_error(ngx, log_, 0, "oidc: %V", &out);
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: no memory to log a message");
}

void NgxLog::note(Notice kind, LogLevel level, std::string_view text) noexcept {
    if (g_notices != nullptr && !g_notices->pass(kind, ngx_time())) {
        level = LogLevel::info;
    }
    write(level, text);
}

WorkerPorts::WorkerPorts() {
    g_sha256 = &sha256_;
    g_random = &random_;
    g_notices = &notices_;
}

WorkerPorts::~WorkerPorts() {
    g_sha256 = nullptr;
    g_random = nullptr;
    g_notices = nullptr;
}

Sha256* worker_sha256() noexcept {
    return g_sha256;
}

}  // namespace oidc::ngx
