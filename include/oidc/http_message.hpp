// SPDX-License-Identifier: Apache-2.0
// HTTP messages between the core and the adapter. The core never parses HTTP/1.1 framing: libcurl
// does, behind the adapter.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct Header {
    std::string name;
    std::string value;
};

// A request to the provider. Moves only: it carries credentials.
struct HttpRequest {
    enum class Method : std::uint8_t { get, post };
    Method method = Method::get;
    std::string url;
    // The directive that names this endpoint ("token_endpoint"), for log lines.
    std::string_view endpoint;
    // What the issuer's metadata has for this endpoint when `url` was configured and differs;
    // empty: nothing that is known. For log lines.
    std::string advertised;
    std::vector<Header> headers;      // without Authorization
    Secret authorization;             // value of the Authorization header; empty: none is sent
    Secret body;                      // form data of a POST
    bool client_certificate = false;  // the connection is made with that of the client
    std::size_t max_response = 1024 * 1024;  // bytes of decoded body; more is idp_too_large
    Seconds max_seconds = 0;  // for all of it, where that is less than read_timeout; 0: that
};

// What error messages need of a request that has gone out, without its credentials.
HttpRequest without_secrets(const HttpRequest& request);

struct HttpResponse {
    int status = 0;
    std::string content_type;  // lower case, without parameters
    std::string location;      // of a 3xx, made absolute where possible
    std::string retry_after;
    std::string dpop_nonce;  // RFC 9449 8
    Secret body;
    std::string authenticate;  // WWW-Authenticate
};

// What the adapter brings back for a request: a response, or an Error with one of the idp_*
// reasons.
using HttpOutcome = Result<HttpResponse>;

// Checks that every endpoint shares: a 3xx becomes idp_redirect, and the detail says
// "<endpoint> <url> redirects to <location>", the fix "configure <endpoint> <location>".
Status refuse_redirect(const HttpRequest& request, const HttpResponse& response);

// `<endpoint> "<url>" answered <status>` with Retry-After, for log lines. Of a status that says
// that nothing is there also what the metadata has instead.
std::string answered(const HttpRequest& request, const HttpResponse& response);

// Retry-After (RFC 9110 10.2.3) as seconds from `now`, 0 or more: a number, or a date in the
// preferred format. nullopt: neither.
std::optional<Seconds> retry_after_seconds(std::string_view value, Seconds now) noexcept;

// Whether a Content-Type is `type`, whatever its parameters.
bool is_media_type(std::string_view content_type, std::string_view type) noexcept;
// application/x-www-form-urlencoded.
bool is_form(std::string_view content_type) noexcept;

// An answer to the browser.
struct Respond {
    int status = 200;
    std::vector<Header>
        headers;  // Location, Set-Cookie (several), Content-Type, CSP, Cache-Control
    std::string body;
};

}  // namespace oidc
