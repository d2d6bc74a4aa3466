// SPDX-License-Identifier: Apache-2.0
// Runs the registered suites: all of them, or those named on the command line or, separated by
// commas, in UNIT_SUITES. CK_FORK=yes gives every test its own process.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "unit.hpp"

namespace {

std::vector<std::string> wanted_suites(int argc, char** argv) {
    std::vector<std::string> names(argv + 1, argv + argc);
    const char* env = std::getenv("UNIT_SUITES");
    if (names.empty() && env != nullptr) {
        std::string_view rest = env;
        while (!rest.empty()) {
            const std::size_t comma = rest.find(',');
            if (comma != 0) {
                names.emplace_back(rest.substr(0, comma));
            }
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        }
    }
    return names;
}

}  // namespace

int main(int argc, char** argv) {
    auto& suites = oidc::unit::Registration::all();
    std::sort(suites.begin(), suites.end());
    if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
        for (const auto& suite : suites) {
            std::puts(suite.first.c_str());
        }
        return 0;
    }
    const std::vector<std::string> wanted = wanted_suites(argc, argv);
    for (const std::string& name : wanted) {
        if (std::none_of(suites.begin(), suites.end(),
                         [&name](const auto& suite) { return suite.first == name; })) {
            std::fprintf(stderr, "no suite \"%s\"; --list prints them\n", name.c_str());
            return 2;
        }
    }
    SRunner* runner = nullptr;
    for (const auto& [name, make] : suites) {
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
            continue;
        }
        if (runner == nullptr) {
            runner = srunner_create(make());
        } else {
            srunner_add_suite(runner, make());
        }
    }
    if (runner == nullptr) {
        std::fputs("no suites\n", stderr);
        return 2;
    }
    const char* fork_mode = std::getenv("CK_FORK");
    if (fork_mode == nullptr) {
        srunner_set_fork_status(runner, CK_NOFORK);
    }
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    const int ran = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
