// SPDX-License-Identifier: Apache-2.0
#include "oidc/result.hpp"

#include <array>
#include <cstddef>

namespace oidc {
namespace {

struct Row {
    Reason reason;
    ReasonInfo info;
};

using enum LogLevel;

// In the order of the enum; the assertions below hold it to that.
constexpr Row kRows[] = {
    // This server.
    {Reason::internal_error,
     {"internal_error", 500, error, Blame::server, "Something went wrong on this server."}},
    {Reason::store_full,
     {"store_full", 503, error, Blame::server, "Too many people are signed in right now."}},
    {Reason::store_unavailable,
     {"store_unavailable", 503, error, Blame::server,
      "This server cannot look up who is signed in right now."}},
    {Reason::store_unsupported,
     {"store_unsupported", 501, warn, Blame::config,
      "This server keeps its sessions in the browsers, so it cannot list them; another type of "
      "session store can."}},
    {Reason::session_too_large,
     {"session_too_large", 502, error, Blame::config,
      "Your account carries more information than this server can keep."}},
    {Reason::assertion_too_large,
     {"assertion_too_large", 500, error, Blame::config,
      "Your account carries more information than the application can be told."}},
    // The request of the browser.
    {Reason::login_required,
     {"login_required", 401, info, Blame::user, "Please sign in to see this page."}},
    {Reason::insufficient_user_authentication,
     {"insufficient_user_authentication", 401, info, Blame::user,
      "Please sign in again, or in a stronger way, to see this page."}},
    {Reason::not_permitted,
     {"not_permitted", 403, error, Blame::user, "Your account is not allowed to see this page."}},
    {Reason::callback_method,
     {"callback_method", 405, error, Blame::client, "This page cannot be used in this way.", true}},
    {Reason::callback_malformed,
     {"callback_malformed", 400, error, Blame::client,
      "The sign-in reply that your browser brought cannot be read.", true}},
    {Reason::callback_not_https,
     {"callback_not_https", 400, error, Blame::config,
      "Signing in needs a secure connection (https).", true}},
    {Reason::state_missing,
     {"state_missing", 400, error, Blame::client, "This sign-in was not started in this browser.",
      true}},
    {Reason::state_unknown,
     {"state_unknown", 400, error, Blame::client, "This sign-in was not started in this browser.",
      true}},
    {Reason::state_expired,
     {"state_expired", 400, error, Blame::client, "This sign-in took too long and has expired.",
      true}},
    {Reason::state_replayed,
     {"state_replayed", 400, error, Blame::client, "This sign-in has already been used.", true}},
    {Reason::issuer_missing,
     {"issuer_missing", 400, error, Blame::idp,
      "The sign-in reply does not say which service it comes from.", true}},
    {Reason::issuer_mix_up,
     {"issuer_mix_up", 400, error, Blame::idp,
      "The sign-in reply comes from another service than the one that was asked.", true}},
    {Reason::logout_cross_site,
     {"logout_cross_site", 403, error, Blame::client,
      "Another website tried to sign you out, so nothing was done.", true}},
    {Reason::logout_malformed,
     {"logout_malformed", 400, warn, Blame::client, "The logout request cannot be understood."}},
    {Reason::logout_too_large,
     {"logout_too_large", 413, warn, Blame::client, "The logout request is too large."}},
    // What the provider said.
    {Reason::access_denied,
     {"access_denied", 403, error, Blame::user, "The sign-in was cancelled or not allowed.", true}},
    {Reason::idp_error,
     {"idp_error", 400, error, Blame::idp, "The sign-in service reported an error.", true}},
    // Transport to the provider.
    {Reason::idp_connect,
     {"idp_connect", 502, error, Blame::idp, "The sign-in service cannot be reached."}},
    {Reason::idp_timeout,
     {"idp_timeout", 504, error, Blame::idp, "The sign-in service took too long to answer."}},
    {Reason::idp_tls,
     {"idp_tls", 502, error, Blame::config,
      "The connection to the sign-in service is not secure, so it was not used."}},
    {Reason::idp_http,
     {"idp_http", 502, error, Blame::idp,
      "The sign-in service gave an answer that cannot be read."}},
    {Reason::idp_too_large,
     {"idp_too_large", 502, error, Blame::idp, "The sign-in service sent too much data."}},
    {Reason::idp_redirect,
     {"idp_redirect", 502, error, Blame::config,
      "The sign-in service has moved to another address."}},
    {Reason::idp_busy,
     {"idp_busy", 503, error, Blame::server, "Too many people are signing in right now."}},
    // Metadata and keys.
    {Reason::metadata_unavailable,
     {"metadata_unavailable", 503, error, Blame::idp,
      "The settings of the sign-in service cannot be fetched."}},
    {Reason::metadata_invalid,
     {"metadata_invalid", 502, error, Blame::config,
      "The settings of the sign-in service cannot be used."}},
    {Reason::metadata_issuer,
     {"metadata_issuer", 502, error, Blame::config,
      "The sign-in service does not go by the name that this site expects."}},
    {Reason::jwks_unavailable,
     {"jwks_unavailable", 503, error, Blame::idp,
      "The keys of the sign-in service cannot be fetched."}},
    {Reason::jwks_invalid,
     {"jwks_invalid", 502, error, Blame::idp, "The keys of the sign-in service cannot be used."}},
    // Token endpoint.
    {Reason::token_status,
     {"token_status", 502, error, Blame::idp, "The sign-in service did not finish the sign-in."}},
    {Reason::token_malformed,
     {"token_malformed", 502, error, Blame::idp,
      "The sign-in service gave an answer that cannot be read."}},
    {Reason::token_error,
     {"token_error", 502, error, Blame::idp, "The sign-in service did not finish the sign-in."}},
    {Reason::token_client_auth,
     {"token_client_auth", 502, error, Blame::config,
      "The sign-in service does not recognise this site."}},
    {Reason::token_type,
     {"token_type", 502, error, Blame::idp,
      "The sign-in service sent a kind of token that this site cannot use."}},
    {Reason::token_no_id_token,
     {"token_no_id_token", 502, error, Blame::config,
      "The sign-in service did not say who you are."}},
    // ID token and other JWTs.
    {Reason::jwt_malformed,
     {"jwt_malformed", 502, error, Blame::idp, "The proof of your identity cannot be read."}},
    {Reason::jwt_encrypted,
     {"jwt_encrypted", 502, error, Blame::config,
      "The proof of your identity is encrypted for somebody else."}},
    {Reason::jwt_alg,
     {"jwt_alg", 502, error, Blame::config,
      "The proof of your identity is signed in a way that this site does not accept."}},
    {Reason::jwt_crit,
     {"jwt_crit", 502, error, Blame::idp,
      "The proof of your identity has conditions that this site does not know."}},
    {Reason::jwt_typ,
     {"jwt_typ", 502, error, Blame::idp,
      "The sign-in service sent something else than a proof of your identity."}},
    {Reason::jwt_key_unknown,
     {"jwt_key_unknown", 502, error, Blame::idp,
      "The proof of your identity is signed with an unknown key."}},
    {Reason::jwt_signature,
     {"jwt_signature", 502, error, Blame::idp,
      "The proof of your identity does not have a valid signature."}},
    {Reason::id_token_iss,
     {"id_token_iss", 502, error, Blame::config,
      "The proof of your identity comes from another service than expected."}},
    {Reason::id_token_aud,
     {"id_token_aud", 502, error, Blame::config,
      "The proof of your identity was made for another site."}},
    {Reason::id_token_azp,
     {"id_token_azp", 502, error, Blame::config,
      "The proof of your identity was made for another site."}},
    {Reason::id_token_exp,
     {"id_token_exp", 502, error, Blame::idp, "The proof of your identity has expired."}},
    {Reason::id_token_nbf,
     {"id_token_nbf", 502, error, Blame::idp, "The proof of your identity is not valid yet."}},
    {Reason::id_token_iat,
     {"id_token_iat", 502, error, Blame::idp,
      "The proof of your identity was not made at a believable time."}},
    {Reason::id_token_nonce,
     {"id_token_nonce", 502, error, Blame::idp,
      "The proof of your identity does not belong to this sign-in."}},
    {Reason::id_token_sub,
     {"id_token_sub", 502, error, Blame::idp,
      "The proof of your identity does not say who you are."}},
    {Reason::id_token_at_hash,
     {"id_token_at_hash", 502, error, Blame::idp,
      "The parts of the sign-in reply do not belong together."}},
    {Reason::id_token_c_hash,
     {"id_token_c_hash", 502, error, Blame::idp,
      "The parts of the sign-in reply do not belong together."}},
    {Reason::id_token_auth_time,
     {"id_token_auth_time", 502, error, Blame::idp,
      "Your last sign-in is too long ago for this site."}},
    {Reason::id_token_acr,
     {"id_token_acr", 502, error, Blame::idp,
      "This site asks for a stronger way of signing in, such as a second factor."}},
    {Reason::id_token_claim,
     {"id_token_claim", 502, error, Blame::idp,
      "The proof of your identity has details that cannot be used."}},
    // Logout tokens (back-channel). Anybody can send one, so none is an error of this server.
    {Reason::logout_token_malformed,
     {"logout_token_malformed", 400, warn, Blame::idp, "The logout token cannot be read."}},
    {Reason::logout_token_alg,
     {"logout_token_alg", 400, warn, Blame::idp,
      "The logout token is signed in a way that this site does not accept."}},
    {Reason::logout_token_typ,
     {"logout_token_typ", 400, warn, Blame::idp, "What was sent is not a logout token."}},
    {Reason::logout_token_signature,
     {"logout_token_signature", 400, warn, Blame::idp,
      "The logout token does not have a valid signature."}},
    {Reason::logout_token_iss,
     {"logout_token_iss", 400, warn, Blame::idp,
      "The logout token comes from another service than expected."}},
    {Reason::logout_token_aud,
     {"logout_token_aud", 400, warn, Blame::idp, "The logout token was made for another site."}},
    {Reason::logout_token_exp,
     {"logout_token_exp", 400, warn, Blame::idp, "The logout token has expired."}},
    {Reason::logout_token_iat,
     {"logout_token_iat", 400, warn, Blame::idp,
      "The logout token was not made at a believable time."}},
    {Reason::logout_token_jti,
     {"logout_token_jti", 400, warn, Blame::idp, "The logout token has no identifier."}},
    {Reason::logout_token_replayed,
     {"logout_token_replayed", 400, warn, Blame::idp, "The logout token has already been used."}},
    {Reason::logout_token_events,
     {"logout_token_events", 400, warn, Blame::idp,
      "The logout token does not say that somebody signed out."}},
    {Reason::logout_token_sub,
     {"logout_token_sub", 400, warn, Blame::idp, "The logout token does not say who signed out."}},
    {Reason::logout_token_nonce,
     {"logout_token_nonce", 400, warn, Blame::idp,
      "The logout token has a nonce, which it must not have."}},
    // A session that goes on.
    {Reason::refresh_denied,
     {"refresh_denied", 401, info, Blame::user, "Your sign-in has ended at the sign-in service."}},
    {Reason::revocation_failed,
     {"revocation_failed", 502, warn, Blame::idp,
      "The sign-in service did not take back its tokens."}},
    // UserInfo.
    {Reason::userinfo_status,
     {"userinfo_status", 502, error, Blame::idp,
      "The sign-in service did not send the details of your account."}},
    {Reason::userinfo_denied,
     {"userinfo_denied", 502, error, Blame::config,
      "The sign-in service does not let this site see the details of your account."}},
    {Reason::userinfo_malformed,
     {"userinfo_malformed", 502, error, Blame::idp, "The details of your account cannot be read."}},
    {Reason::userinfo_sub,
     {"userinfo_sub", 502, error, Blame::idp,
      "The sign-in service sent the details of another account."}},
    {Reason::username_missing,
     {"username_missing", 502, error, Blame::config,
      "Your account at the sign-in service has no user name for this site."}},
    // Input that is not what its grammar says.
    {Reason::malformed,
     {"malformed", 400, error, Blame::client, "The request cannot be understood.", true}},
    {Reason::too_large,
     {"too_large", 400, error, Blame::client, "The request is too large.", true}},
};

constexpr std::size_t kCount = static_cast<std::size_t>(Reason::count_);
static_assert(std::size(kRows) == kCount, "every reason has its row");

constexpr bool rows_are_in_order() {
    for (std::size_t i = 0; i < std::size(kRows); ++i) {
        if (static_cast<std::size_t>(kRows[i].reason) != i) {
            return false;
        }
    }
    return true;
}
static_assert(rows_are_in_order(), "rows stand in the order of the enum");

}  // namespace

const ReasonInfo& reason_info(Reason reason) noexcept {
    const auto index = static_cast<std::size_t>(reason);
    // A value that is none of ours can only come from a bug: report it as one.
    return kRows[index < kCount ? index : 0].info;
}

}  // namespace oidc
