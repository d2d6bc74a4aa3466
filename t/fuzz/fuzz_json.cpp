// SPDX-License-Identifier: Apache-2.0
// json_parse_object and the typed members: whatever is accepted survives being written and read
// again, and no member is both of a type and not.
#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = text_of(data, size);
    const Result<JsonPtr> object =
        json_parse_object(text, {.max_bytes = 64 * 1024, .max_depth = 16});
    if (!object) {
        return 0;
    }
    promise(json_is_object(object->get()), "only objects are accepted");
    promise(is_utf8(text), "only UTF-8 is accepted");
    promise(text.find('\0') == std::string_view::npos, "NUL is refused");
    const std::string written = json_text(object->get());
    const Result<JsonPtr> again = json_parse_object(written);
    promise(again.ok(), "what is written can be read");
    promise(json_equal(object->get(), again->get()) == 1, "writing changes nothing");
    const char* name = nullptr;
    json_t* value = nullptr;
    json_object_foreach(object->get(), name, value) {
        (void)json_bool(object->get(), name);
        (void)json_strings(object->get(), name);
        const auto string = json_string(object->get(), name);
        promise(string.ok() == (json_is_string(value) || json_is_null(value)), "strings");
        const auto time = json_time(object->get(), name);
        promise(!time || !*time || (**time >= 0 && **time <= 253402300799), "times are in range");
    }
    return 0;
}
