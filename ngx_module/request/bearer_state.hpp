// SPDX-License-Identifier: Apache-2.0
// What a request brings of an access token, and what was found out about it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "oidc/access_token.hpp"
#include "oidc/bearer.hpp"
#include "oidc/session.hpp"
#include "request/decision.hpp"

namespace oidc::ngx {

// A token that was verified. Immutable; shared by the worker's cache and the requests that use it.
struct VerifiedToken {
    Secret text;  // as it came
    AccessTokenRecord token;
    SessionView session;  // of token.record
    Digest key{};         // SHA-256 of the text
    const Provider* provider = nullptr;
    AccessTokenTyp typ{};
    bool introspected = false;     // the provider vouches for it; what follows is not of it
    std::uint64_t generation = 0;  // of the provider's documents
    Seconds forget = 0;            // it is verified anew from then on
};

struct BearerState {
    // As they came; they borrow the request.
    std::vector<std::string_view> authorization;
    std::vector<std::string_view> proofs;  // DPoP
    bool withheld = false;                 // none of them goes on to the backend
    // Of the token, where some location has asked for it.
    std::shared_ptr<const VerifiedToken> verified;
    Decision decision;
    std::optional<TokenBinding> bound;  // that was checked: a proof is used once
    bool asked_again = false;           // newer keys
    // Why, and of which generation of documents that was, until they have come.
    std::optional<Error> refused;
    std::uint64_t refused_by = 0;
};

}  // namespace oidc::ngx
