// SPDX-License-Identifier: Apache-2.0
#include "forge.hpp"
#include "oidc/json.hpp"
#include "oidc/userinfo.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Seconds kNow = 1'700'000'000;

const ForgeKey& key() {
    return ForgeKey::for_alg(Alg::ES256);
}

struct Op {
    ProviderConfig config;
    ProviderState provider;

    Op() {
        config.issuer = "https://op.example";
        config.client_id = "espocrm";
        config.client_secret = Secret("secret-of-the-client-that-is-long-enough");
        provider.metadata.userinfo_endpoint = "https://op.example/userinfo";
        provider.algs = {Alg::ES256};
        Result<KeySet> keys = KeySet::parse(forge_jwks({key().jwk("k1")}));
        ck_assert_result_ok(keys);
        provider.keys = *std::move(keys);
    }
    Result<UserInfo> parse(int status, std::string_view body,
                           std::string_view type = "application/json",
                           std::string_view sub = "john") {
        HttpResponse response;
        response.status = status;
        response.content_type = type;
        response.body = Secret(body);
        return parse_userinfo(userinfo_request(provider, "at"), std::move(response), config,
                              provider, sub, kNow);
    }
    Result<UserInfo> parse_jwt(std::string_view payload, std::string_view kid = "k1") {
        return parse(200, forge_token(forge_header("ES256", kid), payload, Alg::ES256, key()),
                     "application/jwt");
    }
    void refuses(Result<UserInfo> info, Reason reason) { ck_assert_result_is(info, reason); }
};

}  // namespace

START_TEST(request_with_the_token_in_its_body) {
    const Op op;
    const HttpRequest r = userinfo_request(op.provider, "tok/e+n=", "Bearer", TokenMethod::body);
    ck_assert(r.method == HttpRequest::Method::post);
    ck_assert_sv_eq(r.url, "https://op.example/userinfo");
    ck_assert(r.authorization.empty());
    ck_assert_sv_eq(r.body.view(), "access_token=tok%2Fe%2Bn%3D");
    ck_assert_sv_eq(r.headers.back().value, "application/x-www-form-urlencoded");
}
END_TEST

START_TEST(request) {
    const Op op;
    const HttpRequest r = userinfo_request(op.provider, "tok.en");
    ck_assert(r.method == HttpRequest::Method::get);
    ck_assert_sv_eq(r.url, "https://op.example/userinfo");
    ck_assert_sv_eq(r.endpoint, "userinfo_endpoint");
    ck_assert_sv_eq(r.authorization.view(), "Bearer tok.en");
    ck_assert(r.body.empty());
}
END_TEST

START_TEST(plain_json) {
    Op op;
    const char* const body = R"({"sub":"john", "email":"j@x", "groups":["a","b"]})";
    ck_assert_sv_eq(op.parse(200, body)->text, "");
    op.config.keep_userinfo = true;
    const Result<UserInfo> info = op.parse(200, body);
    ck_assert_result_ok(info);
    ck_assert_sv_eq(info->text, R"({"sub":"john","email":"j@x","groups":["a","b"]})");
    ck_assert_sv_eq(json_string_value(json_object_get(info->claims.get(), "email")), "j@x");
}
END_TEST

START_TEST(u_02_sub) {
    Op op;
    for (const char* body : {"{}", R"({"sub":null})", R"({"sub":17})", R"({"sub":["john"]})",
                             R"({"sub":""})", R"({"sub":"John"})", R"({"sub":"john "})"}) {
        op.refuses(op.parse(200, body), Reason::userinfo_sub);
    }
    const Result<UserInfo> other = op.parse(200, R"({"sub":"mallory"})");
    ck_assert_sv_contains(other.error().detail, "\"mallory\"");
    ck_assert_sv_contains(other.error().detail, "\"john\"");
    // Nothing equals nothing.
    op.refuses(op.parse(200, R"({"sub":""})", "application/json", ""), Reason::userinfo_sub);
}
END_TEST

START_TEST(u_03_statuses) {
    Op op;
    for (const int status : {0, 201, 204, 206, 400, 401, 403, 404, 429, 500, 503}) {
        Result<UserInfo> info = op.parse(status, R"({"sub":"john"})");
        ck_assert_result_is(info, status == 401 || status == 403 ? Reason::userinfo_denied
                                                                 : Reason::userinfo_status);
        ck_assert_sv_contains(info.error().detail, std::to_string(status));
    }
    const std::pair<const char*, const char*> challenges[] = {
        {R"(Bearer realm="x, error=y", error="invalid_token", error_description="it \"ended\"")",
         R"( answered 401 with error "invalid_token": "it "ended"")"},
        {"DPoP error=insufficient_scope,scope=openid", R"( with error "insufficient_scope")"},
        {R"(Bearer Error = "x")", " answered 401"},
        {R"(Bearer ERROR="invalid_request)", R"( with error "invalid_request")"},
        {R"(Bearer error="a\)", R"( with error "a\")"},
        {R"(Bearer error_description="x")", " answered 401"},
        {"Bearer", " answered 401"},
    };
    for (const auto& [challenge, text] : challenges) {
        HttpResponse denied;
        denied.status = 401;
        denied.authenticate = challenge;
        const Result<UserInfo> info =
            parse_userinfo(userinfo_request(op.provider, "at"), std::move(denied), op.config,
                           op.provider, "john", kNow);
        ck_assert_msg(info.error().detail.ends_with(text), "%s", info.error().detail.c_str());
    }
    HttpResponse busy;
    busy.status = 503;
    busy.retry_after = "5";
    const Result<UserInfo> later = parse_userinfo(
        userinfo_request(op.provider, "at"), std::move(busy), op.config, op.provider, "john", kNow);
    ck_assert_sv_contains(later.error().detail, "retry after \"5\"");
    const Result<UserInfo> down =
        parse_userinfo(userinfo_request(op.provider, "at"), fail(Reason::idp_timeout, "t"),
                       op.config, op.provider, "john", kNow);
    ck_assert_result_is(down, Reason::idp_timeout);
    HttpResponse moved;
    moved.status = 302;
    moved.location = "https://op.example/userinfo/";
    const Result<UserInfo> elsewhere =
        parse_userinfo(userinfo_request(op.provider, "at"), std::move(moved), op.config,
                       op.provider, "john", kNow);
    ck_assert_result_is(elsewhere, Reason::idp_redirect);
    ck_assert_sv_eq(elsewhere.error().fix,
                    "configure userinfo_endpoint https://op.example/userinfo/");
}
END_TEST

START_TEST(u_04_no_object) {
    Op op;
    for (const char* body : {"", "[]", "\"x\"", "1", "<html>", R"({"sub":"john","sub":"eve"})"}) {
        op.refuses(op.parse(200, body), Reason::userinfo_malformed);
    }
    for (const char* type : {"text/html", "", "text/plain"}) {
        op.refuses(op.parse(200, R"({"sub":"john"})", type), Reason::userinfo_malformed);
    }
    const Result<UserInfo> plus = op.parse(200, R"({"sub":"john"})", "application/x+json");
    ck_assert_result_ok(plus);
}
END_TEST

START_TEST(u_05_signed) {
    Op op;
    for (const char* payload :
         {R"({"sub":"john","email":"j@x"})",  // Authelia, LemonLDAP::NG
          R"({"sub":"john","iss":"https://op.example","aud":"espocrm","exp":1700000100})",
          R"({"sub":"john","aud":["other","espocrm"],"nbf":1700000059})",
          R"({"sub":"john","exp":1699999941})"}) {
        const Result<UserInfo> info = op.parse_jwt(payload);
        ck_assert_result_ok(info);
    }
    for (const char* payload :
         {R"({"sub":"john","iss":"https://evil.example"})", R"({"sub":"john","iss":null})",
          R"({"sub":"john","aud":"other"})", R"({"sub":"john","aud":[]})",
          R"({"sub":"john","aud":[["espocrm"]]})", R"({"sub":"john","aud":17})",
          R"({"sub":"john","exp":1699999940})", R"({"sub":"john","exp":"soon"})",
          R"({"sub":"john","nbf":1700000061})", R"({"sub":"john","nbf":[]})"}) {
        op.refuses(op.parse_jwt(payload), Reason::userinfo_malformed);
    }
    op.refuses(op.parse_jwt(R"({"sub":"eve"})"), Reason::userinfo_sub);
    op.refuses(op.parse_jwt(R"({"sub":"john"})", "k2"), Reason::jwt_key_unknown);
    op.refuses(op.parse(200, R"({"sub":"john"})", "application/jwt"), Reason::jwt_malformed);
    const std::string none = b64(R"({"alg":"none"})") + "." + b64(R"({"sub":"john"})") + ".";
    op.refuses(op.parse(200, none, "application/jwt"), Reason::jwt_alg);
    const std::string hs = forge_hs_token(R"({"alg":"HS256"})", R"({"sub":"john"})", Alg::HS256,
                                          op.config.client_secret.view());
    op.refuses(op.parse(200, hs, "application/jwt"), Reason::jwt_alg);
    const std::string typ = forge_token(R"({"alg":"ES256","typ":"logout+jwt","kid":"k1"})",
                                        R"({"sub":"john"})", Alg::ES256, key());
    op.refuses(op.parse(200, typ, "application/jwt"), Reason::jwt_typ);
    std::string forged =
        forge_token(forge_header("ES256", "k1"), R"({"sub":"john"})", Alg::ES256, key());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    const Result<UserInfo> bad = op.parse(200, forged, "application/jwt");
    ck_assert_result_is(bad, Reason::jwt_signature);
    ck_assert_sv_contains(bad.error().detail, "userinfo: ");
}
END_TEST

START_TEST(e_05_five_thousand_groups) {
    Op op;
    std::string body = R"({"sub":"john","groups":[)";
    for (int i = 0; i < 5000; ++i) {
        body.append(i == 0 ? "" : ",").append("\"group-number-").append(std::to_string(i)) += '"';
    }
    const Result<UserInfo> info = op.parse(200, body + "]}");
    ck_assert_result_ok(info);
    op.refuses(op.parse(200, R"({"sub":"john","x":")" + std::string(300 * 1024, 'x') + "\"}"),
               Reason::userinfo_malformed);
}
END_TEST

static Suite* userinfo_suite() {
    Suite* suite = suite_create("userinfo");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, request);
    tcase_add_test(tcase, request_with_the_token_in_its_body);
    tcase_add_test(tcase, plain_json);
    tcase_add_test(tcase, u_02_sub);
    tcase_add_test(tcase, u_03_statuses);
    tcase_add_test(tcase, u_04_no_object);
    tcase_add_test(tcase, u_05_signed);
    tcase_add_test(tcase, e_05_five_thousand_groups);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration userinfo_registered("userinfo", userinfo_suite);
