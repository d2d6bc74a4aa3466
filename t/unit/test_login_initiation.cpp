// SPDX-License-Identifier: Apache-2.0
#include "oidc/login_initiation.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static constexpr std::string_view kIss = "iss=https%3A%2F%2Fidp.example%2Frealms%2Fa";

static ProviderConfig provider() {
    ProviderConfig config;
    config.issuer = "https://idp.example/realms/a";
    return config;
}

static Result<LoginInitiation> parse(const std::string& rest) {
    return parse_login_initiation(std::string(kIss) + rest, provider());
}

static Reason reason_of(const std::string& arguments) {
    const Result<LoginInitiation> parsed = parse_login_initiation(arguments, provider());
    ck_assert_msg(!parsed, "taken: %s", arguments.c_str());
    return parsed.error().reason;
}

START_TEST(a_40_what_a_link_says) {
    const Result<LoginInitiation> bare = parse("");
    ck_assert(bare);
    ck_assert(bare->login_hint.empty() && bare->target_link_uri.empty());

    const Result<LoginInitiation> full = parse(
        "&login_hint=m%C3%BCller%40example.org&other=x&other=y&target_link_uri=%2Fa%3Fb%3Dc%23d");
    ck_assert(full);
    ck_assert_sv_eq(full->login_hint, "m\xc3\xbcller@example.org");
    ck_assert_sv_eq(full->target_link_uri, "/a?b=c#d");

    // As forms have it, in any order.
    ck_assert(
        parse_login_initiation("login_hint=a+b&iss=https://idp.example/realms/a", provider()));
    ck_assert(parse("&login_hint=&target_link_uri="));
    ck_assert(parse("&login_hint=" + std::string(1024, 'x')));
}
END_TEST

START_TEST(a_40_links_of_others) {
    for (const char* iss : {"https://idp.example/realms/a/", "https://idp.example/realms/A",
                            "HTTPS://idp.example/realms/a", "https://idp.example:443/realms/a",
                            "https://idp.example/realms/b", "x", "https://idp.example/realms/a%20",
                            "https://idp.example/realms/a%3F"}) {
        ck_assert_int_eq(static_cast<int>(reason_of(std::string("iss=") + iss)),
                         static_cast<int>(Reason::initiation_issuer));
    }
}
END_TEST

START_TEST(a_40_links_that_say_nothing) {
    const std::string iss(kIss);
    for (const std::string& arguments :
         {std::string(), std::string("iss"), std::string("iss="),
          std::string("ISS=") + iss.substr(4), std::string("login_hint=a"), iss + "&" + iss,
          iss + "&login_hint=a&login_hint=a", iss + "&target_link_uri=/&target_link_uri=/",
          iss + "&login_hint=%zz", iss + "&login_hint=%", iss + "&login_hint=a%0d%0aSet-Cookie:x",
          iss + "&target_link_uri=/%00", iss + "&login_hint=a%7f",
          iss + "&login_hint=" + std::string(1025, 'x'),
          iss + "&target_link_uri=/" + std::string(2048, 'x'), "iss=" + std::string(2049, 'x'),
          std::string("iss=%zz"), iss + "&%69ss=x"}) {
        ck_assert_int_eq(static_cast<int>(reason_of(arguments)),
                         static_cast<int>(Reason::initiation_malformed));
    }
}
END_TEST

START_TEST(a_40_nothing_of_a_person_in_the_log) {
    for (const std::string& rest :
         {std::string("&login_hint=secret%00"), "&login_hint=" + std::string(2000, 's'),
          std::string("&target_link_uri=/secret%01")}) {
        const Result<LoginInitiation> parsed = parse(rest);
        ck_assert(!parsed);
        ck_assert(parsed.error().detail.find("secret") == std::string::npos);
        ck_assert(parsed.error().detail.find("ssss") == std::string::npos);
    }
}
END_TEST

START_TEST(a_40_targets) {
    static constexpr std::string_view kOrigin = "https://app.example:8443";
    const auto target = [](std::string_view text) {
        return std::string(target_on_origin(text, kOrigin));
    };
    ck_assert_sv_eq(target("/"), "/");
    ck_assert_sv_eq(target("/a?b#c"), "/a?b#c");
    ck_assert_sv_eq(target("https://app.example:8443/a?b#c"), "/a?b#c");
    ck_assert_sv_eq(target("HTTPS://APP.example:8443/A"), "/A");
    for (const std::string_view other : {"",
                                         "a",
                                         "?a",
                                         "#a",
                                         "//evil.example",
                                         "/\\evil.example",
                                         "/.//evil.example",
                                         "https://app.example:8443",
                                         "https://app.example:8443@evil.example/",
                                         "https://app.example:84430/",
                                         "https://app.example/",
                                         "https://app.example:8443.evil/",
                                         "http://app.example:8443/",
                                         "https://app.example:8443//evil.example",
                                         "https://app.example:8443/%2f/evil.example",
                                         "javascript:alert(1)",
                                         "https:/a",
                                         " /a",
                                         "https://evil.example/https://app.example:8443/",
                                         "/a b",
                                         "/m\xc3\xbcller"}) {
        ck_assert_msg(target(other).empty(), "taken: %.*s", static_cast<int>(other.size()),
                      other.data());
    }
    ck_assert(target_on_origin("https://app.example/", "").empty());
}
END_TEST

static Suite* login_initiation_suite() {
    Suite* suite = suite_create("login_initiation");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, a_40_what_a_link_says);
    tcase_add_test(tcase, a_40_links_of_others);
    tcase_add_test(tcase, a_40_links_that_say_nothing);
    tcase_add_test(tcase, a_40_nothing_of_a_person_in_the_log);
    tcase_add_test(tcase, a_40_targets);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration login_initiation_registered("login_initiation", login_initiation_suite);
