// SPDX-License-Identifier: Apache-2.0
#include "oidc/signer.hpp"

#include <openssl/err.h>

#include "forge.hpp"
#include "oidc/client_assertion.hpp"
#include "oidc/encode.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

const std::string kSecret(64, 's');
constexpr Alg kPublic[] = {Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384,
                           Alg::PS512, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA};

JwsSigner signer_of(std::optional<Alg> alg, const ForgeKey& key, std::string_view kid = {}) {
    auto signer = JwsSigner::from_pem(key.private_pem(), alg, kid);
    ck_assert_result_ok(signer);
    return *std::move(signer);
}

}  // namespace

START_TEST(every_algorithm_signs_what_its_key_verifies) {
    for (const Alg alg : kPublic) {
        const JwsSigner signer = signer_of(alg, ForgeKey::for_alg(alg));
        for (int i = 0; i < (alg == Alg::ES512 ? 300 : 3); ++i) {  // short r and s are padded
            const auto token = signer.sign(R"({"n":)" + std::to_string(i) + "}");
            ck_assert_result_ok(token);
            ck_assert_sv_eq(member_text(verified(signer, *token, kSecret), "n"), std::to_string(i));
        }
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    for (const Alg alg : {Alg::HS256, Alg::HS384, Alg::HS512}) {
        const JwsSigner signer = JwsSigner::hmac(alg, kSecret);
        const auto token = signer.sign("{}");
        ck_assert_result_ok(token);
        (void)verified(signer, *token, kSecret);
        ck_assert_sv_eq(signer.jwks(), R"({"keys":[]})");
    }
}
END_TEST

START_TEST(the_key_decides_and_names_itself) {
    const struct {
        Alg like;
        Alg natural;
    } rows[] = {{Alg::PS512, Alg::RS256},
                {Alg::ES256, Alg::ES256},
                {Alg::ES384, Alg::ES384},
                {Alg::ES512, Alg::ES512},
                {Alg::EdDSA, Alg::EdDSA}};
    for (const auto& row : rows) {
        const ForgeKey& key = ForgeKey::for_alg(row.like);
        const JwsSigner signer = signer_of(std::nullopt, key);
        ck_assert(signer.alg() == row.natural);
        std::string kid;
        (void)verified(signer, *signer.sign("{}"), kSecret, &kid);
        ck_assert_uint_eq(kid.size(), 43);
        ck_assert_sv_contains(signer.jwks(), "\"kid\":\"" + kid + "\"");
        ck_assert_sv_eq(signer_of(std::nullopt, key).jwks(), signer.jwks());
    }
    std::string kid;
    const JwsSigner named = signer_of(std::nullopt, ForgeKey::for_alg(Alg::ES256), "a \"b\"");
    (void)verified(named, *named.sign("{}"), kSecret, &kid);
    ck_assert_sv_eq(kid, "a \"b\"");
}
END_TEST

START_TEST(keys_that_are_refused) {
    const std::string p256 = ForgeKey::for_alg(Alg::ES256).private_pem();
    const std::string rsa = ForgeKey::for_alg(Alg::RS256).private_pem();
    const struct {
        std::string pem;
        std::optional<Alg> alg;
        const char* words;
    } rows[] = {
        {"", std::nullopt, "PEM"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", std::nullopt, "PEM"},
        {ForgeKey::for_alg(Alg::ES256).public_pem(), std::nullopt, "PEM"},
        {ForgeKey::for_alg(Alg::ES256).encrypted_pem("x"), std::nullopt, "passphrase"},
        {p256, Alg::ES384, "P-384"},
        {p256, Alg::RS256, "RSA"},
        {p256, Alg::EdDSA, "Ed25519"},
        {rsa, Alg::ES512, "P-521"},
        {p256, Alg::HS256, "secret"},
        {ForgeKey::rsa(1024).private_pem(), std::nullopt, "1024 bits"},
        {ForgeKey::ec("secp256k1").private_pem(), std::nullopt, "neither"},
    };
    for (const auto& row : rows) {
        const auto signer = JwsSigner::from_pem(row.pem, row.alg);
        ck_assert_result_is(signer, Reason::malformed);
        ck_assert_sv_contains(signer.error().detail, row.words);
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
}
END_TEST

START_TEST(p_03_a_key_that_is_named_by_its_certificate) {
    const ForgeKey& key = ForgeKey::for_alg(Alg::PS256);
    const auto header_of = [](const JwsSigner& signer) {
        const std::string token = *signer.sign("{}");
        const auto text = base64url_decode(token.substr(0, token.find('.')));
        return *json_parse_object(text.value_or(""));
    };
    const std::string leaf = key.certificate();
    const std::string chain = leaf + ForgeKey::for_alg(Alg::ES256).certificate("issuer");
    JwsSigner signer = signer_of(Alg::PS256, key);
    const std::string kid = member_text(header_of(signer), "kid");
    const Status set = signer.set_certificate(chain, false);
    ck_assert_result_ok(set);
    const JsonPtr header = header_of(signer);
    ck_assert_sv_eq(member_text(header, "kid"), "(absent)");
    const std::string thumb = member_text(header, "x5t#S256");
    ck_assert_uint_eq(thumb.size(), 43 + 2);
    const auto jwks = json_parse_object(signer.jwks());
    ck_assert_result_ok(jwks);
    const json_t* jwk = json_array_get(json_object_get(jwks->get(), "keys"), 0);
    ck_assert_sv_eq(json_text(json_object_get(jwk, "kid")), kid);
    ck_assert_sv_eq(json_text(json_object_get(jwk, "x5t#S256")), thumb);
    const json_t* x5c = json_object_get(jwk, "x5c");
    ck_assert_uint_eq(json_array_size(x5c), 2);
    std::string body = json_string_value(json_array_get(x5c, 0));
    std::string bare;
    for (const char c : leaf) {
        bare.append(c == '\n' ? "" : std::string(1, c));
    }
    ck_assert_sv_contains(bare, body);
    // Anybody can still verify it, by the one key of the set.
    (void)verified(signer, *signer.sign("{}"), kSecret);
    JwsSigner named = signer_of(std::nullopt, key, "my-key");
    const Status kept = named.set_certificate(leaf, true);
    ck_assert_result_ok(kept);
    ck_assert_sv_eq(member_text(header_of(named), "kid"), "\"my-key\"");
    for (const std::string& bad :
         {std::string(), std::string("x"), key.public_pem(),
          ForgeKey::for_alg(Alg::ES256).certificate(), ForgeKey::rsa().certificate() + leaf}) {
        JwsSigner other = signer_of(std::nullopt, key);
        const Status refused = other.set_certificate(bad, false);
        ck_assert_result_is(refused, Reason::malformed);
        ck_assert_sv_lacks(other.jwks(), "\"x5");
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    JwsSigner secret = JwsSigner::hmac(Alg::HS256, kSecret);
    const Status none = secret.set_certificate(leaf, false);
    ck_assert_result_is(none, Reason::malformed);
}
END_TEST

START_TEST(p_03_the_assertion_of_the_client) {
    FakePorts fake;
    ProviderConfig config;
    config.client_id = "espo \"crm\"";
    config.issuer = "https://op.example";
    ProviderState provider;
    provider.metadata.token_endpoint = "https://op.example/token";
    const JwsSigner signer = signer_of(std::nullopt, ForgeKey::for_alg(Alg::ES256));
    const auto made = [&] {
        const auto token = client_assertion(config, provider, signer, fake.ports());
        ck_assert_result_ok(token);
        return verified(signer, *token, kSecret);
    };
    const JsonPtr first = made();
    ck_assert_uint_eq(json_object_size(first.get()), 6);
    ck_assert_sv_eq(member_text(first, "iss"), R"("espo \"crm\"")");
    ck_assert_sv_eq(member_text(first, "sub"), R"("espo \"crm\"")");
    ck_assert_sv_eq(member_text(first, "aud"), R"("https://op.example")");
    const Seconds now = fake.clock.now();
    ck_assert_sv_eq(member_text(first, "iat"), std::to_string(now));
    ck_assert_sv_eq(member_text(first, "exp"), std::to_string(now + 60));
    ck_assert_uint_eq(member_text(first, "jti").size(), 22 + 2);
    ck_assert_sv_lacks(member_text(made(), "jti"), member_text(first, "jti"));
    // Another server's token endpoint in the metadata never gets into it unless that is asked for.
    provider.metadata.token_endpoint = "https://evil.example/token";
    ck_assert_sv_eq(member_text(made(), "aud"), R"("https://op.example")");
    config.client_assertion_audience = kTokenEndpointAudience;
    ck_assert_sv_eq(member_text(made(), "aud"), R"("https://evil.example/token")");
    config.client_assertion_audience = "urn:of:the:provider";
    ck_assert_sv_eq(member_text(made(), "aud"), R"("urn:of:the:provider")");
    FailingRandom broken;
    const Ports none{fake.clock, broken, fake.log};
    ck_assert_result_is(client_assertion(config, provider, signer, none), Reason::internal_error);
}
END_TEST

static Suite* signer_suite() {
    Suite* suite = suite_create("signer");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_algorithm_signs_what_its_key_verifies);
    tcase_add_test(tcase, the_key_decides_and_names_itself);
    tcase_add_test(tcase, keys_that_are_refused);
    tcase_add_test(tcase, p_03_a_key_that_is_named_by_its_certificate);
    tcase_add_test(tcase, p_03_the_assertion_of_the_client);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration signer_registered("signer", signer_suite);
