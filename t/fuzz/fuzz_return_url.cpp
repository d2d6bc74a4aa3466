// SPDX-License-Identifier: Apache-2.0
// Return targets: whatever passes the guard stays on our origin when a browser resolves it. The
// judge is a small independent reading of the WHATWG URL parser for relative references.
#include <algorithm>
#include <vector>

#include "fuzz.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

std::string without_tabs_and_newlines(std::string_view text) {
    while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') {
        text.remove_prefix(1);
    }
    std::string out;
    for (const char c : text) {
        if (c != '\t' && c != '\n' && c != '\r') {
            out += c == '\\' ? '/' : c;  // special schemes read both as a slash
        }
    }
    return out;
}

std::string lower_dots(std::string_view segment) {
    std::string out;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const bool escaped = segment.size() - i >= 3 && segment[i] == '%' &&
                             segment[i + 1] == '2' && (segment[i + 2] | 0x20) == 'e';
        out += escaped ? '.' : segment[i];
        i += escaped ? 2 : 0;
    }
    return out;
}

// The path after the removal of dot segments.
std::string resolved_path(std::string_view path) {
    std::vector<std::string_view> segments;
    path.remove_prefix(1);
    for (bool more = true; more;) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        more = slash != std::string_view::npos;
        path.remove_prefix(more ? slash + 1 : path.size());
        const std::string dots = lower_dots(segment);
        if (dots == "..") {
            if (!segments.empty()) {
                segments.pop_back();
            }
        } else if (dots != ".") {
            segments.push_back(segment);
            continue;
        }
        if (!more) {
            segments.emplace_back();
        }
    }
    std::string out;
    for (const std::string_view segment : segments) {
        out.append("/").append(segment);
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view target = text_of(data, size);
    (void)parse_url(target);
    if (const Result<Url> url = parse_endpoint(target, "x", false)) {
        promise(url->scheme == "https" && !url->host.empty() && url->path.starts_with('/'),
                "endpoints are https");
    }
    if (!is_safe_return_target(target)) {
        return 0;
    }
    promise(target.size() <= 2048, "bounded");
    promise(std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f; }),
            "printable ASCII without blanks");
    const std::string seen = without_tabs_and_newlines(target);
    promise(seen.starts_with('/') && !seen.starts_with("//"), "a path, and no authority");
    const std::string path =
        resolved_path(std::string_view(seen).substr(0, seen.find_first_of("?#")));
    promise(!path.starts_with("//"), "no authority after normalisation");
    return 0;
}
