// SPDX-License-Identifier: Apache-2.0
// OpenFile: a file descriptor that is closed when this ends.
#pragma once

#include <unistd.h>

#include <utility>

namespace oidc::ngx {

class OpenFile {
  public:
    explicit OpenFile(int fd) noexcept : fd_(fd) {}
    ~OpenFile() { (void)close_now(); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ != -1; }
    // False: what was written may be lost, errno says why.
    bool close_now() noexcept {
        const int fd = std::exchange(fd_, -1);
        return fd == -1 || ::close(fd) == 0;
    }

  private:
    int fd_;
};

}  // namespace oidc::ngx
