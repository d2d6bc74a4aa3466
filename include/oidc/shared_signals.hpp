// SPDX-License-Identifier: Apache-2.0
// Shared Signals: security event tokens (RFC 8417) that a transmitter pushes (RFC 8935), as OpenID
// SSF 1.0 has them: whose sessions end by the events of CAEP 1.0 and RISC 1.0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/metrics.hpp"
#include "oidc/ports.hpp"
#include "oidc/posted_token.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Bytes of a request body.
inline constexpr std::size_t kMaxSignal = 64 * 1024;
// Events of one token, and identifiers of an "aliases".
inline constexpr std::size_t kMaxSignalEvents = 8;
// How old a token may be by its iat, besides clock_skew: that of a logout token which says itself
// when it ends. A SET never does (SSF 4.1.7), and is sent again for as long as nobody answers.
inline constexpr Seconds kMaxSignalAge = 3600;
// Of what shared_signals_token_file may hold.
inline constexpr std::size_t kMinSignalToken = 16;
inline constexpr std::size_t kMaxSignalToken = 4096;

inline constexpr std::string_view kSignalType = "application/secevent+jwt";

// Why a token cannot be what transmitters bring, as a text behind "the token"; empty: it can.
std::string why_no_signal_token(std::string_view token);

// The Authorization header's value is "Bearer" and the token; takes the same time wherever they
// differ. Errors: signal_bearer; nothing of either is in it.
Status check_signal_bearer(std::string_view authorization, const Secret& token);

// The body of a request is the token (RFC 8935 2.1). Errors: signal_malformed, signal_too_large.
Result<std::string> parse_signal(std::string_view content_type, std::string_view body);

struct SignalEvent {
    std::string type;     // the URI
    SignalResult what{};  // ended: it names owners; never repeated
    std::string detail;   // of unmatched: why; of a stream's state: which. Free of what is personal
};

struct Signals {
    std::string iss;
    std::string jti;
    Seconds remember_until = 0;  // until then the token would be accepted again
    std::vector<SignalEvent> events;
    std::vector<SessionOwner> owners;  // each once
};

// Signature first, as of an ID token; typ is secevent+jwt. Then iss, aud, sub and exp, which must
// not be there, iat, nbf if there, jti, events, and of those that end sessions the subject: sub_id,
// or as drafts of SSF had it `subject` in the event; both when they are the same.
//
// Found are: iss_sub of the provider's issuer, and opaque as its sub; in complex the user so, and
// an opaque session as sid, which then counts alone; in aliases all of them. Whoever is named
// otherwise is unmatched. Errors: those of verify_jws as they are (see signal_error), signal_*.
Result<Signals> validate_signal(std::string_view compact, const PostedTokenExpectation& expected);

// jwt_* becomes signal_*, all others stay.
Error signal_error(Error error);

}  // namespace oidc
