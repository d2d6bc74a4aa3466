// SPDX-License-Identifier: Apache-2.0
#include "config/script_text.hpp"

#include <string>

#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;
using oidc::ngx::read_script_text;

START_TEST(texts_with_variables) {
    const struct {
        const char* text;
        const char* variables;  // joined by ","
        bool constant;
    } rows[] = {
        {"", "", false},
        {"text", "", true},
        {"$a", "a", false},
        {"${a}", "a", false},
        {"$a$b", "a,b", false},
        {"${a}b", "a", true},
        {"a$b", "b", true},
        {"$a b", "a", true},
        {"$a_1", "a_1", false},
        {"$A", "A", false},
        {"$1", "1", false},
        {"$10", "1", true},
        {"$1$2", "1,2", false},
        {"${1}", "1", false},
        {"${10}", "10", false},
        {"$0", "0", false},
        {"$a-$b", "a,b", true},
        {"$a}", "a", true},
        {"${a}${b}", "a,b", false},
        {"$a?$b", "a,b", true},
    };
    for (const auto& row : rows) {
        const auto read = read_script_text(row.text);
        std::string variables;
        for (const std::string_view name : read.variables) {
            variables += (variables.empty() ? "" : ",") + std::string(name);
        }
        ck_assert_msg(variables == row.variables && read.constant == row.constant, "%s: %s, %d",
                      row.text, variables.c_str(), read.constant);
    }
}
END_TEST

static Suite* script_text_suite() {
    Suite* suite = suite_create("script_text");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, texts_with_variables);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration script_text_registered("script_text", script_text_suite);
