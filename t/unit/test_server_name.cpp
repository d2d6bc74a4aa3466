// SPDX-License-Identifier: Apache-2.0
#include "oidc/server_name.hpp"

#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

START_TEST(host_names) {
    for (const char* name :
         {"a", "app.example", "xn--bcher-kva.example", "10.0.0.1", "a-b.c", "app.example."}) {
        ck_assert_msg(is_host_name(name), "%s", name);
    }
    for (const auto& name :
         {raw(""), raw("."), raw(".app.example"), raw("a..b"), raw("App.example"), raw("*.example"),
          raw("a_b"), raw("a:80"), raw("[::1]"), raw("a/b"), raw("a@b"), raw("a b"), raw("a\0"),
          raw("\xc3\xa9.example")}) {
        ck_assert_msg(!is_host_name(name), "%s", name.c_str());
    }
}
END_TEST

START_TEST(n_45_names_of_public_urls) {
    for (const char* name : {"app.example", "*.app.example", ".app.example", "localhost", "a1",
                             "1.example", "app.example.", "10.0.0.1.example", "x1.2y"}) {
        ck_assert_msg(names_public_host(name), "%s", name);
    }
    for (const char* name : {"", "_", "*", "10.0.0.1", "10.0.0.1.", "*.10.0.0.1", "127.1", "1", ".",
                             "*.", "[::1]", "app.*", "~^app", "a_b.example", "example.1"}) {
        ck_assert_msg(!names_public_host(name), "%s", name);
    }
}
END_TEST

START_TEST(hosts_of_a_server_name) {
    const struct {
        const char *pattern, *host;
        bool matches;
    } rows[] = {
        {"app.example", "app.example", true},
        {"app.example", "www.app.example", false},
        {"app.example", "app.example.evil", false},
        {"app.example", "", false},
        {"", "", true},
        {"*.app.example", "www.app.example", true},
        {"*.app.example", "a.b.app.example", true},
        {"*.app.example", "app.example", false},
        {"*.app.example", ".app.example", false},
        {"*.app.example", "evilapp.example", false},
        {"*.app.example", "www.app.example.evil", false},
        {".app.example", "app.example", true},
        {".app.example", "www.app.example", true},
        {".app.example", "evilapp.example", false},
        {".app.example", "example", false},
        {"www.app.*", "www.app.example", false},
        {"~^www", "www.app.example", false},
        {"*", "app.example", false},
        {"_", "app.example", false},
    };
    for (const auto& row : rows) {
        ck_assert_msg(matches_server_name(row.host, row.pattern) == row.matches, "%s, %s",
                      row.pattern, row.host);
    }
}
END_TEST

static Suite* server_name_suite() {
    Suite* suite = suite_create("server_name");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, host_names);
    tcase_add_test(tcase, n_45_names_of_public_urls);
    tcase_add_test(tcase, hosts_of_a_server_name);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration server_name_registered("server_name", server_name_suite);
