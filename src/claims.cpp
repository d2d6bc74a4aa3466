// SPDX-License-Identifier: Apache-2.0
#include "oidc/claims.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"

namespace oidc {

namespace {

constexpr char kPathSeparator = '\x1f';

// Statements about the login itself, which only the ID token can make.
constexpr std::array<std::string_view, 16> kProtocolClaims{
    "iss", "aud", "exp",       "nbf", "iat", "jti",     "nonce",  "azp",
    "sid", "acr", "auth_time", "amr", "cnf", "at_hash", "c_hash", "events",
};

// Of these, what is said about the login and not about one token.
constexpr std::array<std::string_view, 5> kLoginClaims{"nonce", "sid", "auth_time", "acr", "amr"};

struct Member {
    const json_t* value = nullptr;
    ClaimSource source = ClaimSource::id_token;
};

// Top-level members by name; the map gives the sorted, stable order.
using Members = std::map<std::string_view, Member>;

// Entra ID says so when a user is in more groups than it puts into a token.
void note_overage(Log& log) {
    log.note(Notice::group_overage, LogLevel::warn,
             "the groups of a user are left out, there are too many for a token: have the provider "
             "send those that are assigned to the application, or roles");
}

// What claims exist elsewhere (OIDC Core 5.6.2), and none of our sources has brought.
void note_distributed(const json_t* object, Log& log) {
    const json_t* names = json_object_get(object, "_claim_names");
    if (names == nullptr) {
        return;
    }
    std::string list;
    const char* name = nullptr;
    json_t* value = nullptr;
    json_object_foreach(const_cast<json_t*>(names), name, value) {
        list += list.empty() ? "" : ", ";
        list += in_quotes(name);
    }
    log.write(LogLevel::notice,
              "distributed or aggregated claims are left out: " + (list.empty() ? "none" : list));
    if (json_object_get(names, "groups") != nullptr) {
        note_overage(log);
    }
}

void add_members(const json_t* object, bool is_userinfo, Members& members, Log& log) {
    if (!json_is_object(object)) {
        return;
    }
    note_distributed(object, log);
    if (json_is_true(json_object_get(object, "hasgroups"))) {
        note_overage(log);
    }
    const char* key = nullptr;
    json_t* value = nullptr;
    json_object_foreach(const_cast<json_t*>(object), key, value) {
        const std::string_view name = key;
        if (json_is_null(value) || name == "_claim_names" || name == "_claim_sources") {
            continue;
        }
        if (is_userinfo && std::find(kProtocolClaims.begin(), kProtocolClaims.end(), name) !=
                               kProtocolClaims.end()) {
            continue;
        }
        // Such a name could pass for a path.
        if (has_control_bytes(name)) {
            log.write(LogLevel::warn,
                      "claim " + in_quotes(name) + " is left out, its name has control bytes");
            continue;
        }
        const ClaimSource source = is_userinfo ? ClaimSource::userinfo : ClaimSource::id_token;
        if (const auto [at, added] = members.try_emplace(name, Member{value, source}); !added) {
            at->second.source = ClaimSource::both;
        }
    }
}

// A comma divides elements, so it is escaped inside them, and so is the escape. A blank beside a
// comma is escaped as well: whoever reads a list trims its elements (RFC 9110 5.6.1).
void append_element(std::string& text, std::string_view element, bool first, bool last) {
    const std::size_t begin = first ? 0 : std::min(element.find_first_not_of(' '), element.size());
    const std::size_t end = last ? element.size() : element.find_last_not_of(' ') + 1;
    for (std::size_t i = 0; i < element.size(); ++i) {
        if (element[i] == '%') {
            text += "%25";
        } else if (element[i] == ',') {
            text += "%2C";
        } else if (element[i] == ' ' && (i < begin || i >= end)) {
            text += "%20";
        } else {
            text += element[i];
        }
    }
}

std::string array_text(const json_t* value) {
    std::string text;
    const std::size_t count = json_array_size(value);
    for (std::size_t i = 0; i < count; ++i) {
        const json_t* element = json_array_get(value, i);
        if (!json_is_scalar(element)) {
            return json_text(value);
        }
        if (i > 0) {
            text += ',';
        }
        append_element(text, json_scalar_text(element), i == 0, i + 1 == count);
    }
    return text;
}

std::string plain_text(const json_t* value) {
    if (json_is_array(value)) {
        return array_text(value);
    }
    if (json_is_scalar(value)) {
        return json_scalar_text(value);
    }
    return value == nullptr || json_is_null(value) ? std::string() : json_text(value);
}

// What a header would not carry as it is; null: nothing.
const char* why_unsafe(std::string_view text) {
    if (has_control_bytes(text)) {
        return "control bytes";
    }
    // RFC 9110 5.5: they are no part of a header's value.
    const bool outer = !text.empty() && (text.front() == ' ' || text.back() == ' ');
    return outer ? "outer blanks" : nullptr;
}

// A string that says something, and cannot stand in a header.
bool is_unsafe_string(const Claim& claim) {
    return claim.text.empty() && claim.json.starts_with('"');
}

Claim make_claim(std::string name, const Member& member, Log& log) {
    const json_t* value = member.value;
    Claim claim;
    claim.source = member.source;
    claim.text = plain_text(value);
    const char* unsafe = why_unsafe(claim.text);
    if (unsafe != nullptr || !json_is_string(value)) {
        claim.json = json_text(value);
    }
    if (unsafe != nullptr) {
        claim.text.clear();
        std::string shown = name;
        std::replace(shown.begin(), shown.end(), kPathSeparator, '.');
        log.write(LogLevel::warn,
                  "claim " + in_quotes(shown) + " has " + unsafe + ", it is left out of headers");
    }
    claim.name = std::move(name);
    return claim;
}

Member follow(const Members& members, const std::vector<std::string>& path) {
    const auto top = members.find(path.front());
    Member member = top == members.end() ? Member{} : top->second;
    for (std::size_t i = 1; i < path.size() && member.value != nullptr; ++i) {
        member.value = json_object_get(member.value, path[i].c_str());
    }
    if (json_is_null(member.value)) {
        member.value = nullptr;
    }
    return member;
}

std::string path_name(const std::vector<std::string>& path) {
    std::string name = path.front();
    for (std::size_t i = 1; i < path.size(); ++i) {
        name += kPathSeparator;
        name += path[i];
    }
    return name;
}

// The member that a claim or a path of one begins with.
std::string_view top_of(std::string_view name) {
    return name.substr(0, name.find(kPathSeparator));
}

bool by_name(const Claim& a, const Claim& b) {
    return a.name < b.name;
}

const Claim* find_claim(const std::vector<Claim>& claims, std::string_view name) {
    const auto at = std::find_if(claims.begin(), claims.end(),
                                 [name](const Claim& claim) { return claim.name == name; });
    return at == claims.end() ? nullptr : &*at;
}

// A list or an object: its text is the module's, not the provider's.
bool is_compound(const Claim& claim) {
    return claim.json.starts_with('[') || claim.json.starts_with('{');
}

}  // namespace

std::vector<Claim> collect_claims(const json_t* id_token, const json_t* userinfo,
                                  const std::vector<std::vector<std::string>>& paths, Log& log) {
    Members members;
    add_members(id_token, false, members, log);
    add_members(userinfo, true, members, log);  // what is there stays
    std::vector<Claim> claims;
    claims.reserve(members.size() + paths.size());
    for (const auto& [name, member] : members) {
        claims.push_back(make_claim(std::string(name), member, log));
    }
    std::map<std::string, Member> nested;
    for (const auto& path : paths) {
        if (path.size() < 2) {
            continue;  // a claim of the top level is there already
        }
        if (const Member member = follow(members, path); member.value != nullptr) {
            nested.emplace(path_name(path), member);
        }
    }
    for (const auto& [name, member] : nested) {
        claims.push_back(make_claim(name, member, log));
    }
    std::sort(claims.begin(), claims.end(), by_name);
    return claims;
}

std::vector<Claim> replace_userinfo(const std::vector<Claim>& old, const json_t* userinfo,
                                    const std::vector<std::vector<std::string>>& paths, Log& log) {
    std::vector<Claim> claims = collect_claims(nullptr, userinfo, paths, log);
    std::vector<Claim> kept;
    for (const Claim& claim : old) {
        if (claim.source == ClaimSource::id_token &&
            find_claim(claims, top_of(claim.name)) == nullptr) {
            kept.push_back(claim);
        }
    }
    claims.insert(claims.end(), std::make_move_iterator(kept.begin()),
                  std::make_move_iterator(kept.end()));
    std::sort(claims.begin(), claims.end(), by_name);
    return claims;
}

void keep_login_claims(std::vector<Claim>& claims, const std::vector<Claim>& old) {
    for (const std::string_view name : kLoginClaims) {
        const Claim* before = find_claim(old, name);
        if (before == nullptr) {
            continue;
        }
        const Claim* now = find_claim(claims, name);
        if (now == nullptr) {
            claims.push_back(*before);
        } else if (name == "sid" || name == "auth_time") {
            claims[static_cast<std::size_t>(now - claims.data())] = *before;
        }
    }
    std::sort(claims.begin(), claims.end(), by_name);
}

std::string_view username_source(const std::vector<Claim>& claims,
                                 const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const Claim* claim = find_claim(claims, name);
        // One that is refused must not make the user somebody else.
        if (claim != nullptr &&
            ((!claim->text.empty() && !is_compound(*claim)) || is_unsafe_string(*claim))) {
            return name;
        }
    }
    return {};
}

void note_username(const std::vector<Claim>& claims, const std::vector<std::string>& names,
                   std::string_view provider, Log& log) {
    const std::string_view taken = username_source(claims, names);
    if (taken.empty() || taken == names.front()) {
        return;
    }
    const Claim* first = find_claim(claims, names.front());
    const std::string_view why = first == nullptr      ? "is missing"
                                 : is_compound(*first) ? "is no text"
                                                       : "is empty";
    log.note(Notice::username_fell, LogLevel::notice,
             "the user name of " + in_quotes(find_claim(claims, taken)->text) + " at provider " +
                 in_quotes(provider) + " is taken from claim " + in_quotes(taken) + ", " +
                 in_quotes(names.front()) + " " + std::string(why));
}

Result<std::string> username(const std::vector<Claim>& claims,
                             const std::vector<std::string>& names) {
    const std::string_view name = username_source(claims, names);
    if (name.empty()) {
        std::string list;
        for (const std::string& wanted : names) {
            list += list.empty() ? "" : ", ";
            list += in_quotes(wanted);
        }
        return fail(Reason::username_missing,
                    "neither the id token nor userinfo has one of the claims " + list,
                    "username_claim");
    }
    const Claim& claim = *find_claim(claims, name);
    // A header loses its surrounding blanks on the way, and "admin " would become "admin".
    if (is_unsafe_string(claim)) {
        const bool blanks = claim.json.starts_with("\" ") || claim.json.ends_with(" \"");
        return fail(Reason::username_missing,
                    "claim " + in_quotes(name) + " is " + claim.json +
                        ", a user name must not have " +
                        (blanks ? "surrounding blanks" : "control bytes"),
                    "username_claim");
    }
    return claim.text;
}

}  // namespace oidc
