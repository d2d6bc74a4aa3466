// SPDX-License-Identifier: Apache-2.0
#include "oidc/request_object.hpp"

#include "flow_fixture.hpp"
#include "oidc/signer.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kTyp = "oauth-authz-req+jwt";

struct Signing {
    World world;
    AeadKey ring[1] = {};
    Aead aead{ring};

    Signing() {
        world.config.client_key = std::make_shared<const JwsSigner>(
            *JwsSigner::from_pem(World::key().private_pem(), std::nullopt));
        world.config.request_object = Toggle::on;
        world.metadata.pushed_authorization_request_endpoint = "https://op.example/par";
    }
    JsonPtr read(std::string_view compact) const {
        return verified(*world.config.client_key, compact, {}, nullptr, kTyp);
    }
    JsonPtr object(std::string_view query) {
        const auto made = request_object(world.config, query, world.fake.ports());
        ck_assert_result_ok(made);
        return read(*made);
    }
    Step start() {
        LoginFlow::Input input;
        input.return_to = "/a";
        input.redirect_uri = "https://app.example/oidc_callback";
        input.binding = sha256("binding");
        LoginFlow flow(world.config, aead, world.fake.ports(), std::move(input));
        (void)flow.start();
        return flow.resume(ProviderReady(world.provider()));
    }
};

std::string argument(std::string_view query, std::string_view name) {
    int count = 0;
    const auto value = query_argument(query, name, &count);
    ck_assert_int_eq(count, value ? 1 : 0);
    return std::string(value.value_or("-"));
}

}  // namespace

START_TEST(p_10_the_query_as_claims) {
    Signing s;
    const JsonPtr claims = s.object(
        "response_type=code&client_id=espocrm&scope=openid%20email&redirect_uri=https%3A%2F%2Fa%"
        "2Fb&"
        "max_age=1800&claims=%7B%22userinfo%22%3A%7B%22x%22%3Anull%7D%7D&resource=urn%3Aa&"
        "resource=urn%3Ab&display=a+b&empty=&word&login_hint=%22J%C3%BC%22");
    ck_assert_sv_eq(member_text(claims, "iss"), "\"espocrm\"");
    ck_assert_sv_eq(member_text(claims, "aud"), "\"https://op.example\"");
    ck_assert_sv_eq(member_text(claims, "iat"), std::to_string(kNow));
    ck_assert_sv_eq(member_text(claims, "nbf"), std::to_string(kNow));
    ck_assert_sv_eq(member_text(claims, "exp"), std::to_string(kNow + 300));
    ck_assert_uint_eq(member_text(claims, "jti").size(), 22 + 2);
    ck_assert_sv_eq(member_text(claims, "sub"), "(absent)");
    ck_assert_sv_eq(member_text(claims, "client_id"), "\"espocrm\"");
    ck_assert_sv_eq(member_text(claims, "scope"), "\"openid email\"");
    ck_assert_sv_eq(member_text(claims, "redirect_uri"), "\"https://a/b\"");
    ck_assert_sv_eq(member_text(claims, "max_age"), "1800");
    ck_assert_sv_eq(member_text(claims, "claims"), R"({"userinfo":{"x":null}})");
    ck_assert_sv_eq(member_text(claims, "resource"), R"(["urn:a","urn:b"])");
    ck_assert_sv_eq(member_text(claims, "display"), "\"a b\"");
    ck_assert_sv_eq(member_text(claims, "empty"), "\"\"");
    ck_assert_sv_eq(member_text(claims, "word"), "\"\"");
    ck_assert_sv_contains(member_text(claims, "login_hint"), "J");
    ck_assert_sv_lacks(member_text(s.object("a=b"), "jti"), member_text(claims, "jti"));
}
END_TEST

START_TEST(p_10_no_argument_makes_something_else_of_it) {
    Signing s;
    const JsonPtr claims = s.object(
        "iss=evil&a%75d=evil&sub=espocrm&exp=9999999999&nbf=1&iat=1&jti=evil&=evil&&max_age=1e9&"
        "max_age2=3&claims=%7Bevil&quote=%22%2C%22iss%22%3A%22evil&bad=%zz");
    ck_assert_sv_eq(member_text(claims, "iss"), "\"espocrm\"");
    ck_assert_sv_eq(member_text(claims, "aud"), "\"https://op.example\"");
    ck_assert_sv_eq(member_text(claims, "sub"), "(absent)");
    ck_assert_sv_eq(member_text(claims, "exp"), std::to_string(kNow + 300));
    ck_assert_sv_eq(member_text(claims, "max_age"), "\"1e9\"");
    for (const auto& [given, made] : {std::pair("007", "\"007\""), {"00", "\"00\""}, {"0", "0"}}) {
        const JsonPtr one = s.object("max_age=" + std::string(given));
        ck_assert_sv_eq(member_text(one, "max_age"), made);
    }
    ck_assert_sv_eq(member_text(claims, "claims"), "\"{evil\"");
    ck_assert_sv_eq(member_text(claims, "quote"), R"("\",\"iss\":\"evil")");
    ck_assert_sv_eq(member_text(claims, "bad"), "\"%zz\"");
    ck_assert_sv_lacks(member_text(claims, "jti"), "evil");
    FailingRandom broken;
    const Ports none{s.world.fake.clock, broken, s.world.fake.log};
    ck_assert_result_is(request_object(s.world.config, "a=b", none), Reason::internal_error);
    s.world.config.client_key.reset();
    ck_assert_result_is(request_object(s.world.config, "a=b", s.world.fake.ports()),
                        Reason::internal_error);
}
END_TEST

START_TEST(p_10_by_value) {
    Signing s;
    s.world.config.par = Toggle::off;
    s.world.metadata.authorization_endpoint = "https://op.example/auth?p=signin";
    Step step = s.start();
    const std::string& url = expect<StartLogin>(step).authorization_url;
    ck_assert(url.starts_with("https://op.example/auth?p=signin&client_id=espocrm&"));
    const std::string_view query = std::string_view(url).substr(url.find('?') + 1);
    ck_assert_sv_eq(argument(query, "response_type"), "code");
    ck_assert_sv_eq(argument(query, "scope"), "openid");
    for (const char* name : {"state", "nonce", "redirect_uri", "code_challenge"}) {
        ck_assert_sv_eq(argument(query, name), "-");
    }
    const JsonPtr claims = s.read(argument(query, "request"));
    for (const char* name : {"state", "nonce", "redirect_uri", "code_challenge", "client_id"}) {
        ck_assert_msg(member_text(claims, name) != "(absent)", "%s", name);
    }
    ck_assert_sv_eq(member_text(claims, "p"), "(absent)");
}
END_TEST

START_TEST(p_10_pushed) {
    Signing s;
    s.world.config.par = Toggle::on;
    s.world.config.resource = {"urn:a"};
    Step step = s.start();
    const std::string form(expect<Fetch>(step).request.body.view());
    const std::string object = argument(form, "request");
    ck_assert_sv_eq(form, "client_id=espocrm&request=" + object);
    ck_assert_sv_eq(member_text(s.read(object), "resource"), "\"urn:a\"");
}
END_TEST

static Suite* request_object_suite() {
    Suite* suite = suite_create("request_object");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, p_10_the_query_as_claims);
    tcase_add_test(tcase, p_10_no_argument_makes_something_else_of_it);
    tcase_add_test(tcase, p_10_by_value);
    tcase_add_test(tcase, p_10_pushed);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration request_object_registered("request_object", request_object_suite);
