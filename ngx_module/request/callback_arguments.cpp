// SPDX-License-Identifier: Apache-2.0
#include "request/callback_arguments.hpp"

#include <memory>
#include <string>
#include <utility>

#include "oidc/authz_response.hpp"
#include "oidc/state.hpp"
#include "request/request_view.hpp"

namespace oidc::ngx {
namespace {

bool set_text(ngx_http_request_t* r, ngx_str_t& target, std::string_view text) noexcept {
    target = copy_to_pool(r->pool, text);
    return target.data != nullptr;
}

// A backend that sees the response's arguments would start a login of its own, and a code has no
// business in a log.
bool hide_response(ngx_http_request_t* r, ResponseMode mode) {
    const std::string kept = strip_response_arguments(view(r->args), mode);
    const std::string_view unparsed = view(r->unparsed_uri);
    std::string target(unparsed.substr(0, unparsed.find('?')));
    if (!kept.empty()) {
        target.append("?").append(kept);
    }
    std::string line = std::string(view(r->method_name)) + " " + target;
    const std::string_view old_line = view(r->request_line);
    const std::size_t blank = old_line.rfind(' ');
    if (blank != std::string_view::npos && old_line.substr(blank + 1).starts_with("HTTP/")) {
        line.append(old_line.substr(blank));
    }
    r->valid_unparsed_uri = 0;
    return set_text(r, r->args, kept) && set_text(r, r->unparsed_uri, target) &&
           set_text(r, r->request_line, line);
}

}  // namespace

bool take_response(ngx_http_request_t* r, RequestContext& ctx) {
    if (r->args.len == 0) {
        return true;
    }
    const Endpoint* endpoint = find_endpoint(r);
    if (endpoint == nullptr || endpoint->kind != Endpoint::Kind::callback) {
        return true;
    }
    const ProviderConfig& config = endpoint->provider->config;
    ctx.response = std::make_unique<Result<AuthzResponse>>(
        parse_authz_response(view(r->args), config.response_mode));
    const Result<AuthzResponse>& response = *ctx.response;
    const bool theirs = config.callback_forward && response && response->sealed.empty() &&
                        !is_our_state(response->state);
    return theirs || hide_response(r, config.response_mode);
}

}  // namespace oidc::ngx
