// SPDX-License-Identifier: Apache-2.0
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::raw;
using oidc::unit::Registration;

static JsonPtr parsed(std::string_view text) {
    auto result = json_parse_object(text);
    ck_assert_result_ok(result);
    return *std::move(result);
}

START_TEST(objects_parse) {
    const JsonPtr object = parsed(" {\"a\":1,\"b\":{\"c\":[true,null,\"x\"]}} \r\n");
    ck_assert_uint_eq(json_object_size(object.get()), 2);
    parsed("{}");
}
END_TEST

START_TEST(other_texts_are_refused) {  // T-08, T-11, T-12, I-38, I-39, U-04
    const std::string bad[] = {
        "",
        " ",
        "[]",
        "\"x\"",
        "1",
        "null",
        "true",
        "<html></html>",
        "{",
        "{}}",
        "{}{}",
        "{} garbage",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
        "{\"a\":9223372036854775808}",
        "{\"a\":01}",
        "{\"a\":\"\n\"}",
        "\xef\xbb\xbf{}",
        raw("{\"a\":\"x\0y\"}"),
        raw("{}\0"),
        "{\"a\":\"\\u0000\"}",
        "{\"\\u0000\":1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":1,\"a\":2}",
        "{\"id_token\":\"GOOD\",\"id_token\":\"EVIL\"}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "{\"a\":1,\"\\u0061\":2}",
    };
    for (const std::string& text : bad) {
        const auto result = json_parse_object(text);
        ck_assert_result_is(result, Reason::malformed);
    }
}
END_TEST

START_TEST(an_error_does_not_quote_the_input) {
    const auto result = json_parse_object("{\"access_token\":\"canary\" \"x\"}");
    ck_assert_result_is(result, Reason::malformed);
    ck_assert_sv_lacks(result.error().detail, "canary");
    ck_assert_sv_contains(result.error().detail, "at byte");
    const auto twice = json_parse_object("{\"a\":\"canary\",\"a\":1}");
    ck_assert_sv_contains(twice.error().detail, "duplicate");
}
END_TEST

START_TEST(size_limit) {
    const JsonLimits limits{.max_bytes = 10, .max_depth = 32};
    const auto fits = json_parse_object("{\"a\":1234}", limits);
    ck_assert_result_ok(fits);
    const auto over = json_parse_object("{\"a\":12345}", limits);
    ck_assert_result_is(over, Reason::too_large);
}
END_TEST

START_TEST(depth_limit) {
    const auto nested = [](int levels, const char* open, const char* close) {
        std::string text = "{\"a\":";
        for (int i = 1; i < levels; ++i) {
            text += open;
        }
        text += "1";
        for (int i = 1; i < levels; ++i) {
            text += close;
        }
        return text + "}";
    };
    const auto at_limit = json_parse_object(nested(32, "[", "]"));
    ck_assert_result_ok(at_limit);
    const auto over = json_parse_object(nested(33, "[", "]"));
    ck_assert_result_is(over, Reason::too_large);
    const auto objects = json_parse_object(nested(33, "{\"a\":", "}"));
    ck_assert_result_is(objects, Reason::too_large);
    const auto bomb = json_parse_object(std::string(200'000, '['));
    ck_assert_result_is(bomb, Reason::too_large);
    // Brackets in strings are text, also behind escaped quotes.
    const auto text = json_parse_object("{\"a\":\"\\\"" + std::string(100, '[') + "\\\\\"}");
    ck_assert_result_ok(text);
    // Width is not depth.
    std::string wide = "{\"a\":[";
    for (int i = 0; i < 100; ++i) {
        wide += "[],{},";
    }
    const auto many = json_parse_object(wide + "1]}");
    ck_assert_result_ok(many);
}
END_TEST

START_TEST(strings) {
    const JsonPtr object =
        parsed("{\"s\":\"Zo\\u00eb\",\"e\":\"\",\"n\":null,\"i\":1,\"a\":[\"x\"]}");
    auto s = json_string(object.get(), "s");
    ck_assert_result_ok(s);
    ck_assert_sv_eq(**s, "Zo\xc3\xab");
    auto e = json_string(object.get(), "e");
    ck_assert(e.ok() && e->has_value());
    ck_assert_sv_eq(**e, "");
    auto n = json_string(object.get(), "n");
    ck_assert(n.ok() && !n->has_value());
    auto absent = json_string(object.get(), "absent");
    ck_assert(absent.ok() && !absent->has_value());
    for (const char* name : {"i", "a"}) {
        const auto wrong = json_string(object.get(), name);
        ck_assert_result_is(wrong, Reason::malformed);
        ck_assert_sv_contains(wrong.error().detail, "\"" + std::string(name) + "\"");
    }
}
END_TEST

START_TEST(bools) {
    const JsonPtr object = parsed("{\"t\":true,\"f\":false,\"n\":null,\"s\":\"true\",\"i\":1}");
    auto t = json_bool(object.get(), "t");
    ck_assert(t.ok() && t->has_value() && **t);
    auto f = json_bool(object.get(), "f");
    ck_assert(f.ok() && f->has_value() && !**f);
    auto n = json_bool(object.get(), "n");
    ck_assert(n.ok() && !n->has_value());
    const auto s = json_bool(object.get(), "s");
    ck_assert_result_is(s, Reason::malformed);
    const auto i = json_bool(object.get(), "i");
    ck_assert_result_is(i, Reason::malformed);
}
END_TEST

START_TEST(times) {  // T-13, I-30
    const struct {
        const char* json;
        std::int64_t expected;
    } good[] = {
        {"0", 0},
        {"-0.0", 0},
        {"1700000000", 1'700'000'000},
        {"1700000000.5", 1'700'000'000},
        {"1.7e9", 1'700'000'000},
        {"0.9", 0},
        {"2147483648", 2'147'483'648},
        {"4294967296", 4'294'967'296},
        {"253402300799", 253'402'300'799},
    };
    for (const auto& row : good) {
        const JsonPtr object = parsed(std::string("{\"exp\":") + row.json + "}");
        auto time = json_time(object.get(), "exp");
        ck_assert_result_ok(time);
        ck_assert_msg(time->has_value() && **time == row.expected, "%s", row.json);
    }
    for (const char* json :
         {"-1", "-0.5", "253402300800", "253402300799.5", "1e300", "-1e300", "9223372036854775807",
          "\"1700000000\"", "true", "[]", "{}", "[1700000000]"}) {
        const JsonPtr object = parsed(std::string("{\"exp\":") + json + "}");
        const auto time = json_time(object.get(), "exp");
        ck_assert_result_is(time, Reason::malformed);
        ck_assert_sv_contains(time.error().detail, "\"exp\"");
    }
    const JsonPtr object = parsed("{\"exp\":null}");
    auto null = json_time(object.get(), "exp");
    ck_assert(null.ok() && !null->has_value());
    auto absent = json_time(object.get(), "iat");
    ck_assert(absent.ok() && !absent->has_value());
}
END_TEST

START_TEST(arrays_of_strings) {
    const JsonPtr object = parsed(
        "{\"a\":[\"x\",\"\",\"y\"],\"e\":[],\"n\":null,\"m\":[\"x\",1],\"s\":\"x\",\"o\":{},"
        "\"l\":[[\"x\"]],\"z\":[null]}");
    auto a = json_strings(object.get(), "a");
    ck_assert_result_ok(a);
    ck_assert_uint_eq((*a)->size(), 3);
    ck_assert_sv_eq((**a)[0], "x");
    ck_assert_sv_eq((**a)[1], "");
    ck_assert_sv_eq((**a)[2], "y");
    auto e = json_strings(object.get(), "e");
    ck_assert(e.ok() && e->has_value() && (*e)->empty());
    for (const char* name : {"n", "absent"}) {
        auto none = json_strings(object.get(), name);
        ck_assert(none.ok() && !none->has_value());
    }
    for (const char* name : {"m", "s", "o", "l", "z"}) {
        const auto wrong = json_strings(object.get(), name);
        ck_assert_result_is(wrong, Reason::malformed);
    }
}
END_TEST

START_TEST(text_of_values) {
    const std::string text =
        "{\"z\":[1,-2,1.5,true,false,null],\"a\":\"Zo\xc3\xab \\\"\\\\\\n\",\"o\":{}}";
    const JsonPtr object = parsed(text);
    ck_assert_sv_eq(json_text(object.get()), text);
    const JsonPtr string(json_string("x"));
    ck_assert_sv_eq(json_text(string.get()), "\"x\"");
    ck_assert_sv_eq(json_text(nullptr), "");
}
END_TEST

START_TEST(objects_are_written) {
    JsonObject object;
    ck_assert_sv_eq(object.text(), "{}");
    object.add("z", "a\"b\\\n\xc3\xab/");
    object.add("a", std::uint64_t{0});
    object.add("big", UINT64_MAX);
    object.add_flag("yes", true);
    object.add_flag("no", false);
    object.add_null("none");
    object.add("bad", "a\xff\xc3");
    object.add("zero", raw("a\0b"));
    ck_assert_sv_eq(object.text(),
                    "{\"z\":\"a\\\"b\\\\\\n\xc3\xab/\",\"a\":0,\"big\":9223372036854775807,"
                    "\"yes\":true,\"no\":false,\"none\":null,"
                    "\"bad\":\"a\xef\xbf\xbd\xef\xbf\xbd\",\"zero\":\"a\\u0000b\"}");
}
END_TEST

START_TEST(objects_hold_objects_lists_and_json) {
    JsonObject inner;
    inner.add("a", std::uint64_t{1});
    JsonObject object;
    object.add("inner", inner);
    std::vector<JsonObject> list(2);
    list[0].add("a", std::uint64_t{1});
    object.add("list", list);
    object.add("empty", std::vector<JsonObject>{});
    object.add_json("claim", "[\"x\",{\"b\":1.5}]");
    object.add_json("number", "7");
    object.add_json("broken", "[1,");
    ck_assert_sv_eq(object.text(),
                    "{\"inner\":{\"a\":1},\"list\":[{\"a\":1},{}],\"empty\":[],"
                    "\"claim\":[\"x\",{\"b\":1.5}],\"number\":7,\"broken\":\"[1,\"}");
    object.add("inner", "new");
    ck_assert_sv_contains(object.text(), "{\"inner\":\"new\",\"list\"");
}
END_TEST

static Suite* json_suite() {
    Suite* suite = suite_create("json");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, objects_parse);
    tcase_add_test(tcase, other_texts_are_refused);
    tcase_add_test(tcase, an_error_does_not_quote_the_input);
    tcase_add_test(tcase, size_limit);
    tcase_add_test(tcase, depth_limit);
    tcase_add_test(tcase, strings);
    tcase_add_test(tcase, bools);
    tcase_add_test(tcase, times);
    tcase_add_test(tcase, arrays_of_strings);
    tcase_add_test(tcase, text_of_values);
    tcase_add_test(tcase, objects_are_written);
    tcase_add_test(tcase, objects_hold_objects_lists_and_json);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration json_registered("json", json_suite);
