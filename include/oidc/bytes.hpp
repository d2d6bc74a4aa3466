// Secrets in memory, and comparisons that take the same time whatever the content.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
// response bodies towards the provider. Wiped on destruction, growth and move. A vector and not a
// string, because a short std::string lives inside its object and survives a move.
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string_view text) : bytes_(text.begin(), text.end()) {}
    Secret(Secret&&) noexcept = default;
    Secret& operator=(Secret&&) noexcept = default;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() = default;

    [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), bytes_.size()}; }
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] Secret clone() const { return Secret(view()); }
    void append(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
    void reserve(std::size_t n) { bytes_.reserve(n); }
    void clear() noexcept { bytes_ = {}; }

  private:
    std::vector<char, CleansingAllocator<char>> bytes_;
};

}  // namespace oidc
