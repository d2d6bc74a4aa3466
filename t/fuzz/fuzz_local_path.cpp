// SPDX-License-Identifier: Apache-2.0
// Paths that the configuration gives to our endpoints.
#include "fuzz.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view path = text_of(data, size);
    if (local_path_problem(path) != nullptr) {
        return 0;
    }
    promise(path.size() <= 1024 && path.front() == '/', "a path");
    promise(is_safe_return_target(path), "on our own origin");
    promise(path.find_first_of("?#%\\$ ") == std::string_view::npos, "as it stands in $uri");
    const Result<Url> url = parse_url("https://app.example" + std::string(path));
    promise(url.ok() && url->path == path && url->query.empty(), "all of it is the path");
    return 0;
}
