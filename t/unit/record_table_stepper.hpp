// SPDX-License-Identifier: Apache-2.0
// Shared by the tests that kill writers of a RecordTable at every instruction.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "record_table_fixture.hpp"

namespace oidc::unit {

// A record that the change under test is about: absent, or with one of these contents.
struct Moving {
    Digest key{};
    std::vector<std::string> allowed;
    bool may_be_absent = true;
    Digest binding = kBinding;
};

// For the process that is traced: its failures must not be taken for those of a test of its own.
inline void expect_there(bool condition) {
    if (!condition) {
        _exit(1);
    }
}

struct Scene {
    const char* name;
    std::function<void(RecordTable&, const Region&)> prepare;
    std::function<void(RecordTable&)> act;
    // Records that stand before and after, whatever happens in between.
    std::vector<std::pair<Digest, std::string>> lasting;
    std::vector<Moving> moving;
    Seconds now = kNow;
};

// What must hold in a table that a writer left behind at any moment. Works on a copy.
inline void verify_survivor(const Scene& scene, std::span<std::byte> copy, std::size_t step) {
    RecordTable table = RecordTable::attach(copy);
    ck_assert_msg(RecordTable::is_table(copy), "%s, step %zu", scene.name, step);
    std::size_t blocks = 0;
    std::size_t records = scene.lasting.size();
    for (const auto& [key, text] : scene.lasting) {
        std::string found;
        ck_assert_msg(get(table, key, found, scene.now) && found == text,
                      "%s, step %zu: a committed record is lost", scene.name, step);
        blocks += blocks_of(text.size());
    }
    for (const auto& [key, allowed, may_be_absent, binding] : scene.moving) {
        std::string found;
        if (get(table, key, found, scene.now, false, binding)) {
            ck_assert_msg(std::find(allowed.begin(), allowed.end(), found) != allowed.end(),
                          "%s, step %zu: torn record", scene.name, step);
            blocks += blocks_of(found.size());
            ++records;
        } else {
            ck_assert_msg(may_be_absent, "%s, step %zu: record lost", scene.name, step);
        }
    }
    for (const auto& [which, tag] :
         {std::pair{RecordTable::Tag::sid, kSid}, std::pair{RecordTable::Tag::sub, kSub}}) {
        ck_assert_msg(count_tagged(table, which, tag, scene.now) == records,
                      "%s, step %zu: not every record is in its lists", scene.name, step);
    }
    table.sweep(table.bucket_count(), scene.now);
    ck_assert_msg(table.check(), "%s, step %zu: inconsistent", scene.name, step);
    ck_assert_msg(table.stats().blocks_used == blocks, "%s, step %zu: %zu blocks, expected %zu",
                  scene.name, step, table.stats().blocks_used, blocks);
    ck_assert(put(table, key_of(777), "next", scene.now + 9, 0, scene.now) ==
              RecordTable::Insert::ok);
    ck_assert(table.check());
}

// Runs `act` in a child, one machine instruction at a time, and looks at the region after each one
// that changed it. False: this system does not let a process be traced.
inline bool step_through(const Scene& scene, std::size_t& states) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    scene.prepare(table, region);
    const Region last(kSmall);
    const Region copy(kSmall);
    std::memcpy(last.data(), region.data(), kSmall);
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            _exit(77);
        }
        raise(SIGSTOP);
        RecordTable mine = RecordTable::attach(region.span());
        scene.act(mine);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) {
        return false;
    }
    for (std::size_t step = 0; step < 20'000'000; ++step) {
        if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            ck_assert_int_eq(WEXITSTATUS(status), 0);
            return true;
        }
        ck_assert(WIFSTOPPED(status));
        if (std::memcmp(last.data(), region.data(), kSmall) != 0) {
            std::memcpy(last.data(), region.data(), kSmall);
            std::memcpy(copy.data(), region.data(), kSmall);
            verify_survivor(scene, copy.span(), step);
            ++states;
        }
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    ck_abort_msg("%s does not end", scene.name);
    return false;
}

}  // namespace oidc::unit
