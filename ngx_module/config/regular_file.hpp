// SPDX-License-Identifier: Apache-2.0
// Reads the files that the configuration names: keys, secrets, certificates.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"

namespace oidc::ngx {

struct ReadFile {
    Secret content;
    mode_t mode = 0;
    const char* problem = nullptr;  // null: read
    ngx_err_t err = 0;
};

// A file of at most `max` bytes without NUL, read as a whole; what went through is wiped. Blocks on
// no FIFO and no terminal. Throws std::bad_alloc.
ReadFile read_regular_file(const std::string& path, std::size_t max);

}  // namespace oidc::ngx
