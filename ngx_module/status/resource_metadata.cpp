// SPDX-License-Identifier: Apache-2.0
#include "status/resource_metadata.hpp"

#include "oidc/bearer.hpp"
#include "oidc/tenants.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "signin/bearer.hpp"

namespace oidc::ngx {
namespace {

// Clients may show a certificate here.
bool asks_for_certificates(ngx_http_request_t* r) noexcept {
#if (NGX_HTTP_SSL)
    return r->connection->ssl != nullptr &&
           (SSL_get_verify_mode(r->connection->ssl->connection) & SSL_VERIFY_PEER) != 0;
#else
    static_cast<void>(r);
    return false;
#endif
}

}  // namespace

ngx_int_t resource_metadata_handler(ngx_http_request_t* r) noexcept try {
    const auto& core = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    const LocConf& location = loc_conf(r);
    const Provider* provider = main_conf(r).find_provider(location.resource_provider);
    // A location by prefix is no metadata of what lies below.
    if (provider == nullptr || view(r->uri) != view(core.name)) {
        return NGX_HTTP_NOT_FOUND;
    }
    if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    ProtectedResource resource;
    resource.resource = location.resource;
    if (resource.resource.empty()) {
        const ngx_str_t origin = resource_origin(r, provider);
        if (origin.data == nullptr) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        resource.resource =
            std::string(view(origin)).append(resource_of_metadata(view(core.name)).value_or(""));
    }
    resource.authorization_servers = issuers_of(provider->config);
    resource.scopes = location.bearer_scope;
    resource.certificates = asks_for_certificates(r);
    Respond respond;
    respond.headers.push_back({"Content-Type", "application/json"});
    respond.headers.push_back({"Cache-Control", "max-age=300"});
    respond.headers.push_back({"X-Content-Type-Options", "nosniff"});
    // It is public, and clients in browsers read it.
    respond.headers.push_back({"Access-Control-Allow-Origin", "*"});
    respond.body = resource.json() + "\n";
    return send_answer(r, respond);
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
