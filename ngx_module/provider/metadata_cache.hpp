// SPDX-License-Identifier: Apache-2.0
// What the workers know of the providers: documents in shared memory, fetched by one worker for
// all, kept while stale. Also what seals pending logins.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/crypto.hpp"
#include "oidc/flow.hpp"

namespace oidc::ngx {

// Per worker.
class MetadataCache {
  public:
    using Ticket = std::uint64_t;  // 0: answered at once
    using Done = std::function<void(Result<std::shared_ptr<const ProviderState>>)>;

    // The worker's; null outside workers.
    static MetadataCache* worker() noexcept;
    // Borrows `conf`. Throws std::bad_alloc.
    static std::unique_ptr<MetadataCache> make(ngx_cycle_t* cycle, MainConf& conf);

    virtual ~MetadataCache() = default;
    // Calls `done` with a usable state, at once when there is one (also a stale one: a refresh then
    // runs behind it). need.newer_than > 0: with a generation above it, or, when the refetch fails
    // or is throttled for too long, with what there is. need.max_age > 0: documents that are older
    // are fetched and waited for, two seconds at most. `done` is called exactly once unless
    // cancelled; every wait ends within kLongestThrottle and twice the provider's timeouts.
    virtual Ticket want(Provider& provider, const NeedProvider& need, Done done) = 0;
    virtual void cancel(Ticket ticket) noexcept = 0;
    // Seals and opens pending logins; the key lives in shared memory and survives reloads.
    [[nodiscard]] virtual const Aead& pending_aead() const noexcept = 0;

    struct Status {
        std::uint64_t generation = 0;
        Seconds metadata_age = -1;  // -1: never fetched
        Seconds keys_age = -1;
        std::size_t keys = 0;
        std::uint64_t fetches = 0;
        std::uint64_t failures = 0;
        std::string last_error;  // reason code
    };
    virtual Status status(const Provider& provider) = 0;
};

// Asks the worker's cache, for a flow or a request: `deliver` is called once with ProviderReady or
// an Error, at once when the ticket is 0.
MetadataCache::Ticket ask_for_provider(Provider& provider, const NeedProvider& need,
                                       std::function<void(Event)> deliver);

}  // namespace oidc::ngx
