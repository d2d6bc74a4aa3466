// SPDX-License-Identifier: Apache-2.0
// ClaimCheck: whether sessions meet auth_oidc_require_claim. What they have met is remembered by
// the worker, so that nearly all requests find it there.
#pragma once

#include <memory>
#include <optional>

#include "config/conf.hpp"
#include "oidc/claim_rules.hpp"
#include "oidc/session.hpp"

namespace oidc::ngx {

class ClaimCheck {
  public:
    static std::unique_ptr<ClaimCheck> make();
    ClaimCheck() = default;
    ~ClaimCheck();
    ClaimCheck(const ClaimCheck&) = delete;
    ClaimCheck& operator=(const ClaimCheck&) = delete;

    MetRules met;
};

// What the rules of the location demand and `session` does not meet; null: nobody's. nullopt:
// everything is met, or there are none. Throws std::bad_alloc.
std::optional<ClaimRules::Unmet> check_claims(const LocConf& location, const SessionView* session);

}  // namespace oidc::ngx
