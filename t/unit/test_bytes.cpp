// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "oidc/bytes.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

// What the standard allocator is given back, seen through a type of our own.
struct Probe {
    char value;
};
static std::string freed_bytes;

template <>
struct std::allocator<Probe> {
    using value_type = Probe;
    Probe* allocate(std::size_t n) {
        return static_cast<Probe*>(::operator new(n * sizeof(Probe)));
    }
    void deallocate(Probe* p, std::size_t n) {
        freed_bytes.clear();
        for (std::size_t i = 0; i < n; ++i) {
            freed_bytes.push_back(p[i].value);
        }
        ::operator delete(p);
    }
};

START_TEST(comparison) {
    ck_assert(equal_constant_time("secret", "secret"));
    ck_assert(!equal_constant_time("secret", "secreT"));
    ck_assert(!equal_constant_time("secret", "secre"));
    ck_assert(!equal_constant_time("secre", "secret"));
    ck_assert(equal_constant_time(raw("a\0b"), raw("a\0b")));
    ck_assert(!equal_constant_time(raw("a\0b"), raw("a\0c")));
}
END_TEST

START_TEST(nothing_never_equals_nothing) {
    ck_assert(!equal_constant_time("", ""));
    ck_assert(!equal_constant_time({}, {}));
    ck_assert(!equal_constant_time("x", ""));
    ck_assert(!equal_constant_time("", "x"));
}
END_TEST

START_TEST(cleanse_overwrites) {
    std::array<char, 8> memory{};
    memory.fill('x');
    cleanse(memory.data(), memory.size());
    for (const char c : memory) {
        ck_assert_int_eq(c, 0);
    }
    cleanse(nullptr, 0);
    cleanse(memory.data(), 0);
}
END_TEST

START_TEST(allocator_wipes_before_it_frees) {
    {
        std::vector<Probe, CleansingAllocator<Probe>> buffer(4, Probe{'x'});
        ck_assert_int_eq(buffer[3].value, 'x');
    }
    ck_assert_uint_eq(freed_bytes.size(), 4);
    for (const char c : freed_bytes) {
        ck_assert_int_eq(c, 0);
    }
    const CleansingAllocator<int> rebound{CleansingAllocator<char>()};
    ck_assert(rebound == CleansingAllocator<int>());
}
END_TEST

START_TEST(secret_moves_and_clears) {
    Secret a("hush");
    ck_assert_sv_eq(a.view(), "hush");
    ck_assert_uint_eq(a.size(), 4);
    Secret b = std::move(a);
    ck_assert(a.empty());  // NOLINT(bugprone-use-after-move): that a moved-from Secret is empty is
                           // the point
    ck_assert_sv_eq(b.view(), "hush");
    b.reserve(64);
    b.append("!");
    ck_assert_sv_eq(b.view(), "hush!");
    const Secret copy = b.clone();
    b.clear();
    ck_assert(b.empty());
    ck_assert_sv_eq(copy.view(), "hush!");
    Secret c;
    ck_assert(c.empty());
    c = Secret("other");
    ck_assert_sv_eq(c.view(), "other");
}
END_TEST

START_TEST(views) {
    const ByteView bytes = as_bytes("ab");
    ck_assert_uint_eq(bytes.size(), 2);
    ck_assert_uint_eq(bytes[0], 'a');
    ck_assert_sv_eq(as_text(bytes), "ab");
}
END_TEST

START_TEST(secrets_grow_and_move) {
    Secret secret;
    ck_assert(secret.empty());
    ck_assert_uint_eq(secret.view().size(), 0);
    secret.append("");
    std::string expected;
    for (int i = 0; i < 300; ++i) {
        const std::string part(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
        secret.append(part);
        expected += part;
    }
    ck_assert(secret.view() == expected);
    secret.append(secret.view());  // of itself, with and without room
    secret.reserve(8 * expected.size());
    secret.append(secret.view());
    ck_assert(secret.view() == expected + expected + expected + expected);
    Secret moved(std::move(secret));
    ck_assert_uint_eq(moved.size(), 4 * expected.size());
    ck_assert(secret.empty());  // NOLINT: what a move leaves behind is said
    secret = moved.clone();
    Secret& same = secret;
    secret = std::move(same);
    ck_assert(secret.view() == moved.view());
    moved.clear();
    ck_assert(moved.empty());
    moved.append(raw("a\0b"));
    ck_assert(moved.view() == raw("a\0b"));
}
END_TEST

static Suite* bytes_suite() {
    Suite* suite = suite_create("bytes");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, comparison);
    tcase_add_test(tcase, nothing_never_equals_nothing);
    tcase_add_test(tcase, cleanse_overwrites);
    tcase_add_test(tcase, secrets_grow_and_move);
    tcase_add_test(tcase, allocator_wipes_before_it_frees);
    tcase_add_test(tcase, secret_moves_and_clears);
    tcase_add_test(tcase, views);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration bytes_registered("bytes", bytes_suite);
