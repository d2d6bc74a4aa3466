// SPDX-License-Identifier: Apache-2.0
// Names of request headers: whatever a backend takes for the same name folds to the same text.
#include "fuzz.hpp"
#include "oidc/header_name.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

std::string folded(std::string_view name) {
    FoldedName out;
    const std::size_t size = fold_header_name(name, out);
    promise(size <= out.size(), "bounded");
    return {out.data(), size};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view name = text_of(data, size);
    const std::string once = folded(name);
    for (const char c : once) {
        promise(c == '-' || is_digit(c) || (c >= 'a' && c <= 'z'), "letters, digits, dashes");
    }
    promise(once.find("--") == std::string::npos, "no empty word");
    promise(once.empty() || (once.front() != '-' && once.back() != '-'), "no dash at the ends");
    promise(folded(once) == once, "once is enough");
    // As PHP and CGI write it, and as a careless proxy may.
    std::string other(name);
    for (char& c : other) {
        if (is_alpha(c)) {
            c = static_cast<char>(c ^ 0x20);
        } else if (!is_digit(c)) {
            c = '_';
        }
    }
    promise(folded(other) == once, "the same in other letters");
    promise(folded("-" + other + ".") == once || once.size() + 2 > kMaxFoldedName,
            "the same between marks");
    const std::string normal = normal_header_name(name);
    promise(normal_header_name(normal) == normal, "once is enough");
    promise(folded(normal) == once, "equal names fold to one");
    return 0;
}
