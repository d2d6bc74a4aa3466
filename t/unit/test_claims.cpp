// SPDX-License-Identifier: Apache-2.0
#include "oidc/claims.hpp"

#include <cstdio>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;

namespace {

JsonPtr json(std::string_view text) {
    auto object = json_parse_object(text);
    if (!object.ok()) {
        ck_abort_msg("%s", object.error().detail.c_str());
    }
    return *std::move(object);
}

using Paths = std::vector<std::vector<std::string>>;

std::vector<Claim> collect(std::string_view id_token, std::string_view userinfo, MemoryLog& log,
                           const Paths& paths = {}) {
    const JsonPtr a = json(id_token);
    const JsonPtr b = userinfo.empty() ? JsonPtr{} : json(userinfo);
    return collect_claims(a.get(), b.get(), paths, log);
}

const Claim* find(const std::vector<Claim>& claims, std::string_view name) {
    for (const Claim& claim : claims) {
        if (claim.name == name) {
            return &claim;
        }
    }
    return nullptr;
}

// The claims' JSON as the assertion writes it.
std::string json_of(const Claim& claim) {
    return claim.json.empty() ? json_quote(claim.text) : claim.json;
}

void renders(const std::string& value, std::string_view text, std::string_view as_json) {
    MemoryLog log;
    const auto claims = collect("{\"x\":" + value + "}", "", log);
    ck_assert_uint_eq(claims.size(), 1);
    ck_assert_sv_eq(claims[0].text, text);
    ck_assert_sv_eq(json_of(claims[0]), as_json);
    ck_assert(log.lines.empty());
}

}  // namespace

START_TEST(u_10_rendering) {
    renders("\"plain\"", "plain", "\"plain\"");
    renders("\"\"", "", "\"\"");
    renders("\"say \\\"hi\\\" \\\\\"", "say \"hi\" \\", "\"say \\\"hi\\\" \\\\\"");
    renders("5", "5", "5");
    renders("-9007199254740993", "-9007199254740993", "-9007199254740993");
    renders("1.5", "1.5", "1.5");
    renders("true", "true", "true");
    renders("false", "false", "false");
    renders("[]", "", "[]");
    renders("{}", "{}", "{}");
    renders(R"(["a","b"])", "a,b", R"(["a","b"])");
    renders(R"(["a",1,true,1.5])", "a,1,true,1.5", R"(["a",1,true,1.5])");
    renders(R"(["a",null])", R"(["a",null])", R"(["a",null])");
    renders(R"(["a",["b"]])", R"(["a",["b"]])", R"(["a",["b"]])");
    renders(R"([{"a":1}])", R"([{"a":1}])", R"([{"a":1}])");
    renders(R"({"street":"x","zip":1})", R"({"street":"x","zip":1})", R"({"street":"x","zip":1})");
    MemoryLog log;
    ck_assert(collect(R"({"x":null})", R"({"y":null})", log).empty());
}
END_TEST

START_TEST(short_numbers_stay_short) {
    const std::pair<const char*, const char*> rows[] = {
        {"0.1", "0.1"}, {"1e300", "1e+300"}, {"[0.1]", "0.1"}, {"null", ""}};
    for (const auto& [value, text] : rows) {
        MemoryLog log;
        const auto claims = collect(std::string(R"({"x":)") + value + "}", "", log);
        ck_assert_sv_eq(claims.empty() ? "" : claims[0].text, text);
    }
}
END_TEST

START_TEST(q_14_utf8_is_raw_and_control_bytes_are_out) {
    renders("\"Zo\\u00eb \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80 \\u202e\"",
            "Zo\xc3\xab \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80 \xe2\x80\xae",
            "\"Zo\xc3\xab \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80 \xe2\x80\xae\"");
    for (int c = 1; c < 0x20; ++c) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
        for (const std::string& value :
             {"\"a" + std::string(escape) + "b\"", "[\"a\",\"" + std::string(escape) + "\"]"}) {
            MemoryLog log;
            const auto claims = collect("{\"x\":" + value + "}", "", log);
            ck_assert_uint_eq(claims.size(), 1);
            ck_assert_sv_eq(claims[0].text, "");
            ck_assert(!claims[0].json.empty());
            ck_assert(!has_control_bytes(claims[0].json));
            ck_assert_uint_eq(log.lines.size(), 1);
            ck_assert_sv_contains(log.joined(), "\"x\"");
        }
    }
    MemoryLog log;
    const auto claims = collect("{\"x\":\"a\x7f\",\"y\":{\"k\":\"\x7f\"}}", "", log);
    ck_assert_sv_eq(find(claims, "x")->text, "");
    ck_assert_sv_eq(find(claims, "y")->text, "");
    ck_assert_uint_eq(log.lines.size(), 2);
}
END_TEST

START_TEST(q_23_elements_cannot_pretend_to_be_two) {
    renders(R"(["users","x,admin"])", "users,x%2Cadmin", R"(["users","x,admin"])");
    renders(R"(["cn=a,ou=b","100%","%2C"])", "cn=a%2Cou=b,100%25,%252C",
            R"(["cn=a,ou=b","100%","%2C"])");
    // A single string is no list.
    renders(R"("x,admin 100%")", "x,admin 100%", R"("x,admin 100%")");
}
END_TEST

START_TEST(merging_and_order) {
    MemoryLog log;
    const auto claims = collect(R"({"sub":"a","email":"id@x","name":null,"z":1})",
                                R"({"sub":"b","email":"ui@x","name":"N","a":2})", log);
    ck_assert_uint_eq(claims.size(), 5);
    const char* order[] = {"a", "email", "name", "sub", "z"};
    for (std::size_t i = 0; i < 5; ++i) {
        ck_assert_sv_eq(claims[i].name, order[i]);
    }
    ck_assert_sv_eq(find(claims, "sub")->text, "a");
    ck_assert_sv_eq(find(claims, "email")->text, "id@x");
    ck_assert_sv_eq(find(claims, "name")->text, "N");
    ck_assert(log.lines.empty());
}
END_TEST

START_TEST(u_06_userinfo_makes_no_protocol_claims) {
    MemoryLog log;
    const auto claims =
        collect(R"({"iss":"https://op","aud":"us","exp":1,"nonce":"n","sub":"a"})",
                R"({"iss":"https://evil","aud":"evil","exp":9,"nonce":"e","sid":"e","amr":["mfa"],
            "acr":"high","auth_time":9,"azp":"e","jti":"e","iat":1,"nbf":1,"events":{},"ok":1})",
                log);
    ck_assert_uint_eq(claims.size(), 6);
    ck_assert_sv_eq(find(claims, "iss")->text, "https://op");
    ck_assert_sv_eq(find(claims, "aud")->text, "us");
    ck_assert(find(claims, "sid") == nullptr);
    ck_assert(find(claims, "amr") == nullptr);
    ck_assert(find(claims, "ok") != nullptr);
}
END_TEST

START_TEST(u_08_distributed_claims_are_left_out_and_logged) {
    MemoryLog log;
    const auto claims = collect(R"({"sub":"a"})",
                                R"({"sub":"a","_claim_names":{"groups":"src1"},
            "_claim_sources":{"src1":{"endpoint":"https://evil.example/x"}}})",
                                log);
    ck_assert_uint_eq(claims.size(), 1);
    ck_assert_uint_eq(log.lines.size(), 2);  // the second is about groups
    ck_assert(log.lines[1].first == LogLevel::notice || log.lines[0].first == LogLevel::notice);
    ck_assert_sv_contains(log.joined(), "\"groups\"");
    ck_assert_sv_lacks(log.joined(), "evil.example");
    MemoryLog odd_log;
    const auto odd = collect(R"({"_claim_names":5,"_claim_sources":[]})", "", odd_log);
    ck_assert(odd.empty());
    ck_assert_uint_eq(odd_log.lines.size(), 1);
}
END_TEST

START_TEST(nested_paths) {
    MemoryLog log;
    const std::string_view token =
        R"({"sub":"a","realm_access":{"roles":["r1","r2"],"none":null,"deep":{"x":"y"}},"s":"t"})";
    const auto claims =
        collect(token, R"({"realm_access":{"roles":["evil"]},"https://x/y":{"z":true}})", log,
                {{"realm_access", "roles"},
                 {"realm_access", "deep", "x"},
                 {"realm_access", "none"},
                 {"realm_access", "missing"},
                 {"realm_access", "roles", "0"},
                 {"missing", "x"},
                 {"s", "x"},
                 {"sub"},
                 {},
                 {"https://x/y", "z"},
                 {"realm_access", "roles"}});
    ck_assert_sv_eq(find(claims, "realm_access\x1froles")->text, "r1,r2");
    ck_assert_sv_eq(find(claims, std::string("realm_access\x1f") + "deep\x1fx")->text, "y");
    ck_assert_sv_eq(find(claims, "https://x/y\x1fz")->text, "true");
    ck_assert_uint_eq(claims.size(), 4 + 3);
    for (std::size_t i = 1; i < claims.size(); ++i) {
        ck_assert(claims[i - 1].name < claims[i].name);
    }
    ck_assert(log.lines.empty());
}
END_TEST

START_TEST(a_claim_cannot_be_named_like_a_path) {
    MemoryLog log;
    const auto claims = collect(R"({"realm_access\u001froles":"admin","a\nb":1})", "", log,
                                {{"realm_access", "roles"}});
    ck_assert(claims.empty());
    ck_assert_uint_eq(log.lines.size(), 2);
    MemoryLog nested_log;
    const auto nested = collect(R"({"a":{"b":"x\ny"}})", "", nested_log, {{"a", "b"}});
    ck_assert_sv_eq(find(nested,
                         "a\x1f"
                         "b")
                        ->text,
                    "");
    ck_assert_sv_contains(nested_log.joined(), "\"a.b\"");
}
END_TEST

START_TEST(without_any_claims) {
    MemoryLog log;
    ck_assert(collect_claims(nullptr, nullptr, {{"a", "b"}}, log).empty());
    const JsonPtr array(json_array());
    ck_assert(collect_claims(array.get(), array.get(), {}, log).empty());
}
END_TEST

START_TEST(user_names) {
    MemoryLog log;
    const auto claims = collect(
        R"({"sub":"1234","email":"","bad":"a\nb","name":"Zo\u00eb","blank":" x","tail":"x "})", "",
        log);
    const auto by_name = username(claims, {"preferred_username", "email", "name", "sub"});
    ck_assert_result_ok(by_name);
    ck_assert_sv_eq(*by_name, "Zo\xc3\xab");
    const auto by_sub = username(claims, {"preferred_username", "sub"});
    ck_assert_result_ok(by_sub);
    ck_assert_sv_eq(*by_sub, "1234");
    const auto missing = username(claims, {"preferred_username", "upn"});
    ck_assert_result_is(missing, Reason::username_missing);
    ck_assert_sv_contains(missing.error().detail, "\"preferred_username\", \"upn\"");
    ck_assert_sv_eq(missing.error().fix, "username_claim");
    const auto none = username(claims, {});
    ck_assert_result_is(none, Reason::username_missing);
}
END_TEST

START_TEST(what_names_somebody_and_cannot_be_carried_is_refused) {
    const struct {
        const char* json;
        const char* said;  // null: nothing is said, the next claim counts
    } rows[] = {
        {R"("a\nb")", "is \"a\\nb\", a user name must not have control bytes"},
        {R"("a\u007f")", "control bytes"},
        {R"("\ta")", "control bytes"},
        {R"("a\\ \r")", "control bytes"},
        {R"(" x")", "is \" x\", a user name must not have surrounding blanks"},
        {R"("x ")", "surrounding blanks"},
        {R"(" ")", "surrounding blanks"},
        {R"(" \n")", "surrounding blanks"},
        {R"("")", nullptr},
        {"null", nullptr},
        {R"(["a\n"])", nullptr},
        {R"([" a"])", nullptr},
        {R"({"a":"b\n"})", nullptr},
    };
    for (const auto& row : rows) {
        MemoryLog log;
        const auto claims =
            collect(std::string(R"({"sub":"1234","odd":)") + row.json + "}", "", log);
        const std::vector<std::string> names{"nothing", "odd", "sub"};
        const auto name = username(claims, names);
        const std::string_view source = username_source(claims, names);
        if (row.said == nullptr) {
            ck_assert_result_ok(name);
            ck_assert_sv_eq(*name, "1234");
            ck_assert_sv_eq(source, "sub");
        } else {
            ck_assert_result_is(name, Reason::username_missing);
            ck_assert_sv_contains(name.error().detail, row.said);
            ck_assert_sv_contains(name.error().detail, "claim \"odd\"");
            ck_assert_sv_eq(name.error().fix, "username_claim");
            ck_assert_sv_eq(source, "odd");
        }
    }
}
END_TEST

START_TEST(lists_and_objects_are_no_user_names) {
    MemoryLog log;
    const auto claims =
        collect(R"({"sub":"1234","list":["admin"],"map":{"a":"b"},"number":7})", "", log);
    for (const char* name : {"list", "map"}) {
        ck_assert_result_is(username(claims, {name}), Reason::username_missing);
        ck_assert_sv_eq(*username(claims, {name, "sub"}), "1234");
    }
    ck_assert_sv_eq(*username(claims, {"number"}), "7");
}
END_TEST

START_TEST(a_fall_to_another_user_name_is_told) {
    MemoryLog log;
    const auto claims =
        collect(R"({"sub":"1234","empty":"","list":["admin"],"name":"Zo"})", "", log);
    ck_assert_uint_eq(log.lines.size(), 0);
    const struct {
        std::vector<std::string> names;
        const char* said;  // null: nothing
    } rows[] = {{{"name", "sub"}, nullptr},
                {{"sub"}, nullptr},
                {{"preferred_username"}, nullptr},
                {{"preferred_username", "sub"}, "\"preferred_username\" is missing"},
                {{"empty", "sub"}, "\"empty\" is empty"},
                {{"list", "nothing", "sub"}, "\"list\" is no text"}};
    for (const auto& row : rows) {
        log.lines.clear();
        note_username(claims, row.names, "op", log);
        ck_assert_uint_eq(log.lines.size(), row.said == nullptr ? 0 : 1);
        if (row.said != nullptr) {
            ck_assert_sv_contains(log.joined(), row.said);
            ck_assert_sv_contains(log.joined(), "of \"1234\" at provider \"op\"");
            ck_assert_sv_contains(log.joined(), "from claim \"sub\"");
        }
    }
}
END_TEST

START_TEST(q_41_outer_blanks_are_out) {
    for (const char* value : {R"(" admins")", R"("admins ")", R"(" ")", R"(["admins "])",
                              R"([" admins","staff"])", R"(["staff","admins "])", R"([" "])"}) {
        MemoryLog log;
        const auto claims = collect(std::string(R"({"x":)") + value + "}", "", log);
        ck_assert_sv_eq(claims[0].text, "");
        ck_assert_sv_eq(claims[0].json, value);
        ck_assert_uint_eq(log.lines.size(), 1);
        ck_assert_sv_contains(log.joined(), "claim \"x\" has outer blanks");
    }
    const std::pair<const char*, const char*> rows[] = {
        {R"("ad mins")", "ad mins"},
        {R"(["a b","c"])", "a b,c"},
        {R"("\u00a0x")", "\xc2\xa0x"},
        // Beside a comma, where whoever reads the list would trim it.
        {R"(["admins ","staff"])", "admins%20,staff"},
        {R"(["a","  admins"])", "a,%20%20admins"},
        {R"(["a"," b c ","d"])", "a,%20b c%20,d"},
        {R"(["a"," ","b"])", "a,%20,b"},
        {R"(["a"," "])", "a,%20"},
        {R"(["","a"])", ",a"},
    };
    for (const auto& [value, text] : rows) {
        MemoryLog log;
        const auto claims = collect(std::string(R"({"x":)") + value + "}", "", log);
        ck_assert_sv_eq(claims[0].text, text);
        ck_assert(log.lines.empty());
    }
}
END_TEST

START_TEST(group_overage_is_told) {
    for (const char* token : {R"({"_claim_names":{"groups":"s"}})", R"({"hasgroups":true})"}) {
        MemoryLog log;
        (void)collect(token, "", log);
        ck_assert_sv_contains(log.joined(), "the groups of a user are left out");
        ck_assert(log.lines.back().first == LogLevel::warn);
    }
    MemoryLog log;
    (void)collect(R"({"_claim_names":{"phone":"s"},"hasgroups":false})", "", log);
    ck_assert_sv_lacks(log.joined(), "the groups of a user");
}
END_TEST

static Suite* claims_suite() {
    Suite* suite = suite_create("claims");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, u_10_rendering);
    tcase_add_test(tcase, short_numbers_stay_short);
    tcase_add_test(tcase, q_14_utf8_is_raw_and_control_bytes_are_out);
    tcase_add_test(tcase, q_23_elements_cannot_pretend_to_be_two);
    tcase_add_test(tcase, merging_and_order);
    tcase_add_test(tcase, u_06_userinfo_makes_no_protocol_claims);
    tcase_add_test(tcase, u_08_distributed_claims_are_left_out_and_logged);
    tcase_add_test(tcase, nested_paths);
    tcase_add_test(tcase, a_claim_cannot_be_named_like_a_path);
    tcase_add_test(tcase, without_any_claims);
    tcase_add_test(tcase, user_names);
    tcase_add_test(tcase, what_names_somebody_and_cannot_be_carried_is_refused);
    tcase_add_test(tcase, lists_and_objects_are_no_user_names);
    tcase_add_test(tcase, a_fall_to_another_user_name_is_told);
    tcase_add_test(tcase, q_41_outer_blanks_are_out);
    tcase_add_test(tcase, group_overage_is_told);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration claims_registered("claims", claims_suite);
