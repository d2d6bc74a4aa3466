// SPDX-License-Identifier: Apache-2.0
// A pattern of server_name, a line end, and the host that a client names.
#include <algorithm>

#include "fuzz.hpp"
#include "oidc/server_name.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view pattern = input.substr(0, end);
    const std::string_view host = input.substr(std::min(end + 1, input.size()));
    if (is_host_name(host)) {
        promise(!host.empty() && host.find_first_of("/@:?#\\*_ []") == std::string_view::npos,
                "stands in a URL as it is");
        promise(host.front() != '.', "no empty label");
    }
    if (!matches_server_name(host, pattern)) {
        promise(host != pattern, "a name is its own");
        return 0;
    }
    if (host == pattern) {
        return 0;
    }
    promise(pattern.starts_with("*.") || pattern.starts_with("."), "only these match others");
    const std::string_view domain = pattern.substr(pattern.find('.') + 1);
    promise(host.ends_with(domain), "of the same domain");
    const std::string_view below = host.substr(0, host.size() - domain.size());
    promise(below.empty() ? pattern.front() == '.' : below.size() > 1 && below.back() == '.',
            "at the border of a label");
    return 0;
}
