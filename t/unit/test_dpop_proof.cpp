// SPDX-License-Identifier: Apache-2.0
#include "oidc/dpop_proof.hpp"

#include "flow_fixture.hpp"
#include "oidc/crypto.hpp"
#include "oidc/dpop.hpp"
#include "oidc/signer.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::string_view kToken = "the-access-token";
constexpr std::string_view kUrl = "https://api.example/a/b";

JwsSigner signer_of(Alg alg) {
    auto signer = JwsSigner::from_pem(ForgeKey::for_alg(alg).private_pem(), alg);
    ck_assert_result_ok(signer);
    return *std::move(signer);
}

// Claims of a good proof with one member set to `json`; empty: left out.
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
    add("jti", "\"id-1\"");
    add("htm", "\"GET\"");
    add("htu", "\"https://api.example/a/b\"");
    add("iat", std::to_string(kNow));
    add("ath", "\"" + base64url_encode(sha256(kToken)) + "\"");
    if (!seen && !name.empty()) {
        add(name, json);
    }
    return text + "}";
}

std::string proof(std::string_view claims, std::string_view jwk = {},
                  std::string_view rest = R"("typ":"dpop+jwt")") {
    std::string header = R"({"alg":"ES256","jwk":)";
    header.append(jwk.empty() ? World::key().jwk() : std::string(jwk)).append(",");
    return forge_token(header.append(rest).append("}"), claims, Alg::ES256, World::key());
}

Result<DpopProof> check(std::string_view text, Seconds now = kNow, std::string_view url = kUrl,
                        std::string_view method = "GET") {
    const std::string jkt = signer_of(Alg::ES256).thumbprint();
    const std::string_view urls[] = {"https://other.example/a/b", url};
    return validate_dpop_proof(text, {method, urls, kToken, jkt, now, 60});
}

void assert_invalid(std::string_view text) {
    const auto verdict = check(text);
    const std::string said = describe(verdict);
    ck_assert_msg(!verdict.ok() && verdict.error().reason == Reason::dpop_proof_invalid, "%s: %s",
                  std::string(text).c_str(), said.c_str());
}

}  // namespace

START_TEST(what_we_make_ourselves_is_good) {
    for (const Alg alg : {Alg::RS256, Alg::PS256, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA}) {
        World w;
        const JwsSigner signer = signer_of(alg);
        HttpRequest request;
        request.url = "https://api.example/a/b?c=d";
        ck_assert_result_ok(add_dpop_proof(request, signer, kToken, "nonce", w.fake.ports()));
        const std::string jkt = signer.thumbprint();
        const std::string_view urls[] = {kUrl};
        const auto good =
            validate_dpop_proof(request.headers.back().value, {"GET", urls, kToken, jkt, kNow, 60});
        ck_assert_result_ok(good);
        ck_assert_int_eq(good->remember_until, kNow + 60 + 60 + 1);
        const auto other = validate_dpop_proof(
            request.headers.back().value,
            {"GET", urls, kToken, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", kNow, 60});
        ck_assert_result_is(other, Reason::access_token_binding);
    }
}
END_TEST

START_TEST(the_claims) {
    ck_assert_result_ok(check(proof(payload())));
    for (const char* name : {"jti", "htm", "htu", "iat", "ath"}) {
        for (const char* json : {"", "null", "{}", "[]", "true"}) {
            assert_invalid(proof(payload(name, json)));
        }
    }
    for (const char* json : {"\"get\"", "\"POST\"", "\"\"", "\"GET \""}) {
        assert_invalid(proof(payload("htm", json)));
    }
    assert_invalid(proof(payload("ath", "\"" + base64url_encode(sha256("another")) + "\"")));
    assert_invalid(proof(payload("ath", "\"\"")));
    assert_invalid(proof(payload("jti", "\"\"")));
    assert_invalid(proof(payload("jti", "\"" + std::string(257, 'j') + "\"")));
    ck_assert_result_ok(check(proof(payload("nonce", "\"anything\""))));
    const auto two = [](std::string_view jti) { return check(proof(payload("jti", jti)))->digest; };
    ck_assert(two("\"a\"") != two("\"b\""));
    ck_assert(two("\"a\"") == two("\"a\""));
}
END_TEST

START_TEST(the_time) {
    const std::string text = proof(payload());
    ck_assert_result_ok(check(text, kNow + 120));
    ck_assert_result_ok(check(text, kNow - 60));
    for (const Seconds now : {kNow + 121, kNow - 61}) {
        const auto verdict = check(text, now);
        ck_assert_result_is(verdict, Reason::dpop_proof_invalid);
    }
    // As long as it could be good it is remembered.
    ck_assert_int_gt(check(text, kNow)->remember_until, kNow + 120);
}
END_TEST

START_TEST(the_url) {
    const auto same = [](std::string_view htu, std::string_view url) {
        return check(proof(payload("htu", "\"" + std::string(htu) + "\"")), kNow, url).ok();
    };
    ck_assert(same("https://api.example/a", "https://api.example/a?x=1"));
    ck_assert(same("https://api.example/a?x=1#y", "https://api.example/a"));
    ck_assert(same("HTTPS://API.example:443/a", "https://api.example/a"));
    ck_assert(same("https://api.example", "https://api.example/"));
    ck_assert(same("https://api.example/%7ea%2f", "https://api.example/~a%2F"));
    for (const char* htu :
         {"https://api.example/A", "https://api.example/a/", "https://api.example:8443/a",
          "http://api.example/a", "https://api.example.evil.example/a", "/a", "", "https:///a",
          "https://u@api.example/a", "https://api.example/%61%2", "https://api.example/a%2F",
          "https://api.example/./a"}) {
        ck_assert_msg(!same(htu, "https://api.example/a"), "%s", htu);
    }
}
END_TEST

START_TEST(the_header) {
    const std::string good = World::key().jwk();
    assert_invalid(proof(payload(), {}, R"("typ":"JWT")"));
    assert_invalid(proof(payload(), {}, R"("x":1)"));
    assert_invalid(proof(payload(), {}, R"("typ":"dpop+jwt","crit":["x"])"));
    assert_invalid(proof(payload(), "null"));
    assert_invalid(proof(payload(), "\"key\""));
    assert_invalid(proof(payload(), "{}"));
    assert_invalid(proof(payload(), R"({"kty":"oct","k":"AAAA"})"));
    assert_invalid(proof(payload(), R"({"kty":"EC","crv":"P-256","x":"AAAA"})"));
    for (const char* secret : {"d", "p", "k", "oth"}) {
        std::string jwk = good;
        jwk.insert(1, "\"" + std::string(secret) + "\":\"AA\",");
        assert_invalid(proof(payload(), jwk));
    }
    // Members that are hashed alone count: what a key says it is for does not.
    std::string marked = good;
    marked.insert(1, R"("use":"enc","alg":"RS256",)");
    ck_assert_result_ok(check(proof(payload(), marked)));
    const auto stranger = check(proof(payload(), ForgeKey::ec("P-256").jwk()));
    ck_assert_result_is(stranger, Reason::access_token_binding);
}
END_TEST

START_TEST(what_is_no_proof) {
    const std::string good = proof(payload());
    for (const std::string& text :
         {std::string(), std::string("a"), std::string("a.b.c"), good.substr(0, good.size() - 4),
          good + ".a", std::string(kMaxDpopProof + 1, 'a'),
          b64(R"({"alg":"none","typ":"dpop+jwt","jwk":)" + World::key().jwk() + "}") + "." +
              b64(payload()) + "."}) {
        assert_invalid(text);
    }
    std::string forged = good;
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    assert_invalid(forged);
    assert_invalid(
        forge_hs_token(R"({"alg":"HS256","typ":"dpop+jwt","jwk":)" + World::key().jwk() + "}",
                       payload(), Alg::HS256, World::key().public_pem()));
}
END_TEST

static Suite* dpop_proof_suite() {
    Suite* suite = suite_create("dpop_proof");
    TCase* tcase = tcase_create("core");
    tcase_add_test(tcase, what_we_make_ourselves_is_good);
    tcase_add_test(tcase, the_claims);
    tcase_add_test(tcase, the_time);
    tcase_add_test(tcase, the_url);
    tcase_add_test(tcase, the_header);
    tcase_add_test(tcase, what_is_no_proof);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration dpop_proof_registered("dpop_proof", dpop_proof_suite);
