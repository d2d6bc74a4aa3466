// SPDX-License-Identifier: Apache-2.0
// Content of client_assertion_file, which another program writes.
#include "fuzz.hpp"
#include "oidc/client_credentials.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Result<FileAssertion> assertion = read_file_assertion(text_of(data, size));
    if (!assertion) {
        promise(assertion.error().reason == Reason::malformed, "one reason");
        return 0;
    }
    const std::string_view text = assertion->text.view();
    promise(!text.empty() && text.size() <= kMaxFileAssertion, "bounded");
    promise(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                   "-_.") == std::string_view::npos,
            "nothing that a form has to escape");
    promise(assertion->expires >= 0, "a time");
    return 0;
}
