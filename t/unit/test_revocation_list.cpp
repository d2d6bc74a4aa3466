// SPDX-License-Identifier: Apache-2.0
#include "oidc/revocation_list.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "record_table_fixture.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

using Tag = RecordTable::Tag;
using Stamp = RevocationList::Stamp;

constexpr std::size_t kSize = RevocationList::min_size();
constexpr Seconds kUntil = kNow + 1000;

RevocationList::Now at(Seconds seconds) {
    return {seconds, seconds * 1'000'000};
}

struct List {
    Region region{kSize};
    RevocationList list = RevocationList::create(region.span());

    // A login at this moment.
    Stamp login(Seconds now = kNow, Seconds expires = kUntil) {
        const Stamp stamp = list.next_stamp(at(now).clock);
        list.note_session(stamp, expires);
        return stamp;
    }
    bool ended(std::uint32_t n, Stamp begun, std::uint64_t sid = 0, std::uint64_t sub = 0,
               Seconds now = kNow) {
        return list.has_ended(key_of(n), sid, sub, begun, now);
    }
};

}  // namespace

START_TEST(c_12_an_ended_session_is_found_until_its_end) {
    List l;
    const Stamp begun = l.login();
    ck_assert(!l.ended(1, begun));
    ck_assert(l.list.end_session(key_of(1), kUntil, at(kNow)));
    ck_assert(l.ended(1, begun));
    ck_assert(!l.ended(2, begun));
    // The session itself cannot be presented at its end or after it.
    ck_assert(l.ended(1, begun, 0, 0, kUntil));
    ck_assert(!l.ended(1, begun, 0, 0, kUntil + 1));
    ck_assert(l.list.records().check());
}
END_TEST

START_TEST(entries_last_as_long_as_the_longest_session) {
    List l;
    const Stamp begun = l.login(kNow, kUntil + 5000);
    ck_assert(l.list.end_session(key_of(1), kUntil, at(kNow)));
    ck_assert(l.ended(1, begun, 0, 0, kUntil + 5000));
    ck_assert(!l.ended(1, begun, 0, 0, kUntil + 5001));
    // One that was begun elsewhere, or before this memory was made, and has been presented.
    l.list.note_session(begun - 1, kUntil + 9000);
    ck_assert(l.list.end_owner(Tag::sub, kSub, 0, at(kNow)));
    ck_assert(l.ended(2, begun, 0, kSub, kUntil + 9000));
    List endless;
    endless.login(kNow, std::numeric_limits<Seconds>::max());
    ck_assert(endless.list.end_session(key_of(1), 0, at(kNow)));
    ck_assert(endless.ended(1, 1 + kNow, 0, 0, kNow + 1'000'000'000));
}
END_TEST

START_TEST(l_09_a_login_right_after_a_logout_works) {
    List l;
    const Stamp before = l.login();
    ck_assert(l.list.end_owner(Tag::sub, kSub, kUntil, at(kNow)));
    const Stamp after = l.login();  // the clock has not moved
    ck_assert(before < after);
    ck_assert(l.ended(1, before, 0, kSub));
    ck_assert(!l.ended(2, after, 0, kSub));
    // Nor is another's touched, nor another kind of tag of the same value.
    ck_assert(!l.ended(3, before, 0, kSub + 1));
    ck_assert(!l.ended(3, before, kSub, 0));
    // The next one ends both.
    ck_assert(l.list.end_owner(Tag::sub, kSub, kUntil, at(kNow)));
    ck_assert(l.ended(2, after, 0, kSub));
    ck_assert(!l.ended(4, l.login(), 0, kSub));
}
END_TEST

START_TEST(l_09_by_sid) {
    List l;
    const Stamp before = l.login();
    ck_assert(l.list.end_owner(Tag::sid, kSid, kUntil, at(kNow)));
    ck_assert(l.ended(1, before, kSid, kSub));
    ck_assert(!l.ended(1, before, kSid + 1, kSid));
    ck_assert(!l.ended(1, before, 0, kSub));
    ck_assert(l.list.end_owner(Tag::sid, 0, kUntil, at(kNow)));  // tag 0 is nobody
    ck_assert(!l.ended(2, before, 0, 0));
}
END_TEST

START_TEST(f_15_a_clock_that_goes_back_revives_nothing) {
    List l;
    const Stamp before = l.login(kNow + 500);
    ck_assert(l.list.end_owner(Tag::sub, kSub, kUntil, at(kNow)));  // 500 s earlier
    ck_assert(l.ended(1, before, 0, kSub));
    ck_assert(!l.ended(2, l.login(kNow - 1000), 0, kSub));
    // A session that was begun on a machine whose clock is ahead, once it was seen here.
    const Stamp ahead = at(kNow + 9999).clock;
    l.list.note_session(ahead, kUntil);
    ck_assert(l.list.end_owner(Tag::sub, kSub, kUntil, at(kNow)));
    ck_assert(l.ended(3, ahead, 0, kSub));
}
END_TEST

START_TEST(stamps_grow) {
    List l;
    Stamp last = 0;
    for (const Seconds now : {kNow, kNow, kNow - 5, kNow + 1, kNow}) {
        const Stamp next = l.list.next_stamp(at(now).clock);
        ck_assert_int_gt(next, last);
        last = next;
    }
    ck_assert_int_gt(RevocationList::attach(l.region.span()).next_stamp(0), last);
    // A session without a stamp, which nobody makes, is none.
    ck_assert(l.ended(1, 0));
}
END_TEST

START_TEST(a_full_list_ends_all_sessions_and_never_forgets) {
    List l;
    const Stamp before = l.login();
    std::uint32_t n = 0;
    while (l.list.end_session(key_of(n), kUntil, at(kNow))) {
        ck_assert_int_eq(l.list.epoch(), 0);
        ck_assert(!l.ended(1'000'000, before));
        ++n;
        ck_assert_uint_lt(n, 10'000);
    }
    ck_assert_uint_gt(n, 100);
    ck_assert_int_gt(l.list.epoch(), before);
    for (std::uint32_t i = 0; i <= n; ++i) {
        ck_assert(l.ended(i, before));
    }
    ck_assert(l.ended(1'000'000, before));
    // Who signs in again is in.
    const Stamp after = l.login();
    ck_assert(!l.ended(1'000'001, after));
    ck_assert(l.ended(0, after));  // named by an entry
    // What has expired makes room again.
    ck_assert(l.list.end_session(key_of(n), kUntil + 5000, at(kUntil + 2)));
    ck_assert(!l.ended(1'000'001, after, 0, 0, kUntil + 2));
    ck_assert(l.list.records().check());
}
END_TEST

START_TEST(end_all_ends_what_has_begun) {
    List l;
    const Stamp before = l.login();
    l.list.end_all(at(kNow).clock);
    ck_assert(l.ended(1, before));
    ck_assert(!l.ended(1, l.login()));
}
END_TEST

START_TEST(waiting_records_leave_room_for_entries) {
    List l;
    const Stamp begun = l.login();
    RecordTable table = l.list.records();
    std::uint32_t n = 0;
    const std::string text = content(1, 2000);
    while (l.list.has_room(text.size())) {
        ck_assert(put(table, key_of(n), text) == RecordTable::Insert::ok);
        ++n;
    }
    ck_assert_uint_gt(n, 3);
    const RecordTable::Stats stats = table.stats();
    ck_assert_uint_le(stats.blocks_used * 2, stats.blocks_total);
    // A session's entry and its waiting record do not meet.
    ck_assert(l.list.end_session(key_of(0), kUntil, at(kNow)));
    assert_holds(table, key_of(0), text);
    ck_assert(l.ended(0, begun) && !l.ended(1, begun));
}
END_TEST

START_TEST(a_region_is_known_by_its_head) {
    List l;
    ck_assert(RevocationList::is_list(l.region.span()));
    ck_assert(!RevocationList::is_list(l.region.span().first(kSize - 64)));
    const Region empty(kSize);
    ck_assert(!RevocationList::is_list(empty.span()));
    for (const std::size_t offset : {0, 8, 16, 64}) {  // magic, size, version, table
        std::byte& byte = l.region.data()[offset];
        byte ^= std::byte{1};
        ck_assert(!RevocationList::is_list(l.region.span()));
        byte ^= std::byte{1};
    }
    ck_assert(RevocationList::is_list(l.region.span()));
}
END_TEST

namespace {

// What must hold when a writer died: everything that had been ended is, nobody else is, and the
// list works on.
void verify_survivor(std::span<std::byte> region, Stamp before, std::size_t step) {
    RevocationList list = RevocationList::attach(region);
    ck_assert_msg(RevocationList::is_list(region), "step %zu", step);
    ck_assert_msg(list.has_ended(key_of(1), 0, 0, before, kNow), "step %zu: forgotten", step);
    ck_assert_msg(list.has_ended(key_of(9), 5, 0, before, kNow), "step %zu: forgotten", step);
    ck_assert_msg(!list.has_ended(key_of(9), 6, 0, before, kNow), "step %zu: one too many", step);
    ck_assert_msg(list.end_session(key_of(3), kUntil, at(kNow)), "step %zu", step);
    ck_assert(list.has_ended(key_of(3), 0, 0, before, kNow));
    ck_assert(!list.has_ended(key_of(4), 5, 0, list.next_stamp(0), kNow));
    ck_assert_msg(list.records().check(), "step %zu: inconsistent", step);
}

}  // namespace

START_TEST(f_02_a_writer_killed_at_any_instruction) {
    List l;
    const Stamp before = l.login();
    ck_assert(l.list.end_session(key_of(1), kUntil, at(kNow)));
    ck_assert(l.list.end_owner(Tag::sid, 5, kUntil, at(kNow)));
    const Region last(kSize);
    const Region copy(kSize);
    std::memcpy(last.data(), l.region.data(), kSize);
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            _exit(77);
        }
        raise(SIGSTOP);
        RevocationList mine = RevocationList::attach(l.region.span());
        mine.note_session(mine.next_stamp(at(kNow).clock), kUntil + 7);
        const bool done = mine.end_session(key_of(2), kUntil, at(kNow)) &&
                          mine.end_owner(Tag::sid, 5, kUntil, at(kNow));  // replaces an entry
        _exit(done ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) {
        return;  // this system does not let a process be traced
    }
    std::size_t states = 0;
    for (std::size_t step = 0;; ++step) {
        ck_assert_uint_lt(step, 20'000'000);
        if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return;
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            break;
        }
        ck_assert(WIFSTOPPED(status));
        if (std::memcmp(last.data(), l.region.data(), kSize) != 0) {
            std::memcpy(last.data(), l.region.data(), kSize);
            std::memcpy(copy.data(), l.region.data(), kSize);
            verify_survivor(copy.span(), before, step);
            ++states;
        }
    }
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_uint_gt(states, 20);
    ck_assert(l.ended(2, before));
}
END_TEST

static Suite* revocation_list_suite() {
    Suite* suite = suite_create("revocation_list");
    TCase* list = tcase_create("list");
    tcase_add_test(list, c_12_an_ended_session_is_found_until_its_end);
    tcase_add_test(list, entries_last_as_long_as_the_longest_session);
    tcase_add_test(list, l_09_a_login_right_after_a_logout_works);
    tcase_add_test(list, l_09_by_sid);
    tcase_add_test(list, f_15_a_clock_that_goes_back_revives_nothing);
    tcase_add_test(list, stamps_grow);
    tcase_add_test(list, a_full_list_ends_all_sessions_and_never_forgets);
    tcase_add_test(list, end_all_ends_what_has_begun);
    tcase_add_test(list, waiting_records_leave_room_for_entries);
    tcase_add_test(list, a_region_is_known_by_its_head);
    suite_add_tcase(suite, list);
    TCase* crash = tcase_create("crash");
    tcase_set_timeout(crash, 120);
    tcase_add_test(crash, f_02_a_writer_killed_at_any_instruction);
    suite_add_tcase(suite, crash);
    return suite;
}

static const Registration revocation_list_registered("revocation_list", revocation_list_suite);
