// SPDX-License-Identifier: Apache-2.0
#include "oidc/text.hpp"

#include <cstdint>
#include <cstring>

namespace oidc {

std::string ascii_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = ascii_lower(c);
    }
    return out;
}

bool is_token(std::string_view text) noexcept {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [kMarks](char c) {
        return is_alnum(c) || kMarks.find(c) != std::string_view::npos;
    });
}

bool has_control_bytes(std::string_view text) noexcept {
    // Eight bytes at a time: this runs over every header value that leaves. Bytes of 0x80 and above
    // are masked away, so the additions cannot carry from one byte to the next.
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHigh = 0x80 * kOnes;
    const auto word_has = [](const char* at) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        const std::uint64_t low = word & ~kHigh;
        const std::uint64_t at_least_space = low + (0x80 - 0x20) * kOnes;
        const std::uint64_t is_delete = low + kOnes;
        return (~word & (~at_least_space | is_delete) & kHigh) != 0;
    };
    const char* at = text.data();
    const char* const end = at + text.size();
    if (text.size() >= sizeof(std::uint64_t)) {
        const char* const last = end - sizeof(std::uint64_t);
        for (; at < last; at += sizeof(std::uint64_t)) {
            if (word_has(at)) {
                return true;
            }
        }
        return word_has(last);  // with some that were seen before
    }
    for (; at != end; ++at) {
        const auto byte = static_cast<unsigned char>(*at);
        if (byte < 0x20 || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

std::string in_quotes(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    out += '"';
    out += text;
    out += '"';
    return out;
}

std::string in_quotes(std::span<const std::string> texts) {
    std::string list = "[";
    for (const std::string& text : texts) {
        list += list.size() > 1 ? ", " : "";
        list += in_quotes(text);
    }
    return list + "]";
}

}  // namespace oidc
