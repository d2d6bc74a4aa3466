// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error with a reason code from a closed list.
//
// Expected failures (a hostile token, an unreachable provider) are values; exceptions are left for
// bugs and bad_alloc. Every reason has one stable code, one HTTP status and one log level, so a
// page, a JSON body, a log line and $oidc_error can never disagree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace oidc {

enum class LogLevel : std::uint8_t { error, warn, notice, info, debug };

// Who has to act: decides which advice a person gets on the error page.
enum class Blame : std::uint8_t { user, client, idp, config, server };

enum class Reason : std::uint8_t {
    // This server.
    internal_error,
    store_full,
    store_unavailable,
    store_unsupported,
    session_too_large,
    assertion_too_large,
    // The request of the browser.
    login_required,
    insufficient_user_authentication,
    not_permitted,
    cross_origin_request,
    callback_method,
    callback_malformed,
    callback_too_large,
    callback_not_https,
    initiation_malformed,
    initiation_issuer,
    state_missing,
    state_unknown,
    state_expired,
    state_replayed,
    issuer_missing,
    issuer_mix_up,
    response_unsigned,
    response_signature,
    response_aud,
    response_exp,
    logout_cross_site,
    logout_malformed,
    logout_too_large,
    // What the provider said.
    access_denied,
    idp_error,
    // Transport to the provider.
    idp_connect,
    idp_timeout,
    idp_tls,
    idp_http,
    idp_too_large,
    idp_redirect,
    idp_busy,
    // Metadata and keys.
    metadata_unavailable,
    metadata_invalid,
    metadata_issuer,
    jwks_unavailable,
    jwks_invalid,
    // Endpoint for pushed authorization requests.
    par_status,
    par_malformed,
    par_error,
    // Token endpoint.
    token_status,
    token_malformed,
    token_error,
    code_refused,
    token_client_auth,
    token_type,
    token_no_id_token,
    // ID token and other JWTs.
    jwt_malformed,
    jwt_encrypted,
    jwt_not_encrypted,
    jwt_decryption,
    jwt_alg,
    jwt_crit,
    jwt_typ,
    jwt_key_unknown,
    jwt_signature,
    id_token_iss,
    id_token_aud,
    id_token_azp,
    id_token_exp,
    id_token_nbf,
    id_token_iat,
    id_token_nonce,
    id_token_sub,
    id_token_at_hash,
    id_token_c_hash,
    id_token_auth_time,
    id_token_acr,
    id_token_claim,
    // Logout tokens (back-channel).
    logout_token_malformed,
    logout_token_alg,
    logout_token_typ,
    logout_token_signature,
    logout_token_iss,
    logout_token_aud,
    logout_token_exp,
    logout_token_iat,
    logout_token_jti,
    logout_token_replayed,
    logout_token_events,
    logout_token_sub,
    logout_token_nonce,
    // Security event tokens (Shared Signals).
    signal_malformed,
    signal_too_large,
    signal_bearer,
    signal_alg,
    signal_typ,
    signal_signature,
    signal_iss,
    signal_aud,
    signal_exp,
    signal_iat,
    signal_jti,
    signal_events,
    signal_subject,
    // A session that goes on.
    refresh_denied,
    revocation_failed,
    // UserInfo.
    userinfo_status,
    userinfo_denied,
    userinfo_malformed,
    userinfo_sub,
    username_missing,
    // Input that is not what its grammar says (parsers; callers map it to one of the above).
    malformed,
    too_large,
    // Access tokens that programs bring.
    bearer_malformed,
    access_token_malformed,
    access_token_alg,
    access_token_typ,
    access_token_signature,
    access_token_iss,
    access_token_aud,
    access_token_exp,
    access_token_iat,
    access_token_claim,
    access_token_binding,
    dpop_proof_invalid,
    dpop_proof_replayed,
    insufficient_scope,
    // Introspection of access tokens that callers bring.
    token_not_active,
    introspection_unavailable,
    introspection_malformed,
    introspection_busy,
    // Claims of other sources.
    claim_source_failed,
    // Several tenants of one provider.
    tenant_unlisted,
    count_,
};

struct ReasonInfo {
    std::string_view code;   // stable, lower snake case: log lines, $oidc_error, JSON "error"
    int status;              // HTTP status of the refusal
    LogLevel level;          // level of the one log line; error: a person sees a page
    Blame blame;             // whose move it is
    std::string_view title;  // one sentence for a person, plain text
    bool outsider = false;   // anybody can bring it about, without an account (LogThrottle)
};

// Total over the enum; never fails.
const ReasonInfo& reason_info(Reason reason) noexcept;

// What a person is told when the reason alone does not say what helps.
enum class Advice : std::uint8_t {
    of_reason,
    sign_in_there,   // the provider wants something of the person first
    stronger_there,  // such as a second factor
    later,           // it says that it is overloaded, or closed
    again_later,     // something went wrong there
    administrator,   // nothing that a person can do helps
};

// `detail` is for the log: what was compared with what, already free of secrets. Untrusted text in
// it need not be escaped by the raiser, the log port escapes and bounds it. `fix` names the
// directive that would mend it, or is empty.
struct Error {
    Reason reason = Reason::internal_error;
    std::string detail;
    std::string fix;
    Advice advice = Advice::of_reason;
    // A request went out on a kept connection, which ended without a line of an answer: most likely
    // the provider had closed it, and has not seen the request.
    bool unanswered = false;
};

inline Error fail(Reason reason, std::string detail = {}, std::string fix = {}) {
    return Error{reason, std::move(detail), std::move(fix), Advice::of_reason, false};
}

struct Unit {};

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
    Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

    [[nodiscard]] bool ok() const noexcept { return v_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    // Precondition of the four: ok(). std::get throws otherwise, which every entry point from C
    // turns into a denial.
    T& operator*() & { return std::get<0>(v_); }
    const T& operator*() const& { return std::get<0>(v_); }
    T&& operator*() && { return std::get<0>(std::move(v_)); }
    T* operator->() { return &std::get<0>(v_); }
    const T* operator->() const { return &std::get<0>(v_); }

    // Precondition: !ok().
    [[nodiscard]] const Error& error() const& { return std::get<1>(v_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(v_)); }

  private:
    std::variant<T, Error> v_;
};

using Status = Result<Unit>;

}  // namespace oidc
