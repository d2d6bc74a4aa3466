// SPDX-License-Identifier: Apache-2.0
// ResponseHead: checks the head of a provider's response line by line. libcurl forgives more than a
// peer that decides about sign-ins should be forgiven.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oidc {

class ResponseHead {
  public:
    static constexpr std::size_t kMaxBytes = 64 * 1024;
    static constexpr unsigned kMaxLines = 200;   // of all heads of one response, and trailers
    static constexpr unsigned kMaxInterim = 10;  // 1xx responses before the final one

    // One raw line with its line end: status lines (RFC 9112 section 4), fields, the empty line,
    // trailers. False: the response is refused, problem() says why.
    bool accept(std::string_view line);

    [[nodiscard]] int status() const noexcept { return status_; }  // 0: none yet
    [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }
    [[nodiscard]] const std::string& location() const noexcept { return location_; }
    [[nodiscard]] const std::string& retry_after() const noexcept { return retry_after_; }
    // WWW-Authenticate, the last one when there are several.
    [[nodiscard]] const std::string& authenticate() const noexcept { return authenticate_; }
    // Empty: none, or not what RFC 9449 8.1 lets it be.
    [[nodiscard]] const std::string& dpop_nonce() const noexcept { return dpop_nonce_; }
    [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
        return content_length_;
    }
    [[nodiscard]] const char* problem() const noexcept { return problem_; }  // null: none

  private:
    enum class Part : std::uint8_t { status_line, fields, trailers };
    bool refuse(const char* problem) noexcept;
    bool status_line(std::string_view line);
    bool field(std::string_view line);
    bool end_of_head();

    Part part_ = Part::status_line;
    std::size_t bytes_ = 0;
    unsigned lines_ = 0;
    unsigned interim_ = 0;
    int status_ = 0;
    bool chunked_ = false;
    std::optional<std::uint64_t> content_length_;
    std::string content_type_;
    std::string location_;
    std::string retry_after_;
    std::string authenticate_;
    std::string dpop_nonce_;
    const char* problem_ = nullptr;
};

}  // namespace oidc
