// SPDX-License-Identifier: Apache-2.0
// URIs (RFC 3986) as far as a relying party needs them, and the guard of return targets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oidc/result.hpp"

namespace oidc {

struct Url {
    std::string scheme;  // lower case: "https" or "http"
    std::string host;    // as written; an IPv6 literal keeps its brackets
    int port = 0;        // the scheme's default when not written
    bool port_written = false;
    std::string path;                          // "/" at least
    std::string query;                         // without "?"; empty when absent
    [[nodiscard]] std::string origin() const;  // scheme://host[:port], the port only if not default
};

// An absolute http(s) URL without userinfo and fragment, of printable ASCII, at most 2048 bytes.
// Refused: control bytes, space, backslash, empty host, bad port or percent escape, other schemes.
Result<Url> parse_url(std::string_view text);

// A URL that the module itself connects to or sends a browser to: https, or http on a loopback
// address (127.0.0.0/8, ::1, localhost) when `insecure_http` is set. `what` is the directive or
// metadata member named in the error.
Result<Url> parse_endpoint(std::string_view text, std::string_view what, bool insecure_http);

// True for hosts that cannot be meant for the public: names without a dot, "localhost" and names
// below .localhost, .local, .internal and .home.arpa; addresses that are loopback, private,
// link-local, shared (RFC 6598) or unspecified, also IPv4-mapped or in odd spellings. `host` as in
// Url.
bool is_internal_host(std::string_view host);

// Where a browser may be sent after login: a path on our own origin. Starts with exactly one "/",
// followed by neither "/" nor "\"; no control bytes, space, backslash or non-ASCII bytes (raw
// request targets have none); no "%5c", "%2f" or control escape directly after the first slash; no
// path that a browser would normalise to one starting with "//" ("/.//evil", "/%2e//evil",
// "/x/..//evil"); at most 2048 bytes. A "#fragment" is allowed. Agrees with the WHATWG URL parser:
// whatever passes resolves to our origin.
bool is_safe_return_target(std::string_view target) noexcept;

// The path of a request target (with query and fragment, or without) as nginx compares it: decoded
// once, without dot segments, slashes merged. What cannot be decoded stays as it is.
std::string request_path(std::string_view target);

// Null when `path` can be an endpoint of ours as it stands in nginx's $uri, else what is wrong with
// it: from one "/" on, plain ASCII without blanks, escapes, "?", "#", backslash and "$", without
// empty and dot segments, at most 1024 bytes.
const char* local_path_problem(std::string_view path) noexcept;

// Appends name=value (percent-encoded) to a URL, with "?" or "&" as needed.
void append_query(std::string& url, std::string_view name, std::string_view value);

// The value of a query argument by its decoded name; for tests and small handlers. `count` gets the
// number of arguments of that name. Borrowed, still encoded.
std::optional<std::string_view> query_argument(std::string_view query, std::string_view name,
                                               int* count = nullptr);

// An argument that may stand there once.
struct Argument {
    int count = 0;
    std::optional<std::string> value;  // decoded; nullopt: absent, or it cannot be
};
Argument decoded_argument(std::string_view query, std::string_view name);

}  // namespace oidc
