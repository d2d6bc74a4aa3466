// SPDX-License-Identifier: Apache-2.0
// The memory of a zone's region as a file without a name (memfd), and how it gets from one
// generation of nginx to the next.
//
// The master keeps a descriptor of each file. It survives the exec of a binary upgrade, and its
// number goes along in an environment variable, like the numbers of the listening sockets. The new
// master looks at the head of each file for the zone's name, kind, layout and size, and maps what
// fits in place of fresh pages. Where there is no memfd, zones are anonymous memory as ever, and an
// upgrade starts with empty ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ngx.hpp"

namespace oidc::ngx {

// At the start of a region. Only plain data: it is mapped by several binaries.
struct alignas(64) RegionHead {
    std::uint64_t magic;  // of this very structure
    std::uint64_t kind;
    std::uint64_t layout;
    std::uint64_t bytes;  // of the region, with this head
    std::uint8_t name[32];
    ngx_atomic_t lock;      // the word of the slab mutex of every generation
    std::uint32_t masters;  // that work on it
    std::uint32_t joined;   // how many ever did
};

// What a region holds.
struct RegionKind {
    std::uint64_t magic;
    std::uint64_t layout;  // changes with what `is_whole` and the zone's code expect
    bool (*is_whole)(std::span<const std::byte> memory) noexcept;
};

// A descriptor as one configuration holds it.
struct ZoneMemory {
    int fd = -1;             // -1: none
    bool inherited = false;  // from the binary before
    std::uint32_t join = 0;  // which of RegionHead::joined this master is; 0: none yet
};

// What zone->data of every zone of the module points to: the base of the zone's own class. Lives
// in the configuration's pool.
struct ZoneBase {
    ngx_slab_pool_t* shpool_ = nullptr;
    ZoneMemory memory_;
};

// The descriptor is closed with the pool.
bool close_with_pool(ngx_pool_t* pool, ZoneMemory& memory) noexcept;

enum class Mapped : std::uint8_t { fresh, inherited, failed };
// Puts the memory of the zone's region at `place` (whole pages of the zone): inherited, else a new
// file, else the pages that are there. The head is filled in unless it was inherited.
Mapped map_region(ngx_shm_zone_t* zone, const RegionKind& kind, std::span<std::byte> place,
                  ZoneMemory& memory) noexcept;
// The same descriptor for the configuration of a reload; the running one closes its own.
void share_memory(const ZoneMemory& from, ZoneMemory& to, ngx_log_t* log) noexcept;

// ---- hooks -----------------------------------------------------------------------------------

// The configuration holds: its descriptors are made known to the next binary, those of the last one
// that nobody wanted are closed.
ngx_int_t zone_memory_init_module(ngx_cycle_t* cycle) noexcept;
// In every process that the master forks: programs that it runs must not see the memory.
void zone_memory_init_process(ngx_cycle_t* cycle) noexcept;

// True when nothing goes on with the zone's region after this master, which is about to leave; to
// be called once.
bool is_last_master(const ngx_shm_zone_t& zone) noexcept;
// The other binary of an upgrade, old or new, is there.
bool is_upgrading() noexcept;

}  // namespace oidc::ngx
