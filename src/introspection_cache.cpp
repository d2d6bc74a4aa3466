// SPDX-License-Identifier: Apache-2.0
#include "oidc/introspection_cache.hpp"

namespace oidc {
namespace {

// A key names provider, client and token: nothing more is bound to it.
constexpr Digest kNoBinding{};

// Of a region: an eighth for what is not active, a thirty-second for leases, the rest for records.
constexpr std::size_t kAlign = 64;

std::size_t inactive_bytes(std::size_t region) noexcept {
    return region / 8 / kAlign * kAlign;
}

std::size_t lease_bytes(std::size_t region) noexcept {
    return region / 32 / kAlign * kAlign;
}

template <class Byte>
std::span<Byte> records_of(std::span<Byte> region) noexcept {
    return region.subspan(inactive_bytes(region.size()) + lease_bytes(region.size()));
}

}  // namespace

IntrospectionCache IntrospectionCache::create(std::span<std::byte> region) noexcept {
    const std::size_t inactive = inactive_bytes(region.size());
    return {RecordTable::create(records_of(region)), OnceTable::create(region.first(inactive)),
            OnceTable::create(region.subspan(inactive, lease_bytes(region.size())))};
}

IntrospectionCache IntrospectionCache::attach(std::span<std::byte> region) noexcept {
    const std::size_t inactive = inactive_bytes(region.size());
    return {RecordTable::attach(records_of(region)), OnceTable::attach(region.first(inactive)),
            OnceTable::attach(region.subspan(inactive, lease_bytes(region.size())))};
}

bool IntrospectionCache::is_cache(std::span<const std::byte> region) noexcept {
    return region.size() >= min_size() && RecordTable::is_table(records_of(region));
}

IntrospectionCache::Find IntrospectionCache::find(const Digest& key, Seconds now,
                                                  RecordTable::Found& found) noexcept {
    if (active_.find(key, kNoBinding, now, false, found) == RecordTable::Find::found) {
        return Find::active;
    }
    return inactive_.knows(key, now) ? Find::inactive : Find::unknown;
}

void IntrospectionCache::copy(const RecordTable::Found& found,
                              std::span<std::uint8_t> out) const noexcept {
    active_.copy(found, out);
}

bool IntrospectionCache::keep_active(const Digest& key, std::uint64_t owner, ByteView record,
                                     Seconds expires, Seconds now) noexcept {
    inactive_.forget(key);
    if (expires <= now) {
        return false;
    }
    RecordTable::Meta meta;
    meta.binding = kNoBinding;
    meta.expires = expires;
    meta.sub_tag = owner;
    if (active_.insert(key, meta, record, now) != RecordTable::Insert::ok) {
        return false;
    }
    active_.keep_newest(owner, kNoBinding, kTokensOfOne, now, &key);
    return true;
}

void IntrospectionCache::keep_inactive(const Digest& key, Seconds expires, Seconds now) noexcept {
    active_.erase(key);
    // One that is known already keeps its end.
    inactive_.use(key, expires, now);
}

bool IntrospectionCache::lease(const Digest& key, Seconds until, Seconds now) noexcept {
    return leases_.use(key, until, now);
}

void IntrospectionCache::release(const Digest& key) noexcept {
    leases_.forget(key);
}

}  // namespace oidc
