// SPDX-License-Identifier: Apache-2.0
#include "oidc/page_texts.hpp"

namespace oidc {
namespace {

struct Row {
    const PageTexts* texts;
    const PageTitles* titles;  // null: reason_info() has them
};

// In the order of the enum.
constexpr std::array<Row, kLanguageCount> kRows{{{&kTextsEn, nullptr},
                                                 {&kTextsDe, &kTitlesDe},
                                                 {&kTextsFr, &kTitlesFr},
                                                 {&kTextsEs, &kTitlesEs},
                                                 {&kTextsPl, &kTitlesPl},
                                                 {&kTextsIt, &kTitlesIt},
                                                 {&kTextsNl, &kTitlesNl},
                                                 {&kTextsPt, &kTitlesPt}}};

const Row& row_of(Language language) noexcept {
    const auto index = static_cast<std::size_t>(language);
    return kRows[index < kRows.size() ? index : 0];
}

}  // namespace

const PageTexts& page_texts(Language language) noexcept {
    return *row_of(language).texts;
}

std::string_view page_title(Language language, Reason reason) noexcept {
    const PageTitles* titles = row_of(language).titles;
    if (titles == nullptr) {
        return reason_info(reason).title;
    }
    const auto index = static_cast<std::size_t>(reason);
    return (*titles)[index < titles->size() ? index : 0].text;
}

}  // namespace oidc
