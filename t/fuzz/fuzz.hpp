// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. A target feeds hostile bytes to a parser, and where the parser
// accepts them, asserts what everybody relies on; a broken promise aborts.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/ports.hpp"

namespace oidc::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

inline void promise(bool kept, const char* what) {
    if (!kept) {
        std::fprintf(stderr, "broken promise: %s\n", what);
        std::abort();
    }
}

// The same bytes in every run.
class FixedRandom final : public Random {
  public:
    [[nodiscard]] bool fill(std::span<std::uint8_t> out) noexcept override {
        for (std::uint8_t& byte : out) {
            byte = static_cast<std::uint8_t>(next_++);
        }
        return true;
    }

  private:
    std::uint32_t next_ = 0;
};

// The first line of the input is the media type, the second the status, the rest the body.
inline HttpResponse response_of(std::string_view input) {
    HttpResponse response;
    const auto line = [&] {
        const std::size_t end = input.find('\n');
        const std::string_view taken = input.substr(0, end);
        input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
        return std::string(taken);
    };
    response.content_type = line();
    response.status = std::atoi(line().c_str());  // NOLINT: anything is a status here
    response.location = response.content_type;
    response.body = Secret(input);
    return response;
}

}  // namespace oidc::fuzz
