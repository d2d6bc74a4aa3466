// SPDX-License-Identifier: Apache-2.0
#include "oidc/introspection.hpp"

#include <algorithm>
#include <set>

#include "flow_fixture.hpp"
#include "oidc/introspection_flow.hpp"
#include "oidc/session.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kThumbprint = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct Asking : World {
    std::unique_ptr<IntrospectionFlow> flow;

    Asking() {
        config.introspection = true;
        metadata.introspection_endpoint = "https://op.example/introspect";
        fake.clock.set(kNow);
    }
    [[nodiscard]] ProviderReady ready() const { return state(); }
    [[nodiscard]] std::shared_ptr<ProviderState> state() const {
        auto made = std::const_pointer_cast<ProviderState>(provider());
        made->introspection_algs = {Alg::ES256};
        return made;
    }
    Step ask(std::string_view token = "opaque-1") {
        flow = std::make_unique<IntrospectionFlow>(config, fake.ports(), token);
        Step first = flow->start();
        ck_assert_uint_eq(expect<NeedProvider>(first).newer_than, 0);
        return flow->resume(ready());
    }
    HttpRequest asked() {
        Step step = ask();
        return std::move(expect<Fetch>(step).request);
    }
    Step answered(HttpResponse response) {
        Step step = ask();
        (void)expect<Fetch>(step);
        return flow->resume(std::move(response));
    }
    Step answered(std::string_view body) { return answered(json_response(body)); }
    void refused(HttpResponse response, Reason reason, std::string_view detail = {}) {
        Step step = answered(std::move(response));
        if (std::holds_alternative<NeedProvider>(step)) {
            step = flow->resume(ready());
        }
        const Error& error = expect<Refuse>(step).error;
        ck_assert_msg(error.reason == reason, "%s: %s",
                      std::string(reason_info(error.reason).code).c_str(), error.detail.c_str());
        ck_assert_sv_contains(error.detail, detail);
    }
    void refused(std::string_view body, Reason reason, std::string_view detail = {}) {
        refused(json_response(body), reason, detail);
    }
    HttpResponse sign(std::string_view claims, std::string_view header = {},
                      const ForgeKey& by = World::key()) {
        const std::string plain =
            R"({"alg":"ES256","typ":"token-introspection+jwt","kid":")" + kid + "\"}";
        HttpResponse response = json_response(
            forge_token(header.empty() ? std::string_view(plain) : header, claims, Alg::ES256, by));
        response.content_type = "application/token-introspection+jwt";
        return response;
    }
};

// An active answer, `more` with a leading comma.
std::string active(std::string_view more = {}) {
    return R"({"active":true,"sub":"john-id","preferred_username":"john","client_id":"phone")" +
           std::string(more) + "}";
}

std::string outer(std::string_view answer, std::string_view iss = "https://op.example",
                  std::string_view aud = R"("espocrm")", Seconds iat = kNow) {
    return R"({"iss":")" + std::string(iss) + R"(","aud":)" + std::string(aud) + R"(,"iat":)" +
           std::to_string(iat) + R"(,"token_introspection":)" + std::string(answer) + "}";
}

std::string at(const char* name, Seconds when) {
    return std::string(",\"") + name + "\":" + std::to_string(when);
}

}  // namespace

START_TEST(keys_are_of_token_provider_and_client) {
    Asking w;
    const Digest key = introspection_key(w.config, "t");
    ck_assert(key == introspection_key(w.config, "t"));
    ck_assert(key != introspection_key(w.config, "u"));
    for (std::string* field : {&w.config.name, &w.config.issuer, &w.config.client_id}) {
        *field += "x";
        ck_assert(key != introspection_key(w.config, "t"));
        field->pop_back();
    }
    // And of what becomes of an answer.
    std::set<Digest> keys{key};
    const auto other = [&] { ck_assert(keys.insert(introspection_key(w.config, "t")).second); };
    w.config.username_claim = {"sub"};
    other();
    w.config.username_claim = {"s", "ub"};
    other();
    w.config.claim_paths = {{"a", "b"}};
    other();
    w.config.claim_paths = {{"a"}, {"b"}};
    other();
    w.config.keep_access_token = true;
    other();
    w.config.introspection_signed = true;
    other();
    w.config.keep_access_token = false;
    other();
}
END_TEST

START_TEST(the_request) {
    Asking w;
    HttpRequest r = w.asked();
    ck_assert(r.method == HttpRequest::Method::post);
    ck_assert_sv_eq(r.url, "https://op.example/introspect");
    ck_assert_sv_eq(r.endpoint, "introspection_endpoint");
    ck_assert_sv_eq(r.body.view(), "token=opaque-1&token_type_hint=access_token");
    ck_assert_sv_contains(r.authorization.view(), "Basic ");
    ck_assert_sv_eq(r.headers.front().value, "application/json");
    ck_assert_uint_eq(r.max_response, kMaxIntrospection);
    w.config.introspection_signed = true;
    ck_assert_sv_eq(w.asked().headers.front().value, "application/token-introspection+jwt");
}
END_TEST

START_TEST(the_client_is_authenticated_as_the_metadata_say) {
    Asking w;
    w.config.client_secret = Secret("the-client-secret-of-thirty-two-characters");
    Metadata said;
    const auto chosen = [&](std::vector<std::string> methods) {
        said.introspection_auth_methods = std::move(methods);
        return choose_introspection_auth(w.config, said, ClientAuth::basic);
    };
    ck_assert(chosen({}) == ClientAuth::basic);
    ck_assert(chosen({"client_secret_post"}) == ClientAuth::post);
    ck_assert(chosen({"client_secret_jwt"}) == ClientAuth::secret_jwt);
    ck_assert(chosen({"private_key_jwt"}) == ClientAuth::basic);  // which it cannot do
    w.config.client_auth = ClientAuth::basic;
    ck_assert(chosen({"client_secret_post"}) == ClientAuth::basic);

    w.config.client_auth = ClientAuth::automatic;
    const auto state = w.state();
    state->introspection_auth = ClientAuth::post;
    Question question(w.config, "t&=");
    const auto request = question.begin(state, w.fake.ports());
    ck_assert_result_ok(request);
    ck_assert(request->authorization.empty());
    ck_assert_sv_eq(request->body.view(),
                    "token=t%26%3D&token_type_hint=access_token&client_id=espocrm&client_secret="
                    "the-client-secret-of-thirty-two-characters");
    state->introspection_auth = ClientAuth::none;
    ck_assert_result_is(question.begin(state, w.fake.ports()), Reason::introspection_unavailable);
}
END_TEST

START_TEST(metadata_are_read_with_introspection_only) {
    const auto parsed = [](std::string_view more, bool on) {
        ProviderConfig config;
        config.issuer = "https://op.example";
        config.client_id = "espocrm";
        config.introspection = on;
        const std::string text =
            R"({"issuer":"https://op.example","authorization_endpoint":"https://op.example/a",)"
            R"("token_endpoint":"https://op.example/t","jwks_uri":"https://op.example/k")" +
            std::string(more) + "}";
        const std::string_view document = text;
        return parse_metadata(&document, config);
    };
    constexpr const char* kGood =
        R"(,"introspection_endpoint":"https://op.example/i",)"
        R"("introspection_endpoint_auth_methods_supported":["client_secret_post"],)"
        R"("introspection_signing_alg_values_supported":["PS256"])";
    const auto used = parsed(kGood, true);
    ck_assert_result_ok(used);
    ck_assert_sv_eq(used->introspection_endpoint, "https://op.example/i");
    ck_assert_uint_eq(used->introspection_auth_methods.size(), 1);
    ck_assert_uint_eq(used->introspection_signing_algs.size(), 1);
    ck_assert_sv_eq(parsed(kGood, false)->introspection_endpoint, "");
    const auto bad = parsed(R"(,"introspection_endpoint":"ftp://x")", true);
    ck_assert_result_is(bad, Reason::metadata_invalid);
    ck_assert_sv_eq(bad.error().fix, "introspection_endpoint");
    ck_assert_result_ok(parsed(R"(,"introspection_endpoint":"ftp://x")", false));
    ck_assert_result_ok(parsed("", true));  // people go on signing in
}
END_TEST

START_TEST(an_active_token_becomes_a_record) {
    Asking w;
    Step step =
        w.answered(active(at("exp", kNow + 300) + at("iat", kNow - 5) +
                          R"(,"scope":"openid api","aud":["espocrm","x"],"token_type":"Bearer",)"
                          R"("iss":"https://op.example","groups":["a","b,c"],"cnf":{"jkt":")" +
                          std::string(kThumbprint) + "\"}"));
    auto& done = expect<Introspected>(step);
    ck_assert_int_eq(done.token.exp, kNow + 300);
    ck_assert_sv_eq(done.sub, "john-id");
    const auto view = SessionView::open(done.token.record.view());
    ck_assert(view.has_value());
    ck_assert_sv_eq(view->provider(), "op");
    ck_assert_sv_eq(view->sub(), "john-id");
    ck_assert_sv_eq(view->username(), "john");
    ck_assert_sv_eq(view->scope(), "openid api");
    ck_assert_int_eq(view->access_expires(), kNow + 300);
    ck_assert_int_eq(view->created(), kNow - 5);
    ck_assert_sv_eq(*view->claim("groups"), "a,b%2Cc");
    ck_assert_sv_eq(*view->claim("aud"), "espocrm,x");
    ck_assert_sv_eq(*view->claim("client_id"), "phone");
    ck_assert_sv_contains(*view->claim("cnf"), kThumbprint);
    ck_assert(!view->claim("active"));
    ck_assert(view->access_token().empty());
    ck_assert_uint_eq(done.token.audiences.size(), 2);
    // All of it is in the record.
    const auto again = open_token_record(done.token.record.view());
    ck_assert(again.has_value());
    ck_assert(again->audiences == done.token.audiences);
    ck_assert_sv_eq(again->binding.jkt, kThumbprint);
    ck_assert_sv_eq(again->binding.x5t, "");
    ck_assert_int_eq(again->exp, kNow + 300);
    ck_assert(!open_token_record("what is none"));
}
END_TEST

START_TEST(little_is_enough) {
    Asking w;
    Step step = w.answered(R"({"active":true,"sub":"john-id"})");
    auto& done = expect<Introspected>(step);
    ck_assert_int_eq(done.token.exp, 0);
    ck_assert_sv_eq(SessionView::open(done.token.record.view())->username(), "john-id");
    for (const char* more :
         {R"(,"token_type":"bearer")", R"(,"token_type":"BEARER")", R"(,"token_type":"")",
          R"(,"token_type":"access_token")", R"(,"typ":"Bearer")", R"(,"typ":"DPoP")"}) {
        Step typed = w.answered(active(more));
        (void)expect<Introspected>(typed);
    }
    Step use = w.answered(active(R"(,"token_use":"access_token")"));
    (void)expect<Introspected>(use);
    Step late = w.answered(active(at("exp", kNow - 59)));  // within clock_skew
    (void)expect<Introspected>(late);
}
END_TEST

START_TEST(k_29_whom_a_token_is_for) {
    Asking w;
    const auto audiences = [&w](std::string_view body) {
        Step step = w.answered(body);
        const AccessTokenRecord& token = expect<Introspected>(step).token;
        const auto again = open_token_record(token.record.view());
        ck_assert(again && again->audiences == token.audiences);
        return token.audiences;
    };
    using List = std::vector<std::string>;
    ck_assert(audiences(active(R"(,"aud":"a,b")")) == List{"a,b"});
    ck_assert(audiences(active(R"(,"aud":["a,b","c"])")) == (List{"a,b", "c"}));
    // Nobody said: it is for the client that has it, and for nobody else.
    ck_assert(audiences(active()) == List{"phone"});
    // Somebody did, and named nobody.
    w.refused(active(R"(,"aud":null)"), Reason::access_token_aud, "nobody");
    w.refused(active(R"(,"aud":[])"), Reason::access_token_aud, "nobody");
    // Control bytes keep a claim out of headers, not out of the record.
    ck_assert(audiences(active(R"(,"aud":"a\nb")")) == List{"a\nb"});
    ck_assert(audiences(active(R"(,"aud":"")")) == List{""});
    ck_assert(audiences(R"({"active":true,"sub":"john"})").empty());
}
END_TEST

// Asked anew, not without its binding or for the client.
START_TEST(a_kept_record_that_says_nothing_is_none) {
    const auto opened = [](const char* name, std::string_view text, std::string_view json) {
        Session session;
        session.sub = "john-id";
        session.username = "john";
        session.provider = "op";
        for (const char* claim : {"client_id", name}) {
            Claim made;
            made.name = claim;
            made.text = claim == name ? text : "phone";
            made.json = claim == name ? json : "";
            session.claims.push_back(std::move(made));
        }
        std::sort(session.claims.begin(), session.claims.end(),
                  [](const Claim& a, const Claim& b) { return a.name < b.name; });
        const auto record = encode_session(session);
        ck_assert_result_ok(record);
        return open_token_record(record->view()).has_value();
    };
    const std::string cnf = R"({"jkt":")" + std::string(kThumbprint) + "\"}";
    ck_assert(opened("cnf", cnf, cnf));
    ck_assert(opened("aud", "a", ""));
    ck_assert(opened("aud", "a,b", R"(["a","b"])"));
    for (const char* json : {"", "{}", "[]", "null", "7", R"({"kid":"x"})", R"({"jkt":7})", "{"}) {
        ck_assert_msg(!opened("cnf", json, json), "%s", json);
    }
    for (const char* json : {"{}", "[]", "null", "7", "[7]", R"(["a",7])", "["}) {
        ck_assert_msg(!opened("aud", json, json), "%s", json);
    }
}
END_TEST

START_TEST(k_20_only_true_is_true) {
    Asking w;
    w.refused(R"({"active":false})", Reason::token_not_active, "says that it is not active");
    w.refused(R"({"active":false,"sub":"john-id","exp":9999999999})", Reason::token_not_active);
    for (const char* value : {"\"true\"", "1", "null", "[true]", "{}", "\"\"", "0"}) {
        w.refused(std::string(R"({"sub":"john-id","active":)") + value + "}",
                  Reason::introspection_malformed, "\"active\" is");
    }
    w.refused("{}", Reason::introspection_malformed, "\"active\" is missing");
    w.refused(R"({"active":true,"active":false,"sub":"x"})", Reason::introspection_malformed);
}
END_TEST

START_TEST(k_21_what_the_provider_calls_active_and_is_not) {
    Asking w;
    for (const char* iss :
         {R"("https://evil.example")", R"("https://op.example/")", R"("")", "null"}) {
        w.refused(active(std::string(",\"iss\":") + iss), Reason::access_token_iss);
    }
    w.refused(active(at("exp", kNow - 60)), Reason::access_token_exp, "exp");
    w.refused(active(at("exp", 0)), Reason::access_token_exp, "exp");
    w.refused(active(at("nbf", kNow + 61)), Reason::access_token_iat, "nbf");
    w.refused(active(at("iat", kNow + 61)), Reason::access_token_iat, "iat");
    for (const char* type : {"refresh_token", "N_A", "mac", "id_token"}) {
        w.refused(active(std::string(R"(,"token_type":")") + type + "\""), Reason::token_not_active,
                  "token_type");
    }
    w.refused(active(R"(,"token_use":"refresh_token")"), Reason::token_not_active, "token_use");
    for (const char* type :
         {"ID", "id", "Refresh", "Offline", "Logout", "LOGOUT", "refresh_token"}) {
        w.refused(active(std::string(R"(,"typ":")") + type + "\""), Reason::access_token_typ, type);
    }
    for (const char* name : {"nonce", "at_hash", "c_hash", "events"}) {
        w.refused(active(std::string(",\"") + name + R"(":"x")"), Reason::access_token_typ, name);
    }
    // Bound, and nobody says to what.
    const std::string x5t = R"("x5t#S256":")" + std::string(kThumbprint) + "\"";
    const std::string jkt = R"("jkt":")" + std::string(kThumbprint) + "\"";
    for (const char* type : {"DPoP", "dpop", "DPOP"}) {
        const std::string typed = R"(,"token_type":")" + std::string(type) + "\"";
        w.refused(active(typed), Reason::access_token_binding, "DPoP");
        w.refused(active(typed + R"(,"cnf":{)" + x5t + "}"), Reason::access_token_binding, "DPoP");
        Step good = w.answered(active(typed + R"(,"cnf":{)" + jkt + "}"));
        ck_assert_sv_eq(expect<Introspected>(good).token.binding.jkt, kThumbprint);
    }
    w.refused(R"({"active":true,"client_id":"machine"})", Reason::access_token_claim, "sub");
    w.refused(R"({"active":true,"sub":""})", Reason::access_token_claim);
    w.refused(R"({"active":true,"sub":"a\nb"})", Reason::access_token_claim);
    w.refused(active(R"(,"cnf":{"kid":"x"})"), Reason::access_token_binding);
    w.refused(R"({"active":true,"sub":"john","preferred_username":"a\nb"})",
              Reason::access_token_claim);
}
END_TEST

START_TEST(k_22_members_of_another_type) {
    Asking w;
    for (const char* name : {"exp", "nbf", "iat"}) {
        for (const char* value : {"\"9999999999\"", "true", "[]", "-1", "1e300"}) {
            w.refused(active(std::string(",\"") + name + "\":" + value),
                      *name == 'e' ? Reason::access_token_exp : Reason::access_token_iat, name);
        }
    }
    w.refused(active(R"(,"iss":["https://op.example"])"), Reason::access_token_iss);
    w.refused(active(R"(,"aud":7)"), Reason::access_token_aud);
    w.refused(active(R"(,"aud":["a",7])"), Reason::access_token_aud);
    w.refused(active(R"(,"scope":7)"), Reason::access_token_claim);
    w.refused(R"({"active":true,"sub":17})", Reason::access_token_claim, "sub");
    w.refused(R"({"active":true,"sub":"john","client_id":{}})", Reason::access_token_claim);
    for (const char* name : {"token_type", "token_use"}) {
        w.refused(active(std::string(",\"") + name + "\":[\"x\"]"), Reason::introspection_malformed,
                  name);
    }
}
END_TEST

START_TEST(k_23_answers_that_are_none) {
    Asking w;
    w.refused("", Reason::introspection_malformed);
    w.refused("[]", Reason::introspection_malformed);
    w.refused("true", Reason::introspection_malformed);
    w.refused(active() + "x", Reason::introspection_malformed);
    w.refused(active(R"(,"a":"\u0000")"), Reason::introspection_malformed);
    std::string deep = ",\"a\":";
    for (int i = 0; i < kMaxIntrospectionDepth; ++i) {
        deep += "[";
    }
    w.refused(active(deep + std::string(kMaxIntrospectionDepth, ']')),
              Reason::introspection_malformed);
    w.refused(active(",\"a\":\"" + std::string(kMaxIntrospection, 'x') + "\""),
              Reason::introspection_malformed);
    for (const char* type : {"", "text/html", "application/jwt", "application/json+x"}) {
        HttpResponse other = json_response(active());
        other.content_type = type;
        w.refused(std::move(other), Reason::introspection_malformed, "content type");
    }
}
END_TEST

START_TEST(k_24_no_answer) {
    Asking w;
    for (const int status : {0, 201, 204, 400, 404, 429, 500, 503}) {
        HttpResponse other = json_response(active());
        other.status = status;
        w.refused(std::move(other), Reason::introspection_unavailable, std::to_string(status));
    }
    HttpResponse moved = json_response(active());
    moved.status = 302;
    moved.location = "https://evil.example/";
    w.refused(std::move(moved), Reason::introspection_unavailable, "idp_redirect: ");
    for (const int status : {401, 403}) {
        HttpResponse other = json_response("");
        other.status = status;
        w.refused(std::move(other), Reason::introspection_unavailable, "token_client_auth: ");
    }
    Step step = w.ask();
    (void)expect<Fetch>(step);
    Step down = w.flow->resume(fail(Reason::idp_connect, "refused"));
    const Error& error = expect<Refuse>(down).error;
    ck_assert(error.reason == Reason::introspection_unavailable);
    ck_assert_sv_eq(error.detail, "idp_connect: refused");

    IntrospectionFlow nowhere(w.config, w.fake.ports(), "t");
    (void)nowhere.start();
    Step no_documents = nowhere.resume(fail(Reason::metadata_unavailable, "down"));
    ck_assert(expect<Refuse>(no_documents).error.reason == Reason::introspection_unavailable);
    w.metadata.introspection_endpoint.clear();
    Step none = w.ask();
    ck_assert_sv_eq(expect<Refuse>(none).error.fix, "introspection_endpoint");
}
END_TEST

START_TEST(with_the_other_secret) {
    Asking w;
    w.config.renewed = std::make_shared<RenewedCredentials>();
    w.config.renewed->renews_secret = true;
    ck_assert(renew_secret(w.config, Secret("another"), kNow));
    Step first = w.ask();
    const Secret before = expect<Fetch>(first).request.authorization.clone();
    HttpResponse refused = json_response(R"({"error":"invalid_client"})");
    refused.status = 401;
    Step second = w.flow->resume(std::move(refused));
    ck_assert(expect<Fetch>(second).request.authorization.view() != before.view());
    Step done = w.flow->resume(json_response(active()));
    (void)expect<Introspected>(done);
    // Both refused.
    Step third = w.ask();
    for (int i = 0; i < 2; ++i) {
        HttpResponse again = json_response(R"({"error":"invalid_client"})");
        again.status = 401;
        third = w.flow->resume(std::move(again));
    }
    ck_assert_sv_contains(expect<Refuse>(third).error.detail, "and with the one before");
}
END_TEST

START_TEST(k_25_signed_answers) {
    Asking w;
    Step step = w.answered(w.sign(outer(active(at("exp", kNow + 9)))));
    ck_assert_int_eq(expect<Introspected>(step).token.exp, kNow + 9);
    w.config.introspection_signed = true;
    Step many = w.answered(w.sign(outer(active(), "https://op.example", R"(["a","espocrm"])")));
    (void)expect<Introspected>(many);
    w.refused(active(), Reason::introspection_malformed, "not signed");
    w.refused(w.sign(outer(R"({"active":false})")), Reason::token_not_active);
    w.refused(w.sign(outer(R"({"active":"true","sub":"x"})")), Reason::introspection_malformed);
    w.refused(w.sign(outer(active(), "https://evil.example")), Reason::introspection_malformed,
              "evil.example");
    for (const char* aud : {R"("other")", "[]", "null", R"(["other"])", "7"}) {
        w.refused(w.sign(outer(active(), "https://op.example", aud)),
                  Reason::introspection_malformed, "aud");
    }
    w.refused(w.sign(outer(active(), "https://op.example", R"("espocrm")", kNow + 61)),
              Reason::introspection_malformed, "iat");
    w.refused(w.sign(R"({"iss":"https://op.example","aud":"espocrm","token_introspection":)" +
                     active() + "}"),
              Reason::introspection_malformed, "iat");
    // What is beside the member counts for nothing.
    w.refused(w.sign(R"({"iss":"https://op.example","aud":"espocrm","active":true,"sub":"john",)"
                     R"("iat":)" +
                     std::to_string(kNow) + "}"),
              Reason::introspection_malformed, "token_introspection");
    for (const char* answer : {"[]", "true", "null", R"("x")"}) {
        w.refused(w.sign(outer(answer)), Reason::introspection_malformed, "token_introspection");
    }
}
END_TEST

START_TEST(k_26_signatures_and_types) {
    Asking w;
    const std::string good = outer(active());
    w.refused(w.sign(good, {}, ForgeKey::ec("P-256")), Reason::introspection_malformed,
              "jwt_signature");
    w.refused(w.sign(good, R"({"alg":"ES256","typ":"token-introspection+jwt","kid":"k9"})"),
              Reason::introspection_malformed, "jwt_key_unknown");
    for (const char* header :
         {R"({"alg":"ES256","kid":"k1"})", R"({"alg":"ES256","typ":"JWT","kid":"k1"})",
          R"({"alg":"ES256","typ":"at+jwt","kid":"k1"})",
          R"({"alg":"ES256","typ":"logout+jwt","kid":"k1"})"}) {
        w.refused(w.sign(good, header), Reason::introspection_malformed, "jwt_typ");
    }
    Step full = w.answered(
        w.sign(good, R"({"alg":"ES256","typ":"application/token-introspection+jwt","kid":"k1"})"));
    (void)expect<Introspected>(full);
    HttpResponse unsigned_one = json_response(
        b64(R"({"alg":"none","typ":"token-introspection+jwt"})") + "." + b64(good) + ".");
    unsigned_one.content_type = "application/token-introspection+jwt";
    w.refused(std::move(unsigned_one), Reason::introspection_malformed, "jwt_alg");
    HttpResponse by_secret =
        json_response(forge_hs_token(R"({"alg":"HS256","typ":"token-introspection+jwt"})", good,
                                     Alg::HS256, w.config.client_secret.view()));
    by_secret.content_type = "application/token-introspection+jwt";
    w.refused(std::move(by_secret), Reason::introspection_malformed, "jwt_alg");
    HttpResponse plain = json_response(active());
    plain.content_type = "application/token-introspection+jwt";
    w.refused(std::move(plain), Reason::introspection_malformed, "jwt_malformed");
}
END_TEST

START_TEST(newer_keys_once) {
    Asking w;
    Step step = w.ask();
    (void)expect<Fetch>(step);
    const HttpResponse good = w.sign(outer(active()));
    HttpResponse response =
        w.sign(outer(active()), R"({"alg":"ES256","typ":"token-introspection+jwt","kid":"k2"})");
    Step need = w.flow->resume(std::move(response));
    ck_assert_uint_eq(expect<NeedProvider>(need).newer_than, w.generation);
    ck_assert(expect<NeedProvider>(need).cause == NeedProvider::Cause::key_unknown);
    w.kid = "k2";
    ++w.generation;
    Step done = w.flow->resume(w.ready());
    (void)expect<Introspected>(done);
    Step over = w.flow->resume(w.ready());
    ck_assert(expect<Refuse>(over).error.reason == Reason::internal_error);
}
END_TEST

START_TEST(an_event_that_nobody_asked_for) {
    Asking w;
    IntrospectionFlow flow(w.config, w.fake.ports(), "t");
    (void)flow.start();
    Step step = flow.resume(StoreDone{});
    ck_assert(expect<Refuse>(step).error.reason == Reason::internal_error);
    Step asked = w.ask();
    (void)expect<Fetch>(asked);
    Step odd = w.flow->resume(StoreDone{});
    ck_assert(expect<Refuse>(odd).error.reason == Reason::internal_error);
}
END_TEST

static Suite* introspection_suite() {
    Suite* suite = suite_create("introspection");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, keys_are_of_token_provider_and_client);
    tcase_add_test(tcase, the_request);
    tcase_add_test(tcase, the_client_is_authenticated_as_the_metadata_say);
    tcase_add_test(tcase, metadata_are_read_with_introspection_only);
    tcase_add_test(tcase, an_active_token_becomes_a_record);
    tcase_add_test(tcase, little_is_enough);
    tcase_add_test(tcase, k_29_whom_a_token_is_for);
    tcase_add_test(tcase, a_kept_record_that_says_nothing_is_none);
    tcase_add_test(tcase, k_20_only_true_is_true);
    tcase_add_test(tcase, k_21_what_the_provider_calls_active_and_is_not);
    tcase_add_test(tcase, k_22_members_of_another_type);
    tcase_add_test(tcase, k_23_answers_that_are_none);
    tcase_add_test(tcase, k_24_no_answer);
    tcase_add_test(tcase, with_the_other_secret);
    tcase_add_test(tcase, k_25_signed_answers);
    tcase_add_test(tcase, k_26_signatures_and_types);
    tcase_add_test(tcase, newer_keys_once);
    tcase_add_test(tcase, an_event_that_nobody_asked_for);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration introspection_registered("introspection", introspection_suite);
