// SPDX-License-Identifier: Apache-2.0
// The texts by themselves. That none is missing or holds markup, the compiler has checked.
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "oidc/encode.hpp"
#include "oidc/page_texts.hpp"
#include "oidc/text.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static_assert(std::is_standard_layout_v<PageTexts> && sizeof(PageTexts) % sizeof(PageText) == 0,
              "nothing but texts");

// All of them, in the order of the struct.
static std::vector<std::string_view> texts_of(Language language) {
    const PageTexts& texts = page_texts(language);
    const std::span all(&texts.problem, sizeof(PageTexts) / sizeof(PageText));
    std::vector<std::string_view> out(all.begin(), all.end());
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        out.push_back(page_title(language, static_cast<Reason>(i)));
    }
    return out;
}

static void assert_plain(std::string_view text) {
    const std::string shown(text);
    ck_assert_msg(is_utf8(text) && !text.empty() && text.size() < 400, "%s", shown.c_str());
    ck_assert_msg(!has_control_bytes(text) && trim(text) == text, "%s", shown.c_str());
    ck_assert_msg(text.find("  ") == std::string_view::npos, "%s", shown.c_str());
    ck_assert_msg(text.find_first_of("<>&\"'`{}[]%$|\\") == std::string_view::npos, "%s",
                  shown.c_str());
    // The page is what is escaped; a text goes through it unchanged.
    ck_assert_sv_eq(html_escape(text), text);
}

// Full stop, colon or nothing.
static char end_of(std::string_view text) {
    return text.back() == '.' || text.back() == ':' ? text.back() : '\0';
}

START_TEST(q_57_every_text_in_every_language) {
    const std::vector<std::string_view> english = texts_of(Language::en);
    ck_assert_uint_gt(english.size(), 140);
    for (std::size_t i = 0; i < kLanguageCount; ++i) {
        const auto language = static_cast<Language>(i);
        const std::vector<std::string_view> texts = texts_of(language);
        for (std::size_t k = 0; k < texts.size(); ++k) {
            assert_plain(texts[k]);
            ck_assert_msg(end_of(texts[k]) == end_of(english[k]), "%s",
                          std::string(texts[k]).c_str());
            if (language == Language::en) {
                continue;
            }
            ck_assert_msg(texts[k] != english[k], "%s", std::string(texts[k]).c_str());
            const std::string padded = " " + ascii_lower(texts[k]) + " ";
            for (const char* word : {" the ", " your ", " this ", " and ", " not ", " you "}) {
                ck_assert_sv_lacks(padded, word);
            }
        }
    }
}
END_TEST

// One English text is one text everywhere, and two are two: what was copied and forgotten shows.
START_TEST(q_57_one_to_one) {
    const std::vector<std::string_view> english = texts_of(Language::en);
    for (std::size_t i = 1; i < kLanguageCount; ++i) {
        const std::vector<std::string_view> texts = texts_of(static_cast<Language>(i));
        std::map<std::string_view, std::string_view> there;
        std::map<std::string_view, std::string_view> back;
        for (std::size_t k = 0; k < texts.size(); ++k) {
            ck_assert_sv_eq(there.emplace(english[k], texts[k]).first->second, texts[k]);
            ck_assert_sv_eq(back.emplace(texts[k], english[k]).first->second, english[k]);
        }
    }
}
END_TEST

// The letters that a language cannot do without came through editor, compiler and all.
START_TEST(q_57_letters) {
    const std::map<Language, std::vector<const char*>> letters = {
        {Language::de, {"ä", "ö", "ü", "ß"}}, {Language::fr, {"é", "è", "à", "ç", "’"}},
        {Language::es, {"ó", "í", "ñ"}},      {Language::pl, {"ą", "ę", "ł", "ż", "ó", "ś", "ć"}},
        {Language::it, {"è", "à", "ò", "’"}}, {Language::nl, {"é"}},
        {Language::pt, {"ã", "ç", "é", "ó"}}};
    for (const auto& [language, expected] : letters) {
        std::string all;
        for (const std::string_view text : texts_of(language)) {
            all += text;
        }
        for (const char* letter : expected) {
            ck_assert_msg(all.find(letter) != std::string::npos, "%s has no %s",
                          std::string(tag_of(language)).c_str(), letter);
        }
        // French sets a space before a colon, which must not be where a line breaks.
        ck_assert_sv_lacks(all, " :");
        ck_assert_sv_lacks(all, " ;");
    }
}
END_TEST

START_TEST(values_that_are_none) {
    ck_assert(&page_texts(Language::count_) == &page_texts(Language::en));
    ck_assert(&page_texts(static_cast<Language>(255)) == &page_texts(Language::en));
    for (const Language language : {Language::en, Language::de}) {
        ck_assert_sv_eq(page_title(language, Reason::count_),
                        page_title(language, Reason::internal_error));
    }
}
END_TEST

static Suite* page_texts_suite() {
    Suite* suite = suite_create("page_texts");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, q_57_every_text_in_every_language);
    tcase_add_test(tcase, q_57_one_to_one);
    tcase_add_test(tcase, q_57_letters);
    tcase_add_test(tcase, values_that_are_none);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration page_texts_registered("page_texts", page_texts_suite);
