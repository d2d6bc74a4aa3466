// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

START_TEST(every_reason_has_a_row) {
    std::set<std::string_view> codes;
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        const ReasonInfo& info = reason_info(static_cast<Reason>(i));
        ck_assert(!info.code.empty());
        ck_assert_msg(codes.insert(info.code).second, "code %s twice",
                      std::string(info.code).c_str());
        for (const char c : info.code) {
            ck_assert_msg((c >= 'a' && c <= 'z') || c == '_', "code %s",
                          std::string(info.code).c_str());
        }
        ck_assert_msg(info.status >= 400 && info.status <= 504, "status of %s",
                      std::string(info.code).c_str());
        ck_assert(!info.title.empty());
        ck_assert_int_eq(info.title.back(), '.');
        for (const char c : info.title) {
            ck_assert_msg(c >= 0x20 && c < 0x7f && c != '<' && c != '&', "title of %s",
                          std::string(info.code).c_str());
        }
        ck_assert(info.level == LogLevel::error || info.level == LogLevel::warn ||
                  info.level == LogLevel::info);
    }
}
END_TEST

START_TEST(what_a_person_sees_is_an_error_of_the_log) {
    // Answers to scripts, providers and administrators, the sign-in itself, and what happens beside
    // a request.
    const std::set<Reason> without_page = {Reason::store_unsupported,
                                           Reason::login_required,
                                           Reason::insufficient_user_authentication,
                                           Reason::logout_malformed,
                                           Reason::logout_too_large,
                                           Reason::refresh_denied,
                                           Reason::revocation_failed};
    for (unsigned i = 0; i < static_cast<unsigned>(Reason::count_); ++i) {
        const auto reason = static_cast<Reason>(i);
        const ReasonInfo& info = reason_info(reason);
        // Anybody can send a token; programs are answered in JSON.
        const bool token =
            info.code.starts_with("access_token_") || info.code.starts_with("dpop_proof_") ||
            reason == Reason::bearer_malformed || reason == Reason::insufficient_scope ||
            reason == Reason::token_not_active;
        const bool page = !info.code.starts_with("logout_token_") &&
                          !info.code.starts_with("signal_") && !without_page.contains(reason) &&
                          !token;
        ck_assert_msg((info.level == LogLevel::error) == page, "level of %s",
                      std::string(info.code).c_str());
        ck_assert_msg(!info.outsider || page || token, "%s", std::string(info.code).c_str());
        ck_assert_msg(info.blame != Blame::client || info.outsider || !page, "%s",
                      std::string(info.code).c_str());
    }
}
END_TEST

START_TEST(statuses_are_those_of_the_contract) {
    struct {
        Reason reason;
        int status;
        std::string_view code;
    } const rows[] = {
        {Reason::internal_error, 500, "internal_error"},
        {Reason::store_full, 503, "store_full"},
        {Reason::store_unavailable, 503, "store_unavailable"},
        {Reason::session_too_large, 502, "session_too_large"},
        {Reason::assertion_too_large, 500, "assertion_too_large"},
        {Reason::login_required, 401, "login_required"},
        {Reason::not_permitted, 403, "not_permitted"},
        {Reason::cross_origin_request, 403, "cross_origin_request"},
        {Reason::callback_method, 405, "callback_method"},
        {Reason::callback_malformed, 400, "callback_malformed"},
        {Reason::callback_not_https, 400, "callback_not_https"},
        {Reason::state_missing, 400, "state_missing"},
        {Reason::state_unknown, 400, "state_unknown"},
        {Reason::state_expired, 400, "state_expired"},
        {Reason::state_replayed, 400, "state_replayed"},
        {Reason::issuer_missing, 400, "issuer_missing"},
        {Reason::issuer_mix_up, 400, "issuer_mix_up"},
        {Reason::logout_cross_site, 403, "logout_cross_site"},
        {Reason::access_denied, 403, "access_denied"},
        {Reason::idp_error, 400, "idp_error"},
        {Reason::idp_connect, 502, "idp_connect"},
        {Reason::idp_timeout, 504, "idp_timeout"},
        {Reason::idp_busy, 503, "idp_busy"},
        {Reason::metadata_unavailable, 503, "metadata_unavailable"},
        {Reason::metadata_invalid, 502, "metadata_invalid"},
        {Reason::jwks_unavailable, 503, "jwks_unavailable"},
        {Reason::token_status, 502, "token_status"},
        {Reason::jwt_signature, 502, "jwt_signature"},
        {Reason::id_token_nonce, 502, "id_token_nonce"},
        {Reason::userinfo_sub, 502, "userinfo_sub"},
        {Reason::username_missing, 502, "username_missing"},
        {Reason::too_large, 400, "too_large"},
        {Reason::logout_malformed, 400, "logout_malformed"},
        {Reason::logout_too_large, 413, "logout_too_large"},
        {Reason::logout_token_malformed, 400, "logout_token_malformed"},
        {Reason::logout_token_signature, 400, "logout_token_signature"},
        {Reason::logout_token_replayed, 400, "logout_token_replayed"},
        {Reason::logout_token_nonce, 400, "logout_token_nonce"},
        {Reason::signal_malformed, 400, "signal_malformed"},
        {Reason::signal_too_large, 413, "signal_too_large"},
        {Reason::signal_bearer, 400, "signal_bearer"},
        {Reason::signal_subject, 400, "signal_subject"},
        {Reason::refresh_denied, 401, "refresh_denied"},
        {Reason::revocation_failed, 502, "revocation_failed"},
    };
    for (const auto& row : rows) {
        ck_assert_int_eq(reason_info(row.reason).status, row.status);
        ck_assert_sv_eq(reason_info(row.reason).code, row.code);
    }
}
END_TEST

START_TEST(a_value_outside_the_enum_is_an_internal_error) {
    ck_assert_sv_eq(reason_info(Reason::count_).code, "internal_error");
    ck_assert_sv_eq(reason_info(static_cast<Reason>(255)).code, "internal_error");
}
END_TEST

START_TEST(result_holds_a_value_or_an_error) {
    Result<std::string> good(std::string("x"));
    ck_assert(good.ok());
    ck_assert(static_cast<bool>(good));
    ck_assert_sv_eq(*good, "x");
    ck_assert_uint_eq(good->size(), 1);
    const std::string moved = *std::move(good);
    ck_assert_sv_eq(moved, "x");

    const Result<std::string> bad(fail(Reason::idp_tls, "detail", "fix"));
    ck_assert(!bad.ok());
    ck_assert_result_is(bad, Reason::idp_tls);
    ck_assert_sv_eq(bad.error().detail, "detail");
    ck_assert_sv_eq(bad.error().fix, "fix");
    bool thrown = false;
    try {
        (void)*bad;
    } catch (const std::bad_variant_access&) {
        thrown = true;
    }
    ck_assert(thrown);
}
END_TEST

static Suite* result_suite() {
    Suite* suite = suite_create("result");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, every_reason_has_a_row);
    tcase_add_test(tcase, what_a_person_sees_is_an_error_of_the_log);
    tcase_add_test(tcase, statuses_are_those_of_the_contract);
    tcase_add_test(tcase, a_value_outside_the_enum_is_an_internal_error);
    tcase_add_test(tcase, result_holds_a_value_or_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration result_registered("result", result_suite);
