// SPDX-License-Identifier: Apache-2.0
#include "oidc/text.hpp"

#include <vector>

#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

// All 256 bytes for which `is` holds.
template <class Is>
static std::string bytes_that(Is&& is) {
    std::string out;
    for (int byte = 0; byte < 256; ++byte) {
        if (is(static_cast<char>(byte))) {
            out += static_cast<char>(byte);
        }
    }
    return out;
}

START_TEST(kinds_of_bytes) {
    const std::string upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const std::string lower = "abcdefghijklmnopqrstuvwxyz";
    ck_assert_sv_eq(bytes_that(is_digit), "0123456789");
    ck_assert_sv_eq(bytes_that(is_alpha), upper + lower);
    ck_assert_sv_eq(bytes_that(is_alnum), "0123456789" + upper + lower);
    ck_assert_sv_eq(bytes_that(is_lower_hex), "0123456789abcdef");
    ck_assert_sv_eq(bytes_that([](char c) { return hex_value(c) >= 0; }), "0123456789ABCDEFabcdef");
    ck_assert_sv_eq(bytes_that(is_base64url), "-0123456789" + upper + "_" + lower);
    ck_assert_sv_eq(bytes_that(is_blank), "\t ");
    ck_assert_sv_eq(bytes_that([](char c) {
                        return is_token({&c, 1});
                    }),
                    "!#$%&'*+-.0123456789" + upper + "^_`" + lower + "|~");
    ck_assert_int_eq(hex_value('0'), 0);
    ck_assert_int_eq(hex_value('9'), 9);
    ck_assert_int_eq(hex_value('a'), 10);
    ck_assert_int_eq(hex_value('F'), 15);
    ck_assert_int_eq(hex_value('g'), -1);
}
END_TEST

START_TEST(only_ascii_letters_have_a_case) {
    ck_assert_sv_eq(ascii_lower("AZ az 09 [\\]^_`{|}~ \xc3\x89 @"),
                    "az az 09 [\\]^_`{|}~ \xc3\x89 @");
    ck_assert_sv_eq(ascii_lower(raw("\0A")), raw("\0a"));
    ck_assert_sv_eq(ascii_lower(""), "");
    ck_assert_sv_eq(bytes_that([](char c) { return ascii_lower(c) != c; }),
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    ck_assert(equal_nocase("", ""));
    ck_assert(equal_nocase("Bearer", "bEARER"));
    ck_assert(!equal_nocase("bearer", "bearer "));
    ck_assert(!equal_nocase("bearer", "beare"));
    ck_assert(!equal_nocase("[", "{"));
    ck_assert(!equal_nocase("@", "`"));
    ck_assert(!equal_nocase("\xc3\x89", "\xc3\xa9"));

    ck_assert(starts_with_nocase("__HOST-s", "__host-"));
    ck_assert(starts_with_nocase("abc", ""));
    ck_assert(starts_with_nocase("abc", "ABC"));
    ck_assert(!starts_with_nocase("ab", "abc"));
    ck_assert(!starts_with_nocase("xabc", "abc"));
}
END_TEST

START_TEST(blanks_at_both_ends) {
    ck_assert_sv_eq(trim(""), "");
    ck_assert_sv_eq(trim(" \t \t"), "");
    ck_assert_sv_eq(trim("a"), "a");
    ck_assert_sv_eq(trim(" \ta \tb\t "), "a \tb");
    ck_assert_sv_eq(trim("\r\na\v"), "\r\na\v");
    ck_assert_sv_eq(trim(" a\r", [](char c) { return is_blank(c) || c == '\r'; }), "a");
}
END_TEST

START_TEST(tokens) {
    ck_assert(is_token("X-Oidc_Sub.1"));
    for (const auto& text :
         {raw(""), raw("a b"), raw("a:"), raw("a\0"), raw("\xc3\xa9"), raw("a\r"), raw("a="),
          raw("(a)"), raw("a\"b"), raw("a;b"), raw("a,b")}) {
        ck_assert_msg(!is_token(text), "%s", text.c_str());
    }
}
END_TEST

START_TEST(control_bytes) {
    ck_assert(!has_control_bytes("plain \xc3\xab ~"));
    ck_assert(!has_control_bytes(""));
    for (const auto& text :
         {raw("\x00"), raw("a\tb"), raw("a\r"), raw("\n"), raw("\x1f"), raw("x\x7f")}) {
        ck_assert(has_control_bytes(text));
    }
    for (std::size_t size = 1; size < 20; ++size) {
        ck_assert(!has_control_bytes(std::string(size, 'a')));
        for (std::size_t place = 0; place < size; ++place) {
            std::string text(size, 'a');
            text[place] = '\n';
            ck_assert_msg(has_control_bytes(text), "%zu of %zu", place, size);
        }
    }
    // Eight bytes are looked at together: every byte at every place of the word and of the rest.
    for (int byte = 0; byte < 256; ++byte) {
        const bool control = byte < 0x20 || byte == 0x7f;
        for (std::size_t place = 0; place < 20; ++place) {
            for (const char around : {'a', ' ', '~', '\x80', '\xff'}) {
                std::string text(20, around);
                text[place] = static_cast<char>(byte);
                ck_assert_msg(has_control_bytes(text) == control, "%d at %zu", byte, place);
            }
        }
    }
}
END_TEST

START_TEST(text_in_messages) {
    ck_assert_sv_eq(in_quotes(""), "\"\"");
    ck_assert_sv_eq(in_quotes("a\"b"), "\"a\"b\"");
    ck_assert_sv_eq(in_quotes(std::vector<std::string>{}), "[]");
    ck_assert_sv_eq(in_quotes(std::vector<std::string>{"a"}), "[\"a\"]");
    ck_assert_sv_eq(in_quotes(std::vector<std::string>{"", "b"}), "[\"\", \"b\"]");
}
END_TEST

static Suite* text_suite() {
    Suite* suite = suite_create("text");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, kinds_of_bytes);
    tcase_add_test(tcase, only_ascii_letters_have_a_case);
    tcase_add_test(tcase, blanks_at_both_ends);
    tcase_add_test(tcase, tokens);
    tcase_add_test(tcase, control_bytes);
    tcase_add_test(tcase, text_in_messages);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration text_registered("text", text_suite);
