// SPDX-License-Identifier: Apache-2.0
// Claims that a provider leaves to others: aggregated and distributed claims (OIDC Core 5.6.2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"
#include "oidc/step.hpp"

namespace oidc {

// How many are asked for one sign-in or refresh.
inline constexpr std::size_t kMostClaimSources = 4;

// For each source that is needed, one after the other: NeedProvider of the one that signs -> Fetch,
// of distributed claims [-> NeedProvider newer, once] -> its claims are members of the ID token or
// UserInfo that named it, which is all that others see of it.
//
// Only sources of config.claim_sources count: a JWT by its iss, an endpoint by its host. The JWT is
// signed as an ID token may be, never with a secret; iss must be there, and exp, nbf, iat, and aud
// and azp, with our client id, hold when they are there. Its sub is that of the user at the source
// and not looked at. Taken are the names of _claim_names that neither the ID token nor UserInfo
// has, without those of the protocol and of config.username_claim. Four sources in ten seconds;
// what fails is left out, with a line.
class ClaimSources {
  public:
    using Wait = std::variant<NeedProvider, Fetch>;

    // With `refresh` a required source may be missing where the provider names none.
    ClaimSources(const ProviderConfig& config, Ports ports, bool refresh);

    // Either may be null; borrowed until it is over, and changed. `said`: what the ID token of the
    // session said, where this answer has none. nullopt: it is over.
    std::optional<Wait> start(json_t* id_token, json_t* userinfo,
                              std::vector<std::string> said = {});
    std::optional<Wait> resume(Event event);
    // When it is over. Error: claim_source_failed, of a source that is required.
    [[nodiscard]] Status verdict() const;

  private:
    enum class Stage : std::uint8_t { idle, keys, answer, newer_keys };
    // What one object leaves to one source.
    struct Left {
        json_t* object;
        std::string source;
        std::vector<std::string> names;
    };
    void collect(json_t* object);
    std::optional<Wait> next();
    bool needs_source(Left& left);
    [[nodiscard]] bool is_said(const std::string& name) const;
    void forget_source();
    Status find_source();
    Status find_by_issuer(std::string_view jwt);
    Status find_by_host(std::string_view endpoint, const json_t* source);
    Wait need_provider(std::uint64_t newer_than, NeedProvider::Cause cause);
    Wait fetch();
    std::optional<Wait> on_answer(HttpOutcome outcome);
    std::optional<Wait> read();
    Result<JsonPtr> verify() const;
    void take(const json_t* claims);
    std::optional<Wait> failed(const Error& error);
    void note_failure(const std::string& why);
    [[nodiscard]] const TrustedSource& source() const { return config_.claim_sources[*found_]; }

    const ProviderConfig& config_;
    Ports ports_;
    bool refresh_;
    bool asked_ = false;
    std::array<json_t*, 2> objects_{};
    std::vector<std::string> said_;
    std::vector<Left> left_;
    std::size_t at_ = 0;  // of left_
    std::size_t tried_ = 0;
    Seconds deadline_ = 0;
    std::vector<std::string> taken_;
    // Of each claim_source: whether a JWT of it held, and why one did not.
    std::vector<bool> held_;
    std::vector<std::string> failures_;
    std::string unknown_failure_;  // of a source that is none of them

    // The source that is being asked.
    Stage stage_ = Stage::idle;
    std::optional<std::size_t> found_;  // of config.claim_sources
    Secret jwt_;
    std::string endpoint_;  // empty: the JWT is there
    Secret access_token_;   // that the provider gave for the endpoint
    HttpRequest request_;   // without secrets, and no more of the URL than its origin
    ProviderReady provider_;
};

}  // namespace oidc
