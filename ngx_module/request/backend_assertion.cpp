// SPDX-License-Identifier: Apache-2.0
#include "request/backend_assertion.hpp"

#include "base/ports_ngx.hpp"
#include "request/request_view.hpp"

namespace oidc::ngx {
namespace {

ngx_int_t build_assertion(ngx_http_request_t* r, Decision& decision, const Assertion& assertion) {
    const Provider& provider = *decision.provider;
    const ngx_str_t origin = public_origin(r, &provider);
    ngx_str_t audience{};
    if (origin.data == nullptr ||
        (assertion.audience != nullptr &&
         ngx_http_complex_value(r, assertion.audience, &audience) != NGX_OK)) {
        return NGX_ERROR;
    }
    AssertionSigner::Content content;
    content.issuer = view(origin);
    content.audience = audience.len != 0 ? view(audience) : view(origin);
    content.idp = provider.config.issuer;
    content.now = ngx_time();
    content.lifetime = assertion.lifetime;
    content.claim_names = assertion.claims.empty() ? nullptr : &assertion.claims;
    OpensslRandom random;
    const Result<std::string> token = assertion.signer->sign(decision.session, content, random);
    if (!token) {
        NgxLog(r->connection->log)
            .write(LogLevel::error, "the assertion cannot be signed: " + token.error().detail);
        return NGX_ERROR;
    }
    decision.assertion = copy_to_pool(r->pool, *token);
    return decision.assertion.data != nullptr ? NGX_OK : NGX_ERROR;
}

}  // namespace

ngx_int_t request_assertion(ngx_http_request_t* r, Decision& decision, ngx_str_t& out) noexcept
    try {
    const Assertion* assertion = main_conf(r).assertion.get();
    if (assertion == nullptr || assertion->signer == nullptr || !decision.authenticated) {
        out = {0, nullptr};
        return NGX_OK;
    }
    if (decision.assertion.data == nullptr && build_assertion(r, decision, *assertion) != NGX_OK) {
        return NGX_ERROR;
    }
    out = decision.assertion;
    return NGX_OK;
} catch (...) {
    return NGX_ERROR;
}

}  // namespace oidc::ngx
