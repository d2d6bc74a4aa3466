// SPDX-License-Identifier: Apache-2.0
#include "signin/claim_check.hpp"

namespace oidc::ngx {
namespace {

ClaimCheck* g_check = nullptr;  // the worker's

}  // namespace

std::unique_ptr<ClaimCheck> ClaimCheck::make() {
    auto check = std::make_unique<ClaimCheck>();
    g_check = check.get();
    return check;
}

ClaimCheck::~ClaimCheck() {
    g_check = nullptr;
}

std::optional<ClaimRules::Unmet> check_claims(const LocConf& location, const SessionView* session) {
    if (location.claim_rules == nullptr) {
        return std::nullopt;
    }
    const ClaimRules& rules = *location.claim_rules;
    if (session == nullptr) {
        return rules.without_session();
    }
    const auto claims = session->claims_id();
    const bool remembers = claims && g_check != nullptr;
    if (remembers && g_check->met.has(*claims, rules.id())) {
        return std::nullopt;
    }
    auto unmet = rules.judge(*session);
    if (remembers && !unmet) {
        g_check->met.add(*claims, rules.id());
    }
    return unmet;
}

}  // namespace oidc::ngx
