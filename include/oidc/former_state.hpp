// SPDX-License-Identifier: Apache-2.0
// Logins that an earlier build of the module has begun: all of such a login is in one sealed
// cookie, "NGX_OIDC_LOGIN_<8 hex digits of the time><the last 22 characters of the state>". They
// can be finished after an upgrade; none is begun.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/state.hpp"

namespace oidc {

bool is_former_state(std::string_view state) noexcept;
bool is_former_handle(std::string_view handle) noexcept;
// nullopt: not ours, damaged, of another binding.
std::optional<PendingLogin> open_former(std::string_view cookie_value, const Aead& aead,
                                        const Digest& binding);
// The cookie whose handle belongs to `state`, or null. The login in it may be of another state with
// the same end: the caller compares the whole.
const PendingCookie* find_former(const std::vector<PendingCookie>& cookies, std::string_view state);
// Names to delete, so that what is left of them has room beside the cookies of newer logins. A few
// at a time, those of the oldest among them.
std::vector<std::string> former_to_drop(const std::vector<PendingCookie>& cookies);

}  // namespace oidc
