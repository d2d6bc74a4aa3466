// SPDX-License-Identifier: Apache-2.0
// Values of Accept-Language, one a line.
#include "fuzz.hpp"
#include "oidc/language.hpp"
#include "oidc/text.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    LanguageChoice choice;
    LanguageChoice shouted;
    std::string upper(input);
    for (char& c : upper) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    for (std::size_t at = 0; at < input.size();) {
        const std::size_t end = std::min(input.find('\n', at), input.size());
        choice.add(input.substr(at, end - at));
        shouted.add(std::string_view(upper).substr(at, end - at));
        at = end + 1;
    }
    const Language chosen = choice.chosen();
    promise(static_cast<std::size_t>(chosen) < kLanguageCount, "a language of ours");
    promise(shouted.chosen() == chosen, "case does not matter");
    if (chosen != Language::en) {
        const std::string lower = ascii_lower(input);
        promise(lower.find(tag_of(chosen)) != std::string::npos, "somebody has asked for it");
    }
    // Whoever is not asked before the bound is not asked behind it.
    choice.add(std::string(LanguageChoice::kMaxBytes, ','));
    const Language before = choice.chosen();
    promise(before == chosen, "empty elements ask for nothing");
    choice.add("de, fr;q=1.0, en;q=0");
    promise(choice.chosen() == before, "nothing is read behind the bound");
    // Refusing what was chosen leaves another, or English.
    if (input.size() + 16 < LanguageChoice::kMaxBytes) {
        LanguageChoice other;
        other.add(std::string(tag_of(chosen)) + ";q=0");
        for (std::size_t at = 0; at < input.size();) {
            const std::size_t end = std::min(input.find('\n', at), input.size());
            other.add(input.substr(at, end - at));
            at = end + 1;
        }
        promise(other.chosen() != chosen || chosen == Language::en, "q=0 is never chosen");
    }
    return 0;
}
