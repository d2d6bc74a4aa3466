// SPDX-License-Identifier: Apache-2.0
// What every unit test shares: registration of suites, fake ports, assertions on views and Results.
//
// Check leaves a failed test by longjmp, so destructors of a failing test do not run; a passing one
// is clean. Never hand c_str() of a temporary to ck_assert_str_eq: use ck_assert_sv_eq.
#pragma once

#include <check.h>
// An old assertion macro of Check that has the name of our function.
#undef fail

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc::unit {

// A global of this type in a test file makes its suite known to unit_main:
//   static const Registration registered("bytes", bytes_suite);
struct Registration {
    Registration(const char* name, Suite* (*make)()) { all().emplace_back(name, make); }
    static std::vector<std::pair<std::string, Suite* (*)()>>& all() {
        static std::vector<std::pair<std::string, Suite* (*)()>> list;
        return list;
    }
};

class FakeClock : public Clock {
  public:
    explicit FakeClock(Seconds start = 1'700'000'000) : now_(start) {}
    [[nodiscard]] Seconds now() const noexcept override { return now_; }
    void set(Seconds to) { now_ = to; }
    void advance(Seconds by) { now_ += by; }

  private:
    Seconds now_;
};

// Bytes 0, 1, 2, ... over all calls, so that two draws differ and a test can name them. With
// `calls_until_failure` >= 0 that many calls succeed and all later ones fail.
class FakeRandom : public Random {
  public:
    explicit FakeRandom(int calls_until_failure = -1) : left_(calls_until_failure) {}
    [[nodiscard]] bool fill(std::span<std::uint8_t> out) noexcept override {
        if (left_ == 0) {
            return false;
        }
        if (left_ > 0) {
            --left_;
        }
        ++calls;
        for (std::uint8_t& byte : out) {
            // Every 256 bytes the pattern shifts, so that long runs do not repeat.
            byte = static_cast<std::uint8_t>(counter_ + counter_ / 256 * 7);
            ++counter_;
        }
        return true;
    }
    int calls = 0;

  private:
    int left_;
    std::uint32_t counter_ = 0;
};

class FailingRandom : public Random {
  public:
    [[nodiscard]] bool fill(std::span<std::uint8_t>) noexcept override { return false; }
};

class MemoryLog : public Log {
  public:
    void write(LogLevel level, std::string_view text) noexcept override {
        lines.emplace_back(level, std::string(text));
    }
    [[nodiscard]] bool contains(std::string_view text) const {
        for (const auto& line : lines) {
            if (line.second.find(text) != std::string::npos) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] std::string joined() const {
        std::string all;
        for (const auto& line : lines) {
            all.append(line.second).append("\n");
        }
        return all;
    }
    std::vector<std::pair<LogLevel, std::string>> lines;
};

// The three together, in the shape that flows take. Members are public on purpose.
struct FakePorts {
    FakeClock clock;
    FakeRandom random;
    MemoryLog log;
    Ports ports() { return Ports{clock, random, log}; }
};

inline std::string unhex(std::string_view hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
    }
    return out;
}

// A string from a literal that may hold NUL bytes.
template <std::size_t N>
std::string raw(const char (&literal)[N]) {
    return std::string(literal, N - 1);
}

template <class T>
std::string describe(const Result<T>& result) {
    if (result.ok()) {
        return "a value";
    }
    return std::string(reason_info(result.error().reason).code) + " (" + result.error().detail +
           ")";
}

}  // namespace oidc::unit

// Anything convertible to string_view, temporaries included; NUL bytes count.
#define ck_assert_sv_eq(a, b)                                                             \
    do {                                                                                  \
        const std::string ck_a_{std::string_view(a)};                                     \
        const std::string ck_b_{std::string_view(b)};                                     \
        ck_assert_msg(ck_a_ == ck_b_, "%s is \"%s\", expected \"%s\"", #a, ck_a_.c_str(), \
                      ck_b_.c_str());                                                     \
    } while (0)

#define ck_assert_sv_contains(haystack, needle)                                               \
    do {                                                                                      \
        const std::string ck_h_{std::string_view(haystack)};                                  \
        const std::string ck_n_{std::string_view(needle)};                                    \
        ck_assert_msg(ck_h_.find(ck_n_) != std::string::npos, "%s is \"%s\", without \"%s\"", \
                      #haystack, ck_h_.c_str(), ck_n_.c_str());                               \
    } while (0)

#define ck_assert_sv_lacks(haystack, needle)                                               \
    do {                                                                                   \
        const std::string ck_h_{std::string_view(haystack)};                               \
        const std::string ck_n_{std::string_view(needle)};                                 \
        ck_assert_msg(ck_h_.find(ck_n_) == std::string::npos, "%s is \"%s\", with \"%s\"", \
                      #haystack, ck_h_.c_str(), ck_n_.c_str());                            \
    } while (0)

// `result` must be an lvalue: it is looked at more than once.
#define ck_assert_result_ok(result)                                            \
    do {                                                                       \
        const std::string ck_d_ = oidc::unit::describe(result);                \
        ck_assert_msg((result).ok(), "%s failed: %s", #result, ck_d_.c_str()); \
    } while (0)

#define ck_assert_result_is(result, expected_reason)                                      \
    do {                                                                                  \
        const std::string ck_d_ = oidc::unit::describe(result);                           \
        ck_assert_msg(!(result).ok() && (result).error().reason == (expected_reason),     \
                      "%s is %s, expected %s", #result, ck_d_.c_str(), #expected_reason); \
    } while (0)
