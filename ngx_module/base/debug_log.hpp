// SPDX-License-Identifier: Apache-2.0
// The debug log: what becomes of a request, one line for each decision, step, answer and call. It
// is there when nginx was configured --with-debug, and compiled out of any other.
// Never in it: codes, states, cookies' values, tokens, keys, names and identifiers of users.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// For lines whose parts take work.
constexpr bool debugs([[maybe_unused]] const ngx_log_t* log) noexcept {
#if (NGX_DEBUG)
    return (log->log_level & NGX_LOG_DEBUG_HTTP) != 0;
#else
    return false;
#endif
}

// `format` is nginx's and begins with "oidc <subject>: ". A function, because nginx's macro for it
// is no statement and leaves its arguments unused where it is compiled out. The function below the
// macros has other parameters in Angie.
template <class... Args>
void debug_log(ngx_log_t* log, const char* format, Args... args) noexcept {
    if (debugs(log)) {
        ngx_log_error(NGX_LOG_DEBUG, log, 0, format, args...);
    }
}

}  // namespace oidc::ngx
