// SPDX-License-Identifier: Apache-2.0
// PendingLogin: one login under way. Nothing of it is stored on the server, so anonymous requests
// cost no memory. It travels in three pieces:
//   - `state` of the authorization request: the login itself, sealed, with the beginning of the
//     page that was asked for;
//   - a small cookie of that login with a secret, which binds it to the browser and from which
//     nonce and PKCE verifier are made. There are kLoginSlots names for it, so that however many
//     logins a browser begins, also without seeing the answers to one another, the cookies of all
//     of them stay below kMaxLoginCookies bytes;
//   - one cookie for the rest of a long target. Logins share its name: the last one has it, the
//     others end on "/".
#pragma once

#include <array>
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

// Names of cookies; the first and the last are followed by a slot.
inline constexpr std::string_view kPendingCookie = "NGX_OIDC_LOGIN_";
inline constexpr std::string_view kTargetCookie = "NGX_OIDC_TARGET";
inline constexpr std::string_view kFragmentCookie = "NGX_OIDC_FRAGMENT_";

// One character each.
inline constexpr std::string_view kSlotNames = "0123456789abcdefghijklmnopqrst";
inline constexpr std::size_t kLoginSlots = kSlotNames.size();

// All cookies of logins together as they stand in a Cookie header, names, "=" and "; " included. A
// server takes 8k in one line unless told otherwise, and the application has cookies as well.
inline constexpr std::size_t kMaxLoginCookies = 4000;
// Of these for the fragments, which a script of ours writes (page.cpp), with preserve_fragment.
inline constexpr std::size_t kMaxFragmentCookies = 1000;

struct PendingLogin {
    std::string state;      // see seal_pending; empty before
    std::string nonce;      // 43 characters
    Secret verifier;        // 43 characters; empty without PKCE
    std::string return_to;  // path, query and fragment; a safe return target
    std::string host;       // of the page, when the redirect URI has another one; else empty
    std::string redirect_uri;
    std::string session_key;  // hex SHA-256 of the session cookie's id at the start, or empty
    Seconds created = 0;
    LoginDemand demand;    // what the place asks for that the login began at
    bool renewed = false;  // begun anew by itself, after one that had come to nothing

    char slot = '0';  // of kSlotNames: names the cookie
    bool pkce = true;
    bool cut = false;  // return_to goes on in the target cookie
    std::array<std::uint8_t, 16> salt{};
    std::array<std::uint8_t, 16> check{};  // by which the cookie is known again
    Secret secret;                         // of the cookie; empty: not known yet
};

// Fresh values; return_to becomes "/" when it is not safe.
Result<PendingLogin> new_pending_login(std::string_view return_to, bool pkce, Ports& ports,
                                       LoginDemand demand = {});

bool is_our_state(std::string_view state) noexcept;
// Of a login with a demand. Anybody can write such a state: it only tells that a browser must not
// be sent on by itself, since the page that it came from may send it to the provider again.
bool is_step_up_state(std::string_view state) noexcept;

// One of our pending-login cookies as found in a request; views borrow the Cookie header.
struct PendingCookie {
    std::string_view name;    // full name, with its prefix
    std::string_view handle;  // behind kPendingCookie
    std::string_view value;
};
bool is_login_slot(std::string_view handle) noexcept;

// The slot for a login that begins now: one that is free among `cookies`, else that of the oldest.
// `serial` grows by one with every login of all workers: those that begin at the same time and do
// not know of one another get different slots.
char choose_slot(const std::vector<PendingCookie>& cookies, std::uint32_t serial, Seconds now);

struct SealedLogin {
    std::string cookie_value;
    std::string target_value;  // of kTargetCookie; empty: the state holds the whole target
};
// Seals `login` under its slot and sets its state. `binding` is the digest of provider, client and
// vhost: a login of one never completes at another. A target that does not fit, with the cookie of
// at most `max_target` characters (see max_target_value), becomes "/".
Result<SealedLogin> seal_pending(PendingLogin& login, std::uint32_t serial, const Aead& aead,
                                 const Digest& binding, Random& random, std::size_t max_target);
std::size_t max_target_value(bool fragments) noexcept;

// The login behind a state, without nonce and verifier, which need the cookie. nullopt: not ours,
// damaged, of another binding.
std::optional<PendingLogin> open_state(std::string_view state, const Aead& aead,
                                       const Digest& binding);
// The cookie of the login's slot among `cookies` if it is this login's, which then is complete;
// null: there is none.
const PendingCookie* take_cookie(PendingLogin& login, const std::vector<PendingCookie>& cookies);
// Appends the rest of a cut target and says so, or makes it "/" when the cookie is not this
// login's.
bool join_target(PendingLogin& login, std::string_view target_value, const Aead& aead);

}  // namespace oidc
