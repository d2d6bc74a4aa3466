// SPDX-License-Identifier: Apache-2.0
#include "oidc/traceparent.hpp"

#include <algorithm>

#include "oidc/text.hpp"

namespace oidc {
namespace {

// "00-<trace id>-<parent id>-<flags>"
constexpr std::string_view kVersion00 = "00-";
constexpr std::size_t kTraceId = 32;
constexpr std::size_t kParentId = 16;
constexpr std::size_t kFlags = 2;
constexpr std::size_t kLength = kVersion00.size() + kTraceId + 1 + kParentId + 1 + kFlags;

bool is_hex(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return is_lower_hex(c); });
}

bool is_id(std::string_view text) noexcept {
    return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

bool is_traceparent(std::string_view text) noexcept {
    if (text.size() != kLength || !text.starts_with(kVersion00)) {
        return false;
    }
    text.remove_prefix(kVersion00.size());
    const std::string_view trace = text.substr(0, kTraceId);
    text.remove_prefix(kTraceId);
    const std::string_view parent = text.substr(1, kParentId);
    const std::string_view flags = text.substr(1 + kParentId);
    return text.front() == '-' && flags.front() == '-' && is_id(trace) && is_id(parent) &&
           is_hex(flags.substr(1));
}

}  // namespace oidc
