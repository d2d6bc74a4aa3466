// SPDX-License-Identifier: Apache-2.0
// Rules on claims: what auth_oidc_require_claim demands of a session, and what of it is known to be
// met.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/session.hpp"

namespace oidc {

// A regular expression of the engine that the adapter has. Finds it anywhere in the text.
class TextPattern {
  public:
    enum class Found : std::uint8_t { no, yes, failed };  // failed: it cannot be told

    TextPattern() = default;
    virtual ~TextPattern() = default;
    TextPattern(const TextPattern&) = delete;
    TextPattern& operator=(const TextPattern&) = delete;
    [[nodiscard]] virtual Found find(std::string_view text) const noexcept = 0;
};

// One demand. The claim is a text, number or boolean, or an array of these; numbers and booleans
// are compared by their JSON text, texts byte by byte.
struct ClaimRule {
    enum class Kind : std::uint8_t { any, all, none };
    struct Wanted {
        std::string text;  // as the configuration spells it, for a pattern with its mark
        std::shared_ptr<const TextPattern> pattern;  // null: `literal` is meant
        std::string literal;
    };
    std::vector<std::string> path;  // member names from the top
    Kind kind = Kind::any;
    std::vector<Wanted> wanted;
};

// Why a rule is not met.
enum class ClaimFault : std::uint8_t {
    nobody,      // there is no session that counts
    missing,     // the session has no such claim
    unreadable,  // it is an object, or an array with anything but text, numbers and booleans
    unmet,       // it says something else
    failed       // a regular expression could not be tried
};

// All rules of one level. Each must be met. Whatever cannot be told is not met, also where a rule
// asks that something is not there.
class ClaimRules {
  public:
    using Id = std::array<std::uint8_t, 16>;

    // Throws std::bad_alloc.
    void add(ClaimRule rule);
    // The same for the same rules in the same order, in any configuration.
    [[nodiscard]] const Id& id() const noexcept { return id_; }

    struct Unmet {
        ClaimFault fault{};
        const ClaimRule* rule = nullptr;  // never null; borrows these rules
    };
    // The first rule that `session` does not meet; nullopt: it meets all. Parses JSON. Throws
    // std::bad_alloc.
    [[nodiscard]] std::optional<Unmet> judge(const SessionView& session) const;
    // The same of somebody who has none.
    [[nodiscard]] Unmet without_session() const noexcept;

  private:
    struct Indexed {
        ClaimRule rule;
        // Of the literals, sorted, each once.
        std::vector<std::string_view> literals;
        std::vector<const TextPattern*> patterns;
    };
    // Their addresses last.
    std::vector<std::unique_ptr<const Indexed>> rules_;
    Id id_{};

    static std::optional<ClaimFault> fault_of(const Indexed& rule, const SessionView& session);
};

// For people: the claim, what is demanded of it, and what is wrong. Says nothing of the claim's
// value; of many wanted values the first.
std::string describe(const ClaimRules::Unmet& unmet);

// Which rules which claims are known to meet, so that a request need not judge what an earlier one
// of the same session was judged by. Of a fixed size, made when it is first written to; what is
// crowded out is judged anew. That rules are not met is not noted.
class MetRules {
  public:
    using Claims = SessionView::ClaimsId;

    [[nodiscard]] bool has(const Claims& claims, const ClaimRules::Id& rules) const noexcept;
    // Nothing is noted when memory is out.
    void add(const Claims& claims, const ClaimRules::Id& rules) noexcept;

    static constexpr std::size_t kSets = 4096;
    static constexpr std::size_t kWays = 4;

  private:
    // Both are parts of SHA-256, so that nothing else than the same is equal.
    struct Entry {
        Claims claims{};
        ClaimRules::Id rules{};
        bool operator==(const Entry&) const noexcept = default;
    };
    [[nodiscard]] Entry* set_of(const Entry& entry) const noexcept;

    std::unique_ptr<Entry[]> entries_;
    unsigned next_ = 0;  // the way that is crowded out
};

}  // namespace oidc
