// SPDX-License-Identifier: Apache-2.0
#include "oidc/config.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

START_TEST(algorithm_names_go_both_ways) {
    const std::string_view names[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
                                      "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"};
    for (const std::string_view name : names) {
        const auto alg = alg_from_name(name);
        ck_assert(alg.has_value());
        ck_assert_sv_eq(alg_name(*alg), name);
        ck_assert_int_eq(alg_is_symmetric(*alg), name.starts_with("HS"));
    }
    ck_assert_sv_eq(alg_name(static_cast<Alg>(200)), "");
}
END_TEST

START_TEST(i_03_i_04_other_spellings_are_unknown) {
    const std::string_view names[] = {"none",   "None",   "NONE",   "nOnE",    "none ", "",
                                      "rs256",  "RS255",  "ES256K", "HS257",   "EDDSA", "RS256 ",
                                      " RS256", "RS2566", "RS25",   "RSA-OAEP"};
    for (const std::string_view name : names) {
        ck_assert(!alg_from_name(name).has_value());
    }
    ck_assert(!alg_from_name(unit::raw("RS256\0")).has_value());
}
END_TEST

START_TEST(discovery_url_drops_one_final_slash) {
    ck_assert_sv_eq(discovery_url("https://op.example"),
                    "https://op.example/.well-known/openid-configuration");
    ck_assert_sv_eq(discovery_url("https://op.example/"),
                    "https://op.example/.well-known/openid-configuration");
    ck_assert_sv_eq(discovery_url("https://op.example/application/o/espocrm/"),
                    "https://op.example/application/o/espocrm/.well-known/openid-configuration");
    ck_assert_sv_eq(discovery_url("https://op.example/a//"),
                    "https://op.example/a//.well-known/openid-configuration");
    ck_assert_sv_eq(discovery_url(""), "/.well-known/openid-configuration");
}
END_TEST

START_TEST(what_needs_discovery) {
    ProviderConfig config;
    ck_assert(config.needs_discovery());
    config.authorization_endpoint = "https://op.example/authorize";
    config.token_endpoint = "https://op.example/token";
    ck_assert(config.needs_discovery());
    config.jwks_text = "{}";
    ck_assert(!config.needs_discovery());
    config.jwks_text.clear();
    config.jwks_uri = "https://op.example/jwks";
    ck_assert(!config.needs_discovery());
    config.token_endpoint.clear();
    ck_assert(config.needs_discovery());
}
END_TEST

START_TEST(names_of_providers_and_stores) {
    ck_assert(is_simple_name("a"));
    ck_assert(is_simple_name("My-Provider_1.test"));
    ck_assert(is_simple_name(std::string(64, 'a')));
    for (const auto& name :
         {unit::raw(""), std::string(65, 'a'), unit::raw("a b"), unit::raw("a/b"), unit::raw("a\0"),
          unit::raw("a\""), unit::raw("a:b"), unit::raw("\xc3\xa9"), unit::raw("$a")}) {
        ck_assert_msg(!is_simple_name(name), "%s", name.c_str());
    }
}
END_TEST

static Suite* config_suite() {
    Suite* suite = suite_create("config");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, algorithm_names_go_both_ways);
    tcase_add_test(tcase, i_03_i_04_other_spellings_are_unknown);
    tcase_add_test(tcase, discovery_url_drops_one_final_slash);
    tcase_add_test(tcase, what_needs_discovery);
    tcase_add_test(tcase, names_of_providers_and_stores);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration config_registered("config", config_suite);
