// SPDX-License-Identifier: Apache-2.0
#include "oidc/shared_signals.hpp"

#include "flow_fixture.hpp"
#include "oidc/id_token.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/page.hpp"
#include "oidc/signal_flow.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kHeader = R"({"alg":"ES256","typ":"secevent+jwt","kid":"k1"})";
constexpr std::string_view kCaep = "https://schemas.openid.net/secevent/caep/event-type/";
constexpr std::string_view kRisc = "https://schemas.openid.net/secevent/risc/event-type/";
constexpr std::string_view kSsf = "https://schemas.openid.net/secevent/ssf/event-type/";
constexpr std::string_view kJohn =
    R"({"format":"iss_sub","iss":"https://op.example","sub":"john-id"})";

std::string events(std::string_view base, std::string_view name, std::string_view payload = "{}") {
    return "{\"" + std::string(base) + std::string(name) + "\":" + std::string(payload) + "}";
}

// A good token with one member set to `json`; empty: left out.
std::string payload(std::string_view name = {}, std::string_view json = {}) {
    std::string text = "{\"txn\":1";
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
    add("jti", "\"id-1\"");
    add("sub_id", kJohn);
    add("events", events(kCaep, "session-revoked", R"({"event_timestamp":1})"));
    if (!seen && !name.empty()) {
        add(name, json);
    }
    return text + "}";
}

std::string token(std::string_view claims, std::string_view header = kHeader) {
    return forge_token(header, claims, Alg::ES256, World::key());
}

Result<Signals> check(World& w, std::string_view compact, Seconds now = kNow) {
    const auto provider = w.provider();
    return validate_signal(compact, {&w.config, &provider->keys, provider->algs, now});
}

void assert_bad(std::string_view name, std::string_view json, Reason reason) {
    World w;
    const auto verdict = check(w, token(payload(name, json)));
    const std::string said = describe(verdict);
    ck_assert_msg(!verdict.ok() && verdict.error().reason == reason, "%s=%s is %s",
                  std::string(name).c_str(), std::string(json).c_str(), said.c_str());
}

// The only event of a token with this subject.
struct Outcome {
    SignalResult what{};
    std::vector<SessionOwner> owners;
    std::string detail;
};
Outcome of_subject(std::string_view subject, World& w) {
    auto said = check(w, token(payload("sub_id", subject)));
    ck_assert_msg(said.ok(), "%s is %s", std::string(subject).c_str(), describe(said).c_str());
    ck_assert_uint_eq(said->events.size(), 1);
    return {said->events[0].what, said->owners, said->events[0].detail};
}
void assert_whose(std::string_view subject, std::string_view sid, std::string_view sub) {
    World w;
    const Outcome outcome = of_subject(subject, w);
    ck_assert(outcome.what == SignalResult::ended);
    ck_assert_uint_eq(outcome.owners.size(), 1);
    ck_assert_sv_eq(outcome.owners[0].iss, "https://op.example");
    ck_assert_sv_eq(outcome.owners[0].sid, sid);
    ck_assert_sv_eq(outcome.owners[0].sub, sub);
}
void assert_nobody(std::string_view subject, std::string_view why) {
    World w;
    const Outcome outcome = of_subject(subject, w);
    ck_assert(outcome.what == SignalResult::unmatched);
    ck_assert_uint_eq(outcome.owners.size(), 0);
    ck_assert_sv_contains(outcome.detail, why);
}

std::string aliases(int count, std::string_view each = kJohn) {
    std::string text = R"({"format":"aliases","identifiers":[)";
    for (int i = 0; i < count; ++i) {
        text.append(i == 0 ? "" : ",").append(each);
    }
    return text + "]}";
}

std::string complex(std::string_view members) {
    return R"({"format":"complex",)" + std::string(members) + "}";
}

}  // namespace

START_TEST(l_42_a_good_token) {
    World w;
    const auto good = check(w, token(payload()));
    ck_assert_result_ok(good);
    ck_assert_sv_eq(good->iss, "https://op.example");
    ck_assert_sv_eq(good->jti, "id-1");
    ck_assert_int_eq(good->remember_until, kNow + 3600 + 60);
    ck_assert_uint_eq(good->events.size(), 1);
    ck_assert_sv_eq(good->events[0].type, std::string(kCaep) + "session-revoked");
    ck_assert(good->owners == std::vector<SessionOwner>({{"https://op.example", "", "john-id"}}));
}
END_TEST

START_TEST(l_43_event_types) {
    const auto what = [](const std::string& json) {
        World w;
        const auto said = check(w, token(payload("events", json)));
        ck_assert_result_ok(said);
        ck_assert_uint_eq(said->events.size(), 1);
        ck_assert((said->events[0].what == SignalResult::ended) == !said->owners.empty());
        return said->events[0].what;
    };
    for (const char* name : {"session-revoked", "credential-change"}) {
        ck_assert(what(events(kCaep, name)) == SignalResult::ended);
    }
    for (const char* name :
         {"account-disabled", "account-purged", "sessions-revoked", "credential-compromise"}) {
        ck_assert(what(events(kRisc, name)) == SignalResult::ended);
    }
    for (const char* name : {"verification", "stream-updated"}) {
        ck_assert(what(events(kSsf, name)) == SignalResult::stream);
    }
    // Types are compared byte for byte, and those of one profile are not another's.
    for (const std::string& json :
         {events(kCaep, "device-compliance-change"), events(kRisc, "account-enabled"),
          events(kRisc, "session-revoked"), events(kCaep, "account-disabled"),
          events(kCaep, "Session-Revoked"), events(kCaep, "session-revoked/"),
          events("", kBackchannelLogoutEvent), events("", "x")}) {
        ck_assert(what(json) == SignalResult::ignored);
    }
    World w;
    const auto paused = check(
        w, token(payload("events", events(kSsf, "stream-updated", R"({"status":"paused"})"))));
    ck_assert_result_ok(paused);
    ck_assert_sv_eq(paused->events[0].detail, "paused");
}
END_TEST

START_TEST(l_43_a_stream_has_a_subject_of_its_own) {
    // The id of the stream is nobody's sub.
    World w;
    std::string claims = payload("events", events(kSsf, "verification", R"({"state":"s"})"));
    claims.replace(claims.find(kJohn), kJohn.size(), R"({"format":"opaque","id":"stream-1"})");
    const auto said = check(w, token(claims));
    ck_assert_result_ok(said);
    ck_assert_uint_eq(said->owners.size(), 0);
    ck_assert_sv_eq(said->events[0].detail, "");
}
END_TEST

START_TEST(l_44_events_that_are_none) {
    for (const char* json : {"", "null", "{}", "[]", "\"x\"", "7"}) {
        assert_bad("events", json, Reason::signal_events);
    }
    for (const char* value : {"null", "[]", "\"x\"", "true"}) {
        assert_bad("events", events(kCaep, "session-revoked", value), Reason::signal_events);
        assert_bad("events", events("", "x", value), Reason::signal_events);
    }
    const auto many = [](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            text.append(i == 0 ? "{\"" : ",\"").append(std::to_string(i)).append("\":{}");
        }
        return text + "}";
    };
    assert_bad("events", many(kMaxSignalEvents + 1), Reason::signal_events);
    World w;
    const auto most = check(w, token(payload("events", many(kMaxSignalEvents))));
    ck_assert_result_ok(most);
    ck_assert_uint_eq(most->events.size(), kMaxSignalEvents);
    // Several events have one subject, and end its sessions once.
    std::string two = events(kCaep, "session-revoked");
    two.back() = ',';
    const auto both =
        check(w, token(payload("events", two + events(kRisc, "account-disabled").substr(1))));
    ck_assert_result_ok(both);
    ck_assert_uint_eq(both->events.size(), 2);
    ck_assert_uint_eq(both->owners.size(), 1);
}
END_TEST

START_TEST(l_45_who_is_found) {
    assert_whose(kJohn, "", "john-id");
    assert_whose(R"({"format":"opaque","id":"john-id"})", "", "john-id");
    assert_whose(complex("\"user\":" + std::string(kJohn)), "", "john-id");
    assert_whose(complex(R"("tenant":{"format":"opaque","id":"t"},"user":)" + std::string(kJohn)),
                 "", "john-id");
    assert_whose(
        complex(R"("session":{"format":"opaque","id":"sid-1"},"user":)" + std::string(kJohn)),
        "sid-1", "john-id");
    assert_whose(complex(R"("session":{"format":"opaque","id":"sid-1"})"), "sid-1", "");
    // Somebody whom we would not find alone.
    assert_whose(complex(R"("session":{"format":"opaque","id":"sid-1"},)"
                         R"("user":{"format":"email","email":"j@example.com"})"),
                 "sid-1", "");
    // A session that cannot be told is among all of the user's.
    assert_whose(complex(R"("session":{"format":"jwt_id","iss":"x","jti":"y"},"user":)" +
                         std::string(kJohn)),
                 "", "john-id");
    assert_whose(aliases(1), "", "john-id");
    assert_whose(aliases(kMaxSignalEvents), "", "john-id");
    assert_whose(complex("\"user\":" + aliases(2)), "", "john-id");
    assert_whose(R"({"format":"aliases","identifiers":[{"format":"email","email":"j@x.example"},)" +
                     std::string(kJohn) + "]}",
                 "", "john-id");
    World w;
    const Outcome two =
        of_subject(R"({"format":"aliases","identifiers":[{"format":"opaque","id":"j2"},)" +
                       std::string(kJohn) + "]}",
                   w);
    ck_assert_uint_eq(two.owners.size(), 2);
}
END_TEST

START_TEST(l_46_who_is_not_found) {
    assert_nobody(R"({"format":"iss_sub","iss":"https://evil.example","sub":"john-id"})",
                  "https://evil.example");
    assert_nobody(R"({"format":"iss_sub","iss":"https://op.example/","sub":"john-id"})",
                  "another issuer");
    for (const char* subject : {R"({"format":"email","email":"john@example.com"})",
                                R"({"format":"account","uri":"acct:john@example.com"})",
                                R"({"format":"phone_number","phone_number":"+12065550100"})",
                                R"({"format":"Iss_Sub","iss":"https://op.example","sub":"x"})",
                                R"({"format":"unheard"})"}) {
        assert_nobody(subject, "cannot be found");
    }
    // What is personal is not in the reason.
    World w;
    const Outcome mail = of_subject(R"({"format":"email","email":"john@example.com"})", w);
    ck_assert(mail.detail.find("john") == std::string::npos);
    assert_nobody(complex(R"("device":{"format":"opaque","id":"d"})"), "neither user nor session");
    assert_nobody(complex(R"("session":{"format":"jwt_id","iss":"x","jti":"y"})"),
                  "session of the format");
    assert_nobody(complex(R"("user":{"format":"email","email":"j@example.com"})"), "\"email\"");
    // Somebody of another issuer has no session here, whatever its id is.
    assert_nobody(complex(R"("session":{"format":"opaque","id":"sid-1"},"user":{"format":)"
                          R"("iss_sub","iss":"https://evil.example","sub":"john-id"})"),
                  "https://evil.example");
    // Nor where several names are given, all of them of another issuer.
    assert_nobody(
        complex(R"("session":{"format":"opaque","id":"sid-1"},"user":{"format":"aliases",)"
                R"("identifiers":[{"format":"iss_sub","iss":"https://other","sub":"x"}]})"),
        "another issuer");
    assert_nobody(aliases(2, R"({"format":"did","url":"did:example:1"})"), "\"did\"");
}
END_TEST

START_TEST(l_47_subjects_that_are_none) {
    for (const char* json : {"",
                             "null",
                             "7",
                             "\"john-id\"",
                             "[]",
                             "{}",
                             R"({"format":7})",
                             R"({"format":""})",
                             R"({"iss":"https://op.example","sub":"john-id"})",
                             R"({"format":"iss_sub","sub":"john-id"})",
                             R"({"format":"iss_sub","iss":"https://op.example"})",
                             R"({"format":"iss_sub","iss":"https://op.example","sub":""})",
                             R"({"format":"iss_sub","iss":"https://op.example","sub":7})",
                             R"({"format":"iss_sub","iss":"https://op.example","sub":" john-id"})",
                             R"({"format":"iss_sub","iss":["https://op.example"],"sub":"john-id"})",
                             R"({"format":"opaque"})",
                             R"({"format":"opaque","id":""})",
                             R"({"format":"opaque","id":"a\nb"})",
                             R"({"format":"aliases"})",
                             R"({"format":"aliases","identifiers":{}})",
                             R"({"format":"aliases","identifiers":[7]})",
                             R"({"format":"complex","user":7})",
                             R"({"format":"complex","user":null})",
                             R"({"format":"complex","session":{"format":"opaque"}})",
                             R"({"format":"complex","session":{"id":"sid-1"}})"}) {
        assert_bad("sub_id", json, Reason::signal_subject);
    }
    assert_bad("sub_id", R"({"format":"opaque","id":")" + std::string(256, 'a') + "\"}",
               Reason::signal_subject);
    assert_bad("sub_id", aliases(0), Reason::signal_subject);
    assert_bad("sub_id", aliases(kMaxSignalEvents + 1), Reason::signal_subject);
    assert_bad("sub_id", aliases(1, aliases(1)), Reason::signal_subject);
    assert_bad("sub_id", complex("\"user\":" + complex("\"user\":" + std::string(kJohn))),
               Reason::signal_subject);
    std::string deep = "{}";
    for (int i = 0; i < 40; ++i) {
        deep = R"({"format":"complex","user":)" + deep + "}";
    }
    assert_bad("sub_id", deep, Reason::jwt_malformed);
}
END_TEST

START_TEST(l_48_where_drafts_had_the_subject) {
    World w;
    const auto with = [&w](std::string_view top, std::string_view inside) {
        std::string claims = payload("sub_id", top);
        const std::string_view before = R"({"event_timestamp":1})";
        claims.replace(claims.find(before), before.size(),
                       inside.empty() ? "{}" : "{\"subject\":" + std::string(inside) + "}");
        return check(w, token(claims));
    };
    for (const std::string_view top : {std::string_view(), kJohn}) {
        const auto good = with(top, kJohn);
        ck_assert_result_ok(good);
        ck_assert_sv_eq(good->owners.at(0).sub, "john-id");
    }
    // Members in another order are the same subject.
    const auto order =
        with(kJohn, R"({"sub":"john-id","iss":"https://op.example","format":"iss_sub"})");
    ck_assert_result_ok(order);
    const std::string_view other =
        R"({"format":"iss_sub","iss":"https://op.example","sub":"jane-id"})";
    for (const std::string_view inside :
         {other, std::string_view("null"), std::string_view("{}")}) {
        const auto differ = with(kJohn, inside);
        ck_assert_result_is(differ, Reason::signal_subject);
    }
    const auto neither = with("", "");
    ck_assert_result_is(neither, Reason::signal_subject);
}
END_TEST

START_TEST(l_49_sub_and_exp_must_be_absent) {
    for (const char* json : {"\"john-id\"", "\"\"", "null", "7"}) {
        assert_bad("sub", json, Reason::signal_subject);
    }
    for (const std::string& json :
         {std::to_string(kNow + 60), std::string("null"), std::string("\"x\"")}) {
        assert_bad("exp", json, Reason::signal_exp);
    }
}
END_TEST

START_TEST(l_50_unsigned_and_symmetric) {
    World w;
    const std::string none =
        b64(R"({"alg":"none","typ":"secevent+jwt"})") + "." + b64(payload()) + ".";
    const auto no_signature = check(w, none);
    ck_assert_result_is(no_signature, Reason::jwt_alg);
    w.config.client_secret = Secret(std::string(32, 's'));
    const auto hs = [](std::string_view claims) {
        return forge_hs_token(R"({"alg":"HS256","typ":"secevent+jwt"})", claims, Alg::HS256,
                              std::string(32, 's'));
    };
    const auto symmetric = check(w, hs(payload()));
    ck_assert_result_is(symmetric, Reason::jwt_alg);
    // Where it is configured for ID tokens, it holds here as well, for one client.
    w.config.id_token_algs = {Alg::HS256};
    const auto configured = check(w, hs(payload()));
    ck_assert_result_ok(configured);
    const auto several = check(w, hs(payload("aud", R"(["espocrm","b"])")));
    ck_assert_result_is(several, Reason::signal_aud);
    World plain;
    std::string forged = token(payload());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    const auto bad = check(plain, forged);
    ck_assert_result_is(bad, Reason::jwt_signature);
    plain.config.id_token_algs = {Alg::RS256};
    const auto other = check(plain, token(payload()));
    ck_assert_result_is(other, Reason::jwt_alg);
}
END_TEST

START_TEST(l_51_typ_is_demanded) {
    World w;
    const auto with = [&w](std::string_view typ) {
        return check(w, token(payload(), R"({"alg":"ES256","kid":"k1")" + std::string(typ) + "}"));
    };
    for (const char* typ : {R"(,"typ":"secevent+jwt")", R"(,"typ":"SecEvent+JWT")",
                            R"(,"typ":"application/secevent+jwt")"}) {
        const auto good = with(typ);
        ck_assert_result_ok(good);
    }
    for (const char* typ : {"", R"(,"typ":"JWT")", R"(,"typ":"logout+jwt")", R"(,"typ":"at+jwt")",
                            R"(,"typ":"")", R"(,"typ":null)", R"(,"typ":7)"}) {
        const auto bad = with(typ);
        ck_assert_result_is(bad, Reason::jwt_typ);
    }
}
END_TEST

START_TEST(l_51_no_token_of_another_kind) {
    World w;
    const auto provider = w.provider();
    const PostedTokenExpectation posted{&w.config, &provider->keys, provider->algs, kNow};
    const auto logout = validate_logout_token(token(payload()), posted);
    ck_assert_result_is(logout, Reason::jwt_typ);
    IdTokenExpectation expected;
    expected.provider = &w.config;
    expected.keys = &provider->keys;
    expected.algs = provider->algs;
    expected.nonce = "the-nonce";
    expected.now = kNow;
    const auto id_token = validate_id_token(token(payload()), expected);
    ck_assert_result_is(id_token, Reason::jwt_typ);
    const auto other = check(w, w.id_token());
    ck_assert_result_is(other, Reason::jwt_typ);
}
END_TEST

START_TEST(l_52_audience) {
    for (const char* json : {"", "null", "\"another\"", R"(["a","b"])", "[]", "7",
                             R"([["espocrm"]])", "\"Espocrm\""}) {
        assert_bad("aud", json, Reason::signal_aud);
    }
    World w;
    // Other recipients of the same stream are none of our business.
    const auto several = check(w, token(payload("aud", R"(["b","espocrm"])")));
    ck_assert_result_ok(several);
    w.config.signals.audience = {"https://crm.example/signals", "x"};
    for (const char* json : {"\"https://crm.example/signals\"", R"(["b","x"])"}) {
        const auto named = check(w, token(payload("aud", json)));
        ck_assert_result_ok(named);
    }
    // It stands in the place of the client_id.
    const auto client = check(w, token(payload()));
    ck_assert_result_is(client, Reason::signal_aud);
}
END_TEST

START_TEST(l_53_issuer) {
    for (const char* json : {"", "null", "\"\"", "7", "\"https://evil.example\"",
                             "\"https://op.example/\"", R"(["https://op.example"])"}) {
        assert_bad("iss", json, Reason::signal_iss);
    }
}
END_TEST

START_TEST(l_54_an_issuer_of_its_own) {
    World w;
    w.config.signals.issuer = "https://op.example/";
    const auto issuers = [&w](std::string_view iss, std::string_view subject) {
        std::string claims = payload("sub_id", subject);
        const std::string_view usual = "\"iss\":\"https://op.example\",\"aud\"";
        const std::string used = "\"iss\":\"" + std::string(iss) + "\",\"aud\"";
        claims.replace(claims.find(usual), usual.size(), used);
        return check(w, token(claims));
    };
    const auto wrong = issuers("https://op.example", kJohn);
    ck_assert_result_is(wrong, Reason::signal_iss);
    // The same but for the slash: both spellings, and bare identifiers, are the provider's.
    const std::vector<SessionOwner> john{{"https://op.example", "", "john-id"}};
    for (const std::string_view subject :
         {kJohn,
          std::string_view(R"({"format":"iss_sub","iss":"https://op.example/","sub":"john-id"})"),
          std::string_view(R"({"format":"opaque","id":"john-id"})")}) {
        const auto same = issuers("https://op.example/", subject);
        ck_assert_result_ok(same);
        ck_assert(same->owners == john);
    }
    // Another one may speak of the provider's users, but not as if they were its own.
    w.config.signals.issuer = "https://signals.example";
    const auto ours = issuers("https://signals.example", kJohn);
    ck_assert_result_ok(ours);
    ck_assert(ours->owners == john);
    const std::string sid = complex(R"("session":{"format":"opaque","id":"sid-1"})");
    for (const std::string_view subject :
         {std::string_view(R"({"format":"opaque","id":"john-id"})"), std::string_view(sid),
          std::string_view(
              R"({"format":"iss_sub","iss":"https://signals.example","sub":"john-id"})")}) {
        const auto theirs = issuers("https://signals.example", subject);
        ck_assert_result_ok(theirs);
        ck_assert_uint_eq(theirs->owners.size(), 0);
        ck_assert(theirs->events[0].what == SignalResult::unmatched);
    }
}
END_TEST

START_TEST(l_55_times) {
    const auto at = [](Seconds offset) { return std::to_string(kNow + offset); };
    assert_bad("iat", "", Reason::signal_iat);
    assert_bad("iat", "null", Reason::signal_iat);
    assert_bad("iat", "\"" + at(0) + "\"", Reason::signal_iat);
    assert_bad("iat", "1e300", Reason::signal_iat);
    assert_bad("iat", at(61), Reason::signal_iat);
    assert_bad("iat", at(-3600 - 60), Reason::signal_iat);
    assert_bad("nbf", at(61), Reason::signal_iat);
    assert_bad("nbf", "\"x\"", Reason::signal_iat);
    for (const Seconds offset : {Seconds{60}, Seconds{0}, Seconds{-3600 - 59}}) {
        World w;
        const auto good = check(w, token(payload("iat", at(offset))));
        ck_assert_result_ok(good);
        // It is remembered for as long as it would be accepted.
        const auto last = check(w, token(payload("iat", at(offset))), good->remember_until - 1);
        ck_assert_result_ok(last);
        const auto over = check(w, token(payload("iat", at(offset))), good->remember_until);
        ck_assert_result_is(over, Reason::signal_iat);
    }
}
END_TEST

START_TEST(l_56_jti) {
    for (const char* json : {"", "null", "\"\"", "7", "{}"}) {
        assert_bad("jti", json, Reason::signal_jti);
    }
}
END_TEST

START_TEST(l_57_who_sends) {
    const Secret token("0123456789abcdef");
    for (const char* header : {"Bearer 0123456789abcdef", "bearer 0123456789abcdef",
                               "BEARER  0123456789abcdef ", " Bearer\t0123456789abcdef"}) {
        const Status good = check_signal_bearer(header, token);
        ck_assert_result_ok(good);
    }
    for (const char* header :
         {"", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef",
          "Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Bearer 0123456789abcdeff",
          "Bearer0123456789abcdef", "Bearer 0123456789abcdef,", "Bearer 0123456789abcdef x",
          "DPoP 0123456789abcdef"}) {
        const Status bad = check_signal_bearer(header, token);
        ck_assert_result_is(bad, Reason::signal_bearer);
        ck_assert(bad.error().detail.find("0123") == std::string::npos);
    }
    // Nothing is not the same as nothing.
    const Status none = check_signal_bearer("Bearer ", Secret());
    ck_assert_result_is(none, Reason::signal_bearer);
    ck_assert_sv_eq(why_no_signal_token("0123456789abcdef"), "");
    ck_assert_sv_eq(why_no_signal_token("A-z_~+/.0123456789=="), "");
    for (const std::string& bad :
         {std::string(), std::string("0123456789abcde"), std::string("0123456789 abcdef"),
          std::string("0123456789abcdef\n"), std::string("0123=56789abcdef"), std::string(16, '='),
          std::string(4097, 'a')}) {
        ck_assert(!why_no_signal_token(bad).empty());
    }
}
END_TEST

START_TEST(l_58_the_body) {
    for (const char* type : {"application/secevent+jwt", "Application/SecEvent+JWT",
                             "application/secevent+jwt; charset=utf-8"}) {
        const auto good = parse_signal(type, "a.b.c");
        ck_assert_result_ok(good);
        ck_assert_sv_eq(*good, "a.b.c");
    }
    for (const char* type : {"", "application/jwt", "application/json", "text/plain",
                             "application/x-www-form-urlencoded", "application/secevent+jwt2"}) {
        const auto bad = parse_signal(type, "a.b.c");
        ck_assert_result_is(bad, Reason::signal_malformed);
    }
    const auto empty = parse_signal(kSignalType, "");
    ck_assert_result_is(empty, Reason::signal_malformed);
    const auto most = parse_signal(kSignalType, std::string(kMaxSignal, 'a'));
    ck_assert_result_ok(most);
    const auto huge = parse_signal(kSignalType, std::string(kMaxSignal + 1, 'a'));
    ck_assert_result_is(huge, Reason::signal_too_large);
}
END_TEST

// ---- SignalFlow ------------------------------------------------------------------------------

namespace {

Step run(World& w, std::string compact) {
    SignalFlow flow(w.config, w.fake.ports(), std::move(compact));
    Step first = flow.start();
    ck_assert_uint_eq(expect<NeedProvider>(first).newer_than, 0);
    Step step = flow.resume(ProviderReady(w.provider()));
    if (std::holds_alternative<NeedProvider>(step)) {
        step = flow.resume(ProviderReady(w.provider()));  // nothing newer
    }
    return step;
}

}  // namespace

START_TEST(l_42_l_56_the_flow) {
    World w;
    Step step = run(w, token(payload()));
    const HeardSignals heard = expect<HeardSignals>(step);
    ck_assert_sv_eq(step_name(step), "HeardSignals");
    ck_assert_uint_eq(heard.owners.size(), 1);
    ck_assert_uint_eq(heard.events.size(), 1);
    ck_assert_int_eq(heard.remember_until, kNow + 3660);
    Step again = run(w, token(payload("sub_id", R"({"format":"opaque","id":"x"})")));
    ck_assert(expect<HeardSignals>(again).jti_digest == heard.jti_digest);
    Step other = run(w, token(payload("jti", "\"id-2\"")));
    ck_assert(expect<HeardSignals>(other).jti_digest != heard.jti_digest);
    World another_client;
    another_client.config.client_id = "other";
    Step theirs = run(another_client, token(payload("aud", "\"other\"")));
    ck_assert(expect<HeardSignals>(theirs).jti_digest != heard.jti_digest);
}
END_TEST

START_TEST(l_50_l_51_the_flow_refuses_with_400) {
    World w;
    const auto refused = [&](std::string compact) {
        Step step = run(w, std::move(compact));
        const Error error = expect<Refuse>(step).error;
        ck_assert_int_eq(reason_info(error.reason).status, 400);
        return error.reason;
    };
    ck_assert(refused("x") == Reason::signal_malformed);
    ck_assert(refused("a.b.c.d.e") == Reason::signal_malformed);
    ck_assert(refused(token(payload()) + "\n") == Reason::signal_malformed);
    ck_assert(refused(token(payload(), R"({"alg":"ES256","kid":"k1","crit":["x"]})")) ==
              Reason::signal_malformed);
    ck_assert(refused(token(payload(), R"({"alg":"ES384","kid":"k1","typ":"secevent+jwt"})")) ==
              Reason::signal_alg);
    ck_assert(refused(token(payload(), R"({"alg":"ES256","kid":"k1"})")) == Reason::signal_typ);
    ck_assert(refused(token(payload(), R"({"alg":"ES256","kid":"k9","typ":"secevent+jwt"})")) ==
              Reason::signal_signature);
    std::string forged = token(payload());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    ck_assert(refused(forged) == Reason::signal_signature);
    ck_assert(refused(token(payload("iss", "\"x\""))) == Reason::signal_iss);
}
END_TEST

START_TEST(j_02_the_flow_asks_for_newer_keys_once) {
    World w;
    const std::string compact =
        token(payload(), R"({"alg":"ES256","kid":"k2","typ":"secevent+jwt"})");
    SignalFlow flow(w.config, w.fake.ports(), compact);
    (void)flow.start();
    Step need = flow.resume(ProviderReady(w.provider()));
    ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, 3);
    ck_assert(std::get<NeedProvider>(need).cause == NeedProvider::Cause::outsider);
    World newer;
    newer.kid = "k2";
    Step holds = flow.resume(ProviderReady(newer.provider()));
    (void)expect<HeardSignals>(holds);
    SignalFlow down(w.config, w.fake.ports(), compact);
    (void)down.start();
    Step refused = down.resume(fail(Reason::metadata_unavailable, "down"));
    ck_assert(expect<Refuse>(refused).error.reason == Reason::metadata_unavailable);
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

START_TEST(l_42_answers) {
    const Respond good = signal_page();
    ck_assert_int_eq(good.status, 202);
    ck_assert_sv_eq(good.body, "");
    ck_assert_sv_eq(header(good, "Cache-Control"), "no-store");
    struct {
        Reason reason;
        std::string_view err;
    } const rows[] = {{Reason::signal_bearer, "authentication_failed"},
                      {Reason::signal_alg, "invalid_key"},
                      {Reason::signal_signature, "invalid_key"},
                      {Reason::signal_iss, "invalid_issuer"},
                      {Reason::signal_aud, "invalid_audience"},
                      {Reason::signal_subject, "invalid_request"},
                      {Reason::signal_malformed, "invalid_request"}};
    for (const auto& row : rows) {
        const Respond bad = signal_refusal(fail(row.reason, "aud \"<evil>\"", "x"));
        ck_assert_int_eq(bad.status, 400);
        ck_assert_sv_eq(bad.body, "{\"err\":\"" + std::string(row.err) + "\",\"description\":\"" +
                                      std::string(reason_info(row.reason).title) + "\"}\n");
        ck_assert_sv_eq(header(bad, "Content-Type"), "application/json");
        ck_assert_sv_eq(header(bad, "Content-Language"), "en");
        ck_assert_sv_eq(header(bad, "Cache-Control"), "no-store");
    }
    const Respond down = signal_refusal(fail(Reason::store_unavailable, "x"));
    ck_assert_int_eq(down.status, 503);
    ck_assert_sv_eq(down.body, "");
    ck_assert_sv_eq(header(down, "Retry-After"), "10");
}
END_TEST

static Suite* shared_signals_suite() {
    Suite* suite = suite_create("shared_signals");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, l_42_a_good_token);
    tcase_add_test(tcase, l_43_event_types);
    tcase_add_test(tcase, l_43_a_stream_has_a_subject_of_its_own);
    tcase_add_test(tcase, l_44_events_that_are_none);
    tcase_add_test(tcase, l_45_who_is_found);
    tcase_add_test(tcase, l_46_who_is_not_found);
    tcase_add_test(tcase, l_47_subjects_that_are_none);
    tcase_add_test(tcase, l_48_where_drafts_had_the_subject);
    tcase_add_test(tcase, l_49_sub_and_exp_must_be_absent);
    tcase_add_test(tcase, l_50_unsigned_and_symmetric);
    tcase_add_test(tcase, l_51_typ_is_demanded);
    tcase_add_test(tcase, l_51_no_token_of_another_kind);
    tcase_add_test(tcase, l_52_audience);
    tcase_add_test(tcase, l_53_issuer);
    tcase_add_test(tcase, l_54_an_issuer_of_its_own);
    tcase_add_test(tcase, l_55_times);
    tcase_add_test(tcase, l_56_jti);
    tcase_add_test(tcase, l_57_who_sends);
    tcase_add_test(tcase, l_58_the_body);
    tcase_add_test(tcase, l_42_l_56_the_flow);
    tcase_add_test(tcase, l_50_l_51_the_flow_refuses_with_400);
    tcase_add_test(tcase, j_02_the_flow_asks_for_newer_keys_once);
    tcase_add_test(tcase, l_42_answers);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration shared_signals_registered("shared_signals", shared_signals_suite);
