// SPDX-License-Identifier: Apache-2.0
#include "oidc/jwk.hpp"

#include <openssl/err.h>

#include <chrono>

#include "forge.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

// One key that is fine, so that a test sees the bad one left out and not the document refused.
const std::string& good_key() {
    static const std::string key = ForgeKey::for_alg(Alg::ES256).jwk("good");
    return key;
}

void assert_ignored(const std::string& key) {
    const auto set = KeySet::parse(forge_jwks({key, good_key()}));
    ck_assert_result_ok(set);
    ck_assert_msg(set->size() == 1 && set->ignored() == 1, "used: %s", key.c_str());
    ck_assert_uint_eq(set->candidates(Alg::ES256, "good").size(), 1);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

void assert_used(const std::string& key, Alg alg) {
    const auto set = KeySet::parse(forge_jwks({key}));
    ck_assert_result_ok(set);
    ck_assert_msg(set->size() == 1, "not used: %s", key.c_str());
    ck_assert_uint_eq(set->candidates(alg, "").size(), 1);
}

std::string rsa_jwk(std::string_view n, std::string_view e, std::string_view more = {}) {
    return R"({"kty":"RSA","n":")" + b64(n) + R"(","e":")" + b64(e) + "\"" + std::string(more) +
           "}";
}

std::string modulus(std::size_t bits) {
    std::string n(bits / 8, '\x5b');
    n.front() = '\xc1';
    n.back() = '\x0f';
    return n;
}

const std::string kF4("\x01\x00\x01", 3);

std::string ec_jwk(std::string_view curve, std::string_view x, std::string_view y) {
    return R"({"kty":"EC","crv":")" + std::string(curve) + R"(","x":")" + b64(x) + R"(","y":")" +
           b64(y) + "\"}";
}

}  // namespace

START_TEST(every_kind_of_key_verifies_its_algorithms_only) {
    const Alg all[] = {Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384,
                       Alg::PS512, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA,
                       Alg::HS256, Alg::HS384, Alg::HS512};
    const Alg kinds[] = {Alg::RS256, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA};
    for (const Alg kind : kinds) {
        const auto set = KeySet::parse(forge_jwks({ForgeKey::for_alg(kind).jwk("k")}));
        ck_assert_result_ok(set);
        ck_assert_uint_eq(set->size(), 1);
        for (const Alg alg : all) {
            const bool rsa = alg_name(alg)[0] == 'R' || alg_name(alg)[0] == 'P';
            const bool fits = kind == Alg::RS256 ? rsa : alg == kind;
            ck_assert_uint_eq(set->candidates(alg, "").size(), fits ? 1 : 0);
            ck_assert_uint_eq(set->candidates(alg, "k").size(), fits ? 1 : 0);
            ck_assert_uint_eq(set->candidates(alg, "K").size(), 0);
        }
    }
}
END_TEST

START_TEST(rfc_7517_a_1_public_keys) {
    const auto set = KeySet::parse(R"({"keys":[
      {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
       "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
      {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
       "e":"AQAB","alg":"RS256","kid":"2011-04-29"}]})");
    ck_assert_result_ok(set);
    ck_assert_uint_eq(set->size(), 1);  // the first is for encryption
    ck_assert_uint_eq(set->ignored(), 1);
    ck_assert_uint_eq(set->candidates(Alg::RS256, "2011-04-29").size(), 1);
    ck_assert_uint_eq(set->candidates(Alg::RS512, "2011-04-29").size(), 0);  // its own alg
    ck_assert_uint_eq(set->candidates(Alg::ES256, "1").size(), 0);
}
END_TEST

START_TEST(j_05_documents) {
    for (const char* text :
         {"", "[]", "<html>", "null", "{\"keys\":[", "{\"keys\":{}}", "{\"keys\":null}",
          "{\"keys\":\"x\"}", "{\"keys\":[]} {}", "{\"keys\":[],\"keys\":[]}"}) {
        const auto set = KeySet::parse(text);
        ck_assert_result_is(set, Reason::jwks_invalid);
        ck_assert(!set.error().detail.empty());
    }
    for (const char* text : {"{}", "{\"keys\":[]}", "{\"other\":1}"}) {
        const auto set = KeySet::parse(text);
        ck_assert_result_ok(set);
        ck_assert_uint_eq(set->size(), 0);
        ck_assert_uint_eq(set->ignored(), 0);
        ck_assert(set->candidates(Alg::RS256, "").empty());
    }
}
END_TEST

START_TEST(j_05_other_entries_are_left_out_one_by_one) {
    for (const char* key :
         {"1", "null", "\"x\"", "[]", "{}", R"({"kty":5})", R"({"kty":"foo"})", R"({"kty":"RSA"})",
          R"({"kty":"EC","crv":"P-256"})", R"({"kty":"OKP","crv":"Ed25519"})",
          R"({"kty":"OKP","crv":"Ed448","x":"AAAA"})", R"({"kty":"OKP","crv":"X25519","x":"AAAA"})",
          R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})"}) {
        assert_ignored(key);
    }
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    assert_ignored(rsa.jwk("", R"(,"kid":7)"));
    assert_ignored(rsa.jwk("", R"(,"alg":7)"));
    assert_ignored(ec_jwk("secp256k1", std::string(32, 'x'), std::string(32, 'y')));
}
END_TEST

START_TEST(i_12_keys_for_other_purposes) {
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    const ForgeKey& p384 = ForgeKey::for_alg(Alg::ES384);
    for (const char* more :
         {R"(,"use":"enc")", R"(,"use":"Sig")", R"(,"use":"")", R"(,"use":1)",
          R"(,"key_ops":["encrypt"])", R"(,"key_ops":[])", R"(,"key_ops":"verify")",
          R"(,"key_ops":["sign",1])", R"(,"alg":"RSA-OAEP")", R"(,"alg":"ES256")",
          R"(,"alg":"none")", R"(,"alg":"HS256")", R"(,"alg":"")"}) {
        assert_ignored(rsa.jwk("", more));
    }
    assert_ignored(p384.jwk("", R"(,"alg":"ES256")"));
    for (const char* more : {R"(,"use":"sig")", R"(,"key_ops":["sign","verify"])",
                             R"(,"alg":"RS256")", R"(,"use":null,"alg":null,"kid":null)"}) {
        assert_used(rsa.jwk("", more), Alg::RS256);
    }
}
END_TEST

START_TEST(b_15_what_was_left_out_is_told) {
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    const std::string plain =
        R"({"kty":"RSA","kid":"nam","e":"AQAB","n":"AMw/+)" + std::string(340, 'x') + "==\"}";
    const auto told = [](std::initializer_list<std::string> keys, bool signing) {
        const auto set = KeySet::parse(forge_jwks(keys));
        ck_assert_result_ok(set);
        ck_assert_int_eq(set->ignored_a_signing_key(), signing);
        return set->first_ignored();
    };
    const std::string oct = R"({"kty":"oct","kid":"secret-name","k":"AAAA"})";
    const std::string enc = rsa.jwk("e", R"(,"use":"enc")");
    ck_assert_sv_eq(told({plain}, true), "key \"nam\" is left out: \"n\" is not base64url");
    // Keys for other purposes are nothing to talk about, unless there is nothing else.
    ck_assert_sv_contains(told({enc, oct, plain}, true), "\"nam\"");
    ck_assert_sv_contains(told({enc, oct}, false), "\"e\" is left out: it is not meant for");
    ck_assert_sv_contains(told({oct}, false), "secret-name");
    ck_assert_sv_eq(told({rsa.jwk("k")}, false), "");
    for (const auto& [key, text] :
         {std::pair{rsa.jwk("k", R"(,"alg":"RSA")"), R"(alg "RSA" is no algorithm)"},
          std::pair{rsa.jwk("k", R"(,"alg":"ES256")"), R"(alg "ES256" does not fit it)"},
          std::pair{rsa_jwk(std::string(64, 'y'), "\3"), "has 511 bits"},
          std::pair{std::string(R"({"kty":"RSA","e":"AQAB"})"), R"("n" is missing)"},
          std::pair{std::string(R"({"kty":"foo"})"), R"("kty" is "foo")"},
          std::pair{std::string("5"), "it is no object"}}) {
        const auto set = KeySet::parse(forge_jwks({key}));
        ck_assert_result_ok(set);
        ck_assert_sv_contains(set->first_ignored(), text);
    }
    // Nothing of the material.
    ck_assert_sv_lacks(told({plain}, true), "xxxx");
    ck_assert_sv_contains(told({R"({"kty":"foo"})"}, true), "key 1, which has no kid, is left out");
}
END_TEST

START_TEST(j_07_oct_keys_are_never_used) {
    assert_ignored(
        R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow","alg":"HS256"})");
}
END_TEST

START_TEST(j_08_private_members_are_not_looked_at) {
    const ForgeKey& p256 = ForgeKey::for_alg(Alg::ES256);
    assert_used(p256.jwk("k", R"(,"d":"not base64!")"), Alg::ES256);
    assert_used(ForgeKey::for_alg(Alg::RS256).jwk("k", R"(,"d":7,"p":"AA","q":[],"dp":"")"),
                Alg::RS256);
}
END_TEST

START_TEST(j_09_e_13_rsa_keys_that_are_refused) {
    const auto started = std::chrono::steady_clock::now();
    for (const std::size_t bits : {8U, 512U, 1024U, 2040U, 8200U, 16384U, 32768U}) {
        assert_ignored(rsa_jwk(modulus(bits), kF4));
    }
    std::string even = modulus(2048);
    even.back() = '\x10';
    assert_ignored(rsa_jwk(even, kF4));
    std::string bits_2047 = modulus(2048);
    bits_2047.front() = '\x7f';
    assert_ignored(rsa_jwk(bits_2047, kF4));
    assert_ignored(rsa_jwk(std::string(256, '\0'), kF4));
    assert_ignored(rsa_jwk("", kF4));
    assert_ignored(rsa_jwk(modulus(2048), ""));
    for (const std::string& e : {std::string("\x01"), std::string("\x02"), raw("\0"),
                                 raw("\x01\x00\x00"), raw("\x01\x00\x00\x00\x01"), modulus(2048)}) {
        assert_ignored(rsa_jwk(modulus(2048), e));
    }
    const auto took = std::chrono::steady_clock::now() - started;
    ck_assert(took < std::chrono::seconds(5));

    assert_used(rsa_jwk(modulus(2048), "\x03"), Alg::RS256);
    assert_used(rsa_jwk(modulus(8192), "\xff\xff\xff\xff"), Alg::PS512);
    // The sign byte that some providers leave in front.
    assert_used(rsa_jwk(raw("\0") + modulus(2048), raw("\0\x01\0\x01")), Alg::RS256);
}
END_TEST

START_TEST(j_10_points_that_are_refused) {
    const ForgeKey& p256 = ForgeKey::for_alg(Alg::ES256);
    const std::string x = p256.number(OSSL_PKEY_PARAM_EC_PUB_X, 32);
    const std::string y = p256.number(OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    assert_used(ec_jwk("P-256", x, y), Alg::ES256);
    std::string off = y;
    off.back() = static_cast<char>(off.back() ^ 1);
    assert_ignored(ec_jwk("P-256", x, off));
    assert_ignored(ec_jwk("P-256", std::string(32, '\0'), std::string(32, '\0')));  // infinity
    assert_ignored(ec_jwk("P-256", std::string(32, '\xff'), std::string(32, '\xff')));
    assert_ignored(ec_jwk("P-256", x.substr(1), y));
    assert_ignored(ec_jwk("P-256", raw("\0") + x, y));
    assert_ignored(ec_jwk("P-256", x, ""));
    assert_ignored(ec_jwk("P-384", x, y));
    assert_ignored(ec_jwk("P-521", x, y));
    assert_ignored(ec_jwk("p-256", x, y));
    assert_ignored(R"({"kty":"EC","crv":"P-256","x":"-1","y":"-1"})");
    assert_ignored(R"({"kty":"EC","crv":5,"x":")" + b64(x) + R"(","y":")" + b64(y) + "\"}");
}
END_TEST

START_TEST(j_11_bounds) {
    std::string keys;
    for (int i = 0; i < 100; ++i) {
        keys += (i == 0 ? "" : ",") + std::string("{}");
    }
    const auto hundred = KeySet::parse("{\"keys\":[" + keys + "]}");
    ck_assert_result_ok(hundred);
    ck_assert_uint_eq(hundred->ignored(), 100);
    const auto more = KeySet::parse("{\"keys\":[" + keys + ",{}]}");
    ck_assert_result_is(more, Reason::jwks_invalid);
    ck_assert_sv_contains(more.error().detail, "101");
    const auto big = KeySet::parse("{\"x\":\"" + std::string(300 * 1024, 'x') + "\"}");
    ck_assert_result_is(big, Reason::jwks_invalid);
}
END_TEST

START_TEST(j_12_same_kid_on_several_keys) {
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    const ForgeKey& p256 = ForgeKey::for_alg(Alg::ES256);
    const auto set = KeySet::parse(
        forge_jwks({rsa.jwk("k"), p256.jwk("k"), rsa_jwk(modulus(2048), kF4, R"(,"kid":"k")")}));
    ck_assert_result_ok(set);
    ck_assert_uint_eq(set->candidates(Alg::RS256, "k").size(), 2);
    ck_assert_uint_eq(set->candidates(Alg::ES256, "k").size(), 1);

    std::string many;
    for (int i = 0; i < 20; ++i) {
        many += (i == 0 ? "" : ",") + p256.jwk("k");
    }
    const auto bounded = KeySet::parse("{\"keys\":[" + many + "]}");
    ck_assert_result_ok(bounded);
    ck_assert_uint_eq(bounded->size(), 20);
    ck_assert_uint_eq(bounded->candidates(Alg::ES256, "k").size(), 8);
    ck_assert_uint_eq(bounded->candidates(Alg::ES256, "").size(), 8);
}
END_TEST

START_TEST(j_13_certificates_are_not_looked_at) {
    const ForgeKey& rsa = ForgeKey::for_alg(Alg::RS256);
    for (const char* more :
         {R"(,"x5c":["!!!"])", R"(,"x5c":7)", R"(,"x5u":"https://evil.example/")",
          R"(,"jku":"https://evil.example/","x5t":"x","x5t#S256":{})"}) {
        assert_used(rsa.jwk("k", more), Alg::RS256);
    }
}
END_TEST

START_TEST(members_are_strict_base64url) {
    const std::string n = b64(modulus(2048));
    for (const std::string& bad : {n + "=", n + "\\n", " " + n, "+" + n.substr(1)}) {
        assert_ignored(R"({"kty":"RSA","e":"AQAB","n":")" + bad + "\"}");
    }
    assert_ignored(R"({"kty":"RSA","e":"AQAB","n":5})");
    assert_ignored(R"({"kty":"RSA","n":")" + n + R"(","e":65537})");
}
END_TEST

static Suite* jwk_suite() {
    Suite* suite = suite_create("jwk");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_kind_of_key_verifies_its_algorithms_only);
    tcase_add_test(tcase, rfc_7517_a_1_public_keys);
    tcase_add_test(tcase, j_05_documents);
    tcase_add_test(tcase, j_05_other_entries_are_left_out_one_by_one);
    tcase_add_test(tcase, i_12_keys_for_other_purposes);
    tcase_add_test(tcase, b_15_what_was_left_out_is_told);
    tcase_add_test(tcase, j_07_oct_keys_are_never_used);
    tcase_add_test(tcase, j_08_private_members_are_not_looked_at);
    tcase_add_test(tcase, j_09_e_13_rsa_keys_that_are_refused);
    tcase_add_test(tcase, j_10_points_that_are_refused);
    tcase_add_test(tcase, j_11_bounds);
    tcase_add_test(tcase, j_12_same_kid_on_several_keys);
    tcase_add_test(tcase, j_13_certificates_are_not_looked_at);
    tcase_add_test(tcase, members_are_strict_base64url);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration jwk_registered("jwk", jwk_suite);
