// SPDX-License-Identifier: Apache-2.0
// Files without a name (memfd), of one size for ever: nobody who has the descriptor can take pages
// away from under the workers.
#pragma once

#include <cstddef>
#include <span>

namespace oidc::ngx {

// A descriptor, which the caller closes; -1 with errno: there is none, ENOSYS where the system has
// no such files.
int make_memory_file(const char* name, std::size_t size) noexcept;
// Whether the descriptor is one of these.
bool is_memory_file(int fd) noexcept;
// Maps the file in place of the pages at `place`. `probe`: only tries whether it can be mapped,
// and leaves them as they are. False with errno.
bool map_memory_file(int fd, std::span<std::byte> place, bool probe) noexcept;

}  // namespace oidc::ngx
