// SPDX-License-Identifier: Apache-2.0
// JwsSigner: compact JWS (RFC 7515) with a key of our own, for assertions of every kind.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/ptr.hpp"
#include "oidc/result.hpp"

namespace oidc {

class JwsSigner {
  public:
    // An HMAC (RFC 7518 3.2) with `secret`, which is copied. Precondition: `alg` is symmetric.
    static JwsSigner hmac(Alg alg, std::string_view secret);

    // A PEM private key without passphrase. Without `alg` the key decides: RS256, the ES algorithm
    // of its curve, EdDSA for Ed25519. `kid` empty: the key's thumbprint (RFC 7638), which is the
    // same on every node and after every restart. Errors: malformed; detail says what is wrong and
    // never what was in the file.
    static Result<JwsSigner> from_pem(std::string_view pem, std::optional<Alg> alg,
                                      std::string_view kid = {});

    // With typ and the public key itself in the header, as jwk: for whom no key is registered.
    // Precondition: made by from_pem().
    [[nodiscard]] Result<std::string> sign_with_key(std::string_view typ,
                                                    std::string_view claims) const;
    // Of the public key (RFC 7638); the same precondition.
    [[nodiscard]] std::string thumbprint() const;

    // Names the key by its certificate as well: x5t#S256 in headers and JWKS, and x5c there with
    // the whole chain (RFC 7515 4.1.8, RFC 7517 4.7). `pem`: the certificate, then those of its
    // issuers. Without `keep_kid` the headers have no kid: who knows a key by its certificate may
    // know no other name. Errors: malformed (no certificate, one of another key, an HMAC).
    Status set_certificate(std::string_view pem, bool keep_kid);

    JwsSigner(JwsSigner&&) noexcept = default;
    JwsSigner& operator=(JwsSigner&&) noexcept = default;

    // The claims are JSON text. Errors: internal_error.
    [[nodiscard]] Result<std::string> sign(std::string_view claims) const;
    // With another typ than JWT.
    [[nodiscard]] Result<std::string> sign_as(std::string_view typ, std::string_view claims) const;

    [[nodiscard]] Alg alg() const noexcept { return alg_; }
    // The JWKS with the public key; `{"keys":[]}` for an HMAC.
    [[nodiscard]] const std::string& jwks() const noexcept { return jwks_; }

  private:
    explicit JwsSigner(Alg alg);
    [[nodiscard]] std::string header_of(std::string_view typ) const;
    [[nodiscard]] Result<std::string> signed_with(std::string_view header,
                                                  std::string_view claims) const;

    Alg alg_;
    Secret secret_;
    PkeyPtr key_;
    std::string members_;  // of the public JWK, without braces; empty: an HMAC
    std::string kid_;      // empty: none
    std::string x5t_;      // empty: no certificate
    std::string header_;   // of typ JWT, encoded
    std::string jwks_;
};

}  // namespace oidc
