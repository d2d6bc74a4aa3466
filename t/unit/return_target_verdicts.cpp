// SPDX-License-Identifier: Apache-2.0
// Reads return targets, base64url-encoded, one a line, and prints 1 (safe) or 0 for each. The
// counterpart of check_return_targets.mjs.
#include <iostream>
#include <string>

#include "oidc/encode.hpp"
#include "oidc/uri.hpp"

int main() {
    std::ios::sync_with_stdio(false);
    std::string line;
    while (std::getline(std::cin, line)) {
        const auto target = oidc::base64url_decode(line);
        if (!target) {
            std::cerr << "not base64url: " << line << '\n';
            return 2;
        }
        std::cout << (oidc::is_safe_return_target(*target) ? "1\n" : "0\n");
    }
    return 0;
}
