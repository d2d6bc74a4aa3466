// SPDX-License-Identifier: Apache-2.0
#include "oidc/once_table.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace oidc {
namespace {

void fence() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Half a SHA-256 tells values apart; the rest of it chooses the set.
struct Slot {
    std::uint8_t digest[16];
    Seconds expires;
};
constexpr std::size_t kWays = 8;

std::span<Slot> slots_of(std::span<std::byte> region) noexcept {
    const std::size_t sets = region.size() / (sizeof(Slot) * kWays);
    return {reinterpret_cast<Slot*>(region.data()), sets * kWays};
}

// Null: the region has no room for one.
Slot* set_of(std::span<std::byte> region, const Digest& digest) noexcept {
    const std::size_t sets = region.size() / (sizeof(Slot) * kWays);
    if (sets == 0) {
        return nullptr;
    }
    std::uint64_t word = 0;
    std::memcpy(&word, digest.data() + sizeof(Slot::digest), sizeof(word));
    return reinterpret_cast<Slot*>(region.data()) + word % sets * kWays;
}

}  // namespace

OnceTable OnceTable::create(std::span<std::byte> region) noexcept {
    std::memset(region.data(), 0, region.size());
    return OnceTable(region);
}

OnceTable OnceTable::attach(std::span<std::byte> region) noexcept {
    return OnceTable(region);
}

bool OnceTable::use(const Digest& digest, Seconds expires, Seconds now) noexcept {
    Slot* set = set_of(region_, digest);
    if (set == nullptr || expires <= now) {
        return false;
    }
    // The lowest end is an expired slot when there is one, else the oldest.
    Slot* victim = set;
    for (Slot* slot = set; slot != set + kWays; ++slot) {
        if (slot->expires > now &&
            std::memcmp(slot->digest, digest.data(), sizeof(slot->digest)) == 0) {
            return false;
        }
        if (slot->expires < victim->expires) {
            victim = slot;
        }
    }
    // An empty slot while the digest is half written: a writer killed here has not used the value.
    std::atomic_ref<Seconds>(victim->expires).store(0, std::memory_order_release);
    fence();
    std::memcpy(victim->digest, digest.data(), sizeof(victim->digest));
    fence();
    std::atomic_ref<Seconds>(victim->expires).store(expires, std::memory_order_release);
    return true;
}

bool OnceTable::knows(const Digest& digest, Seconds now) const noexcept {
    const Slot* set = set_of(region_, digest);
    return set != nullptr && std::any_of(set, set + kWays, [&](const Slot& slot) {
               return slot.expires > now &&
                      std::memcmp(slot.digest, digest.data(), sizeof(slot.digest)) == 0;
           });
}

void OnceTable::forget(const Digest& digest) noexcept {
    Slot* set = set_of(region_, digest);
    if (set == nullptr) {
        return;
    }
    for (Slot* slot = set; slot != set + kWays; ++slot) {
        if (std::memcmp(slot->digest, digest.data(), sizeof(slot->digest)) == 0) {
            std::atomic_ref<Seconds>(slot->expires).store(0, std::memory_order_release);
        }
    }
}

bool OnceTable::next(std::size_t& place, Seconds now, Used& out) const noexcept {
    const auto slots = slots_of(region_);
    for (; place < slots.size(); ++place) {
        const Slot& slot = slots[place];
        if (slot.expires > now) {
            out.place = place++;
            std::memcpy(out.digest.data(), slot.digest, sizeof(slot.digest));
            out.expires = slot.expires;
            return true;
        }
    }
    return false;
}

bool OnceTable::restore(const Used& used) noexcept {
    const auto slots = slots_of(region_);
    if (used.place >= slots.size()) {
        return false;
    }
    Slot& slot = slots[used.place];
    std::memcpy(slot.digest, used.digest.data(), sizeof(slot.digest));
    slot.expires = used.expires;
    return true;
}

}  // namespace oidc
