// SPDX-License-Identifier: Apache-2.0
#include "oidc/traceparent.hpp"

#include <string>

#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static const std::string kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

START_TEST(good_ones) {
    ck_assert(is_traceparent(kGood));
    // All flags, also those that nobody has given a meaning yet.
    ck_assert(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
    ck_assert(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff"));
    // One bit of each identifier is enough.
    ck_assert(is_traceparent("00-00000000000000000000000000000001-8000000000000000-00"));
}
END_TEST

START_TEST(versions) {
    ck_assert(!is_traceparent("01" + kGood.substr(2)));
    ck_assert(!is_traceparent("ff" + kGood.substr(2)));
    ck_assert(!is_traceparent("cc" + kGood.substr(2) + "-what-the-future-brings"));
}
END_TEST

START_TEST(lengths) {
    ck_assert(!is_traceparent(""));
    for (std::size_t size = 0; size < kGood.size(); ++size) {
        ck_assert(!is_traceparent(kGood.substr(0, size)));
    }
    ck_assert(!is_traceparent(kGood + "0"));
    ck_assert(!is_traceparent(kGood + "-"));
    ck_assert(!is_traceparent(kGood + " "));
    ck_assert(!is_traceparent(" " + kGood));
    ck_assert(!is_traceparent(kGood + ", " + kGood));
}
END_TEST

START_TEST(identifiers_of_zeros_alone) {
    ck_assert(!is_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
    ck_assert(!is_traceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}
END_TEST

// Every place takes what belongs there and nothing else; a byte that a header could be ended with
// is among what is tried.
START_TEST(each_byte) {
    const std::string others = "-gGAF0\r\n \t,;\"\x01\x7f\xff" + std::string(1, '\0');
    for (std::size_t i = 0; i < kGood.size(); ++i) {
        for (const char c : others) {
            std::string text = kGood;
            text[i] = c;
            const bool dash = kGood[i] == '-';
            ck_assert_int_eq(is_traceparent(text), (dash ? c == '-' : c == '0'));
        }
    }
}
END_TEST

static Suite* traceparent_suite() {
    Suite* suite = suite_create("traceparent");
    TCase* tcase = tcase_create("traceparent");
    tcase_add_test(tcase, good_ones);
    tcase_add_test(tcase, versions);
    tcase_add_test(tcase, lengths);
    tcase_add_test(tcase, identifiers_of_zeros_alone);
    tcase_add_test(tcase, each_byte);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration traceparent_registered("traceparent", traceparent_suite);
