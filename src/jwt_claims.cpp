// SPDX-License-Identifier: Apache-2.0
#include "oidc/jwt_claims.hpp"

#include <algorithm>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxSubBytes = 255;

// Entra ID's tid says the same as iss does.
Status check_tid(const json_t* claims, std::string_view tenant, Reason reason) {
    const auto tid = json_string(claims, "tid");
    if (!tid.ok()) {
        return fail(reason, tid.error().detail);
    }
    if (*tid && **tid != tenant) {
        return fail(reason,
                    "tid " + in_quotes(**tid) + " is not the tenant of iss, " + in_quotes(tenant));
    }
    return Unit{};
}

Status check_tenant(const json_t* claims, std::string_view iss, const ProviderConfig& provider,
                    Reason reason) {
    const auto tenant = tenant_of(provider, iss);
    if (!tenant) {
        return fail(reason,
                    "iss " + in_quotes(iss) + " has not the form of issuer_template " +
                        in_quotes(provider.issuer),
                    "issuer_template");
    }
    if (is_issuer(provider, iss)) {
        return check_tid(claims, *tenant, reason);
    }
    std::string detail = "iss " + in_quotes(iss) + " is of the tenant " + in_quotes(*tenant) +
                         ", which is not in the list";
    if (std::any_of(provider.tenants.begin(), provider.tenants.end(),
                    [&](const std::string& name) { return equal_nocase(name, *tenant); })) {
        detail += "; one there differs in the case of letters only";
    }
    const bool somebody = reason == Reason::id_token_iss && is_tenant_name(*tenant);
    return fail(somebody ? Reason::tenant_unlisted : reason, std::move(detail), "issuer_template");
}

}  // namespace

bool contains(std::span<const std::string> list, std::string_view wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

Error missing_claim(Reason reason, const char* name) {
    return fail(reason, std::string("the token has no ") + name);
}

Status check_issuer(const json_t* claims, const ProviderConfig& provider, Reason reason) {
    const auto iss = json_string(claims, "iss");
    if (!iss.ok()) {
        return fail(reason, iss.error().detail);
    }
    if (!*iss) {
        return missing_claim(reason, "iss");
    }
    if (!provider.tenants.empty()) {
        return check_tenant(claims, **iss, provider, reason);
    }
    const std::string& wanted = provider.issuer;
    if (**iss == wanted) {
        return Unit{};
    }
    std::string detail =
        "iss " + in_quotes(**iss) + " is not the configured issuer " + in_quotes(wanted);
    if (std::string(**iss) + "/" == wanted || wanted + "/" == **iss) {
        detail += ", they differ in the final slash only";
        return fail(reason, std::move(detail), "issuer " + std::string(**iss));
    }
    return fail(reason, std::move(detail), "issuer");
}

Result<std::vector<std::string>> read_audience(const json_t* claims, Reason reason) {
    const json_t* value = json_object_get(claims, "aud");
    if (value == nullptr || json_is_null(value)) {
        return missing_claim(reason, "aud");
    }
    if (json_is_string(value)) {
        return std::vector<std::string>{{json_string_value(value), json_string_length(value)}};
    }
    auto list = json_strings(claims, "aud");
    if (!list.ok()) {
        return fail(reason, list.error().detail);
    }
    return **std::move(list);
}

Result<std::vector<std::string>> check_audience(const json_t* claims,
                                                const ProviderConfig& provider, Reason reason) {
    auto audiences = read_audience(claims, reason);
    if (!audiences.ok()) {
        return audiences;
    }
    if (!contains(*audiences, provider.client_id)) {
        return fail(reason,
                    "aud " + in_quotes(*audiences) + " does not contain the client_id " +
                        in_quotes(provider.client_id),
                    "client_id");
    }
    return audiences;
}

Status check_azp(const json_t* claims, std::span<const std::string> audiences, Alg alg,
                 const ProviderConfig& provider, Reason azp_reason, Reason aud_reason) {
    const auto azp = json_string(claims, "azp");
    if (!azp.ok()) {
        return fail(azp_reason, azp.error().detail);
    }
    if (*azp && **azp != provider.client_id) {
        return fail(
            azp_reason,
            "azp " + in_quotes(**azp) + " is not the client_id " + in_quotes(provider.client_id),
            "client_id");
    }
    for (const std::string& other : audiences) {
        if (other == provider.client_id) {
            continue;
        }
        // 3.1.3.7 (8) leaves open whose secret signs for several audiences.
        if (alg_is_symmetric(alg)) {
            return fail(aud_reason,
                        "aud " + in_quotes(audiences) + " has several values under " +
                            std::string(alg_name(alg)) + ", which only one client can verify",
                        "id_token_signed_response_alg");
        }
        if (!*azp && !contains(provider.trusted_audience, other)) {
            return fail(aud_reason,
                        "aud " + in_quotes(audiences) + " names " + in_quotes(other) +
                            " besides the client_id, and there is no azp",
                        "trusted_audience " + other);
        }
    }
    return Unit{};
}

Status check_subject(std::string_view sub, Reason reason) {
    if (sub.empty() || sub.size() > kMaxSubBytes) {
        return fail(reason,
                    "sub has " + std::to_string(sub.size()) + " bytes, 1 to 255 are accepted");
    }
    if (!is_utf8(sub) || has_control_bytes(sub)) {
        return fail(reason, "sub " + in_quotes(sub) + " is not utf-8 without control bytes");
    }
    // A header would lose them, and " bob" would be "bob" to a backend.
    if (sub.front() == ' ' || sub.back() == ' ') {
        return fail(reason, "sub " + in_quotes(sub) + " has surrounding blanks");
    }
    return Unit{};
}

Error time_error(Reason reason, const char* name, Seconds value, const char* what, Seconds now,
                 const ProviderConfig& provider) {
    return fail(reason,
                std::string(name) + " " + std::to_string(value) + " " + what + ", now is " +
                    std::to_string(now) + " and clock_skew " + std::to_string(provider.clock_skew),
                "clock_skew");
}

Status check_not_expired(std::optional<Seconds> exp, Seconds now, const ProviderConfig& provider,
                         Reason reason) {
    if (exp && now >= *exp + provider.clock_skew) {
        return time_error(reason, "exp", *exp, "has passed", now, provider);
    }
    return Unit{};
}

Status check_not_future(const char* name, std::optional<Seconds> value, Seconds now,
                        const ProviderConfig& provider, Reason reason) {
    if (value && *value > now + provider.clock_skew) {
        return time_error(reason, name, *value, "is in the future", now, provider);
    }
    return Unit{};
}

}  // namespace oidc
