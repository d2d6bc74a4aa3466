// SPDX-License-Identifier: Apache-2.0
#include "forge.hpp"
#include "oidc/client_assertion.hpp"
#include "oidc/encode.hpp"
#include "oidc/signer.hpp"
#include "oidc/token.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

HttpRequest sent() {
    HttpRequest request;
    request.url = "https://op.example/token";
    request.endpoint = "token_endpoint";
    return request;
}

HttpResponse answer(int status, std::string_view body, std::string_view type = "application/json") {
    HttpResponse response;
    response.status = status;
    response.content_type = type;
    response.body = Secret(body);
    return response;
}

Result<TokenResponse> parse(int status, std::string_view body, std::string_view type = {},
                            const TokenNeeds& needs = {}) {
    return parse_token_response(
        sent(), answer(status, body, type.data() ? type : "application/json"), Grant::code, needs);
}

// Of a configuration that reads the ID token alone.
TokenNeeds nobody() {
    return {"", false};
}

// A good answer with one member set to `json`; empty: left out.
std::string with(std::string_view name, std::string_view json) {
    std::string text = "{\"other\":[1]";
    const auto add = [&](std::string_view member, std::string_view value) {
        const std::string_view used = member == name ? json : value;
        if (!used.empty()) {
            text.append(",\"").append(member).append("\":").append(used);
        }
    };
    add("token_type", "\"Bearer\"");
    add("id_token", "\"a.b.c\"");
    add("access_token", "\"at\"");
    add("refresh_token", "\"rt\"");
    add("expires_in", "3600");
    add("scope", "\"openid email\"");
    return text + "}";
}

void assert_reason(const std::string& body, Reason reason) {
    const Result<TokenResponse> tokens = parse(200, body);
    ck_assert_result_is(tokens, reason);
}

ProviderConfig client() {
    ProviderConfig config;
    config.client_id = "espo crm";
    config.client_secret = Secret("p:w&+/=\xc3\xa9");
    return config;
}

ProviderState provider(ClientAuth auth) {
    ProviderState state;
    state.metadata.token_endpoint = "https://op.example/token";
    state.client_auth = auth;
    return state;
}

std::string argument(const HttpRequest& request, std::string_view name) {
    int count = 0;
    const auto value = query_argument(request.body.view(), name, &count);
    ck_assert_int_eq(count, value ? 1 : 0);
    return value ? percent_decode(*value, true).value_or("?") : "-";
}

FakePorts fake;

HttpRequest made(Result<HttpRequest> request) {
    ck_assert_result_ok(request);
    return *std::move(request);
}

}  // namespace

START_TEST(t_18_shape_of_the_request) {
    const HttpRequest r = made(token_request(client(), provider(ClientAuth::basic),
                                             "co/de=", "https://a/cb?x=1", "ver", fake.ports()));
    ck_assert(r.method == HttpRequest::Method::post);
    ck_assert_sv_eq(r.url, "https://op.example/token");
    ck_assert_sv_eq(r.endpoint, "token_endpoint");
    ck_assert_uint_eq(r.headers.size(), 2);
    ck_assert_sv_eq(r.headers[0].name, "Accept");
    ck_assert_sv_eq(r.headers[0].value, "application/json");
    ck_assert_sv_eq(r.headers[1].value, "application/x-www-form-urlencoded");
    ck_assert_sv_eq(r.body.view(),
                    "grant_type=authorization_code&code=co%2Fde%3D&"
                    "redirect_uri=https%3A%2F%2Fa%2Fcb%3Fx%3D1&code_verifier=ver");
}
END_TEST

START_TEST(r_67_01_basic_encodes_before_base64) {
    const HttpRequest r =
        made(token_request(client(), provider(ClientAuth::basic), "c", "u", "v", fake.ports()));
    const Secret pair = base64_encode("espo+crm:p%3Aw%26%2B%2F%3D%C3%A9");
    ck_assert_sv_eq(r.authorization.view(), "Basic " + std::string(pair.view()));
    ck_assert_sv_eq(argument(r, "client_id"), "-");
    ck_assert_sv_eq(argument(r, "client_secret"), "-");
    const HttpRequest same =
        made(token_request(client(), provider(ClientAuth::automatic), "c", "u", "v", fake.ports()));
    ck_assert_sv_eq(same.authorization.view(), r.authorization.view());
}
END_TEST

START_TEST(post_and_none) {
    const HttpRequest post =
        made(token_request(client(), provider(ClientAuth::post), "c", "u", "v", fake.ports()));
    ck_assert(post.authorization.empty());
    ck_assert_sv_eq(argument(post, "client_id"), "espo crm");
    ck_assert_sv_eq(argument(post, "client_secret"), "p:w&+/=\xc3\xa9");
    const HttpRequest none =
        made(token_request(client(), provider(ClientAuth::none), "c", "u", "", fake.ports()));
    ck_assert(none.authorization.empty());
    ck_assert_sv_eq(argument(none, "client_id"), "espo crm");
    ck_assert_sv_eq(argument(none, "client_secret"), "-");
    ck_assert_sv_eq(argument(none, "code_verifier"), "-");
}
END_TEST

START_TEST(p_03_an_assertion_in_the_body) {
    ProviderConfig config = client();
    config.client_key = std::make_shared<const JwsSigner>(
        *JwsSigner::from_pem(ForgeKey::for_alg(Alg::ES256).private_pem(), {}));
    config.client_secret = Secret(std::string(kMinHmacSecret, 's'));
    const auto alg_of = [](const HttpRequest& request) {
        const std::string assertion = argument(request, "client_assertion");
        const auto header = base64url_decode(assertion.substr(0, assertion.find('.')));
        return std::string(header.value_or("?").substr(0, 14));
    };
    for (const ClientAuth auth : {ClientAuth::private_key_jwt, ClientAuth::secret_jwt}) {
        for (const HttpRequest& r :
             {made(token_request(config, provider(auth), "c", "u", "v", fake.ports())),
              made(refresh_request(config, provider(auth), "rt", fake.ports()))}) {
            ck_assert(r.authorization.empty());
            ck_assert_sv_eq(argument(r, "client_secret"), "-");
            ck_assert_sv_eq(argument(r, "client_id"), "espo crm");
            ck_assert_sv_eq(argument(r, "client_assertion_type"),
                            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
            ck_assert_sv_eq(alg_of(r), auth == ClientAuth::secret_jwt ? R"({"alg":"HS256")"
                                                                      : R"({"alg":"ES256")");
        }
    }
    config.client_secret = Secret(std::string(kMinHmacSecret - 1, 's'));
    ck_assert_result_is(
        token_request(config, provider(ClientAuth::secret_jwt), "c", "u", "v", fake.ports()),
        Reason::token_client_auth);
    config.client_key.reset();
    ck_assert_result_is(
        token_request(config, provider(ClientAuth::private_key_jwt), "c", "u", "v", fake.ports()),
        Reason::internal_error);
}
END_TEST

START_TEST(p_06_a_certificate) {
    for (const ClientAuth auth : {ClientAuth::tls, ClientAuth::none, ClientAuth::post}) {
        const HttpRequest r =
            made(token_request(client(), provider(auth), "c", "u", "v", fake.ports()));
        ck_assert(r.client_certificate == (auth == ClientAuth::tls));
        ck_assert_sv_eq(argument(r, "client_id"), "espo crm");
        ck_assert((argument(r, "client_secret") == "-") == (auth != ClientAuth::post));
        ck_assert(r.authorization.empty());
    }
}
END_TEST

START_TEST(the_refresh_request) {
    const HttpRequest basic =
        made(refresh_request(client(), provider(ClientAuth::basic), "r+t", fake.ports()));
    ck_assert_sv_eq(basic.url, "https://op.example/token");
    ck_assert_sv_eq(basic.body.view(), "grant_type=refresh_token&refresh_token=r%2Bt");
    ck_assert(!basic.authorization.empty());
    const HttpRequest post =
        made(refresh_request(client(), provider(ClientAuth::post), "rt", fake.ports()));
    ck_assert(post.authorization.empty());
    ck_assert_sv_eq(argument(post, "client_secret"), "p:w&+/=\xc3\xa9");
}
END_TEST

START_TEST(p_09_resources_at_the_token_endpoint) {
    ProviderConfig config = client();
    config.resource = {"https://api.example/a?b=c", "urn:x:y"};
    constexpr std::string_view kBoth =
        "&resource=https%3A%2F%2Fapi.example%2Fa%3Fb%3Dc&resource=urn%3Ax%3Ay";
    for (const HttpRequest& r :
         {made(token_request(config, provider(ClientAuth::basic), "c", "u", "v", fake.ports())),
          made(refresh_request(config, provider(ClientAuth::basic), "rt", fake.ports()))}) {
        ck_assert(r.body.view().ends_with(kBoth));
    }
    const auto refused = parse(400, R"({"error":"invalid_target"})");
    ck_assert_result_is(refused, Reason::token_error);
    ck_assert_sv_eq(refused.error().fix, "resource");
}
END_TEST

START_TEST(t_23_t_24_answers_to_a_refresh) {
    const auto refreshed = [](int status, std::string_view body) {
        return parse_token_response(sent(), answer(status, body), Grant::refresh);
    };
    const auto thin = refreshed(200, R"({"token_type":"Bearer","access_token":"at"})");
    ck_assert_result_ok(thin);
    ck_assert(thin->id_token.empty() && thin->refresh_token.empty());
    const auto none = refreshed(200, R"({"token_type":"Bearer"})");
    ck_assert_result_is(none, Reason::token_malformed);
    const auto denied = refreshed(400, R"({"error":"invalid_grant"})");
    ck_assert_result_is(denied, Reason::refresh_denied);
    ck_assert_sv_eq(denied.error().fix, "");
    // The user no longer meets a rule of the provider; with 401 it is about the client.
    for (const int status : {400, 403}) {
        ck_assert_result_is(refreshed(status, R"({"error":"access_denied"})"),
                            Reason::refresh_denied);
    }
    ck_assert_result_is(refreshed(401, R"({"error":"access_denied"})"), Reason::token_client_auth);
    ck_assert_result_is(parse(403, R"({"error":"access_denied"})"), Reason::token_error);
    const auto other = refreshed(400, R"({"error":"invalid_scope"})");
    ck_assert_result_is(other, Reason::token_error);
    // Of a login, the same answer says that the code is no good.
    const auto login = parse(400, R"({"error":"invalid_grant"})");
    ck_assert_result_is(login, Reason::code_refused);
    ck_assert_sv_eq(login.error().fix, "redirect_uri");
    const auto busy = parse(429, R"({"error":"invalid_grant"})");
    ck_assert_result_is(busy, Reason::token_status);
}
END_TEST

START_TEST(t_01_legal_answers) {
    const Result<TokenResponse> full = parse(200, with("", ""));
    ck_assert_result_ok(full);
    ck_assert_sv_eq(full->id_token.view(), "a.b.c");
    ck_assert_sv_eq(full->access_token.view(), "at");
    ck_assert_sv_eq(full->refresh_token.view(), "rt");
    ck_assert_sv_eq(full->scope, "openid email");
    ck_assert_int_eq(full->expires_in.value_or(-1), 3600);
    const Result<TokenResponse> minimal =
        parse(200, R"({"id_token":"\u0061.b.c","token_type":"Bearer","access_token":"at"})",
              "application/hal+json");
    ck_assert_result_ok(minimal);
    ck_assert_sv_eq(minimal->id_token.view(), "a.b.c");
    ck_assert(minimal->refresh_token.empty());
    ck_assert(!minimal->expires_in.has_value());
}
END_TEST

START_TEST(t_02_token_type) {
    for (const char* type : {"\"bearer\"", "\"BEARER\"", "\"Bearer\""}) {
        const Result<TokenResponse> tokens = parse(200, with("token_type", type));
        ck_assert_result_ok(tokens);
    }
    for (const char* type : {"", "null", "1", "\"mac\"", "\"DPoP\"", "\"bearer \"", "\"Bearerx\"",
                             "\"\"", "[\"Bearer\"]"}) {
        assert_reason(with("token_type", type), Reason::token_type);
    }
    const Result<TokenResponse> mac = parse(200, with("token_type", "\"mac\""));
    ck_assert_sv_contains(mac.error().detail, "\"mac\"");
    // Of an access token that nobody needs as well; of none at all, nothing.
    const Result<TokenResponse> unused = parse(200, with("token_type", "\"mac\""), {}, nobody());
    ck_assert_result_is(unused, Reason::token_type);
    for (const char* body :
         {R"({"id_token":"a.b.c"})", R"({"id_token":"a.b.c","token_type":"mac"})",
          R"({"id_token":"a.b.c","token_type":7,"access_token":null})"}) {
        const Result<TokenResponse> tokens = parse(200, body, {}, nobody());
        ck_assert_result_ok(tokens);
        ck_assert_sv_eq(tokens->id_token.view(), "a.b.c");
    }
}
END_TEST

// Azure AD B2C with the scope "openid" alone.
START_TEST(t_02_no_access_token) {
    constexpr std::string_view kB2c =
        R"({"id_token":"a.b.c","token_type":"Bearer","not_before":1,"id_token_expires_in":3600})";
    const Result<TokenResponse> unneeded = parse(200, kB2c, {}, nobody());
    ck_assert_result_ok(unneeded);
    ck_assert(unneeded->access_token.empty());
    ProviderConfig config;
    ck_assert_sv_eq(token_needs(config).access_token, "");
    ck_assert(!token_needs(config).refresh_token);
    config.keep_access_token = true;
    ck_assert_sv_contains(token_needs(config).access_token, "$oidc_access_token");
    config.userinfo = true;
    const TokenNeeds needs = token_needs(config);
    const Result<TokenResponse> needed = parse(200, kB2c, {}, needs);
    ck_assert_result_is(needed, Reason::token_malformed);
    ck_assert_sv_contains(needed.error().detail, "userinfo");
    ck_assert_sv_contains(needed.error().fix, "check scope");
    ck_assert_sv_contains(needed.error().fix, "client id");
    config = {};
    for (bool ProviderConfig::*member :
         {&ProviderConfig::keep_refresh_token, &ProviderConfig::session_refresh}) {
        config = {};
        config.*member = true;
        ck_assert(token_needs(config).refresh_token);
    }
    // After a refresh any token will do, none will not.
    for (const char* body : {R"({"id_token":"a.b.c"})", R"({"refresh_token":"rt"})"}) {
        const Result<TokenResponse> tokens =
            parse_token_response(sent(), answer(200, body), Grant::refresh, nobody());
        ck_assert_result_ok(tokens);
    }
    const Result<TokenResponse> none =
        parse_token_response(sent(), answer(200, R"({"scope":"x"})"), Grant::refresh, nobody());
    ck_assert_result_is(none, Reason::token_malformed);
}
END_TEST

START_TEST(t_03_no_id_token) {
    assert_reason(with("id_token", ""), Reason::token_no_id_token);
    assert_reason(with("id_token", "null"), Reason::token_no_id_token);
    assert_reason(with("id_token", "\"\""), Reason::token_no_id_token);
    const Result<TokenResponse> tokens = parse(200, with("id_token", ""));
    ck_assert_sv_eq(tokens.error().fix, "scope");
}
END_TEST

START_TEST(t_05_statuses) {
    for (const int status : {429, 500, 502, 503}) {
        HttpResponse busy = answer(status, "<html>busy</html>", "text/html");
        busy.retry_after = "30";
        const Result<TokenResponse> tokens = parse_token_response(sent(), std::move(busy));
        ck_assert_result_is(tokens, Reason::token_status);
        ck_assert_sv_contains(tokens.error().detail, std::to_string(status));
        ck_assert_sv_contains(tokens.error().detail, "retry after \"30\"");
    }
    // Authelia's rate limit carries an OAuth error; it says nothing about our secret.
    const Result<TokenResponse> limited = parse(429, R"({"error":"temporarily_unavailable"})");
    ck_assert_result_is(limited, Reason::token_status);
    ck_assert_sv_contains(limited.error().detail, "temporarily_unavailable");
    for (const int status : {0, 201, 204, 206, 400, 404, 418}) {
        const Result<TokenResponse> tokens = parse(status, with("", ""));
        ck_assert_result_is(tokens, Reason::token_status);
    }
    const Result<TokenResponse> down =
        parse_token_response(sent(), fail(Reason::idp_connect, "refused"));
    ck_assert_result_is(down, Reason::idp_connect);
}
END_TEST

START_TEST(t_06_content_types) {
    for (const char* type :
         {"text/html", "text/plain", "", "application/jwt", "text/x+json", "application/jsonp"}) {
        const Result<TokenResponse> tokens = parse(200, with("", ""), type);
        ck_assert_result_is(tokens, Reason::token_malformed);
        ck_assert_sv_contains(tokens.error().detail, std::string("\"") + type + "\"");
    }
}
END_TEST

START_TEST(t_07_t_08_t_10_t_11_no_object) {
    for (const char* body : {"", "[]", "\"x\"", "1", "null", "true", "{", "{}{}", "{} x",
                             "\xef\xbb\xbf{}", R"({"id_token":"GOOD","id_token":"EVIL"})"}) {
        assert_reason(body, Reason::token_malformed);
    }
    assert_reason(raw("{\"a\":\"\0\"}"), Reason::token_malformed);
}
END_TEST

START_TEST(t_09_types) {
    for (const char* name : {"id_token", "access_token", "refresh_token"}) {
        for (const char* value : {"1", "{}", "[\"x\"]", "true"}) {
            assert_reason(with(name, value), Reason::token_malformed);
        }
    }
    // One that nobody needs, and that is none.
    for (const char* value : {"1", "{}", "[\"x\"]", "true", "\"\\u00e9\"", "\"a\\nb\""}) {
        const Result<TokenResponse> tokens = parse(200, with("refresh_token", value), {}, nobody());
        ck_assert_result_ok(tokens);
        ck_assert(tokens->refresh_token.empty());
        ck_assert_uint_eq(tokens->left_out.size(), 1);
        ck_assert_sv_contains(tokens->left_out[0], "refresh_token");
        ck_assert_sv_lacks(tokens->left_out[0], "\xc3\xa9");
        const Result<TokenResponse> access = parse(200, with("access_token", value), {}, nobody());
        ck_assert_result_is(access, Reason::token_malformed);
    }
    const Result<TokenResponse> scope = parse(200, with("scope", "17"));
    ck_assert_result_ok(scope);  // of no use to us
    ck_assert_sv_eq(scope->scope, "");
    const Result<TokenResponse> list = parse(200, with("scope", "[\"openid\",1,\"email\"]"));
    ck_assert_result_ok(list);
    ck_assert_sv_eq(list->scope, "openid email");
}
END_TEST

START_TEST(t_12_t_14_characters) {
    for (const char* value : {"\"a\\u0000b\"", "\"\\ud800\"", "\"a\\r\\nX: y\"", "\"\xc3\xa9\"",
                              "\"a\\tb\"", "\"\\u001f\"", "\"\\u007f\""}) {
        for (const char* name : {"access_token", "id_token", "refresh_token"}) {
            assert_reason(with(name, value), Reason::token_malformed);
        }
    }
    // 1*VSCHAR, RFC 6749 A.17: what goes into a header is kept more closely.
    for (const char* value : {"\"a b\"", "\" \"", "\"a\\\"b\"", "\"a\\\\b\"", "\" ~!#|\""}) {
        for (const char* name : {"access_token", "id_token"}) {
            assert_reason(with(name, value), Reason::token_malformed);
        }
        const Result<TokenResponse> tokens = parse(200, with("refresh_token", value));
        ck_assert_result_ok(tokens);
        ck_assert(!tokens->refresh_token.empty());
    }
    std::string all;
    for (char c = 0x20; c < 0x7f; ++c) {
        all += c;
    }
    const Result<TokenResponse> every = parse(200, with("refresh_token", json_quote(all)));
    ck_assert_result_ok(every);
    ck_assert_sv_eq(every->refresh_token.view(), all);
    const Result<TokenResponse> odd = parse(200, with("access_token", "\"a|b.c~d+e/f=_-:\""));
    ck_assert_result_ok(odd);
}
END_TEST

START_TEST(t_13_expires_in) {
    const auto seconds = [](const char* value) {
        Result<TokenResponse> tokens = parse(200, with("expires_in", value));
        ck_assert_result_ok(tokens);
        return tokens->expires_in.value_or(-1);
    };
    ck_assert_int_eq(seconds(""), -1);
    ck_assert_int_eq(seconds("null"), -1);
    ck_assert_int_eq(seconds("0"), 0);
    ck_assert_int_eq(seconds("-1"), 0);
    ck_assert_int_eq(seconds("1.5"), 1);
    ck_assert_int_eq(seconds("\"3600\""), 3600);
    ck_assert_int_eq(seconds("\"-5\""), 0);
    ck_assert_int_eq(seconds("1e300"), 10LL * 365 * 86400);
    ck_assert_int_eq(seconds("9223372036854775807"), 10LL * 365 * 86400);
    ck_assert_int_eq(seconds("\"9223372036854775808\""), 10LL * 365 * 86400);
    ck_assert_int_eq(seconds("\"-9223372036854775809\""), 0);
    for (const char* bad : {"[]", "{}", "true", "\"\"", "\"1h\"", "\"9223372036854775808s\""}) {
        const Result<TokenResponse> tokens = parse(200, with("expires_in", bad));
        ck_assert_result_ok(tokens);
        ck_assert(!tokens->expires_in.has_value());
        ck_assert_uint_eq(tokens->left_out.size(), 1);
        ck_assert_sv_contains(tokens->left_out[0], "expires_in");
    }
    assert_reason(with("expires_in", "9223372036854775808"), Reason::token_malformed);
}
END_TEST

START_TEST(t_15_large_tokens) {
    const std::string large = "\"" + std::string(65536, 'x') + "\"";
    std::string body = "{\"token_type\":\"Bearer\",\"access_token\":" + large +
                       ",\"id_token\":" + large + ",\"refresh_token\":" + large + "}";
    const Result<TokenResponse> tokens = parse(200, body);
    ck_assert_result_ok(tokens);
    ck_assert_uint_eq(tokens->access_token.size(), 65536);
}
END_TEST

START_TEST(t_16_t_19_errors_of_the_provider) {
    struct Case {
        int status;
        const char* body;
        Reason reason;
        const char* fix;
    };
    const char* auth_fix = "client_id, client_secret or token_endpoint_auth_method";
    for (const Case& c : std::initializer_list<Case>{
             {200, R"({"error":"x"})", Reason::token_error, ""},
             {200, R"({"error":17})", Reason::token_error, ""},
             {200, R"({"error":"invalid_client"})", Reason::token_client_auth, auth_fix},
             {400, R"({"error":"invalid_client"})", Reason::token_client_auth, auth_fix},
             {401, R"({"error":"invalid_client"})", Reason::token_client_auth, auth_fix},
             {401, "{}", Reason::token_client_auth, auth_fix},
             {401, "<html>", Reason::token_client_auth, auth_fix},
             {200, R"({"error":"invalid_grant"})", Reason::code_refused, "redirect_uri"},
             {401, R"({"error":"invalid_grant"})", Reason::code_refused, "redirect_uri"},
             {403, R"({"error":"invalid_grant"})", Reason::code_refused, "redirect_uri"},
             {500, R"({"error":"invalid_grant"})", Reason::token_status, ""},
             {403, "", Reason::token_client_auth, auth_fix},
             {403, R"({"error":"unauthorized_client"})", Reason::token_client_auth, auth_fix},
             {403, R"({"error":"invalid_code"})", Reason::token_error, ""},  // glewlwyd
             {400, R"({"error":"invalid_grant"})", Reason::code_refused, "redirect_uri"},
             {400, R"({"error":"invalid_scope"})", Reason::token_error, "scope"},
             {400, R"({"error":null})", Reason::token_status, "token_endpoint"},
             {400, "not json", Reason::token_status, "token_endpoint"},
             {404, "{}", Reason::token_status, "token_endpoint"},
         }) {
        const Result<TokenResponse> tokens = parse(c.status, c.body);
        ck_assert_msg(!tokens.ok() && tokens.error().reason == c.reason, "%d %s: %s", c.status,
                      c.body, describe(tokens).c_str());
        ck_assert_sv_eq(tokens.error().fix, c.fix);
        ck_assert_sv_contains(tokens.error().detail, std::to_string(c.status));
    }
    const Result<TokenResponse> described =
        parse(400, R"({"error":"invalid_grant","error_description":"Code expired"})");
    ck_assert_sv_contains(described.error().detail, "\"invalid_grant\": \"Code expired\"");
}
END_TEST

START_TEST(redirects_say_what_to_configure) {
    HttpResponse moved = answer(301, "");
    moved.location = "https://op.example/token/";
    const Result<TokenResponse> tokens = parse_token_response(sent(), std::move(moved));
    ck_assert_result_is(tokens, Reason::idp_redirect);
    ck_assert_sv_eq(tokens.error().fix, "configure token_endpoint https://op.example/token/");
}
END_TEST

START_TEST(s_01_no_token_in_an_error) {
    for (const std::string& body :
         {with("token_type", "\"mac\""), with("access_token", "[]"), with("refresh_token", "1"),
          std::string(R"({"access_token":"canary","id_token":"canary","x")"),
          std::string(R"({"token_type":"Bearer","access_token":"canary x","id_token":"a"})")}) {
        const Result<TokenResponse> tokens = parse(200, body);
        ck_assert(!tokens.ok());
        ck_assert_sv_lacks(tokens.error().detail, "canary");
        ck_assert_sv_lacks(tokens.error().detail, "a.b.c");
    }
}
END_TEST

static Suite* token_suite() {
    Suite* suite = suite_create("token");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, t_18_shape_of_the_request);
    tcase_add_test(tcase, r_67_01_basic_encodes_before_base64);
    tcase_add_test(tcase, post_and_none);
    tcase_add_test(tcase, p_03_an_assertion_in_the_body);
    tcase_add_test(tcase, p_06_a_certificate);
    tcase_add_test(tcase, the_refresh_request);
    tcase_add_test(tcase, p_09_resources_at_the_token_endpoint);
    tcase_add_test(tcase, t_23_t_24_answers_to_a_refresh);
    tcase_add_test(tcase, t_01_legal_answers);
    tcase_add_test(tcase, t_02_token_type);
    tcase_add_test(tcase, t_02_no_access_token);
    tcase_add_test(tcase, t_03_no_id_token);
    tcase_add_test(tcase, t_05_statuses);
    tcase_add_test(tcase, t_06_content_types);
    tcase_add_test(tcase, t_07_t_08_t_10_t_11_no_object);
    tcase_add_test(tcase, t_09_types);
    tcase_add_test(tcase, t_12_t_14_characters);
    tcase_add_test(tcase, t_13_expires_in);
    tcase_add_test(tcase, t_15_large_tokens);
    tcase_add_test(tcase, t_16_t_19_errors_of_the_provider);
    tcase_add_test(tcase, redirects_say_what_to_configure);
    tcase_add_test(tcase, s_01_no_token_in_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration token_registered("token", token_suite);
