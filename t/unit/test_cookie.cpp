// SPDX-License-Identifier: Apache-2.0
#include "oidc/cookie.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

static std::string pairs(std::string_view header) {
    std::string out;
    CookieCursor cursor(header);
    while (cursor.next()) {
        out.append("<").append(cursor.name()).append("|").append(cursor.value()).append(">");
    }
    return out;
}

START_TEST(cursor_walks_pairs) {
    ck_assert_sv_eq(pairs("a=1; b=2"), "<a|1><b|2>");
    ck_assert_sv_eq(pairs("a=1;b=2"), "<a|1><b|2>");
    ck_assert_sv_eq(pairs(" \ta = 1 \t;\tb\t=\t2"), "<a|1><b|2>");
    ck_assert_sv_eq(pairs("a=x=y==; b="), "<a|x=y==><b|>");
    ck_assert_sv_eq(pairs("a=1,b=2"), "<a|1,b=2>");
    ck_assert_sv_eq(pairs("a=\"q;r\""), "<a|\"q><|r\">");
    ck_assert_sv_eq(pairs("lonely; a=1"), "<|lonely><a|1>");
    ck_assert_sv_eq(pairs("=v"), "<|v>");
    ck_assert_sv_eq(pairs(""), "<|>");
    ck_assert_sv_eq(pairs(";;;"), "<|><|><|><|>");
    ck_assert_sv_eq(pairs("a=1; ; b"), "<a|1><|><|b>");
    ck_assert_sv_eq(pairs(raw("a=\0;b=\n")), raw("<a|\0><b|\n>"));
}
END_TEST

START_TEST(only_the_exact_name_matches) {  // C-16
    const std::string name = "__Host-s";
    const auto matches = [&name](std::string_view header) {
        int count = 0;
        CookieCursor cursor(header);
        while (cursor.next()) {
            count += cursor.name() == name ? 1 : 0;
        }
        return count;
    };
    ck_assert_int_eq(matches("__Host-s=v"), 1);
    ck_assert_int_eq(matches(" __Host-s=v"), 1);  // RFC 6265bis: white space is no part of a name
    ck_assert_int_eq(matches("__Host-s=a; __Host-s=b"), 2);
    ck_assert_int_eq(matches("$Version=1; __Host-s=v"), 1);
    for (const char* header :
         {"\xe2\x80\x80__Host-s=v", "\"__Host-s\"=v", "__host-s=v", "__HOST-S=v", "__Host-sX=v",
          "X__Host-s=v", "=__Host-s=v", "a=1, __Host-s=v", "__Host-s", "__Host-s\x0b=v",
          "\xa0__Host-s=v", "%5F_Host-s=v", "__Host-=v"}) {
        ck_assert_msg(matches(header) == 0, "%s", header);
    }
}
END_TEST

static std::string stripped(std::string_view header) {
    std::string out(header.size(), '#');
    const std::size_t size =
        strip_cookies(header, out.data(), [](std::string_view name, std::string_view value) {
            // The value that a cookie has by itself.
            ck_assert(value.find(';') == std::string_view::npos);
            return name == "s" || name.starts_with("__Host-s");
        });
    ck_assert_uint_le(size, header.size());
    return out.substr(0, size);
}

START_TEST(ours_are_stripped_and_the_rest_is_untouched) {  // C-19
    const struct {
        std::string_view header, expected;
    } rows[] = {
        {"", ""},
        {"a=1; b=2", "a=1; b=2"},
        {"s=x", ""},
        {"s=x; a=1", "a=1"},
        {"s=x;a=1", "a=1"},
        {"a=1; s=x", "a=1"},
        {"a=1; s=x; b=2", "a=1; b=2"},
        {"s=x; s=y; __Host-s=z", ""},
        {"s=x; a=1; s=y; b=2; s=z", "a=1; b=2"},
        {" s = x ; a=1", "a=1"},
        {"a=1; ; b", "a=1; ; b"},
        {";;;", ";;;"},
        {"=", "="},
        {"=s", "=s"},
        {"s", "s"},  // a nameless cookie with the value "s" is not ours
        {"a=\"1;2\"; s=x", "a=\"1;2\""},
        {"a=1,s=2", "a=1,s=2"},
        {"S=x", "S=x"},
        {"ss=x", "ss=x"},
        {"a =  1 ;  b", "a =  1 ;  b"},
        {"s=x; ", ""},
        {"s=x;  ; a=1", "a=1"},
    };
    for (const auto& row : rows) {
        ck_assert_sv_eq(stripped(row.header), row.expected);
    }
    ck_assert_sv_eq(stripped(raw("a=\0; s=\0; b=\xff")), raw("a=\0; b=\xff"));
}
END_TEST

START_TEST(set_cookie_attributes) {  // C-01
    CookieAttributes attrs;
    ck_assert_sv_eq(set_cookie("__Host-s", "v", attrs, -1),
                    "__Host-s=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    ck_assert_sv_eq(set_cookie("__Host-s", "v", attrs, 600),
                    "__Host-s=v; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax");
    attrs = {.secure = false,
             .path = "/app",
             .domain = "example.com",
             .same_site = "None",
             .http_only = false};
    ck_assert_sv_eq(set_cookie("s", "v", attrs, 4'000'000'000L),
                    "s=v; Path=/app; Domain=example.com; Max-Age=4000000000; SameSite=None");
    attrs = {.secure = true, .path = "", .domain = "", .same_site = "", .http_only = false};
    ck_assert_sv_eq(set_cookie("s", "", attrs, -1), "s=; Secure");
}
END_TEST

START_TEST(deleting_repeats_the_attributes) {
    const CookieAttributes attrs{.secure = true,
                                 .path = "/x",
                                 .domain = "example.com",
                                 .same_site = "Strict",
                                 .http_only = true};
    ck_assert_sv_eq(
        delete_cookie("s", attrs),
        "s=; Path=/x; Domain=example.com; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
}
END_TEST

START_TEST(names_and_prefixes) {
    ck_assert_sv_eq(cookie_name_for("s", true, false), "__Host-s");
    ck_assert_sv_eq(cookie_name_for("s", true, true), "s");
    ck_assert_sv_eq(cookie_name_for("s", false, false), "s");
    ck_assert_sv_eq(cookie_name_for("__Host-s", true, false), "__Host-s");
    ck_assert_sv_eq(cookie_name_for("__HOST-s", true, false), "__HOST-s");
    ck_assert_sv_eq(cookie_name_for("__Secure-s", true, false), "__Secure-s");
    ck_assert_sv_eq(cookie_name_for("__Hos", true, false), "__Host-__Hos");
}
END_TEST

START_TEST(paths_of_a_cookie) {
    const std::pair<const char*, const char*> matches[] = {{"/", "/"},
                                                           {"/logout", "/"},
                                                           {"/app", "/app"},
                                                           {"/app/out", "/app"},
                                                           {"/app/out", "/app/"}};
    for (const auto& [path, cookie_path] : matches) {
        ck_assert_msg(is_cookie_path(path, cookie_path), "%s %s", path, cookie_path);
    }
    const std::pair<const char*, const char*> others[] = {{"/logout", "/app"},
                                                          {"/application", "/app"},
                                                          {"/app", "/app/"},
                                                          {"/", "/app"},
                                                          {"/App/out", "/app"}};
    for (const auto& [path, cookie_path] : others) {
        ck_assert_msg(!is_cookie_path(path, cookie_path), "%s %s", path, cookie_path);
    }
}
END_TEST

START_TEST(names_that_browsers_send) {
    const std::pair<const char*, const char*> rows[] = {
        {"s=1; Path=/", "s"}, {" s =1", "s"}, {"=s=1; Path=/", "s"}, {" =\ts = 1", "s"},
        {"s; Path=/", "s"},   {"=s", "s"},    {"==s=1", "s=1"},      {"", ""},
        {"; s=1", ""},        {"a=s=1", "a"}, {"=a; s=1", "a"},
    };
    for (const auto& [line, name] : rows) {
        ck_assert_sv_eq(name_when_sent(line), name);
    }
}
END_TEST

static Suite* cookie_suite() {
    Suite* suite = suite_create("cookie");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, cursor_walks_pairs);
    tcase_add_test(tcase, only_the_exact_name_matches);
    tcase_add_test(tcase, ours_are_stripped_and_the_rest_is_untouched);
    tcase_add_test(tcase, set_cookie_attributes);
    tcase_add_test(tcase, deleting_repeats_the_attributes);
    tcase_add_test(tcase, names_and_prefixes);
    tcase_add_test(tcase, paths_of_a_cookie);
    tcase_add_test(tcase, names_that_browsers_send);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration cookie_registered("cookie", cookie_suite);
