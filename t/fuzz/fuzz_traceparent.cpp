// SPDX-License-Identifier: Apache-2.0
// traceparent: what is taken goes into a request to the provider as it is.
#include <algorithm>

#include "fuzz.hpp"
#include "oidc/text.hpp"
#include "oidc/traceparent.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = text_of(data, size);
    if (!is_traceparent(text)) {
        return 0;
    }
    promise(text.size() == 55, "one length");
    promise(
        std::all_of(text.begin(), text.end(), [](char c) { return c == '-' || is_lower_hex(c); }),
        "nothing that ends a header");
    promise(std::count(text.begin(), text.end(), '-') == 3, "four parts");
    promise(
        text.substr(3, 32) != std::string(32, '0') && text.substr(36, 16) != std::string(16, '0'),
        "a trace, and a span of it");
    return 0;
}
