// JSON with limits, over jansson. RFC 8259; duplicate members are refused (RFC 7515 section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/ptr.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct JsonLimits {
    std::size_t max_bytes = 256 * 1024;
    int max_depth = 32;
};

// Parses one JSON *object* and nothing after it. Refuses: another top-level type, a byte-order
// mark, NUL, text that is not UTF-8, duplicate members, \u0000 inside strings, anything beyond the
// limits. Errors: Reason::malformed, Reason::too_large.
Result<JsonPtr> json_parse_object(std::string_view text, JsonLimits limits = {});

// Members of an object. A member that is absent or null gives nullopt inside an ok Result; one of
// another type is an error (Reason::malformed, detail names the member). Views are borrowed from
// `object`.
Result<std::optional<std::string_view>> json_string(const json_t* object, const char* name);
Result<std::optional<bool>> json_bool(const json_t* object, const char* name);
// NumericDate (RFC 7519 section 2): an integer or a finite real; fractions are cut. Values outside
// [0, 253402300799] (year 9999) are an error, so no caller can overflow.
Result<std::optional<std::int64_t>> json_time(const json_t* object, const char* name);
// An array whose elements are all strings, or absent.
Result<std::optional<std::vector<std::string>>> json_strings(const json_t* object,
                                                             const char* name);

// Compact text of any value, UTF-8, members in their order.
std::string json_text(const json_t* value);

}  // namespace oidc
