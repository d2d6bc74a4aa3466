// SPDX-License-Identifier: Apache-2.0
// Token introspection (RFC 7662, with signed answers RFC 9701): what the provider says of an access
// token that a caller has brought and that says nothing by itself.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "oidc/access_token.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/crypto.hpp"
#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Bytes of an answer, and how deep its JSON may be.
inline constexpr std::size_t kMaxIntrospection = 256 * 1024;
inline constexpr int kMaxIntrospectionDepth = 16;

// What an answer is kept under: a SHA-256 of the token, of this client at this provider, and of
// what the configuration has made of the answer, so that a reload that changes it asks anew. Throws
// std::runtime_error when OpenSSL fails.
Digest introspection_key(const ProviderConfig& config, std::string_view token);

// The question about one token. The client is authenticated as at the token endpoint, or as the
// metadata say of this one, with its other credential as well, see ClientTry.
class Question {
  public:
    // `config` is borrowed.
    Question(const ProviderConfig& config, std::string_view token)
        : config_(config), token_(token) {}
    // Errors: introspection_unavailable (there is no endpoint, or nothing to authenticate the
    // client with), those of client_request.
    Result<HttpRequest> begin(std::shared_ptr<const ProviderState> provider, Ports ports);
    [[nodiscard]] std::string_view token() const noexcept { return token_.view(); }
    // What came. True: request() once more.
    bool again(const HttpOutcome& outcome, Ports ports);
    [[nodiscard]] Result<HttpRequest> request(Ports ports) const;
    // An error of the last answer, which says when both credentials were refused.
    [[nodiscard]] Error told(Error error) const { return client_.told(std::move(error)); }

  private:
    const ProviderConfig& config_;
    Secret token_;
    std::shared_ptr<const ProviderState> provider_;
    ClientTry client_;
};

// 200 with application/json, or application/token-introspection+jwt: a JWS of that type, by a key
// of the provider and one of provider.introspection_algs, with its iss, our client id in aud, an
// iat, and the answer as member token_introspection (RFC 9701 5). With config.introspection_signed
// nothing else.
// The answer itself: "active" is a boolean. token_type is Bearer or DPoP in any case, or
// access_token; token_use, when there, is access_token: many providers call their refresh tokens
// active as well, see check_token_kind() too. Of type DPoP it has the thumbprint of its key. The
// rest is read_access_token()'s, with a sub; iss, exp, iat, client_id and aud hold when they are
// there. Without aud the client that the token was given to is its audience; an empty one names
// nobody. Errors: token_not_active and those of read_access_token (see is_verdict),
// introspection_malformed (an answer that cannot be used), those of verify_jws (likewise, and newer
// keys may help), and without an answer: the outcome's own, idp_redirect, token_client_auth,
// introspection_unavailable (another status than 200).
Result<AccessToken> parse_introspection(const HttpRequest& request, const HttpOutcome& outcome,
                                        const ProviderConfig& config, const ProviderState& provider,
                                        Seconds now);

// Whether an error says what the token is worth, and nothing else is wrong: it may be kept.
bool is_verdict(Reason reason) noexcept;

// Any error on the way to an answer as one about introspection: those of verify_jws and of the
// record as introspection_malformed, others as introspection_unavailable, with their code in front
// of the detail. Verdicts stay.
Error introspection_error(Error error);

// What make_access_token_record() has made, from its record alone. nullopt: it is none,
// or has a "cnf" or "aud" that says nothing.
std::optional<AccessTokenRecord> open_token_record(std::string_view record);

}  // namespace oidc
