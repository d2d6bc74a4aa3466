// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "oidc/record_table.hpp"
#include "oidc/session.hpp"
#include "record_table_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

// ---- what it stores --------------------------------------------------------------------------

START_TEST(stores_and_returns_records_of_every_size) {
    const Region region(256 * 1024);
    RecordTable table = RecordTable::create(region.span());
    ck_assert(RecordTable::is_table(region.span()));
    ck_assert(table.check());
    std::uint32_t n = 0;
    for (const std::size_t size : {0, 1, 103, 104, 105, 355, 356, 357, 608, 609, 5000, 40000}) {
        ++n;
        ck_assert(put(table, key_of(n), content(n, size)) == RecordTable::Insert::ok);
        assert_holds(table, key_of(n), content(n, size));
    }
    ck_assert_uint_eq(table.stats().records, n);
    ck_assert(table.check());
    for (; n > 0; --n) {
        ck_assert(table.erase(key_of(n)));
        ck_assert(!table.erase(key_of(n)));
        assert_lacks(table, key_of(n));
    }
    ck_assert_uint_eq(table.stats().records, 0);
    ck_assert_uint_eq(table.stats().blocks_used, 0);
    ck_assert(table.check());
}
END_TEST

START_TEST(attach_sees_what_create_stored) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    put(table, key_of(1), "one");
    RecordTable other = RecordTable::attach(region.span());
    assert_holds(other, key_of(1), "one");
    ck_assert_uint_eq(other.bucket_count(), table.bucket_count());
}
END_TEST

START_TEST(is_table_refuses_everything_else) {
    const Region region(kSmall);
    ck_assert(!RecordTable::is_table(region.span()));
    ck_assert(!RecordTable::is_table(region.span().first(64)));
    RecordTable::create(region.span());
    ck_assert(RecordTable::is_table(region.span()));
    // Another size, version or geometry is another table.
    const Region larger(2 * kSmall);
    std::memcpy(larger.data(), region.data(), kSmall);
    ck_assert(!RecordTable::is_table(larger.span()));
    for (const std::size_t offset : {0, 8, 16, 20, 24}) {
        word_at(region, offset) ^= 1;
        ck_assert(!RecordTable::is_table(region.span()));
        word_at(region, offset) ^= 1;
    }
    ck_assert(RecordTable::is_table(region.span()));
}
END_TEST

START_TEST(c_27_f_07_a_table_of_an_older_build_is_none) {
    const Region region(kSmall);
    RecordTable::create(region.span());
    for (std::uint32_t version = 0; version < word_at(region, 16); ++version) {
        const std::uint32_t mine = word_at(region, 16);
        word_at(region, 16) = version;
        ck_assert(!RecordTable::is_table(region.span()));
        word_at(region, 16) = mine;
    }
    // What such a region held is gone when a table is laid into it.
    RecordTable table = RecordTable::attach(region.span());
    put(table, key_of(1), "one");
    word_at(region, 16) = 2;
    table = RecordTable::create(region.span());
    ck_assert_uint_eq(table.stats().records, 0);
    assert_lacks(table, key_of(1));
    ck_assert(table.check());
}
END_TEST

START_TEST(e_11_replaces_a_record_of_the_same_key) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const Digest key = key_of(1);
    put(table, sibling_of(key, 1), "behind");
    put(table, key, content(1, 2000));
    put(table, sibling_of(key, 2), "before");
    put(table, key, "new");
    assert_holds(table, key, "new");
    assert_holds(table, sibling_of(key, 1), "behind");
    assert_holds(table, sibling_of(key, 2), "before");
    ck_assert_uint_eq(table.stats().records, 3);
    ck_assert_uint_eq(table.stats().blocks_used, 3);
    ck_assert(table.check());
}
END_TEST

START_TEST(another_binding_opens_nothing) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    put(table, key_of(1), "one");
    RecordTable::Found found;
    ck_assert(table.find(key_of(1), sha256("other"), kNow, true, found) ==
              RecordTable::Find::missing);
    assert_holds(table, key_of(1), "one");  // and the record stays
}
END_TEST

START_TEST(absolute_end) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    put(table, key_of(1), "one", kNow + 10);
    RecordTable::Found found;
    ck_assert(table.find(key_of(1), kBinding, kNow + 9, false, found) == RecordTable::Find::found);
    ck_assert_int_eq(found.expires, kNow + 10);
    ck_assert(table.find(key_of(1), kBinding, kNow + 10, false, found) ==
              RecordTable::Find::missing);
    ck_assert_uint_eq(table.stats().records, 0);  // dropped on the way
    ck_assert_uint_eq(table.stats().blocks_used, 0);
}
END_TEST

START_TEST(idle_end_moves_with_touch_only) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    put(table, key_of(1), "one", kNow + 100, 20);
    RecordTable::Found found;
    ck_assert(table.find(key_of(1), kBinding, kNow + 15, false, found) == RecordTable::Find::found);
    ck_assert_int_eq(found.expires, kNow + 20);
    ck_assert(table.find(key_of(1), kBinding, kNow + 15, true, found) == RecordTable::Find::found);
    ck_assert_int_eq(found.expires, kNow + 35);
    ck_assert(table.find(key_of(1), kBinding, kNow + 34, true, found) == RecordTable::Find::found);
    for (Seconds t = kNow + 40; t < kNow + 100; t += 5) {
        ck_assert(table.find(key_of(1), kBinding, t, true, found) == RecordTable::Find::found);
        ck_assert_int_le(found.expires, kNow + 100);  // never past the absolute end
    }
    ck_assert(table.find(key_of(1), kBinding, kNow + 100, true, found) ==
              RecordTable::Find::missing);
    put(table, key_of(2), "two", kNow + 100, 20);
    ck_assert(table.find(key_of(2), kBinding, kNow + 20, true, found) ==
              RecordTable::Find::missing);
}
END_TEST

START_TEST(f_15_a_clock_that_jumps) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    RecordTable::Found found;
    put(table, key_of(1), "one", kNow + 100000, 20);
    // Forward and back again: the idle end follows, the session does not become immortal.
    ck_assert(table.find(key_of(1), kBinding, kNow + 19, true, found) == RecordTable::Find::found);
    ck_assert(table.find(key_of(1), kBinding, kNow - 3600, true, found) ==
              RecordTable::Find::found);
    ck_assert_int_eq(found.expires, kNow - 3600 + 20);
    ck_assert(table.find(key_of(1), kBinding, kNow - 3600 + 20, true, found) ==
              RecordTable::Find::missing);
    // No overflow at the edge of time.
    constexpr Seconds kMax = std::numeric_limits<Seconds>::max();
    put(table, key_of(2), "two", kMax, kMax, kMax - 5);
    ck_assert(table.find(key_of(2), kBinding, kMax - 1, true, found) == RecordTable::Find::found);
    ck_assert_int_eq(found.expires, kMax);
}
END_TEST

START_TEST(sweep_drops_the_expired_in_slices) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    for (std::uint32_t n = 0; n < 60; ++n) {
        put(table, key_of(n), "text", n % 2 == 0 ? kNow + 10 : kNow + 1000);
    }
    ck_assert_uint_eq(table.sweep(table.bucket_count(), kNow), 0);
    std::size_t dropped = 0;
    std::size_t calls = 0;
    while (dropped < 30 && calls < 1000) {
        dropped += table.sweep(3, kNow + 10);
        ++calls;
    }
    ck_assert_uint_eq(dropped, 30);
    ck_assert_uint_gt(calls, 5);
    ck_assert_uint_eq(table.sweep(1'000'000, kNow + 10), 0);
    ck_assert_uint_eq(table.stats().records, 30);
    for (std::uint32_t n = 1; n < 60; n += 2) {
        assert_holds(table, key_of(n), "text", kNow + 10);
    }
    ck_assert(table.check());
}
END_TEST

START_TEST(too_large_is_more_than_a_quarter) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const std::size_t quarter = table.stats().blocks_total / 4;
    std::size_t size = quarter * 249;
    ck_assert(put(table, key_of(1), content(1, size)) == RecordTable::Insert::ok);
    while (put(table, key_of(1), content(1, size)) == RecordTable::Insert::ok) {
        ++size;
    }
    ck_assert(put(table, key_of(1), content(1, size)) == RecordTable::Insert::too_large);
    assert_holds(table, key_of(1), content(1, size - 1));  // the old one is untouched
    ck_assert_uint_le(table.stats().blocks_used, quarter);
    ck_assert_uint_lt(size, quarter * 256);
    ck_assert(put(table, key_of(2), std::string(kSmall, 'x')) == RecordTable::Insert::too_large);
}
END_TEST

START_TEST(e_02_full_keeps_the_living) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    std::uint32_t n = 0;
    while (put(table, key_of(n), content(n, 700), kNow + (n < 5 ? 10 : 1000)) ==
           RecordTable::Insert::ok) {
        ++n;
    }
    ck_assert_uint_gt(n, 50);
    ck_assert(put(table, key_of(n), content(n, 700)) == RecordTable::Insert::full);
    for (std::uint32_t i = 0; i < n; ++i) {
        assert_holds(table, key_of(i), content(i, 700));
    }
    // A small one still fits if a block is left; the expired make room as soon as they are.
    for (std::uint32_t i = 0; i < 5; ++i) {
        ck_assert(put(table, key_of(1000 + i), content(i, 700), kNow + 1000, 0, kNow + 10) ==
                  RecordTable::Insert::ok);
    }
    ck_assert(put(table, key_of(2000), content(0, 700), kNow + 1000, 0, kNow + 10) ==
              RecordTable::Insert::full);
    for (std::uint32_t i = 5; i < n; ++i) {
        assert_holds(table, key_of(i), content(i, 700), kNow + 10);
    }
    ck_assert(table.check());
}
END_TEST

START_TEST(full_sweeps_once_a_second) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    std::uint32_t n = 0;
    while (put(table, key_of(n), content(n, 700)) == RecordTable::Insert::ok) {
        ++n;
    }
    // Something that is expired from the start, put where a record was: not looked for again in
    // this second, found in the next one.
    ck_assert(table.erase(key_of(0)));
    ck_assert(put(table, key_of(0), content(0, 700), kNow - 1) == RecordTable::Insert::ok);
    ck_assert(put(table, key_of(n), content(n, 700)) == RecordTable::Insert::full);
    ck_assert(put(table, key_of(n), content(n, 700), kNow + 1000, 0, kNow + 1) ==
              RecordTable::Insert::ok);
    ck_assert(table.check());
}
END_TEST

START_TEST(nothing_of_an_ended_session_stays_in_memory) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const std::string canary = "canary-7f3b";
    std::string text;
    while (text.size() < 3000) {
        text += canary;
    }
    put(table, key_of(1), text);
    const auto seen = [&] {
        const std::string_view all(reinterpret_cast<const char*>(region.data()), region.size());
        return all.find(canary) != std::string_view::npos;
    };
    ck_assert(seen());
    table.erase(key_of(1));
    ck_assert(!seen());
}
END_TEST

START_TEST(four_thousand_sessions_with_eight_claims_fit_8_mb) {
    const Region region(8 * 1024 * 1024);
    RecordTable table = RecordTable::create(region.span());
    Session session;
    session.provider = "authelia";
    session.sub = "5a7a1a7e-3b6e-4ae2-9d9e-2c6d21bb9f0e";
    session.sid = "c2b8c9a4f0e14f0a9f6b6c1de0e2a6c1";
    session.username = "john.doe";
    session.created = kNow;
    session.auth_time = kNow;
    session.claims = {
        {"sub", session.sub, ""},
        {"preferred_username", "john.doe", ""},
        {"name", "John Jonathan Doe", ""},
        {"given_name", "John Jonathan", ""},
        {"family_name", "Doe", ""},
        {"email", "john.doe@department.example.com", ""},
        {"email_verified", "true", "true"},
        {"groups", "admins,sales,support-team,crm-users",
         R"(["admins","sales","support-team","crm-users"])"},
    };
    const Result<Secret> record = encode_session(session);
    ck_assert_result_ok(record);
    std::uint32_t n = 0;
    while (n < 100000 && put(table, key_of(n), record->view()) == RecordTable::Insert::ok) {
        ++n;
    }
    ck_assert_uint_ge(n, 4000);
    assert_holds(table, key_of(0), record->view());
    assert_holds(table, key_of(n - 1), record->view());
    ck_assert(table.check());
}
END_TEST

static Suite* record_table_suite() {
    Suite* suite = suite_create("record_table");
    TCase* basic = tcase_create("records");
    tcase_set_timeout(basic, 120);
    tcase_add_test(basic, stores_and_returns_records_of_every_size);
    tcase_add_test(basic, attach_sees_what_create_stored);
    tcase_add_test(basic, is_table_refuses_everything_else);
    tcase_add_test(basic, c_27_f_07_a_table_of_an_older_build_is_none);
    tcase_add_test(basic, e_11_replaces_a_record_of_the_same_key);
    tcase_add_test(basic, another_binding_opens_nothing);
    tcase_add_test(basic, absolute_end);
    tcase_add_test(basic, idle_end_moves_with_touch_only);
    tcase_add_test(basic, f_15_a_clock_that_jumps);
    tcase_add_test(basic, sweep_drops_the_expired_in_slices);
    tcase_add_test(basic, too_large_is_more_than_a_quarter);
    tcase_add_test(basic, e_02_full_keeps_the_living);
    tcase_add_test(basic, full_sweeps_once_a_second);
    tcase_add_test(basic, nothing_of_an_ended_session_stays_in_memory);
    tcase_add_test(basic, four_thousand_sessions_with_eight_claims_fit_8_mb);
    suite_add_tcase(suite, basic);
    return suite;
}

static const Registration record_table_registered("record_table", record_table_suite);
