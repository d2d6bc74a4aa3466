// SPDX-License-Identifier: Apache-2.0
// Secrets in memory, and comparisons that take the same time whatever the content.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace oidc {

using ByteView = std::span<const std::uint8_t>;
using Digest = std::array<std::uint8_t, 32>;  // SHA-256

inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// True when both are non-empty, of the same length and equal; the time depends on the length only.
// Two empty values are never equal: an absent secret must not match an absent secret.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b) noexcept;

// Overwrites memory in a way that the compiler keeps.
void cleanse(void* data, std::size_t size) noexcept;

// Allocator whose memory is overwritten before it is given back, so that growing or destroying a
// buffer leaves no copy behind.
template <class T>
struct CleansingAllocator {
    using value_type = T;
    CleansingAllocator() = default;
    template <class U>
    CleansingAllocator(const CleansingAllocator<U>&) noexcept {}  // NOLINT: rebind conversion
    T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
    void deallocate(T* p, std::size_t n) noexcept {
        cleanse(p, n * sizeof(T));
        std::allocator<T>().deallocate(p, n);
    }
    template <class U>
    bool operator==(const CleansingAllocator<U>&) const noexcept {
        return true;
    }
};

// Text that must not outlive its use: client secrets, codes, verifiers, tokens, request and
// response bodies towards the provider. Wiped on destruction, growth and move. Not a string,
// because a short std::string lives inside its object and survives a move; not a vector, because
// one with an allocator of its own copies byte by byte.
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string_view text) { append(text); }
    Secret(Secret&& other) noexcept { swap(other); }
    Secret& operator=(Secret&& other) noexcept {
        Secret moved(std::move(other));
        swap(moved);
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() {
        if (data_ != nullptr) {
            clear();
        }
    }

    [[nodiscard]] std::string_view view() const noexcept { return {data_, size_}; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Secret clone() const { return Secret(view()); }
    void append(std::string_view text);  // which may be part of this
    void reserve(std::size_t capacity);
    void clear() noexcept;

  private:
    void swap(Secret& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }
    char* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace oidc
