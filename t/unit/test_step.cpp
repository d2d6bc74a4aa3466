// SPDX-License-Identifier: Apache-2.0
#include "oidc/step.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

START_TEST(steps_have_the_names_of_their_types) {
    ck_assert_sv_eq(step_name(NeedProvider{}), "NeedProvider");
    ck_assert_sv_eq(step_name(Fetch{}), "Fetch");
    ck_assert_sv_eq(step_name(StoreSession{}), "StoreSession");
    ck_assert_sv_eq(step_name(StartLogin{}), "StartLogin");
    ck_assert_sv_eq(step_name(RenewLogin{}), "RenewLogin");
    ck_assert_sv_eq(step_name(LoggedIn{}), "LoggedIn");
    ck_assert_sv_eq(step_name(Refuse{}), "Refuse");
    ck_assert_sv_eq(step_name(Refreshed{}), "Refreshed");
    ck_assert_sv_eq(step_name(RefreshPostponed{}), "RefreshPostponed");
    ck_assert_sv_eq(step_name(RefreshEnded{}), "RefreshEnded");
    ck_assert_sv_eq(step_name(EndSessions{}), "EndSessions");
}
END_TEST

static void ck_assert_step_fails(const Step& step, Reason reason) {
    const Error* error = step_error(step);
    ck_assert_ptr_nonnull(error);
    ck_assert(error->reason == reason);
}

START_TEST(steps_that_fail_say_why) {
    ck_assert_step_fails(Refuse{fail(Reason::state_expired, "late")}, Reason::state_expired);
    ck_assert_step_fails(RenewLogin{{}, fail(Reason::idp_error, "expired")}, Reason::idp_error);
    ck_assert_step_fails(RefreshPostponed{{}, 0, fail(Reason::idp_timeout, "slow")},
                         Reason::idp_timeout);
    ck_assert_step_fails(RefreshEnded{fail(Reason::token_error, "gone")}, Reason::token_error);
}
END_TEST

START_TEST(other_steps_have_no_error) {
    ck_assert_ptr_null(step_error(NeedProvider{}));
    ck_assert_ptr_null(step_error(Fetch{}));
    ck_assert_ptr_null(step_error(StoreSession{}));
    ck_assert_ptr_null(step_error(StartLogin{}));
    ck_assert_ptr_null(step_error(LoggedIn{}));
    ck_assert_ptr_null(step_error(Refreshed{}));
    ck_assert_ptr_null(step_error(EndSessions{}));
}
END_TEST

static Suite* step_suite() {
    Suite* suite = suite_create("step");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, steps_have_the_names_of_their_types);
    tcase_add_test(tcase, steps_that_fail_say_why);
    tcase_add_test(tcase, other_steps_have_no_error);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration step_registered("step", step_suite);
