// SPDX-License-Identifier: Apache-2.0
// Encrypted tokens: JWE in compact serialization (RFC 7516) around a signed JWT, opened with a key
// of our own. Encryption proves nothing: the key is public. What was inside is then verified as any
// other token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/ports.hpp"
#include "oidc/ptr.hpp"
#include "oidc/result.hpp"

namespace oidc {

// How the content's key comes (RFC 7518 4): all that we accept. RSA1_5 and RSA-OAEP with SHA-1 are
// not among them, nor is anything that a password or the client secret opens.
enum class JweAlg : std::uint8_t { RSA_OAEP_256, ECDH_ES, ECDH_ES_A128KW, ECDH_ES_A256KW };
// What the content is encrypted with (RFC 7518 5).
enum class JweEnc : std::uint8_t { A128GCM, A256GCM, A128CBC_HS256, A256CBC_HS512 };

std::string_view jwe_alg_name(JweAlg alg) noexcept;
std::optional<JweAlg> jwe_alg_from_name(std::string_view name) noexcept;  // exact case
std::string_view jwe_enc_name(JweEnc enc) noexcept;
std::optional<JweEnc> jwe_enc_from_name(std::string_view name) noexcept;

// Five segments, whatever is in them.
bool is_encrypted(std::string_view compact) noexcept;

class JweDecrypter {
  public:
    // A PEM private key without passphrase: RSA of 2048 to 4096 bits (the time that an operation
    // takes grows with the cube), P-256, P-384 or P-521. Without `alg` what the key can do:
    // RSA-OAEP-256, or ECDH-ES with and without key wrapping. Without `enc` any. `kid` empty: the
    // key's thumbprint (RFC 7638). Errors: malformed; detail says what is wrong and never what was
    // in the file.
    static Result<JweDecrypter> from_pem(std::string_view pem, std::optional<JweAlg> alg,
                                         std::optional<JweEnc> enc, std::string_view kid = {});

    // The key that was published before, for tokens that name its thumbprint: a provider goes on
    // with what it has fetched for a while. Errors: as above.
    Status add_former(std::string_view pem);

    JweDecrypter(JweDecrypter&&) noexcept = default;
    JweDecrypter& operator=(JweDecrypter&&) noexcept = default;

    // The signed JWT inside. One operation with a private key at most: the one that `kid` names, or
    // the current one when there is no kid. Of the header alg, enc, kid, epk, apu, apv and cty are
    // read; crit and zip are refused, so nothing is ever inflated. Every length is checked before a
    // key is touched: authentication tags have their full size. Whatever goes wrong with the key or
    // the content is one error, after the same steps (RFC 7516 11.5); `random` stands in for a key
    // that does not come out.
    // Errors: jwt_malformed (also: nothing with three segments inside), jwt_alg, jwt_crit, jwt_typ
    // (cty other than JWT), jwt_decryption, internal_error (no randomness).
    [[nodiscard]] Result<Secret> open(std::string_view compact, std::size_t max_bytes,
                                      Random& random) const;

    // The public key as a JWK, use "enc".
    [[nodiscard]] const std::string& jwk() const noexcept { return jwk_; }
    // Whether it is one of the two keys: the thumbprint of a public key (RFC 7638).
    [[nodiscard]] bool has(std::string_view thumbprint) const;
    // Of the current one.
    [[nodiscard]] std::string thumbprint() const;

  private:
    struct Key {
        PkeyPtr pkey;
        std::string kid;
        std::string members;    // of the public JWK
        std::string_view crv;   // empty: RSA
        std::size_t bytes = 0;  // of an RSA operation
    };
    struct Header;
    JweDecrypter() = default;
    static Result<Key> read_key(std::string_view pem, std::optional<JweAlg> alg);
    [[nodiscard]] Result<Header> check_header(std::string_view segment) const;
    [[nodiscard]] Result<JweAlg> check_alg(const json_t* header) const;
    [[nodiscard]] Result<const Key*> key_of(const std::optional<std::string_view>& kid,
                                            JweAlg alg) const;

    Key key_;
    std::optional<Key> former_;
    std::optional<JweAlg> alg_;
    std::optional<JweEnc> enc_;
    std::string jwk_;
};

// The largest ID token and logout token when encrypted, and the largest UserInfo: what verify_jws
// takes, as base64url once more, and the other segments.
inline constexpr std::size_t kMaxEncryptedToken = 96 * 1024;
inline constexpr std::size_t kMaxEncryptedUserinfo = 384 * 1024;

// What `token` holds when it is encrypted and there is a key for it; nullopt: it goes on as it
// came. Errors: those of JweDecrypter::open.
Result<std::optional<Secret>> open_token(std::string_view token, const ProviderConfig& config,
                                         std::size_t max_bytes, Random& random);

// OIDC Core 3.1.3.7 (1): jwt_not_encrypted when the configuration demands encrypted ID tokens.
Status check_encrypted(std::string_view id_token, const ProviderConfig& config);

}  // namespace oidc
