// SPDX-License-Identifier: Apache-2.0
#include "oidc/posted_token.hpp"

#include "oidc/client_credentials.hpp"
#include "oidc/jwt_claims.hpp"

namespace oidc {

Result<VerifiedJwt> verify_posted(std::string_view compact, const PostedTokenExpectation& expected,
                                  std::span<const std::string_view> typ, bool typ_required) {
    VerifyOptions options;
    options.allowed = expected.algs;
    options.keys = expected.keys;
    options.shared_secret = &expected.provider->client_secret;
    options.former_secret = former_secret(*expected.provider);
    options.accepted_typ = typ;
    options.typ_required = typ_required;
    options.tenants = expected.provider;
    return verify_jws(compact, options);
}

Error posted_error(Error error, const PostedReasons& reasons) {
    switch (error.reason) {
        case Reason::jwt_malformed:
        case Reason::jwt_encrypted:
        case Reason::jwt_decryption:
        case Reason::jwt_crit:
            error.reason = reasons.malformed;
            break;
        case Reason::jwt_alg:
            error.reason = reasons.alg;
            break;
        case Reason::jwt_typ:
            error.reason = reasons.typ;
            break;
        case Reason::jwt_key_unknown:
        case Reason::jwt_signature:
            error.reason = reasons.signature;
            break;
        default:
            break;
    }
    return error;
}

Status take_text(const json_t* claims, const char* name, Reason reason, bool required,
                 std::string& target) {
    const auto value = json_string(claims, name);
    if (!value.ok()) {
        return fail(reason, value.error().detail);
    }
    if (!*value) {
        return required ? Status(missing_claim(reason, name)) : Status(Unit{});
    }
    if ((*value)->empty()) {
        return fail(reason, std::string(name) + " is empty");
    }
    target = **value;
    return Unit{};
}

Result<Seconds> check_made(const json_t* claims, Seconds life, Seconds now,
                           const ProviderConfig& provider, Reason reason) {
    const auto nbf = json_time(claims, "nbf");
    const auto iat = json_time(claims, "iat");
    if (!nbf.ok() || !iat.ok()) {
        return fail(reason, nbf.ok() ? iat.error().detail : nbf.error().detail);
    }
    if (!*iat) {
        return missing_claim(reason, "iat");
    }
    for (const auto& status : {check_not_future("nbf", *nbf, now, provider, reason),
                               check_not_future("iat", *iat, now, provider, reason)}) {
        if (!status) {
            return status.error();
        }
    }
    const Seconds last = **iat + life;
    if (now >= last + provider.clock_skew) {
        return time_error(reason, "iat", **iat, "is too long ago", now, provider);
    }
    return last;
}

}  // namespace oidc
