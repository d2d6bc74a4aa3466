// SPDX-License-Identifier: Apache-2.0
#include "oidc/pushed_request.hpp"

#include "flow_fixture.hpp"
#include "oidc/authz_request.hpp"
#include "oidc/signer.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kEndpoint = "https://op.example/par";

struct Pushing {
    World world;
    AeadKey ring[1] = {};
    Aead aead{ring};
    std::unique_ptr<LoginFlow> flow;

    Pushing() {
        world.config.par = Toggle::on;
        world.metadata.pushed_authorization_request_endpoint = kEndpoint;
    }
    Step start(bool at_once = false) {
        LoginFlow::Input input;
        input.return_to = "/a?b=1";
        input.redirect_uri = "https://app.example/oidc_callback";
        input.binding = sha256("binding");
        input.at_once = at_once;
        flow =
            std::make_unique<LoginFlow>(world.config, aead, world.fake.ports(), std::move(input));
        Step first = flow->start();
        (void)expect<NeedProvider>(first);
        return flow->resume(ProviderReady(world.provider()));
    }
    Step answered(int status, std::string_view body, std::string_view type = "application/json") {
        Step step = start();
        (void)expect<Fetch>(step);
        HttpResponse response = json_response(body);
        response.status = status;
        response.content_type = type;
        return flow->resume(std::move(response));
    }
};

std::string argument(std::string_view query, std::string_view name) {
    int count = 0;
    const auto value = query_argument(query, name, &count);
    ck_assert_int_eq(count, value ? 1 : 0);
    return std::string(value.value_or("-"));
}

}  // namespace

START_TEST(p_01_what_is_pushed_and_what_the_browser_brings) {
    Pushing p;
    p.world.metadata.authorization_endpoint = "https://op.example/auth?p=signin";
    Step step = p.start();
    const HttpRequest& request = expect<Fetch>(step).request;
    ck_assert(request.method == HttpRequest::Method::post);
    ck_assert_sv_eq(request.url, kEndpoint);
    ck_assert_sv_eq(request.endpoint, "pushed_authorization_request_endpoint");
    ck_assert(!request.authorization.empty());
    const std::string form(request.body.view());
    for (const char* name : {"response_type", "client_id", "scope", "redirect_uri", "state",
                             "nonce", "code_challenge", "code_challenge_method"}) {
        ck_assert_msg(argument(form, name) != "-", "%s", name);
    }
    ck_assert_sv_eq(argument(form, "p"), "-");  // the address of the endpoint keeps it
    ck_assert_sv_eq(argument(form, "client_secret"), "-");
    step = p.flow->resume(
        json_response(R"({"request_uri":"urn:ietf:params:oauth:request_uri:a&b","expires_in":9})"));
    const StartLogin& start = expect<StartLogin>(step);
    ck_assert_sv_eq(start.authorization_url,
                    "https://op.example/auth?p=signin&client_id=espocrm&request_uri="
                    "urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aa%26b");
    ck_assert_sv_eq(start.cookie_name, "NGX_OIDC_LOGIN_0");
    ck_assert(!start.cookie_value.empty());
    Step after = p.flow->resume(json_response("{}"));
    ck_assert(expect<Refuse>(after).error.reason == Reason::internal_error);
}
END_TEST

START_TEST(p_01_the_client_authenticates_as_at_the_token_endpoint) {
    World w;
    ProviderState provider;
    provider.metadata.authorization_endpoint = "https://op.example/auth";
    provider.metadata.pushed_authorization_request_endpoint = kEndpoint;
    w.config.client_key = std::make_shared<const JwsSigner>(
        *JwsSigner::from_pem(World::key().private_pem(), std::nullopt));
    const std::string url = "https://op.example/auth?client_id=espocrm&state=s";
    for (const ClientAuth auth :
         {ClientAuth::basic, ClientAuth::post, ClientAuth::none, ClientAuth::private_key_jwt}) {
        provider.client_auth = auth;
        const auto request = push_request(w.config, provider, url, w.fake.ports());
        ck_assert_result_ok(request);
        const std::string_view form = request->body.view();
        ck_assert(form.starts_with("client_id=espocrm&state=s"));
        ck_assert_sv_eq(argument(form, "client_id"), "espocrm");
        ck_assert(request->authorization.empty() == (auth != ClientAuth::basic));
        ck_assert((argument(form, "client_secret") != "-") == (auth == ClientAuth::post));
        ck_assert((argument(form, "client_assertion") != "-") ==
                  (auth == ClientAuth::private_key_jwt));
    }
    w.config.client_key.reset();
    ck_assert_result_is(push_request(w.config, provider, url, w.fake.ports()),
                        Reason::internal_error);
}
END_TEST

START_TEST(p_01_an_endpoint_that_ends_in_a_separator) {
    for (const char* endpoint : {"https://op.example/auth", "https://op.example/auth?",
                                 "https://op.example/auth?p=a", "https://op.example/auth?p=a&"}) {
        Pushing p;
        p.world.metadata.authorization_endpoint = endpoint;
        Step step = p.start();
        const std::string form(expect<Fetch>(step).request.body.view());
        ck_assert_msg(form.starts_with("response_type=code&"), "%s: %s", endpoint, form.c_str());
        ck_assert_sv_eq(argument(form, "p"), "-");
    }
}
END_TEST

START_TEST(p_02_no_answer_is_taken_for_leave_to_do_without) {
    const std::string longest = "urn:" + std::string(kMaxRequestUri - 4, 'a');
    const struct {
        int status;
        std::string body;
        Reason reason;
    } rows[] = {
        {400, R"({"error":"invalid_request"})", Reason::par_error},
        {200, R"({"error":"invalid_request","request_uri":"urn:a:b"})", Reason::par_error},
        {400, "{}", Reason::par_status},
        {400, R"({"error":null})", Reason::par_status},
        {401, "{}", Reason::token_client_auth},
        {403, "{}", Reason::token_client_auth},
        {403, R"({"error":"access_denied"})", Reason::par_error},
        {400, R"({"error":"unauthorized_client"})", Reason::token_client_auth},
        {404, "{}", Reason::par_status},
        {429, R"({"error":"invalid_client"})", Reason::par_status},
        {503, R"({"error":"invalid_request"})", Reason::par_status},
        {202, R"({"request_uri":"urn:a:b"})", Reason::par_status},
        {302, "{}", Reason::idp_redirect},
        {201, "", Reason::par_malformed},
        {201, "[]", Reason::par_malformed},
        {201, "{}", Reason::par_malformed},
        {201, R"({"request_uri":null})", Reason::par_malformed},
        {201, R"({"request_uri":["urn:a:b"]})", Reason::par_malformed},
        {201, R"({"request_uri":""})", Reason::par_malformed},
        {201, R"({"request_uri":"/relative"})", Reason::par_malformed},
        {201, R"({"request_uri":"urn:a\nb"})", Reason::par_malformed},
        {201, R"({"request_uri":"urn:a b"})", Reason::par_malformed},
        {201, R"({"request_uri":"urn:a#b"})", Reason::par_malformed},
        {201, R"({"request_uri":")" + longest + "a\"}", Reason::par_malformed},
    };
    for (const auto& row : rows) {
        Pushing p;
        Step step = p.answered(row.status, row.body);
        const Refuse& refused = expect<Refuse>(step);
        ck_assert_msg(refused.error.reason == row.reason, "%d %s: %s", row.status, row.body.c_str(),
                      refused.error.detail.c_str());
    }
    Pushing typed;
    Step html = typed.answered(201, R"({"request_uri":"urn:a:b"})", "text/html");
    ck_assert(expect<Refuse>(html).error.reason == Reason::par_malformed);
    Pushing most;
    Step step = most.answered(201, R"({"request_uri":")" + longest + "\"}");
    ck_assert_sv_contains(expect<StartLogin>(step).authorization_url, "request_uri=urn%3Aaaa");
    for (const auto& [code, fix] :
         {std::pair("invalid_scope", "scope"), std::pair("invalid_target", "resource"),
          std::pair("invalid_redirect_uri", "redirect_uri"), std::pair("invalid_request", "")}) {
        Pushing p;
        Step end = p.answered(400, R"({"error":")" + std::string(code) + "\"}");
        ck_assert_sv_eq(expect<Refuse>(end).error.fix, fix);
    }
    Pushing down;
    Step fetch = down.start();
    (void)expect<Fetch>(fetch);
    Step end = down.flow->resume(fail(Reason::idp_timeout, "late"));
    ck_assert(expect<Refuse>(end).error.reason == Reason::idp_timeout);
}
END_TEST

START_TEST(x_15_pushed_again_after_a_kept_connection_that_ended) {
    Error lost = fail(Reason::idp_http, "empty reply");
    lost.unanswered = true;
    Pushing p;
    Step first = p.start();
    const std::string form(expect<Fetch>(first).request.body.view());
    Step second = p.flow->resume(lost);
    ck_assert_sv_eq(expect<Fetch>(second).request.body.view(), form);
    HttpResponse pushed = json_response(R"({"request_uri":"urn:a:b"})");
    pushed.status = 201;
    Step done = p.flow->resume(std::move(pushed));
    ck_assert_sv_contains(expect<StartLogin>(done).authorization_url, "request_uri=urn%3Aa%3Ab");
    // Once.
    Pushing twice;
    Step one = twice.start();
    (void)expect<Fetch>(one);
    Step two = twice.flow->resume(lost);
    (void)expect<Fetch>(two);
    Step end = twice.flow->resume(lost);
    ck_assert(expect<Refuse>(end).error.reason == Reason::idp_http);
}
END_TEST

START_TEST(nothing_is_pushed_for_who_cannot_wait) {
    Pushing p;
    Step step = p.start(true);
    ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
    p.world.config.par = Toggle::off;
    Step plain = p.start(true);
    (void)expect<StartLogin>(plain);
}
END_TEST

START_TEST(p_12_pushed_again_with_the_other_secret) {
    Pushing p;
    p.world.config.renewed = std::make_shared<RenewedCredentials>();
    p.world.config.renewed->renews_secret = true;
    ck_assert(renew_secret(p.world.config, Secret("another"), kNow));
    Step step = p.start();
    const HttpRequest first = std::move(expect<Fetch>(step).request);
    const auto refused = [] {
        HttpResponse response = json_response(R"({"error":"invalid_client"})");
        response.status = 401;
        return response;
    };
    step = p.flow->resume(refused());
    const HttpRequest& second = expect<Fetch>(step).request;
    ck_assert_sv_eq(second.body.view(), first.body.view());
    ck_assert(second.authorization.view() != first.authorization.view());
    step = p.flow->resume(json_response(R"({"request_uri":"urn:a:b"})"));
    (void)expect<StartLogin>(step);
    // Neither is right.
    step = p.start();
    (void)expect<Fetch>(step);
    step = p.flow->resume(refused());
    (void)expect<Fetch>(step);
    step = p.flow->resume(refused());
    ck_assert(expect<Refuse>(step).error.reason == Reason::token_client_auth);
}
END_TEST

START_TEST(a_long_target_stays_where_the_address_is_short) {
    Pushing p;
    p.world.config.scope = {"openid", std::string(3000, 's')};
    Step step = p.answered(201, R"({"request_uri":"urn:a:b"})");
    ck_assert_uint_lt(expect<StartLogin>(step).authorization_url.size(), 100);
}
END_TEST

static Suite* pushed_request_suite() {
    Suite* suite = suite_create("pushed_request");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, p_01_what_is_pushed_and_what_the_browser_brings);
    tcase_add_test(tcase, p_01_the_client_authenticates_as_at_the_token_endpoint);
    tcase_add_test(tcase, p_01_an_endpoint_that_ends_in_a_separator);
    tcase_add_test(tcase, p_02_no_answer_is_taken_for_leave_to_do_without);
    tcase_add_test(tcase, x_15_pushed_again_after_a_kept_connection_that_ended);
    tcase_add_test(tcase, nothing_is_pushed_for_who_cannot_wait);
    tcase_add_test(tcase, p_12_pushed_again_with_the_other_secret);
    tcase_add_test(tcase, a_long_target_stays_where_the_address_is_short);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration pushed_request_registered("pushed_request", pushed_request_suite);
