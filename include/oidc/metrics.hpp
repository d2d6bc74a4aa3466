// SPDX-License-Identifier: Apache-2.0
// What is counted, and how it reads: the Prometheus text format, version 0.0.4.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "oidc/http_message.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// ---- what is counted -------------------------------------------------------------------------

enum class LogoutKind : std::uint8_t {
    rp_initiated,  // at logout_uri, the browser went on to the provider's end-session endpoint
    local,         // at logout_uri, nothing of it reached the provider
    frontchannel,
    backchannel,
    admin,  // by oidc_sessions, however many sessions it ended
    count_,
};

enum class RefreshResult : std::uint8_t {
    refreshed,
    postponed,  // it failed for now, the session goes on
    ended,      // it failed for good, and the session with it
    count_,
};

// What came of a security event.
enum class SignalResult : std::uint8_t {
    ended,      // the sessions of whom it names, if there were any
    unmatched,  // of whom it names no session can be found
    stream,     // it is about the stream itself
    ignored,    // of a type that ends nothing
    repeated,   // its token was used before
    count_,
};

// The provider's endpoints as requests to them are counted.
enum class IdpEndpoint : std::uint8_t {
    metadata,
    jwks,
    token,
    userinfo,
    revocation,
    other,
    count_,
};

// By the directive that names it, as in HttpRequest::endpoint.
IdpEndpoint idp_endpoint(std::string_view directive) noexcept;

// Why a request to the provider did not end with a plain success.
enum class IdpFailure : std::uint8_t {
    connect,
    timeout,
    tls,
    http,  // the answer is no acceptable HTTP
    too_large,
    busy,  // not sent, too many requests are in flight
    redirect,
    status_4xx,
    status_5xx,
    other,
    count_,
};

// nullopt: there is nothing wrong with the outcome. A refusal of the token endpoint, which is a 400
// for a code that somebody used too late, counts as status_4xx.
std::optional<IdpFailure> idp_failure(const HttpOutcome& outcome);

// Upper bounds of the latency buckets in microseconds, inclusive. One more bucket holds the rest.
inline constexpr std::array<std::uint64_t, 11> kLatencyBounds{
    5'000,   10'000,    25'000,    50'000,    100'000,   250'000,
    500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

std::size_t latency_bucket(std::uint64_t microseconds) noexcept;  // 0 .. kLatencyBounds.size()

// The same of questions to a session store over a connection.
inline constexpr std::array<std::uint64_t, 11> kStoreBounds{
    100, 250, 500, 1'000, 2'500, 5'000, 10'000, 50'000, 250'000, 1'000'000, 5'000'000};

std::size_t store_bucket(std::uint64_t microseconds) noexcept;  // 0 .. kStoreBounds.size()

// Why a session store did not do what it was asked for.
enum class StoreFailure : std::uint8_t {
    unavailable,  // not reachable, or the connection broke
    timeout,
    refused,  // it answered with an error
    count_,
};

template <class E>
constexpr std::size_t index_of(E value) noexcept {
    return static_cast<std::size_t>(value);
}
template <class E>
inline constexpr std::size_t kCountOf = index_of(E::count_);

// All counters of the module, each of which only grows. Plain 64-bit words without gaps: the struct
// lies in shared memory, where every word is changed and read atomically by itself.
struct Counters {
    std::uint64_t logins;
    std::uint64_t refused_logins;
    std::uint64_t challenges;  // requests without a session that were asked to sign in
    std::uint64_t redirects;   // of these and of others: sent to the provider
    std::uint64_t refusals[kCountOf<Reason>];
    std::uint64_t logouts[kCountOf<LogoutKind>];
    std::uint64_t refreshes[kCountOf<RefreshResult>];
    std::uint64_t signals[kCountOf<SignalResult>];
    std::uint64_t idp_connections;
    struct Idp {
        std::uint64_t buckets[kLatencyBounds.size() + 1];  // not cumulative
        std::uint64_t microseconds;                        // sum
        std::uint64_t failures[kCountOf<IdpFailure>];
    };
    Idp idp[kCountOf<IdpEndpoint>];
    // Of all session stores that are asked over a connection.
    struct Store {
        std::uint64_t buckets[kStoreBounds.size() + 1];  // not cumulative
        std::uint64_t microseconds;                      // sum
        std::uint64_t failures[kCountOf<StoreFailure>];
        std::uint64_t connections;
        std::uint64_t failovers;  // changes to the next server of the list
    };
    Store store;

    [[nodiscard]] std::uint64_t all_logouts() const noexcept;
};
static_assert(std::is_trivially_copyable_v<Counters> && std::is_standard_layout_v<Counters>);
static_assert(sizeof(Counters) % sizeof(std::uint64_t) == 0);

// ---- a snapshot ------------------------------------------------------------------------------

struct Metrics {
    // Of the build, for instance {"nginx", "1.22.1"}; `version` is added.
    struct Component {
        std::string_view name;
        std::string version;
    };
    struct Provider {
        std::string name;
        Seconds metadata_age = -1;  // -1: unknown
        Seconds keys_age = -1;
        std::uint64_t keys = 0;
        std::uint64_t fetches = 0;
        std::uint64_t failures = 0;
    };
    struct Store {
        std::string name;
        std::uint64_t sessions = 0;
        std::uint64_t bytes_used = 0;
        std::uint64_t bytes_total = 0;
        std::uint64_t recoveries = 0;
    };
    std::vector<Component> components;
    std::vector<Provider> providers;
    std::vector<Store> stores;
    Counters counters{};
};

inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

// Every family has HELP and TYPE; a counter that exists is written even while it is 0, except that
// refusals and failures are written by reason once they have occurred.
std::string render_prometheus(const Metrics& metrics);

// Names of label values, as in oidc_logouts_total{kind="rp_initiated"}.
std::string_view label_of(LogoutKind kind) noexcept;
std::string_view label_of(RefreshResult result) noexcept;
std::string_view label_of(SignalResult result) noexcept;
std::string_view label_of(IdpEndpoint endpoint) noexcept;
std::string_view label_of(IdpFailure failure) noexcept;
std::string_view label_of(StoreFailure failure) noexcept;

}  // namespace oidc
