// SPDX-License-Identifier: Apache-2.0
#include "oidc/claim_rules.hpp"

#include <regex.h>

#include <cstring>

#include "oidc/json.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;
using Kind = ClaimRule::Kind;
using Values = std::vector<std::string>;

namespace {

class PosixPattern final : public TextPattern {
  public:
    explicit PosixPattern(const std::string& regex) {
        ck_assert_int_eq(regcomp(&regex_, regex.c_str(), REG_EXTENDED | REG_NOSUB), 0);
    }
    ~PosixPattern() override { regfree(&regex_); }
    [[nodiscard]] Found find(std::string_view text) const noexcept override {
        const std::string copy(text);
        return regexec(&regex_, copy.c_str(), 0, nullptr, 0) == 0 ? Found::yes : Found::no;
    }

  private:
    regex_t regex_{};
};

class FailingPattern final : public TextPattern {
  public:
    [[nodiscard]] Found find(std::string_view) const noexcept override { return Found::failed; }
};

// "~…" is a pattern, "~!" one that fails.
ClaimRule rule(Values path, Kind kind, const Values& values) {
    ClaimRule out;
    out.path = std::move(path);
    out.kind = kind;
    for (const std::string& value : values) {
        ClaimRule::Wanted wanted;
        wanted.text = value;
        if (value == "~!") {
            wanted.pattern = std::make_shared<FailingPattern>();
        } else if (value.starts_with('~')) {
            wanted.pattern = std::make_shared<PosixPattern>(value.substr(1));
        } else {
            wanted.literal = value;
        }
        out.wanted.push_back(std::move(wanted));
    }
    return out;
}

// A session whose claims are the members of a JSON object, as a login makes it.
struct Stored {
    explicit Stored(std::string_view json) {
        MemoryLog log;
        const Result<JsonPtr> claims = json_parse_object(json);
        ck_assert_result_ok(claims);
        Session session;
        session.claims = collect_claims(claims->get(), nullptr, {{"path", "to", "it"}}, log);
        Result<Secret> encoded = encode_session(session);
        ck_assert_result_ok(encoded);
        record = std::string(encoded->view());
    }
    [[nodiscard]] SessionView view() const { return *SessionView::open(record); }
    std::string record;
};

// "met", or the name of the fault.
std::string verdict(std::string_view json, ClaimRule wanted) {
    ClaimRules rules;
    rules.add(std::move(wanted));
    const Stored stored(json);
    const auto unmet = rules.judge(stored.view());
    if (!unmet) {
        return "met";
    }
    switch (unmet->fault) {
        case ClaimFault::nobody:
            return "nobody";
        case ClaimFault::missing:
            return "missing";
        case ClaimFault::unreadable:
            return "unreadable";
        case ClaimFault::unmet:
            return "unmet";
        case ClaimFault::failed:
            return "failed";
    }
    return "?";
}

std::string groups(std::string_view value, Kind kind, const Values& values) {
    return verdict("{\"groups\":" + std::string(value) + "}", rule({"groups"}, kind, values));
}

std::string list_of(int count) {
    std::string out = "[";
    for (int i = 0; i < count; ++i) {
        out += (i == 0 ? "\"group" : ",\"group") + std::to_string(i) + "\"";
    }
    return out + "]";
}

}  // namespace

START_TEST(any_all_and_none_of_a_list) {
    constexpr std::string_view kList = R"(["staff","dev"])";
    ck_assert_sv_eq(groups(kList, Kind::any, {"staff"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::any, {"admin", "dev"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups(kList, Kind::all, {"dev", "staff"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::all, {"dev", "dev", "staff"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::all, {"dev", "admin"}), "unmet");
    ck_assert_sv_eq(groups(kList, Kind::none, {"admin", "root"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::none, {"admin", "dev"}), "unmet");
    // Members that stand there twice count once.
    ck_assert_sv_eq(groups(R"(["dev","dev"])", Kind::all, {"dev", "staff"}), "unmet");
    // Nothing is in an empty list.
    ck_assert_sv_eq(groups("[]", Kind::any, {"dev"}), "unmet");
    ck_assert_sv_eq(groups("[]", Kind::all, {"dev"}), "unmet");
    ck_assert_sv_eq(groups("[]", Kind::none, {"dev"}), "met");
}
END_TEST

START_TEST(texts_numbers_and_booleans) {
    ck_assert_sv_eq(groups("\"staff\"", Kind::any, {"staff"}), "met");
    ck_assert_sv_eq(groups("\"staff\"", Kind::none, {"staff"}), "unmet");
    ck_assert_sv_eq(groups("\"\"", Kind::any, {"staff"}), "unmet");
    ck_assert_sv_eq(groups("true", Kind::any, {"true"}), "met");
    ck_assert_sv_eq(groups("false", Kind::any, {"true"}), "unmet");
    ck_assert_sv_eq(groups("\"true\"", Kind::any, {"true"}), "met");
    ck_assert_sv_eq(groups("\"True\"", Kind::any, {"true"}), "unmet");
    ck_assert_sv_eq(groups("7", Kind::any, {"7"}), "met");
    ck_assert_sv_eq(groups("7.0", Kind::any, {"7"}), "met");
    ck_assert_sv_eq(groups("-7", Kind::any, {"7"}), "unmet");
    ck_assert_sv_eq(groups("0.5", Kind::any, {"0.5"}), "met");
    ck_assert_sv_eq(groups("9007199254740993", Kind::any, {"9007199254740993"}), "met");
    ck_assert_sv_eq(groups("9007199254740993", Kind::any, {"9007199254740992"}), "unmet");
    ck_assert_sv_eq(groups("[1,true,\"x\"]", Kind::all, {"1", "true", "x"}), "met");
}
END_TEST

// What could look like something else by how a list is written.
START_TEST(q_28_members_that_look_like_others) {
    ck_assert_sv_eq(groups(R"(["x,admin"])", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups(R"(["x,admin"])", Kind::any, {"x,admin"}), "met");
    ck_assert_sv_eq(groups("\"x,admin\"", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups("\"staff,admin\"", Kind::any, {"staff"}), "unmet");
    ck_assert_sv_eq(groups(R"(["x%2Cadmin"])", Kind::any, {"x,admin"}), "unmet");
    ck_assert_sv_eq(groups(R"(["admin "])", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups(R"([" admin"])", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups("\"admin \"", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups("\"admin \"", Kind::any, {"admin "}), "met");
    ck_assert_sv_eq(groups("\"[\\\"admin\\\"]\"", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups("\"a\\nadmin\"", Kind::any, {"admin"}), "unreadable");
    ck_assert_sv_eq(groups("\"a\\nadmin\"", Kind::any, {"a\nadmin"}), "unreadable");
    ck_assert_sv_eq(groups(R"(["adm\u0069n"])", Kind::any, {"admin"}), "met");
    ck_assert_sv_eq(groups(R"(["Admin"])", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups(R"(["admin\u200b"])", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups(R"(["admi"])", Kind::any, {"admin"}), "unmet");
    ck_assert_sv_eq(groups(R"(["administrators"])", Kind::any, {"admin"}), "unmet");
    // Names of claims are exact as well.
    ck_assert_sv_eq(verdict(R"({"Groups":["a"]})", rule({"groups"}, Kind::any, {"a"})), "missing");
    ck_assert_sv_eq(verdict(R"({"groups2":["a"]})", rule({"groups"}, Kind::any, {"a"})), "missing");
}
END_TEST

START_TEST(q_28_what_cannot_be_told_is_not_met) {
    for (const Kind kind : {Kind::any, Kind::all, Kind::none}) {
        ck_assert_sv_eq(verdict("{}", rule({"groups"}, kind, {"a"})), "missing");
        ck_assert_sv_eq(verdict(R"({"groups":null})", rule({"groups"}, kind, {"a"})), "missing");
        ck_assert_sv_eq(groups(R"({"a":1})", kind, {"a"}), "unreadable");
        ck_assert_sv_eq(groups("{}", kind, {"a"}), "unreadable");
        ck_assert_sv_eq(groups(R"(["a",{"b":1}])", kind, {"a"}), "unreadable");
        ck_assert_sv_eq(groups(R"(["a",["b"]])", kind, {"a"}), "unreadable");
        ck_assert_sv_eq(groups(R"(["a",null])", kind, {"a"}), "unreadable");
        // `~^a$` would find the first, with PCRE's idea of a line's end.
        ck_assert_sv_eq(groups(R"(["a\n"])", kind, {"a"}), "unreadable");
        ck_assert_sv_eq(groups(R"(["b","a\u007f"])", kind, {"b"}), "unreadable");
    }
    // A regular expression that fails meets nothing, and hides nothing.
    ck_assert_sv_eq(groups(R"(["a"])", Kind::any, {"~!"}), "failed");
    ck_assert_sv_eq(groups(R"(["a"])", Kind::any, {"~!", "a"}), "met");
    ck_assert_sv_eq(groups(R"(["a"])", Kind::all, {"a", "~!"}), "failed");
    ck_assert_sv_eq(groups(R"(["a"])", Kind::none, {"~!"}), "failed");
    ck_assert_sv_eq(groups(R"(["a"])", Kind::none, {"~!", "a"}), "unmet");
    ck_assert_sv_eq(groups("[]", Kind::none, {"~!"}), "met");
    // Groups that Entra ID leaves out are not there.
    ck_assert_sv_eq(
        verdict(R"({"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"x"}}})",
                rule({"groups"}, Kind::none, {"banned"})),
        "missing");
}
END_TEST

START_TEST(regular_expressions) {
    constexpr std::string_view kList = R"(["team-red","ops"])";
    ck_assert_sv_eq(groups(kList, Kind::any, {"~^team-"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::any, {"~^red"}), "unmet");
    ck_assert_sv_eq(groups(kList, Kind::any, {"~red"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::any, {"admin", "~^ops$"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::all, {"~^team-", "ops"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::all, {"~^team-", "~^lead-"}), "unmet");
    ck_assert_sv_eq(groups(kList, Kind::none, {"~^lead-"}), "met");
    ck_assert_sv_eq(groups(kList, Kind::none, {"~^team-"}), "unmet");
    // One member at a time: no member reaches into the next.
    ck_assert_sv_eq(groups(kList, Kind::any, {"~red.*ops"}), "unmet");
    ck_assert_sv_eq(groups("42", Kind::any, {"~^4"}), "met");
}
END_TEST

START_TEST(paths) {
    constexpr std::string_view kClaims =
        R"({"realm_access":{"roles":["admin"],"level":3},"path":{"to":{"it":["x"]}},"flat":"y",
            "resource.access":{"a b":true},"list":[{"roles":["admin"]}]})";
    const auto at = [&](Values path, const char* value) {
        return verdict(kClaims, rule(std::move(path), Kind::any, {value}));
    };
    ck_assert_sv_eq(at({"realm_access", "roles"}, "admin"), "met");
    ck_assert_sv_eq(at({"realm_access", "level"}, "3"), "met");
    ck_assert_sv_eq(at({"realm_access"}, "admin"), "unreadable");
    ck_assert_sv_eq(at({"realm_access", "role"}, "admin"), "missing");
    ck_assert_sv_eq(at({"realm_access", "roles", "admin"}, "admin"), "missing");
    ck_assert_sv_eq(at({"flat", "y"}, "y"), "missing");
    ck_assert_sv_eq(at({"list", "roles"}, "admin"), "missing");
    ck_assert_sv_eq(at({"resource.access", "a b"}, "true"), "met");
    // An oidc_claim_set of the same path changes nothing.
    ck_assert_sv_eq(at({"path", "to", "it"}, "x"), "met");
    ck_assert_sv_eq(at({"path\x1fto\x1fit"}, "x"), "met");  // refused by nginx -t
}
END_TEST

START_TEST(every_rule_must_be_met) {
    ClaimRules rules;
    rules.add(rule({"groups"}, Kind::any, {"staff"}));
    rules.add(rule({"email_verified"}, Kind::any, {"true"}));
    const auto fault = [&rules](std::string_view json) {
        const Stored stored(json);
        const auto unmet = rules.judge(stored.view());
        return unmet ? unmet->rule->path.front() : std::string("met");
    };
    ck_assert_sv_eq(fault(R"({"groups":["staff"],"email_verified":true})"), "met");
    ck_assert_sv_eq(fault(R"({"groups":["staff"],"email_verified":false})"), "email_verified");
    ck_assert_sv_eq(fault(R"({"groups":[],"email_verified":true})"), "groups");
    ck_assert_sv_eq(fault("{}"), "groups");
    ck_assert(rules.judge(SessionView()).has_value());
    ck_assert(rules.without_session().fault == ClaimFault::nobody);
}
END_TEST

START_TEST(n_53_what_is_told_has_no_value_of_the_claim) {
    ClaimRules rules;
    rules.add(rule({"realm_access", "roles"}, Kind::all, {"admin", "~^team-"}));
    const auto told = [&rules](std::string_view json) {
        const Stored stored(json);
        return describe(*rules.judge(stored.view()));
    };
    ck_assert_sv_eq(told(R"({"realm_access":{"roles":["secretgroup"]}})"),
                    "claim \"realm_access roles\" does not say what is demanded; demanded: all of "
                    "\"admin\", \"~^team-\"");
    ck_assert_sv_eq(told("{}"),
                    "claim \"realm_access roles\" is not in the session; demanded: all of "
                    "\"admin\", \"~^team-\"");
    ck_assert_sv_contains(told(R"({"realm_access":{"roles":{"secretgroup":1}}})"),
                          "is neither a text, number or boolean nor a list of these; demanded");
    ck_assert_sv_eq(
        describe(rules.without_session()),
        "no sign-in counts here, so there is no claim \"realm_access roles\"; demanded: "
        "all of \"admin\", \"~^team-\"");
    // Long lists are cut.
    Values many;
    for (int i = 0; i < 500; ++i) {
        many.push_back("group" + std::to_string(i));
    }
    ClaimRules long_rules;
    long_rules.add(rule({"groups"}, Kind::none, many));
    const std::string text = describe(long_rules.without_session());
    ck_assert_sv_contains(text, "none of \"group0\", \"group1\"");
    ck_assert_sv_contains(text, "\"group7\" and 492 more");
    ck_assert_uint_le(text.size(), 256);
    ClaimRules wide_rules;
    wide_rules.add(rule({"groups"}, Kind::any, {std::string(500, 'x'), std::string(500, 'y')}));
    ck_assert_sv_contains(describe(wide_rules.without_session()), "any of 2 values");
}
END_TEST

START_TEST(five_hundred_groups) {
    Values many;
    for (int i = 500; i > 0; --i) {
        many.push_back("group" + std::to_string(i));
    }
    ck_assert_sv_eq(groups(list_of(501), Kind::all, many), "met");
    ck_assert_sv_eq(groups(list_of(500), Kind::all, many), "unmet");
    ck_assert_sv_eq(groups(list_of(500), Kind::any, {"group499"}), "met");
    ck_assert_sv_eq(groups(list_of(500), Kind::any, {"group500"}), "unmet");
    ck_assert_sv_eq(groups(list_of(500), Kind::none, {"group500", "x"}), "met");
}
END_TEST

START_TEST(the_id_is_that_of_the_rules) {
    std::vector<ClaimRules::Id> ids;
    const auto id = [](std::vector<ClaimRule> list) {
        ClaimRules rules;
        for (ClaimRule& one : list) {
            rules.add(std::move(one));
        }
        return rules.id();
    };
    const auto one = [&](Values path, Kind kind, const Values& values) {
        return id({rule(std::move(path), kind, values)});
    };
    ck_assert(one({"a"}, Kind::any, {"b"}) == one({"a"}, Kind::any, {"b"}));
    ids.push_back(one({"a"}, Kind::any, {"b"}));
    ids.push_back(one({"a"}, Kind::all, {"b"}));
    ids.push_back(one({"a"}, Kind::none, {"b"}));
    ids.push_back(one({"b"}, Kind::any, {"a"}));
    ids.push_back(one({"a"}, Kind::any, {"b", "c"}));
    ids.push_back(one({"a", "b"}, Kind::any, {"c"}));
    ids.push_back(one({"a"}, Kind::any, {"bc"}));
    ids.push_back(one({"a"}, Kind::any, {"~b"}));
    ids.push_back(id({rule({"a"}, Kind::any, {"b"}), rule({"a"}, Kind::any, {"c"})}));
    ids.push_back(id({rule({"a"}, Kind::any, {"c"}), rule({"a"}, Kind::any, {"b"})}));
    ids.push_back(ClaimRules().id());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            ck_assert_msg(ids[i] != ids[j], "%zu is %zu", i, j);
        }
    }
}
END_TEST

START_TEST(what_is_met_is_known_of_these_claims_and_rules_alone) {
    MetRules met;
    MetRules::Claims alice{1};
    MetRules::Claims bob{2};
    ClaimRules::Id staff{1};
    ClaimRules::Id admin{2};
    ck_assert(!met.has(alice, staff));
    met.add(alice, staff);
    ck_assert(met.has(alice, staff));
    ck_assert(!met.has(bob, staff));
    ck_assert(!met.has(alice, admin));
    ck_assert(!met.has(bob, admin));
    met.add(bob, admin);
    met.add(bob, admin);
    ck_assert(met.has(alice, staff) && met.has(bob, admin));
    ck_assert(!met.has(bob, staff) && !met.has(alice, admin));
    // A difference in any byte of either.
    for (std::size_t i = 0; i < alice.size(); ++i) {
        MetRules::Claims other = alice;
        other[i] ^= 0x80;
        ck_assert(!met.has(other, staff));
        ClaimRules::Id rules = staff;
        rules[i] ^= 0x80;
        ck_assert(!met.has(alice, rules));
    }
}
END_TEST

START_TEST(what_is_crowded_out_is_unknown) {
    MetRules met;
    const ClaimRules::Id rules{7};
    const auto claims = [](std::uint64_t set, std::uint8_t number) {
        MetRules::Claims out{};
        std::memcpy(out.data(), &set, sizeof set);
        out[15] = number;
        return out;
    };
    // One more than a set holds, all in it.
    for (std::uint8_t i = 0; i <= MetRules::kWays; ++i) {
        met.add(claims(3, i), rules);
        ck_assert(met.has(claims(3, i), rules));
    }
    std::size_t known = 0;
    for (std::uint8_t i = 0; i <= MetRules::kWays; ++i) {
        known += met.has(claims(3, i), rules) ? 1 : 0;
    }
    ck_assert_uint_eq(known, MetRules::kWays);
    // The others stay.
    met.add(claims(4, 0), rules);
    for (std::uint8_t i = 0; i < 100; ++i) {
        met.add(claims(5, i), rules);
    }
    ck_assert(met.has(claims(4, 0), rules));
}
END_TEST

START_TEST(the_id_is_that_of_the_claims) {
    const auto id = [](std::string_view json) { return *Stored(json).view().claims_id(); };
    ck_assert(id(R"({"a":"b","c":1})") == id(R"({"c":1,"a":"b"})"));
    const std::vector<SessionView::ClaimsId> ids{
        id("{}"),           id(R"({"a":"b"})"),      id(R"({"a":"c"})"),
        id(R"({"b":"a"})"), id(R"({"a":["b"]})"),    id(R"({"a":["b","c"]})"),
        id(R"({"a":1})"),   id(R"({"a":"1"})"),      id(R"({"a":["b,c"]})"),
        id(R"({"ab":""})"), id(R"({"a":"","b":""})")};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            ck_assert_msg(ids[i] != ids[j], "%zu is %zu", i, j);
        }
    }
    ck_assert(!SessionView().claims_id().has_value());
}
END_TEST

static Suite* claim_rules_suite() {
    Suite* suite = suite_create("claim_rules");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, any_all_and_none_of_a_list);
    tcase_add_test(tcase, texts_numbers_and_booleans);
    tcase_add_test(tcase, q_28_members_that_look_like_others);
    tcase_add_test(tcase, q_28_what_cannot_be_told_is_not_met);
    tcase_add_test(tcase, regular_expressions);
    tcase_add_test(tcase, paths);
    tcase_add_test(tcase, every_rule_must_be_met);
    tcase_add_test(tcase, n_53_what_is_told_has_no_value_of_the_claim);
    tcase_add_test(tcase, five_hundred_groups);
    tcase_add_test(tcase, the_id_is_that_of_the_rules);
    tcase_add_test(tcase, what_is_met_is_known_of_these_claims_and_rules_alone);
    tcase_add_test(tcase, what_is_crowded_out_is_unknown);
    tcase_add_test(tcase, the_id_is_that_of_the_claims);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration claim_rules_registered("claim_rules", claim_rules_suite);
