// SPDX-License-Identifier: Apache-2.0
// In which format somebody wants the counters.
#pragma once

#include <cstdint>
#include <string_view>

#include "oidc/result.hpp"

namespace oidc {

enum class StatusFormat : std::uint8_t { json, prometheus };

// `query` of the request: format=json or format=prometheus decides. Without it Accept does (RFC
// 9110 12.5.1): Prometheus when text/plain or application/openmetrics-text is wanted more than
// application/json, or as much but by a more specific range. Error: malformed, another format or
// several.
Result<StatusFormat> status_format(std::string_view query, std::string_view accept);

}  // namespace oidc
