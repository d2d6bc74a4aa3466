// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>

#include <set>
#include <stdexcept>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::FailingRandom;
using oidc::unit::FakeRandom;
using oidc::unit::Registration;
using oidc::unit::unhex;

static AeadKey key_of(std::uint8_t byte) {
    AeadKey key{};
    key.fill(byte);
    return key;
}

// RFC 4231 4.2 and 4.3; how long the key is counts.
START_TEST(hmac) {
    Digest mac{};
    ck_assert(hmac_sha256(as_bytes(std::string(20, '\x0b')), as_bytes("Hi There"), mac));
    ck_assert_sv_eq(hex_encode(mac),
                    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    ck_assert(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"), mac));
    ck_assert_sv_eq(hex_encode(mac),
                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}
END_TEST

START_TEST(sha256_vectors) {
    // FIPS 180-4.
    ck_assert_sv_eq(hex_encode(sha256("abc")),
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert_sv_eq(hex_encode(sha256("")),
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    Sha256 hasher;
    Digest out{};
    for (int i = 0; i < 3; ++i) {  // the context is used again
        ck_assert(hasher.digest(
            as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out));
        ck_assert_sv_eq(hex_encode(out),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    // RFC 7636 appendix B.
    ck_assert_sv_eq(base64url_encode(sha256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
                    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}
END_TEST

START_TEST(fields_are_delimited) {
    std::set<std::string> digests;
    for (const auto& digest :
         {sha256_fields({"ab", "c"}), sha256_fields({"a", "bc"}), sha256_fields({"abc"}),
          sha256_fields({"abc", ""}), sha256_fields({"", "abc"}), sha256_fields({}),
          sha256_fields({""}), sha256_fields({"", ""})}) {
        digests.insert(hex_encode(digest));
    }
    ck_assert_uint_eq(digests.size(), 8);
    const std::string input = unhex("0000000000000002") + "ab" + unhex("0000000000000001") + "c";
    ck_assert_sv_eq(hex_encode(sha256_fields({"ab", "c"})), hex_encode(sha256(input)));
}
END_TEST

START_TEST(hkdf_vectors) {
    // RFC 5869 appendix A.3 has neither salt nor info; its first block is our key.
    const std::string ikm(22, '\x0b');
    const auto key = derive_key(as_bytes(ikm), "");
    ck_assert_result_ok(key);
    ck_assert_sv_eq(hex_encode(*key),
                    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    const auto one = derive_key(as_bytes(ikm), "one");
    const auto two = derive_key(as_bytes(ikm), "two");
    const auto again = derive_key(as_bytes(ikm), "one");
    ck_assert(one.ok() && two.ok() && again.ok());
    ck_assert(*one != *two);
    ck_assert(*one == *again);
    const auto none = derive_key({}, "one");
    ck_assert_result_is(none, Reason::internal_error);
}
END_TEST

START_TEST(gcm_layout) {
    const AeadKey ring[] = {key_of(7)};
    const Aead aead(ring);
    FakeRandom random;
    const auto sealed = aead.seal("hello", {"aad"}, random);
    ck_assert_result_ok(sealed);
    ck_assert_uint_eq(sealed->size(), 1 + 12 + 5 + 16);
    ck_assert_int_eq((*sealed)[0], 1);
    ck_assert_sv_eq(hex_encode(as_bytes(sealed->substr(1, 12))), "000102030405060708090a0b");
    const auto opened = aead.open(*sealed, {"aad"});
    ck_assert(opened.has_value());
    ck_assert_sv_eq(opened->view(), "hello");
}
END_TEST

START_TEST(gcm_round_trips) {
    const AeadKey ring[] = {key_of(7)};
    const Aead aead(ring);
    FakeRandom random;
    std::set<std::string> nonces;
    for (const std::size_t size : {0, 1, 15, 16, 17, 4096, 100'000}) {
        const std::string plain(size, 'p');
        const auto sealed = aead.seal(plain, {}, random);
        ck_assert_result_ok(sealed);
        nonces.insert(sealed->substr(1, 12));
        const auto opened = aead.open(*sealed, {});
        ck_assert(opened.has_value());
        ck_assert_sv_eq(opened->view(), plain);
    }
    ck_assert_uint_eq(nonces.size(), 7);
    const std::string huge(16 * 1024 * 1024 + 1, 'p');
    const auto too_much = aead.seal(huge, {}, random);
    ck_assert_result_is(too_much, Reason::internal_error);
    ck_assert(!aead.open("\x01" + huge + std::string(40, 'x'), {}).has_value());
}
END_TEST

START_TEST(every_changed_bit_is_noticed) {  // C-05
    const AeadKey ring[] = {key_of(7), key_of(8)};
    const Aead aead(ring);
    FakeRandom random;
    const auto result = aead.seal("hello", {"a", "b"}, random);
    ck_assert_result_ok(result);
    const std::string& sealed = *result;
    for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
        std::string bad = sealed;
        bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
        ck_assert(!aead.open(bad, {"a", "b"}).has_value());
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) {  // cut tags and all other cuts
        ck_assert(!aead.open(sealed.substr(0, size), {"a", "b"}).has_value());
    }
    for (const std::size_t more : {1, 4, 16}) {
        ck_assert(!aead.open(sealed + std::string(more, '\0'), {"a", "b"}).has_value());
    }
    ck_assert(!aead.open("", {"a", "b"}).has_value());
    ck_assert(aead.open(sealed, {"a", "b"}).has_value());
}
END_TEST

START_TEST(aad_is_bound_and_delimited) {
    const AeadKey ring[] = {key_of(7)};
    const Aead aead(ring);
    FakeRandom random;
    const auto sealed = aead.seal("x", {"ab", "c"}, random);
    ck_assert_result_ok(sealed);
    ck_assert(aead.open(*sealed, {"ab", "c"}).has_value());
    ck_assert(!aead.open(*sealed, {"a", "bc"}).has_value());
    ck_assert(!aead.open(*sealed, {"abc"}).has_value());
    ck_assert(!aead.open(*sealed, {"c", "ab"}).has_value());
    ck_assert(!aead.open(*sealed, {"ab", "c", ""}).has_value());
    ck_assert(!aead.open(*sealed, {}).has_value());
}
END_TEST

START_TEST(key_ring) {  // C-06
    const AeadKey old_ring[] = {key_of(1)};
    const AeadKey both[] = {key_of(2), key_of(1)};
    const AeadKey new_ring[] = {key_of(2)};
    FakeRandom random;
    const auto old_text = Aead(old_ring).seal("old", {}, random);
    ck_assert_result_ok(old_text);
    const Aead ring(both);
    const auto opened = ring.open(*old_text, {});
    ck_assert(opened.has_value());
    ck_assert_sv_eq(opened->view(), "old");
    ck_assert(!Aead(new_ring).open(*old_text, {}).has_value());
    const auto new_text = ring.seal("new", {}, random);
    ck_assert_result_ok(new_text);
    ck_assert(Aead(new_ring).open(*new_text, {}).has_value());  // the first key sealed it
    ck_assert(!Aead(old_ring).open(*new_text, {}).has_value());
}
END_TEST

START_TEST(ring_size) {
    const auto refused = [](std::size_t keys) {
        const std::vector<AeadKey> ring(keys, key_of(1));
        try {
            const Aead aead(ring);
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    ck_assert(refused(0));
    ck_assert(!refused(1));
    ck_assert(!refused(8));
    ck_assert(refused(9));
}
END_TEST

START_TEST(failing_randomness_fails) {
    FailingRandom random;
    const AeadKey ring[] = {key_of(7)};
    const auto sealed = Aead(ring).seal("x", {}, random);
    ck_assert_result_is(sealed, Reason::internal_error);
    const auto token = random_token(random);
    ck_assert_result_is(token, Reason::internal_error);
}
END_TEST

START_TEST(tokens) {
    FakeRandom random;
    const auto first = random_token(random);
    const auto second = random_token(random);
    ck_assert_result_ok(first);
    ck_assert_result_ok(second);
    ck_assert_uint_eq(first->size(), 43);
    ck_assert_sv_eq(*first, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    ck_assert(*first != *second);
    const auto small = random_token(random, 16);
    ck_assert_result_ok(small);
    ck_assert_uint_eq(small->size(), 22);
    const auto none = random_token(random, 0);
    ck_assert_result_is(none, Reason::internal_error);
}
END_TEST

START_TEST(the_error_queue_stays_empty) {
    {
        const OpensslErrorGuard guard;
        ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
        ck_assert(ERR_peek_error() != 0);
    }
    ck_assert(ERR_peek_error() == 0);
    const AeadKey ring[] = {key_of(7)};
    const Aead aead(ring);
    ck_assert(!aead.open("\x01" + std::string(60, 'x'), {}).has_value());
    ck_assert(ERR_peek_error() == 0);
    (void)sha256("x");
    ck_assert(ERR_peek_error() == 0);
}
END_TEST

// No provider has this property, so every fetch of an algorithm fails until the default is back.
START_TEST(a_library_without_algorithms_fails_closed) {
    const AeadKey ring[] = {key_of(7)};
    FakeRandom random;
    const auto sealed = Aead(ring).seal("x", {}, random);
    ck_assert_result_ok(sealed);

    ck_assert_int_eq(EVP_set_default_properties(nullptr, "provider=none"), 1);
    Digest digest{};
    const bool hashed = Sha256().digest(as_bytes("x"), digest);
    const Aead broken(ring);
    const auto not_sealed = broken.seal("x", {}, random);
    const auto not_opened = broken.open(*sealed, {});
    const auto key = derive_key(as_bytes("key"), "label");
    const bool queue_empty = ERR_peek_error() == 0;
    ck_assert_int_eq(EVP_set_default_properties(nullptr, ""), 1);

    // SHA-256 may not need the library's algorithms; then it must be right without them.
    ck_assert(!hashed || hex_encode(digest).substr(0, 8) == "2d711642");
    ck_assert_result_is(not_sealed, Reason::internal_error);
    ck_assert(!not_opened.has_value());
    ck_assert_result_is(key, Reason::internal_error);
    ck_assert(queue_empty);
    ck_assert_sv_eq(hex_encode(sha256("")).substr(0, 8), "e3b0c442");
}
END_TEST

static Suite* crypto_suite() {
    Suite* suite = suite_create("crypto");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, hmac);
    tcase_add_test(tcase, sha256_vectors);
    tcase_add_test(tcase, fields_are_delimited);
    tcase_add_test(tcase, hkdf_vectors);
    tcase_add_test(tcase, gcm_layout);
    tcase_add_test(tcase, gcm_round_trips);
    tcase_add_test(tcase, every_changed_bit_is_noticed);
    tcase_add_test(tcase, aad_is_bound_and_delimited);
    tcase_add_test(tcase, key_ring);
    tcase_add_test(tcase, ring_size);
    tcase_add_test(tcase, failing_randomness_fails);
    tcase_add_test(tcase, tokens);
    tcase_add_test(tcase, the_error_queue_stays_empty);
    tcase_add_test(tcase, a_library_without_algorithms_fails_closed);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration crypto_registered("crypto", crypto_suite);
