// SPDX-License-Identifier: Apache-2.0
// Security events: what a transmitter brings, and claims under a good signature. The first byte
// says which: "H" the value of an Authorization header, "C" claims, which are signed here with the
// published key of RFC 8037 A.1; anything else is a token.
#include <algorithm>

#include "fuzz.hpp"
#include "oidc/json.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/shared_signals.hpp"
#include "signed.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr Seconds kNow = 1'700'000'000;
constexpr std::string_view kHeader = R"({"alg":"EdDSA","typ":"secevent+jwt"})";
constexpr std::string_view kBearer = "0123456789abcdef";

void check_header(std::string_view header) {
    promise(!check_signal_bearer(header, Secret(kBearer)).ok() ||
                header.find(kBearer) != std::string_view::npos,
            "who is let in has the token");
}

// Every rule again, read from the claims in another way.
void check_accepted(const Signed& fixed, const Signals& said, std::string_view claims) {
    Result<JsonPtr> json = json_parse_object(claims);
    promise(json.ok(), "accepted claims are an object");
    const json_t* object = json->get();
    const json_t* iss = json_object_get(object, "iss");
    promise(json_is_string(iss) && json_string_value(iss) == fixed.config.issuer, "iss");
    promise(json_object_get(object, "sub") == nullptr && json_object_get(object, "exp") == nullptr,
            "neither sub nor exp");
    promise(!said.jti.empty(), "jti");
    promise(said.remember_until > kNow &&
                said.remember_until <= kNow + kMaxSignalAge + 2 * fixed.config.clock_skew,
            "remembered for a while");
    const json_t* events = json_object_get(object, "events");
    promise(json_object_size(events) == said.events.size() && !said.events.empty() &&
                said.events.size() <= kMaxSignalEvents,
            "events");
    const bool ends =
        std::any_of(said.events.begin(), said.events.end(),
                    [](const SignalEvent& event) { return event.what == SignalResult::ended; });
    promise(ends == !said.owners.empty(), "an event that ends names somebody");
    for (const SessionOwner& owner : said.owners) {
        promise(owner.iss == fixed.config.issuer && (!owner.sub.empty() || !owner.sid.empty()),
                "somebody of this provider");
        promise(std::count(said.owners.begin(), said.owners.end(), owner) == 1, "once");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Signed fixed;
    const std::string_view input = text_of(data, size);
    const char kind = input.empty() ? '\0' : input.front();
    if (kind == 'H') {
        check_header(input.substr(1));
        return 0;
    }
    const std::string_view claims = kind == 'C' ? input.substr(1) : std::string_view();
    const std::string compact = kind == 'C' ? fixed.sign(kHeader, claims) : std::string(input);
    const PostedTokenExpectation expected{&fixed.config, &fixed.keys, fixed.algs, kNow};
    const Result<Signals> said = validate_signal(compact, expected);
    if (!said) {
        (void)signal_error(said.error());
        return 0;
    }
    promise(kind == 'C', "a forged token");
    check_accepted(fixed, *said, claims);
    promise(!validate_logout_token(compact, expected).ok(), "a security event is no logout token");
    return 0;
}
