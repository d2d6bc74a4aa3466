// SPDX-License-Identifier: Apache-2.0
#include "shm/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace oidc::ngx {

#if defined(MFD_ALLOW_SEALING) && defined(F_ADD_SEALS)

namespace {
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
}  // namespace

int make_memory_file(const char* name, std::size_t size) noexcept {
    // Newer kernels want to be told that nothing in it is to be executed, older ones refuse to hear
    // it.
    constexpr unsigned kNoExec = 8U;
    int fd = memfd_create(name, MFD_ALLOW_SEALING | kNoExec);
    if (fd == -1 && errno == EINVAL) {
        fd = memfd_create(name, MFD_ALLOW_SEALING);
    }
    if (fd == -1) {
        return -1;
    }
    if (ftruncate(fd, static_cast<off_t>(size)) == -1 || fcntl(fd, F_ADD_SEALS, kSeals) == -1) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool is_memory_file(int fd) noexcept {
    const int seals = fcntl(fd, F_GET_SEALS);
    return seals != -1 && (seals & kSeals) == kSeals;
}

#else

int make_memory_file(const char* /*name*/, std::size_t /*size*/) noexcept {
    errno = ENOSYS;
    return -1;
}

bool is_memory_file(int /*fd*/) noexcept {
    return false;
}

#endif

bool map_memory_file(int fd, std::span<std::byte> place, bool probe) noexcept {
    void* wanted = probe ? nullptr : place.data();
    void* at = mmap(wanted, place.size(), PROT_READ | PROT_WRITE,
                    MAP_SHARED | (probe ? 0 : MAP_FIXED), fd, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    if (probe) {
        (void)munmap(at, place.size());
    }
    return true;
}

}  // namespace oidc::ngx
