// SPDX-License-Identifier: Apache-2.0
// RecordTable: records replaced in place, and their leases.
#include <limits>

#include "oidc/record_table.hpp"
#include "record_table_owned.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

// ---- update ----------------------------------------------------------------------------------

START_TEST(update_replaces_the_content_and_nothing_else) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    RecordTable::Meta meta = owned(11, 100, kNow - 5);
    meta.idle_timeout = 60;
    add(table, 1, meta, content(1, 300));
    RecordTable::Found found;
    ck_assert(table.find(key_of(1), kBinding, kNow + 10, true, found) == RecordTable::Find::found);
    for (const std::size_t size : {0, 104, 105, 3000, 10}) {
        const std::string text = content(2, size);
        ck_assert(table.update(key_of(1), kBinding, as_bytes(text), kNow + 20) ==
                  RecordTable::Update::ok);
        assert_holds(table, key_of(1), text, kNow + 20);
        const RecordTable::Listed one = listed(table, 100, kNow + 20);
        ck_assert(one.key == key_of(1) && one.binding == kBinding);
        ck_assert_int_eq(one.created, kNow - 5);
        ck_assert_int_eq(one.last_seen, kNow + 10);
        ck_assert_int_eq(one.expires, kNow + 70);
        ck_assert_uint_eq(count_tagged(table, Tag::sid, 11, kNow + 20), 1);
        ck_assert_uint_eq(table.stats().records, 1);
        ck_assert_uint_eq(table.stats().blocks_used, blocks_of(size));
        ck_assert(table.check());
    }
}
END_TEST

START_TEST(l_30_update_never_resurrects) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const auto refresh = [&](std::uint32_t n, const Digest& binding, Seconds now) {
        return table.update(key_of(n), binding, as_bytes("fresh"), now);
    };
    add(table, 1, owned(11, 100));
    add(table, 2, owned(12, 100));
    add(table, 3, owned(13, 101, kNow, kBinding, kNow + 5));
    add(table, 4, owned(14, 102));
    ck_assert(table.erase(key_of(1)));
    ck_assert(refresh(1, kBinding, kNow) == RecordTable::Update::missing);
    table.erase_tagged(Tag::sub, 100, nullptr, kNow);
    ck_assert(refresh(2, kBinding, kNow) == RecordTable::Update::missing);
    ck_assert(refresh(3, kBinding, kNow + 5) == RecordTable::Update::missing);
    ck_assert(refresh(4, kOther, kNow) == RecordTable::Update::missing);
    ck_assert(refresh(5, kBinding, kNow) == RecordTable::Update::missing);
    assert_holds(table, key_of(4), "text");
    ck_assert_uint_eq(table.stats().records, 1);
    ck_assert(table.check());
}
END_TEST

START_TEST(a_full_store_still_takes_what_a_refresh_brings) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    std::uint32_t n = 0;
    while (put(table, key_of(n), content(n, 900)) == RecordTable::Insert::ok) {
        ++n;
    }
    // Whatever is small enough for another login to take, too.
    while (put(table, key_of(n), "") == RecordTable::Insert::ok) {
        ++n;
    }
    const RecordTable::Stats stats = table.stats();
    ck_assert_uint_gt(stats.blocks_reserved, 0);
    ck_assert_uint_eq(stats.blocks_total - stats.blocks_used, stats.blocks_reserved);
    for (std::uint32_t i = 0; i < 40; ++i) {
        ck_assert(table.update(key_of(i), kBinding, as_bytes(content(i + 1, 900)), kNow) ==
                  RecordTable::Update::ok);
    }
    // Growth uses it up; then the old content stays.
    std::uint32_t grown = 0;
    while (table.update(key_of(grown), kBinding, as_bytes(content(7, 1900)), kNow) ==
           RecordTable::Update::ok) {
        ++grown;
        ck_assert_uint_lt(grown, 40);
    }
    ck_assert_uint_gt(grown, 0);
    assert_holds(table, key_of(grown), content(grown + 1, 900));
    ck_assert(table.update(key_of(grown), kBinding, as_bytes(content(7, 1900)), kNow) ==
              RecordTable::Update::full);
    const std::string huge(kSmall, 'x');
    ck_assert(table.update(key_of(grown), kBinding, as_bytes(huge), kNow) ==
              RecordTable::Update::too_large);
    assert_holds(table, key_of(grown), content(grown + 1, 900));
    ck_assert(table.check());
}
END_TEST

START_TEST(update_makes_room_of_what_has_expired) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const std::string text = content(1, 10000);
    put(table, key_of(0), "text");
    std::uint32_t n = 1;
    while (put(table, key_of(n), text, kNow + 10) == RecordTable::Insert::ok) {
        ++n;
    }
    const std::string large = content(2, 15000);
    ck_assert(table.update(key_of(0), kBinding, as_bytes(large), kNow + 9) ==
              RecordTable::Update::full);
    ck_assert(table.update(key_of(0), kBinding, as_bytes(large), kNow + 10) ==
              RecordTable::Update::ok);
    assert_holds(table, key_of(0), large, kNow + 10);
    ck_assert_uint_eq(table.stats().records, 1);
    ck_assert(table.check());
}
END_TEST

// ---- lease -----------------------------------------------------------------------------------

START_TEST(a_lease_is_given_once_and_ends_by_itself) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    RecordTable other = RecordTable::attach(region.span());
    add(table, 1, owned(11, 100));
    add(table, 2, owned(11, 100));
    ck_assert(table.lease(key_of(1), kBinding, kNow, 30));
    ck_assert(!other.lease(key_of(1), kBinding, kNow, 30));
    ck_assert(other.lease(key_of(2), kBinding, kNow, 30));
    ck_assert(!other.lease(key_of(1), kBinding, kNow + 29, 30));
    ck_assert(other.lease(key_of(1), kBinding, kNow + 30, 30));
    ck_assert(!table.lease(key_of(1), kBinding, kNow + 31, 30));
    ck_assert(table.check());
}
END_TEST

START_TEST(a_release_sets_the_earliest_next_time) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    ck_assert(table.lease(key_of(1), kBinding, kNow, 30));
    table.release(key_of(1), kOther, 0, kNow + 1);  // not theirs
    ck_assert(!table.lease(key_of(1), kBinding, kNow + 1, 30));
    table.release(key_of(1), kBinding, 0, kNow + 1);
    ck_assert(table.lease(key_of(1), kBinding, kNow + 1, 30));
    table.release(key_of(1), kBinding, kNow + 500, kNow + 2);  // put off
    ck_assert(!table.lease(key_of(1), kBinding, kNow + 499, 30));
    ck_assert(table.lease(key_of(1), kBinding, kNow + 500, 30));
    table.release(key_of(1), kBinding, std::numeric_limits<Seconds>::max(), kNow + 501);
    ck_assert(!table.lease(key_of(1), kBinding, kEnd - 1, 30));
    table.release(key_of(9), kBinding, kNow, kNow);  // nobody's
}
END_TEST

START_TEST(no_lease_of_what_has_ended) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    ck_assert(!table.lease(key_of(2), kBinding, kNow, 30));
    ck_assert(!table.lease(key_of(1), kOther, kNow, 30));
    ck_assert(!table.lease(key_of(1), kBinding, kEnd, 30));
    // A new session under the same key begins without one.
    add(table, 1, owned(11, 100));
    ck_assert(table.lease(key_of(1), kBinding, kNow, 30));
    add(table, 1, owned(11, 100));
    ck_assert(table.lease(key_of(1), kBinding, kNow, 30));
}
END_TEST

START_TEST(a_lease_lasts_over_an_update) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    ck_assert(table.lease(key_of(1), kBinding, kNow, 30));
    ck_assert(table.update(key_of(1), kBinding, as_bytes("fresh"), kNow + 5) ==
              RecordTable::Update::ok);
    ck_assert(!table.lease(key_of(1), kBinding, kNow + 29, 30));
    ck_assert(table.lease(key_of(1), kBinding, kNow + 30, 30));
}
END_TEST

START_TEST(f_15_a_lease_does_not_wait_for_a_clock_that_went_back) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    ck_assert(table.lease(key_of(1), kBinding, kNow, 30));
    ck_assert(table.lease(key_of(1), kBinding, kNow - 3600, 30));
    ck_assert(!table.lease(key_of(1), kBinding, kNow - 3600, 30));
    // Past the turn of a 32-bit clock.
    constexpr Seconds kTurn = Seconds{1} << 32;
    add(table, 2, owned(11, 100, kNow, kBinding, 3 * kTurn));
    ck_assert(table.lease(key_of(2), kBinding, kTurn - 10, 30));
    ck_assert(!table.lease(key_of(2), kBinding, kTurn + 19, 30));
    ck_assert(table.lease(key_of(2), kBinding, kTurn + 20, 30));
}
END_TEST

static Suite* record_table_update_suite() {
    Suite* suite = suite_create("record_table_update");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, update_replaces_the_content_and_nothing_else);
    tcase_add_test(tcase, l_30_update_never_resurrects);
    tcase_add_test(tcase, a_full_store_still_takes_what_a_refresh_brings);
    tcase_add_test(tcase, update_makes_room_of_what_has_expired);
    tcase_add_test(tcase, a_lease_is_given_once_and_ends_by_itself);
    tcase_add_test(tcase, a_release_sets_the_earliest_next_time);
    tcase_add_test(tcase, no_lease_of_what_has_ended);
    tcase_add_test(tcase, a_lease_lasts_over_an_update);
    tcase_add_test(tcase, f_15_a_lease_does_not_wait_for_a_clock_that_went_back);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration record_table_update_registered("record_table_update",
                                                         record_table_update_suite);
