// SPDX-License-Identifier: Apache-2.0
#include "oidc/once_table.hpp"

#include <cstring>

#include "oidc/crypto.hpp"
#include "record_table_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

START_TEST(a_07_a_value_is_used_once) {
    const Region region(4096);
    OnceTable table = OnceTable::create(region.span());
    ck_assert(table.use(key_of(1), kNow + 10, kNow));
    ck_assert(!table.use(key_of(1), kNow + 10, kNow));
    ck_assert(!OnceTable::attach(region.span()).use(key_of(1), kNow + 10, kNow + 9));
    ck_assert(table.knows(key_of(1), kNow + 9) && !table.knows(key_of(1), kNow + 10));
    ck_assert(!table.knows(key_of(2), kNow));
    ck_assert(table.use(key_of(2), kNow + 10, kNow));
    // Forgotten when it has expired: whoever calls then refuses it for its age.
    ck_assert(!table.use(key_of(1), kNow + 10, kNow + 10));
    ck_assert(table.use(key_of(1), kNow + 20, kNow + 10));
}
END_TEST

// A set holds eight: somebody who can choose the digests pushes a value out with eight more, and
// with a key that nobody knows only by filling the whole table.
START_TEST(a_key_keeps_others_out_of_a_set) {
    const Region region(64 * 1024);
    OnceTable table = OnceTable::create(region.span());
    const auto aimed = [](std::uint32_t n) {  // all of the set of aimed(0)
        Digest digest{};
        std::memcpy(digest.data(), &n, sizeof(n));
        return digest;
    };
    const auto keyed = [&](std::uint32_t n) {
        Digest out{};
        ck_assert(hmac_sha256(as_bytes("the key of the zone"), aimed(n), out));
        return out;
    };
    ck_assert(table.use(aimed(0), kNow + 10, kNow));
    ck_assert(table.use(keyed(0), kNow + 10, kNow));
    for (std::uint32_t n = 1; n <= 8; ++n) {
        ck_assert(table.use(aimed(n), kNow + 20, kNow));
        ck_assert(table.use(keyed(n), kNow + 20, kNow));
    }
    ck_assert(!table.knows(aimed(0), kNow));
    ck_assert(table.knows(keyed(0), kNow));
}
END_TEST

START_TEST(what_came_to_nothing_takes_no_place) {
    const Region region(4096);
    OnceTable table = OnceTable::create(region.span().first(8 * 24));
    ck_assert(table.use(key_of(1), kNow + 10, kNow));
    for (std::uint32_t n = 100; n < 200; ++n) {
        ck_assert(table.use(key_of(n), kNow + 20, kNow));
        table.forget(key_of(n));
        table.forget(key_of(n + 1000));  // was never there
    }
    ck_assert(!table.use(key_of(1), kNow + 10, kNow));
    ck_assert(table.use(key_of(100), kNow + 20, kNow));
    OnceTable::create(region.span().first(64)).forget(key_of(1));  // has no place at all
}
END_TEST

START_TEST(once_table_forgets_the_expired_and_the_oldest_only) {
    const Region region(4096);
    OnceTable table = OnceTable::create(region.span().first(8 * 24));  // one set of eight
    for (std::uint32_t n = 0; n < 8; ++n) {
        ck_assert(table.use(key_of(n), kNow + 10 + n, kNow));
    }
    ck_assert(table.use(key_of(100), kNow + 50, kNow));  // takes the place of 0
    for (std::uint32_t n = 1; n < 8; ++n) {
        ck_assert(!table.use(key_of(n), kNow + 99, kNow));
    }
    ck_assert(table.use(key_of(0), kNow + 60, kNow + 11));  // over 1, which has expired
    ck_assert(!table.use(key_of(2), kNow + 99, kNow + 11));
    ck_assert(!table.use(key_of(100), kNow + 99, kNow + 11));
}
END_TEST

START_TEST(once_table_without_room_denies) {
    const Region region(4096);
    OnceTable table = OnceTable::create(region.span().first(64));
    ck_assert(!table.use(key_of(1), kNow + 10, kNow));
}
END_TEST

static Suite* once_table_suite() {
    Suite* suite = suite_create("once_table");
    TCase* once = tcase_create("once");
    tcase_add_test(once, a_key_keeps_others_out_of_a_set);
    tcase_add_test(once, a_07_a_value_is_used_once);
    tcase_add_test(once, what_came_to_nothing_takes_no_place);
    tcase_add_test(once, once_table_forgets_the_expired_and_the_oldest_only);
    tcase_add_test(once, once_table_without_room_denies);
    suite_add_tcase(suite, once);
    return suite;
}

static const Registration once_table_registered("once_table", once_table_suite);
