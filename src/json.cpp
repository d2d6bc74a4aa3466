// SPDX-License-Identifier: Apache-2.0
#include "oidc/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "oidc/encode.hpp"

namespace oidc {
namespace {

constexpr std::int64_t kLastSecond = 253'402'300'799;  // 9999-12-31T23:59:59Z

// The deepest nesting of arrays and objects. Brackets inside strings do not count. Runs before the
// parser, which would recurse for each level; need not judge the grammar.
int nesting_depth(std::string_view text) noexcept {
    int depth = 0;
    int deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            deepest = ++depth > deepest ? depth : deepest;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return deepest;
}

Error wrong_type(const char* name, const char* expected) {
    return fail(Reason::malformed, std::string("json member \"") + name + "\" is not " + expected);
}

// The member, or nullptr when it is absent or null.
const json_t* member(const json_t* object, const char* name) noexcept {
    const json_t* value = json_object_get(object, name);
    return json_is_null(value) ? nullptr : value;
}

}  // namespace

Result<JsonPtr> json_parse_object(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.max_bytes) {
        return fail(Reason::too_large, "json of " + std::to_string(text.size()) +
                                           " bytes, the limit is " +
                                           std::to_string(limits.max_bytes));
    }
    if (text.find('\0') != std::string_view::npos) {
        return fail(Reason::malformed, "json with a nul byte");
    }
    if (text.starts_with("\xef\xbb\xbf")) {
        return fail(Reason::malformed, "json with a byte-order mark");
    }
    if (!is_utf8(text)) {
        return fail(Reason::malformed, "json that is not utf-8");
    }
    if (nesting_depth(text) > limits.max_depth) {
        return fail(Reason::too_large,
                    "json nested deeper than " + std::to_string(limits.max_depth) + " levels");
    }
    json_error_t error;
    JsonPtr value(
        json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error));
    if (value == nullptr) {
        // error.text quotes the input, which may be a token: only the place is told.
        return fail(
            Reason::malformed,
            "invalid json at byte " + std::to_string(error.position) +
                (json_error_code(&error) == json_error_duplicate_key ? ": duplicate member" : ""));
    }
    if (!json_is_object(value.get())) {
        return fail(Reason::malformed, "json that is not an object");
    }
    return value;
}

Result<std::optional<std::string_view>> json_string(const json_t* object, const char* name) {
    const json_t* value = member(object, name);
    if (value == nullptr) {
        return std::optional<std::string_view>();
    }
    if (!json_is_string(value)) {
        return wrong_type(name, "a string");
    }
    return std::optional<std::string_view>(
        std::string_view(json_string_value(value), json_string_length(value)));
}

Result<std::optional<bool>> json_bool(const json_t* object, const char* name) {
    const json_t* value = member(object, name);
    if (value == nullptr) {
        return std::optional<bool>();
    }
    if (!json_is_boolean(value)) {
        return wrong_type(name, "a boolean");
    }
    return std::optional<bool>(json_is_true(value));
}

Result<std::optional<std::int64_t>> json_time(const json_t* object, const char* name) {
    const json_t* value = member(object, name);
    if (value == nullptr) {
        return std::optional<std::int64_t>();
    }
    if (json_is_integer(value)) {
        const json_int_t seconds = json_integer_value(value);
        if (seconds >= 0 && seconds <= kLastSecond) {
            return std::optional<std::int64_t>(seconds);
        }
    } else if (json_is_real(value)) {
        const double seconds = json_real_value(value);
        if (std::isfinite(seconds) && seconds >= 0 && seconds <= static_cast<double>(kLastSecond)) {
            return std::optional<std::int64_t>(static_cast<std::int64_t>(seconds));
        }
    } else {
        return wrong_type(name, "a number");
    }
    return wrong_type(name, "a time between 1970 and 9999");
}

Result<std::optional<std::vector<std::string>>> json_strings(const json_t* object,
                                                             const char* name) {
    const json_t* value = member(object, name);
    if (value == nullptr) {
        return std::optional<std::vector<std::string>>();
    }
    if (!json_is_array(value)) {
        return wrong_type(name, "an array of strings");
    }
    std::vector<std::string> strings;
    strings.reserve(json_array_size(value));
    for (std::size_t i = 0; i < json_array_size(value); ++i) {
        const json_t* element = json_array_get(value, i);
        if (!json_is_string(element)) {
            return wrong_type(name, "an array of strings");
        }
        strings.emplace_back(json_string_value(element), json_string_length(element));
    }
    return std::optional<std::vector<std::string>>(std::move(strings));
}

bool json_is_scalar(const json_t* value) noexcept {
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

std::string json_scalar_text(const json_t* value) {
    if (json_is_string(value)) {
        return {json_string_value(value), json_string_length(value)};
    }
    if (json_is_real(value)) {
        std::array<char, 32> buffer{};
        const auto end =
            std::to_chars(buffer.data(), buffer.data() + buffer.size(), json_real_value(value));
        return {buffer.data(), end.ptr};
    }
    if (json_is_integer(value)) {
        return std::to_string(json_integer_value(value));
    }
    return json_is_true(value) ? "true" : "false";
}

std::string json_text(const json_t* value) {
    constexpr std::size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    // Into our own buffer: one of the C library's would need its free(). Most values are short.
    std::string text(64, '\0');
    std::size_t size = json_dumpb(value, text.data(), text.size(), flags);
    if (size > text.size()) {
        text.resize(size);
        size = json_dumpb(value, text.data(), text.size(), flags);
    }
    text.resize(size);
    return text;
}

namespace {

JsonPtr owned(json_t* value) {
    if (value == nullptr) {
        throw std::bad_alloc();
    }
    return JsonPtr(value);
}

}  // namespace

JsonObject::JsonObject() : object_(owned(json_object())) {}

void JsonObject::set(std::string_view name, JsonPtr value) {
    if (json_object_set_new_nocheck(object_.get(), std::string(name).c_str(), value.release()) !=
        0) {
        throw std::bad_alloc();
    }
}

void JsonObject::add(std::string_view name, std::string_view text) {
    if (is_utf8(text)) {
        set(name, owned(json_stringn_nocheck(text.data(), text.size())));
        return;
    }
    const std::string valid = utf8_text(text);
    set(name, owned(json_stringn_nocheck(valid.data(), valid.size())));
}

void JsonObject::add(std::string_view name, std::uint64_t number) {
    constexpr std::uint64_t kMax = std::numeric_limits<json_int_t>::max();
    set(name, owned(json_integer(static_cast<json_int_t>(std::min(number, kMax)))));
}

void JsonObject::add(std::string_view name, const JsonObject& object) {
    set(name, JsonPtr(json_incref(object.object_.get())));
}

void JsonObject::add(std::string_view name, const std::vector<JsonObject>& list) {
    JsonPtr array = owned(json_array());
    for (const JsonObject& element : list) {
        if (json_array_append(array.get(), element.object_.get()) != 0) {
            throw std::bad_alloc();
        }
    }
    set(name, std::move(array));
}

void JsonObject::add_flag(std::string_view name, bool value) {
    set(name, JsonPtr(json_boolean(value)));
}

void JsonObject::add_null(std::string_view name) {
    set(name, JsonPtr(json_null()));
}

void JsonObject::add_json(std::string_view name, std::string_view json) {
    JsonPtr value(json_loadb(json.data(), json.size(), JSON_DECODE_ANY, nullptr));
    if (value == nullptr) {
        add(name, json);
        return;
    }
    set(name, std::move(value));
}

}  // namespace oidc
