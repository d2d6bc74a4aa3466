// What the workers know of the providers: documents in shared memory, fetched by one worker for
// all, kept while stale. Also the way to the shared key of pending logins and the used states.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/crypto.hpp"
#include "oidc/flow.hpp"
#include "oidc/metrics.hpp"
#include "oidc/record_table.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class LoginZone;     // login_zone.hpp
class ProviderSlot;  // metadata_slot.hpp

class MetadataZone : public ZoneBase {
  public:
    // Registers the zone and the LoginZone; conf.providers must be complete. Keeps a reference to
    // `conf`.
    static ngx_shm_zone_t* add(ngx_conf_t* cf, MainConf& conf) noexcept;
    // The zone of the running configuration; null without one.
    static MetadataZone* running() noexcept;
    // Counts an event for oidc_status: one atomic addition; any worker, no lock held by the caller.
    void count_login() noexcept;
    void count_refused_login() noexcept;
    // A request without a session was asked to sign in, by a redirect or by 401.
    void count_challenge() noexcept;
    // A browser was sent to the provider.
    void count_redirect() noexcept;
    void count_refusal(Reason reason) noexcept;
    // A session has ended before its time, or several at once by the same message.
    void count_logout(LogoutKind kind) noexcept;
    void count_refresh(RefreshResult result) noexcept;
    // A request to the provider is over, after so many microseconds on a monotonic clock; nullopt:
    // it was never sent. `connections`: how many were opened for it.
    void count_request(IdpEndpoint endpoint, std::optional<std::uint64_t> microseconds,
                       std::optional<IdpFailure> failure, std::uint64_t connections) noexcept;
    // Of a session store that is asked over a connection: an answer after so many microseconds, a
    // failure, a new connection, a change of the server.
    void count_store_answer(std::uint64_t microseconds) noexcept;
    void count_store_failure(StoreFailure failure) noexcept;
    void count_store_connection() noexcept;
    void count_store_failover() noexcept;
    void read_counters(Counters& out) noexcept;
    // True the first time a state is used, or the digest of another value.
    bool use_state(std::string_view state, Seconds expires, Seconds now) noexcept;
    bool use_once(const Digest& digest, Seconds expires, Seconds now) noexcept;

    // The provider's place in shared memory.
    ProviderSlot slot(const Provider& provider) noexcept;
    // Copies the random key that all workers share.
    void read_key(AeadKey& out) noexcept;

    struct Shared;  // in shared memory
    Shared* shared_ = nullptr;
    LoginZone* logins_ = nullptr;
    MainConf* conf_ = nullptr;
};

// Per worker; made in init_process.
class MetadataCache {
  public:
    using Ticket = std::uint64_t;  // 0: answered at once
    using Done = std::function<void(Result<std::shared_ptr<const ProviderState>>)>;

    static MetadataCache* worker() noexcept;
    static ngx_int_t init_process(ngx_cycle_t* cycle) noexcept;
    static void exit_process() noexcept;

    virtual ~MetadataCache() = default;
    // Calls `done` with a usable state, at once when there is one (also a stale one: a refresh then
    // runs behind it). newer_than > 0: with a generation above it, or, when the refetch is
    // throttled or fails, with what there is. `done` is called exactly once unless cancelled; every
    // wait ends within the provider's timeouts.
    virtual Ticket want(Provider& provider, std::uint64_t newer_than, Done done) = 0;
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

}  // namespace oidc::ngx
