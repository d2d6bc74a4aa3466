// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "oidc/language.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static std::string chosen(std::string_view value) {
    LanguageChoice choice;
    choice.add(value);
    return std::string(tag_of(choice.chosen()));
}

START_TEST(tags_and_directions) {
    const char* tags[] = {"en", "de", "fr", "es", "pl", "it", "nl", "pt"};
    for (std::size_t i = 0; i < kLanguageCount; ++i) {
        const auto language = static_cast<Language>(i);
        ck_assert_sv_eq(tag_of(language), tags[i]);
        ck_assert_sv_eq(direction_of(language), "ltr");
        ck_assert_sv_eq(chosen(tags[i]), tags[i]);
    }
    ck_assert_sv_eq(tag_of(Language::count_), "en");
    ck_assert_sv_eq(direction_of(static_cast<Language>(255)), "ltr");
}
END_TEST

START_TEST(q_55_what_browsers_send) {
    ck_assert_sv_eq(chosen(""), "en");
    ck_assert_sv_eq(chosen("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"), "de");
    ck_assert_sv_eq(chosen("de-AT, en;q=0.5"), "de");
    ck_assert_sv_eq(chosen("pt-BR,pt;q=0.9,en;q=0.8"), "pt");
    ck_assert_sv_eq(chosen("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5"), "fr");
    // None of ours first: the next that is.
    ck_assert_sv_eq(chosen("sv-SE,sv;q=0.9,nl;q=0.5,en;q=0.4"), "nl");
    ck_assert_sv_eq(chosen("zh-Hant-TW,zh;q=0.9"), "en");
    ck_assert_sv_eq(chosen("DE"), "de");
    ck_assert_sv_eq(chosen("iT-it;Q=0.7"), "it");
    ck_assert_sv_eq(chosen("es-419"), "es");
    ck_assert_sv_eq(chosen("de-CH-1996;q=1.000 , en ; q=0.9"), "de");
    ck_assert_sv_eq(chosen("\tpl\t;\tq=0.3"), "pl");
}
END_TEST

START_TEST(q_55_weights) {
    ck_assert_sv_eq(chosen("en;q=0.5,de;q=0.6"), "de");
    ck_assert_sv_eq(chosen("en;q=0.5,de;q=0.501"), "de");
    ck_assert_sv_eq(chosen("de;q=0.5,en;q=0.5"), "de");
    ck_assert_sv_eq(chosen("en;q=0.5,de;q=0.5"), "en");
    // The greatest weight of a language counts, at its own place.
    ck_assert_sv_eq(chosen("de;q=0.2,fr,de-AT"), "fr");
    ck_assert_sv_eq(chosen("de,fr,de-AT;q=0.2"), "de");
    ck_assert_sv_eq(chosen("de;q=0.001"), "de");
    ck_assert_sv_eq(chosen("de;q=1."), "de");
    ck_assert_sv_eq(chosen("de;q=0.,fr;q=0.1"), "fr");
}
END_TEST

START_TEST(q_55_what_is_refused) {
    ck_assert_sv_eq(chosen("de;q=0"), "en");
    ck_assert_sv_eq(chosen("de;q=0,de-AT"), "en");
    ck_assert_sv_eq(chosen("de-AT,de;q=0.000,fr;q=0.1"), "fr");
    // One region that is not wanted leaves the language.
    ck_assert_sv_eq(chosen("de-CH;q=0,de;q=0.5"), "de");
    ck_assert_sv_eq(chosen("de,de-CH;q=0"), "de");
    // Something must be said; nobody speaks a language that does not exist.
    ck_assert_sv_eq(chosen("en;q=0"), "en");
    ck_assert_sv_eq(chosen("en;q=0,fr;q=0.1"), "fr");
    ck_assert_sv_eq(chosen("*;q=0"), "en");
}
END_TEST

START_TEST(q_55_any_language) {
    ck_assert_sv_eq(chosen("*"), "en");
    ck_assert_sv_eq(chosen("*,de;q=0.1"), "de");
    ck_assert_sv_eq(chosen("de;q=0.1,*"), "de");
    ck_assert_sv_eq(chosen("*-DE"), "en");
    ck_assert_sv_eq(chosen("de-*"), "en");
}
END_TEST

START_TEST(q_56_garbage) {
    for (const char* value : {",",
                              ",,,;;;===",
                              ";",
                              "=",
                              "q=1",
                              "-",
                              "--",
                              "-de",
                              "de-",
                              "de--AT",
                              "de_DE",
                              "d",
                              "deu",
                              "ger",
                              "german",
                              "de/at",
                              "de at",
                              "d e",
                              "\"de\"",
                              "de\"",
                              "<de>",
                              "de\\",
                              "\xff\xfe",
                              "de\x01",
                              "d\xc3\xa9",
                              "x-de",
                              "i-de",
                              "dede",
                              "de-toolonglong",
                              "de-AT-toolonglong",
                              "1e",
                              "de1",
                              "\xef\xbb\xbf"
                              "de"}) {
        ck_assert_msg(chosen(value) == "en", "%s", value);
        // What is beside it counts all the same.
        ck_assert_msg(chosen(std::string(value) + ",fr;q=0.3") == "fr", "%s", value);
        ck_assert_msg(chosen("fr;q=0.3, " + std::string(value)) == "fr", "%s", value);
    }
    const std::string_view with_nul("de\0,fr", 6);
    ck_assert_sv_eq(chosen(with_nul), "fr");
}
END_TEST

START_TEST(q_56_weights_out_of_range) {
    for (const char* weight : {"q=2",      "q=1.1",       "q=1.001",
                               "q=-1",     "q=-0",        "q=+1",
                               "q=.5",     "q=0.1234",    "q=0,5",
                               "q=1e0",    "q=",          "q",
                               "q =1",     "q= 1",        "w=1",
                               "q=1;q=0",  "level=1;q=1", "q=0x1",
                               "q=\"1\"",  "q=NaN",       "q=99999999999999999999",
                               "q=1.0000", "q=0.5;",      ";q=1",
                               "q=1\x7f",  "q=\xd9\xa1"}) {
        const std::string value = "de;" + std::string(weight);
        ck_assert_msg(chosen(value) == "en", "%s", weight);
        ck_assert_msg(chosen(value + ",fr;q=0.001") == "fr", "%s", weight);
    }
}
END_TEST

START_TEST(q_56_long_headers) {
    constexpr std::size_t kMax = LanguageChoice::kMaxBytes;
    const std::string padding(kMax, ',');
    ck_assert_sv_eq(chosen(padding + "de"), "en");
    ck_assert_sv_eq(chosen("de" + padding), "de");
    // The last element that fits, and one that would be cut: de-AT may not become de, nor q=0.9
    // q=0.
    const std::string room(kMax - 3, ' ');
    ck_assert_sv_eq(chosen(room + ",de"), "de");
    ck_assert_sv_eq(chosen(room + ",de-CH"), "en");
    ck_assert_sv_eq(chosen(room + ",det"), "en");
    ck_assert_sv_eq(chosen("fr;q=0.1," + std::string(kMax - 15, ' ') + "de;q=0.9,en"), "fr");
    // 8 kB of one long range, and of many.
    ck_assert_sv_eq(chosen(std::string(8192, 'd')), "en");
    ck_assert_sv_eq(chosen("de-" + std::string(8192, 'x')), "en");
    std::string many = "pl";
    while (many.size() < 8192) {
        many += ",de;q=0.9,fr;q=0.8";
    }
    ck_assert_sv_eq(chosen(many), "pl");
}
END_TEST

START_TEST(q_56_several_headers) {
    LanguageChoice choice;
    choice.add("sv, de;q=0.4");
    choice.add("");
    choice.add("it;q=0.5, nl;q=0.5");
    choice.add("es;q=0.5");
    ck_assert(choice.chosen() == Language::it);
    choice.add("it;q=0");
    ck_assert(choice.chosen() == Language::nl);
    // The bound is of all together.
    LanguageChoice bounded;
    for (int i = 0; i < 100; ++i) {
        bounded.add("sv-SE, da, nb, fi, et, lv, lt");
    }
    bounded.add("de");
    ck_assert(bounded.chosen() == Language::en);
}
END_TEST

static Suite* language_suite() {
    Suite* suite = suite_create("language");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, tags_and_directions);
    tcase_add_test(tcase, q_55_what_browsers_send);
    tcase_add_test(tcase, q_55_weights);
    tcase_add_test(tcase, q_55_what_is_refused);
    tcase_add_test(tcase, q_55_any_language);
    tcase_add_test(tcase, q_56_garbage);
    tcase_add_test(tcase, q_56_weights_out_of_range);
    tcase_add_test(tcase, q_56_long_headers);
    tcase_add_test(tcase, q_56_several_headers);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration language_registered("language", language_suite);
