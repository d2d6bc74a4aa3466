// SPDX-License-Identifier: Apache-2.0
// The assertion: a short-lived JWT for backends that must not trust a plain header.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/ports.hpp"
#include "oidc/session.hpp"
#include "oidc/signer.hpp"

namespace oidc {

class AssertionSigner {
  public:
    // `key_text` is the key file's content: for HS256 one line of at least 32 characters, for ES256
    // and EdDSA a PEM private key (P-256, Ed25519). Errors: malformed, detail says what is wrong
    // and never what was in the file.
    static Result<AssertionSigner> create(Alg alg, std::string_view key_text);

    AssertionSigner(AssertionSigner&&) noexcept = default;
    AssertionSigner& operator=(AssertionSigner&&) noexcept = default;

    struct Content {
        std::string_view issuer;  // public origin of the vhost
        std::string_view audience;
        std::string_view idp;  // the provider's issuer
        Seconds now = 0;
        Seconds lifetime = 60;                                  // at most 60
        const std::vector<std::string>* claim_names = nullptr;  // null: all of the session's
        std::size_t max_size = 0;                               // of the token; 0: any
    };
    // A compact JWS with iss, aud, sub, iat, exp, jti, idp and the user's claims (JSON types kept;
    // none of them replaces one of the seven). What was a rule for the ID token (nbf, azp, nonce,
    // at_hash, c_hash, s_hash, cnf) goes along only when named. Errors: internal_error;
    // assertion_too_large, whose detail names the claim that takes most of it.
    Result<std::string> sign(const SessionView& session, const Content& content,
                             Random& random) const;

    // The JWKS with the public key; `{"keys":[]}` for HS256.
    [[nodiscard]] const std::string& jwks() const noexcept { return signer_.jwks(); }
    [[nodiscard]] Alg alg() const noexcept { return signer_.alg(); }

  private:
    explicit AssertionSigner(JwsSigner signer) : signer_(std::move(signer)) {}
    JwsSigner signer_;
};

}  // namespace oidc
