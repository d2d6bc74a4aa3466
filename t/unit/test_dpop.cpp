// SPDX-License-Identifier: Apache-2.0
#include "oidc/dpop.hpp"

#include "flow_fixture.hpp"
#include "oidc/jwk.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Alg kAlgs[] = {Alg::RS256, Alg::PS256, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA};

JwsSigner signer_of(Alg alg) {
    auto signer = JwsSigner::from_pem(ForgeKey::for_alg(alg).private_pem(), alg);
    ck_assert_result_ok(signer);
    return *std::move(signer);
}

JsonPtr part(std::string_view token, int index) {
    while (index-- > 0) {
        token.remove_prefix(token.find('.') + 1);
    }
    const auto text = base64url_decode(token.substr(0, token.find('.')));
    return *json_parse_object(text.value_or(""));
}

// The proof of the only DPoP header.
std::string proof_of(const HttpRequest& request) {
    std::string proof;
    for (const Header& header : request.headers) {
        if (header.name == "DPoP") {
            ck_assert_sv_eq(proof, "");
            proof = header.value;
        }
    }
    return proof;
}

HttpResponse refusal(int status, std::string_view error, std::string_view nonce) {
    HttpResponse response = json_response(R"({"error":")" + std::string(error) + "\"}");
    response.status = status;
    response.dpop_nonce = nonce;
    return response;
}

struct Bound {
    World world;
    Bound() {
        world.config.dpop_key = std::make_shared<const JwsSigner>(signer_of(Alg::ES256));
        world.config.userinfo = true;
    }
    HttpResponse tokens(std::string_view type = "DPoP") const {
        return json_response(R"({"token_type":")" + std::string(type) +
                             R"(","access_token":"access-token","id_token":")" + world.id_token() +
                             "\"}");
    }
};

}  // namespace

START_TEST(p_04_members_of_a_proof) {
    FakePorts fake;
    for (const Alg alg : kAlgs) {
        const JwsSigner signer = signer_of(alg);
        HttpRequest request;
        request.method = HttpRequest::Method::post;
        request.url = "https://op.example/token?tenant=x#f";
        const Status added = add_dpop_proof(request, signer, {}, {}, fake.ports());
        ck_assert_result_ok(added);
        const std::string proof = proof_of(request);
        const JsonPtr header = part(proof, 0);
        ck_assert_uint_eq(json_object_size(header.get()), 3);
        ck_assert_sv_eq(member_text(header, "typ"), "\"dpop+jwt\"");
        ck_assert_sv_eq(member_text(header, "alg"), "\"" + std::string(alg_name(alg)) + "\"");
        const std::string jwk = member_text(header, "jwk");
        for (const char* secret : {"\"d\"", "\"p\"", "\"q\"", "\"k\""}) {
            ck_assert_sv_lacks(jwk, secret);
        }
        ck_assert_sv_eq(base64url_encode(sha256(jwk)), signer.thumbprint());
        const JsonPtr claims = part(proof, 1);
        ck_assert_uint_eq(json_object_size(claims.get()), 4);
        ck_assert_sv_eq(member_text(claims, "htm"), "\"POST\"");
        ck_assert_sv_eq(member_text(claims, "htu"), "\"https://op.example/token\"");
        ck_assert_sv_eq(member_text(claims, "iat"), std::to_string(fake.clock.now()));
        ck_assert_uint_eq(member_text(claims, "jti").size(), 22 + 2);
        // What verifies it is in it.
        const auto keys = KeySet::parse("{\"keys\":[" + jwk + "]}");
        ck_assert_result_ok(keys);
        const Alg allowed[] = {alg};
        constexpr std::string_view kTyps[] = {"dpop+jwt"};
        VerifyOptions options;
        options.allowed = allowed;
        options.keys = &*keys;
        options.accepted_typ = kTyps;
        ck_assert_result_ok(verify_jws(proof, options));
    }
    const JwsSigner signer = signer_of(Alg::ES256);
    HttpRequest get;
    get.url = "https://op.example/userinfo";
    const Status added = add_dpop_proof(get, signer, "at", "n\"1", fake.ports());
    ck_assert_result_ok(added);
    const JsonPtr claims = part(proof_of(get), 1);
    ck_assert_sv_eq(member_text(claims, "htm"), "\"GET\"");
    ck_assert_sv_eq(member_text(claims, "ath"), "\"" + base64url_encode(sha256("at")) + "\"");
    ck_assert_sv_eq(member_text(claims, "nonce"), R"("n\"1")");
    FailingRandom broken;
    const Ports none{fake.clock, broken, fake.log};
    const Status failed = add_dpop_proof(get, signer, {}, {}, none);
    ck_assert_result_is(failed, Reason::internal_error);
}
END_TEST

START_TEST(p_05_a_nonce_that_is_asked_for_once) {
    Bound b;
    Callback c(b.world);
    Step step = c.start();
    const std::string first = proof_of(expect<Fetch>(step).request);
    ck_assert_sv_eq(member_text(part(first, 1), "nonce"), "(absent)");
    step = c.flow.resume(refusal(400, "use_dpop_nonce", "n-1"));
    const HttpRequest again = std::move(expect<Fetch>(step).request);
    ck_assert_sv_contains(again.body.view(), "code=the-code");
    ck_assert_sv_contains(again.body.view(), "code_verifier=the-verifier");
    const JsonPtr claims = part(proof_of(again), 1);
    ck_assert_sv_eq(member_text(claims, "nonce"), "\"n-1\"");
    ck_assert_sv_lacks(member_text(claims, "jti"), member_text(part(first, 1), "jti"));
    step = c.flow.resume(b.tokens());
    const HttpRequest& userinfo = expect<Fetch>(step).request;
    ck_assert_sv_eq(userinfo.authorization.view(), "DPoP access-token");
    ck_assert_sv_eq(member_text(part(proof_of(userinfo), 1), "ath"),
                    "\"" + base64url_encode(sha256("access-token")) + "\"");
    HttpResponse denied = refusal(401, "x", "n-2");
    step = c.flow.resume(std::move(denied));
    ck_assert_sv_eq(member_text(part(proof_of(expect<Fetch>(step).request), 1), "nonce"),
                    "\"n-2\"");
    step = c.flow.resume(refusal(401, "x", "n-3"));
    ck_assert(expect<Refuse>(step).error.reason == Reason::userinfo_denied);
}
END_TEST

START_TEST(p_05_challenges_that_lead_nowhere) {
    const struct {
        int status;
        const char* error;
        const char* nonce;
        bool again;
    } rows[] = {{400, "use_dpop_nonce", "n", true},     {401, "use_dpop_nonce", "n", true},
                {400, "use_dpop_nonce", "", false},     {400, "invalid_grant", "n", false},
                {503, "use_dpop_nonce", "n", false},    {200, "use_dpop_nonce", "n", false},
                {400, "invalid_dpop_proof", "n", false}};
    for (const auto& row : rows) {
        Bound b;
        Callback c(b.world);
        Step step = c.start();
        (void)expect<Fetch>(step);
        step = c.flow.resume(refusal(row.status, row.error, row.nonce));
        ck_assert(std::holds_alternative<Fetch>(step) == row.again);
        if (row.again) {
            step = c.flow.resume(refusal(row.status, row.error, "another"));
            (void)expect<Refuse>(step);
        }
    }
}
END_TEST

START_TEST(p_07_p_08_whether_tokens_are_bound) {
    Bound b;
    Callback unbound(b.world);
    Step step = unbound.start();
    step = unbound.flow.resume(b.tokens("Bearer"));
    ck_assert(expect<Refuse>(step).error.reason == Reason::token_type);
    ck_assert_sv_eq(expect<Refuse>(step).error.fix, "dpop_key");
    Callback spelled(b.world);
    step = spelled.start();
    step = spelled.flow.resume(b.tokens("dPoP"));
    (void)expect<Fetch>(step);
    b.world.config.dpop_key.reset();
    Callback off(b.world);
    step = off.start();
    ck_assert_sv_eq(proof_of(expect<Fetch>(step).request), "");
    step = off.flow.resume(refusal(400, "use_dpop_nonce", "n"));
    ck_assert(expect<Refuse>(step).error.reason == Reason::token_error);
    Callback bound(b.world);
    step = bound.start();
    step = bound.flow.resume(b.tokens("DPoP"));
    ck_assert(expect<Refuse>(step).error.reason == Reason::token_type);
}
END_TEST

static Suite* dpop_suite() {
    Suite* suite = suite_create("dpop");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, p_04_members_of_a_proof);
    tcase_add_test(tcase, p_05_a_nonce_that_is_asked_for_once);
    tcase_add_test(tcase, p_05_challenges_that_lead_nowhere);
    tcase_add_test(tcase, p_07_p_08_whether_tokens_are_bound);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration dpop_registered("dpop", dpop_suite);
