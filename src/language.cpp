// SPDX-License-Identifier: Apache-2.0
#include "oidc/language.hpp"

#include <algorithm>

#include "oidc/text.hpp"

namespace oidc {
namespace {

struct Row {
    std::string_view tag;
    std::string_view direction = "ltr";
};

// In the order of the enum.
constexpr std::array<Row, kLanguageCount> kRows{
    {{"en"}, {"de"}, {"fr"}, {"es"}, {"pl"}, {"it"}, {"nl"}, {"pt"}}};

const Row& row_of(Language language) noexcept {
    const auto index = static_cast<std::size_t>(language);
    return kRows[index < kRows.size() ? index : 0];
}

constexpr int kFullWeight = 1000;

// `q=` and a qvalue (RFC 9110 section 12.4.2), in thousandths; -1: something else.
int weight_of(std::string_view text) noexcept {
    constexpr std::string_view kLongest = "q=0.000";
    if (text.size() < 3 || text.size() > kLongest.size() || !starts_with_nocase(text, "q=")) {
        return -1;
    }
    text.remove_prefix(2);
    if ((text.front() != '0' && text.front() != '1') || (text.size() > 1 && text[1] != '.')) {
        return -1;
    }
    int weight = text.front() == '1' ? kFullWeight : 0;
    int unit = kFullWeight / 10;
    for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (!is_digit(c)) {
            return -1;
        }
        weight += (c - '0') * unit;
        unit /= 10;
    }
    return weight <= kFullWeight ? weight : -1;
}

// The first subtag of a language range (RFC 4647 section 2.1), which is all of the range that our
// tags have; empty: no range, or `*`.
std::string_view primary_subtag(std::string_view range) noexcept {
    constexpr std::size_t kMaxSubtag = 8;
    const std::string_view primary = range.substr(0, range.find('-'));
    if (!std::all_of(primary.begin(), primary.end(), is_alpha)) {
        return {};
    }
    std::size_t length = 0;  // of the subtag under way
    for (const char c : range) {
        length = c == '-' ? 0 : length + 1;
        if (length > kMaxSubtag || (c != '-' && !is_alnum(c))) {
            return {};
        }
    }
    const bool whole = length > 0 && range.find("--") == std::string_view::npos;
    return whole ? primary : std::string_view();
}

}  // namespace

std::string_view tag_of(Language language) noexcept {
    return row_of(language).tag;
}

std::string_view direction_of(Language language) noexcept {
    return row_of(language).direction;
}

void LanguageChoice::add(std::string_view value) noexcept {
    std::string_view rest = value.substr(0, left_);
    left_ -= rest.size();
    if (rest.size() < value.size()) {
        const std::size_t comma = rest.rfind(',');
        rest = rest.substr(0, comma == std::string_view::npos ? 0 : comma);
    }
    while (!rest.empty()) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        add_element(trim(rest.substr(0, comma)));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
}

void LanguageChoice::add_element(std::string_view element) noexcept {
    const std::size_t semicolon = element.find(';');
    const std::string_view range = trim(element.substr(0, semicolon));
    const int weight = semicolon == std::string_view::npos
                           ? kFullWeight
                           : weight_of(trim(element.substr(semicolon + 1)));
    const std::string_view primary = primary_subtag(range);
    const auto* row = std::find_if(kRows.begin(), kRows.end(), [primary](const Row& known) {
        return equal_nocase(known.tag, primary);
    });
    if (weight < 0 || row == kRows.end()) {
        return;
    }
    Wish& wish = wishes_[static_cast<std::size_t>(row - kRows.begin())];
    ++place_;
    if (weight == 0) {
        // Without de-AT there is still German, which is all that ours says of itself.
        wish.never = wish.never || range.size() == primary.size();
    } else if (weight > wish.weight) {
        wish.weight = weight;
        wish.place = place_;
    }
}

Language LanguageChoice::chosen() const noexcept {
    std::size_t best = kRows.size();
    for (std::size_t i = 0; i < wishes_.size(); ++i) {
        const Wish& wish = wishes_[i];
        if (wish.never || wish.weight == 0) {
            continue;
        }
        if (best == kRows.size() || wish.weight > wishes_[best].weight ||
            (wish.weight == wishes_[best].weight && wish.place < wishes_[best].place)) {
            best = i;
        }
    }
    return best == kRows.size() ? Language::en : static_cast<Language>(best);
}

}  // namespace oidc
