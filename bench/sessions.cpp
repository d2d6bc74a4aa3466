// SPDX-License-Identifier: Apache-2.0
// Sessions in one table: what they cost in memory, to find, and to drop when they have expired.
//   sessions COUNT
// Prints one JSON line. A target of the unit tests' project, which knows what the core needs.
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/record_table.hpp"
#include "oidc/session.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr oidc::Seconds kNow = 1'700'000'000;
// As the adapter's sweeper takes them under one hold of the lock.
constexpr std::size_t kSweepHold = 64;

// Of this thread alone: whatever else runs on the machine does not count.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Eleven claims, as the provider of the other measurements gives them.
oidc::Secret record_of(std::size_t n) {
    const std::string user = "user" + std::to_string(n);
    oidc::Session session;
    session.provider = "bench";
    session.sub = user;
    session.username = user;
    session.created = kNow;
    session.auth_time = kNow;
    const auto add = [&session](const char* name, const std::string& text, const char* json = "") {
        oidc::Claim claim;
        claim.name = name;
        claim.text = text;
        claim.json = json;
        session.claims.push_back(claim);
    };
    add("iss", "https://auth.example.com");
    add("sub", user);
    add("aud", "bench");
    add("exp", "1700003600", "1700003600");
    add("iat", "1700000000", "1700000000");
    add("preferred_username", user);
    add("email", user + "@example.com");
    add("email_verified", "true", "true");
    add("name", "Person " + user);
    add("given_name", "Person");
    add("groups", "sales,support", R"(["sales","support"])");
    auto record = oidc::encode_session(session);
    if (!record) {
        std::abort();
    }
    return std::move(*record);
}

oidc::Digest key_of(std::size_t n) {
    return oidc::sha256_fields({"key", std::to_string(n)});
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t count = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
    if (count == 0) {
        std::fputs("usage: sessions COUNT\n", stderr);
        return 2;
    }
    const std::size_t size = count * 900 + 64 * 1024 * 1024;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        return 1;
    }
    oidc::RecordTable table = oidc::RecordTable::create({static_cast<std::byte*>(memory), size});
    const oidc::Digest binding = oidc::sha256("binding");

    std::vector<oidc::Digest> keys(count);
    double inserting = 0;
    for (std::size_t n = 0; n < count; ++n) {
        keys[n] = key_of(n);
        const oidc::Secret record = record_of(n);
        oidc::RecordTable::Meta meta;
        meta.binding = binding;
        meta.expires = kNow + 3600;
        meta.sub_tag = oidc::owner_tag("sub", "bench", std::to_string(n));
        const auto start = Clock::now();
        const auto done = table.insert(keys[n], meta, oidc::as_bytes(record.view()), kNow);
        inserting += seconds_since(start);
        if (done != oidc::RecordTable::Insert::ok) {
            std::fprintf(stderr, "the table is full after %zu sessions\n", n);
            return 1;
        }
    }
    const oidc::RecordTable::Stats stats = table.stats();

    std::mt19937_64 random(1);  // the same order in each run
    std::shuffle(keys.begin(), keys.end(), random);
    std::vector<std::uint8_t> copy(4096);
    const std::size_t finds = std::min<std::size_t>(count, 1'000'000);
    auto start = Clock::now();
    for (std::size_t n = 0; n < finds; ++n) {
        oidc::RecordTable::Found found;
        if (table.find(keys[n], binding, kNow + 1, true, found) != oidc::RecordTable::Find::found) {
            std::fputs("a session is not found\n", stderr);
            return 1;
        }
        table.copy(found, std::span(copy).first(found.size));
    }
    const double finding = seconds_since(start) / static_cast<double>(finds);

    // All of them at once: the longest hold of the lock is what requests would wait for.
    double longest = 0;
    std::size_t dropped = 0;
    start = Clock::now();
    for (std::size_t bucket = 0; bucket < table.bucket_count(); bucket += kSweepHold) {
        const double hold = cpu_seconds();
        dropped += table.sweep(kSweepHold, kNow + 7200);
        longest = std::max(longest, cpu_seconds() - hold);
    }
    const double expiring = seconds_since(start);
    if (dropped != count || table.stats().records != 0) {
        std::fprintf(stderr, "%zu of %zu sessions were dropped\n", dropped, count);
        return 1;
    }
    std::printf(
        "{\"sessions\": %zu, \"bytes_per_session\": %zu, \"insert_us\": %.2f, "
        "\"find_us\": %.2f, \"expire_all_seconds\": %.2f, \"longest_hold_us\": %.0f}\n",
        count, stats.blocks_used * stats.bytes_per_block / count,
        inserting / static_cast<double>(count) * 1e6, finding * 1e6, expiring, longest * 1e6);
    return 0;
}
