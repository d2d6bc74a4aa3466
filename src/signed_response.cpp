// SPDX-License-Identifier: Apache-2.0
#include "oidc/signed_response.hpp"

#include <array>
#include <utility>

#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/jwt_claims.hpp"

namespace oidc {

Status check_signed_response(std::string_view jwt, const ProviderConfig& config,
                             const ProviderState& provider, Seconds now) {
    constexpr std::array<std::string_view, 1> kTyp{"jwt"};
    VerifyOptions options;
    options.allowed = provider.response_algs;
    options.keys = &provider.keys;
    options.accepted_typ = kTyp;
    options.tenants = &config;
    const auto verified = verify_jws(jwt, options);
    if (!verified) {
        return verified.error();
    }
    const json_t* claims = verified->payload.get();
    if (Status status = check_issuer(claims, config, Reason::issuer_mix_up); !status) {
        return status;
    }
    if (const auto audience = check_audience(claims, config, Reason::response_aud); !audience) {
        return audience.error();
    }
    const auto exp = json_time(claims, "exp");
    if (!exp) {
        return fail(Reason::response_exp, exp.error().detail);
    }
    if (!*exp) {
        return missing_claim(Reason::response_exp, "exp");
    }
    return check_not_expired(*exp, now, config, Reason::response_exp);
}

Error signed_response_error(Error error) {
    switch (error.reason) {
        case Reason::jwt_malformed:
        case Reason::jwt_encrypted:
        case Reason::jwt_crit:
            error.reason = Reason::callback_malformed;
            break;
        case Reason::jwt_alg:
        case Reason::jwt_typ:
        case Reason::jwt_key_unknown:
        case Reason::jwt_signature:
            error.reason = Reason::response_signature;
            break;
        default:
            return error;
    }
    error.fix.clear();
    error.detail.insert(0, "signed response: ");
    return error;
}

}  // namespace oidc
