// SPDX-License-Identifier: Apache-2.0
#include "oidc/authz_request.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

struct Request {
    ProviderConfig config;
    Metadata metadata;
    PendingLogin login;
    AuthzParameters parameters;

    Request() {
        config.client_id = "espocrm";
        config.scope = {"openid", "email", "profile"};
        metadata.authorization_endpoint = "https://op.example/auth";
        login.state = "ngxoidc1.abc";
        login.nonce = "the-nonce";
        login.redirect_uri = "https://app.example/oidc_callback";
        login.verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
    [[nodiscard]] std::string url() const {
        ProviderState provider;
        provider.authorization_prefix = authorization_prefix(config, metadata);
        return authorization_url(config, provider, login, parameters);
    }
    // The decoded argument, which must be there exactly once; "-" when absent.
    [[nodiscard]] std::string argument(std::string_view name) const {
        const std::string text = url();
        int count = 0;
        const std::string_view query = std::string_view(text).substr(text.find('?') + 1);
        const std::optional<std::string_view> value = query_argument(query, name, &count);
        if (!value) {
            return "-";
        }
        ck_assert_int_eq(count, 1);
        return std::string(*value);
    }
};

}  // namespace

START_TEST(rfc_7636_appendix_b) {
    ck_assert_sv_eq(code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}
END_TEST

START_TEST(a_01_each_parameter_once) {
    const Request r;
    ck_assert(parse_url(r.url()).ok());
    ck_assert_sv_eq(r.url().substr(0, 24), "https://op.example/auth?");
    ck_assert_sv_eq(r.argument("response_type"), "code");
    ck_assert_sv_eq(r.argument("client_id"), "espocrm");
    ck_assert_sv_eq(r.argument("redirect_uri"), "https%3A%2F%2Fapp.example%2Foidc_callback");
    ck_assert_sv_eq(r.argument("scope"), "openid%20email%20profile");
    ck_assert_sv_eq(r.argument("state"), "ngxoidc1.abc");
    ck_assert_sv_eq(r.argument("nonce"), "the-nonce");
    ck_assert_sv_eq(r.argument("code_challenge"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    ck_assert_sv_eq(r.argument("code_challenge_method"), "S256");
    // Empty ones are not sent (OIDC Core 3.1.2.1), and the verifier never is.
    for (const char* name : {"max_age", "acr_values", "prompt", "login_hint", "ui_locales",
                             "claims", "code_verifier", "client_secret"}) {
        ck_assert_sv_eq(r.argument(name), "-");
    }
    ck_assert_sv_lacks(r.url(), r.login.verifier.view());
}
END_TEST

START_TEST(i_35_without_nonce) {
    Request r;
    r.config.nonce = false;
    ck_assert_sv_eq(r.argument("nonce"), "-");
    ck_assert_sv_eq(r.argument("state"), "ngxoidc1.abc");
    ck_assert_sv_eq(r.argument("code_challenge_method"), "S256");
}
END_TEST

START_TEST(without_pkce) {
    Request r;
    r.login.verifier.clear();
    ck_assert_sv_eq(r.argument("code_challenge"), "-");
    ck_assert_sv_eq(r.argument("code_challenge_method"), "-");
}
END_TEST

START_TEST(openid_is_always_asked_for) {
    Request r;
    r.config.scope = {"email"};
    ck_assert_sv_eq(r.argument("scope"), "openid%20email");
    r.config.scope = {};
    ck_assert_sv_eq(r.argument("scope"), "openid");
    r.config.scope = {"email", "openid"};
    ck_assert_sv_eq(r.argument("scope"), "email%20openid");
}
END_TEST

START_TEST(optional_parameters) {
    Request r;
    r.config.max_age = 0;
    r.config.acr_values = {"loa-2", "mfa"};
    r.parameters = {"login", "john@example.com", "de en", R"({"userinfo":{"x":null}})", ""};
    ck_assert_sv_eq(r.argument("max_age"), "0");
    ck_assert_sv_eq(r.argument("acr_values"), "loa-2%20mfa");
    ck_assert_sv_eq(r.argument("prompt"), "login");
    ck_assert_sv_eq(r.argument("login_hint"), "john%40example.com");
    ck_assert_sv_eq(r.argument("ui_locales"), "de%20en");
    ck_assert_sv_eq(r.argument("claims"), "%7B%22userinfo%22%3A%7B%22x%22%3Anull%7D%7D");
}
END_TEST

START_TEST(p_09_resources) {
    Request r;
    r.config.resource = {"https://api.example/a?b=c", "urn:x:y"};
    // What a variable holds does not add another one.
    r.parameters.extra_auth_args = "resource=https://evil.example&x=1";
    const std::string url = r.url();
    ck_assert_sv_contains(url,
                          "&resource=https%3A%2F%2Fapi.example%2Fa%3Fb%3Dc&resource=urn%3Ax%3Ay&");
    ck_assert_sv_contains(url, "&x=1");
    ck_assert_sv_lacks(url, "evil");
    for (const char* good : {"https://api.example", "https://api.example/?a=b", "urn:example:api",
                             "api://1234-5678", "a+b-c.d:x"}) {
        ck_assert_msg(is_resource(good), "%s", good);
    }
    for (const char* bad :
         {"", ":", "api", "/api", "//api.example", "https:", "1a:b", "a_b:c", ":x",
          "https://api.example#x", "https://api.example/a b", "urn:\xc3\xa9", "urn:a\nb"}) {
        ck_assert_msg(!is_resource(bad), "%s", bad);
    }
}
END_TEST

START_TEST(a_17_the_response_mode) {
    Request r;
    ck_assert_sv_eq(r.argument("response_mode"), "-");
    r.config.response_mode = ResponseMode::form_post;
    ck_assert_sv_eq(r.argument("response_mode"), "form_post");
}
END_TEST

START_TEST(the_endpoints_own_query_is_kept) {
    Request r;
    r.metadata.authorization_endpoint = "https://op.example/auth?p=signin";
    ck_assert_sv_eq(r.argument("p"), "signin");
    ck_assert_sv_eq(r.argument("client_id"), "espocrm");
    ck_assert_uint_eq(r.url().find('?'), r.url().rfind('?'));
}
END_TEST

START_TEST(extra_arguments_are_appended_as_they_are) {
    Request r;
    r.parameters.extra_auth_args = "display=page&prompt=login%20consent&audience=a+b";
    const std::string url = r.url();
    ck_assert(url.ends_with("&display=page&prompt=login%20consent&audience=a+b"));
    ck_assert_sv_eq(r.argument("prompt"), "login%20consent");
}
END_TEST

START_TEST(q_13_extra_arguments_from_a_request_cannot_break_out) {
    Request r;
    r.parameters.prompt = "login";
    r.parameters.extra_auth_args =
        "&&a=1\r\nSet-Cookie: x&b=\"<\xc3\xa9#frag&state=evil&st%61te=evil&redirect_uri=//evil&"
        "request=jwt&prompt=none&%=1&c=2";
    const std::string url = r.url();
    ck_assert_sv_contains(url, "&a=1%0D%0ASet-Cookie:%20x&b=%22%3C%C3%A9%23frag&%=1&c=2");
    ck_assert_sv_eq(r.argument("state"), "ngxoidc1.abc");
    ck_assert_sv_eq(r.argument("prompt"), "login");
    ck_assert_sv_eq(r.argument("request"), "-");
    ck_assert_sv_lacks(url, "evil");
}
END_TEST

START_TEST(check_of_extra_arguments) {
    for (const char* good : {"", "display=page&prompt=login", "a=1&&b=$arg_x", "x"}) {
        const Status status = check_extra_auth_args(good);
        ck_assert_result_ok(status);
    }
    for (const char* bad :
         {"state=x", "a=1&nonce=2", "client_id=x", "redirect_uri=x", "response_type=token",
          "scope=x", "code_challenge=x", "code_challenge_method=plain", "response_mode=fragment",
          "request=x", "request_uri=x", "client_secret=x", "st%61te=x", "?a=1", "a=1#b",
          "a=1\nb=2"}) {
        const Status status = check_extra_auth_args(bad);
        ck_assert_result_is(status, Reason::malformed);
        ck_assert_sv_eq(status.error().fix, "extra_auth_args");
    }
    const Status status = check_extra_auth_args("a=1&nonce=2&state=3");
    ck_assert_sv_contains(status.error().detail, "\"nonce\"");
}
END_TEST

static Suite* authz_request_suite() {
    Suite* suite = suite_create("authz_request");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, rfc_7636_appendix_b);
    tcase_add_test(tcase, a_01_each_parameter_once);
    tcase_add_test(tcase, i_35_without_nonce);
    tcase_add_test(tcase, without_pkce);
    tcase_add_test(tcase, openid_is_always_asked_for);
    tcase_add_test(tcase, optional_parameters);
    tcase_add_test(tcase, p_09_resources);
    tcase_add_test(tcase, a_17_the_response_mode);
    tcase_add_test(tcase, the_endpoints_own_query_is_kept);
    tcase_add_test(tcase, extra_arguments_are_appended_as_they_are);
    tcase_add_test(tcase, q_13_extra_arguments_from_a_request_cannot_break_out);
    tcase_add_test(tcase, check_of_extra_arguments);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration authz_request_registered("authz_request", authz_request_suite);
