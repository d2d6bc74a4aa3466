// SPDX-License-Identifier: Apache-2.0
#include "oidc/introspection_cache.hpp"

#include <vector>

#include "record_table_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::size_t kBytes = IntrospectionCache::min_size();
using Find = IntrospectionCache::Find;

Find look(IntrospectionCache& cache, const Digest& key, Seconds now = kNow) {
    RecordTable::Found found;
    return cache.find(key, now, found);
}

bool keep(IntrospectionCache& cache, const Digest& key, std::string_view record,
          std::uint64_t owner = 0, Seconds expires = kNow + 60, Seconds now = kNow) {
    return cache.keep_active(key, owner, as_bytes(record), expires, now);
}

}  // namespace

START_TEST(answers_and_their_ends) {
    const Region region(kBytes);
    IntrospectionCache cache = IntrospectionCache::create(region.span());
    ck_assert(IntrospectionCache::is_cache(region.span()));
    ck_assert(look(cache, key_of(1)) == Find::unknown);
    ck_assert(keep(cache, key_of(1), "the record"));
    cache.keep_inactive(key_of(2), kNow + 10, kNow);

    IntrospectionCache other = IntrospectionCache::attach(region.span());
    RecordTable::Found found;
    ck_assert(other.find(key_of(1), kNow + 59, found) == Find::active);
    std::vector<std::uint8_t> text(found.size);
    other.copy(found, text);
    ck_assert_sv_eq(std::string(text.begin(), text.end()), "the record");
    ck_assert_int_eq(found.expires, kNow + 60);
    ck_assert(look(other, key_of(1), kNow + 60) == Find::unknown);
    ck_assert(look(other, key_of(2), kNow + 9) == Find::inactive);
    ck_assert(look(other, key_of(2), kNow + 10) == Find::unknown);
    ck_assert(look(other, key_of(3)) == Find::unknown);
}
END_TEST

START_TEST(a_later_answer_takes_the_place_of_an_earlier_one) {
    const Region region(kBytes);
    IntrospectionCache cache = IntrospectionCache::create(region.span());
    ck_assert(keep(cache, key_of(1), "a"));
    cache.keep_inactive(key_of(1), kNow + 10, kNow);
    ck_assert(look(cache, key_of(1)) == Find::inactive);
    ck_assert(keep(cache, key_of(1), "b"));
    ck_assert(look(cache, key_of(1)) == Find::active);
    ck_assert(look(cache, key_of(1), kNow + 60) == Find::unknown);
    // What has ended when it comes is not kept.
    ck_assert(!keep(cache, key_of(2), "c", 0, kNow));
    ck_assert(look(cache, key_of(2)) == Find::unknown);
}
END_TEST

START_TEST(k_28_not_active_pushes_out_nothing_else) {
    const Region region(kBytes);
    IntrospectionCache cache = IntrospectionCache::create(region.span());
    std::uint32_t kept = 0;
    while (keep(cache, key_of(kept), content(kept, 700), kept + 1)) {
        ++kept;
    }
    ck_assert_uint_gt(kept, 60);
    const std::size_t blocks = cache.active().stats().blocks_used;
    for (std::uint32_t n = 0; n < 50'000; ++n) {
        cache.keep_inactive(key_of(1'000'000 + n), kNow + 10, kNow);
    }
    for (std::uint32_t n = 0; n < kept; ++n) {
        ck_assert(look(cache, key_of(n)) == Find::active);
    }
    ck_assert_uint_eq(cache.active().stats().blocks_used, blocks);
    ck_assert(look(cache, key_of(1'049'999)) == Find::inactive);  // the newest
    ck_assert(cache.active().check());
    // Live ones make no room for others either; ended ones do.
    ck_assert(!keep(cache, key_of(999), content(1, 700), 999));
    ck_assert(look(cache, key_of(0)) == Find::active);
    ck_assert(keep(cache, key_of(999), content(1, 700), 999, kNow + 200, kNow + 60));
}
END_TEST

START_TEST(nobody_fills_the_cache_alone) {
    const Region region(kBytes);
    IntrospectionCache cache = IntrospectionCache::create(region.span());
    ck_assert(keep(cache, key_of(5000), "another user's", 7));
    constexpr auto kMany = static_cast<std::uint32_t>(IntrospectionCache::kTokensOfOne);
    for (std::uint32_t n = 0; n < 20 * kMany; ++n) {
        ck_assert(keep(cache, key_of(n), content(n, 300), 9, kNow + 100, kNow + n / 20));
    }
    std::size_t left = 0;
    for (std::uint32_t n = 0; n < 20 * kMany; ++n) {
        left += look(cache, key_of(n), kNow + 32) == Find::active ? 1 : 0;
    }
    ck_assert_uint_eq(left, kMany);
    ck_assert(look(cache, key_of(20 * kMany - 1), kNow + 32) == Find::active);
    ck_assert(look(cache, key_of(5000), kNow + 32) == Find::active);
}
END_TEST

START_TEST(one_process_asks) {
    const Region region(kBytes);
    IntrospectionCache cache = IntrospectionCache::create(region.span());
    IntrospectionCache other = IntrospectionCache::attach(region.span());
    ck_assert(cache.lease(key_of(1), kNow + 20, kNow));
    ck_assert(!other.lease(key_of(1), kNow + 20, kNow + 19));
    ck_assert(other.lease(key_of(2), kNow + 20, kNow));
    ck_assert(look(cache, key_of(1)) == Find::unknown);  // a lease is no answer
    cache.release(key_of(1));
    ck_assert(other.lease(key_of(1), kNow + 20, kNow));
    ck_assert(cache.lease(key_of(1), kNow + 40, kNow + 20));  // its holder may be dead
}
END_TEST

START_TEST(a_writer_may_die) {
    const Region region(kBytes);
    IntrospectionCache cache = IntrospectionCache::create(region.span());
    ck_assert(keep(cache, key_of(1), content(1, 900)));
    cache.keep_inactive(key_of(2), kNow + 10, kNow);
    // The mark of a writer that did not come to its end.
    const std::size_t records = kBytes / 8 + kBytes / 32;
    ck_assert_uint_eq(records % 64, 0);
    word_at(region, records + kDirtyAt) = 1;
    IntrospectionCache other = IntrospectionCache::attach(region.span());
    ck_assert(look(other, key_of(1)) == Find::active);
    ck_assert(look(other, key_of(2)) == Find::inactive);
    ck_assert_uint_eq(other.active().stats().recoveries, 1);
    ck_assert(other.active().check());
    other.sweep(other.active().bucket_count(), kNow + 60);
    ck_assert_uint_eq(other.active().stats().records, 0);
    // Of another size, or of something else.
    ck_assert(!IntrospectionCache::is_cache(region.span().first(kBytes - 4096)));
    std::memset(region.data(), 0xff, region.size());
    ck_assert(!IntrospectionCache::is_cache(region.span()));
}
END_TEST

static Suite* introspection_cache_suite() {
    Suite* suite = suite_create("introspection_cache");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, answers_and_their_ends);
    tcase_add_test(tcase, a_later_answer_takes_the_place_of_an_earlier_one);
    tcase_add_test(tcase, k_28_not_active_pushes_out_nothing_else);
    tcase_add_test(tcase, nobody_fills_the_cache_alone);
    tcase_add_test(tcase, one_process_asks);
    tcase_add_test(tcase, a_writer_may_die);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration introspection_cache_registered("introspection_cache",
                                                         introspection_cache_suite);
