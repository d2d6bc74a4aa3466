// SPDX-License-Identifier: Apache-2.0
#include "oidc/access_token.hpp"

#include "flow_fixture.hpp"
#include "oidc/id_token.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/session.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kHeader = R"({"alg":"ES256","typ":"at+jwt","kid":"k1"})";
constexpr std::string_view kThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

// Claims of a good access token with one member set to `json`; empty: left out.
std::string payload(std::string_view name = {}, std::string_view json = {}) {
    std::string text = "{\"other\":1";
    bool seen = false;
    const auto add = [&](std::string_view member, std::string_view value) {
        seen = seen || member == name;
        const std::string_view used = member == name ? json : value;
        if (!used.empty()) {
            text.append(",\"").append(member).append("\":").append(used);
        }
    };
    add("iss", "\"https://op.example\"");
    add("aud", "\"https://api.example\"");
    add("iat", std::to_string(kNow));
    add("exp", std::to_string(kNow + 300));
    add("sub", "\"robot\"");
    add("client_id", "\"robot-client\"");
    add("scope", "\"read write\"");
    if (!seen && !name.empty()) {
        add(name, json);
    }
    return text + "}";
}

std::string token(std::string_view claims, std::string_view header = kHeader) {
    return forge_token(header, claims, Alg::ES256, World::key());
}

Result<AccessToken> check(World& w, std::string_view compact,
                          AccessTokenTyp typ = AccessTokenTyp::at_jwt, Seconds now = kNow) {
    const auto provider = w.provider();
    return validate_access_token(compact, {&w.config, &provider->keys, provider->algs, now, typ});
}

void assert_reason(std::string_view name, std::string_view json, Reason reason,
                   AccessTokenTyp typ = AccessTokenTyp::at_jwt) {
    World w;
    const auto verdict = check(w, token(payload(name, json)), typ);
    const std::string said = describe(verdict);
    ck_assert_msg(!verdict.ok() && verdict.error().reason == reason, "%s=%s is %s",
                  std::string(name).c_str(), std::string(json).c_str(), said.c_str());
}
void assert_good(std::string_view name, std::string_view json,
                 AccessTokenTyp typ = AccessTokenTyp::at_jwt) {
    World w;
    const auto verdict = check(w, token(payload(name, json)), typ);
    ck_assert_result_ok(verdict);
}

}  // namespace

START_TEST(a_good_token) {
    World w;
    const auto good = check(w, token(payload()));
    ck_assert_result_ok(good);
    ck_assert_sv_eq(good->sub, "robot");
    ck_assert_sv_eq(good->client_id, "robot-client");
    ck_assert_sv_eq(good->scope, "read write");
    ck_assert_uint_eq(good->audiences.size(), 1);
    ck_assert_sv_eq(good->audiences[0], "https://api.example");
    ck_assert_int_eq(good->exp, kNow + 300);
    ck_assert_int_eq(good->iat, kNow);
    ck_assert_sv_eq(good->binding.jkt, "");
    ck_assert_sv_eq(good->binding.x5t, "");
    // In any case, and as a media type.
    for (const char* typ : {"AT+JWT", "application/at+jwt", "Application/At+Jwt"}) {
        const auto typed = check(
            w, token(payload(), R"({"alg":"ES256","kid":"k1","typ":")" + std::string(typ) + "\"}"));
        ck_assert_result_ok(typed);
    }
}
END_TEST

START_TEST(unsigned_and_symmetric) {
    World w;
    const std::string none = b64(R"({"alg":"none","typ":"at+jwt"})") + "." + b64(payload()) + ".";
    const auto no_signature = check(w, none);
    ck_assert_result_is(no_signature, Reason::access_token_alg);
    // Not even where HS256 is configured for ID tokens, with the client secret or the public key.
    w.config.client_secret = Secret(std::string(32, 's'));
    w.config.id_token_algs = {Alg::HS256};
    const std::string hs = R"({"alg":"HS256","typ":"at+jwt"})";
    for (const std::string& secret : {std::string(32, 's'), World::key().public_pem()}) {
        const auto symmetric = check(w, forge_hs_token(hs, payload(), Alg::HS256, secret));
        ck_assert_result_is(symmetric, Reason::access_token_alg);
    }
}
END_TEST

START_TEST(signature_and_keys) {
    World w;
    std::string forged = token(payload());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    const auto bad = check(w, forged);
    ck_assert_result_is(bad, Reason::access_token_signature);
    ck_assert(worth_refetching_for(bad.error(), forged, w.config));
    // Of another key, by its name or under the name of a known one.
    const ForgeKey other = ForgeKey::ec("P-256");
    for (const char* kid : {"k2", "k1"}) {
        const std::string compact =
            forge_token(R"({"alg":"ES256","typ":"at+jwt","kid":")" + std::string(kid) + "\"}",
                        payload(), Alg::ES256, other);
        const auto verdict = check(w, compact);
        ck_assert_result_is(verdict, Reason::access_token_signature);
        ck_assert(worth_refetching_for(verdict.error(), compact, w.config));
    }
    // A key in the token itself.
    const auto own =
        check(w, forge_token(R"({"alg":"ES256","typ":"at+jwt","jwk":)" + other.jwk("k1") + "}",
                             payload(), Alg::ES256, other));
    ck_assert_result_is(own, Reason::access_token_signature);
    const auto pinned = [] {
        World rsa;
        rsa.config.id_token_algs = {Alg::RS256};
        return check(rsa, token(payload()));
    }();
    ck_assert_result_is(pinned, Reason::access_token_alg);
    const auto late = check(w, token(payload("exp", "1")));
    ck_assert(!worth_refetching_for(late.error(), token(payload()), w.config));
}
END_TEST

START_TEST(typ) {
    World w;
    // An ID token, a logout token, one without a type, a proof.
    for (const char* header :
         {R"({"alg":"ES256","typ":"JWT","kid":"k1"})", R"({"alg":"ES256","kid":"k1"})",
          R"({"alg":"ES256","typ":"logout+jwt","kid":"k1"})",
          R"({"alg":"ES256","typ":"dpop+jwt","kid":"k1"})",
          R"({"alg":"ES256","typ":"","kid":"k1"})", R"({"alg":"ES256","typ":7,"kid":"k1"})",
          R"({"alg":"ES256","typ":null,"kid":"k1"})",
          R"({"alg":"ES256","typ":"application/application/at+jwt","kid":"k1"})"}) {
        const auto verdict = check(w, token(payload(), header));
        ck_assert_result_is(verdict, Reason::access_token_typ);
    }
    const auto id_token = check(w, w.id_token());
    ck_assert_result_is(id_token, Reason::access_token_typ);
}
END_TEST

START_TEST(typ_where_jwt_is_allowed) {
    World w;
    for (const char* header :
         {R"({"alg":"ES256","typ":"JWT","kid":"k1"})", R"({"alg":"ES256","kid":"k1"})",
          R"({"alg":"ES256","typ":"at+jwt","kid":"k1"})"}) {
        const auto verdict = check(w, token(payload(), header), AccessTokenTyp::jwt);
        ck_assert_result_ok(verdict);
    }
    const auto logout =
        check(w, token(payload(), R"({"alg":"ES256","typ":"logout+jwt"})"), AccessTokenTyp::jwt);
    ck_assert_result_is(logout, Reason::access_token_typ);
    const auto id_token = check(w, w.id_token(), AccessTokenTyp::jwt);
    ck_assert_result_is(id_token, Reason::access_token_typ);
    for (const char* name : {"nonce", "at_hash", "c_hash", "events"}) {
        assert_reason(name, "\"x\"", Reason::access_token_typ, AccessTokenTyp::jwt);
        assert_good(name, "\"x\"");
    }
    for (const char* typ :
         {"\"ID\"", "\"id\"", "\"Refresh\"", "\"Offline\"", "\"Logout\"", "[\"ID\"]", "7"}) {
        assert_reason("typ", typ, Reason::access_token_typ, AccessTokenTyp::jwt);
        assert_good("typ", typ);
    }
    for (const char* use : {"\"id\"", "\"ID_TOKEN\"", "\"refresh\"", "\"\"", "\"other\"", "true"}) {
        assert_reason("token_use", use, Reason::access_token_typ, AccessTokenTyp::jwt);
        assert_good("token_use", use);
    }
    for (const char* name : {"typ", "token_use"}) {
        assert_good(name, "null", AccessTokenTyp::jwt);
    }
    for (const char* typ : {"\"Bearer\"", "\"DPoP\"", "\"\""}) {
        assert_good("typ", typ, AccessTokenTyp::jwt);
    }
    for (const char* use : {"\"access\"", "\"access_token\""}) {
        assert_good("token_use", use, AccessTokenTyp::jwt);
    }
    assert_reason("aud", R"(["https://api.example","espocrm"])", Reason::access_token_typ,
                  AccessTokenTyp::jwt);
    // How some providers name the client.
    for (const char* name : {"azp", "appid", "cid"}) {
        const std::string claims =
            R"({"iss":"https://op.example","aud":"a","sub":"s","iat":1,"exp":2000000000,")" +
            std::string(name) + R"(":"c"})";
        const auto named = check(w, token(claims), AccessTokenTyp::jwt);
        ck_assert_result_ok(named);
        ck_assert_sv_eq(named->client_id, "c");
        const auto strict = check(w, token(claims));
        ck_assert_result_is(strict, Reason::access_token_claim);
    }
}
END_TEST

START_TEST(issuer) {
    assert_reason("iss", "", Reason::access_token_iss);
    assert_reason("iss", "null", Reason::access_token_iss);
    assert_reason("iss", "\"https://evil.example\"", Reason::access_token_iss);
    assert_reason("iss", "\"https://op.example/\"", Reason::access_token_iss);
    assert_reason("iss", "[\"https://op.example\"]", Reason::access_token_iss);
}
END_TEST

START_TEST(times) {
    assert_reason("exp", "", Reason::access_token_exp);
    assert_reason("exp", "\"1\"", Reason::access_token_exp);
    assert_reason("exp", std::to_string(kNow - 60), Reason::access_token_exp);
    assert_good("exp", std::to_string(kNow - 59));
    assert_reason("iat", "", Reason::access_token_iat);
    assert_reason("iat", std::to_string(kNow + 61), Reason::access_token_iat);
    assert_good("iat", std::to_string(kNow + 60));
    assert_reason("nbf", std::to_string(kNow + 61), Reason::access_token_iat);
    assert_reason("nbf", "{}", Reason::access_token_iat);
    assert_good("nbf", std::to_string(kNow + 60));
}
END_TEST

START_TEST(subject_and_client) {
    for (const char* json : {"", "null", "\"\"", "7", "\" bob\"", "\"a\\u0001\"", "[\"a\"]"}) {
        assert_reason("sub", json, Reason::access_token_claim);
    }
    for (const char* json : {"", "null", "\"\"", "7", "\"a\\nb\""}) {
        assert_reason("client_id", json, Reason::access_token_claim);
    }
    assert_reason("client_id", "\"" + std::string(1025, 'c') + "\"", Reason::access_token_claim);
}
END_TEST

START_TEST(audience) {
    World w;
    for (const char* json : {"", "null", "7", "{}", "[7]"}) {
        assert_reason("aud", json, Reason::access_token_aud);
    }
    const auto several = check(w, token(payload("aud", R"(["a","b","a,b"])")));
    ck_assert_result_ok(several);
    const std::vector<std::string> wanted{"x", "b"};
    const std::vector<std::string> part{"a,"};
    ck_assert_result_ok(check_token_audience(several->audiences, wanted));
    const auto missing = check_token_audience(several->audiences, part);
    ck_assert_result_is(missing, Reason::access_token_aud);
    const auto none = check_token_audience({}, wanted);
    ck_assert_result_is(none, Reason::access_token_aud);
    const auto nothing = check_token_audience(several->audiences, {});
    ck_assert_result_is(nothing, Reason::access_token_aud);
}
END_TEST

START_TEST(scope) {
    World w;
    const auto listed = check(w, token(payload("scope", R"(["a","b"])")));
    ck_assert_result_ok(listed);
    ck_assert_sv_eq(listed->scope, "a b");
    assert_reason("scope", "7", Reason::access_token_claim);
    assert_reason("scope", "\"" + std::string(4097, 's') + "\"", Reason::access_token_claim);
    World scp;
    std::string claims = payload("scope", "");
    claims.insert(claims.size() - 1, R"(,"scp":["read"])");
    const auto named = check(scp, token(claims));
    ck_assert_result_ok(named);
    ck_assert_sv_eq(named->scope, "read");

    const auto has = [](std::string_view text, std::vector<std::string> wanted) {
        return check_token_scope(text, wanted);
    };
    ck_assert_result_ok(has("", {}));
    ck_assert_result_ok(has("read write", {"write", "read"}));
    ck_assert_result_ok(has("  read  ", {"read"}));
    for (const char* text : {"", "reader", "rea d", "read.all", "READ"}) {
        const auto verdict = has(text, {"read"});
        ck_assert_result_is(verdict, Reason::insufficient_scope);
    }
    const auto one = has("read", {"read", "write"});
    ck_assert_result_is(one, Reason::insufficient_scope);
}
END_TEST

START_TEST(confirmation) {
    World w;
    const std::string jkt = R"({"jkt":")" + std::string(kThumbprint) + "\"}";
    const auto bound = check(w, token(payload("cnf", jkt)));
    ck_assert_result_ok(bound);
    ck_assert_sv_eq(bound->binding.jkt, kThumbprint);
    const auto both =
        check(w, token(payload("cnf", R"({"jkt":")" + std::string(kThumbprint) +
                                          R"(","x5t#S256":")" + std::string(kThumbprint) + "\"}")));
    ck_assert_result_ok(both);
    ck_assert_sv_eq(both->binding.x5t, kThumbprint);
    for (const std::string& json :
         {std::string("null"), std::string("{}"), std::string("[]"), std::string("\"jkt\""),
          std::string(R"({"jkt":null})"), std::string(R"({"jkt":""})"),
          std::string(R"({"jkt":"short"})"), std::string(R"({"jkt":7})"),
          R"({"jkt":{"jkt":")" + std::string(kThumbprint) + "\"}}", R"({"cnf":)" + jkt + "}",
          R"({"jkt":")" + std::string(kThumbprint) + R"(","kid":"k"})",
          std::string(R"({"jwk":{"kty":"EC"}})"),
          // The last character has bits that no SHA-256 has.
          R"({"jkt":")" + std::string(kThumbprint.substr(0, 42)) + "J\"}",
          R"({"x5t":")" + std::string(kThumbprint) + "\"}"}) {
        assert_reason("cnf", json, Reason::access_token_binding);
    }
}
END_TEST

START_TEST(malformed) {
    World w;
    std::string twice = payload();
    twice.insert(twice.size() - 1, R"(,"aud":"https://other.example")");
    const std::string big =
        token(payload("other2", "\"" + std::string(kMaxAccessToken, 'x') + "\""));
    for (const std::string& compact :
         {std::string(), std::string("a.b.c"), std::string("opaque"), token(twice), token("[]"),
          token(payload(), R"({"alg":"ES256","alg":"none","typ":"at+jwt"})"),
          token(payload(), R"({"alg":"ES256","typ":"at+jwt","crit":["x"],"x":1})"),
          b64(kHeader) + "." + b64(payload()) + ".a.b.c", big}) {
        const auto verdict = check(w, compact);
        ck_assert_result_is(verdict, Reason::access_token_malformed);
    }
    ck_assert(is_jwt(token(payload())));
    ck_assert(is_jwt(b64(kHeader) + ".a.b.c.d"));
    for (const std::string& opaque :
         {std::string(), std::string("opaque"), std::string("a.b"), std::string("a.b.c"),
          b64("[]") + ".b.c", b64(kHeader) + ".b", b64(kHeader) + ".b.c.d", big}) {
        ck_assert(!is_jwt(opaque));
    }
}
END_TEST

START_TEST(no_access_token_is_another_token) {
    World w;
    const auto provider = w.provider();
    std::string claims = payload("aud", "\"espocrm\"");
    claims.insert(claims.size() - 1, R"(,"nonce":"the-nonce")");
    IdTokenExpectation expected;
    expected.provider = &w.config;
    expected.keys = &provider->keys;
    expected.algs = provider->algs;
    expected.nonce = "the-nonce";
    expected.now = kNow;
    const auto id_token = validate_id_token(token(claims), expected);
    ck_assert_result_is(id_token, Reason::jwt_typ);
    const auto logout =
        validate_logout_token(token(claims), {&w.config, &provider->keys, provider->algs, kNow});
    ck_assert_result_is(logout, Reason::jwt_typ);
}
END_TEST

START_TEST(the_record) {
    World w;
    std::string claims = payload("preferred_username", "\"robbie\"");
    claims.insert(claims.size() - 1, R"(,"groups":["a","b"],"auth_time":"no time")");
    const std::string compact = token(claims);
    const auto access = check(w, compact);
    ck_assert_result_ok(access);
    const auto record = make_access_token_record(*access, compact, w.config, w.fake.ports().log);
    ck_assert_result_ok(record);
    ck_assert_int_eq(record->exp, kNow + 300);
    const auto view = SessionView::open(record->record.view());
    ck_assert(view.has_value());
    ck_assert_sv_eq(view->username(), "robbie");
    ck_assert_sv_eq(view->sub(), "robot");
    ck_assert_sv_eq(view->provider(), "op");
    ck_assert_sv_eq(view->scope(), "read write");
    ck_assert_sv_eq(view->claim("groups").value_or(""), "a,b");
    ck_assert_sv_eq(view->claim("client_id").value_or(""), "robot-client");
    ck_assert_sv_eq(view->access_token(), "");
    ck_assert_int_eq(view->auth_time(), 0);
    ck_assert_int_eq(view->refresh_at(), 0);
    ck_assert(view->claims_id().has_value());
    // Only where something reads it.
    w.config.keep_access_token = true;
    const auto kept = make_access_token_record(*access, compact, w.config, w.fake.ports().log);
    ck_assert_result_ok(kept);
    ck_assert_sv_eq(SessionView::open(kept->record.view())->access_token(), compact);
    w.config.username_claim = {"email"};
    const auto nameless = make_access_token_record(*access, compact, w.config, w.fake.ports().log);
    ck_assert_result_is(nameless, Reason::access_token_claim);
}
END_TEST

START_TEST(claims_that_came_otherwise) {
    World w;
    constexpr std::string_view kOptional[] = {"iss", "exp", "iat", "sub", "client_id", "aud"};
    const auto read = [&w](std::string_view text, std::span<const std::string_view> optional) {
        return read_access_token(*json_parse_object(text), w.config, kNow, optional);
    };
    const auto little = read("{\"active\":true}", kOptional);
    ck_assert_result_ok(little);
    ck_assert_sv_eq(little->sub, "");
    const auto strict = read("{\"active\":true}", {});
    ck_assert_result_is(strict, Reason::access_token_iss);
    const auto other = read(R"({"iss":"https://evil.example"})", kOptional);
    ck_assert_result_is(other, Reason::access_token_iss);
    const auto old = read(R"({"exp":1})", kOptional);
    ck_assert_result_is(old, Reason::access_token_exp);
    const auto unknown = read(R"({"cnf":{"kid":"x"}})", kOptional);
    ck_assert_result_is(unknown, Reason::access_token_binding);
}
END_TEST

static Suite* access_token_suite() {
    Suite* suite = suite_create("access_token");
    TCase* tcase = tcase_create("core");
    tcase_add_test(tcase, a_good_token);
    tcase_add_test(tcase, unsigned_and_symmetric);
    tcase_add_test(tcase, signature_and_keys);
    tcase_add_test(tcase, typ);
    tcase_add_test(tcase, typ_where_jwt_is_allowed);
    tcase_add_test(tcase, issuer);
    tcase_add_test(tcase, times);
    tcase_add_test(tcase, subject_and_client);
    tcase_add_test(tcase, audience);
    tcase_add_test(tcase, scope);
    tcase_add_test(tcase, confirmation);
    tcase_add_test(tcase, malformed);
    tcase_add_test(tcase, no_access_token_is_another_token);
    tcase_add_test(tcase, the_record);
    tcase_add_test(tcase, claims_that_came_otherwise);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration access_token_registered("access_token", access_token_suite);
