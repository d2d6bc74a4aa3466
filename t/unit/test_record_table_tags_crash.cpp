// SPDX-License-Identifier: Apache-2.0
// What the lists of the tags survive: damage, and writers killed at any instruction.
#include <array>
#include <cstdio>
#include <functional>
#include <vector>

#include "oidc/record_table.hpp"
#include "record_table_owned.hpp"
#include "record_table_stepper.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

// ---- damage ----------------------------------------------------------------------------------

namespace {

constexpr std::uint32_t kVictims = 6;

struct Damage {
    const char* what;
    // `head` is the offset of the sub list's head, `first` and `second` those of its records.
    std::function<void(const Region&, std::size_t head, std::size_t first, std::size_t second)>
        make;
};

// Offsets of a record's link in the list of the sub tag.
constexpr std::size_t kNextAt = kLinksAt + 8;
constexpr std::size_t kPrevAt = kLinksAt + 12;

std::vector<Damage> damages() {
    using Offset = std::size_t;
    return {
        {"wild head",
         [](const Region& r, Offset head, Offset, Offset) { word_at(r, head) = 0x7fffffff; }},
        {"lost head", [](const Region& r, Offset head, Offset, Offset) { word_at(r, head) = 0; }},
        {"wild next", [](const Region& r, Offset, Offset first,
                         Offset) { word_at(r, first + kNextAt) = 0xfffffff0; }},
        {"cut list",
         [](const Region& r, Offset, Offset first, Offset) { word_at(r, first + kNextAt) = 0; }},
        {"endless list", [](const Region& r, Offset head, Offset,
                            Offset second) { word_at(r, second + kNextAt) = word_at(r, head); }},
        {"record that follows itself",
         [](const Region& r, Offset head, Offset first, Offset) {
             word_at(r, first + kNextAt) = word_at(r, head);
         }},
        {"wild previous", [](const Region& r, Offset, Offset,
                             Offset second) { word_at(r, second + kPrevAt) = 0x7fffffff; }},
        {"no previous",
         [](const Region& r, Offset, Offset, Offset second) { word_at(r, second + kPrevAt) = 0; }},
        {"previous of the first",
         [](const Region& r, Offset, Offset first, Offset) {
             word_at(r, first + kPrevAt) = word_at(r, first + kNextAt);
         }},
    };
}

void damage_list(const Region& region, RecordTable& table, const Damage& damage) {
    for (std::uint32_t n = 0; n < kVictims; ++n) {
        add(table, n, owned(7, 100), content(n, 700));
    }
    add(table, 50, owned(8, 200));
    ck_assert(table.check());
    const std::size_t head = tag_head_at(region, Tag::sub, 100);
    const std::size_t first = record_at(region, head);
    damage.make(region, head, first, record_at(region, first + kNextAt));
}

}  // namespace

START_TEST(check_notices_damaged_tag_lists) {
    for (const Damage& damage : damages()) {
        const Region region(kSmall);
        RecordTable table = RecordTable::create(region.span());
        damage_list(region, table, damage);
        ck_assert_msg(!table.check(), "%s", damage.what);
        word_at(region, kDirtyAt) = 1;
        ck_assert_msg(table.check(), "after %s", damage.what);
        ck_assert_uint_eq(count_tagged(table, Tag::sub, 100), kVictims);
        ck_assert_uint_eq(count_tagged(table, Tag::sid, 7), kVictims);
        ck_assert_uint_eq(count_tagged(table, Tag::sub, 200), 1);
    }
}
END_TEST

// Whoever meets the damage leaves a whole table without the records that were to go. Only a cut
// list, which looks like a short one, cannot be told while walking it.
START_TEST(damaged_tag_lists_are_repaired_on_the_way) {
    for (const Damage& damage : damages()) {
        for (const int call : {0, 1, 2, 3, 4}) {
            const Region region(kSmall);
            RecordTable table = RecordTable::create(region.span());
            damage_list(region, table, damage);
            const std::string_view what = damage.what;
            const bool cut = what == "lost head" || what == "cut list";
            if (call == 0) {
                const std::size_t ended = table.erase_tagged(Tag::sub, 100, nullptr, kNow);
                ck_assert_msg(cut || ended >= kVictims, "%s", damage.what);
                ck_assert(cut || table.stats().records == 1);
            } else if (call == 1) {
                table.keep_newest(100, kBinding, 0, kNow);
                ck_assert_msg(cut || table.stats().records <= 1 + kVictims, "%s", damage.what);
            } else if (call == 2) {
                std::array<RecordTable::Listed, 2> out;
                const std::size_t total = table.list_tagged(Tag::sub, 100, kNow, out);
                ck_assert_msg(cut || total == kVictims, "%s", damage.what);
            } else if (call == 3) {
                for (std::uint32_t n = 0; n < kVictims; ++n) {
                    ck_assert(table.erase(key_of(n)));
                }
                ck_assert(table.check());
            } else {
                table.sweep(table.bucket_count(), kEnd);
                ck_assert(table.check());
                ck_assert_uint_eq(table.stats().records, 0);
            }
            for (std::uint32_t n = 0; n < kVictims; ++n) {
                (void)table.erase(key_of(n));
            }
            if (call <= 2 && cut) {
                word_at(region, kDirtyAt) = 1;
            }
            ck_assert_msg(table.check(), "%s, call %d", damage.what, call);
        }
    }
}
END_TEST

// ---- F-02: killed at every instruction -------------------------------------------------------

namespace {

// One user's sessions between those of another; the fixture's tags are on both, so that the lists
// of the changing records and of the lasting ones are the same where the change allows it.
std::vector<Scene> scenes() {
    const Digest key = key_of(1);
    const std::string old_text = content(10, 900);
    const std::string new_text = content(11, 1200);
    const std::vector<std::pair<Digest, std::string>> lasting = {
        {sibling_of(key, 1), content(2, 700)},
        {sibling_of(key, 2), content(3, 40)},
        {key_of(4), content(4, 300)},
    };
    const auto prepare = [=](bool same_binding) {
        return [=](RecordTable& table, const Region&) {
            const auto put_at = [&](const Digest& k, const std::string& text, Seconds created,
                                    bool lasts) {
                RecordTable::Meta m = meta(kNow + 1000, 100);
                m.created = created;
                m.binding = lasts || same_binding ? kBinding : kOther;
                ck_assert(table.insert(k, m, as_bytes(text), kNow) == RecordTable::Insert::ok);
            };
            put_at(lasting[0].first, lasting[0].second, kNow - 10, true);
            put_at(key, old_text, kNow - 50, false);
            put_at(lasting[1].first, lasting[1].second, kNow - 9, true);
            put_at(sibling_of(key, 5), old_text, kNow - 40, false);
            put_at(key_of(6), old_text, kNow - 30, false);
            put_at(lasting[2].first, lasting[2].second, kNow - 8, true);
            put(table, key_of(50), content(50, 600));  // leaves blocks in the free list
            table.erase(key_of(50));
        };
    };
    const auto three = [&](const Digest& binding) {
        return std::vector<Moving>{{key, {old_text}, true, binding},
                                   {sibling_of(key, 5), {old_text}, true, binding},
                                   {key_of(6), {old_text}, true, binding}};
    };
    const auto stay = [&](std::vector<std::string> allowed) {
        return std::vector<Moving>{{key, std::move(allowed), false},
                                   {sibling_of(key, 5), {old_text}, false},
                                   {key_of(6), {old_text}, false}};
    };
    const auto update = [=](RecordTable& t) {
        expect_there(t.update(key, kBinding, as_bytes(new_text), kNow) == RecordTable::Update::ok);
    };
    const auto lease = [=](RecordTable& t) {
        expect_there(t.lease(key, kBinding, kNow, 30));
        t.release(key, kBinding, kNow + 60, kNow);
    };
    const auto limit = [](RecordTable& t) {
        expect_there(t.keep_newest(kSub, kBinding, 3, kNow) == 3);
    };
    const auto erase = [](Tag which, std::uint64_t tag) {
        return
            [=](RecordTable& t) { expect_there(t.erase_tagged(which, tag, &kOther, kNow) == 3); };
    };
    return {
        {"update", prepare(true), update, lasting, stay({old_text, new_text})},
        {"lease and release", prepare(true), lease, lasting, stay({old_text})},
        {"keep_newest", prepare(true), limit, lasting, three(kBinding)},
        {"erase by sub", prepare(false), erase(Tag::sub, kSub), lasting, three(kOther)},
        {"erase by sid", prepare(false), erase(Tag::sid, kSid), lasting, three(kOther)},
    };
}

}  // namespace

START_TEST(f_02_owners_changes_killed_at_every_instruction) {
    for (const Scene& scene : scenes()) {
        std::size_t states = 0;
        if (!step_through(scene, states)) {
            std::fprintf(stderr, "F-02 SKIPPED: tracing is not permitted here\n");
            return;
        }
        ck_assert_msg(states >= 2, "%s changed nothing", scene.name);
    }
}
END_TEST

// A list is walked and repaired in one call: what the repair makes survives its own death as well.
START_TEST(f_02_killed_while_the_tag_lists_are_made_anew) {
    Scene scene = scenes()[1];
    const auto prepare = scene.prepare;
    scene.name = "recover the lists";
    scene.prepare = [prepare](RecordTable& table, const Region& region) {
        prepare(table, region);
        word_at(region, tag_head_at(region, Tag::sub, kSub)) = 0x7fffffff;
        word_at(region, tag_head_at(region, Tag::sid, kSid)) = 0x7fffffff;
    };
    scene.act = [](RecordTable& table) { expect_there(count_tagged(table, Tag::sub, kSub) == 6); };
    std::size_t states = 0;
    if (!step_through(scene, states)) {
        std::fprintf(stderr, "F-02 SKIPPED: tracing is not permitted here\n");
        return;
    }
    ck_assert_uint_gt(states, 10);
}
END_TEST

static Suite* record_table_tags_crash_suite() {
    Suite* suite = suite_create("record_table_tags_crash");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 900);
    tcase_add_test(tcase, check_notices_damaged_tag_lists);
    tcase_add_test(tcase, damaged_tag_lists_are_repaired_on_the_way);
    tcase_add_test(tcase, f_02_owners_changes_killed_at_every_instruction);
    tcase_add_test(tcase, f_02_killed_while_the_tag_lists_are_made_anew);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration record_table_tags_crash_registered("record_table_tags_crash",
                                                             record_table_tags_crash_suite);
