// SPDX-License-Identifier: Apache-2.0
#include "oidc/uri.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxUrl = 2048;

// No control bytes, space, backslash, or bytes outside ASCII.
bool is_plain_ascii(std::string_view text) noexcept {
    for (const char c : text) {
        if (c <= ' ' || c >= 0x7f ||
            c == '\\') {  // char may be signed: bytes >= 0x80 fail either way
            return false;
        }
    }
    return true;
}

bool has_bad_escape(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
                return true;
            }
            i += 2;
        }
    }
    return false;
}

// Labels of letters, digits, "-" and "_", separated by single dots; a final dot (the DNS root) is
// allowed. This covers names and IPv4.
bool is_reg_name(std::string_view host) noexcept {
    char previous = '.';
    for (const char c : host) {
        if (c == '.' ? previous == '.' : !(is_alnum(c) || c == '-' || c == '_')) {
            return false;
        }
        previous = c;
    }
    return !host.empty();
}

// "[...]" with a valid address inside, without zone.
bool is_ipv6_literal(std::string_view host) {
    if (host.size() < 4 || host.front() != '[' || host.back() != ']') {
        return false;
    }
    const std::string address(host.substr(1, host.size() - 2));
    in6_addr parsed{};
    return inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

bool is_loopback(const std::string& host) {
    if (ascii_lower(host) == "localhost") {
        return true;
    }
    if (is_ipv6_literal(host)) {
        in6_addr address{};
        const std::string text = host.substr(1, host.size() - 2);
        return inet_pton(AF_INET6, text.c_str(), &address) == 1 &&
               std::memcmp(&address, &in6addr_loopback, sizeof(address)) == 0;
    }
    in_addr address{};
    return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

bool is_internal_ipv4(std::uint32_t address) noexcept {
    struct Range {
        std::uint32_t network;
        int bits;
    };
    static constexpr std::array<Range, 7> kRanges = {{{0x00000000, 8},     // 0.0.0.0/8
                                                      {0x0a000000, 8},     // 10.0.0.0/8
                                                      {0x64400000, 10},    // 100.64.0.0/10
                                                      {0x7f000000, 8},     // 127.0.0.0/8
                                                      {0xa9fe0000, 16},    // 169.254.0.0/16
                                                      {0xac100000, 12},    // 172.16.0.0/12
                                                      {0xc0a80000, 16}}};  // 192.168.0.0/16
    return std::any_of(kRanges.begin(), kRanges.end(), [address](const Range& range) {
        return (address ^ range.network) >> (32 - range.bits) == 0;
    });
}

bool is_internal_ipv6(const in6_addr& address) noexcept {
    const std::uint8_t* a = address.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        return is_internal_ipv4(static_cast<std::uint32_t>(a[12]) << 24 |
                                static_cast<std::uint32_t>(a[13]) << 16 |
                                static_cast<std::uint32_t>(a[14]) << 8 | a[15]);
    }
    return IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address) ||
           IN6_IS_ADDR_LINKLOCAL(&address) || (a[0] & 0xfe) == 0xfc;  // fc00::/7
}

// 1 to 65535 in decimal without leading zeros; 0: no port.
int parse_port(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || text.front() == '0') {
        return 0;
    }
    int port = 0;
    for (const char c : text) {
        if (!is_digit(c)) {
            return 0;
        }
        port = port * 10 + (c - '0');
    }
    return port <= 65535 ? port : 0;
}

Error bad_url(const char* why) {
    return fail(Reason::malformed, std::string("url ") + why);
}

// ---- return targets: what the WHATWG path parser would make of a path -----------------------

// Takes one "." or "%2e" off the front.
bool take_dot(std::string_view& text) noexcept {
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        return true;
    }
    if (text.size() >= 3 && text[0] == '%' && text[1] == '2' && ascii_lower(text[2]) == 'e') {
        text.remove_prefix(3);
        return true;
    }
    return false;
}

// The number of dots that a segment consists of, when it consists of one or two; else 0.
int dot_segment(std::string_view segment) noexcept {
    int dots = 0;
    while (dots < 2 && take_dot(segment)) {
        ++dots;
    }
    return segment.empty() ? dots : 0;
}

// "%2f", "%5c" and escapes of control bytes: something behind us that decodes them before it looks
// for a host would see "//", "/\" or a line end.
bool starts_with_dangerous_escape(std::string_view segment) noexcept {
    if (segment.size() < 3 || segment[0] != '%') {
        return false;
    }
    const char high = segment[1];
    const char low = ascii_lower(segment[2]);
    return (high == '2' && low == 'f') || (high == '5' && low == 'c') ||
           ((high == '0' || high == '1') && hex_value(low) >= 0) || (high == '7' && low == 'f');
}

// Normalises dot segments as the WHATWG "path state" does, keeping only what decides: how many
// segments there are and whether the first one is empty or dangerous.
bool normalises_safely(std::string_view path) noexcept {
    std::size_t count = 0;
    bool first_empty = false;
    bool first_dangerous = false;
    bool last = false;
    const auto push = [&](std::string_view segment) {
        if (count++ == 0) {
            first_empty = segment.empty();
            first_dangerous = starts_with_dangerous_escape(segment);
        }
    };
    path.remove_prefix(1);
    while (!last) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        last = slash == std::string_view::npos;
        const int dots = dot_segment(segment);
        if (dots == 2 && count > 0) {
            --count;
        }
        if (dots == 0) {
            push(segment);
        } else if (last) {
            push({});
        }
        path.remove_prefix(last ? path.size() : slash + 1);
    }
    return !first_dangerous && !(first_empty && count > 1);
}

}  // namespace

std::string Url::origin() const {
    std::string out = scheme + "://" + host;
    if (port != (scheme == "https" ? 443 : 80)) {
        out += ":" + std::to_string(port);
    }
    return out;
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > kMaxUrl) {
        return fail(Reason::too_large, "url longer than " + std::to_string(kMaxUrl) + " bytes");
    }
    if (!is_plain_ascii(text)) {
        return bad_url("with a space, a backslash, or a byte outside printable ascii");
    }
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) {
        return bad_url("that is not absolute");
    }
    Url url;
    url.scheme = ascii_lower(text.substr(0, colon));
    if (url.scheme != "https" && url.scheme != "http") {
        return bad_url("with a scheme other than https and http");
    }
    text.remove_prefix(colon + 3);
    if (text.find('#') != std::string_view::npos) {
        return bad_url("with a fragment");
    }
    const std::size_t end = text.find_first_of("/?");
    std::string_view authority = text.substr(0, end);
    std::string_view rest = end == std::string_view::npos ? std::string_view{} : text.substr(end);
    if (authority.find('@') != std::string_view::npos) {
        return bad_url("with a user name");
    }

    const std::size_t bracket = authority.find(']');
    const std::size_t port_colon =
        authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const std::string_view host = authority.substr(0, port_colon);
    if (!is_reg_name(host) && !is_ipv6_literal(host)) {
        return bad_url("without a valid host");
    }
    url.host = host;
    url.port = url.scheme == "https" ? 443 : 80;
    if (port_colon != std::string_view::npos) {
        url.port = parse_port(authority.substr(port_colon + 1));
        url.port_written = true;
        if (url.port == 0) {
            return bad_url("with an invalid port");
        }
    }

    if (has_bad_escape(rest)) {
        return bad_url("with an invalid percent escape");
    }
    const std::size_t mark = rest.find('?');
    url.path = rest.substr(0, mark);
    if (url.path.empty()) {
        url.path = "/";
    }
    if (mark != std::string_view::npos) {
        url.query = rest.substr(mark + 1);
    }
    return url;
}

Result<Url> parse_endpoint(std::string_view text, std::string_view what, bool insecure_http) {
    const std::string label(what);
    Result<Url> url = parse_url(text);
    if (!url.ok()) {
        return fail(url.error().reason, label + ": " + url.error().detail, label);
    }
    if (url->scheme == "https") {
        return url;
    }
    const std::string shown = url->origin() + url->path;
    if (!is_loopback(url->host)) {
        return fail(Reason::malformed, label + ": \"" + shown + "\" is not https", label);
    }
    if (!insecure_http) {
        return fail(Reason::malformed,
                    label + ": \"" + shown + "\" is not https, and insecure_http is off",
                    "insecure_http");
    }
    return url;
}

bool is_internal_host(std::string_view host) {
    std::string name = ascii_lower(host);
    if (is_ipv6_literal(name)) {
        in6_addr address{};
        const std::string text = name.substr(1, name.size() - 2);
        return inet_pton(AF_INET6, text.c_str(), &address) == 1 && is_internal_ipv6(address);
    }
    if (in_addr address{}; inet_pton(AF_INET, name.c_str(), &address) == 1) {
        return is_internal_ipv4(ntohl(address.s_addr));
    }
    if (name.ends_with('.')) {
        name.pop_back();
    }
    const std::size_t dot = name.rfind('.');
    // A last label that begins with a digit is an address in an odd spelling ("127.1", "0x7f.1"):
    // no top-level domain does.
    if (dot == std::string::npos || dot + 1 == name.size() || is_digit(name[dot + 1])) {
        return true;
    }
    static constexpr std::array<std::string_view, 4> kSuffixes = {".localhost", ".local",
                                                                  ".internal", ".home.arpa"};
    return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                       [&name](std::string_view suffix) { return name.ends_with(suffix); });
}

bool is_safe_return_target(std::string_view target) noexcept {
    if (target.size() > kMaxUrl || !target.starts_with('/') || target.starts_with("//") ||
        !is_plain_ascii(target)) {
        return false;
    }
    const std::string_view path = target.substr(0, target.find_first_of("?#"));
    return !starts_with_dangerous_escape(path.substr(1)) && normalises_safely(path);
}

std::string request_path(std::string_view target) {
    const std::string_view path = target.substr(0, target.find_first_of("?#"));
    const std::optional<std::string> decoded = percent_decode(path, false);
    if (!decoded) {
        return std::string(path);
    }
    std::string out;
    std::string_view rest = *decoded;
    bool last = false;
    while (!last) {
        const std::size_t slash = rest.find('/');
        const std::string_view segment = rest.substr(0, slash);
        last = slash == std::string_view::npos;
        if (segment == "..") {
            out.resize(out.empty() ? 0 : out.rfind('/'));
        } else if (!segment.empty() && segment != ".") {
            out.append("/").append(segment);
        }
        if (last && (segment.empty() || segment == "." || segment == "..")) {
            out.append("/");
        }
        rest.remove_prefix(last ? rest.size() : slash + 1);
    }
    return out;
}

const char* local_path_problem(std::string_view path) noexcept {
    if (path.empty() || path.front() != '/') {
        return "must start with \"/\"";
    }
    if (path.starts_with("//")) {
        return "must not start with \"//\"";
    }
    if (path.find_first_of("?#") != std::string_view::npos) {
        return "must be a path without query and fragment";
    }
    // Compared with the decoded URI, in which these would be something else.
    if (std::any_of(path.begin(), path.end(), [](char c) {
            return c <= ' ' || c > '~' || c == '%' || c == '\\' || c == '$';
        })) {
        return "must be a path of plain ASCII without blanks, escapes and variables";
    }
    if (path.find("//") != std::string_view::npos || path.find("/./") != std::string_view::npos ||
        path.find("/../") != std::string_view::npos || path.ends_with("/.") ||
        path.ends_with("/..")) {
        return "must be a path without \"//\", \"/./\" and \"/../\"";
    }
    if (path.size() > 1024) {
        return "must be a path of at most 1024 characters";
    }
    return nullptr;
}

void append_query(std::string& url, std::string_view name, std::string_view value) {
    const std::size_t hash = url.find('#');
    const std::string fragment = hash == std::string::npos ? "" : url.substr(hash);
    url.resize(url.size() - fragment.size());
    const std::size_t mark = url.find('?');
    if (mark == std::string::npos) {
        url += '?';
    } else if (mark + 1 != url.size() && url.back() != '&') {
        url += '&';
    }
    url += percent_encode(name) + "=" + percent_encode(value) + fragment;
}

std::optional<std::string_view> query_argument(std::string_view query, std::string_view name,
                                               int* count) {
    std::optional<std::string_view> found;
    int seen = 0;
    while (!query.empty()) {
        const std::size_t amp = query.find('&');
        const std::string_view pair = query.substr(0, amp);
        query = amp == std::string_view::npos ? std::string_view{} : query.substr(amp + 1);
        const std::size_t eq = pair.find('=');
        const std::optional<std::string> decoded = percent_decode(pair.substr(0, eq), true);
        if (pair.empty() || !decoded || *decoded != name) {
            continue;
        }
        if (++seen == 1) {
            found = eq == std::string_view::npos ? std::string_view{} : pair.substr(eq + 1);
        }
    }
    if (count != nullptr) {
        *count = seen;
    }
    return found;
}

Argument decoded_argument(std::string_view query, std::string_view name) {
    Argument found;
    if (const auto raw = query_argument(query, name, &found.count)) {
        found.value = percent_decode(*raw, true);
    }
    return found;
}

}  // namespace oidc
