// SPDX-License-Identifier: Apache-2.0
// ProofZone: the proofs (DPoP) that were used, for all workers. Apart from the states of logins, so
// that a busy program pushes out none of those. Of one size whatever the configuration says.
#pragma once

#include <span>
#include <string_view>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class ProofZone : private ZoneBase {
  public:
    static constexpr std::string_view kName = "oidc_proofs";

    // Registers the zone; its data is a ProofZone in cf->pool. Null: an error was logged.
    static ngx_shm_zone_t* add(ngx_conf_t* cf) noexcept;
    // The zone of the running configuration; null without one.
    static ProofZone* running() noexcept;

    // True the first time; false as well when OpenSSL fails.
    bool use_once(const Digest& digest, Seconds expires, Seconds now) noexcept;

  private:
    friend struct ProofZoneInit;
    // Random, of this zone: a program chooses what it proves with, and not its place among others.
    std::span<std::byte> key_;
    std::span<std::byte> used_;
};

}  // namespace oidc::ngx
