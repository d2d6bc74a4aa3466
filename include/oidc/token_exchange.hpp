// SPDX-License-Identifier: Apache-2.0
// What a login and a refresh have in common: an answer of the token endpoint becomes checked
// claims, and those become a session record.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "oidc/claim_source.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/id_token.hpp"
#include "oidc/session.hpp"
#include "oidc/step.hpp"
#include "oidc/token.hpp"

namespace oidc {

// What the answer has to match.
struct ExchangeExpectation {
    Grant grant = Grant::code;
    std::string nonce;  // of the login
    // Of several tenants: that of the session, or of the response that said it (RFC 9207). Empty:
    // any of them.
    std::string iss;
    Secret code;  // for c_hash, login only
    // What the place asks for that the login began at, see IdTokenExpectation.
    bool wants_auth_time = false;
    bool wants_acr = false;
    // Refresh only, see RefreshExpectation.
    std::string sub;
    Seconds auth_time = 0;
    Seconds iat = 0;
    // Claims that the ID token of the session said: where there are claim_sources.
    std::vector<std::string> said;
};

// What tokens are given for: wiped when the token endpoint has answered.
struct TokenGrant {
    Secret credential;  // a code, or a refresh token
    std::string redirect_uri;
    Secret verifier;
};

// Fetch token [-> Fetch token with the server's nonce, once] [-> Fetch token with the client's
// other credential, once, see ClientTry] -> ID token [-> NeedProvider newer, once] -> Fetch
// userinfo, if it is on
// [-> NeedProvider newer, if not done yet] -> what ClaimSources asks for -> Checked. The events are
// those of a Flow.
class TokenExchange {
  public:
    struct Checked {};
    using Progress = std::variant<NeedProvider, Fetch, Checked, Error>;
    // The flow's step that brings the next event, taken out of `progress`; nullopt: it is over.
    static std::optional<Step> waits_for(Progress& progress);

    TokenExchange(const ProviderConfig& config, Ports ports, ExchangeExpectation expectation);

    // Errors: metadata_invalid, internal_error (the request cannot be made).
    Progress start(ProviderReady provider, TokenGrant grant);
    // Errors: the event's own, those of parse_token_response, check_encrypted, open_token,
    // validate_id_token, parse_userinfo, claim_source_failed, and internal_error for an event that
    // was not asked for.
    Progress resume(Event event);

    // The token endpoint has given tokens, which an error after that does not take back.
    [[nodiscard]] bool has_tokens() const noexcept {
        return !tokens_.access_token.empty() || !tokens_.refresh_token.empty() ||
               !tokens_.id_token.empty();
    }
    // Keys were asked for again, and newer ones came.
    [[nodiscard]] bool keys_renewed() const noexcept { return keys_renewed_; }
    // Retry-After of the last answer; nullopt: none.
    [[nodiscard]] std::optional<Seconds> retry_after() const noexcept { return retry_after_; }
    // Null after a refresh whose answer had none, and before Checked.
    [[nodiscard]] const IdToken* id_token() const noexcept {
        return id_token_ ? &*id_token_ : nullptr;
    }
    [[nodiscard]] const json_t* userinfo() const noexcept { return userinfo_.get(); }

    // Moves what the configuration wants kept into `session`, and sets when to refresh: the access
    // token, expiry and scope; a new refresh token in place of the old, if there is one. With
    // `checked` the ID token and the UserInfo text as well.
    void give_tokens(Session& session, bool checked);

  private:
    enum class Stage : std::uint8_t { idle, token, keys, userinfo, userinfo_keys, sources };
    Progress on_provider(Stage stage, ProviderReady provider);
    Progress ask_token(std::string_view nonce);
    Progress on_token(HttpOutcome outcome);
    Status open(Secret& token, std::size_t max_bytes);
    Progress check_id_token();
    Progress ask_userinfo(std::string_view nonce = {});
    Progress send(HttpRequest request, std::string_view access_token, std::string_view nonce,
                  Stage stage);
    bool wants_nonce(const HttpOutcome& outcome, Stage stage);
    Progress on_userinfo(HttpOutcome outcome);
    Progress ask_sources();
    Progress on_sources(std::optional<ClaimSources::Wait> wait);
    [[nodiscard]] bool may_refetch() const noexcept;
    std::optional<Progress> newer_keys(const Error& error, std::string_view compact, Stage stage);
    void log_left_out(const std::vector<std::string>& lines);

    const ProviderConfig& config_;
    Ports ports_;
    ExchangeExpectation expectation_;
    Stage stage_ = Stage::idle;
    ProviderReady provider_;
    std::uint32_t refetches_ = 0;
    bool last_renewed_ = false;
    bool keys_renewed_ = false;  // by any of them
    std::optional<Seconds> retry_after_;
    HttpRequest request_;  // the last one, without its credentials
    TokenGrant grant_;
    ClientTry client_;
    std::string nonce_;  // the last one of the token endpoint
    // Which endpoint has asked for a nonce already: it does so once.
    bool token_nonce_ = false;
    bool userinfo_nonce_ = false;
    TokenResponse tokens_;
    std::optional<IdToken> id_token_;
    std::optional<HttpResponse> userinfo_response_;
    JsonPtr userinfo_;
    std::string userinfo_text_;
    ClaimSources sources_;
};

}  // namespace oidc
