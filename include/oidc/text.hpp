// SPDX-License-Identifier: Apache-2.0
// What many files ask of text and do to it. ASCII alone, whatever the locale; bytes of 0x80 and
// above are no letters. What stands on the hot path is inline.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace oidc {

constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alnum(char c) noexcept {
    return is_digit(c) || is_alpha(c);
}
// 0 to 15; -1 for what is no hexadecimal digit.
constexpr int hex_value(char c) noexcept {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
constexpr bool is_lower_hex(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}
// RFC 4648 section 5.
constexpr bool is_base64url(char c) noexcept {
    return is_alnum(c) || c == '-' || c == '_';
}

constexpr char ascii_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
std::string ascii_lower(std::string_view text);

constexpr bool equal_nocase(std::string_view a, std::string_view b) noexcept {
    // Most letters are alike as they are.
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return x == y || ascii_lower(x) == ascii_lower(y);
           });
}
inline bool starts_with_nocase(std::string_view text, std::string_view prefix) noexcept {
    return equal_nocase(text.substr(0, prefix.size()), prefix);
}

// Without blanks at both ends: SP and HTAB, or whatever blank(char) says.
constexpr bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t';
}
template <class IsBlank>
constexpr std::string_view trim(std::string_view text, IsBlank&& blank) noexcept {
    while (!text.empty() && blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}
constexpr std::string_view trim(std::string_view text) noexcept {
    // Not by the function itself, which a compiler may call by its address.
    return trim(text, [](char c) noexcept { return is_blank(c); });
}

// A token of HTTP: the name of a header or cookie (RFC 9110 section 5.6.2).
bool is_token(std::string_view text) noexcept;

// A byte below 0x20 or 0x7f.
bool has_control_bytes(std::string_view text) noexcept;

// For messages: "text", and ["a", "b"]. Nothing in it is escaped.
std::string in_quotes(std::string_view text);
std::string in_quotes(std::span<const std::string> texts);

}  // namespace oidc
