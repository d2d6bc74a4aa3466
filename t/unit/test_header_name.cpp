// SPDX-License-Identifier: Apache-2.0
#include "oidc/header_name.hpp"

#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

static std::string folded(std::string_view name) {
    FoldedName out;
    out.fill('#');
    const std::size_t size = fold_header_name(name, out);
    ck_assert_uint_le(size, out.size());
    ck_assert_sv_eq(folded_header_name(name), (std::string_view{out.data(), size}));
    return {out.data(), size};
}

START_TEST(configured_names) {
    ck_assert_sv_eq(normal_header_name("X-Oidc_User.Name"), "x-oidc-user-name");
    ck_assert_sv_eq(normal_header_name("x-a"), "x-a");
    ck_assert_sv_eq(normal_header_name("X__A"), "x--a");
    ck_assert_sv_eq(normal_header_name("X~A"), "x~a");
    ck_assert_sv_eq(normal_header_name(""), "");
}
END_TEST

START_TEST(what_any_backend_takes_together_folds_to_one) {
    for (const auto& name :
         {raw("X-Oidc-Sub"), raw("x-oidc-sub"), raw("X_OIDC_SUB"), raw("x.oidc.sub"),
          raw("x oidc sub"), raw("X--Oidc__Sub"), raw("X-_.-Oidc-Sub"), raw("-X-Oidc-Sub-"),
          raw("_x_oidc_sub"),
          raw("x\xc2\xa0oidc\xff"
              "sub"),
          raw("x\0oidc\tsub"), raw("x~oidc!sub"), raw("x-oidc-sub["), raw(" X-Oidc-Sub ")}) {
        ck_assert_sv_eq(folded(name), "x-oidc-sub");
    }
    ck_assert_sv_eq(folded("XOidcSub"), "xoidcsub");
    ck_assert_sv_eq(folded("X-Oidc-Sub2"), "x-oidc-sub2");
    ck_assert_sv_eq(folded(""), "");
    ck_assert_sv_eq(folded("-_."), "");
}
END_TEST

START_TEST(long_names_are_cut) {
    const std::string full(kMaxFoldedName - 1, 'a');
    ck_assert_sv_eq(folded(full), full);
    ck_assert_sv_eq(folded(full + "bcd"), full);
    ck_assert_sv_eq(folded(full + "-b"), full);
    ck_assert_sv_eq(folded(full.substr(1) + "-b"), full.substr(1) + "-b");
    ck_assert_sv_eq(folded(std::string(100'000, '-') + "x"), "x");
    ck_assert_uint_le(folded(std::string(100'000, 'x')).size(), kMaxFoldedName);
}
END_TEST

static Suite* header_name_suite() {
    Suite* suite = suite_create("header_name");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, configured_names);
    tcase_add_test(tcase, what_any_backend_takes_together_folds_to_one);
    tcase_add_test(tcase, long_names_are_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration header_name_registered("header_name", header_name_suite);
