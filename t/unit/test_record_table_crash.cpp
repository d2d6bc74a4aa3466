// SPDX-License-Identifier: Apache-2.0
// What a table survives: damaged regions, and writers killed at any instruction.
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "oidc/record_table.hpp"
#include "record_table_fixture.hpp"
#include "record_table_stepper.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

// ---- damage ----------------------------------------------------------------------------------

START_TEST(recovery_keeps_what_is_whole) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    for (std::uint32_t n = 0; n < 20; ++n) {
        put(table, key_of(n), content(n, 100 * n));
    }
    const std::size_t used = table.stats().blocks_used;
    word_at(region, kDirtyAt) = 1;
    ck_assert(table.check());  // any call repairs
    ck_assert_uint_eq(table.stats().recoveries, 1);
    ck_assert_uint_eq(table.stats().blocks_used, used);
    for (std::uint32_t n = 0; n < 20; ++n) {
        assert_holds(table, key_of(n), content(n, 100 * n));
    }
}
END_TEST

START_TEST(recovery_survives_lists_that_nobody_could_have_written) {
    struct Damage {
        const char* what;
        std::function<void(const Region&, std::size_t, std::size_t)> make;
    };
    // `record` and `bucket` are offsets of the victim's first block and bucket head.
    const std::vector<Damage> damages = {
        {"wild bucket",
         [](const Region& r, std::size_t, std::size_t bucket) { word_at(r, bucket) = 0x7fffffff; }},
        {"record that follows itself",
         [](const Region& r, std::size_t record, std::size_t bucket) {
             word_at(r, record + 4) = word_at(r, bucket);
         }},
        {"chain that follows itself",
         [](const Region& r, std::size_t record, std::size_t bucket) {
             word_at(r, record) = word_at(r, bucket);
         }},
        {"wild chain",
         [](const Region& r, std::size_t record, std::size_t) { word_at(r, record) = 0xfffffff0; }},
        {"cut chain",
         [](const Region& r, std::size_t record, std::size_t) { word_at(r, record) = 0; }},
        {"huge size", [](const Region& r, std::size_t record,
                         std::size_t) { word_at(r, record + 8) = 0xffffffff; }},
        {"smaller size",
         [](const Region& r, std::size_t record, std::size_t) { word_at(r, record + 8) -= 300; }},
        {"flipped payload", [](const Region& r, std::size_t record,
                               std::size_t) { word_at(r, record + kPayloadAt) ^= 0x100; }},
        {"flipped binding", [](const Region& r, std::size_t record,
                               std::size_t) { word_at(r, record + kBindingAt) ^= 1; }},
        {"flipped tag", [](const Region& r, std::size_t record,
                           std::size_t) { word_at(r, record + kTagsAt) ^= 1; }},
        {"other time of creation", [](const Region& r, std::size_t record,
                                      std::size_t) { word_at(r, record + kCreatedAt) ^= 1; }},
        {"later end",
         [](const Region& r, std::size_t record, std::size_t) { word_at(r, record + 16) += 1; }},
        {"key of another bucket", [](const Region& r, std::size_t record,
                                     std::size_t) { word_at(r, record + kKeyAt) ^= 1; }},
        {"high water beyond the end",
         [](const Region& r, std::size_t record, std::size_t) {
             word_at(r, kHighWaterAt) = 0xffffffff;
             word_at(r, record + kPayloadAt) ^= 1;
         }},
    };
    const std::uint32_t victim = 7;
    for (const Damage& damage : damages) {
        const Region region(kSmall);
        RecordTable table = RecordTable::create(region.span());
        for (std::uint32_t n = 0; n < 20; ++n) {
            put(table, key_of(n), content(n, 700));
        }
        const std::size_t bucket = bucket_at(region, key_of(victim));
        const std::size_t record = blocks_at(region) + (word_at(region, bucket) - 1) * 256;
        damage.make(region, record, bucket);
        word_at(region, kDirtyAt) = 1;
        ck_assert_msg(table.check(), "after %s", damage.what);
        std::size_t lost = 0;
        for (std::uint32_t n = 0; n < 20; ++n) {
            std::string text;
            if (get(table, key_of(n), text)) {
                ck_assert_sv_eq(text, content(n, 700));
            } else {
                ++lost;
            }
        }
        ck_assert_msg(lost <= 3, "%zu lost after %s", lost, damage.what);
        ck_assert(put(table, key_of(victim), "again") == RecordTable::Insert::ok);
        ck_assert(table.check());
    }
}
END_TEST

START_TEST(two_records_of_one_chain_are_not_both_kept) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    const Digest a = key_of(1);
    put(table, a, content(1, 700));
    put(table, sibling_of(a, 1), content(2, 700));
    // The newer record, in front, gets the older one's chain.
    const std::size_t first = blocks_at(region) + (word_at(region, bucket_at(region, a)) - 1) * 256;
    const std::size_t second = blocks_at(region) + (word_at(region, first + 4) - 1) * 256;
    word_at(region, first) = word_at(region, second);
    ck_assert(!table.check());
    word_at(region, kDirtyAt) = 1;
    ck_assert(table.check());
    ck_assert_uint_eq(table.stats().blocks_used, 0);  // the list ends where trust does
}
END_TEST

START_TEST(a_wild_or_endless_list_is_repaired_on_the_way) {
    for (const int damage : {0, 1}) {
        for (const int call : {0, 1, 2, 3}) {
            const Region region(kSmall);
            RecordTable table = RecordTable::create(region.span());
            const Digest key = key_of(1);
            put(table, key, "one", kNow + 1);
            put(table, key_of(2), "two");
            put(table, sibling_of(key, 1), "sibling");
            const std::size_t bucket = bucket_at(region, key);
            if (damage == 0) {
                word_at(region, bucket) = 0x00ffffff;
            } else {
                const std::size_t last = blocks_at(region) + (word_at(region, bucket) - 1) * 256;
                word_at(region, last + 4) = word_at(region, bucket);
            }
            ck_assert(!table.check());
            const Digest absent = sibling_of(key, 9);
            RecordTable::Found found;
            if (call == 0) {
                ck_assert(table.find(absent, kBinding, kNow, false, found) ==
                          RecordTable::Find::missing);
            } else if (call == 1) {
                ck_assert(!table.erase(absent));
            } else if (call == 2) {
                ck_assert(put(table, absent, "new") == RecordTable::Insert::ok);
            } else {
                table.sweep(table.bucket_count(), kNow);
            }
            ck_assert(table.check());
            ck_assert_uint_eq(table.stats().recoveries, 1);
            assert_holds(table, key_of(2), "two");
        }
    }
}
END_TEST

START_TEST(check_notices_wrong_counts) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    put(table, key_of(1), content(1, 700));
    put(table, key_of(2), content(2, 700));
    table.erase(key_of(1));
    ck_assert(table.check());
    for (const std::size_t offset : {32, 36, 40, 44, 48}) {  // free list, counts, cursor
        const std::uint32_t before = word_at(region, offset);
        word_at(region, offset) = before + 0x100000;
        ck_assert(!table.check());
        word_at(region, offset) = before;
        ck_assert(table.check());
    }
    const std::size_t free_block = blocks_at(region) + (word_at(region, 32) - 1) * 256;
    word_at(region, free_block) = word_at(region, 32);  // endless free list
    ck_assert(!table.check());
    // A copy of a broken chain reads as zeros, not beyond the table.
    RecordTable::Found found{kNow, 5000, 0x00ffffff};
    std::string out(5000, 'x');
    table.copy(found, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
    ck_assert_sv_eq(out, std::string(5000, '\0'));
}
END_TEST

// ---- F-02: killed at every instruction -------------------------------------------------------

namespace {

std::vector<Scene> scenes() {
    const Digest key = key_of(1);
    const std::vector<std::pair<Digest, std::string>> lasting = {
        {sibling_of(key, 1), content(2, 700)},
        {sibling_of(key, 2), content(3, 40)},
        {key_of(4), content(4, 1500)},
    };
    // What moves stands in the middle of its bucket's list, so that a cut loses somebody.
    using Put = std::function<void(RecordTable&)>;
    const auto around = [lasting](const Put& middle) {
        return [lasting, middle](RecordTable& table, const Region&) {
            put(table, lasting[0].first, lasting[0].second);
            put(table, lasting[2].first, lasting[2].second);
            middle(table);
            put(table, lasting[1].first, lasting[1].second);
            put(table, key_of(50), content(50, 600));  // leaves blocks in the free list
            table.erase(key_of(50));
        };
    };
    const std::string old_text = content(10, 900);
    const std::string new_text = content(11, 800);
    const auto nothing = around([](RecordTable&) {});
    const auto with_old = around([=](RecordTable& t) { put(t, key, old_text, kNow + 1000, 100); });
    const Digest ended = sibling_of(key, 7);
    const auto two_ended = around([=](RecordTable& t) {
        put(t, key_of(60), old_text, kNow + 5);
        put(t, ended, old_text, kNow + 5);
    });
    const auto look_up = [](const Digest& wanted) {
        return [wanted](RecordTable& t) {
            std::string text;
            get(t, wanted, text, kNow + 5, true);
        };
    };
    const auto insert = [=](RecordTable& t) { put(t, key, new_text); };
    const auto erase = [=](RecordTable& t) { t.erase(key); };
    const auto sweep = [](RecordTable& t) { t.sweep(t.bucket_count(), kNow + 5); };
    std::vector<Scene> list;
    const auto one = [&](std::vector<std::string> allowed, bool may_be_absent = true) {
        return std::vector<Moving>{{key, std::move(allowed), may_be_absent}};
    };
    list.push_back({"insert", nothing, insert, lasting, one({new_text})});
    list.push_back({"replace", with_old, insert, lasting, one({old_text, new_text}, false)});
    list.push_back({"erase", with_old, erase, lasting, one({old_text})});
    list.push_back({"sweep", two_ended, sweep, lasting, one({}), kNow + 5});
    list.push_back(
        {"find of an ended record", two_ended, look_up(ended), lasting, one({}), kNow + 5});
    list.push_back({"touch", with_old, look_up(key), lasting, one({old_text}, false), kNow + 5});
    return list;
}

}  // namespace

START_TEST(f_02_killed_at_every_instruction) {
    for (const Scene& scene : scenes()) {
        std::size_t states = 0;
        if (!step_through(scene, states)) {
            std::fprintf(stderr, "F-02 SKIPPED: tracing is not permitted here\n");
            return;
        }
        ck_assert_msg(states >= 1, "%s changed nothing", scene.name);
    }
}
END_TEST

// The repair itself may be killed, at every instruction again. What it finds is the work of a
// writer that died between publishing a new record and withdrawing the old one, with a leaked
// block.
START_TEST(f_02_killed_while_recovering) {
    Scene scene = scenes()[1];
    const auto prepare = scene.prepare;
    const std::string new_text = scene.moving[0].allowed[1];
    scene.name = "recover";
    scene.prepare = [&](RecordTable& table, const Region& region) {
        prepare(table, region);
        // Stored under a sibling's key, then given the key and the checksum of the real one.
        put(table, sibling_of(scene.moving[0].key, 30), new_text);
        const Region twin(kSmall);
        RecordTable other = RecordTable::create(twin.span());
        put(other, scene.moving[0].key, new_text);
        const std::size_t mine =
            blocks_at(region) + (word_at(region, bucket_at(region, scene.moving[0].key)) - 1) * 256;
        std::memcpy(region.data() + mine + kKeyAt, scene.moving[0].key.data(),
                    scene.moving[0].key.size());
        word_at(region, mine + 12) = word_at(twin, blocks_at(twin) + 12);
        word_at(region, kHighWaterAt) += 1;
        word_at(region, kDirtyAt) = 1;
    };
    scene.act = [](RecordTable& table) { (void)table.stats(); };
    std::size_t states = 0;
    if (!step_through(scene, states)) {
        std::fprintf(stderr, "F-02 SKIPPED: tracing is not permitted here\n");
        return;
    }
    ck_assert_uint_gt(states, 10);
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    scene.prepare(table, region);
    ck_assert(table.check());
    assert_holds(table, scene.moving[0].key, new_text);  // the newer of the two
    ck_assert_uint_eq(table.stats().records, 4);
}
END_TEST

// ---- F-01: kill -9 at random moments ---------------------------------------------------------

namespace {

constexpr std::uint32_t kKeys = 48;

// What the child has finished, and what it was about to do; in shared memory as well.
struct Journal {
    std::uint32_t done[kKeys];  // version that is stored; 0: none
    std::uint32_t next[kKeys];  // version of the operation under way
    std::uint32_t under_way;    // key + 1; 0: none
    std::uint32_t seed;
};

std::string version_text(std::uint32_t key, std::uint32_t version) {
    return content(key * 100003 + version, 20 + (key * 37 + version * 101) % 1300);
}

[[noreturn]] void mutate_for_ever(std::span<std::byte> region, volatile Journal& journal) {
    RecordTable table = RecordTable::attach(region);
    std::uint32_t state = journal.seed;
    std::uint32_t version = state;
    for (;;) {
        state = state * 1664525 + 1013904223;
        const std::uint32_t key = (state >> 8) % kKeys;
        const std::uint32_t what = (state >> 24) % 6;
        const bool erase = what < 2;
        const bool update = what == 2;
        version = version % 1'000'000'000 + 1;
        const std::string text = version_text(key, version);
        // What is not there stays so when it is updated.
        journal.next[key] = erase || (update && journal.done[key] == 0) ? 0 : version;
        journal.under_way = key + 1;
        if (erase) {
            table.erase(key_of(key));
        } else if (update) {
            table.update(key_of(key), kBinding, as_bytes(text), kNow);
        } else {
            put(table, key_of(key), text);
        }
        journal.done[key] = journal.next[key];
        journal.under_way = 0;
    }
}

}  // namespace

START_TEST(f_01_killed_at_random_moments) {
    const Region region(128 * 1024);
    const Region journal_region(4096);
    auto& journal = *reinterpret_cast<volatile Journal*>(journal_region.data());
    RecordTable table = RecordTable::create(region.span());
    std::mt19937 random(7);  // NOLINT: the moments are random anyway
    for (int round = 0; round < 200; ++round) {
        journal.seed = static_cast<std::uint32_t>(random());
        const pid_t child = fork();
        if (child == 0) {
            mutate_for_ever(region.span(), journal);
        }
        usleep(static_cast<useconds_t>(500 + random() % 3000));
        kill(child, SIGKILL);
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        std::size_t records = 0;
        for (std::uint32_t key = 0; key < kKeys; ++key) {
            std::string text;
            const bool there = get(table, key_of(key), text);
            const std::uint32_t done = journal.done[key];
            const std::uint32_t next = journal.next[key];
            records += there ? 1 : 0;
            if (journal.under_way == key + 1) {
                const bool is_old = there ? text == version_text(key, done) : done == 0;
                const bool is_new = there ? text == version_text(key, next) : next == 0;
                ck_assert_msg(is_old || is_new, "round %d: torn record", round);
                journal.done[key] = is_new ? next : done;
            } else {
                ck_assert_msg(there == (done != 0), "round %d: a finished change is lost", round);
                ck_assert(!there || text == version_text(key, done));
            }
        }
        journal.under_way = 0;
        ck_assert_msg(table.check(), "round %d: inconsistent", round);
        ck_assert_uint_eq(table.stats().records, records);
        ck_assert_uint_eq(count_tagged(table, RecordTable::Tag::sub, kSub), records);
    }
    for (std::uint32_t key = 0; key < kKeys; ++key) {
        table.erase(key_of(key));
    }
    ck_assert_uint_eq(table.stats().blocks_used, 0);
}
END_TEST

static Suite* record_table_crash_suite() {
    Suite* suite = suite_create("record_table_crash");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 900);
    tcase_add_test(tcase, recovery_keeps_what_is_whole);
    tcase_add_test(tcase, recovery_survives_lists_that_nobody_could_have_written);
    tcase_add_test(tcase, two_records_of_one_chain_are_not_both_kept);
    tcase_add_test(tcase, a_wild_or_endless_list_is_repaired_on_the_way);
    tcase_add_test(tcase, check_notices_wrong_counts);
    tcase_add_test(tcase, f_02_killed_at_every_instruction);
    tcase_add_test(tcase, f_02_killed_while_recovering);
    tcase_add_test(tcase, f_01_killed_at_random_moments);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration record_table_crash_registered("record_table_crash",
                                                        record_table_crash_suite);
