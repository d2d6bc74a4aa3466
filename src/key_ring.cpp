// SPDX-License-Identifier: Apache-2.0
#include "oidc/key_ring.hpp"

#include <algorithm>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

// A line may end in CRLF.
constexpr bool is_line_blank(char c) noexcept {
    return is_blank(c) || c == '\r';
}

bool read_hex(std::string_view text, AeadKey& key) noexcept {
    for (std::size_t i = 0; i < key.size(); ++i) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

// Either alphabet, with or without the padding.
bool read_base64(std::string_view text, AeadKey& key) {
    if (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    Secret plain(text);
    auto* data = const_cast<char*>(plain.view().data());
    for (std::size_t i = 0; i < plain.size(); ++i) {
        data[i] = data[i] == '+' ? '-' : data[i] == '/' ? '_' : data[i];
    }
    return base64url_decode_exact(plain.view(), key);
}

bool read_key(std::string_view line, AeadKey& key) {
    if (line.size() == 2 * key.size()) {
        return read_hex(line, key);
    }
    return (line.size() == 43 || line.size() == 44) && read_base64(line, key);
}

class Wiped {
  public:
    explicit Wiped(std::vector<AeadKey>& keys) noexcept : keys_(keys) {}
    Wiped(const Wiped&) = delete;
    Wiped& operator=(const Wiped&) = delete;
    ~Wiped() {
        if (!keys_.empty()) {
            cleanse(keys_.data(), keys_.size() * sizeof(AeadKey));
        }
    }

  private:
    std::vector<AeadKey>& keys_;
};

Error line_error(std::size_t line, const char* what) {
    return fail(Reason::internal_error, "line " + std::to_string(line) + " " + what);
}

// Null: good.
const char* problem_of(const AeadKey& key, std::span<const AeadKey> before) noexcept {
    if (std::all_of(key.begin(), key.end(), [&](std::uint8_t b) { return b == key.front(); })) {
        return "is no random key";
    }
    const bool known = std::any_of(before.begin(), before.end(), [&](const AeadKey& other) {
        return equal_constant_time(as_text(key), as_text(other));
    });
    return known ? "repeats an earlier key" : nullptr;
}

}  // namespace

Result<std::vector<AeadKey>> parse_key_ring(std::string_view text) {
    std::vector<AeadKey> keys;
    keys.reserve(kMaxRingKeys);  // never grows, so that no copy stays behind
    Wiped wiped(keys);
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trim(text.substr(0, end), is_line_blank);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (keys.size() == kMaxRingKeys) {
            return fail(Reason::internal_error,
                        "it holds more than " + std::to_string(kMaxRingKeys) + " keys");
        }
        AeadKey key{};
        const bool read = read_key(line, key);
        const char* problem =
            read ? problem_of(key, keys) : "is no key of 256 bits in hexadecimal digits or base64";
        if (problem != nullptr) {
            cleanse(key.data(), key.size());
            return line_error(number, problem);
        }
        keys.push_back(key);
        cleanse(key.data(), key.size());
    }
    if (keys.empty()) {
        return fail(Reason::internal_error, "it holds no key");
    }
    return std::exchange(keys, {});
}

Result<std::vector<AeadKey>> derive_ring(std::span<const AeadKey> ring, std::string_view label) {
    std::vector<AeadKey> keys;
    keys.reserve(ring.size());
    Wiped wiped(keys);
    for (const AeadKey& key : ring) {
        Result<AeadKey> derived = derive_key(key, label);
        if (!derived) {
            return derived.error();
        }
        keys.push_back(*derived);
        cleanse(derived->data(), derived->size());
    }
    return std::exchange(keys, {});
}

}  // namespace oidc
