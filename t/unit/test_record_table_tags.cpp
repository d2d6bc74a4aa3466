// SPDX-License-Identifier: Apache-2.0
// RecordTable: records by their owners.
#include <array>
#include <limits>

#include "oidc/record_table.hpp"
#include "record_table_owned.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

// ---- tags ------------------------------------------------------------------------------------

START_TEST(owner_tags_are_of_all_three_fields) {
    const std::uint64_t tag = owner_tag("sub", "https://idp.example/ client", "alice");
    ck_assert(tag != 0);
    ck_assert(tag == owner_tag("sub", "https://idp.example/ client", "alice"));
    ck_assert(tag != owner_tag("sid", "https://idp.example/ client", "alice"));
    ck_assert(tag != owner_tag("sub", "https://idp.example/ other", "alice"));
    ck_assert(tag != owner_tag("sub", "https://idp.example/ client", "alicf"));
    ck_assert(tag != owner_tag("sub", "https://idp.example/ clienta", "lice"));
    ck_assert(owner_tag("", "", "") != 0);
}
END_TEST

START_TEST(erases_by_sid_and_by_sub) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    add(table, 2, owned(12, 100), content(2, 900));
    add(table, 3, owned(11, 101));
    add(table, 4, owned(0, 100));
    add(table, 5, owned(11, 0));
    add(table, 6, owned(0, 0));
    // The number of a sid is none of a sub.
    ck_assert_uint_eq(table.erase_tagged(Tag::sub, 11, nullptr, kNow), 0);
    ck_assert_uint_eq(table.erase_tagged(Tag::sid, 100, nullptr, kNow), 0);
    ck_assert_uint_eq(table.erase_tagged(Tag::sid, 0, nullptr, kNow), 0);
    ck_assert_uint_eq(table.erase_tagged(Tag::sub, 0, nullptr, kNow), 0);
    ck_assert_uint_eq(table.stats().records, 6);
    ck_assert_uint_eq(table.erase_tagged(Tag::sid, 11, nullptr, kNow), 3);
    ck_assert(!lives(table, 1) && lives(table, 2) && !lives(table, 3));
    ck_assert(lives(table, 4) && !lives(table, 5) && lives(table, 6));
    ck_assert(table.check());
    ck_assert_uint_eq(table.erase_tagged(Tag::sub, 100, nullptr, kNow), 2);
    ck_assert_uint_eq(table.erase_tagged(Tag::sub, 100, nullptr, kNow), 0);
    ck_assert(!lives(table, 2) && !lives(table, 4) && lives(table, 6));
    ck_assert_uint_eq(table.stats().records, 1);
    ck_assert(table.check());
}
END_TEST

START_TEST(tags_of_one_list_are_kept_apart) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const std::uint64_t a = 5;
    const std::uint64_t b = a + table.bucket_count();
    for (std::uint32_t n = 0; n < 12; ++n) {
        add(table, n, owned(n % 2 == 0 ? a : b, n % 3 == 0 ? a : b));
    }
    ck_assert_uint_eq(count_tagged(table, Tag::sid, a), 6);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, b), 8);
    ck_assert_uint_eq(table.erase_tagged(Tag::sid, a, nullptr, kNow), 6);
    ck_assert_uint_eq(count_tagged(table, Tag::sid, b), 6);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, a), 2);
    ck_assert_uint_eq(table.keep_newest(b, kBinding, 1, kNow), 3);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, a), 2);
    ck_assert(table.check());
}
END_TEST

START_TEST(erases_of_one_binding_or_of_all) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    add(table, 2, owned(11, 100, kNow, kOther));
    ck_assert_uint_eq(table.erase_tagged(Tag::sid, 11, &kOther, kNow), 1);
    ck_assert(lives(table, 1) && !lives(table, 2, kOther));
    add(table, 2, owned(11, 100, kNow, kOther));
    ck_assert_uint_eq(table.erase_tagged(Tag::sub, 100, nullptr, kNow), 2);
    ck_assert_uint_eq(table.stats().blocks_used, 0);
}
END_TEST

START_TEST(the_expired_are_not_counted) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100, kNow, kBinding, kNow + 5));
    add(table, 2, owned(11, 100));
    RecordTable::Meta idle = owned(11, 100);
    idle.idle_timeout = 5;
    add(table, 3, idle);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, 100, kNow + 4), 3);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, 100, kNow + 5), 1);
    add(table, 1, owned(11, 100, kNow, kBinding, kNow + 5));
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 1, kNow + 5), 0);
    ck_assert(lives(table, 2));
    add(table, 1, owned(11, 100, kNow, kBinding, kNow + 5));
    ck_assert_uint_eq(table.erase_tagged(Tag::sid, 11, nullptr, kNow + 5), 1);
    ck_assert_uint_eq(table.stats().records, 0);
    ck_assert(table.check());
}
END_TEST

START_TEST(lists_what_a_session_page_needs) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    RecordTable::Meta meta = owned(11, 100, kNow - 7, kOther);
    meta.idle_timeout = 50;
    add(table, 1, meta);
    RecordTable::Found found;
    ck_assert(table.find(key_of(1), kOther, kNow + 20, true, found) == RecordTable::Find::found);
    const RecordTable::Listed one = listed(table, 100, kNow + 30);
    ck_assert(one.key == key_of(1));
    ck_assert(one.binding == kOther);
    ck_assert_int_eq(one.created, kNow - 7);
    ck_assert_int_eq(one.last_seen, kNow + 20);
    ck_assert_int_eq(one.expires, kNow + 70);
    // Without a time of creation it is the time of insertion.
    add(table, 2, owned(11, 101, 0));
    ck_assert_int_eq(listed(table, 101).created, kNow);
    // More than there is room for: all are counted, none is written past the end.
    for (std::uint32_t n = 10; n < 15; ++n) {
        add(table, n, owned(0, 102));
    }
    std::array<RecordTable::Listed, 4> out;
    ck_assert_uint_eq(table.list_tagged(Tag::sub, 102, kNow, std::span(out).first(3)), 5);
    ck_assert(out[2].key != Digest{});
    ck_assert(out[3].key == Digest{});
    ck_assert_uint_eq(table.list_tagged(Tag::sub, 0, kNow, out), 0);
    ck_assert_uint_eq(table.list_tagged(Tag::sub, 103, kNow, out), 0);
}
END_TEST

START_TEST(a_replaced_record_leaves_its_old_lists) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    add(table, 1, owned(11, 100));
    add(table, 1, owned(12, 101));
    ck_assert_uint_eq(count_tagged(table, Tag::sid, 11), 0);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, 100), 0);
    ck_assert_uint_eq(count_tagged(table, Tag::sid, 12), 1);
    ck_assert_uint_eq(count_tagged(table, Tag::sub, 101), 1);
    ck_assert(table.check());
}
END_TEST

// ---- limit -----------------------------------------------------------------------------------

START_TEST(keeps_the_newest_of_a_user) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    for (std::uint32_t n = 0; n < 8; ++n) {
        add(table, n, owned(0, 100, kNow - 50 + (n * 5) % 8));  // 0 5 2 7 4 1 6 3
    }
    add(table, 20, owned(0, 100, kNow - 90, kOther));
    add(table, 21, owned(0, 101, kNow - 90));
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 8, kNow), 0);
    ck_assert_uint_eq(table.keep_newest(0, kBinding, 0, kNow), 0);
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 3, kNow), 5);
    for (std::uint32_t n = 0; n < 8; ++n) {
        ck_assert_int_eq(lives(table, n), (n * 5) % 8 >= 5);
    }
    ck_assert(lives(table, 20, kOther) && lives(table, 21));
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 0, kNow), 3);
    ck_assert(lives(table, 20, kOther) && lives(table, 21));
    ck_assert(table.check());
}
END_TEST

START_TEST(the_limit_never_ends_the_session_just_made) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    // All of one second: the later insertion is the newer one.
    for (std::uint32_t n = 0; n < 5; ++n) {
        add(table, n, owned(0, 100));
        ck_assert_uint_eq(table.keep_newest(100, kBinding, 2, kNow), n < 2 ? 0 : 1);
        ck_assert(lives(table, n));
    }
    ck_assert(lives(table, 3));
    // The clock went back since the others were made.
    add(table, 9, owned(0, 100, kNow - 3600));
    const Digest spared = key_of(9);
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 2, kNow, &spared), 1);
    ck_assert(lives(table, 9) && lives(table, 4) && !lives(table, 3));
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 1, kNow, &spared), 1);
    ck_assert(lives(table, 9) && !lives(table, 4));
    // One that is gone, or of somebody else, takes nobody's place.
    add(table, 10, owned(0, 101));
    const Digest stranger = key_of(10);
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 1, kNow, &stranger), 0);
    ck_assert(lives(table, 9) && lives(table, 10));
}
END_TEST

START_TEST(a_limit_for_very_many_sessions) {
    const Region region(4 * 1024 * 1024);
    RecordTable table = RecordTable::create(region.span());
    constexpr std::uint32_t kMany = 5000;
    for (std::uint32_t n = 0; n < kMany; ++n) {
        add(table, n, owned(7, 100, kNow - (n * 7919) % kMany));  // each age once
    }
    ck_assert_uint_eq(table.keep_newest(100, kBinding, 10, kNow), kMany - 10);
    std::array<RecordTable::Listed, 10> out;
    ck_assert_uint_eq(table.list_tagged(Tag::sub, 100, kNow, out), 10);
    for (const RecordTable::Listed& one : out) {
        ck_assert_int_gt(one.created, kNow - 10);
    }
    ck_assert(table.check());
    // Also over the whole range of time.
    constexpr Seconds kMax = std::numeric_limits<Seconds>::max();
    constexpr Seconds kMin = std::numeric_limits<Seconds>::min();
    add(table, 1, owned(7, 200, kMax));
    add(table, 2, owned(7, 200, kMin));
    add(table, 3, owned(7, 200, -1));
    ck_assert_uint_eq(table.keep_newest(200, kBinding, 2, kNow), 1);
    ck_assert(lives(table, 1) && !lives(table, 2) && lives(table, 3));
    ck_assert_uint_eq(table.keep_newest(200, kBinding, 1, kNow), 1);
    ck_assert(lives(table, 1));
}
END_TEST

static Suite* record_table_tags_suite() {
    Suite* suite = suite_create("record_table_tags");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, owner_tags_are_of_all_three_fields);
    tcase_add_test(tcase, erases_by_sid_and_by_sub);
    tcase_add_test(tcase, tags_of_one_list_are_kept_apart);
    tcase_add_test(tcase, erases_of_one_binding_or_of_all);
    tcase_add_test(tcase, the_expired_are_not_counted);
    tcase_add_test(tcase, lists_what_a_session_page_needs);
    tcase_add_test(tcase, a_replaced_record_leaves_its_old_lists);
    tcase_add_test(tcase, keeps_the_newest_of_a_user);
    tcase_add_test(tcase, the_limit_never_ends_the_session_just_made);
    tcase_add_test(tcase, a_limit_for_very_many_sessions);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration record_table_tags_registered("record_table_tags",
                                                       record_table_tags_suite);
