// SPDX-License-Identifier: Apache-2.0
#include "oidc/key_ring.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

const std::string kHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F";
const std::string kBase64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";  // the same key
const std::string kOther = "++//ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw=";

std::string detail_of(const std::string& text) {
    const auto ring = parse_key_ring(text);
    return ring ? "" : ring.error().detail;
}

}  // namespace

START_TEST(keys_are_read_in_each_spelling) {
    const std::string base64url = "--__ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw";
    for (const std::string& text : {kHex, kBase64, kBase64.substr(0, 43), "  " + kHex + "\r\n"}) {
        const auto ring = parse_key_ring(text);
        ck_assert(ring);
        ck_assert_uint_eq(ring->size(), 1);
        for (std::size_t i = 0; i < 32; ++i) {
            ck_assert_uint_eq((*ring)[0][i], i);
        }
    }
    const auto a = parse_key_ring(kOther);
    const auto b = parse_key_ring(base64url);
    ck_assert(a && b);
    ck_assert((*a)[0] == (*b)[0]);
}
END_TEST

START_TEST(the_order_of_a_ring_is_that_of_its_lines) {
    const auto ring = parse_key_ring("# new\n\n" + kOther + "\n# old\n" + kHex + "\n");
    ck_assert(ring);
    ck_assert_uint_eq(ring->size(), 2);
    ck_assert_uint_eq((*ring)[0][0], 0xfb);
    ck_assert_uint_eq((*ring)[1][31], 31);
}
END_TEST

START_TEST(a_bad_key_file_is_refused_and_not_quoted) {
    struct Case {
        std::string text;
        const char* detail;
    };
    const Case cases[] = {
        {"", "it holds no key"},
        {"# nothing\n\n", "it holds no key"},
        {"\n" + kHex.substr(1), "line 2 is no key of 256 bits in hexadecimal digits or base64"},
        {kHex + "0", "line 1 is no key of 256 bits in hexadecimal digits or base64"},
        {"g" + kHex.substr(1), "line 1 is no key of 256 bits in hexadecimal digits or base64"},
        {kBase64 + "=", "line 1 is no key of 256 bits in hexadecimal digits or base64"},
        // The last character carries bits that belong to no byte.
        {kBase64.substr(0, 42) + "9",
         "line 1 is no key of 256 bits in hexadecimal digits or base64"},
        {"changeme", "line 1 is no key of 256 bits in hexadecimal digits or base64"},
        {kHex + "\n" + kBase64, "line 2 repeats an earlier key"},
        {std::string(64, '0'), "line 1 is no random key"},
        {std::string(64, 'a'), "line 1 is no random key"},
    };
    for (const Case& c : cases) {
        const std::string detail = detail_of(c.text);
        ck_assert_msg(detail == c.detail, "%s: %s", c.text.c_str(), detail.c_str());
    }
    std::string many;
    for (int i = 0; i < 9; ++i) {
        many += std::to_string(i) + kHex.substr(1) + "\n";
    }
    const std::string detail = detail_of(many);
    ck_assert_str_eq(detail.c_str(), "it holds more than 8 keys");
    ck_assert(parse_key_ring(many.substr(65)));
}
END_TEST

START_TEST(derived_rings_differ_by_purpose) {
    const auto ring = parse_key_ring(kHex + "\n" + kOther);
    const auto a = derive_ring(*ring, "a");
    const auto b = derive_ring(*ring, "b");
    ck_assert(a && b);
    ck_assert_uint_eq(a->size(), 2);
    ck_assert((*a)[0] != (*b)[0] && (*a)[0] != (*a)[1] && (*a)[0] != (*ring)[0]);
    ck_assert((*derive_ring(*ring, "a"))[1] == (*a)[1]);
}
END_TEST

static Suite* key_ring_suite() {
    Suite* suite = suite_create("key_ring");
    TCase* ring = tcase_create("ring");
    tcase_add_test(ring, keys_are_read_in_each_spelling);
    tcase_add_test(ring, the_order_of_a_ring_is_that_of_its_lines);
    tcase_add_test(ring, a_bad_key_file_is_refused_and_not_quoted);
    tcase_add_test(ring, derived_rings_differ_by_purpose);
    suite_add_tcase(suite, ring);
    return suite;
}

static const Registration key_ring_registered("key_ring", key_ring_suite);
