// SPDX-License-Identifier: Apache-2.0
#include "shm/zone_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <string>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/ptr.hpp"
#include "shm/memory_file.hpp"
#include "shm/zone_list.hpp"

namespace oidc::ngx {

namespace {

constexpr std::uint64_t kMagic = 0x314e475244494fULL;  // "OIDRGN1"
constexpr std::string_view kVariable = "NGX_OIDC_ZONES";

ZoneBase& base_of(const ngx_shm_zone_t& zone) noexcept {
    return *static_cast<ZoneBase*>(zone.data);
}

RegionHead& head_of(const ngx_shm_zone_t& zone) noexcept {
    return *static_cast<RegionHead*>(reinterpret_cast<ngx_slab_pool_t*>(zone.shm.addr)->data);
}

std::string zone_name(const ngx_shm_zone_t* zone) {
    return std::string(view(zone->shm.name));
}

Digest name_digest(const ngx_shm_zone_t* zone) {
    return sha256_fields({"oidc zone", view(zone->shm.name)});
}

bool read_head(int fd, RegionHead& head) noexcept {
    void* place = &head;
    return is_memory_file(fd) &&
           pread(fd, place, sizeof(head), 0) == static_cast<ssize_t>(sizeof(head)) &&
           head.magic == kMagic;
}

// ---- what another binary has left ------------------------------------------------------------

std::vector<int> read_list(std::string_view text) {
    std::vector<int> out;
    while (!text.empty()) {
        int fd = -1;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
        if (error != std::errc() || fd <= 2 || end == text.data() + text.size() || *end != ';') {
            break;
        }
        out.push_back(fd);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    }
    return out;
}

// Of the master that executed this binary.
std::vector<int> inherited_files() {
    const char* value = ngx_inherited != 0 ? getenv(std::string(kVariable).c_str()) : nullptr;
    return value == nullptr ? std::vector<int>() : read_list(value);
}

// Of the running configuration, when another build of the module has made it.
std::vector<int> files_of_running() {
    const auto* core = reinterpret_cast<const ngx_core_conf_t*>(
        ngx_get_conf(ngx_cycle->conf_ctx, ngx_core_module));
    const std::span env(static_cast<const ngx_str_t*>(core->env.elts), core->env.nelts);
    for (const ngx_str_t& variable : env) {
        if (view(variable) == kVariable && variable.data[variable.len] == '=') {
            return read_list(reinterpret_cast<const char*>(variable.data) + variable.len + 1);
        }
    }
    return {};
}

// The file of this zone, by its head; -1: there is none that fits, which is logged when it was
// expected.
int find_file(const std::vector<int>& files, const ngx_shm_zone_t* zone, const RegionKind& kind,
              std::size_t size) {
    const Digest name = name_digest(zone);
    const char* why = nullptr;
    for (const int fd : files) {
        RegionHead head{};
        if (!read_head(fd, head) || !std::equal(name.begin(), name.end(), head.name)) {
            continue;
        }
        struct stat info {};
        if (head.kind != kind.magic || head.layout != kind.layout) {
            why = "has another layout";
        } else if (head.bytes != size || fstat(fd, &info) == -1 ||
                   static_cast<std::size_t>(info.st_size) != size) {
            why = "has another size";
        } else {
            return fd;
        }
    }
    if (why != nullptr) {
        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                      "oidc: zone \"%V\" of the running binary %s, the new one starts empty",
                      &zone->shm.name, why);
    }
    return -1;
}

Mapped map_inherited(ngx_shm_zone_t* zone, const RegionKind& kind, std::span<std::byte> place,
                     ZoneMemory& memory) {
    const bool upgrade = ngx_is_init_cycle(ngx_cycle);
    if (!upgrade) {
        const ngx_shm_zone_t* old = running_zone(zone);
        if (old == nullptr || old->tag == zone->tag) {
            return Mapped::fresh;
        }
    }
    int fd = find_file(upgrade ? inherited_files() : files_of_running(), zone, kind, place.size());
    if (fd == -1) {
        return Mapped::fresh;
    }
    if (!upgrade) {
        fd = fcntl(fd, F_DUPFD, 3);
    }
    if (fd == -1 || !map_memory_file(fd, place, true)) {
        ngx_log_error(
            NGX_LOG_ERR, zone->shm.log, ngx_errno,
            "oidc: zone \"%V\" of the running binary cannot be mapped, the new one starts "
            "empty",
            &zone->shm.name);
        return Mapped::fresh;
    }
    memory.fd = fd;
    memory.inherited = true;
    if (!map_memory_file(fd, place, false)) {
        return Mapped::failed;
    }
    if (kind.is_whole(place.subspan(sizeof(RegionHead)))) {
        return Mapped::inherited;
    }
    ngx_log_error(NGX_LOG_ERR, zone->shm.log, 0,
                  "oidc: zone \"%V\" of the running binary is damaged, the new one starts empty",
                  &zone->shm.name);
    (void)close(fd);
    memory = ZoneMemory{};
    return Mapped::fresh;
}

void log_no_file(ngx_shm_zone_t* zone) noexcept {
    static bool said = false;
    if (!said) {
        said = true;
        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, ngx_errno,
                      "oidc: no memory file for zone \"%V\", a binary upgrade will start without "
                      "its sessions",
                      &zone->shm.name);
    }
}

Mapped map_fresh(ngx_shm_zone_t* zone, const RegionKind& kind, std::span<std::byte> place,
                 ZoneMemory& memory) {
    const int fd = make_memory_file(("oidc:" + zone_name(zone)).c_str(), place.size());
    if (fd == -1) {
        log_no_file(zone);
    } else if (!map_memory_file(fd, place, true)) {
        log_no_file(zone);
        (void)close(fd);
    } else if (!map_memory_file(fd, place, false)) {
        (void)close(fd);
        return Mapped::failed;
    } else {
        memory.fd = fd;
    }
    if (memory.fd == -1) {
        // A file that was tried before may lie here.
        void* at = mmap(place.data(), place.size(), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (at == MAP_FAILED) {
            return Mapped::failed;
        }
    }
    auto* head = new (place.data()) RegionHead{};
    head->kind = kind.magic;
    head->layout = kind.layout;
    head->bytes = place.size();
    const Digest name = name_digest(zone);
    std::copy(name.begin(), name.end(), head->name);
    std::atomic_thread_fence(std::memory_order_release);
    head->magic = kMagic;
    return Mapped::fresh;
}

}  // namespace

bool close_with_pool(ngx_pool_t* pool, ZoneMemory& memory) noexcept {
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(pool, 0);
    if (cleanup == nullptr) {
        return false;
    }
    cleanup->data = &memory;
    cleanup->handler = [](void* data) noexcept {
        auto& file = *static_cast<ZoneMemory*>(data);
        if (file.fd != -1) {
            (void)close(file.fd);
            file.fd = -1;
        }
    };
    return true;
}

Mapped map_region(ngx_shm_zone_t* zone, const RegionKind& kind, std::span<std::byte> place,
                  ZoneMemory& memory) noexcept try {
    OpensslErrorGuard guard;
    Mapped mapped = map_inherited(zone, kind, place, memory);
    if (mapped == Mapped::fresh) {
        mapped = map_fresh(zone, kind, place, memory);
    }
    if (mapped == Mapped::failed) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, ngx_errno, "oidc: zone \"%V\" cannot be mapped",
                      &zone->shm.name);
    } else if (mapped == Mapped::inherited) {
        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                      "oidc: zone \"%V\" of the running binary is shared with it", &zone->shm.name);
    }
    return mapped;
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" cannot be set up",
                  &zone->shm.name);
    return Mapped::failed;
}

void share_memory(const ZoneMemory& from, ZoneMemory& to, ngx_log_t* log) noexcept {
    to = from;
    to.fd = from.fd == -1 ? -1 : fcntl(from.fd, F_DUPFD, 3);
    if (to.fd == -1 && from.fd != -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "oidc: a zone's memory file cannot be kept, a binary upgrade will start "
                      "without its sessions");
    }
}

ngx_int_t zone_memory_init_module(ngx_cycle_t* cycle) noexcept try {
    if (ngx_test_config != 0) {
        return NGX_OK;
    }
    std::string list;
    std::vector<int> kept;
    for_each_zone(cycle, [&](const ngx_shm_zone_t& zone) {
        ZoneMemory& memory = base_of(zone).memory_;
        RegionHead& head = head_of(zone);
        if (memory.join == 0) {
            std::atomic_ref<std::uint32_t>(head.masters).fetch_add(1);
            memory.join = std::atomic_ref<std::uint32_t>(head.joined).fetch_add(1) + 1;
        }
        if (memory.fd != -1) {
            kept.push_back(memory.fd);
            list += std::to_string(memory.fd) + ';';
        }
    });
    if (ngx_is_init_cycle(ngx_cycle)) {
        for (const int fd : inherited_files()) {
            if (std::find(kept.begin(), kept.end(), fd) == kept.end() && is_memory_file(fd)) {
                (void)close(fd);
            }
        }
    }
    if (list.empty()) {
        return NGX_OK;
    }
    auto* core = reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    const ngx_str_t text = copy_to_pool(cycle->pool, std::string(kVariable) + "=" + list);
    auto* variable = static_cast<ngx_str_t*>(ngx_array_push(&core->env));
    if (text.data == nullptr || variable == nullptr) {
        return NGX_ERROR;
    }
    // nginx tells by the "=" behind the name that the value is given.
    *variable = {kVariable.size(), text.data};
    return NGX_OK;
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "oidc: the zones cannot be made known");
    return NGX_ERROR;
}

void zone_memory_init_process(ngx_cycle_t* cycle) noexcept {
    if (ngx_process == NGX_PROCESS_SINGLE) {
        return;
    }
    for_each_zone(cycle, [](const ngx_shm_zone_t& zone) {
        ZoneMemory& memory = base_of(zone).memory_;
        if (memory.fd != -1) {
            (void)close(memory.fd);
            memory.fd = -1;
        }
    });
}

bool is_upgrading() noexcept {
    return ngx_new_binary > 0 || (ngx_inherited != 0 && getppid() == ngx_parent);
}

bool is_last_master(const ngx_shm_zone_t& zone) noexcept {
    RegionHead& head = head_of(zone);
    ZoneMemory& memory = base_of(zone).memory_;
    if (memory.join == 0) {
        return false;
    }
    const auto others = std::atomic_ref<std::uint32_t>(head.masters).fetch_sub(1) - 1;
    const bool has_newer = std::atomic_ref<std::uint32_t>(head.joined).load() > memory.join;
    memory.join = 0;
    if (!is_upgrading()) {
        return true;
    }
    // The other binary is there. When it shares the region but does not count any more, it is on
    // its way out as well and has left the region to this one.
    return others == 0 && (ngx_new_binary > 0 ? has_newer : memory.inherited);
}

}  // namespace oidc::ngx
