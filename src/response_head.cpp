// SPDX-License-Identifier: Apache-2.0
#include "oidc/response_head.hpp"

#include <algorithm>

#include "oidc/text.hpp"

namespace oidc {

namespace {

constexpr std::size_t kMaxNonce = 1024;

// 1*NQCHAR, RFC 6749 A.
bool is_nonce(std::string_view text) {
    return text.size() <= kMaxNonce && std::all_of(text.begin(), text.end(), [](char c) {
               return c > ' ' && c < 0x7f && c != '"' && c != '\\';
           });
}

}  // namespace

bool ResponseHead::refuse(const char* problem) noexcept {
    if (problem_ == nullptr) {
        problem_ = problem;
    }
    return false;
}

bool ResponseHead::accept(std::string_view line) {
    bytes_ += line.size();
    ++lines_;
    if (problem_ != nullptr) {
        return false;
    }
    if (bytes_ > kMaxBytes || lines_ > kMaxLines) {
        return refuse("response header is too large");
    }
    if (!line.ends_with("\r\n")) {
        return refuse("response header line without CRLF");
    }
    line.remove_suffix(2);
    if (std::any_of(line.begin(), line.end(), [](char c) {
            const auto byte = static_cast<unsigned char>(c);
            return (byte < 0x20 && c != '\t') || byte == 0x7f;
        })) {
        return refuse("control byte in response header");
    }
    if (part_ == Part::status_line) {
        return status_line(line);
    }
    return line.empty() ? end_of_head() : field(line);
}

bool ResponseHead::status_line(std::string_view line) {
    if (!line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.0 ")) {
        return refuse("malformed status line");
    }
    line.remove_prefix(9);
    if (line.size() < 3 || !std::all_of(line.begin(), line.begin() + 3, is_digit) ||
        (line.size() > 3 && line[3] != ' ')) {
        return refuse("malformed status line");
    }
    const int status = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (status < 100 || status > 599) {
        return refuse("response status out of range");
    }
    if (status == 101) {
        return refuse("unasked switch of protocols");
    }
    status_ = status;
    if (status_ < 200 && ++interim_ > kMaxInterim) {
        return refuse("too many interim responses");
    }
    part_ = Part::fields;
    return true;
}

bool ResponseHead::field(std::string_view line) {
    const std::size_t colon = line.find(':');
    // The name must touch the colon, and a line must not continue the one above (RFC
    // 9112 5.1, 5.2).
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
        return refuse("malformed response header line");
    }
    if (part_ == Part::trailers || status_ < 200) {
        return true;
    }
    const std::string name = ascii_lower(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "content-length") {
        if (content_length_ || value.empty() || value.size() > 18 ||
            !std::all_of(value.begin(), value.end(), is_digit)) {
            return refuse("malformed or repeated Content-Length");
        }
        content_length_ = std::stoull(std::string(value));
    } else if (name == "transfer-encoding") {
        if (chunked_ || ascii_lower(value) != "chunked") {
            return refuse("unsupported Transfer-Encoding");
        }
        chunked_ = true;
    } else if (name == "content-encoding") {
        if (ascii_lower(value) != "identity") {
            return refuse("unasked Content-Encoding");
        }
    } else if (name == "content-type") {
        std::string type = ascii_lower(trim(value.substr(0, value.find(';'))));
        if (!content_type_.empty() && content_type_ != type) {
            return refuse("two different Content-Type");
        }
        content_type_ = std::move(type);
    } else if (name == "location") {
        location_ = value;
    } else if (name == "retry-after") {
        retry_after_ = value;
    } else if (name == "www-authenticate") {
        authenticate_ = value;
    } else if (name == "dpop-nonce" && is_nonce(value)) {
        dpop_nonce_ = value;
    }
    return true;
}

bool ResponseHead::end_of_head() {
    if (part_ == Part::trailers) {
        return true;
    }
    if (status_ < 200) {
        part_ = Part::status_line;
        status_ = 0;
        return true;
    }
    // One of the two is a lie: request smuggling in the other direction (RFC 9112 section 6.3).
    if (chunked_ && content_length_) {
        return refuse("both Content-Length and Transfer-Encoding");
    }
    part_ = Part::trailers;
    return true;
}

}  // namespace oidc
