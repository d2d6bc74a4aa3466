// SPDX-License-Identifier: Apache-2.0
#include "oidc/bytes.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

namespace oidc {

bool equal_constant_time(std::string_view a, std::string_view b) noexcept {
    if (a.empty() || a.size() != b.size()) {
        return false;
    }
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void cleanse(void* data, std::size_t size) noexcept {
    if (data != nullptr && size > 0) {
        OPENSSL_cleanse(data, size);
    }
}

void Secret::append(std::string_view text) {
    if (text.empty()) {
        return;
    }
    if (text.size() > capacity_ - size_) {
        Secret grown;
        grown.reserve(std::max(size_ + text.size(), 2 * capacity_));
        grown.append(view());
        grown.append(text);
        swap(grown);
        return;
    }
    std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
}

void Secret::reserve(std::size_t capacity) {
    if (capacity <= capacity_) {
        return;
    }
    Secret grown;
    grown.data_ = CleansingAllocator<char>().allocate(capacity);
    grown.capacity_ = capacity;
    grown.append(view());
    swap(grown);
}

void Secret::clear() noexcept {
    if (data_ != nullptr) {
        CleansingAllocator<char>().deallocate(data_, capacity_);
    }
    data_ = nullptr;
    size_ = 0;
    capacity_ = 0;
}

}  // namespace oidc
