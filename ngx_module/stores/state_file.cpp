// SPDX-License-Identifier: Apache-2.0
#include "stores/state_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/open_file.hpp"
#include "base/ports_ngx.hpp"
#include "config/messages.hpp"
#include "oidc/key_ring.hpp"
#include "oidc/ptr.hpp"
#include "oidc/session_dump.hpp"
#include "oidc/text.hpp"
#include "shm/login_zone.hpp"
#include "shm/session_zone.hpp"
#include "shm/zone_memory.hpp"

namespace oidc::ngx {

namespace {

constexpr const char* kTemporary = ".new";
constexpr const char* kRejected = ".rejected";
constexpr mode_t kMode = S_IRUSR | S_IWUSR;

int open_to_read(const std::string& path) noexcept {
    return open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

std::ptrdiff_t read_all(int fd, std::span<char> out) noexcept {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t n = read(fd, out.data() + done, out.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    return static_cast<std::ptrdiff_t>(done);
}

bool write_all(int fd, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t n = write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// What happened to a name in the folder also holds after a power failure.
bool sync_folder(const std::string& path) {
    const OpenFile folder(open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return folder.is_open() && fsync(folder.fd()) == 0;
}

// What a name stands for, as far as it may be replaced or removed.
enum class Found : std::uint8_t { nothing, ours, other };

Found look_at(const std::string& path) {
    const OpenFile file(open_to_read(path));
    if (!file.is_open()) {
        return errno == ENOENT ? Found::nothing : Found::other;
    }
    struct stat info {};
    if (fstat(file.fd(), &info) == -1 || !S_ISREG(info.st_mode)) {
        return Found::other;
    }
    std::string start(kDumpMagic.size(), '\0');
    return info.st_size == 0 ||
                   (read_all(file.fd(), start) == static_cast<std::ptrdiff_t>(start.size()) &&
                    start == kDumpMagic)
               ? Found::ours
               : Found::other;
}

struct Ring {
    explicit Ring(const Store& store) {
        if (Result<std::vector<AeadKey>> made = derive_ring(store.keys, "state file")) {
            keys = std::move(*made);
        }
    }
    ~Ring() { cleanse(keys.data(), keys.size() * sizeof(AeadKey)); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    std::vector<AeadKey> keys;  // empty: they cannot be derived
};

ngx_msec_t clock_msec() noexcept {
    struct timespec now {};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<ngx_msec_t>(now.tv_sec) * 1000 +
           static_cast<ngx_msec_t>(now.tv_nsec / 1000000);
}

// One state file while it is read or written.
class State {
  public:
    State(const Store& store, SessionZone& sessions, LoginZone& logins, ngx_log_t* log)
        : store_(store), path_(store.state_file), sessions_(sessions), logins_(logins), log_(log) {}

    void load();
    void save();

  private:
    DumpError read_into_zones(int fd, DumpCounts& counts);
    DumpError write_from_zones(int fd, DumpCounts& counts);
    // The store starts empty.
    void refuse(DumpError error, ngx_err_t err);
    void put_aside();
    bool remove();
    bool replace(const std::string& temporary, DumpCounts& counts);

    const Store& store_;
    const std::string& path_;
    SessionZone& sessions_;
    LoginZone& logins_;
    ngx_log_t* log_;
};

// ---- start -----------------------------------------------------------------------------------

void State::load() {
    const ngx_msec_t begun = clock_msec();
    const OpenFile file(open_to_read(path_));
    if (!file.is_open()) {
        if (errno != ENOENT) {
            refuse(DumpError::io, errno);
        }
        return;
    }
    struct stat info {};
    if (fstat(file.fd(), &info) == -1 || !S_ISREG(info.st_mode)) {
        refuse(DumpError::no_dump, 0);
        return;
    }
    DumpCounts counts;
    errno = 0;
    const DumpError error = read_into_zones(file.fd(), counts);
    if (error != DumpError::none) {
        sessions_.clear();
        refuse(error, error == DumpError::io ? errno : 0);
        return;
    }
    // What cannot be removed would be read again after a crash, with sessions that have ended.
    if (!remove()) {
        sessions_.clear();
        ngx_log_error(NGX_LOG_ERR, log_, ngx_errno,
                      "oidc: state file \"%s\" cannot be removed, so session store \"%s\" starts "
                      "empty",
                      path_.c_str(), store_.name.c_str());
        return;
    }
    ngx_log_error(NGX_LOG_NOTICE, log_, 0,
                  "oidc: session store \"%s\" goes on with %uz sessions of \"%s\" after %M ms, %uz "
                  "have expired",
                  store_.name.c_str(), counts.sessions, path_.c_str(), clock_msec() - begun,
                  counts.expired);
    if (counts.full + counts.foreign > 0) {
        ngx_log_error(NGX_LOG_WARN, log_, 0,
                      "oidc: session store \"%s\" has left out %uz sessions that do not fit into "
                      "its size, and %uz of another version of the module",
                      store_.name.c_str(), counts.full, counts.foreign);
    }
}

DumpError State::read_into_zones(int fd, DumpCounts& counts) {
    const Ring ring(store_);
    if (ring.keys.empty()) {
        return DumpError::failed;
    }
    DumpError error = DumpError::failed;
    sessions_.with_table([&](RecordTable sessions) {
        logins_.with_restore([&](OnceTable used) {
            DumpTables tables{sessions, used};
            error = read_dump([fd](std::span<char> out) { return read_all(fd, out); }, ring.keys,
                              store_.name, ngx_time(), tables, counts);
            return error == DumpError::none;
        });
    });
    return error;
}

void State::refuse(DumpError error, ngx_err_t err) {
    ngx_log_error(NGX_LOG_ERR, log_, err,
                  "oidc: state file \"%s\" is refused, so session store \"%s\" starts empty: %*s",
                  path_.c_str(), store_.name.c_str(), text_of(error).size(), text_of(error).data());
    if (error != DumpError::no_dump && error != DumpError::io) {
        put_aside();
    }
}

// Whoever has mixed up keys can still put it back; nothing reads it by itself.
void State::put_aside() {
    const std::string aside = path_ + kRejected;
    if (rename(path_.c_str(), aside.c_str()) == 0) {
        (void)sync_folder(path_);
        ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: the refused state file is now \"%s\"",
                      aside.c_str());
    } else {
        ngx_log_error(NGX_LOG_ERR, log_, ngx_errno,
                      "oidc: the refused state file \"%s\" cannot be renamed", path_.c_str());
    }
}

bool State::remove() {
    return unlink(path_.c_str()) == 0 && sync_folder(path_);
}

// ---- end -------------------------------------------------------------------------------------

void State::save() {
    const ngx_msec_t begun = clock_msec();
    if (look_at(path_) == Found::other) {
        ngx_log_error(NGX_LOG_ERR, log_, 0,
                      "oidc: \"%s\" is no state file of this module and is left alone, so the "
                      "sessions of store \"%s\" are lost",
                      path_.c_str(), store_.name.c_str());
        return;
    }
    const std::string temporary = path_ + kTemporary;
    DumpCounts counts;
    if (!replace(temporary, counts)) {
        (void)unlink(temporary.c_str());
        return;
    }
    ngx_log_error(NGX_LOG_NOTICE, log_, 0,
                  "oidc: %uz sessions of store \"%s\" are in \"%s\" after %M ms, %uz bytes",
                  counts.sessions, store_.name.c_str(), path_.c_str(), clock_msec() - begun,
                  counts.bytes);
}

bool State::replace(const std::string& temporary, DumpCounts& counts) {
    const auto failed = [this](const char* what) {
        ngx_log_error(NGX_LOG_ERR, log_, ngx_errno,
                      "oidc: state file \"%s\" cannot be %s, so the sessions of store \"%s\" are "
                      "lost",
                      path_.c_str(), what, store_.name.c_str());
        return false;
    };
    (void)unlink(temporary.c_str());
    OpenFile file(
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMode));
    if (!file.is_open()) {
        return failed("created");
    }
    errno = 0;
    if (write_from_zones(file.fd(), counts) != DumpError::none || fsync(file.fd()) == -1 ||
        !file.close_now()) {
        return failed("written");
    }
    if (rename(temporary.c_str(), path_.c_str()) == -1 || !sync_folder(path_)) {
        return failed("put in its place");
    }
    return true;
}

DumpError State::write_from_zones(int fd, DumpCounts& counts) {
    const Ring ring(store_);
    if (ring.keys.empty()) {
        return DumpError::failed;
    }
    DumpError error = DumpError::failed;
    OpensslRandom random;
    sessions_.with_table([&](RecordTable sessions) {
        logins_.with_table([&](OnceTable used) {
            error = write_dump(
                {sessions, used}, ring.keys, store_.name, ngx_time(), random,
                [fd](std::string_view bytes) { return write_all(fd, bytes); }, counts);
        });
    });
    return error;
}

// ---- configuration ---------------------------------------------------------------------------

// The folder, or the nearest above it, that is neither the master's user's nor root's: its owner
// can put another in its place. Empty: none.
std::string folder_of_another(std::string folder) {
    for (;;) {
        struct stat info {};
        if (::stat(folder.c_str(), &info) != 0) {
            return {};
        }
        if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
            return folder;
        }
        const std::size_t slash = folder.rfind('/');
        if (slash == std::string::npos || folder == "/") {
            return {};
        }
        folder.erase(slash == 0 ? 1 : slash);
    }
}

char* check_state_file(ngx_conf_t* cf, const Store& store) {
    const Place& place = store.place;
    const std::string folder = folder_of(store.state_file);
    struct stat info {};
    if (stat(folder.c_str(), &info) == -1) {
        return conf_error(
            cf, place,
            "the folder of state_file " + in_quotes(store.state_file) + " cannot be used",
            ngx_errno);
    }
    // As the master, which reads and writes it.
    if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == -1) {
        return conf_error(cf, place,
                          "the folder of state_file " + in_quotes(store.state_file) +
                              " is not writable for who runs nginx's master",
                          ngx_errno);
    }
    if ((info.st_mode & S_IWOTH) != 0 || ((info.st_mode & S_IWGRP) != 0 && info.st_gid != 0)) {
        conf_warn(cf, place,
                  "the folder of state_file " + in_quotes(store.state_file) +
                      " is writable for others, who could bring ended sessions back "
                      "with an old file");
    }
    if (const std::string owned = folder_of_another(folder); !owned.empty()) {
        conf_warn(cf, place,
                  "the folder " + in_quotes(owned) + " of state_file " +
                      in_quotes(store.state_file) +
                      " belongs to another user than nginx's master, who could bring ended "
                      "sessions back with an old file");
    }
    if (lstat(store.state_file.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        return conf_error(cf, place,
                          "state_file " + in_quotes(store.state_file) + " is not a regular file");
    }
    return conf_ok();
}

template <class Use>
void for_each_state(ngx_cycle_t* cycle, Use&& use) noexcept try {
    const MainConf* main = cycle_main_conf(cycle);
    LoginZone* logins = LoginZone::find_zone(cycle);
    if (main == nullptr || logins == nullptr) {
        return;
    }
    OpensslErrorGuard guard;
    for (const auto& store : main->stores) {
        if (store->state_file.empty()) {
            continue;
        }
        const ngx_shm_zone_t* zone = nullptr;
        SessionZone* sessions = SessionZone::find_zone(cycle, store->name, &zone);
        if (sessions != nullptr) {
            State state(*store, *sessions, *logins, cycle->log);
            use(*store, state, *zone);
        }
    }
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "oidc: no memory for a state file");
}

// The running nginx has no state file: one that lies there is older than sessions that have ended.
void remove_stale(const Store& store, ngx_log_t* log) {
    if (look_at(store.state_file) == Found::ours && unlink(store.state_file.c_str()) == 0) {
        (void)sync_folder(store.state_file);
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "oidc: state file \"%s\" is older than this nginx and was removed",
                      store.state_file.c_str());
    }
}

}  // namespace

char* check_state_files(ngx_conf_t* cf, const MainConf& main) {
    for (const auto& store : main.stores) {
        if (store->state_file.empty()) {
            continue;
        }
        for (const auto& other : main.stores) {
            if (other != store && other->state_file == store->state_file) {
                return conf_error(cf, store->place,
                                  "state_file " + in_quotes(store->state_file) +
                                      " is given to two session stores");
            }
        }
        if (char* rv = check_state_file(cf, *store); rv != conf_ok()) {
            return rv;
        }
    }
    return conf_ok();
}

void load_states(ngx_cycle_t* cycle) noexcept {
    if (ngx_test_config != 0) {
        return;
    }
    const bool starts = ngx_is_init_cycle(ngx_cycle) && ngx_inherited == 0;
    for_each_state(cycle, [&](const Store& store, State& state, const ngx_shm_zone_t&) {
        if (starts) {
            state.load();
        } else {
            remove_stale(store, cycle->log);
        }
    });
}

void save_states(ngx_cycle_t* cycle) noexcept {
    for_each_state(cycle, [](const Store&, State& state, const ngx_shm_zone_t& zone) {
        if (is_last_master(zone)) {
            state.save();
        }
    });
}

}  // namespace oidc::ngx
