// SPDX-License-Identifier: Apache-2.0
// RenewedFile: a file of a provider that another program renews under a running nginx. The master
// reads it for the configuration, like all others; the workers look at it again from time to time,
// so it must be readable for their user.
#pragma once

#include <optional>
#include <string>

#include "config/messages.hpp"
#include "config/regular_file.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/config.hpp"

namespace oidc::ngx {

struct RenewedFile {
    using Kind = RenewedKind;
    Kind kind{};
    const char* directive = "";
    std::string path;
    Place place;
    std::optional<Alg> alg;  // of a key; nullopt: it decides
    std::size_t max = 0;     // bytes

    // In a worker: of what is in use, and what was last said to be wrong; empty: nothing is.
    FileStamp stamp;
    bool seen = false;  // the file with what is in use; else that is what the master has read once
    std::string trouble;
    bool expiry_told = false;  // that an assertion has expired
};

}  // namespace oidc::ngx
