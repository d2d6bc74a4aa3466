// SPDX-License-Identifier: Apache-2.0
// Reads the files that the configuration names: keys, secrets, certificates.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc::ngx {

// What tells a file from the one that was under its name before. A symbolic link counts as what it
// leads to.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified = 0;  // nanoseconds since the epoch
    std::int64_t changed = 0;   // the same, of content, owner, mode and name
    bool operator==(const FileStamp&) const = default;
    [[nodiscard]] Seconds changed_at() const noexcept { return changed / 1'000'000'000; }
};

struct ReadFile {
    Secret content;
    mode_t mode = 0;
    FileStamp stamp;
    const char* problem = nullptr;  // null: read
    ngx_err_t err = 0;
};

// A file of at most `max` bytes without NUL, read as a whole; what went through is wiped. Blocks on
// no FIFO and no terminal. Throws std::bad_alloc.
ReadFile read_regular_file(const std::string& path, std::size_t max);

// nullopt: there is none, or a folder above it cannot be entered; errno says which.
std::optional<FileStamp> stamp_of(const std::string& path) noexcept;

}  // namespace oidc::ngx
