// SPDX-License-Identifier: Apache-2.0
#include "oidc/signed_response.hpp"

#include "flow_fixture.hpp"
#include "oidc/authz_response.hpp"
#include "oidc/encode.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

std::string payload(std::string_view more = R"(,"code":"the-code","state":"s")",
                    std::string_view aud = "\"espocrm\"", Seconds exp = kNow + 60) {
    return R"({"iss":"https://op.example","aud":)" + std::string(aud) + R"(,"exp":)" +
           std::to_string(exp) + std::string(more) + "}";
}

std::string jwt(std::string_view claims, std::string_view kid = "k1") {
    return forge_token(forge_header("ES256", kid), claims, Alg::ES256, World::key());
}

struct Signed {
    World world;
    ProviderReady provider;

    Signed() {
        world.config.response_mode = ResponseMode::query_jwt;
        world.metadata.authorization_signing_algs = {"ES256", "HS256", "none"};
    }
    Step callback(const std::string& query) {
        auto parsed = parse_authz_response(query, ResponseMode::query_jwt);
        ck_assert_result_ok(parsed);
        PendingLogin login;
        login.nonce = "the-nonce";
        login.verifier = Secret("v");
        login.return_to = "/";
        login.redirect_uri = "https://app.example/cb";
        flow = std::make_unique<CallbackFlow>(world.config, world.fake.ports(), std::move(login),
                                              *std::move(parsed));
        (void)flow->start();
        return flow->resume(ProviderReady(world.provider()));
    }
    void refused(const std::string& query, Reason reason) {
        Step step = callback(query);
        if (std::holds_alternative<NeedProvider>(step)) {
            ck_assert(std::get<NeedProvider>(step).cause == NeedProvider::Cause::outsider);
            step = flow->resume(ProviderReady(world.provider()));
        }
        const Error& error = expect<Refuse>(step).error;
        ck_assert_msg(error.reason == reason, "%s: %s",
                      std::string(reason_info(error.reason).code).c_str(), error.detail.c_str());
    }
    std::unique_ptr<CallbackFlow> flow;
};

}  // namespace

START_TEST(p_11_what_is_read_before_it_is_verified) {
    const std::string token = jwt(payload(R"(,"code":"c d","state":"ngxoidc1.x","error":null)"));
    const auto r = parse_authz_response("response=" + token + "&code=evil&state=evil&error=evil",
                                        ResponseMode::query_jwt);
    ck_assert_result_ok(r);
    ck_assert_sv_eq(r->code.view(), "c d");
    ck_assert_sv_eq(r->state, "ngxoidc1.x");
    ck_assert_sv_eq(r->error, "");
    ck_assert_sv_eq(r->iss, "https://op.example");
    ck_assert_sv_eq(r->jwt.view(), token);
    ck_assert(!parse_authz_response("response=" + token)->is_response());
    ck_assert(parse_authz_response("code=c&state=s", ResponseMode::query_jwt)->jwt.empty());
    ck_assert_sv_eq(strip_response_arguments("a=1&response=x&b=2", ResponseMode::query_jwt),
                    "a=1&b=2");
    ck_assert_sv_eq(strip_response_arguments("a=1&response=x"), "a=1&response=x");
    for (const std::string& bad :
         {std::string("x"), std::string(".."), std::string("a.b"), std::string("a.b.c"),
          std::string("a..c"), "e30." + b64("[1]") + ".x", "e30." + b64("{\"a\":1,\"a\":1}") + ".x",
          "e30." + b64(R"({"code":["x"]})") + ".x", "e30." + b64(R"({"state":7})") + ".x",
          "e30." + b64(R"({"error":"a\nb"})") + ".x", "e30." + b64(R"({"code":"\u0000"})") + ".x",
          "e30." + b64(R"({"state":")" + std::string(kMaxState + 1, 's') + "\"}") + ".x",
          std::string(17000, 'a'), token + "&response=" + token}) {
        ck_assert_result_is(parse_authz_response("response=" + bad, ResponseMode::query_jwt),
                            Reason::callback_malformed);
    }
}
END_TEST

START_TEST(p_11_a_good_one_goes_on) {
    Signed s;
    Step step = s.callback("response=" + jwt(payload()));
    ck_assert_sv_contains(expect<Fetch>(step).request.body.view(), "code=the-code");
    Step many = s.callback("response=" +
                           jwt(payload(R"(,"code":"c","state":"s")", R"(["other","espocrm"])")));
    (void)expect<Fetch>(many);
    Step late = s.callback("response=" + jwt(payload(R"(,"code":"c")", "\"espocrm\"", kNow - 59)));
    (void)expect<Fetch>(late);  // within clock_skew
    s.refused("response=" + jwt(payload(R"(,"error":"access_denied","state":"s")")),
              Reason::access_denied);
}
END_TEST

START_TEST(p_11_hostile_ones) {
    Signed s;
    s.refused("code=c&state=s", Reason::response_unsigned);
    s.refused("error=access_denied&state=s&iss=https://op.example", Reason::response_unsigned);
    s.refused("response=" + jwt(R"({"iss":"https://evil.example","aud":"espocrm","exp":9999999999,)"
                                R"("code":"c"})"),
              Reason::issuer_mix_up);
    s.refused("response=" + jwt(R"({"aud":"espocrm","exp":9999999999,"code":"c"})"),
              Reason::issuer_mix_up);
    for (const char* aud : {"\"other\"", "[\"other\"]", "[]", "null", "7", "{}", "\"espocrm2\""}) {
        s.refused("response=" + jwt(payload(R"(,"code":"c")", aud)), Reason::response_aud);
    }
    s.refused("response=" + jwt(payload(R"(,"code":"c")", "\"espocrm\"", kNow - 60)),
              Reason::response_exp);
    for (const char* exp : {"", R"(,"exp":null)", R"(,"exp":"9999999999")"}) {
        s.refused("response=" + jwt(R"({"iss":"https://op.example","aud":"espocrm","code":"c")" +
                                    std::string(exp) + "}"),
                  Reason::response_exp);
    }
    s.refused("response=" + b64(R"({"alg":"none"})") + "." + b64(payload()) + ".",
              Reason::response_signature);
    s.refused("response=" + forge_hs_token(forge_header("HS256"), payload(), Alg::HS256,
                                           s.world.config.client_secret.view()),
              Reason::response_signature);
    s.refused("response=" + forge_token(forge_header("ES256", "k1"), payload(), Alg::ES256,
                                        ForgeKey::ec("P-256")),
              Reason::response_signature);
    s.refused("response=" + jwt(payload(), "k2"), Reason::response_signature);
    s.refused("response=" + forge_token(R"({"alg":"ES256","typ":"logout+jwt","kid":"k1"})",
                                        payload(), Alg::ES256, World::key()),
              Reason::response_signature);
    s.refused("response=" + forge_token(R"({"alg":"ES256","crit":["x"],"kid":"k1"})", payload(),
                                        Alg::ES256, World::key()),
              Reason::callback_malformed);
    // RS256 is the default of those that do not say.
    s.world.metadata.authorization_signing_algs.clear();
    s.refused("response=" + jwt(payload()), Reason::response_signature);
}
END_TEST

START_TEST(p_11_newer_keys_once) {
    Signed s;
    Step step = s.callback("response=" + jwt(payload(), "k2"));
    ck_assert_uint_eq(expect<NeedProvider>(step).newer_than, s.world.generation);
    s.world.kid = "k2";
    ++s.world.generation;
    Step next = s.flow->resume(ProviderReady(s.world.provider()));
    (void)expect<Fetch>(next);
}
END_TEST

static Suite* signed_response_suite() {
    Suite* suite = suite_create("signed_response");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, p_11_what_is_read_before_it_is_verified);
    tcase_add_test(tcase, p_11_a_good_one_goes_on);
    tcase_add_test(tcase, p_11_hostile_ones);
    tcase_add_test(tcase, p_11_newer_keys_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration signed_response_registered("signed_response", signed_response_suite);
