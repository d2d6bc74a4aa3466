// SPDX-License-Identifier: Apache-2.0
#include "forge.hpp"
#include "oidc/claim_source.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Seconds kNow = 1'700'000'000;

const ForgeKey& key() {
    return ForgeKey::for_alg(Alg::ES256);
}

std::string signed_by(const ForgeKey& with, std::string_view payload, std::string_view kid = "k1") {
    return forge_token(forge_header("ES256", kid), payload, Alg::ES256, with);
}

// What a source says, as a good JWT; `more` has a leading comma.
std::string jwt(std::string_view more = R"(,"groups":["staff"])",
                std::string_view iss = "https://reg.example") {
    return signed_by(key(), R"({"iss":")" + std::string(iss) + "\"" + std::string(more) + "}");
}

std::string aggregated(const std::string& token, std::string_view names = R"({"groups":"s"})") {
    return R"({"sub":"john","_claim_names":)" + std::string(names) +
           R"(,"_claim_sources":{"s":{"JWT":")" + token + R"("}}})";
}

std::string distributed(std::string_view source, std::string_view names = R"({"groups":"s"})") {
    return R"({"sub":"john","_claim_names":)" + std::string(names) + R"(,"_claim_sources":{"s":)" +
           std::string(source) + "}}";
}

JsonPtr parse(std::string_view text) {
    Result<JsonPtr> json = json_parse_object(text);
    ck_assert_result_ok(json);
    return *std::move(json);
}

// A provider "op" that takes claims of the issuer "reg", and of "bank" where it fetches them.
struct Op {
    ProviderConfig config;
    ProviderConfig reg;
    ProviderConfig bank;
    FakePorts fake;
    bool refresh = false;
    std::uint64_t generation = 1;
    std::vector<Alg> algs{Alg::ES256};
    JsonPtr id_token;
    JsonPtr userinfo;
    std::vector<HttpRequest> fetched;
    std::vector<NeedProvider> needed;
    std::vector<std::string> answers;  // of the endpoints
    int status = 200;
    std::string type = "application/jwt";
    Seconds each = 0;  // that an answer takes
    std::string key_issuer;

    Op() {
        config.name = "op";
        config.issuer = "https://op.example";
        config.client_id = "espocrm";
        config.client_secret = Secret("secret-of-the-client-that-is-long-enough");
        reg.name = "reg";
        reg.issuer = "https://reg.example";
        bank.name = "bank";
        bank.issuer = "https://bank.example";
        config.claim_sources.push_back({&reg, {}, false});
        config.claim_sources.push_back({&bank, {"api.bank.example:443", "10.0.0.1:8443"}, false});
    }
    [[nodiscard]] ProviderReady ready() const {
        auto state = std::make_shared<ProviderState>();
        std::string jwk = key().jwk("k1");
        if (!key_issuer.empty()) {
            jwk.insert(1, "\"issuer\":\"" + key_issuer + "\",");
        }
        Result<KeySet> keys = KeySet::parse(forge_jwks({jwk}));
        ck_assert_result_ok(keys);
        state->keys = *std::move(keys);
        state->algs = algs;
        state->generation = generation;
        return state;
    }
    Event answer(const ClaimSources::Wait& wait) {
        if (const auto* need = std::get_if<NeedProvider>(&wait)) {
            needed.push_back(*need);
            return ready();
        }
        const auto& fetch = std::get<Fetch>(wait);
        ck_assert(fetch.source == 2);
        fake.clock.advance(each);
        HttpResponse response;
        response.status = status;
        response.content_type = type;
        response.location = "https://elsewhere.example/secret-path";
        response.body =
            Secret(answers.empty() ? jwt(R"(,"groups":["staff"])", "https://bank.example")
                                   : answers[std::min(fetched.size(), answers.size() - 1)]);
        HttpRequest request = without_secrets(fetch.request);
        request.authorization = fetch.request.authorization.clone();
        request.max_response = fetch.request.max_response;
        request.max_seconds = fetch.request.max_seconds;
        request.client_certificate = fetch.request.client_certificate;
        fetched.push_back(std::move(request));
        return response;
    }
    // Null: no ID token, or no UserInfo. Texts of what is there afterwards.
    Status run(std::string_view info, std::string_view token = {}) {
        id_token = token.empty() ? nullptr : parse(token);
        userinfo = info.empty() ? nullptr : parse(info);
        ClaimSources sources(config, fake.ports(), refresh);
        auto wait = sources.start(id_token.get(), userinfo.get());
        for (int i = 0; wait; ++i) {
            ck_assert_msg(i < 30, "it does not end");
            wait = sources.resume(answer(*wait));
        }
        return sources.verdict();
    }
    [[nodiscard]] std::string groups() const {
        const json_t* value = json_object_get(userinfo.get(), "groups");
        return value == nullptr ? "none" : json_text(value);
    }
    void goes_on(std::string_view info, std::string_view token = {}) {
        const Status status = run(info, token);
        ck_assert_result_ok(status);
    }
    void takes(std::string_view info) {
        goes_on(info);
        ck_assert_msg(groups() == R"(["staff"])", "%s, %s", groups().c_str(),
                      fake.log.joined().c_str());
    }
    // The login goes on without the claim, and the line says why.
    void leaves_out(std::string_view info, std::string_view why) {
        fake.log.lines.clear();
        goes_on(info);
        ck_assert_sv_eq(groups(), "none");
        ck_assert_msg(fake.log.contains(why), "\"%s\" is not in: %s", std::string(why).c_str(),
                      fake.log.joined().c_str());
        ck_assert(fake.log.lines.front().first == LogLevel::warn);
        ck_assert(json_object_get(userinfo.get(), "_claim_names") != nullptr);
    }
};

constexpr std::string_view kEndpoint =
    R"({"endpoint":"https://api.bank.example/claims?user=1","access_token":"theirs-1"})";

}  // namespace

START_TEST(aggregated_claims) {
    Op op;
    op.takes(aggregated(jwt()));
    ck_assert(json_object_get(op.userinfo.get(), "_claim_names") == nullptr);
    ck_assert(op.fetched.empty());
    ck_assert_uint_eq(op.needed.size(), 1);
    ck_assert_uint_eq(op.needed[0].source, 1);
    ck_assert(op.fake.log.lines.empty());
    // Of the ID token alone.
    op.goes_on({}, aggregated(jwt()));
    ck_assert_sv_eq(json_text(json_object_get(op.id_token.get(), "groups")), R"(["staff"])");
    // Values of all types, as they are.
    op.goes_on(aggregated(jwt(R"(,"groups":{"a":[1,true]},"n":5,"o":null)"),
                          R"({"groups":"s","n":"s","o":"s","p":"s"})"));
    ck_assert_sv_eq(op.groups(), R"({"a":[1,true]})");
    ck_assert_sv_eq(json_text(json_object_get(op.userinfo.get(), "n")), "5");
    ck_assert(json_object_get(op.userinfo.get(), "o") == nullptr);
    ck_assert(json_object_get(op.userinfo.get(), "_claim_names") == nullptr);
}
END_TEST

START_TEST(nothing_without_sources) {
    Op op;
    op.config.claim_sources.clear();
    op.goes_on(aggregated(jwt()));
    ck_assert_sv_eq(op.groups(), "none");
    ck_assert(op.needed.empty() && op.fake.log.lines.empty());
}
END_TEST

START_TEST(only_what_is_named) {
    Op op;
    op.goes_on(aggregated(jwt(R"(,"groups":["staff"],"admin":true)")));
    ck_assert_sv_eq(op.groups(), R"(["staff"])");
    ck_assert(json_object_get(op.userinfo.get(), "admin") == nullptr);
}
END_TEST

START_TEST(what_the_provider_says_stays) {
    Op op;
    const std::string left =
        aggregated(jwt(R"(,"groups":["root"],"x":"theirs")"), R"({"groups":"s","x":"s"})");
    // In UserInfo, what the ID token has; in the ID token, what UserInfo has.
    op.goes_on(left, R"({"sub":"john","groups":["staff"]})");
    ck_assert_sv_eq(op.groups(), "none");
    ck_assert_sv_eq(json_text(json_object_get(op.userinfo.get(), "x")), R"("theirs")");
    op.goes_on(R"({"sub":"john","groups":["staff"]})", left);
    ck_assert_sv_eq(op.groups(), R"(["staff"])");
    ck_assert(json_object_get(op.id_token.get(), "groups") == nullptr);
    // null is nothing.
    std::string null_too = aggregated(jwt());
    null_too.insert(1, R"("groups":null,)");
    op.takes(null_too);
}
END_TEST

START_TEST(no_claims_of_the_protocol) {
    for (const char* name : {"iss",
                             "sub",
                             "aud",
                             "exp",
                             "nbf",
                             "iat",
                             "jti",
                             "nonce",
                             "azp",
                             "sid",
                             "acr",
                             "auth_time",
                             "amr",
                             "cnf",
                             "at_hash",
                             "c_hash",
                             "events",
                             "client_id",
                             "_claim_sources",
                             "preferred_username"}) {
        Op op;
        const std::string n(name);
        const std::string more = n == "iss" || n == "aud" || n == "azp" || n == "exp" ||
                                         n == "nbf" || n == "iat" || n == "events"
                                     ? ""
                                     : ",\"" + n + "\":\"evil\"";
        // UserInfo of a refresh that brought no ID token, without the claim.
        std::string info = aggregated(jwt(more + R"(,"groups":["staff"])"),
                                      "{\"groups\":\"s\",\"" + n + "\":\"s\"}");
        op.takes(info);
        ck_assert_msg(op.fake.log.contains("only the provider itself says them"), "%s", name);
        if (n != "sub" && n != "_claim_sources") {
            ck_assert_msg(json_object_get(op.userinfo.get(), name) == nullptr, "%s", name);
        }
        ck_assert_sv_eq(json_string_value(json_object_get(op.userinfo.get(), "sub")), "john");
    }
    // Then the source is not even asked.
    Op op;
    op.goes_on(distributed(kEndpoint, R"({"sub":"s"})"));
    ck_assert(op.needed.empty());
    // The user name is whatever username_claim says it is.
    op.config.username_claim = {"groups"};
    op.leaves_out(aggregated(jwt()), "only the provider itself");
}
END_TEST

START_TEST(jwts_that_do_not_hold) {
    Op op;
    const ForgeKey other = ForgeKey::ec("P-256");
    const std::string good = R"({"iss":"https://reg.example","groups":["staff"]})";
    const std::string now = std::to_string(kNow);
    op.leaves_out(aggregated(signed_by(other, good)), "jwt_signature");
    op.leaves_out(aggregated(signed_by(key(), good, "k2")), "jwt_key_unknown");
    op.leaves_out(aggregated(forge_token(R"({"alg":"ES256","kid":"k1","typ":"at+jwt"})", good,
                                         Alg::ES256, key())),
                  "jwt_typ");
    op.leaves_out(aggregated(b64(R"({"alg":"none"})") + "." + b64(good) + "."), "jwt_alg");
    op.leaves_out(aggregated(jwt(R"(,"groups":["staff"])", "https://evil.example")),
                  R"(no claim_source has the issuer "https://evil.example")");
    op.leaves_out(aggregated(signed_by(key(), R"({"groups":["staff"]})")), "with an iss");
    op.leaves_out(aggregated("x"), "no signed one");
    op.leaves_out(aggregated("a.b.c"), "no signed one");
    op.leaves_out(aggregated(std::string(70'000, 'x')), "no signed one");
    op.leaves_out(aggregated(jwt(R"(,"exp":1600000000,"groups":["staff"])")), "id_token_exp");
    op.leaves_out(aggregated(jwt(R"(,"exp":"never","groups":["staff"])")), "id_token_exp");
    op.leaves_out(aggregated(jwt(R"(,"nbf":1800000000,"groups":["staff"])")), "id_token_nbf");
    op.leaves_out(aggregated(jwt(R"(,"iat":1800000000,"groups":["staff"])")), "id_token_iat");
    op.leaves_out(aggregated(jwt(R"(,"aud":"another","groups":["staff"])")), "id_token_aud");
    op.leaves_out(aggregated(jwt(R"(,"aud":5,"groups":["staff"])")), "id_token_aud");
    op.leaves_out(aggregated(jwt(R"(,"aud":["x","espocrm"],"azp":"x","groups":["staff"])")),
                  "id_token_azp");
    op.leaves_out(aggregated(jwt(R"(,"events":{},"groups":["staff"])")), "jwt_typ");
    // And some that do.
    op.takes(aggregated(jwt(R"(,"aud":["x","espocrm"],"sub":"another","groups":["staff"])")));
    op.takes(aggregated(jwt(R"(,"exp":)" + now + R"(,"iat":)" + now + R"(,"groups":["staff"])")));
}
END_TEST

START_TEST(never_with_a_secret) {
    Op op;
    op.algs = {Alg::HS256};
    op.reg.client_secret = Secret("secret-of-the-client-that-is-long-enough");
    op.reg.id_token_algs = {Alg::HS256};
    op.leaves_out(aggregated(forge_hs_token(R"({"alg":"HS256"})",
                                            R"({"iss":"https://reg.example","groups":["staff"]})",
                                            Alg::HS256, op.reg.client_secret.view())),
                  "jwt_alg");
}
END_TEST

START_TEST(newer_keys_are_asked_for_once) {
    Op op;
    op.leaves_out(aggregated(signed_by(key(), R"({"iss":"https://reg.example"})", "k2")),
                  "jwt_key_unknown");
    ck_assert_uint_eq(op.needed.size(), 2);
    ck_assert_uint_eq(op.needed[1].newer_than, 1);
    ck_assert_uint_eq(op.needed[1].source, 1);
    ck_assert(op.needed[1].cause == NeedProvider::Cause::outsider);
}
END_TEST

START_TEST(distributed_claims) {
    Op op;
    op.takes(distributed(kEndpoint));
    ck_assert_uint_eq(op.fetched.size(), 1);
    const HttpRequest& request = op.fetched[0];
    ck_assert(request.method == HttpRequest::Method::get);
    ck_assert_sv_eq(request.url, "https://api.bank.example/claims?user=1");
    ck_assert_sv_eq(request.authorization.view(), "Bearer theirs-1");
    ck_assert(!request.client_certificate);
    ck_assert_uint_eq(request.max_response, 64 * 1024);
    ck_assert_int_eq(request.max_seconds, 10);
    ck_assert_uint_eq(op.needed.size(), 1);
    ck_assert_uint_eq(op.needed[0].source, 2);
    // Without a token of theirs there is none: ours stay here.
    op.takes(distributed(R"({"endpoint":"https://10.0.0.1:8443/x"})"));
    ck_assert(op.fetched[1].authorization.empty());
    // What is there already is not fetched.
    op.takes(distributed(R"({"JWT":")" + jwt() + R"(","endpoint":"https://api.bank.example/"})"));
    ck_assert_uint_eq(op.fetched.size(), 2);
}
END_TEST

START_TEST(endpoints_that_are_not_asked) {
    Op op;
    const auto at = [](std::string_view url) {
        return distributed(R"({"endpoint":")" + std::string(url) + R"("})");
    };
    for (const char* url :
         {"https://api.bank.example:444/", "https://evil.example/", "https://bank.example/",
          "https://api.bank.example.evil.example/", "https://127.0.0.1/",
          "https://api.bank.example./", "https://10.0.0.1/"}) {
        op.leaves_out(at(url), "no claim_source has the endpoint_host");
    }
    for (const char* url : {"", "/claims", "https://u@api.bank.example/", "file:///etc/passwd",
                            "https://api.bank.example/ x", "https://api.bank.example/#x"}) {
        op.leaves_out(at(url), "no URL that can be used");
    }
    op.leaves_out(at("http://api.bank.example:443/"), "is not of https");
    for (const char* token : {R"("a b")", R"("")", R"("a\r\nX: y")", "5", R"(["x"])"}) {
        op.leaves_out(distributed(R"({"endpoint":"https://api.bank.example/","access_token":)" +
                                  std::string(token) + "}"),
                      "access_token cannot be sent");
    }
    ck_assert(op.fetched.empty());
    ck_assert(op.needed.empty());
}
END_TEST

START_TEST(answers_that_do_not_hold) {
    Op op;
    op.answers = {jwt(R"(,"groups":["staff"])", "https://reg.example")};  // of another source
    op.leaves_out(distributed(kEndpoint), "id_token_iss");
    op.answers = {R"({"groups":["staff"]})"};
    op.leaves_out(distributed(kEndpoint), "jwt_malformed");
    op.type = "application/json";
    op.leaves_out(distributed(kEndpoint), "not application/jwt");
    for (const int status : {204, 302, 401, 404, 500}) {
        op.status = status;
        op.leaves_out(distributed(kEndpoint), "answered " + std::to_string(status));
    }
    for (const char* secret : {"theirs-1", "user=1", "secret-path", "/claims"}) {
        ck_assert_msg(!op.fake.log.contains(secret), "%s", op.fake.log.joined().c_str());
    }
}
END_TEST

START_TEST(sources_that_are_none) {
    Op op;
    op.leaves_out(R"({"_claim_names":{"groups":"s"},"_claim_sources":{"t":{}}})", "no such object");
    op.leaves_out(R"({"_claim_names":{"groups":"s"},"_claim_sources":{"s":"x"}})",
                  "no such object");
    op.leaves_out(R"({"_claim_names":{"groups":"s"},"_claim_sources":7})", "no such object");
    op.leaves_out(R"({"_claim_names":{"groups":"s"}})", "no such object");
    op.leaves_out(distributed("{}"), "neither a JWT nor an endpoint");
    op.leaves_out(distributed(R"({"JWT":5})"), "JWT");
    op.leaves_out(distributed(R"({"endpoint":["https://api.bank.example/"]})"), "endpoint");
    for (const char* odd : {R"({"_claim_names":5})", R"({"_claim_names":["groups"]})",
                            R"({"_claim_names":{"groups":["s"]},"_claim_sources":{"s":{}}})"}) {
        op.goes_on(odd);
        ck_assert_sv_eq(op.groups(), "none");
    }
}
END_TEST

// 20 sources, of which four are asked.
START_TEST(many_sources) {
    Op op;
    std::string names;
    std::string sources;
    for (int i = 0; i < 20; ++i) {
        const std::string n = std::to_string(i);
        names += (i == 0 ? "\"c" : ",\"c") + n + "\":\"s" + n + "\"";
        sources += (i == 0 ? "\"s" : ",\"s") + n + "\":" + std::string(kEndpoint);
    }
    op.answers = {jwt(R"(,"c0":0,"c1":1,"c2":2,"c3":3,"c4":4)", "https://bank.example")};
    op.goes_on("{\"_claim_names\":{" + names + "},\"_claim_sources\":{" + sources + "}}");
    ck_assert_uint_eq(op.fetched.size(), 4);
    ck_assert(json_object_get(op.userinfo.get(), "c3") != nullptr);
    ck_assert(json_object_get(op.userinfo.get(), "c4") == nullptr);
    ck_assert(op.fake.log.contains("more than 4"));
    ck_assert_uint_eq(json_object_size(json_object_get(op.userinfo.get(), "_claim_names")), 16);
}
END_TEST

START_TEST(slow_sources) {
    Op op;
    op.each = 6;
    const std::string info = R"({"_claim_names":{"a":"s","groups":"t","c":"u"},"_claim_sources":{)"
                             R"("s":)" +
                             std::string(kEndpoint) + R"(,"t":)" + std::string(kEndpoint) +
                             R"(,"u":)" + std::string(kEndpoint) + "}}";
    op.takes(info);
    ck_assert_uint_eq(op.fetched.size(), 2);
    ck_assert_int_eq(op.fetched[1].max_seconds, 4);
    ck_assert(op.fake.log.contains("no time is left"));
}
END_TEST

// Both name it: it is fetched once, and said by both.
START_TEST(named_by_both) {
    Op op;
    const std::string left = distributed(kEndpoint);
    op.goes_on(left, left);
    ck_assert_uint_eq(op.fetched.size(), 1);
    ck_assert_sv_eq(op.groups(), R"(["staff"])");
    ck_assert_sv_eq(json_text(json_object_get(op.id_token.get(), "groups")), R"(["staff"])");
    ck_assert(json_object_get(op.userinfo.get(), "_claim_names") == nullptr);
    // Of two sources the one that the ID token names counts.
    op.goes_on(distributed(kEndpoint), aggregated(jwt(R"(,"groups":["first"])")));
    ck_assert_uint_eq(op.fetched.size(), 1);
    ck_assert_sv_eq(op.groups(), R"(["first"])");
}
END_TEST

START_TEST(required) {
    Op op;
    op.config.claim_sources[0].required = true;
    op.takes(aggregated(jwt()));
    for (const std::string& info : {std::string(R"({"sub":"john"})"), distributed(kEndpoint),
                                    aggregated(jwt(R"(,"exp":1600000000)")), aggregated("x")}) {
        const Status status = op.run(info);
        ck_assert_result_is(status, Reason::claim_source_failed);
        ck_assert_sv_eq(status.error().fix, "claim_source");
    }
    ck_assert(!op.run({}, R"({"sub":"john"})").ok());
    // A refresh may bring less than the login did, but nothing that does not hold.
    op.refresh = true;
    op.goes_on({}, R"({"sub":"john"})");
    op.goes_on({});
    ck_assert(!op.run(aggregated(jwt(R"(,"exp":1600000000)"))).ok());
    ck_assert(!op.run(aggregated("x")).ok());
}
END_TEST

// `first` is said by the first source, `groups` by the second.
std::string two(const std::string& first, const std::string& second) {
    return R"({"_claim_names":{"first":"s","groups":"t"},"_claim_sources":{"s":)" + first +
           R"(,"t":)" + second + "}}";
}

// Nothing of a source that held counts for the next.
START_TEST(one_after_the_other) {
    Op op;
    op.answers = {jwt(R"(,"first":1)", "https://bank.example")};
    const std::string good = R"({"JWT":")" + jwt() + R"("})";
    op.takes(two(std::string(kEndpoint), good));
    ck_assert_uint_eq(op.fetched.size(), 1);
    ck_assert(json_object_get(op.userinfo.get(), "first") != nullptr);
    op.fetched.clear();
    op.leaves_out(two(R"({"JWT":")" + jwt(R"(,"first":1)") + R"("})",
                      R"({"endpoint":"https://evil.example/x","access_token":"theirs"})"),
                  "no claim_source has the endpoint_host \"evil.example:443\"");
    ck_assert_uint_eq(op.fetched.size(), 0);
    // A required one that is not asked any more puts the refresh off.
    op.refresh = true;
    op.config.claim_sources[0].required = true;
    op.each = 11;
    ck_assert_result_is(op.run(two(std::string(kEndpoint), good)), Reason::claim_source_failed);
    // One that holds does not make up for one that does not.
    op.each = 0;
    ck_assert_result_is(op.run(two(R"({"JWT":")" + jwt(R"(,"exp":1600000000)") + R"("})", good)),
                        Reason::claim_source_failed);
}
END_TEST

// What the ID token of the session said is not said by a source later.
START_TEST(what_was_said_stays) {
    Op op;
    op.userinfo = parse(aggregated(jwt(R"(,"groups":["admin"])")));
    ClaimSources sources(op.config, op.fake.ports(), true);
    ck_assert(!sources.start(nullptr, op.userinfo.get(), {"groups"}).has_value());
    ck_assert_sv_eq(op.groups(), "none");
}
END_TEST

START_TEST(thousands_of_names) {
    Op op;
    std::string names;
    for (int i = 0; i < 10'000; ++i) {
        const std::string n = std::to_string(i);
        names += (i == 0 ? "\"c" : ",\"c") + n + "\":\"s" + n + "\"";
    }
    op.config.claim_sources[0].required = true;
    const Status status = op.run("{\"_claim_names\":{" + names + "}}");
    ck_assert_result_is(status, Reason::claim_source_failed);
    ck_assert(op.fake.log.contains("9992 claims of further sources"));
    ck_assert_uint_eq(op.fake.log.lines.size(), 9);
}
END_TEST

// A key of one tenant says nothing in the name of another.
START_TEST(tenants_of_a_source) {
    Op op;
    op.reg.issuer = "https://reg.example/{tenantid}";
    op.reg.tenants = {"a", "b"};
    op.takes(aggregated(jwt(R"(,"groups":["staff"])", "https://reg.example/b")));
    op.leaves_out(aggregated(jwt(R"(,"groups":["staff"])", "https://reg.example/c")),
                  "no claim_source has the issuer");
    op.leaves_out(aggregated(jwt(R"(,"groups":["staff"])", "https://reg.example/{tenantid}")),
                  "no claim_source has the issuer");
    op.key_issuer = "https://reg.example/a";
    op.takes(aggregated(jwt(R"(,"groups":["staff"])", "https://reg.example/a")));
    op.leaves_out(aggregated(jwt(R"(,"groups":["staff"])", "https://reg.example/b")),
                  "is of the issuer");
}
END_TEST

START_TEST(errors_of_the_way_there) {
    Op op;
    op.userinfo = parse(distributed(kEndpoint));
    ClaimSources sources(op.config, op.fake.ports(), false);
    ck_assert(sources.start(nullptr, op.userinfo.get()).has_value());
    // Without keys nobody is asked, so that the token stays here.
    ck_assert(!sources.resume(fail(Reason::jwks_unavailable, "no keys")).has_value());
    ck_assert_result_ok(sources.verdict());
    ck_assert(op.fake.log.contains("jwks_unavailable: no keys"));

    ClaimSources again(op.config, op.fake.ports(), false);
    ck_assert(again.start(nullptr, op.userinfo.get()).has_value());
    ck_assert(again.resume(op.ready()).has_value());
    ck_assert(!again.resume(fail(Reason::idp_timeout, "too slow")).has_value());
    ck_assert(op.fake.log.contains("idp_timeout: too slow"));

    ClaimSources odd(op.config, op.fake.ports(), false);
    ck_assert(odd.start(nullptr, op.userinfo.get()).has_value());
    ck_assert(!odd.resume(StoreDone{}).has_value());
    ck_assert(!odd.resume(op.ready()).has_value());
}
END_TEST

static Suite* claim_source_suite() {
    Suite* suite = suite_create("claim_source");
    TCase* tc = tcase_create("claim_source");
    tcase_add_test(tc, aggregated_claims);
    tcase_add_test(tc, nothing_without_sources);
    tcase_add_test(tc, only_what_is_named);
    tcase_add_test(tc, what_the_provider_says_stays);
    tcase_add_test(tc, no_claims_of_the_protocol);
    tcase_add_test(tc, jwts_that_do_not_hold);
    tcase_add_test(tc, never_with_a_secret);
    tcase_add_test(tc, newer_keys_are_asked_for_once);
    tcase_add_test(tc, distributed_claims);
    tcase_add_test(tc, endpoints_that_are_not_asked);
    tcase_add_test(tc, answers_that_do_not_hold);
    tcase_add_test(tc, sources_that_are_none);
    tcase_add_test(tc, many_sources);
    tcase_add_test(tc, slow_sources);
    tcase_add_test(tc, named_by_both);
    tcase_add_test(tc, required);
    tcase_add_test(tc, one_after_the_other);
    tcase_add_test(tc, what_was_said_stays);
    tcase_add_test(tc, thousands_of_names);
    tcase_add_test(tc, tenants_of_a_source);
    tcase_add_test(tc, errors_of_the_way_there);
    suite_add_tcase(suite, tc);
    return suite;
}
static const Registration claim_source_registered("claim_source", claim_source_suite);
