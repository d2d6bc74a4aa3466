// SPDX-License-Identifier: Apache-2.0
#include "oidc/assertion.hpp"

#include <openssl/err.h>

#include "forge.hpp"
#include "oidc/jws.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Seconds kNow = 1'700'000'000;
const std::string kSharedSecret = "an assertion secret of 40 characters!!!!";

std::string session_record(std::vector<Claim> claims) {
    Session session;
    session.provider = "op";
    session.sub = "alice";
    session.claims = std::move(claims);
    auto record = encode_session(session);
    must(record.ok(), "record");
    return std::string(record->view());
}

std::vector<Claim> usual_claims() {
    return {{"admin", "true", "true"},
            {"email", "alice@example.com", ""},
            {"groups", "a,b", R"(["a","b"])"},
            {"name", "Zo\xc3\xab \"Z\"", ""},
            {"unsafe", "", "\"a\\nb\""}};
}

AssertionSigner make(Alg alg, std::string_view key) {
    auto signer = AssertionSigner::create(alg, key);
    must(signer.ok(), "signer");
    return *std::move(signer);
}

AssertionSigner signer_for(Alg alg) {
    return make(alg, alg == Alg::HS256 ? kSharedSecret : ForgeKey::for_alg(alg).private_pem());
}

AssertionSigner::Content content() {
    AssertionSigner::Content c;
    c.issuer = "https://crm.example";
    c.audience = "espocrm";
    c.idp = "https://op.example";
    c.now = kNow;
    return c;
}

std::string sign(const AssertionSigner& signer, const std::string& record,
                 const AssertionSigner::Content& c) {
    FakeRandom random;
    const auto view = SessionView::open(record);
    must(view.has_value(), "view");
    const auto token = signer.sign(*view, c, random);
    ck_assert_result_ok(token);
    return *token;
}

}  // namespace

START_TEST(every_algorithm_signs_what_its_key_verifies) {
    const std::string record = session_record(usual_claims());
    for (const Alg alg : {Alg::HS256, Alg::ES256, Alg::EdDSA}) {
        const AssertionSigner signer = signer_for(alg);
        ck_assert(signer.alg() == alg);
        const JsonPtr payload = verified(signer, sign(signer, record, content()), kSharedSecret);
        ck_assert_sv_eq(member_text(payload, "iss"), "\"https://crm.example\"");
        ck_assert_sv_eq(member_text(payload, "aud"), "\"espocrm\"");
        ck_assert_sv_eq(member_text(payload, "sub"), "\"alice\"");
        ck_assert_sv_eq(member_text(payload, "idp"), "\"https://op.example\"");
        ck_assert_sv_eq(member_text(payload, "iat"), std::to_string(kNow));
        ck_assert_sv_eq(member_text(payload, "exp"), std::to_string(kNow + 60));
        ck_assert_sv_eq(member_text(payload, "admin"), "true");
        ck_assert_sv_eq(member_text(payload, "email"), "\"alice@example.com\"");
        ck_assert_sv_eq(member_text(payload, "groups"), R"(["a","b"])");
        ck_assert_sv_eq(member_text(payload, "name"), "\"Zo\xc3\xab \\\"Z\\\"\"");
        ck_assert_sv_eq(member_text(payload, "unsafe"), "\"a\\nb\"");
        ck_assert_uint_eq(json_object_size(payload.get()), 7 + 5);
    }
}
END_TEST

START_TEST(signatures_keep_their_length) {
    const AssertionSigner signer = signer_for(Alg::ES256);
    const std::string record = session_record({});
    // About one in 128 has a short r or s, which must be padded.
    for (int i = 0; i < 400; ++i) {
        const std::string token = sign(signer, record, content());
        ck_assert_uint_eq(token.size() - token.rfind('.') - 1, 86);
    }
}
END_TEST

START_TEST(jti_differs_and_lifetime_is_bounded) {
    const AssertionSigner signer = signer_for(Alg::HS256);
    const std::string record = session_record({});
    const auto view = SessionView::open(record);
    FakeRandom random;
    AssertionSigner::Content c = content();
    const auto first = signer.sign(*view, c, random);
    const auto second = signer.sign(*view, c, random);
    ck_assert_result_ok(first);
    ck_assert_result_ok(second);
    const std::string jti = member_text(verified(signer, *first, kSharedSecret), "jti");
    ck_assert_sv_lacks(jti, member_text(verified(signer, *second, kSharedSecret), "jti"));
    ck_assert_uint_eq(jti.size(), 22 + 2);
    struct {
        Seconds asked;
        Seconds given;
    } const rows[] = {{0, 1}, {-5, 1}, {1, 1}, {30, 30}, {60, 60}, {61, 60}, {1 << 30, 60}};
    for (const auto& row : rows) {
        c.lifetime = row.asked;
        const JsonPtr payload = verified(signer, sign(signer, record, c), kSharedSecret);
        ck_assert_sv_eq(member_text(payload, "exp"), std::to_string(kNow + row.given));
    }
    FailingRandom broken;
    const auto failed = signer.sign(*view, content(), broken);
    ck_assert_result_is(failed, Reason::internal_error);
}
END_TEST

START_TEST(no_claim_replaces_one_of_ours) {
    const AssertionSigner signer = signer_for(Alg::HS256);
    std::vector<Claim> claims;
    for (const char* name : {"iss", "aud", "sub", "iat", "exp", "jti", "idp"}) {
        claims.push_back({name, "evil", "\"evil\""});
    }
    const std::string record = session_record(claims);
    const std::vector<std::string> names{"iss", "aud", "sub", "iat", "exp", "jti", "idp"};
    AssertionSigner::Content c = content();
    for (const auto* wanted : {static_cast<const std::vector<std::string>*>(nullptr), &names}) {
        c.claim_names = wanted;
        const JsonPtr payload = verified(signer, sign(signer, record, c), kSharedSecret);
        ck_assert_uint_eq(json_object_size(payload.get()), 7);
        ck_assert_sv_lacks(json_text(payload.get()), "evil");
    }
}
END_TEST

START_TEST(rules_for_the_id_token_are_not_passed_on) {
    const AssertionSigner signer = signer_for(Alg::HS256);
    const std::string record = session_record({{"nbf", "1", "1"},
                                               {"azp", "x", ""},
                                               {"nonce", "x", ""},
                                               {"at_hash", "x", ""},
                                               {"auth_time", "5", "5"},
                                               {"realm\x1froles", "r", ""}});
    AssertionSigner::Content c = content();
    const JsonPtr payload = verified(signer, sign(signer, record, c), kSharedSecret);
    ck_assert_uint_eq(json_object_size(payload.get()), 8);
    ck_assert_sv_eq(member_text(payload, "auth_time"), "5");
    const std::vector<std::string> names{"nonce", "missing", "nonce"};
    c.claim_names = &names;
    const JsonPtr chosen = verified(signer, sign(signer, record, c), kSharedSecret);
    ck_assert_uint_eq(json_object_size(chosen.get()), 8);
    ck_assert_sv_eq(member_text(chosen, "nonce"), "\"x\"");
}
END_TEST

START_TEST(only_the_named_claims) {
    const AssertionSigner signer = signer_for(Alg::HS256);
    const std::string record = session_record(usual_claims());
    const std::vector<std::string> names{"groups", "email"};
    AssertionSigner::Content c = content();
    c.claim_names = &names;
    const JsonPtr payload = verified(signer, sign(signer, record, c), kSharedSecret);
    ck_assert_uint_eq(json_object_size(payload.get()), 7 + 2);
    const std::vector<std::string> none;
    c.claim_names = &none;
    const JsonPtr bare = verified(signer, sign(signer, record, c), kSharedSecret);
    ck_assert_uint_eq(json_object_size(bare.get()), 7);
}
END_TEST

START_TEST(published_keys) {
    ck_assert_sv_eq(signer_for(Alg::HS256).jwks(), R"({"keys":[]})");
    for (const Alg alg : {Alg::ES256, Alg::EdDSA}) {
        const AssertionSigner signer = signer_for(alg);
        const auto document = json_parse_object(signer.jwks());
        ck_assert_result_ok(document);
        const json_t* key = json_array_get(json_object_get(document->get(), "keys"), 0);
        ck_assert_sv_eq(json_string_value(json_object_get(key, "alg")), alg_name(alg));
        ck_assert_sv_eq(json_string_value(json_object_get(key, "use")), "sig");
        ck_assert(json_object_get(key, "d") == nullptr);
        // The kid in tokens is the published one.
        const std::string token = sign(signer, session_record({}), content());
        const auto header = json_parse_object(*base64url_decode(token.substr(0, token.find('.'))));
        ck_assert_result_ok(header);
        ck_assert_sv_eq(json_string_value(json_object_get(header->get(), "kid")),
                        json_string_value(json_object_get(key, "kid")));
        ck_assert_sv_eq(json_string_value(json_object_get(header->get(), "typ")), "JWT");
    }
}
END_TEST

// RFC 8037 A.1 to A.3: the key and its thumbprint.
START_TEST(rfc_8037_a_3_thumbprint) {
    const std::string d = *base64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    const PkeyPtr key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_bytes(d).data(), d.size()));
    must(key != nullptr, "key");
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio, &data));
    const std::string pem(data, size);
    BIO_free(bio);
    const AssertionSigner signer = make(Alg::EdDSA, pem);
    ck_assert_sv_contains(signer.jwks(), "\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\"");
    ck_assert_sv_contains(signer.jwks(), "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"");
}
END_TEST

START_TEST(keys_that_are_refused) {
    const ForgeKey& p256 = ForgeKey::for_alg(Alg::ES256);
    const ForgeKey& ed = ForgeKey::for_alg(Alg::EdDSA);
    struct {
        Alg alg;
        std::string key;
    } const rows[] = {
        {Alg::HS256, ""},
        {Alg::HS256, "\n"},
        {Alg::HS256, std::string(31, 's')},
        {Alg::HS256, std::string(31, 's') + "\n"},
        {Alg::HS256, std::string(40, 's') + "\n\n"},
        {Alg::HS256, std::string(40, 's') + "\nmore"},
        {Alg::HS256, std::string(40, 's') + raw("\0")},
        {Alg::HS256, p256.private_pem()},
        {Alg::ES256, ""},
        {Alg::ES256, "not a key"},
        {Alg::ES256, ed.private_pem()},
        {Alg::ES256, ForgeKey::for_alg(Alg::ES384).private_pem()},
        {Alg::ES256, ForgeKey::for_alg(Alg::RS256).private_pem()},
        {Alg::ES256, p256.public_pem()},
        {Alg::ES256, p256.encrypted_pem("passphrase")},
        {Alg::ES256, p256.private_pem().substr(0, 60)},
        {Alg::EdDSA, p256.private_pem()},
        {Alg::EdDSA, ed.public_pem()},
        {Alg::RS256, ForgeKey::for_alg(Alg::RS256).private_pem()},
        {Alg::HS512, std::string(80, 's')},
        {Alg::ES384, ForgeKey::for_alg(Alg::ES384).private_pem()},
    };
    for (const auto& row : rows) {
        const auto signer = AssertionSigner::create(row.alg, row.key);
        ck_assert_result_is(signer, Reason::malformed);
        ck_assert(!signer.error().detail.empty());
        ck_assert_sv_lacks(signer.error().detail, "ssss");
        ck_assert_sv_lacks(signer.error().detail, "PRIVATE");
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
}
END_TEST

START_TEST(secrets_with_one_line_end) {
    const std::string record = session_record({});
    for (const char* end : {"", "\n", "\r\n"}) {
        const AssertionSigner signer = make(Alg::HS256, kSharedSecret + end);
        verified(signer, sign(signer, record, content()), kSharedSecret);
    }
}
END_TEST

START_TEST(what_is_too_large_is_named) {
    std::vector<Claim> claims = usual_claims();
    claims.push_back({"roles", std::string(900, 'r'), ""});
    claims.push_back({"unasked", std::string(2000, 'u'), ""});
    const std::string record = session_record(claims);
    const std::vector<std::string> names{"email", "roles", "groups"};
    for (const Alg alg : {Alg::HS256, Alg::ES256, Alg::EdDSA}) {
        const AssertionSigner signer = signer_for(alg);
        AssertionSigner::Content c = content();
        c.claim_names = &names;
        const std::size_t size = sign(signer, record, c).size();
        c.max_size = size;
        ck_assert_uint_eq(sign(signer, record, c).size(), size);
        c.max_size = size - 1;
        FakeRandom random;
        const auto refused = signer.sign(*SessionView::open(record), c, random);
        ck_assert_result_is(refused, Reason::assertion_too_large);
        for (const std::string& part :
             {std::to_string(size), std::to_string(size - 1), std::string("\"roles\"")}) {
            ck_assert_msg(refused.error().detail.find(part) != std::string::npos, "%s in %s",
                          part.c_str(), refused.error().detail.c_str());
        }
        ck_assert(refused.error().detail.find("rrr") == std::string::npos);
    }
    // Without claims there is none to name.
    AssertionSigner::Content c = content();
    const std::vector<std::string> nothing{"absent"};
    c.claim_names = &nothing;
    c.max_size = 100;
    FakeRandom random;
    const auto refused = signer_for(Alg::HS256).sign(*SessionView::open(record), c, random);
    ck_assert_result_is(refused, Reason::assertion_too_large);
    ck_assert(refused.error().detail.find("claim") == std::string::npos);
}
END_TEST

static Suite* assertion_suite() {
    Suite* suite = suite_create("assertion");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_algorithm_signs_what_its_key_verifies);
    tcase_add_test(tcase, signatures_keep_their_length);
    tcase_add_test(tcase, jti_differs_and_lifetime_is_bounded);
    tcase_add_test(tcase, no_claim_replaces_one_of_ours);
    tcase_add_test(tcase, rules_for_the_id_token_are_not_passed_on);
    tcase_add_test(tcase, only_the_named_claims);
    tcase_add_test(tcase, published_keys);
    tcase_add_test(tcase, rfc_8037_a_3_thumbprint);
    tcase_add_test(tcase, keys_that_are_refused);
    tcase_add_test(tcase, secrets_with_one_line_end);
    tcase_add_test(tcase, what_is_too_large_is_named);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration assertion_registered("assertion", assertion_suite);
