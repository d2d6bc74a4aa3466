// SPDX-License-Identifier: Apache-2.0
// Encodings. Decoders are strict: what is not the canonical form is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"

namespace oidc {

// RFC 7515 section 2: base64url without padding. The decoder refuses padding, white space, the
// other alphabet and non-zero trailing bits.
std::string base64url_encode(ByteView bytes);
std::optional<std::string> base64url_decode(std::string_view text);
// Decodes exactly out.size() bytes without allocating; false when `text` is anything else.
bool base64url_decode_exact(std::string_view text, std::span<std::uint8_t> out) noexcept;

// RFC 4648 section 4 with padding (HTTP Basic).
Secret base64_encode(std::string_view bytes);

std::string hex_encode(ByteView bytes);

// application/x-www-form-urlencoded, one value: unreserved characters stay, space becomes `+`
// in append_form_encoded, for forms that may hold the client secret, and `%20` in the others.
std::string percent_encode(std::string_view text);
void append_percent_encoded(std::string& out, std::string_view text);
void append_form_encoded(Secret& out, std::string_view text);
// `%xx` and, when plus_is_space, `+`. nullopt on a bad or cut escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// & < > " ' for text and attribute values in HTML.
std::string html_escape(std::string_view text);

// A JSON string literal with its quotes; `text` must be UTF-8 (invalid bytes become U+FFFD).
std::string json_quote(std::string_view text);

// For log lines: bytes outside printable ASCII as \xHH, backslash doubled, cut at max_bytes with
// "..." appended. Never grows past 4 * max_bytes + 3.
std::string log_escape(std::string_view text, std::size_t max_bytes = 256);

// True when `text` is well-formed UTF-8 (no overlong forms, surrogates, or code points above
// U+10FFFF).
bool is_utf8(std::string_view text) noexcept;
// `text` with U+FFFD for every byte that is part of no well-formed sequence.
std::string utf8_text(std::string_view text);

}  // namespace oidc
