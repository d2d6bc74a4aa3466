// SPDX-License-Identifier: Apache-2.0
// What the client authenticates with when its files are renewed under a running nginx. A file and a
// provider never change in one moment, so for a time there are two of a kind: the current one and
// the one before. Here is which of them is tried first, and when the other one is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/http_message.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Seconds after a change for which the one before may be tried.
inline constexpr Seconds kFormerLife = 600;
// After a refusal of the current one, the one before goes first for so long: not every request
// costs a refusal, of which some providers count the number.
inline constexpr Seconds kFormerFirst = 60;
// A new key is published before it is used: the max-age of oidc_jwks, and what workers take to see
// the change.
inline constexpr Seconds kKeyHeadStart = 360;
// For which the public half of the key before is published beside the new one.
inline constexpr Seconds kFormerKeyPublished = 3600;

// What a renewed file holds.
enum class RenewedKind : std::uint8_t { secret, key, assertion };

enum class Credential : std::uint8_t { current, former };

// Whether there is one before, and which of the two goes first. Of one kind of credential.
class FormerTimes {
  public:
    // A change at `since`. With `head_start` the one before goes first for so many seconds.
    void changed(Seconds since, Seconds head_start = 0) noexcept;
    // No one before is left.
    void ended() noexcept;

    [[nodiscard]] bool has_former(Seconds now) const noexcept { return now < ends_; }
    [[nodiscard]] Credential first(Seconds now) const noexcept {
        return has_former(now) && now < former_first_ ? Credential::former : Credential::current;
    }
    // The current one was never accepted: at another change the one before stays, as the one that
    // is known to be good.
    [[nodiscard]] bool keeps_former(Seconds now) const noexcept {
        return has_former(now) && !worked_;
    }
    // What the provider has accepted, and whether it had refused the other one just before.
    void accepted(Credential which, bool after_refusal, Seconds now) noexcept;
    // Grows with every change.
    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }

  private:
    Seconds ends_ = 0;
    Seconds former_first_ = 0;
    bool worked_ = false;
    std::uint32_t generation_ = 0;
};

// Of client_assertion_file.
struct FileAssertion {
    Secret text;          // empty: none
    Seconds expires = 0;  // exp; 0: not said
};

// Of a provider with files that are renewed. What was not renewed lately is empty here.
struct RenewedCredentials {
    // Whether the file of this kind is read again; that of the assertion always is.
    bool renews_secret = false;
    bool renews_key = false;

    Secret former_secret;
    FormerTimes secret_times;

    std::shared_ptr<const JwsSigner> former_key;
    FormerTimes key_times;
    std::string published;  // JWKS of the key before; empty: none
    Seconds published_until = 0;

    FileAssertion assertion;  // the current one
    FileAssertion former_assertion;
    FormerTimes assertion_times;

    // Of the kind that this method authenticates with; null: none is renewed.
    [[nodiscard]] FormerTimes* times_of(ClientAuth auth) noexcept;
};

// ---- files -----------------------------------------------------------------------------------

// Content of client_secret_file. Errors: malformed (empty, or with `auth` client_secret_jwt too
// short for it; never what was in the file).
Result<Secret> read_client_secret(std::string_view text, ClientAuth auth);

// Content of client_assertion_file: a compact JWS of another issuer for this client (RFC 7523 2.2),
// white space around it dropped. Its signature is the provider's to check; what is read here is
// whether it is one, and when it ends. Errors: malformed (more than kMaxFileAssertion bytes, not
// three base64url segments, header or payload no JSON object, no alg or "none", an exp that is no
// number; never what was in the file).
inline constexpr std::size_t kMaxFileAssertion = 16 * 1024;
Result<FileAssertion> read_file_assertion(std::string_view text);

// Takes the place of the current one, which becomes the one before. `since`: now. False: it is the
// same.
// Precondition: config.renewed.
bool renew_secret(ProviderConfig& config, Secret fresh, Seconds since);
bool renew_key(ProviderConfig& config, std::shared_ptr<const JwsSigner> fresh, Seconds since);
bool renew_assertion(ProviderConfig& config, FileAssertion fresh, Seconds since);

// Wipes what is no longer of use.
void drop_ended(ProviderConfig& config, Seconds now) noexcept;

// No one before, after all: whoever reads a change has not seen what was in use before it. The
// configuration of a worker that takes the place of another is what the master has read long ago,
// and what was withdrawn since must not count again.
void forget_former(ProviderConfig& config, RenewedKind kind) noexcept;

// ---- use -------------------------------------------------------------------------------------

// The one before, while it counts for what the provider signs with it; null: none.
inline const Secret* former_secret(const ProviderConfig& config) noexcept {
    return config.renewed != nullptr && !config.renewed->former_secret.empty()
               ? &config.renewed->former_secret
               : nullptr;
}

// Null: there is no client_assertion_file.
inline const FileAssertion* file_assertion(const ProviderConfig& config) noexcept {
    return config.renewed != nullptr && !config.renewed->assertion.text.empty()
               ? &config.renewed->assertion
               : nullptr;
}

// What signs what is asked once: the key that would go first. Precondition: config.client_key.
const JwsSigner& signing_key(const ProviderConfig& config, Seconds now) noexcept;

// Whether the client has public keys: of client_key or id_token_encryption_key.
bool publishes_keys(const ProviderConfig& config) noexcept;
// Its JWKS: the keys of both, and of client_key the one before while it is published.
std::string published_keys(const ProviderConfig& config, Seconds now);

// Whether it is the client's authentication that was refused, so that nothing was given out for
// what the request brought: a code is used up, and a refresh token is, only by a client that is
// known (RFC 6749 4.1.2, 5.2). Narrower than is_client_error(): what a firewall may have said, or
// what is about the grant, is no reason to ask again.
bool refuses_credential(const HttpResponse& response);

// One request of the client: made with one credential and, when the provider does not know the
// client by it, once more with the other. Never a third time.
class ClientTry {
  public:
    // What to make the request with. Where nothing is renewed: the current one.
    Credential begin(const ProviderConfig& config, ClientAuth auth, Seconds now) noexcept;
    [[nodiscard]] Credential credential() const noexcept { return credential_; }
    // What came. True: make the same request again, with credential(). Writes one line to the log
    // when only the one before was accepted.
    bool again(const ProviderConfig& config, ClientAuth auth, const HttpOutcome& outcome,
               Ports ports);
    // An error of the last answer, which says when both were refused.
    [[nodiscard]] Error told(Error error) const;

  private:
    Credential credential_ = Credential::current;
    std::uint32_t generation_ = 0;
    bool second_ = false;
};

}  // namespace oidc
