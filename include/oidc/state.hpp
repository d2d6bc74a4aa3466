// SPDX-License-Identifier: Apache-2.0
// PendingLogin: one login under way, kept sealed in a cookie of its own. Nothing of it is stored on
// the server, so anonymous requests cost no memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/cookie.hpp"
#include "oidc/crypto.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"
#include "oidc/step_up.hpp"

namespace oidc {

// Every state of ours starts with this, so that a stale one is told from another application's.
inline constexpr std::string_view kStatePrefix = "ngxoidc1.";
// Follows the prefix when the login is to satisfy a place that asks for more than the provider's
// block does.
inline constexpr std::string_view kStepUpMark = "up.";
inline constexpr std::string_view kPendingCookie = "NGX_OIDC_LOGIN_";
inline constexpr std::string_view kFragmentCookie = "NGX_OIDC_FRAGMENT_";
inline constexpr std::size_t kMaxPendingLogins = 6;

struct PendingLogin {
    std::string state;      // kStatePrefix + 256 random bits
    std::string nonce;      // 256 bits
    Secret verifier;        // 256 bits, 43 characters; empty without PKCE
    std::string return_to;  // path, query and fragment on our origin; a safe return target
    std::string redirect_uri;
    std::string session_key;  // hex SHA-256 of the session cookie's id at the start, or empty
    Seconds created = 0;
    LoginDemand demand;  // what the place asks for that the login began at
};

// Fresh values; return_to becomes "/" when it is not safe or longer than 2048 bytes.
Result<PendingLogin> new_pending_login(std::string_view return_to, bool pkce, Ports& ports,
                                       LoginDemand demand = {});

bool is_our_state(std::string_view state) noexcept;
// Of a login with a demand. Anybody can write such a state: it only tells that a browser must not
// be sent on by itself, since the page that it came from may send it to the provider again.
bool is_step_up_state(std::string_view state) noexcept;

// "<8 hex digits of the time><the last 22 characters of the state>": what follows the prefix in the
// name of the cookie, and of the fragment cookie. The time lets the oldest be dropped without
// opening any; the rest of the state stays unknown to whoever sees the name.
std::string pending_handle(std::string_view state, Seconds created);
// Whether `handle` can be one. Cookies that only share our prefix are nobody's pending login.
bool is_pending_handle(std::string_view handle) noexcept;

// Sealed for a cookie value (base64url). `binding` is the digest of provider, client and vhost: a
// login of one never completes at another.
Result<std::string> seal_pending(const PendingLogin& login, const Aead& aead, const Digest& binding,
                                 Random& random);
// nullopt: not ours, damaged, of another binding.
std::optional<PendingLogin> open_pending(std::string_view cookie_value, const Aead& aead,
                                         const Digest& binding);

// One of our pending-login cookies as found in a request; views borrow the Cookie header.
struct PendingCookie {
    std::string_view name;    // full name, with its prefix
    std::string_view handle;  // behind kPendingCookie
    std::string_view value;
};
// The cookie whose handle belongs to `state`, or null. The login in it may be of another state with
// the same end: the caller compares the whole.
const PendingCookie* find_pending(const std::vector<PendingCookie>& cookies,
                                  std::string_view state);
// Names to delete so that at most kMaxPendingLogins - 1 are left, oldest first.
std::vector<std::string> pending_to_drop(const std::vector<PendingCookie>& cookies);

}  // namespace oidc
