// SPDX-License-Identifier: Apache-2.0
#include "oidc/challenge.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static constexpr std::string_view kBrowserAccept =
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

static RequestFacts navigation() {
    RequestFacts facts;
    facts.get = true;
    facts.sec_fetch_mode = "navigate";
    facts.sec_fetch_dest = "document";
    facts.accept = kBrowserAccept;
    return facts;
}

START_TEST(navigations) {
    ck_assert(is_navigation(navigation()));
    RequestFacts facts = navigation();
    facts.sec_fetch_dest = {};
    ck_assert(is_navigation(facts));
    facts = navigation();
    facts.accept = "*/*";  // Sec-Fetch-Mode decides
    ck_assert(is_navigation(facts));
    facts = navigation();
    facts.sec_fetch_mode = "NAVIGATE";
    ck_assert(is_navigation(facts));
    facts = {};
    facts.get = true;
    facts.accept = kBrowserAccept;  // an old browser
    ck_assert(is_navigation(facts));
    facts.accept = "Text/HTML";
    ck_assert(is_navigation(facts));
}
END_TEST

START_TEST(everything_else_is_not) {
    RequestFacts facts = navigation();
    facts.get = false;
    ck_assert(!is_navigation(facts));
    facts.head = true;
    ck_assert(!is_navigation(facts));
    for (const char* mode :
         {"cors", "no-cors", "same-origin", "websocket", "nested-navigate", "x"}) {
        facts = navigation();
        facts.sec_fetch_mode = mode;
        ck_assert_msg(!is_navigation(facts), "%s", mode);
    }
    for (const char* dest : {"iframe", "frame", "image", "script", "style", "empty", "embed",
                             "object", "worker", "font"}) {
        facts = navigation();
        facts.sec_fetch_dest = dest;
        ck_assert_msg(!is_navigation(facts), "%s", dest);
        facts.sec_fetch_mode = {};
        ck_assert_msg(!is_navigation(facts), "%s", dest);
    }
    for (const char* purpose : {"prefetch", "prefetch;prerender", "preview", "PREFETCH"}) {
        facts = navigation();
        facts.sec_purpose = purpose;
        ck_assert_msg(!is_navigation(facts), "%s", purpose);
    }
    facts = navigation();
    facts.upgrade = "websocket";
    ck_assert(!is_navigation(facts));

    RequestFacts old;
    old.get = true;
    ck_assert(!is_navigation(old));  // no Accept
    for (const char* accept :
         {"*/*", "application/json", "text/event-stream", "text/htm", "image/png"}) {
        old.accept = accept;
        ck_assert_msg(!is_navigation(old), "%s", accept);
    }
    old.accept = kBrowserAccept;
    for (const char* with : {"XMLHttpRequest", "xmlhttprequest"}) {
        old.requested_with = with;
        ck_assert(!is_navigation(old));
    }
    old.requested_with = "com.example.app";  // what an Android web view sends
    ck_assert(is_navigation(old));
}
END_TEST

START_TEST(q_11_who_reads_the_answer) {
    RequestFacts facts = navigation();
    ck_assert(page_form(facts) == PageForm::html);
    facts.get = false;  // a form, whatever its encoding
    for (const char* type :
         {"", "application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x", "text/plain",
          "application/json"}) {  // Sec-Fetch-Mode decides
        facts.content_type = type;
        ck_assert_msg(page_form(facts) == PageForm::html, "%s", type);
    }
    facts.sec_fetch_site = "cross-site";
    ck_assert(page_form(facts) == PageForm::html);
    for (const char* mode : {"cors", "no-cors", "same-origin", "websocket"}) {
        facts = navigation();
        facts.get = false;
        facts.sec_fetch_mode = mode;
        ck_assert_msg(page_form(facts) == PageForm::json, "%s", mode);
    }
    for (const bool get : {true, false}) {
        for (const char* frame : {"iframe", "IFrame", "frame"}) {
            facts = navigation();
            facts.get = get;
            facts.sec_fetch_dest = frame;
            ck_assert(page_form(facts) == PageForm::json);
            facts.sec_fetch_site = "same-origin";
            ck_assert_msg(page_form(facts) == PageForm::framed, "%s", frame);
            for (const char* site : {"same-site", "cross-site", "none"}) {
                facts.sec_fetch_site = site;
                ck_assert_msg(page_form(facts) == PageForm::json, "%s", site);
            }
        }
    }
    facts = navigation();
    facts.sec_fetch_site = "same-origin";
    for (const char* dest : {"embed", "object", "image", "empty", "script"}) {
        facts.sec_fetch_dest = dest;
        ck_assert_msg(page_form(facts) == PageForm::json, "%s", dest);
    }
    facts = navigation();
    facts.sec_purpose = "prefetch";
    ck_assert(page_form(facts) == PageForm::json);
    facts = navigation();
    facts.upgrade = "websocket";
    ck_assert(page_form(facts) == PageForm::json);
    facts = navigation();
    facts.get = false;
    facts.head = true;
    ck_assert(page_form(facts) == PageForm::json);
}
END_TEST

START_TEST(q_11_who_reads_it_without_fetch_metadata) {
    RequestFacts facts;
    facts.accept = kBrowserAccept;
    ck_assert(page_form(facts) == PageForm::html);
    for (const char* type : {"application/x-www-form-urlencoded;charset=utf-8",
                             "multipart/form-data; boundary=x", "TEXT/PLAIN\t; x"}) {
        facts.content_type = type;
        ck_assert_msg(page_form(facts) == PageForm::html, "%s", type);
    }
    for (const char* type : {"application/json", "text/plainer", "application/xml", "image/png"}) {
        facts.content_type = type;
        ck_assert_msg(page_form(facts) == PageForm::json, "%s", type);
    }
    facts.content_type = "application/x-www-form-urlencoded";
    facts.requested_with = "XMLHttpRequest";
    ck_assert(page_form(facts) == PageForm::json);
    facts.requested_with = {};
    facts.accept = "*/*";
    ck_assert(page_form(facts) == PageForm::json);
}
END_TEST

START_TEST(c_29_what_another_site_has_begun) {
    ck_assert(is_from_another_site("cross-site"));
    for (const char* site : {"", "none", "same-origin", "same-site", "cross-sit"}) {
        ck_assert_msg(!is_from_another_site(site), "%s", site);
    }
}
END_TEST

START_TEST(paths_on_an_origin) {
    constexpr std::string_view origin = "https://app.example";
    ck_assert_sv_eq(path_on_origin("https://app.example/a?b#c", origin), "/a?b#c");
    ck_assert_sv_eq(path_on_origin("HTTPS://App.Example/", origin), "/");
    for (const char* url :
         {"", "https://app.example", "https://app.example?x", "https://app.example:1/",
          "https://app.example.evil/x", "http://app.example/", "/x"}) {
        ck_assert_msg(path_on_origin(url, origin).empty(), "%s", url);
    }
    ck_assert(path_on_origin("/x", {}).empty());
}
END_TEST

START_TEST(policies) {
    const RequestFacts page = navigation();
    RequestFacts xhr = navigation();
    xhr.sec_fetch_mode = "cors";
    xhr.sec_fetch_dest = "empty";
    RequestFacts head;
    head.head = true;
    head.accept = kBrowserAccept;
    RequestFacts post;
    post.accept = kBrowserAccept;
    RequestFacts prefetch = navigation();
    prefetch.sec_purpose = "prefetch";
    RequestFacts socket = navigation();
    socket.upgrade = "websocket";

    const auto row = [&](Unauthorized policy) {
        std::string out;
        const RequestFacts* const all[] = {&page, &xhr, &head, &post, &prefetch, &socket};
        for (const RequestFacts* facts : all) {
            out += should_redirect(policy, *facts) ? 'r' : '-';
        }
        return out;
    };
    ck_assert_sv_eq(row(Unauthorized::automatic), "r-----");
    ck_assert_sv_eq(row(Unauthorized::redirect), "rrr---");
    ck_assert_sv_eq(row(Unauthorized::status_401), "------");
}
END_TEST

START_TEST(own_navigation_by_fetch_metadata) {
    const std::string_view origin = "https://app.example";
    ck_assert(is_own_navigation("same-origin", "", "", origin));
    ck_assert(is_own_navigation("none", "", "", origin));
    ck_assert(!is_own_navigation("cross-site", "", "", origin));
    ck_assert(!is_own_navigation("same-site", "", "", origin));
    ck_assert(!is_own_navigation("bogus", "", "", origin));
    // It decides alone.
    ck_assert(!is_own_navigation("cross-site", origin, "https://app.example/", origin));
    ck_assert(is_own_navigation("same-origin", "", "https://evil.example/", origin));
}
END_TEST

START_TEST(own_navigation_by_origin_and_referer) {
    const std::string_view origin = "https://app.example";
    ck_assert(is_own_navigation("", "", "", origin));
    ck_assert(is_own_navigation("", origin, "", origin));
    ck_assert(is_own_navigation("", "https://APP.example", "", origin));
    ck_assert(!is_own_navigation("", "null", "", origin));
    ck_assert(!is_own_navigation("", "https://evil.example", "https://app.example/", origin));
    for (const char* referer :
         {"https://app.example", "https://app.example/", "https://app.example/a?b",
          "https://app.example?x", "https://app.example#x", "HTTPS://App.Example/"}) {
        ck_assert_msg(is_own_navigation("", "", referer, origin), "%s", referer);
    }
    for (const char* referer :
         {"https://app.example.evil/", "https://app.example:444/", "https://app.example@evil/",
          "http://app.example/", "https://app.exampl", "https://evil/https://app.example/",
          "about:blank", "https://app.example\\evil"}) {
        ck_assert_msg(!is_own_navigation("", "", referer, origin), "%s", referer);
    }
    // Without an origin to compare with, nothing that names one is ours.
    ck_assert(!is_own_navigation("", "", "/", ""));
    ck_assert(!is_own_navigation("", "https://app.example", "", ""));
}
END_TEST

START_TEST(navigation_from_a_named_origin) {
    const std::string_view origin = "https://portal.example";
    ck_assert(is_navigation_from(origin, "", origin));
    ck_assert(is_navigation_from("", "https://portal.example/menu", origin));
    ck_assert(!is_navigation_from("", "", origin));
    ck_assert(!is_navigation_from("null", "https://portal.example/", origin));
    ck_assert(!is_navigation_from("https://evil.example", "https://portal.example/", origin));
    ck_assert(!is_navigation_from("", "https://portal.example.evil/", origin));
    ck_assert(!is_navigation_from("", "https://app.example/?https://portal.example/", origin));
}
END_TEST

START_TEST(c_30_changes_that_are_our_own) {
    const std::string_view origin = "https://app.example";
    const std::string_view host = "app.example";
    const std::vector<std::string> none;
    for (const char* site : {"same-origin", "none", "Same-Origin"}) {
        ck_assert(is_own_change(site, "", host, origin, none));
        ck_assert(is_own_change(site, "https://alias.example", host, origin, none));
    }
    ck_assert(is_own_change("", "", host, origin, none));
    ck_assert(is_own_change("", origin, host, origin, none));
    ck_assert(is_own_change("", "HTTPS://APP.example", "", origin, none));
    // The public origin is what the configuration says, the Host header what the browser knows.
    ck_assert(is_own_change("", "https://alias.example:8443", "alias.example:8443", origin, none));
    ck_assert(is_own_change("", "http://app.example", host, "http://app.example", none));
    // TLS ends before us, and nothing says so.
    ck_assert(is_own_change("", "https://app.example", host, "http://app.example", none));
    ck_assert(is_own_change("cross-site", origin, host, origin, none));
}
END_TEST

START_TEST(c_31_changes_of_others) {
    const std::string_view origin = "https://app.example";
    const std::string_view host = "app.example";
    const std::vector<std::string> none;
    for (const char* site : {"same-site", "cross-site", "bogus", "same-origin, none", " "}) {
        ck_assert_msg(!is_own_change(site, "", host, origin, none), "%s", site);
        ck_assert_msg(!is_own_change(site, "https://evil.example", host, origin, none), "%s", site);
        // What a browser without Sec-Fetch-Site may do: this one knows better.
        ck_assert_msg(!is_own_change(site, "https://alias.example", "alias.example", origin, none),
                      "%s", site);
    }
    for (const char* sender :
         {"null", "https://evil.example", "http://app.example", "https://app.example:444",
          "https://app.example.evil", "https://app.example/", "https://", "ftp://app.example",
          "//app.example", "app.example", "https://app.example@evil", " https://app.example"}) {
        ck_assert_msg(!is_own_change("", sender, host, origin, none), "%s", sender);
    }
    // Nothing to compare with.
    ck_assert(!is_own_change("", "https://", "", "", none));
    ck_assert(!is_own_change("", "null", "", "", none));
}
END_TEST

START_TEST(c_32_changes_of_named_origins) {
    const std::vector<std::string> allowed{"https://portal.example", "http://a.example:8080"};
    for (const char* site : {"", "same-site", "cross-site"}) {
        ck_assert(is_own_change(site, "https://Portal.example", "app.example",
                                "https://app.example", allowed));
        ck_assert(is_own_change(site, "http://a.example:8080", "app.example", "https://app.example",
                                allowed));
        ck_assert(!is_own_change(site, "http://portal.example", "app.example",
                                 "https://app.example", allowed));
        ck_assert(!is_own_change(site, "null", "app.example", "https://app.example", allowed));
    }
}
END_TEST

static Suite* challenge_suite() {
    Suite* suite = suite_create("challenge");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, navigations);
    tcase_add_test(tcase, everything_else_is_not);
    tcase_add_test(tcase, q_11_who_reads_the_answer);
    tcase_add_test(tcase, q_11_who_reads_it_without_fetch_metadata);
    tcase_add_test(tcase, c_29_what_another_site_has_begun);
    tcase_add_test(tcase, paths_on_an_origin);
    tcase_add_test(tcase, policies);
    tcase_add_test(tcase, own_navigation_by_fetch_metadata);
    tcase_add_test(tcase, own_navigation_by_origin_and_referer);
    tcase_add_test(tcase, navigation_from_a_named_origin);
    tcase_add_test(tcase, c_30_changes_that_are_our_own);
    tcase_add_test(tcase, c_31_changes_of_others);
    tcase_add_test(tcase, c_32_changes_of_named_origins);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration challenge_registered("challenge", challenge_suite);
