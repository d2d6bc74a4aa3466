// SPDX-License-Identifier: Apache-2.0
#include "oidc/logout_token.hpp"

#include "flow_fixture.hpp"
#include "oidc/backchannel_flow.hpp"
#include "oidc/page.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kHeader = R"({"alg":"ES256","typ":"logout+jwt","kid":"k1"})";
constexpr std::string_view kEvents = R"({"http://schemas.openid.net/event/backchannel-logout":{}})";

// A good logout token with one member set to `json`; empty: left out.
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
    add("aud", "\"espocrm\"");
    add("iat", std::to_string(kNow));
    add("exp", std::to_string(kNow + 120));
    add("jti", "\"id-1\"");
    add("sub", "\"john-id\"");
    add("sid", "\"sid-1\"");
    add("events", kEvents);
    if (!seen && !name.empty()) {
        add(name, json);
    }
    return text + "}";
}

std::string token(std::string_view claims, std::string_view header = kHeader) {
    return forge_token(header, claims, Alg::ES256, World::key());
}

Result<LogoutToken> check(World& w, std::string_view compact, Seconds now = kNow) {
    const auto provider = w.provider();
    return validate_logout_token(compact, {&w.config, &provider->keys, provider->algs, now});
}

void assert_reason(std::string_view name, std::string_view json, Reason reason) {
    World w;
    const auto verdict = check(w, token(payload(name, json)));
    const std::string said = describe(verdict);
    ck_assert_msg(!verdict.ok() && verdict.error().reason == reason, "%s=%s is %s",
                  std::string(name).c_str(), std::string(json).c_str(), said.c_str());
}
void assert_good(std::string_view name, std::string_view json) {
    World w;
    const auto verdict = check(w, token(payload(name, json)));
    ck_assert_result_ok(verdict);
}

}  // namespace

START_TEST(l_09_a_good_token) {
    World w;
    const auto good = check(w, token(payload()));
    ck_assert_result_ok(good);
    ck_assert_sv_eq(good->iss, "https://op.example");
    ck_assert_sv_eq(good->sub, "john-id");
    ck_assert_sv_eq(good->sid, "sid-1");
    ck_assert_sv_eq(good->jti, "id-1");
    ck_assert_int_eq(good->remember_until, kNow + 120 + 60);
}
END_TEST

START_TEST(l_10_unsigned_and_symmetric) {
    World w;
    const std::string none = b64(R"({"alg":"none"})") + "." + b64(payload()) + ".";
    const auto no_signature = check(w, none);
    ck_assert_result_is(no_signature, Reason::jwt_alg);
    w.config.client_secret = Secret(std::string(32, 's'));
    const std::string hs =
        forge_hs_token(R"({"alg":"HS256"})", payload(), Alg::HS256, std::string(32, 's'));
    const auto symmetric = check(w, hs);
    ck_assert_result_is(symmetric, Reason::jwt_alg);
    // Where it is configured for ID tokens, it holds here as well.
    w.config.id_token_algs = {Alg::HS256};
    const auto configured = check(w, hs);
    ck_assert_result_ok(configured);
    std::string forged = token(payload());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    World plain;
    const auto bad = check(plain, forged);
    ck_assert_result_is(bad, Reason::jwt_signature);
}
END_TEST

START_TEST(l_11_another_alg_with_a_good_key) {
    World w;
    w.config.id_token_algs = {Alg::RS256};
    const auto verdict = check(w, token(payload()));
    ck_assert_result_is(verdict, Reason::jwt_alg);
}
END_TEST

START_TEST(l_12_audience) {
    assert_reason("aud", "", Reason::logout_token_aud);
    assert_reason("aud", "\"another\"", Reason::logout_token_aud);
    assert_reason("aud", "[\"a\",\"b\"]", Reason::logout_token_aud);
    assert_reason("aud", "[]", Reason::logout_token_aud);
    assert_reason("aud", "7", Reason::logout_token_aud);
    // As of an ID token: others besides us are trusted by configuration or azp.
    assert_reason("aud", "[\"espocrm\",\"b\"]", Reason::logout_token_aud);
    assert_reason("azp", "\"another\"", Reason::logout_token_aud);
    assert_good("aud", "[\"espocrm\"]");
    assert_good("azp", "\"espocrm\"");
    World w;
    w.config.trusted_audience = {"b"};
    const auto trusted = check(w, token(payload("aud", "[\"espocrm\",\"b\"]")));
    ck_assert_result_ok(trusted);
}
END_TEST

START_TEST(l_13_issuer) {
    assert_reason("iss", "", Reason::logout_token_iss);
    assert_reason("iss", "\"https://evil.example\"", Reason::logout_token_iss);
    assert_reason("iss", "\"https://op.example/\"", Reason::logout_token_iss);
    assert_reason("iss", "[\"https://op.example\"]", Reason::logout_token_iss);
}
END_TEST

START_TEST(l_14_l_15_events) {
    for (const char* json : {"", "null", "\"http://schemas.openid.net/event/backchannel-logout\"",
                             "[\"http://schemas.openid.net/event/backchannel-logout\"]", "{}",
                             R"({"http://schemas.openid.net/event/other":{}})",
                             R"({"http://schemas.openid.net/event/backchannel-logout":null})",
                             R"({"http://schemas.openid.net/event/backchannel-logout":"{}"})",
                             R"({"http://schemas.openid.net/event/backchannel-logout":[]})",
                             R"({"http://schemas.openid.net/event/backchannel-logout":true})"}) {
        assert_reason("events", json, Reason::logout_token_events);
    }
    assert_good("events", R"({"http://schemas.openid.net/event/backchannel-logout":{"x":1},)"
                          R"("https://op.example/other":7})");
}
END_TEST

START_TEST(l_16_nonce) {
    for (const char* json : {"\"n\"", "\"\"", "null", "7", "{}"}) {
        assert_reason("nonce", json, Reason::logout_token_nonce);
    }
}
END_TEST

START_TEST(l_17_sub_or_sid) {
    const auto with_both_as = [](std::string_view sub, std::string_view sid) {
        World w;
        std::string text = payload("sub", sub);
        const std::string good_sid = R"(,"sid":"sid-1")";
        text.replace(text.find(good_sid), good_sid.size(), std::string(sid));
        return check(w, token(text));
    };
    const auto neither = with_both_as("", "");
    ck_assert_result_is(neither, Reason::logout_token_sub);
    const auto nulls = with_both_as("null", R"(,"sid":null)");
    ck_assert_result_is(nulls, Reason::logout_token_sub);
    const auto sub_only = with_both_as("\"john-id\"", "");
    ck_assert_result_ok(sub_only);
    ck_assert_sv_eq(sub_only->sid, "");
    const auto sid_only = with_both_as("", R"(,"sid":"s")");
    ck_assert_result_ok(sid_only);
    ck_assert_sv_eq(sid_only->sub, "");
    for (const char* json : {"\"\"", "7", "{}", "\" john\"", "\"j\\u0001n\""}) {
        assert_reason("sub", json, Reason::logout_token_sub);
    }
    for (const char* json : {"\"\"", "7", "[\"sid-1\"]"}) {
        assert_reason("sid", json, Reason::logout_token_sub);
    }
}
END_TEST

START_TEST(l_18_times) {
    const auto at = [](Seconds offset) { return std::to_string(kNow + offset); };
    assert_reason("iat", "", Reason::logout_token_iat);
    assert_reason("iat", "null", Reason::logout_token_iat);
    assert_reason("iat", "\"" + at(0) + "\"", Reason::logout_token_iat);
    assert_reason("iat", "1e300", Reason::logout_token_iat);
    assert_reason("iat", at(61), Reason::logout_token_iat);
    assert_good("iat", at(60));
    // With exp an hour, however long exp may be.
    assert_good("iat", at(-3600 - 59));
    assert_reason("iat", at(-3600 - 60), Reason::logout_token_iat);
    assert_reason("iat", at(-86400), Reason::logout_token_iat);
    assert_reason("exp", at(-60), Reason::logout_token_exp);
    assert_good("exp", at(-59));
    assert_reason("exp", "\"soon\"", Reason::logout_token_exp);
    assert_reason("nbf", at(61), Reason::logout_token_iat);
    assert_good("nbf", at(60));
}
END_TEST

START_TEST(l_18_without_exp_ten_minutes) {
    World w;  // glewlwyd
    const std::string compact =
        token(payload("exp", ""), R"({"alg":"ES256","typ":"JWT","kid":"k1"})");
    const auto fresh = check(w, compact);
    ck_assert_result_ok(fresh);
    ck_assert_int_eq(fresh->remember_until, kNow + 600 + 60);
    const auto last = check(w, compact, fresh->remember_until - 1);
    ck_assert_result_ok(last);
    const auto late = check(w, compact, fresh->remember_until);
    ck_assert_result_is(late, Reason::logout_token_iat);
    // The same promise with an exp, near and far.
    for (const Seconds exp : {Seconds{120}, Seconds{86400}}) {
        const std::string other = token(payload("exp", std::to_string(kNow + exp)));
        const auto good = check(w, other);
        ck_assert_result_ok(good);
        const auto still = check(w, other, good->remember_until - 1);
        ck_assert_result_ok(still);
        const auto over = check(w, other, good->remember_until);
        ck_assert(!over.ok());
    }
}
END_TEST

START_TEST(l_19_jti) {
    for (const char* json : {"", "null", "\"\"", "7", "{}"}) {
        assert_reason("jti", json, Reason::logout_token_jti);
    }
}
END_TEST

START_TEST(l_20_typ) {
    World w;
    for (const char* typ : {R"("logout+jwt")", R"("JWT")", R"("jwt")", R"("Logout+JWT")",
                            R"("application/logout+jwt")"}) {
        const auto verdict = check(
            w, token(payload(), R"({"alg":"ES256","kid":"k1","typ":)" + std::string(typ) + "}"));
        ck_assert_result_ok(verdict);
    }
    const auto absent = check(w, token(payload(), R"({"alg":"ES256","kid":"k1"})"));
    ck_assert_result_ok(absent);
    for (const char* typ :
         {R"("at+jwt")", R"("dpop+jwt")", R"("secevent+jwt")", R"("")", "null", "7"}) {
        const auto verdict = check(
            w, token(payload(), R"({"alg":"ES256","kid":"k1","typ":)" + std::string(typ) + "}"));
        ck_assert_result_is(verdict, Reason::jwt_typ);
    }
}
END_TEST

START_TEST(an_id_token_is_none_and_the_other_way_round) {
    World w;
    const auto id_token = check(w, w.id_token());
    ck_assert_result_is(id_token, Reason::logout_token_jti);
    const auto provider = w.provider();
    IdTokenExpectation expected;
    expected.provider = &w.config;
    expected.keys = &provider->keys;
    expected.algs = provider->algs;
    expected.nonce = "the-nonce";
    expected.now = kNow;
    const auto logout = validate_id_token(token(payload(), forge_header("ES256", "k1")), expected);
    ck_assert_result_is(logout, Reason::jwt_typ);
}
END_TEST

START_TEST(l_22_the_form) {
    constexpr std::string_view kForm = "application/x-www-form-urlencoded";
    const auto good = parse_logout_form(kForm, "logout_token=a.b.c");
    ck_assert_result_ok(good);
    ck_assert_sv_eq(*good, "a.b.c");
    for (const char* type :
         {"Application/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded;charset=UTF-8",
          "application/x-www-form-urlencoded ; charset=utf-8"}) {
        const auto also = parse_logout_form(type, "x=1&logout_token=a%2Eb.c&y");
        ck_assert_result_ok(also);
        ck_assert_sv_eq(*also, "a.b.c");
    }
    for (const char* type : {"", "application/json", "multipart/form-data; boundary=x",
                             "application/x-www-form-urlencoded2", "text/plain"}) {
        const auto bad = parse_logout_form(type, "logout_token=a.b.c");
        ck_assert_result_is(bad, Reason::logout_malformed);
    }
    for (const char* body : {"", "logout_token", "logout_token=", "logout_token=a&logout_token=a",
                             "logout_token=a&logout%5Ftoken=b", "logout_token=a%2",
                             "Logout_token=a", "{\"logout_token\":\"a\"}", "x=logout_token"}) {
        const auto bad = parse_logout_form(kForm, body);
        ck_assert_result_is(bad, Reason::logout_malformed);
    }
    const auto huge = parse_logout_form(kForm, "logout_token=" + std::string(1 << 20, 'a'));
    ck_assert_result_is(huge, Reason::logout_too_large);
    // A NUL gets no further than the token's grammar.
    const auto nul = parse_logout_form(kForm, "logout_token=a.b.c%00");
    ck_assert_result_ok(nul);
    World w;
    const auto verdict = check(w, *nul);
    ck_assert_result_is(verdict, Reason::jwt_malformed);
}
END_TEST

// ---- BackchannelFlow -------------------------------------------------------------------------

namespace {

Step run(World& w, std::string compact) {
    BackchannelFlow flow(w.config, w.fake.ports(), std::move(compact));
    Step first = flow.start();
    ck_assert_uint_eq(expect<NeedProvider>(first).newer_than, 0);
    Step step = flow.resume(ProviderReady(w.provider()));
    if (std::holds_alternative<NeedProvider>(step)) {
        step = flow.resume(ProviderReady(w.provider()));  // nothing newer
    }
    return step;
}

}  // namespace

START_TEST(l_09_l_19_the_flow) {
    World w;
    Step step = run(w, token(payload()));
    const EndSessions end = expect<EndSessions>(step);
    ck_assert_sv_eq(end.sid, "sid-1");
    ck_assert_sv_eq(end.sub, "john-id");
    ck_assert_int_eq(end.remember_until, kNow + 180);
    Step again = run(w, token(payload()));
    ck_assert(expect<EndSessions>(again).jti_digest == end.jti_digest);
    Step other = run(w, token(payload("jti", "\"id-2\"")));
    ck_assert(expect<EndSessions>(other).jti_digest != end.jti_digest);
    World another_client;
    another_client.config.client_id = "other";
    Step theirs = run(another_client, token(payload("aud", "\"other\"")));
    ck_assert(expect<EndSessions>(theirs).jti_digest != end.jti_digest);
}
END_TEST

START_TEST(l_10_the_flow_refuses_with_400) {
    World w;
    const auto refused = [&](std::string compact) {
        Step step = run(w, std::move(compact));
        const Error error = expect<Refuse>(step).error;
        ck_assert_int_eq(reason_info(error.reason).status, 400);
        return error.reason;
    };
    ck_assert(refused("x") == Reason::logout_token_malformed);
    ck_assert(refused("a.b.c.d.e") == Reason::logout_token_malformed);
    ck_assert(refused(token(payload(), R"({"alg":"ES256","kid":"k1","crit":["x"]})")) ==
              Reason::logout_token_malformed);
    ck_assert(refused(token(payload(), R"({"alg":"ES384","kid":"k1"})")) ==
              Reason::logout_token_alg);
    ck_assert(refused(token(payload(), R"({"alg":"ES256","kid":"k1","typ":"at+jwt"})")) ==
              Reason::logout_token_typ);
    ck_assert(refused(token(payload("jti", ""))) == Reason::logout_token_jti);
    std::string forged = token(payload());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    ck_assert(refused(forged) == Reason::logout_token_signature);
}
END_TEST

START_TEST(j_02_the_flow_asks_for_newer_keys_once) {
    World w;
    const std::string compact = token(payload(), R"({"alg":"ES256","kid":"k2"})");
    BackchannelFlow flow(w.config, w.fake.ports(), compact);
    (void)flow.start();
    Step need = flow.resume(ProviderReady(w.provider()));
    ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, 3);
    ck_assert(std::get<NeedProvider>(need).cause == NeedProvider::Cause::outsider);
    World newer;
    newer.kid = "k2";
    Step end = flow.resume(ProviderReady(newer.provider()));
    (void)expect<EndSessions>(end);

    BackchannelFlow stale(w.config, w.fake.ports(), compact);
    (void)stale.start();
    (void)stale.resume(ProviderReady(w.provider()));
    Step refused = stale.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(refused).error.reason == Reason::logout_token_signature);
    Step over = stale.resume(ProviderReady(w.provider()));
    ck_assert(expect<Refuse>(over).error.reason == Reason::internal_error);
}
END_TEST

START_TEST(the_flow_without_a_provider) {
    World w;
    BackchannelFlow flow(w.config, w.fake.ports(), token(payload()));
    (void)flow.start();
    Step down = flow.resume(fail(Reason::metadata_unavailable, "down"));
    ck_assert(expect<Refuse>(down).error.reason == Reason::metadata_unavailable);
    for (const bool null : {true, false}) {
        BackchannelFlow strange(w.config, w.fake.ports(), token(payload()));
        (void)strange.start();
        Step step = null ? strange.resume(ProviderReady()) : strange.resume(StoreDone{});
        ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
    }
}
END_TEST

// ---- answers -----------------------------------------------------------------------------------

namespace {

std::string header(const Respond& respond, std::string_view name) {
    for (const Header& each : respond.headers) {
        if (each.name == name) {
            return each.value;
        }
    }
    return "-";
}

}  // namespace

START_TEST(l_09_answers) {
    const Respond good = backchannel_page();
    ck_assert_int_eq(good.status, 200);
    ck_assert_sv_eq(good.body, "");
    ck_assert_sv_eq(header(good, "Cache-Control"), "no-store");
    const Respond bad = backchannel_refusal(fail(Reason::logout_token_aud, "aud \"<evil>\"", "x"));
    ck_assert_int_eq(bad.status, 400);
    ck_assert_sv_eq(bad.body,
                    "{\"error\":\"invalid_request\",\"error_description\":"
                    "\"The logout token was made for another site.\"}\n");
    ck_assert_sv_eq(header(bad, "Cache-Control"), "no-store");
    ck_assert_sv_eq(header(bad, "Content-Type"), "application/json");
    ck_assert_sv_eq(header(bad, "Retry-After"), "-");
    const Respond down = backchannel_refusal(fail(Reason::store_unavailable, "x"));
    ck_assert_int_eq(down.status, 503);
    ck_assert_sv_contains(down.body, "{\"error\":\"server_error\",");
    ck_assert_sv_eq(header(down, "Retry-After"), "10");
}
END_TEST

static Suite* logout_token_suite() {
    Suite* suite = suite_create("logout_token");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, l_09_a_good_token);
    tcase_add_test(tcase, l_10_unsigned_and_symmetric);
    tcase_add_test(tcase, l_11_another_alg_with_a_good_key);
    tcase_add_test(tcase, l_12_audience);
    tcase_add_test(tcase, l_13_issuer);
    tcase_add_test(tcase, l_14_l_15_events);
    tcase_add_test(tcase, l_16_nonce);
    tcase_add_test(tcase, l_17_sub_or_sid);
    tcase_add_test(tcase, l_18_times);
    tcase_add_test(tcase, l_18_without_exp_ten_minutes);
    tcase_add_test(tcase, l_19_jti);
    tcase_add_test(tcase, l_20_typ);
    tcase_add_test(tcase, an_id_token_is_none_and_the_other_way_round);
    tcase_add_test(tcase, l_22_the_form);
    tcase_add_test(tcase, l_09_l_19_the_flow);
    tcase_add_test(tcase, l_10_the_flow_refuses_with_400);
    tcase_add_test(tcase, j_02_the_flow_asks_for_newer_keys_once);
    tcase_add_test(tcase, the_flow_without_a_provider);
    tcase_add_test(tcase, l_09_answers);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration logout_token_registered("logout_token", logout_token_suite);
