// SPDX-License-Identifier: Apache-2.0
// Where the requests of a location go, as far as other modules let that be read: their commands say
// where a setting is and of which type, and one that they have just made whether it is still laid
// out as it was. What cannot be read is no backend here.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/ngx.hpp"

namespace oidc::ngx {

struct Backend {
    std::string_view directive;  // "proxy_pass" and its like
    const ngx_http_upstream_srv_conf_t* group = nullptr;
    bool cgi = false;                      // the headers of a client arrive as HTTP_NAME
    const ngx_array_t* headers = nullptr;  // of ngx_keyval_t, or of ngx_http_upstream_param_t (cgi)

    // The location writes this header itself, whatever the client has sent. `name` as
    // normal_header_name() has it.
    [[nodiscard]] bool sets(std::string_view name) const;
};

// Once all levels are merged.
class Backends {
  public:
    explicit Backends(ngx_conf_t* cf);
    // Nothing: requests go nowhere, to an address that a variable holds, or without their headers.
    // `level` holds the configurations of one level, by module.
    [[nodiscard]] std::optional<Backend> at(void* const* level) const noexcept;

  private:
    struct Known {
        ngx_uint_t module;  // index of its configuration
        std::size_t upstream;
        std::size_t headers;
        std::string_view directive;
        bool cgi;
    };
    std::vector<Known> known_;
};

// They have an address in common.
[[nodiscard]] bool is_same_backend(const Backend& a, const Backend& b) noexcept;

}  // namespace oidc::ngx
