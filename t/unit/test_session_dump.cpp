// SPDX-License-Identifier: Apache-2.0
#include "oidc/session_dump.hpp"

#include <algorithm>
#include <vector>

#include "oidc/session.hpp"
#include "record_table_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

constexpr std::size_t kZone = 1024 * 1024;
constexpr std::string_view kStore = "main";

AeadKey key(std::uint8_t n) {
    AeadKey out;
    out.fill(n);
    return out;
}

struct Tables {
    Region sessions_memory{kZone};
    Region used_memory{64 * 1024};
    RecordTable sessions = RecordTable::create(sessions_memory.span());
    OnceTable used = OnceTable::create(used_memory.span());
    [[nodiscard]] DumpTables dump() const { return {sessions, used}; }
};

std::string session_record(std::uint32_t n, std::size_t token = 0) {
    Session session;
    session.provider = "idp";
    session.sub = "subject-" + std::to_string(n);
    session.username = "canary-name";
    session.created = kNow;
    session.access_token = Secret(content(n, token));
    return std::string(encode_session(session)->view());
}

RecordTable::Meta full_meta(std::uint32_t n) {
    RecordTable::Meta out = meta(kNow + 1000 + n, 500);
    out.sid_tag = 1000 + n;
    out.sub_tag = 7;
    out.created = kNow - 20;
    out.last_seen = kNow - 10;
    return out;
}

void fill(Tables& tables, std::uint32_t count, std::size_t token = 0) {
    for (std::uint32_t n = 0; n < count; ++n) {
        ck_assert(tables.sessions.insert(key_of(n), full_meta(n),
                                         as_bytes(session_record(n, token)),
                                         kNow) == RecordTable::Insert::ok);
        ck_assert(tables.used.use(key_of(n + 10000), kNow + 100, kNow));
    }
}

std::string written(const Tables& tables, const std::vector<AeadKey>& ring = {key(1)},
                    std::string_view store = kStore, Seconds now = kNow) {
    std::string out;
    FakeRandom random;
    DumpCounts counts;
    ck_assert(write_dump(
                  tables.dump(), ring, store, now, random,
                  [&out](std::string_view bytes) {
                      out += bytes;
                      return true;
                  },
                  counts) == DumpError::none);
    ck_assert_uint_eq(counts.bytes, out.size());
    return out;
}

DumpError read_into(Tables& tables, std::string_view file, DumpCounts& counts,
                    const std::vector<AeadKey>& ring = {key(1)}, std::string_view store = kStore,
                    Seconds now = kNow) {
    DumpTables to = tables.dump();
    counts = {};
    return read_dump(
        [&file](std::span<char> out) {
            const std::size_t n = std::min(out.size(), file.size());
            std::copy_n(file.begin(), n, out.begin());
            file.remove_prefix(n);
            return static_cast<std::ptrdiff_t>(n);
        },
        ring, store, now, to, counts);
}

DumpError outcome(std::string_view file, const std::vector<AeadKey>& ring = {key(1)},
                  std::string_view store = kStore) {
    Tables tables;
    DumpCounts counts;
    return read_into(tables, file, counts, ring, store);
}

}  // namespace

START_TEST(f_06_what_was_dumped_is_there_again) {
    Tables from;
    fill(from, 300, 900);  // several frames
    const std::string file = written(from);
    ck_assert_uint_gt(file.size(), 3 * 65536);
    Tables to;
    DumpCounts counts;
    ck_assert(read_into(to, file, counts) == DumpError::none);
    ck_assert_uint_eq(counts.sessions, 300);
    ck_assert_uint_eq(counts.used, 300);
    ck_assert_uint_eq(counts.bytes, file.size());
    ck_assert_uint_eq(to.sessions.stats().records, 300);
    ck_assert(to.sessions.check());
    for (std::uint32_t n = 0; n < 300; ++n) {
        assert_holds(to.sessions, key_of(n), session_record(n, 900));
        ck_assert(!to.used.use(key_of(n + 10000), kNow + 100, kNow));
        ck_assert_uint_eq(count_tagged(to.sessions, RecordTable::Tag::sid, 1000 + n), 1);
    }
    ck_assert_uint_eq(count_tagged(to.sessions, RecordTable::Tag::sub, 7), 300);
    ck_assert(to.used.use(key_of(5), kNow + 100, kNow));
}
END_TEST

START_TEST(both_ends_of_a_session_are_kept) {
    Tables from;
    fill(from, 1);
    Tables to;
    DumpCounts counts;
    ck_assert(read_into(to, written(from), counts, {key(1)}, kStore, kNow + 300) ==
              DumpError::none);
    // Last seen at kNow - 10, for 500 s.
    assert_holds(to.sessions, key_of(0), session_record(0), kNow + 489);
    assert_lacks(to.sessions, key_of(0), kNow + 490);

    Tables active;
    ck_assert(read_into(active, written(from), counts, {key(1)}, kStore, kNow) == DumpError::none);
    std::string text;
    for (const Seconds later : {400, 800}) {
        ck_assert(get(active.sessions, key_of(0), text, kNow + later, true));
    }
    ck_assert(get(active.sessions, key_of(0), text, kNow + 999));
    assert_lacks(active.sessions, key_of(0), kNow + 1000);
}
END_TEST

START_TEST(what_has_expired_stays_away) {
    Tables from;
    fill(from, 3);
    const std::string file = written(from);
    DumpCounts counts;
    Tables idle;
    ck_assert(read_into(idle, file, counts, {key(1)}, kStore, kNow + 490) == DumpError::none);
    ck_assert_uint_eq(counts.sessions, 0);
    ck_assert_uint_eq(counts.expired, 3);
    ck_assert_uint_eq(counts.used, 0);
    ck_assert_uint_eq(idle.sessions.stats().records, 0);
    // And is not even written.
    ck_assert_uint_lt(written(from, {key(1)}, kStore, kNow + 2000).size(), 100);
}
END_TEST

START_TEST(f_15_a_clock_that_was_put_back_prolongs_nothing) {
    Tables from;
    fill(from, 1);
    Tables to;
    DumpCounts counts;
    ck_assert(read_into(to, written(from), counts, {key(1)}, kStore, kNow - 5000) ==
              DumpError::none);
    assert_lacks(to.sessions, key_of(0), kNow - 5000 + 500);
}
END_TEST

START_TEST(f_21_any_key_of_the_ring_opens) {
    Tables from;
    fill(from, 2);
    const std::string file = written(from);
    ck_assert(outcome(file, {key(2), key(1)}) == DumpError::none);
    ck_assert(outcome(file, {key(2)}) == DumpError::sealed);
    ck_assert(outcome(file, {key(1)}, "other") == DumpError::sealed);
}
END_TEST

START_TEST(every_changed_bit_is_noticed) {
    Tables from;
    fill(from, 2);
    const std::string file = written(from);
    for (std::size_t i = 0; i < file.size(); ++i) {
        std::string bad = file;
        bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
        const DumpError error = outcome(bad);
        ck_assert_msg(error != DumpError::none, "byte %zu", i);
        ck_assert((error == DumpError::no_dump) == (i < kDumpMagic.size()));
    }
}
END_TEST

START_TEST(every_cut_is_noticed) {
    Tables from;
    fill(from, 100, 900);
    const std::string file = written(from);
    const std::size_t frames = 8 + 16;
    std::vector<std::size_t> cuts{frames, frames + 3, frames + 4, frames + 4 + 65536 + 29};
    for (std::size_t i = 8; i < file.size(); i += 997) {
        cuts.push_back(i);
    }
    for (const std::size_t cut : cuts) {
        ck_assert(outcome(std::string_view(file).substr(0, cut)) == DumpError::cut);
    }
    ck_assert(outcome(std::string_view(file).substr(0, 7)) == DumpError::no_dump);
    ck_assert(outcome("") == DumpError::no_dump);
    ck_assert(outcome(file + "x") == DumpError::sealed);
}
END_TEST

START_TEST(frames_cannot_be_moved) {
    Tables from;
    fill(from, 300, 900);
    const std::string file = written(from);
    constexpr std::size_t kHead = 8 + 16;
    constexpr std::size_t kWhole = 4 + 65536 + 29;
    const std::string first = file.substr(kHead, kWhole);
    const std::string second = file.substr(kHead + kWhole, kWhole);
    const std::string head = file.substr(0, kHead);
    const std::string rest = file.substr(kHead + 2 * kWhole);
    ck_assert(outcome(head + first + second + rest) == DumpError::none);
    ck_assert(outcome(head + second + first + rest) == DumpError::sealed);
    ck_assert(outcome(head + first + rest) == DumpError::sealed);
    ck_assert(outcome(head + first + first + rest) == DumpError::sealed);
}
END_TEST

START_TEST(s_05_nothing_can_be_read_in_the_file) {
    Tables from;
    fill(from, 50, 100);
    const std::string file = written(from);
    for (const std::string_view canary : {"canary-name", "subject-", "idp"}) {
        ck_assert(file.find(canary) == std::string::npos);
    }
    ck_assert(file.find(std::string(as_text(key_of(3)))) == std::string::npos);
    ck_assert(file.find(content(3, 100).substr(0, 16)) == std::string::npos);
}
END_TEST

START_TEST(a_smaller_table_takes_what_fits) {
    Tables from;
    fill(from, 300, 900);
    const std::string file = written(from);
    const Region small(kSmall);
    const Region used(64 * 1024);
    Tables unused;
    DumpTables to{RecordTable::create(small.span()), OnceTable::create(used.span())};
    DumpCounts counts;
    std::string_view left = file;
    const DumpError error = read_dump(
        [&left](std::span<char> out) {
            const std::size_t n = std::min(out.size(), left.size());
            std::copy_n(left.begin(), n, out.begin());
            left.remove_prefix(n);
            return static_cast<std::ptrdiff_t>(n);
        },
        std::vector<AeadKey>{key(1)}, kStore, kNow, to, counts);
    ck_assert(error == DumpError::none);
    ck_assert_uint_gt(counts.sessions, 10);
    ck_assert_uint_eq(counts.sessions + counts.full, 300);
    ck_assert_uint_eq(to.sessions.stats().records, counts.sessions);
}
END_TEST

START_TEST(records_of_another_version_stay_away) {
    Tables from;
    fill(from, 1);
    ck_assert(put(from.sessions, key_of(50), "not a record") == RecordTable::Insert::ok);
    Tables to;
    DumpCounts counts;
    ck_assert(read_into(to, written(from), counts) == DumpError::none);
    ck_assert_uint_eq(counts.sessions, 1);
    ck_assert_uint_eq(counts.foreign, 1);
    assert_lacks(to.sessions, key_of(50));
}
END_TEST

START_TEST(failures_of_others_are_told) {
    Tables from;
    fill(from, 200, 900);
    DumpCounts counts;
    FakeRandom random;
    const std::vector<AeadKey> ring{key(1)};
    std::size_t room = 70000;
    const auto full_disk = [&room](std::string_view bytes) {
        room -= std::min(room, bytes.size());
        return room > 0;
    };
    ck_assert(write_dump(from.dump(), ring, kStore, kNow, random, full_disk, counts) ==
              DumpError::io);
    const auto sink = [](std::string_view) { return true; };
    for (const int calls : {0, 1, 2}) {
        FakeRandom dry(calls);
        ck_assert(write_dump(from.dump(), ring, kStore, kNow, dry, sink, counts) ==
                  DumpError::failed);
    }
    ck_assert(write_dump(from.dump(), {}, kStore, kNow, random, sink, counts) == DumpError::failed);
    DumpTables to = from.dump();
    ck_assert(read_dump([](std::span<char>) { return std::ptrdiff_t{-1}; }, ring, kStore, kNow, to,
                        counts) == DumpError::io);
    for (int i = 0; i <= static_cast<int>(DumpError::failed); ++i) {
        ck_assert(text_of(static_cast<DumpError>(i)).empty() == (i == 0));
    }
}
END_TEST

START_TEST(items_that_break_the_rules_are_refused) {
    Tables tables;
    DumpCounts counts;
    DumpTables to = tables.dump();
    const auto takes = [&](std::string_view stream) {
        DumpItems items(to, kNow, counts);
        return items.take(stream) && items.is_complete();
    };
    using namespace std::string_view_literals;
    ck_assert(takes(""sv));
    ck_assert(!takes("\x03\x00\x00\x00\x00"sv));                 // of no known type
    ck_assert(!takes("\x01\x00\x00\x00\x01x"sv));                // a session of one byte
    ck_assert(!takes("\x01\x7f\x00\x00\x00"sv));                 // far too large
    ck_assert(!takes("\x02\x00\x00\x00\x01x"sv));                // a used value of one byte
    ck_assert(!takes("\x01\x00\x00"sv));                         // cut in its head
    std::string used("\x02\x00\x00\x00\x1c\x00\xff\xff\xff"sv);  // a place that is not there
    used += std::string(16, 'd') + std::string(1, '\0') + std::string(7, '\x7f');
    ck_assert(!takes(used));
    used[5 + 1] = used[5 + 2] = used[5 + 3] = 0;
    ck_assert(takes(used));
    // In any pieces.
    DumpItems items(to, kNow, counts);
    for (const char& c : used) {
        ck_assert(items.take({&c, 1}));
    }
    ck_assert(items.is_complete());
}
END_TEST

START_TEST(a_walk_meets_every_record_once) {
    Tables tables;
    fill(tables, 400);
    ck_assert(put(tables.sessions, sibling_of(key_of(1), 0), "sibling") == RecordTable::Insert::ok);
    RecordTable::Cursor cursor;
    RecordTable::Stored stored;
    std::vector<bool> met(400);
    std::size_t count = 0;
    while (tables.sessions.next(cursor, stored)) {
        ++count;
        for (std::uint32_t n = 0; n < 400; ++n) {
            if (stored.key == key_of(n)) {
                ck_assert(!met[n]);
                met[n] = true;
                ck_assert_int_eq(stored.meta.expires, kNow + 1000 + n);
                ck_assert_int_eq(stored.meta.last_seen, kNow - 10);
                ck_assert_int_eq(stored.meta.created, kNow - 20);
                ck_assert_int_eq(stored.found.expires, kNow + 490);
            }
        }
    }
    ck_assert_uint_eq(count, 401);
    ck_assert(std::find(met.begin(), met.end(), false) == met.end());
    ck_assert(!tables.sessions.next(cursor, stored));
}
END_TEST

static Suite* session_dump_suite() {
    Suite* suite = suite_create("session_dump");
    TCase* dump = tcase_create("dump");
    tcase_set_timeout(dump, 60);
    tcase_add_test(dump, f_06_what_was_dumped_is_there_again);
    tcase_add_test(dump, both_ends_of_a_session_are_kept);
    tcase_add_test(dump, what_has_expired_stays_away);
    tcase_add_test(dump, f_15_a_clock_that_was_put_back_prolongs_nothing);
    tcase_add_test(dump, f_21_any_key_of_the_ring_opens);
    tcase_add_test(dump, every_changed_bit_is_noticed);
    tcase_add_test(dump, every_cut_is_noticed);
    tcase_add_test(dump, frames_cannot_be_moved);
    tcase_add_test(dump, s_05_nothing_can_be_read_in_the_file);
    tcase_add_test(dump, a_smaller_table_takes_what_fits);
    tcase_add_test(dump, records_of_another_version_stay_away);
    tcase_add_test(dump, failures_of_others_are_told);
    tcase_add_test(dump, items_that_break_the_rules_are_refused);
    tcase_add_test(dump, a_walk_meets_every_record_once);
    suite_add_tcase(suite, dump);
    return suite;
}

static const Registration session_dump_registered("session_dump", session_dump_suite);
