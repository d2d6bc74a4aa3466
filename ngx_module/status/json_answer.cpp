// SPDX-License-Identifier: Apache-2.0
#include "status/json_answer.hpp"

#include <string>

#include "request/respond.hpp"

namespace oidc::ngx {

ngx_int_t send_json(ngx_http_request_t* r, int status, const JsonObject& body,
                    std::string_view allow) {
    Respond respond;
    respond.status = status;
    respond.headers.push_back({"Content-Type", "application/json"});
    respond.headers.push_back({"Cache-Control", "no-store"});
    respond.headers.push_back({"X-Content-Type-Options", "nosniff"});
    respond.headers.push_back({"Cross-Origin-Resource-Policy", "same-origin"});
    if (!allow.empty()) {
        respond.headers.push_back({"Allow", std::string(allow)});
    }
    respond.body = body.text().append("\n");
    return send_answer(r, respond);
}

}  // namespace oidc::ngx
