// SPDX-License-Identifier: Apache-2.0
#include "config/workers_user.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/open_file.hpp"
#include "oidc/ptr.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {

namespace {

// Between the end of the configuration and the zones, in one call of nginx's.
struct Check {
    ngx_cycle_t* cycle;
    const MainConf* main;
    ngx_shm_zone_init_pt init;  // the zone's own
};
Check g_check{};

// While it lives, the kernel answers for files as it will answer a worker: by user, group, further
// groups and access lists alike. Only for files, and only in this thread. Nothing is forked: nginx
// would count the child among its own.
class AsWorker {
  public:
    explicit AsWorker(const ngx_core_conf_t& core)
        : dumpable_(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)), own_group_(::getegid()) {
        (void)::prctl(PR_GET_PDEATHSIG, &death_signal_, 0, 0, 0);
        int count = ::getgroups(0, nullptr);
        own_groups_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        count = ::getgroups(static_cast<int>(own_groups_.size()), own_groups_.data());
        own_groups_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        std::vector<gid_t> groups(64);
        for (;;) {
            int size = static_cast<int>(groups.size());
            if (::getgrouplist(core.username, core.group, groups.data(), &size) >= 0) {
                groups.resize(static_cast<std::size_t>(size));
                break;
            }
            if (static_cast<std::size_t>(size) <= groups.size()) {
                return;
            }
            groups.resize(static_cast<std::size_t>(size));
        }
        if (::setgroups(groups.size(), groups.data()) != 0) {
            return;  // a worker could not be started either, which nginx says itself
        }
        active_ = true;
        ::setfsgid(core.group);
        ::setfsuid(core.user);
    }
    ~AsWorker() { (void)end(); }
    AsWorker(const AsWorker&) = delete;
    AsWorker& operator=(const AsWorker&) = delete;

    [[nodiscard]] bool active() const noexcept { return active_; }
    // False: this process cannot become what it was.
    bool end() noexcept {
        if (!active_) {
            return true;
        }
        active_ = false;
        ::setfsuid(::geteuid());
        ::setfsgid(own_group_);
        const bool back = ::setgroups(own_groups_.size(), own_groups_.data()) == 0 &&
                          static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) == ::geteuid() &&
                          static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) == own_group_;
        // A change of user takes both away.
        (void)::prctl(PR_SET_DUMPABLE, dumpable_ == 1 ? 1 : 0, 0, 0, 0);
        if (death_signal_ != 0) {
            (void)::prctl(PR_SET_PDEATHSIG, death_signal_, 0, 0, 0);
        }
        return back;
    }

  private:
    int dumpable_;
    int death_signal_ = 0;
    gid_t own_group_;
    std::vector<gid_t> own_groups_;
    bool active_ = false;
};

// The uppermost folder of a path that cannot be entered; empty: all can.
std::string closed_folder(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        struct stat info {};
        std::string folder = path.substr(0, slash);
        if (::stat((folder + "/.").c_str(), &info) != 0 && errno == EACCES) {
            return folder;
        }
    }
    return {};
}

// What a symbolic link leads to.
std::string real_path(const std::string& path) {
    const std::unique_ptr<char, Deleter<std::free>> real(::realpath(path.c_str(), nullptr));
    return real ? std::string(real.get()) : path;
}

struct Refusal {
    std::string what;
    ngx_err_t err = 0;
};

std::optional<Refusal> why_not_readable(const std::string& path, const std::string& real) {
    const OpenFile file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (file.is_open()) {
        return std::nullopt;
    }
    const ngx_err_t err = ngx_errno;
    std::string folder = closed_folder(path);
    if (folder.empty()) {
        folder = closed_folder(real);
    }
    return Refusal{
        folder.empty() ? "cannot read it" : "cannot enter the folder " + in_quotes(folder), err};
}

bool check_provider(const Provider& p, const ngx_core_conf_t& core, ngx_log_t* log) {
    for (const RenewedFile& file : p.renewed) {
        const std::string real = real_path(file.path);
        AsWorker as(core);
        if (!as.active()) {
            return true;
        }
        const std::optional<Refusal> refusal = why_not_readable(file.path, real);
        if (!as.end()) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "oidc: the user of the master is not restored");
            return false;
        }
        if (refusal) {
            ngx_log_error(
                NGX_LOG_EMERG, log, refusal->err,
                "oidc: \"%s\" \"%s\" is read again by the workers when it is renewed, and "
                "their user \"%s\" %s: let the user's group read the file and enter its "
                "folders, in %V:%ui",
                file.directive, file.path.c_str(), core.username, refusal->what.c_str(),
                &file.place.file, file.place.line);
            return false;
        }
    }
    return true;
}

ngx_int_t init_zone(ngx_shm_zone_t* zone, void* data) noexcept try {
    const auto& core = *reinterpret_cast<const ngx_core_conf_t*>(
        ngx_get_conf(g_check.cycle->conf_ctx, ngx_core_module));
    // Who does not start as root, or has no workers, reads all files as one user.
    if (::geteuid() == 0 && core.master != 0 && core.user != 0 &&
        core.user != static_cast<ngx_uid_t>(NGX_CONF_UNSET_UINT) && core.username != nullptr) {
        for (const auto& provider : g_check.main->providers) {
            if (!check_provider(*provider, core, zone->shm.log)) {
                return NGX_ERROR;
            }
        }
    }
    return g_check.init(zone, data);
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: out of memory");
    return NGX_ERROR;
}

}  // namespace

void check_with_zone(ngx_conf_t* cf, ngx_shm_zone_t& zone, const MainConf& main) noexcept {
    for (const auto& provider : main.providers) {
        if (!provider->renewed.empty()) {
            g_check = {cf->cycle, &main, zone.init};
            zone.init = init_zone;
            return;
        }
    }
}

}  // namespace oidc::ngx
