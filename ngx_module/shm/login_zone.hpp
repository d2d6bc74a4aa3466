// SPDX-License-Identifier: Apache-2.0
// LoginZone: what logins under way need, for all workers: the key that seals them and the states
// that were used. Of one size whatever the configuration says, so that every reload and upgrade
// goes on with it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ngx.hpp"
#include "oidc/crypto.hpp"
#include "oidc/once_table.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class LoginZone : private ZoneBase {
  public:
    static constexpr std::string_view kName = "oidc_logins";

    // Registers the zone; its data is a LoginZone in cf->pool. Null: an error was logged.
    static ngx_shm_zone_t* add(ngx_conf_t* cf) noexcept;
    static LoginZone* of(const ngx_shm_zone_t& zone) noexcept;
    // The zone of a configuration; null: it has none.
    static LoginZone* find_zone(const volatile ngx_cycle_t* cycle) noexcept;
    // The zone of the running configuration; null without one.
    static LoginZone* running() noexcept;

    // Grows by one with every login of all workers, and comes round.
    std::uint32_t next_login() noexcept;
    // Copies the random key that all workers share.
    void read_key(AeadKey& out) noexcept;
    // True the first time a state is used, or the digest of another value.
    bool use_state(std::string_view state, Seconds expires, Seconds now) noexcept;
    // What it was used for came to nothing.
    void forget_state(std::string_view state) noexcept;
    bool use_once(const Digest& digest, Seconds expires, Seconds now) noexcept;
    // Whether use_once() would be false; nothing is changed.
    [[nodiscard]] bool is_used(const Digest& digest, Seconds now) const noexcept;

    // Calls use(table) under the lock.
    template <class Use>
    void with_table(Use&& use) {
        ZoneLock lock(shpool_);
        use(OnceTable::attach(used_states()));
    }

    // Calls use(table) under the lock; the table is as before when that answers false.
    template <class Use>
    void with_restore(Use&& use) {
        ZoneLock lock(shpool_);
        const auto table = used_states();
        const std::vector<std::byte> before(table.begin(), table.end());
        if (!use(OnceTable::attach(table))) {
            std::copy(before.begin(), before.end(), table.begin());
        }
    }

    struct Shared;  // in shared memory

  private:
    friend struct LoginZoneInit;
    [[nodiscard]] std::span<std::byte> used_states() const noexcept;
    Shared* shared_ = nullptr;
};

// A state's place among those that were used. Given back when this ends, unless it is kept: what
// the state was used for came to nothing.
class UsedState {
  public:
    UsedState() = default;
    ~UsedState() { give_back(); }
    UsedState(const UsedState&) = delete;
    UsedState& operator=(const UsedState&) = delete;
    // True the first time.
    bool take(LoginZone& zone, std::string_view state, Seconds expires, Seconds now) {
        std::string text(state);
        if (!zone.use_state(text, expires, now)) {
            return false;
        }
        give_back();
        zone_ = &zone;
        state_ = std::move(text);
        return true;
    }
    void keep() noexcept { zone_ = nullptr; }
    void give_back() noexcept {
        if (LoginZone* zone = std::exchange(zone_, nullptr)) {
            zone->forget_state(state_);
        }
    }

  private:
    LoginZone* zone_ = nullptr;
    std::string state_;
};

}  // namespace oidc::ngx
