// SPDX-License-Identifier: Apache-2.0
#include "oidc/http_message.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static Status answer(int status, std::string location,
                     std::string url = "https://op.example/token") {
    HttpRequest request;
    request.endpoint = "token_endpoint";
    request.url = std::move(url);
    HttpResponse response;
    response.status = status;
    response.location = std::move(location);
    return refuse_redirect(request, response);
}

START_TEST(other_statuses_pass) {
    for (const int status : {0, 100, 200, 204, 299, 400, 401, 404, 500, 503}) {
        const Status result = answer(status, "https://elsewhere.example/");
        ck_assert_result_ok(result);
    }
}
END_TEST

START_TEST(redirects_are_refused_with_advice) {
    for (const int status : {300, 301, 302, 303, 304, 307, 308, 399}) {
        const Status result = answer(status, "https://login.example/token");
        ck_assert_result_is(result, Reason::idp_redirect);
        ck_assert_sv_eq(result.error().detail,
                        "token_endpoint https://op.example/token redirects to "
                        "https://login.example/token");
        ck_assert_sv_eq(result.error().fix, "configure token_endpoint https://login.example/token");
    }
}
END_TEST

START_TEST(a_redirect_to_nowhere) {
    const Status result = answer(302, "");
    ck_assert_result_is(result, Reason::idp_redirect);
    ck_assert_sv_eq(result.error().detail,
                    "token_endpoint https://op.example/token answered 302 without a location");
    ck_assert_sv_eq(result.error().fix, "");
}
END_TEST

START_TEST(queries_are_not_logged) {
    const Status result = answer(302, "https://op.example/login?code=canary#canary",
                                 "https://op.example/token?x=canary");
    ck_assert_result_is(result, Reason::idp_redirect);
    ck_assert_sv_lacks(result.error().detail, "canary");
    ck_assert_sv_lacks(result.error().fix, "canary");
    ck_assert_sv_contains(result.error().detail, "https://op.example/login?...");
}
END_TEST

START_TEST(retry_after_as_number_or_date) {
    constexpr Seconds kNow = 784'111'700;  // Sun, 06 Nov 1994 08:48:20 GMT
    const auto in = [](std::string_view text) {
        return retry_after_seconds(text, kNow).value_or(-1);
    };
    ck_assert_int_eq(in("0"), 0);
    ck_assert_int_eq(in("120"), 120);
    ck_assert_int_eq(in("999999999"), 999'999'999);
    ck_assert_int_eq(in("Sun, 06 Nov 1994 08:49:37 GMT"), 77);
    ck_assert_int_eq(in("Sun, 06 Nov 1994 08:48:00 GMT"), 0);
    ck_assert_int_eq(in("Thu, 29 Feb 1996 00:00:00 GMT"), 825'552'000 - kNow);
    for (const char* bad : {"", "-1", "1.5", " 5", "5 ", "9999999999", "soon",
                            "Sun, 06 Nov 1994 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37 GMT",
                            "Sun Nov  6 08:49:37 1994", "Sun, 30 Feb 1994 08:49:37 GMT",
                            "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                            "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
                            "Sun, 0x Nov 1994 08:49:37 GMT", "Sun, 06 Nov 199- 08:49:37 GMT"}) {
        ck_assert_msg(!retry_after_seconds(bad, kNow).has_value(), "%s", bad);
    }
}
END_TEST

static Suite* http_message_suite() {
    Suite* suite = suite_create("http_message");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, other_statuses_pass);
    tcase_add_test(tcase, redirects_are_refused_with_advice);
    tcase_add_test(tcase, a_redirect_to_nowhere);
    tcase_add_test(tcase, queries_are_not_logged);
    tcase_add_test(tcase, retry_after_as_number_or_date);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration http_message_registered("http_message", http_message_suite);
