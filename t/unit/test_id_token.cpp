// SPDX-License-Identifier: Apache-2.0
#include "oidc/id_token.hpp"

#include <map>

#include "forge.hpp"
#include "oidc/jwt_claims.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Seconds kNow = 1'700'000'000;
constexpr std::string_view kNonce = "n-0S6_WzA2Mj-n-0S6_WzA2Mj-n-0S6_WzA2Mj";
constexpr std::string_view kAccessToken = "access-token-of-the-test";
constexpr std::string_view kCode = "code-of-the-test";

// An ID token that passes, whose members a test replaces (JSON text) or drops (empty text).
struct Case {
    ProviderConfig config;
    std::map<std::string, std::string> claims;
    std::string more;  // appended as it is, for duplicates
    Alg alg = Alg::ES256;
    std::string header;
    std::vector<Alg> algs{Alg::ES256};
    Seconds now = kNow;
    std::string nonce{kNonce};
    std::string access_token{kAccessToken};
    std::string code{kCode};
    std::string secret;
    bool wants_auth_time = false;
    bool wants_acr = false;

    Case() {
        config.issuer = "https://op.example/realm";
        config.client_id = "us";
        claims = {
            {"iss", "\"https://op.example/realm\""},
            {"aud", "\"us\""},
            {"sub", "\"alice\""},
            {"exp", std::to_string(kNow + 300)},
            {"iat", std::to_string(kNow - 1)},
            {"nonce", json_quote(kNonce)},
        };
        header = forge_header("ES256", "k");
    }

    Case& with(const std::string& name, std::string json) {
        claims[name] = std::move(json);
        return *this;
    }

    [[nodiscard]] std::string payload() const {
        std::string json;
        for (const auto& [name, value] : claims) {
            if (!value.empty()) {
                json += (json.empty() ? "{" : ",") + json_quote(name) + ":" + value;
            }
        }
        return json + more + "}";
    }

    [[nodiscard]] Result<IdToken> run() const {
        static const KeySet keys = [] {
            auto set = KeySet::parse(forge_jwks(
                {ForgeKey::for_alg(Alg::ES256).jwk("k"), ForgeKey::for_alg(Alg::RS256).jwk("r"),
                 ForgeKey::for_alg(Alg::ES384).jwk("l"), ForgeKey::for_alg(Alg::EdDSA).jwk("e")}));
            must(set.ok(), "jwks");
            return *std::move(set);
        }();
        const std::string token = alg_is_symmetric(alg)
                                      ? forge_hs_token(header, payload(), alg, secret)
                                      : forge_token(header, payload(), alg, ForgeKey::for_alg(alg));
        IdTokenExpectation expected;
        expected.provider = &config;
        expected.keys = &keys;
        expected.algs = algs;
        expected.nonce = nonce;
        expected.access_token = access_token;
        expected.code = code;
        expected.now = now;
        expected.wants_auth_time = wants_auth_time;
        expected.wants_acr = wants_acr;
        return validate_id_token(token, expected);
    }
};

void accepted(const Case& c) {
    const auto result = c.run();
    const std::string payload = c.payload();
    const std::string what = describe(result);
    ck_assert_msg(result.ok(), "%s: %s", payload.c_str(), what.c_str());
}

Error refused(const Case& c, Reason reason) {
    auto result = c.run();
    const std::string payload = c.payload();
    const std::string what = describe(result);
    ck_assert_msg(!result.ok() && result.error().reason == reason, "%s: %s", payload.c_str(),
                  what.c_str());
    ck_assert(!result.error().detail.empty());
    ck_assert_sv_lacks(result.error().detail, kNonce);
    ck_assert_sv_lacks(result.error().detail, kAccessToken);
    ck_assert_sv_lacks(result.error().detail, kCode);
    return result.error();
}

Case with(const std::string& name, const std::string& json) {
    Case c;
    c.with(name, json);
    return c;
}

std::string at(Seconds offset) {
    return std::to_string(kNow + offset);
}

}  // namespace

START_TEST(a_good_token_gives_its_parts) {
    const auto result = Case().with("sid", "\"session-1\"").run();
    ck_assert_result_ok(result);
    ck_assert(result->alg == Alg::ES256);
    ck_assert_sv_eq(result->sub, "alice");
    ck_assert_sv_eq(result->sid, "session-1");
    ck_assert_int_eq(result->exp, kNow + 300);
    ck_assert(json_object_get(result->claims.get(), "nonce") != nullptr);
    const auto without_sid = Case().run();
    ck_assert_result_ok(without_sid);
    ck_assert_sv_eq(without_sid->sid, "");
}
END_TEST

START_TEST(i_01_other_algorithms_through_the_whole_check) {
    Case c;
    c.alg = Alg::EdDSA;
    c.header = forge_header("EdDSA", "e");
    refused(c, Reason::jwt_alg);
    c.algs = {Alg::ES256, Alg::EdDSA};
    accepted(c);
}
END_TEST

START_TEST(i_06_shared_secret_of_one_client_only) {
    Case c;
    c.secret = std::string(128, 's');
    c.config.client_secret = Secret(c.secret);
    c.alg = Alg::HS256;
    c.header = forge_header("HS256");
    refused(c, Reason::jwt_alg);
    c.algs = {Alg::HS256};
    accepted(c);
    accepted(Case(std::move(c)).with("azp", "\"us\""));
    Case several;
    several.secret = std::string(128, 's');
    several.config.client_secret = Secret(several.secret);
    several.config.trusted_audience = {"other"};
    several.alg = Alg::HS256;
    several.algs = {Alg::HS256};
    several.header = forge_header("HS256");
    several.with("aud", R"(["us","other"])").with("azp", "\"us\"");
    refused(several, Reason::id_token_aud);
    several.with("aud", R"(["us","us"])");
    accepted(several);
}
END_TEST

START_TEST(i_18_types_and_logout_tokens) {
    for (const char* typ : {"at+jwt", "logout+jwt", "dpop+jwt", "id"}) {
        Case c;
        c.header = R"({"alg":"ES256","kid":"k","typ":")" + std::string(typ) + "\"}";
        refused(c, Reason::jwt_typ);
    }
    Case c;
    c.header = R"({"alg":"ES256","kid":"k"})";
    accepted(c);
    // A logout token is no ID token, whatever its typ says.
    const auto error =
        refused(with("events", R"({"http://schemas.openid.net/event/backchannel-logout":{}})"),
                Reason::jwt_typ);
    ck_assert_sv_contains(error.detail, "logout token");
    refused(with("events", R"({"http://schemas.openid.net/event/backchannel-logout":null})"),
            Reason::jwt_typ);
    accepted(with("events", R"({"other":{}})"));
    accepted(with("events", "null"));
    refused(with("events", "[]"), Reason::id_token_claim);
    refused(with("events", "\"x\""), Reason::id_token_claim);
}
END_TEST

START_TEST(i_23_issuer_is_compared_byte_for_byte) {
    for (const char* iss :
         {"https://evil.example/realm", "https://op.example/realm/", "https://OP.example/realm",
          "https://op.example/Realm", "http://op.example/realm", "https://op.example:443/realm",
          "https://op.example/real", "https://op.example/realms", "https://op.example/", "",
          " https://op.example/realm", "https://op.example/realm\\n",
          "https://op.example/{tenantid}/v2.0"}) {
        const auto error =
            refused(with("iss", "\"" + std::string(iss) + "\""), Reason::id_token_iss);
        ck_assert_sv_contains(error.detail, "\"https://op.example/realm\"");
    }
    refused(with("iss", ""), Reason::id_token_iss);
    refused(with("iss", R"(["https://op.example/realm"])"), Reason::id_token_iss);

    const auto more = refused(with("iss", R"("https://op.example/realm/")"), Reason::id_token_iss);
    ck_assert_sv_contains(more.detail, "\"https://op.example/realm/\"");
    ck_assert_sv_contains(more.detail, "final slash");
    ck_assert_sv_eq(more.fix, "issuer https://op.example/realm/");
    Case less;
    less.config.issuer = "https://op.example/realm/";
    const auto less_error = refused(less, Reason::id_token_iss);
    ck_assert_sv_eq(less_error.fix, "issuer https://op.example/realm");
    const auto other = refused(with("iss", R"("https://evil.example")"), Reason::id_token_iss);
    ck_assert_sv_eq(other.fix, "issuer");
    ck_assert_sv_lacks(other.detail, "slash");
}
END_TEST

START_TEST(i_42_a_tenant_template_is_no_issuer) {
    Case c = with("iss", R"("https://login.example/4b3d-tenant/v2.0")");
    c.config.issuer = "https://login.example/{tenantid}/v2.0";
    refused(c, Reason::id_token_iss);
}
END_TEST

START_TEST(i_24_i_25_audience) {
    for (const char* aud :
         {"\"other\"", "\"u\"", "\"US\"", "\"uss\"", "\"us other\"", "\"\"", "[]", "{}", "7",
          R"([["us"]])", R"(["us",7])", R"({"us":1})", "true", "null", "", R"(["other"])"}) {
        refused(with("aud", aud), Reason::id_token_aud);
    }
    accepted(with("aud", R"(["us"])"));
    accepted(with("aud", R"(["us","us"])"));
    const auto error = refused(with("aud", R"(["a","b"])"), Reason::id_token_aud);
    ck_assert_sv_contains(error.detail, R"(["a", "b"])");
    ck_assert_sv_contains(error.detail, "\"us\"");
    ck_assert_sv_eq(error.fix, "client_id");
}
END_TEST

START_TEST(i_26_several_audiences_and_azp) {
    const auto lone = refused(with("aud", R"(["us","other"])"), Reason::id_token_aud);
    ck_assert_sv_contains(lone.detail, "\"other\"");
    ck_assert_sv_eq(lone.fix, "trusted_audience other");
    accepted(Case().with("aud", R"(["us","other"])").with("azp", "\"us\""));
    const auto other = refused(Case().with("aud", R"(["us","other"])").with("azp", "\"other\""),
                               Reason::id_token_azp);
    ck_assert_sv_contains(other.detail, "\"other\"");
    ck_assert_sv_contains(other.detail, "\"us\"");
    refused(with("azp", "\"other\""), Reason::id_token_azp);
    refused(with("azp", "\"\""), Reason::id_token_azp);
    refused(with("azp", "\"US\""), Reason::id_token_azp);
    refused(with("azp", R"(["us"])"), Reason::id_token_azp);
    accepted(with("azp", "\"us\""));
    accepted(with("azp", "null"));

    Case trusting = with("aud", R"(["us","project","api"])");
    trusting.config.trusted_audience = {"api", "project"};
    accepted(trusting);
    trusting.config.trusted_audience = {"api"};
    refused(trusting, Reason::id_token_aud);
    // A trusted audience is no authorized party.
    trusting.config.trusted_audience = {"api", "project"};
    trusting.with("azp", "\"api\"");
    refused(trusting, Reason::id_token_azp);
}
END_TEST

START_TEST(i_28_nbf) {
    refused(with("nbf", at(3600)), Reason::id_token_nbf);
    accepted(with("nbf", at(60)));
    refused(with("nbf", at(61)), Reason::id_token_nbf);
    accepted(with("nbf", at(-3600)));
    for (const char* wrong : {"\"1\"", "true", "[]", "-1", "1e300"}) {
        refused(with("nbf", wrong), Reason::id_token_nbf);
    }
}
END_TEST

START_TEST(i_29_i_30_i_31_exp) {
    const auto old = refused(with("exp", at(-3600)), Reason::id_token_exp);
    ck_assert_sv_contains(old.detail, at(-3600));
    ck_assert_sv_contains(old.detail, at(0));
    ck_assert_sv_eq(old.fix, "clock_skew");
    for (const char* wrong : {"", "null", "\"1\"", "true", "0", "-1", "1e300",
                              "9223372036854775807", "[]", "{}", "[1700009999]", "-1e300"}) {
        refused(with("exp", wrong), Reason::id_token_exp);
    }
    // 2^63 does not fit into JSON integers of the parser.
    const auto huge = with("exp", "9223372036854775808").run();
    ck_assert(!huge.ok());
    accepted(with("exp", at(100) + ".5"));
    accepted(with("exp", at(-59)));
    refused(with("exp", at(-60)), Reason::id_token_exp);
    refused(with("exp", at(-61)), Reason::id_token_exp);
    Case exact = with("exp", at(1));
    exact.config.clock_skew = 0;
    accepted(exact);
    exact.with("exp", at(0));
    refused(exact, Reason::id_token_exp);
}
END_TEST

START_TEST(i_32_iat) {
    refused(with("iat", ""), Reason::id_token_iat);
    refused(with("iat", "null"), Reason::id_token_iat);
    const auto future = refused(with("iat", at(3600)), Reason::id_token_iat);
    ck_assert_sv_contains(future.detail, at(3600));
    accepted(with("iat", at(60)));
    refused(with("iat", at(61)), Reason::id_token_iat);
    // The age of a token is bounded by exp and by the nonce of this login.
    accepted(with("iat", at(-7 * 86400)));
    refused(with("iat", "\"1\""), Reason::id_token_iat);
}
END_TEST

// With everything switched on that reads a claim: whatever is read is checked.
START_TEST(i_33_wrong_types_of_claims_that_are_used) {
    struct {
        const char* name;
        char type;  // the right one: s, n (number), a (array of strings), x (string or array)
        Reason reason;
    } const claims[] = {
        {"iss", 's', Reason::id_token_iss},         {"sub", 's', Reason::id_token_sub},
        {"aud", 'x', Reason::id_token_aud},         {"exp", 'n', Reason::id_token_exp},
        {"nbf", 'n', Reason::id_token_nbf},         {"iat", 'n', Reason::id_token_iat},
        {"azp", 's', Reason::id_token_azp},         {"nonce", 's', Reason::id_token_nonce},
        {"acr", 's', Reason::id_token_acr},         {"amr", 'a', Reason::id_token_acr},
        {"at_hash", 's', Reason::id_token_at_hash}, {"c_hash", 's', Reason::id_token_c_hash},
        {"events", 'o', Reason::id_token_claim},    {"auth_time", 'n', Reason::id_token_auth_time},
    };
    // Once by the provider's block, once by the place that the login began at.
    for (const bool by_place : {false, true}) {
        const auto used = [&](const char* name, const char* value) {
            Case c = with("auth_time", at(-1));
            c.with("acr", "\"mfa\"").with(name, value);
            if (by_place) {
                c.wants_auth_time = c.wants_acr = true;
            } else {
                c.config.max_age = 100;
                c.config.acr_values = {"mfa"};
            }
            return c;
        };
        accepted(used("x", "1"));
        for (const auto& claim : claims) {
            for (const char* value : {"true", "[1]", "[{}]"}) {
                refused(used(claim.name, value), claim.reason);
            }
            if (claim.type != 'o') {
                refused(used(claim.name, "{}"), claim.reason);
            }
            if (claim.type != 'n') {
                refused(used(claim.name, "5"), claim.reason);
                refused(used(claim.name, "1.5"), claim.reason);
            }
            if (claim.type == 'n') {
                refused(used(claim.name, "\"x\""), claim.reason);
            }
            if (claim.type == 's' || claim.type == 'n') {
                refused(used(claim.name, "[]"), claim.reason);
            }
        }
    }
}
END_TEST

START_TEST(i_33_claims_that_nobody_asked_for) {
    for (const char* name : {"amr", "acr", "auth_time", "sid", "jti"}) {
        for (const char* value : {"{}", "true", "[1]", "[{}]", "-1.5"}) {
            const auto token = with(name, value).run();
            ck_assert_result_ok(token);
            ck_assert_ptr_null(json_object_get(token->claims.get(), name));
            ck_assert_uint_eq(token->left_out.size(), 1);
            ck_assert_sv_contains(token->left_out[0], name);
            ck_assert_sv_eq(token->sid, "");
        }
        // The right type and null are nothing to talk about.
        const std::string_view claim = name;
        for (const char* value : {claim == "amr"         ? "[\"pwd\"]"
                                  : claim == "auth_time" ? "1700000000"
                                                         : "\"x\"",
                                  "null"}) {
            const auto token = with(name, value).run();
            ck_assert_result_ok(token);
            ck_assert_ptr_nonnull(json_object_get(token->claims.get(), name));
            ck_assert_uint_eq(token->left_out.size(), 0);
        }
    }
    for (const auto& [name, value] : {std::pair{"amr", "\"pwd\""}, std::pair{"acr", "[\"1\"]"},
                                      std::pair{"auth_time", "\"1700000000\""},
                                      std::pair{"auth_time", "\"2026-01-01T00:00:00Z\""},
                                      std::pair{"sid", "17"}, std::pair{"jti", "5"}}) {
        const auto token = with(name, value).run();
        ck_assert_result_ok(token);
        ck_assert_ptr_null(json_object_get(token->claims.get(), name));
    }
    // All of them at once, and each has its line.
    const auto all =
        with("amr", "1").with("acr", "2").with("auth_time", "[]").with("sid", "{}").run();
    ck_assert_result_ok(all);
    ck_assert_uint_eq(all->left_out.size(), 4);
    // A hash of what is not there is compared with nothing.
    Case hashes = with("at_hash", "5");
    hashes.with("c_hash", "[]");
    hashes.access_token.clear();
    hashes.code.clear();
    const auto without = hashes.run();
    ck_assert_result_ok(without);
    ck_assert_uint_eq(without->left_out.size(), 2);
}
END_TEST

START_TEST(i_40_one_method_as_a_text_is_a_list_of_one) {
    for (const bool by_place : {false, true}) {
        Case c = with("amr", "\"mfa\"");
        if (by_place) {
            c.wants_acr = true;
        } else {
            c.config.acr_values = {"mfa"};
        }
        const auto token = c.run();
        ck_assert_result_ok(token);
        ck_assert_sv_eq(json_text(json_object_get(token->claims.get(), "amr")), "[\"mfa\"]");
        ck_assert_uint_eq(token->left_out.size(), 0);
    }
    Case other = with("amr", "\"pwd mfa\"");
    other.config.acr_values = {"mfa"};
    refused(other, Reason::id_token_acr);
}
END_TEST

START_TEST(i_34_nonce) {
    refused(with("nonce", ""), Reason::id_token_nonce);
    refused(with("nonce", "\"\""), Reason::id_token_nonce);
    refused(with("nonce", "\"wrong\""), Reason::id_token_nonce);
    refused(with("nonce", "\"" + std::string(kNonce) + "x\""), Reason::id_token_nonce);
    refused(with("nonce", "\"" + std::string(kNonce.substr(1)) + "\""), Reason::id_token_nonce);
    refused(with("nonce", "5"), Reason::id_token_nonce);
    Case nothing_expected = with("nonce", "\"\"");
    nothing_expected.nonce.clear();
    refused(nothing_expected, Reason::id_token_nonce);
}
END_TEST

START_TEST(i_35_without_nonce) {
    Case none = with("nonce", "");
    none.config.nonce = false;
    accepted(none);
    // Of a login from before the reload; anything else was asked for by somebody else.
    Case own;
    own.config.nonce = false;
    accepted(own);
    for (const char* other : {"\"wrong\"", "\"\"", "5"}) {
        Case foreign = with("nonce", other);
        foreign.config.nonce = false;
        refused(foreign, Reason::id_token_nonce);
    }
}
END_TEST

START_TEST(i_36_sub) {
    for (const char* sub : {"", "null", "\"\"", "5", "\"   \"", "\" a\"", "\"a \"", "\"a\\r\\nb\"",
                            "\"a\\tb\"", "\"m\xc3\xbcller\\u0001\"", "\"a\\u007fb\""}) {
        refused(with("sub", sub), Reason::id_token_sub);
    }
    refused(with("sub", "\"" + std::string(300, 'x') + "\""), Reason::id_token_sub);
    refused(with("sub", "\"" + std::string(256, 'x') + "\""), Reason::id_token_sub);
    refused(with("sub", "\"a\\u0000b\""), Reason::jwt_malformed);
    accepted(with("sub", "\"" + std::string(255, 'x') + "\""));
    accepted(with("sub", "\"a b@c|d~!\""));
    // Outside ASCII (authentik by user name): as it is, composed or not, 255 bytes of it.
    for (const char* sub : {"m\xc3\xbcller", "mu\xcc\x88ller",
                            "jos\xc3\xa9.garc\xc3\xad"
                            "a@example.org",
                            "\xe6\xbc\xa2\xe5\xad\x97", "\xf0\x9f\x98\x80"}) {
        const auto token = with("sub", "\"" + std::string(sub) + "\"").run();
        ck_assert_result_ok(token);
        ck_assert_sv_eq(token->sub, sub);
    }
    std::string umlauts;
    for (int i = 0; i < 127; ++i) {
        umlauts += "\xc3\xbc";
    }
    accepted(with("sub", "\"" + umlauts + "\""));
    accepted(with("sub", "\"" + umlauts + "x\""));
    refused(with("sub", "\"" + umlauts + "\xc3\xbc\""), Reason::id_token_sub);  // 256
    // No JSON can hold these; whoever calls with something else is told all the same.
    for (const std::string_view sub : {"a\xff", "\xc3", "\xed\xa0\x80"}) {
        const Status status = check_subject(sub, Reason::id_token_sub);
        ck_assert_result_is(status, Reason::id_token_sub);
    }
}
END_TEST

START_TEST(i_37_at_hash_and_c_hash) {
    const std::string at_hash = *half_hash(Alg::ES256, kAccessToken);
    const std::string c_hash = *half_hash(Alg::ES256, kCode);
    accepted(with("at_hash", "\"" + at_hash + "\""));
    accepted(with("c_hash", "\"" + c_hash + "\""));
    for (const std::string& wrong : {c_hash, at_hash + "A", at_hash.substr(1), std::string(),
                                     *half_hash(Alg::ES512, kAccessToken)}) {
        const auto error = refused(with("at_hash", "\"" + wrong + "\""), Reason::id_token_at_hash);
        ck_assert_sv_contains(error.detail, at_hash);
    }
    refused(with("c_hash", "\"" + at_hash + "\""), Reason::id_token_c_hash);
    Case without = with("at_hash", "\"anything\"");
    without.access_token.clear();
    accepted(without);
    // The hash is the one of the token's algorithm.
    Case wider;
    wider.alg = Alg::ES384;
    wider.algs = {Alg::ES384};
    wider.header = forge_header("ES384", "l");
    wider.with("at_hash", "\"" + *half_hash(Alg::ES384, kAccessToken) + "\"");
    accepted(wider);
    wider.with("at_hash", "\"" + at_hash + "\"");
    refused(wider, Reason::id_token_at_hash);
    // EdDSA: SHA-512, or SHA-256 as glewlwyd has it, and nothing else.
    Case ed;
    ed.alg = Alg::EdDSA;
    ed.algs = {Alg::EdDSA};
    ed.header = forge_header("EdDSA", "e");
    for (const Alg hash : {Alg::EdDSA, Alg::ES256}) {
        ed.with("at_hash", "\"" + *half_hash(hash, kAccessToken) + "\"");
        accepted(ed);
    }
    ed.with("at_hash", "\"" + *half_hash(Alg::ES384, kAccessToken) + "\"");
    refused(ed, Reason::id_token_at_hash);
}
END_TEST

START_TEST(i_38_duplicate_members) {
    for (const char* more : {R"(,"sub":"bob")", R"(,"aud":"other")", R"(,"aud":"us")"}) {
        Case c;
        c.more = more;
        refused(c, Reason::jwt_malformed);
    }
}
END_TEST

START_TEST(i_40_max_age) {
    accepted(with("auth_time", "0"));  // nobody asked
    accepted(with("auth_time", at(9999)));
    accepted(with("auth_time", "\"1\""));
    Case c;
    c.config.max_age = 100;
    const auto missing = refused(c, Reason::id_token_auth_time);
    ck_assert_sv_eq(missing.fix, "max_age");
    accepted(c.with("auth_time", at(-160)));
    const auto old = refused(c.with("auth_time", at(-161)), Reason::id_token_auth_time);
    ck_assert_sv_contains(old.detail, "max_age 100");
    ck_assert_sv_eq(old.fix, "max_age");
    refused(c.with("auth_time", "0"), Reason::id_token_auth_time);
    refused(c.with("auth_time", at(61)), Reason::id_token_auth_time);
    accepted(c.with("auth_time", at(60)));
    c.config.max_age = 0;
    accepted(c.with("auth_time", at(-60)));
    refused(c.with("auth_time", at(-61)), Reason::id_token_auth_time);
}
END_TEST

START_TEST(i_40_acr_values) {
    accepted(with("acr", "\"anything\""));
    Case c;
    c.config.acr_values = {"mfa", "urn:loa:2"};
    const auto none = refused(c, Reason::id_token_acr);
    ck_assert_sv_contains(none.detail, "no acr");
    ck_assert_sv_contains(none.detail, "\"urn:loa:2\"");
    ck_assert_sv_eq(none.fix, "acr_values");
    const auto other = refused(c.with("acr", "\"0\""), Reason::id_token_acr);
    ck_assert_sv_contains(other.detail, "acr \"0\"");
    accepted(c.with("amr", R"(["pwd","mfa"])"));
    refused(c.with("amr", R"(["pwd"])"), Reason::id_token_acr);
    refused(c.with("amr", R"(["MFA","mfa urn:loa:2"])"), Reason::id_token_acr);
    accepted(c.with("acr", "\"urn:loa:2\""));
}
END_TEST

START_TEST(i_41_size) {
    refused(with("x", "\"" + std::string(1 << 20, 'x') + "\""), Reason::jwt_malformed);
}
END_TEST

START_TEST(null_of_an_optional_claim_is_absence) {
    for (const char* name :
         {"nbf", "azp", "auth_time", "acr", "amr", "at_hash", "c_hash", "sid", "jti", "events"}) {
        accepted(with(name, "null"));
    }
}
END_TEST

START_TEST(the_allow_list) {
    ProviderConfig config;
    const std::vector<std::string> advertised{"none", "HS256", "ES256", "RS256", "ES256K", "ES256"};
    const std::vector<Alg> from_metadata{Alg::ES256, Alg::RS256};
    ck_assert(allowed_algs(config, advertised) == from_metadata);
    const std::vector<Alg> only_rs256{Alg::RS256};
    ck_assert(allowed_algs(config, {}) == only_rs256);
    const std::vector<std::string> symmetric{"HS256", "none"};
    ck_assert(allowed_algs(config, symmetric) == only_rs256);
    config.id_token_algs = {Alg::HS256};
    const std::vector<Alg> configured{Alg::HS256};
    ck_assert(allowed_algs(config, advertised) == configured);
}
END_TEST

static Suite* id_token_suite() {
    Suite* suite = suite_create("id_token");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_good_token_gives_its_parts);
    tcase_add_test(tcase, i_01_other_algorithms_through_the_whole_check);
    tcase_add_test(tcase, i_06_shared_secret_of_one_client_only);
    tcase_add_test(tcase, i_18_types_and_logout_tokens);
    tcase_add_test(tcase, i_23_issuer_is_compared_byte_for_byte);
    tcase_add_test(tcase, i_42_a_tenant_template_is_no_issuer);
    tcase_add_test(tcase, i_24_i_25_audience);
    tcase_add_test(tcase, i_26_several_audiences_and_azp);
    tcase_add_test(tcase, i_28_nbf);
    tcase_add_test(tcase, i_29_i_30_i_31_exp);
    tcase_add_test(tcase, i_32_iat);
    tcase_add_test(tcase, i_33_wrong_types_of_claims_that_are_used);
    tcase_add_test(tcase, i_33_claims_that_nobody_asked_for);
    tcase_add_test(tcase, i_40_one_method_as_a_text_is_a_list_of_one);
    tcase_add_test(tcase, i_34_nonce);
    tcase_add_test(tcase, i_35_without_nonce);
    tcase_add_test(tcase, i_36_sub);
    tcase_add_test(tcase, i_37_at_hash_and_c_hash);
    tcase_add_test(tcase, i_38_duplicate_members);
    tcase_add_test(tcase, i_40_max_age);
    tcase_add_test(tcase, i_40_acr_values);
    tcase_add_test(tcase, i_41_size);
    tcase_add_test(tcase, null_of_an_optional_claim_is_absence);
    tcase_add_test(tcase, the_allow_list);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration id_token_registered("id_token", id_token_suite);
