// SPDX-License-Identifier: Apache-2.0
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

// A text, number or boolean. Their text: that of a text itself, of the others as in JSON, of a real
// the shortest that reads back as the same number. Precondition of the second: the first.
bool json_is_scalar(const json_t* value) noexcept;
std::string json_scalar_text(const json_t* value);

// Compact text of any value, UTF-8, members in their order.
std::string json_text(const json_t* value);

// An object to be written: members in the order in which they were added; a name that is there
// already gets the new value, in its place. Names are UTF-8 without NUL. Throws std::bad_alloc.
class JsonObject {
  public:
    JsonObject();
    // Bytes that are no UTF-8 become U+FFFD.
    void add(std::string_view name, std::string_view text);
    void add(std::string_view name, std::uint64_t number);  // at most INT64_MAX
    void add(std::string_view name, const JsonObject& object);
    void add(std::string_view name, const std::vector<JsonObject>& list);
    void add_flag(std::string_view name, bool value);
    void add_null(std::string_view name);
    // The text of any JSON value; what is none is added as a string.
    void add_json(std::string_view name, std::string_view json);
    [[nodiscard]] std::string text() const { return json_text(object_.get()); }

  private:
    void set(std::string_view name, JsonPtr value);
    JsonPtr object_;
};

}  // namespace oidc
