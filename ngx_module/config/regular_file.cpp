// SPDX-License-Identifier: Apache-2.0
#include "config/regular_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/open_file.hpp"

namespace oidc::ngx {

namespace {

std::int64_t nanoseconds(const timespec& time) noexcept {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp(const struct stat& info) noexcept {
    return {info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim),
            nanoseconds(info.st_ctim)};
}

}  // namespace

ReadFile read_regular_file(const std::string& path, std::size_t max) {
    ReadFile out;
    // O_NONBLOCK: a FIFO must not stop the master.
    const OpenFile file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    struct stat info {};
    if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0) {
        out.problem = "cannot be opened";
        out.err = ngx_errno;
        return out;
    }
    out.mode = info.st_mode & 07777;
    out.stamp = stamp(info);
    if (!S_ISREG(info.st_mode)) {
        out.problem = "is not a regular file";
        return out;
    }
    std::vector<char, CleansingAllocator<char>> buffer(max + 1);
    std::size_t filled = 0;
    while (filled < buffer.size()) {
        const ssize_t n = ::read(file.fd(), buffer.data() + filled, buffer.size() - filled);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            out.problem = "cannot be read";
            out.err = ngx_errno;
            return out;
        }
        if (n == 0) {
            break;
        }
        filled += static_cast<std::size_t>(n);
    }
    if (filled > max) {
        out.problem = "is too large";
        return out;
    }
    out.content = Secret({buffer.data(), filled});
    if (out.content.view().find('\0') != std::string_view::npos) {
        out.problem = "holds a NUL byte";
    }
    return out;
}

std::optional<FileStamp> stamp_of(const std::string& path) noexcept {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return std::nullopt;
    }
    return stamp(info);
}

}  // namespace oidc::ngx
