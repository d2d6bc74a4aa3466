// SPDX-License-Identifier: Apache-2.0
#include "signin/token_cache.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace oidc::ngx {
namespace {

TokenCache* g_cache = nullptr;  // the worker's

// Eight bytes at a time: a token has a thousand, and every request brings one.
bool is_same(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) {
        return false;
    }
    std::uint64_t difference = 0;
    const char* at = a.data();
    const char* other = b.data();
    std::size_t left = a.size();
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
        std::uint64_t x = 0;
        std::uint64_t y = 0;
        std::memcpy(&x, at, sizeof x);
        std::memcpy(&y, other, sizeof y);
        difference |= x ^ y;
        at += sizeof x;
        other += sizeof y;
    }
    for (; left > 0; --left) {
        difference |= static_cast<unsigned char>(*at++ ^ *other++);
    }
    return difference == 0;
}

}  // namespace

TokenCache* TokenCache::worker() noexcept {
    return g_cache;
}

std::unique_ptr<TokenCache> TokenCache::make() {
    auto cache = std::make_unique<TokenCache>();
    g_cache = cache.get();
    return cache;
}

TokenCache::~TokenCache() {
    g_cache = nullptr;
}

// By the end of the signature, which is as good as random. Only what was verified is in a set, so
// nobody fills one with others.
std::size_t TokenCache::set_of(std::string_view text) noexcept {
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (const char c : text.substr(text.size() - std::min<std::size_t>(text.size(), 16))) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    return (hash ^ (hash >> 16)) % kSets;
}

TokenCache::Entry TokenCache::find(std::string_view text, const Provider& provider,
                                   AccessTokenTyp typ, std::uint64_t generation,
                                   Seconds now) const noexcept {
    for (const Entry& entry : sets_[set_of(text)]) {
        if (entry != nullptr && entry->provider == &provider && entry->typ == typ &&
            is_same(entry->text.view(), text)) {
            return entry->generation == generation && now < entry->forget ? entry : nullptr;
        }
    }
    return nullptr;
}

void TokenCache::add(const Entry& entry) noexcept {
    if (entry->token.record.size() > kLargest) {
        return;
    }
    Set& set = sets_[set_of(entry->text.view())];
    const auto same = std::find_if(set.begin(), set.end(), [&entry](const Entry& other) {
        return other != nullptr && other->key == entry->key && other->provider == entry->provider &&
               other->typ == entry->typ;
    });
    const auto place =
        same != set.end()
            ? same
            : std::min_element(set.begin(), set.end(), [](const Entry& a, const Entry& b) {
                  return (a == nullptr ? 0 : a->forget) < (b == nullptr ? 0 : b->forget);
              });
    *place = entry;
}

}  // namespace oidc::ngx
