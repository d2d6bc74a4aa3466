// SPDX-License-Identifier: Apache-2.0
#include "request/backend_assertion.hpp"

#include <utility>

#include "base/ports_ngx.hpp"
#include "oidc/tenants.hpp"
#include "request/request_view.hpp"

namespace oidc::ngx {
namespace {

Result<ngx_str_t> build_assertion(ngx_http_request_t* r, const Decision& decision,
                                  const Assertion& assertion) {
    const Provider& provider = *decision.provider;
    const ngx_str_t origin = public_origin(r, &provider);
    ngx_str_t audience{};
    if (origin.data == nullptr ||
        (assertion.audience != nullptr &&
         ngx_http_complex_value(r, assertion.audience, &audience) != NGX_OK)) {
        return fail(Reason::internal_error, "the audience of the assertion cannot be made");
    }
    AssertionSigner::Content content;
    content.issuer = view(origin);
    content.audience = audience.len != 0 ? view(audience) : view(origin);
    content.idp = issuer_of(provider.config, decision.session);
    content.now = ngx_time();
    content.lifetime = assertion.lifetime;
    content.claim_names = assertion.claims.empty() ? nullptr : &assertion.claims;
    content.max_size = assertion.max_size;
    OpensslRandom random;
    Result<std::string> token = assertion.signer->sign(decision.session, content, random);
    if (!token) {
        return std::move(token).error();
    }
    const ngx_str_t copy = copy_to_pool(r->pool, *token);
    if (copy.data == nullptr) {
        return fail(Reason::internal_error, "no memory for the assertion");
    }
    return copy;
}

}  // namespace

Result<ngx_str_t> request_assertion(ngx_http_request_t* r, Decision& decision) {
    const Assertion* assertion = loc_conf(r).assertion_block.get();
    if (assertion == nullptr || !decision.authenticated) {
        return ngx_str_t{};
    }
    if (decision.assertion.data == nullptr || decision.assertion_by != assertion) {
        Result<ngx_str_t> made = build_assertion(r, decision, *assertion);
        if (!made) {
            return made;
        }
        decision.assertion = *made;
        decision.assertion_by = assertion;
    }
    return decision.assertion;
}

}  // namespace oidc::ngx
