// SPDX-License-Identifier: Apache-2.0
#include "oidc/encode.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHexLower = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";

constexpr std::uint8_t kNoValue = 0xff;

constexpr std::array<std::uint8_t, 256> make_url_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNoValue);
    for (std::size_t i = 0; i < kUrl.size(); ++i) {
        values[static_cast<unsigned char>(kUrl[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> kUrlValues = make_url_values();

// Bytes that `chars` base64url characters decode to; the remainder 1 is no length at all.
constexpr std::size_t decoded_size(std::size_t chars) {
    return chars / 4 * 3 + (chars % 4 == 0 ? 0 : chars % 4 - 1);
}

// Decodes `text` to `out`, which has decoded_size(text.size()) bytes.
bool decode_url(std::string_view text, std::uint8_t* out) noexcept {
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const std::uint8_t value = kUrlValues[static_cast<unsigned char>(c)];
        if (value == kNoValue) {
            return false;
        }
        bits = (bits << 6) | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = static_cast<std::uint8_t>(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    return bits == 0;  // else two texts would decode to the same bytes
}

constexpr std::array<bool, 256> make_unreserved() {
    std::array<bool, 256> table{};
    for (const char c : kUrl) {
        table[static_cast<unsigned char>(c)] = true;
    }
    table['.'] = true;
    table['~'] = true;
    return table;
}
constexpr std::array<bool, 256> kUnreserved = make_unreserved();

template <class Out>
void append_escaped(Out& out, std::string_view text, bool space_is_plus) {
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at != end;) {
        const char* const run = at;
        while (at != end && kUnreserved[static_cast<unsigned char>(*at)]) {
            ++at;
        }
        out.append(std::string_view(run, static_cast<std::size_t>(at - run)));
        if (at == end) {
            return;
        }
        const auto byte = static_cast<unsigned char>(*at++);
        if (byte == ' ' && space_is_plus) {
            out.append(std::string_view("+"));
        } else {
            const std::array<char, 3> escape{'%', kHexUpper[byte >> 4], kHexUpper[byte & 15]};
            out.append(std::string_view(escape.data(), escape.size()));
        }
    }
}

// Length of the well-formed UTF-8 sequence that `text` starts with (Unicode, table 3-7), or 0.
std::size_t utf8_sequence(std::string_view text) noexcept {
    const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) {
        return 1;
    }
    std::size_t length = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        low = lead == 0xe0 ? 0xa0 : low;    // overlong
        high = lead == 0xed ? 0x9f : high;  // surrogates
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        low = lead == 0xf0 ? 0x90 : low;    // overlong
        high = lead == 0xf4 ? 0x8f : high;  // above U+10FFFF
    } else {
        return 0;
    }
    if (text.size() < length || at(1) < low || at(1) > high) {
        return 0;
    }
    for (std::size_t i = 2; i < length; ++i) {
        if ((at(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

}  // namespace

std::string base64url_encode(ByteView bytes) {
    std::string out((bytes.size() * 4 + 2) / 3, '\0');
    char* to = out.data();
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 3; left -= 3, at += 3) {
        const std::uint32_t bits = std::uint32_t{at[0]} << 16 | std::uint32_t{at[1]} << 8 | at[2];
        *to++ = kUrl[bits >> 18];
        *to++ = kUrl[bits >> 12 & 63];
        *to++ = kUrl[bits >> 6 & 63];
        *to++ = kUrl[bits & 63];
    }
    if (left == 2) {
        const std::uint32_t bits = std::uint32_t{at[0]} << 16 | std::uint32_t{at[1]} << 8;
        *to++ = kUrl[bits >> 18];
        *to++ = kUrl[bits >> 12 & 63];
        *to++ = kUrl[bits >> 6 & 63];
    } else if (left == 1) {
        *to++ = kUrl[at[0] >> 2];
        *to++ = kUrl[(at[0] & 3) << 4];
    }
    return out;
}

std::optional<std::string> base64url_decode(std::string_view text) {
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    std::string out(decoded_size(text.size()), '\0');
    if (!decode_url(text, reinterpret_cast<std::uint8_t*>(out.data()))) {
        return std::nullopt;
    }
    return out;
}

bool base64url_decode_exact(std::string_view text, std::span<std::uint8_t> out) noexcept {
    return text.size() % 4 != 1 && decoded_size(text.size()) == out.size() &&
           decode_url(text, out.data());
}

Secret base64_encode(std::string_view bytes) {
    Secret out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::array<char, 4> quad{};
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t have = bytes.size() - i < 3 ? bytes.size() - i : 3;
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            bits = (bits << 8) | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            quad[j] = j <= have ? kStandard[(bits >> (18 - 6 * j)) & 63] : '=';
        }
        out.append({quad.data(), quad.size()});
    }
    cleanse(quad.data(), quad.size());
    return out;
}

std::string hex_encode(ByteView bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        out.push_back(kHexLower[byte >> 4]);
        out.push_back(kHexLower[byte & 15]);
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    append_escaped(out, text, false);
    return out;
}

void append_percent_encoded(std::string& out, std::string_view text) {
    append_escaped(out, text, false);
}

void append_form_encoded(Secret& out, std::string_view text) {
    append_escaped(out, text, true);
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3) {
                return std::nullopt;
            }
            const int high = hex_value(text[i + 1]);
            const int low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) {
                return std::nullopt;
            }
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else {
            out.push_back(text[i] == '+' && plus_is_space ? ' ' : text[i]);
        }
    }
    return out;
}

std::string html_escape(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    for (const char c : text) {
        switch (c) {
            case '&':
                out.append("&amp;");
                break;
            case '<':
                out.append("&lt;");
                break;
            case '>':
                out.append("&gt;");
                break;
            case '"':
                out.append("&quot;");
                break;
            case '\'':
                out.append("&#39;");
                break;
            default:
                out.push_back(c);
        }
    }
    return out;
}

std::string json_quote(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    out.push_back('"');
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (length == 0) {
            out.append("\xef\xbf\xbd");
        } else if (byte == '"' || byte == '\\') {
            out.push_back('\\');
            out.push_back(text.front());
        } else if (byte < 0x20) {
            out.append("\\u00");
            out.push_back(kHexLower[byte >> 4]);
            out.push_back(kHexLower[byte & 15]);
        } else {
            out.append(text.substr(0, length));
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out.push_back('"');
    return out;
}

std::string log_escape(std::string_view text, std::size_t max_bytes) {
    const std::string_view shown = text.substr(0, max_bytes);
    std::string out;
    out.reserve(shown.size() + 3);
    for (const char c : shown) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\\') {
            out.append("\\\\");
        } else if (byte >= 0x20 && byte < 0x7f) {
            out.push_back(c);
        } else {
            out.append("\\x");
            out.push_back(kHexUpper[byte >> 4]);
            out.push_back(kHexUpper[byte & 15]);
        }
    }
    if (shown.size() < text.size()) {
        out.append("...");
    }
    return out;
}

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

std::string utf8_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        out.append(length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

}  // namespace oidc
