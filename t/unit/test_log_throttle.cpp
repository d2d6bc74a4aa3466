// SPDX-License-Identifier: Apache-2.0
#include "oidc/log_throttle.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr Seconds kNow = 1'800'000'000;

// How many of `lines` pass.
unsigned passed(LogThrottle<Reason>& throttle, Reason reason, Seconds now, unsigned lines) {
    unsigned count = 0;
    for (unsigned i = 0; i < lines; ++i) {
        count += throttle.pass(reason, now) ? 1 : 0;
    }
    return count;
}

}  // namespace

START_TEST(ten_lines_of_a_reason_pass_in_a_minute) {
    LogThrottle<Reason> throttle;
    ck_assert_uint_eq(passed(throttle, Reason::state_unknown, kNow, 10), 10);
    ck_assert(!throttle.next_end());
    ck_assert_uint_eq(passed(throttle, Reason::state_unknown, kNow + 59, 7), 0);
    ck_assert_int_eq(throttle.next_end().value_or(0), kNow + 60);
    // Another reason has lines of its own, the first and the last of the list as well.
    for (const Reason other : {Reason::internal_error, Reason::state_expired, Reason::too_large}) {
        ck_assert_uint_eq(passed(throttle, other, kNow + 59, 12), 10);
    }
    ck_assert_uint_eq(passed(throttle, Reason::state_unknown, kNow + 60, 20), 10);
}
END_TEST

START_TEST(what_was_held_back_is_counted_once) {
    LogThrottle<Reason> throttle;
    ck_assert(!throttle.take(kNow, true));
    passed(throttle, Reason::state_unknown, kNow, 15);
    passed(throttle, Reason::idp_error, kNow + 30, 11);
    ck_assert(!throttle.take(kNow + 59, false));
    const auto first = throttle.take(kNow + 60, false);
    ck_assert(first && first->kind == Reason::state_unknown);
    ck_assert_uint_eq(first->lines, 5);
    ck_assert(!throttle.take(kNow + 60, false));
    ck_assert_int_eq(throttle.next_end().value_or(0), kNow + 90);
    const auto last = throttle.take(kNow + 61, true);
    ck_assert(last && last->kind == Reason::idp_error && last->lines == 1);
    ck_assert(!throttle.take(kNow + 1000, true) && !throttle.next_end());
}
END_TEST

START_TEST(a_new_window_forgets_nothing_that_was_held_back) {
    LogThrottle<Reason> throttle;
    passed(throttle, Reason::state_unknown, kNow, 12);
    passed(throttle, Reason::state_unknown, kNow + 100, 13);  // nobody has taken the two
    const auto held = throttle.take(kNow + 160, false);
    ck_assert(held && held->lines == 5);
}
END_TEST

START_TEST(a_clock_that_is_set_back_begins_a_window) {
    LogThrottle<Reason> throttle;
    passed(throttle, Reason::state_unknown, kNow, 12);
    ck_assert_uint_eq(passed(throttle, Reason::state_unknown, kNow - 3600, 12), 10);
}
END_TEST

static Suite* log_throttle_suite() {
    Suite* suite = suite_create("log_throttle");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, ten_lines_of_a_reason_pass_in_a_minute);
    tcase_add_test(tcase, what_was_held_back_is_counted_once);
    tcase_add_test(tcase, a_new_window_forgets_nothing_that_was_held_back);
    tcase_add_test(tcase, a_clock_that_is_set_back_begins_a_window);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration log_throttle_registered("log_throttle", log_throttle_suite);
