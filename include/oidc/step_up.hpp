// SPDX-License-Identifier: Apache-2.0
// Step-up: a place that asks more of a login than the provider's block does (max_age and acr of
// OIDC Core 3.1.2.1, told to clients as in RFC 9470).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/http_message.hpp"
#include "oidc/page.hpp"
#include "oidc/session.hpp"

namespace oidc {

// What a place asks of the login behind a session.
struct LoginDemand {
    std::optional<Seconds> max_age;       // since auth_time
    std::vector<std::string> acr_values;  // one of them is the acr, or among the amr; empty: any
    [[nodiscard]] bool empty() const noexcept { return !max_age && acr_values.empty(); }
};

// What to ask the provider for on behalf of a place: its demand and the provider's own together.
// The lower max_age counts; of acr_values those that both name, or, when there are none, the
// place's: the provider's own demand is checked by itself. Empty when the place asks for nothing.
LoginDemand strictest(const ProviderConfig& config, const LoginDemand& place);

// What a session lacks. A session whose auth_time is unknown never satisfies a max_age: when the
// session began says nothing of when the user last proved who they are. `clock_skew` is allowed for
// as at the login, in both directions.
enum class Shortfall : std::uint8_t { none, auth_time, acr };
Shortfall shortfall(const SessionView& session, const LoginDemand& demand, Seconds now,
                    Seconds clock_skew) noexcept;

// The refusal of a login that was to satisfy `demand` and did not; what is not none.
Error shortfall_error(Shortfall what, const SessionView& session, const LoginDemand& demand,
                      Seconds now);

// 401 for requests that cannot follow a login, of a session that is not enough (RFC 9470 3):
// {"error":"insufficient_user_authentication","acr_values":...,"max_age":...} and the same in
// WWW-Authenticate. The scheme is Bearer, for which no browser opens a dialog.
Respond insufficient_authentication(const LoginDemand& demand, std::string_view page, PageForm form,
                                    Language language);

// Whether a value can be told to the provider and to clients: printable ASCII without blanks, `"`
// and `\`.
bool is_acr_value(std::string_view text) noexcept;
std::string join_values(const std::vector<std::string>& values);  // separated by blanks

}  // namespace oidc
