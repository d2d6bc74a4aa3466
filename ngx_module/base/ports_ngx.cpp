#include "base/ports_ngx.hpp"

#include <openssl/rand.h>

#include <array>
#include <cstring>
#include <memory>
#include <new>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"

namespace oidc::ngx {

namespace {

// A line of nginx's error log holds 2048 bytes; escaping may take four for one.
constexpr std::size_t kMaxLogText = 512;

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

Sha256* g_sha256 = nullptr;

// Random bytes of this worker, drawn many at a time: a draw costs some thousand instructions
// whatever its size. Used bytes are wiped at once. Made after the fork, never shared.
class RandomReserve {
  public:
    ~RandomReserve() { cleanse(bytes_.data(), bytes_.size()); }
    bool take(std::span<std::uint8_t> out) noexcept {
        if (out.size() > bytes_.size()) {
            return draw(out);
        }
        if (out.size() > left_) {
            if (!draw(bytes_)) {
                return false;
            }
            left_ = bytes_.size();
        }
        left_ -= out.size();
        std::memcpy(out.data(), bytes_.data() + left_, out.size());
        cleanse(bytes_.data() + left_, out.size());
        return true;
    }
    static bool draw(std::span<std::uint8_t> out) noexcept {
        OpensslErrorGuard guard;
        return RAND_bytes(out.data(), static_cast<int>(out.size())) == 1;
    }

  private:
    std::array<std::uint8_t, 2048> bytes_{};
    std::size_t left_ = 0;
};

RandomReserve* g_random = nullptr;

}  // namespace

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

void log_refusal(ngx_log_t* log, std::string_view what, std::string_view provider,
                 const Error& error, std::string_view reference) noexcept try {
    const ReasonInfo& info = reason_info(error.reason);
    const ngx_uint_t level = ngx_level(info.level);
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

Sha256* worker_sha256() noexcept {
    return g_sha256;
}

ngx_int_t init_worker_ports() noexcept try {
    if (g_sha256 == nullptr) {
        OpensslErrorGuard guard;
        g_sha256 = new Sha256();
        g_random = new RandomReserve();
    }
    return NGX_OK;
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "oidc: no memory for a worker");
    return NGX_ERROR;
}

void exit_worker_ports() noexcept {
    delete g_sha256;
    g_sha256 = nullptr;
    delete g_random;
    g_random = nullptr;
}

}  // namespace oidc::ngx
