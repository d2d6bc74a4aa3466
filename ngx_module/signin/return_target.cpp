// SPDX-License-Identifier: Apache-2.0
#include "signin/return_target.hpp"

#include <algorithm>

#include "oidc/uri.hpp"
#include "request/request_view.hpp"

namespace oidc::ngx {
namespace {

bool is_endpoint_path(ngx_http_request_t* r, const Provider& provider, std::string_view path) {
    const SrvConf& server = srv_conf(r);
    return path == provider.config.post_logout_uri ||
           std::any_of(server.endpoints.begin(), server.endpoints.end(),
                       [path](const Endpoint& endpoint) { return path == endpoint.path; });
}

// The page behind `callback forward` signs in again with ?return_to=...
std::string asked_return_to(ngx_http_request_t* r, const Provider& provider) {
    const Argument target = decoded_argument(view(r->args), "return_to");
    return target.count == 1 && target.value ? guarded_target(r, provider, *target.value) : "/";
}

}  // namespace

std::string guarded_target(ngx_http_request_t* r, const Provider& provider,
                           std::string_view target) {
    return is_safe_return_target(target) && !is_endpoint_path(r, provider, request_path(target))
               ? std::string(target)
               : "/";
}

std::string login_url(ngx_http_request_t* r, const Provider& provider) {
    return own_url(
        r, provider,
        provider.config.callback_forward ? std::string_view(provider.callback_path) : "/");
}

std::string page_before(ngx_http_request_t* r, const Provider& provider) {
    const ngx_str_t origin = public_origin(r, &provider);
    std::string_view page = path_on_origin(request_header(r, "referer"), view(origin));
    return guarded_target(r, provider, page.substr(0, page.find('#')));
}

std::string return_target(ngx_http_request_t* r, const Provider& provider) {
    const Endpoint* endpoint = find_endpoint(r);
    if (endpoint != nullptr && endpoint->kind == Endpoint::Kind::callback &&
        provider.config.callback_forward) {
        return asked_return_to(r, provider);
    }
    // No browser sends a fragment; what came after "#" is not part of a request.
    std::string_view target = view(r->unparsed_uri);
    target = target.substr(0, target.find('#'));
    return endpoint == nullptr ? guarded_target(r, provider, target) : "/";
}

}  // namespace oidc::ngx
