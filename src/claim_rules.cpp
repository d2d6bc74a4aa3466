// SPDX-License-Identifier: Apache-2.0
#include "oidc/claim_rules.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "oidc/crypto.hpp"
#include "oidc/json.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

using Found = TextPattern::Found;
using Texts = std::vector<std::string>;

// A claim that is no plain text is read as the member of an object, which the parser takes.
constexpr std::string_view kBegin = "{\"v\":";
constexpr std::string_view kEnd = "}";

std::optional<SessionView::Entry> find_claim(const SessionView& session, std::string_view name) {
    for (std::uint32_t i = 0; i < session.claim_count(); ++i) {
        const SessionView::Entry entry = session.claim_at(i);
        if (entry.name == name) {
            return entry;
        }
    }
    return std::nullopt;
}

std::optional<ClaimFault> read_value(const json_t* value, Texts& out) {
    if (value == nullptr || json_is_null(value)) {
        return ClaimFault::missing;
    }
    // No header and no variable carries control bytes, and `$` of a regular expression stands
    // before a last line end as well.
    const auto add = [&out](const json_t* scalar) {
        out.push_back(json_scalar_text(scalar));
        return has_control_bytes(out.back()) ? std::optional(ClaimFault::unreadable) : std::nullopt;
    };
    if (json_is_scalar(value)) {
        return add(value);
    }
    if (!json_is_array(value)) {
        return ClaimFault::unreadable;
    }
    out.reserve(json_array_size(value));
    for (std::size_t i = 0; i < json_array_size(value); ++i) {
        const json_t* element = json_array_get(value, i);
        if (!json_is_scalar(element)) {
            return ClaimFault::unreadable;
        }
        if (const auto fault = add(element)) {
            return fault;
        }
    }
    return std::nullopt;
}

// What the claim says: the members of an array, or the one value.
std::optional<ClaimFault> read_claim(const SessionView& session, const Texts& path, Texts& out) {
    // Those of an oidc_claim_set have names of their own, so the whole claim is followed here.
    const auto entry = find_claim(session, path.front());
    if (!entry) {
        return ClaimFault::missing;
    }
    if (entry->json.empty()) {
        if (path.size() > 1) {
            return ClaimFault::missing;
        }
        out.emplace_back(entry->text);
        return std::nullopt;
    }
    std::string text;
    text.reserve(kBegin.size() + entry->json.size() + kEnd.size());
    text.append(kBegin).append(entry->json).append(kEnd);
    JsonLimits limits;
    limits.max_bytes = kMaxSessionRecord + kBegin.size() + kEnd.size();
    const Result<JsonPtr> whole = json_parse_object(text, limits);
    if (!whole) {
        return ClaimFault::unreadable;
    }
    const json_t* value = json_object_get(whole->get(), "v");
    for (std::size_t i = 1; i < path.size(); ++i) {
        value = json_object_get(value, path[i].c_str());
    }
    return read_value(value, out);
}

// Whether any of the texts has what the pattern looks for. One that cannot be tried has cost much
// time: the rest of a long list would cost as much each.
Found find_any(const TextPattern& pattern, const Texts& texts) noexcept {
    for (const std::string& text : texts) {
        const Found found = pattern.find(text);
        if (found != Found::no) {
            return found;
        }
    }
    return Found::no;
}

std::string_view word_of(ClaimRule::Kind kind) noexcept {
    switch (kind) {
        case ClaimRule::Kind::any:
            return "any of ";
        case ClaimRule::Kind::all:
            return "all of ";
        default:
            return "none of ";
    }
}

std::string joined(const Texts& path) {
    std::string out;
    for (const std::string& name : path) {
        out.append(out.empty() ? "" : " ").append(name);
    }
    return out;
}

// A line of the log has little room, and a page little use for a long list.
constexpr std::size_t kMostShown = 8;
constexpr std::size_t kLongestShown = 64;

std::string list_of(const std::vector<ClaimRule::Wanted>& wanted) {
    std::string out;
    std::size_t shown = 0;
    for (const ClaimRule::Wanted& value : wanted) {
        if (shown < kMostShown && value.text.size() <= kLongestShown) {
            out.append(out.empty() ? "" : ", ").append(in_quotes(value.text));
            ++shown;
        }
    }
    if (const std::size_t left = wanted.size() - shown; left > 0) {
        out.append(out.empty() ? "" : " and ").append(std::to_string(left));
        out.append(shown == 0 ? " values" : " more");
    }
    return out;
}

}  // namespace

void ClaimRules::add(ClaimRule rule) {
    auto indexed = std::make_unique<Indexed>();
    indexed->rule = std::move(rule);
    std::string all(as_text(id_));
    const auto note = [&all](std::string_view text) {
        all.append(std::to_string(text.size())).append(":").append(text);
    };
    note(word_of(indexed->rule.kind));
    all.append(std::to_string(indexed->rule.path.size())).append(";");
    for (const std::string& name : indexed->rule.path) {
        note(name);
    }
    for (const ClaimRule::Wanted& wanted : indexed->rule.wanted) {
        note(wanted.text);
        if (wanted.pattern != nullptr) {
            indexed->patterns.push_back(wanted.pattern.get());
        } else {
            indexed->literals.emplace_back(wanted.literal);
        }
    }
    auto& literals = indexed->literals;
    std::sort(literals.begin(), literals.end());
    literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
    const Digest digest = sha256(all);
    rules_.push_back(std::move(indexed));
    std::copy_n(digest.begin(), id_.size(), id_.begin());
}

std::optional<ClaimFault> ClaimRules::fault_of(const Indexed& rule, const SessionView& session) {
    Texts texts;
    if (const auto fault = read_claim(session, rule.rule.path, texts)) {
        return fault;
    }
    std::vector<bool> met(rule.literals.size());
    std::size_t count = 0;
    for (const std::string& text : texts) {
        const auto at = std::lower_bound(rule.literals.begin(), rule.literals.end(), text);
        if (at != rule.literals.end() && *at == text) {
            const auto index = static_cast<std::size_t>(at - rule.literals.begin());
            count += met[index] ? 0 : 1;
            met[index] = true;
        }
    }
    bool failed = false;
    for (const TextPattern* pattern : rule.patterns) {
        const Found found = find_any(*pattern, texts);
        count += found == Found::yes ? 1 : 0;
        failed = failed || found == Found::failed;
    }
    const std::size_t wanted = rule.literals.size() + rule.patterns.size();
    switch (rule.rule.kind) {
        case ClaimRule::Kind::any:
            if (count > 0) {
                return std::nullopt;
            }
            break;
        case ClaimRule::Kind::all:
            if (count == wanted) {
                return std::nullopt;
            }
            break;
        case ClaimRule::Kind::none:
            if (count == 0 && !failed) {
                return std::nullopt;
            }
            // What is there is there, whatever could not be tried.
            failed = failed && count == 0;
            break;
    }
    return failed ? ClaimFault::failed : ClaimFault::unmet;
}

std::optional<ClaimRules::Unmet> ClaimRules::judge(const SessionView& session) const {
    for (const auto& rule : rules_) {
        if (const auto fault = fault_of(*rule, session)) {
            return Unmet{*fault, &rule->rule};
        }
    }
    return std::nullopt;
}

ClaimRules::Unmet ClaimRules::without_session() const noexcept {
    return {ClaimFault::nobody, &rules_.front()->rule};
}

std::string describe(const ClaimRules::Unmet& unmet) {
    const std::string claim = "claim " + in_quotes(joined(unmet.rule->path));
    std::string out;
    switch (unmet.fault) {
        case ClaimFault::nobody:
            out = "no sign-in counts here, so there is no " + claim;
            break;
        case ClaimFault::missing:
            out = claim + " is not in the session";
            break;
        case ClaimFault::unreadable:
            out = claim + " is neither a text, number or boolean nor a list of these";
            break;
        case ClaimFault::unmet:
            out = claim + " does not say what is demanded";
            break;
        case ClaimFault::failed:
            out = claim + " cannot be judged, a regular expression failed";
            break;
    }
    return out.append("; demanded: ")
        .append(word_of(unmet.rule->kind))
        .append(list_of(unmet.rule->wanted));
}

MetRules::Entry* MetRules::set_of(const Entry& entry) const noexcept {
    std::uint64_t claims = 0;
    std::uint64_t rules = 0;
    std::memcpy(&claims, entry.claims.data(), sizeof claims);
    std::memcpy(&rules, entry.rules.data(), sizeof rules);
    return entries_.get() + (claims ^ rules) % kSets * kWays;
}

bool MetRules::has(const Claims& claims, const ClaimRules::Id& rules) const noexcept {
    if (entries_ == nullptr) {
        return false;
    }
    const Entry wanted{claims, rules};
    const Entry* const set = set_of(wanted);
    return std::find(set, set + kWays, wanted) != set + kWays;
}

void MetRules::add(const Claims& claims, const ClaimRules::Id& rules) noexcept {
    if (has(claims, rules)) {
        return;
    }
    if (entries_ == nullptr) {
        entries_.reset(new (std::nothrow) Entry[kSets * kWays]());
        if (entries_ == nullptr) {
            return;
        }
    }
    const Entry entry{claims, rules};
    Entry* const set = set_of(entry);
    Entry* const free = std::find(set, set + kWays, Entry{});
    *(free != set + kWays ? free : set + next_++ % kWays) = entry;
}

}  // namespace oidc
