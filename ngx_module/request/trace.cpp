// SPDX-License-Identifier: Apache-2.0
#include "request/trace.hpp"

#include "base/debug_log.hpp"
#include "oidc/traceparent.hpp"
#include "request/request_view.hpp"

namespace oidc::ngx {

std::string trace_of(ngx_http_request_t* r, const Provider& provider) noexcept try {
    std::string value;
    if (provider.traceparent == nullptr || !evaluate(r, provider.traceparent, value) ||
        value.empty()) {
        return {};
    }
    if (!is_traceparent(value)) {
        debug_log(r->connection->log,
                  "oidc trace: \"traceparent\" of provider \"%s\" gives none, nothing is sent",
                  provider.config.name.c_str());
        return {};
    }
    return value;
} catch (...) {
    return {};  // no memory: the request goes on without
}

}  // namespace oidc::ngx
