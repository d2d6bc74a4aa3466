// SPDX-License-Identifier: Apache-2.0
// Every combination of the directives over four levels against a reading of the configuration that
// knows nothing of how levels are put together.
#include "oidc/protection.hpp"

#include <array>
#include <span>
#include <vector>

#include "unit.hpp"

using namespace oidc;
using namespace oidc::unit;
using Provider = LevelRules::Provider;
using Kind = ProtectionFault::Kind;

namespace {

// All that one level can say.
std::vector<LevelRules> all_rules() {
    std::vector<LevelRules> out;
    const std::optional<bool> switches[] = {std::nullopt, true, false};
    const std::optional<Mode> modes[] = {std::nullopt, Mode::require, Mode::verify, Mode::off};
    for (const Provider provider : {Provider::unsaid, Provider::named, Provider::off}) {
        for (const auto& mode : modes) {
            for (const bool require : {false, true}) {
                for (const auto& max_age : switches) {
                    for (const auto& acr_values : switches) {
                        out.push_back({provider, mode, require, max_age, acr_values});
                    }
                }
            }
        }
    }
    return out;
}

bool opens(const LevelRules& rules) {
    return rules.provider == Provider::off || rules.mode == Mode::off || rules.mode == Mode::verify;
}

// The innermost level that says anything decides what a reader takes it for. `off` and `verify` are
// words for open; a demand that is off further in says nothing.
bool reads_closed(std::span<const LevelRules> levels) {
    bool max_age_off = false;
    bool acr_values_off = false;
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
        if (opens(*level)) {
            return false;
        }
        if (level->provider == Provider::named || level->mode == Mode::require || level->require ||
            (level->max_age == true && !max_age_off) ||
            (level->acr_values == true && !acr_values_off)) {
            return true;
        }
        max_age_off = max_age_off || level->max_age == false;
        acr_values_off = acr_values_off || level->acr_values == false;
    }
    return false;
}

// What the module does with whom nobody knows: every directive is inherited by itself.
bool stays_out(std::span<const LevelRules> levels) {
    Provider provider = Provider::unsaid;
    Mode mode = Mode::require;
    bool require = false;
    for (const LevelRules& level : levels) {
        provider = level.provider != Provider::unsaid ? level.provider : provider;
        mode = level.mode.value_or(mode);
        require = require || level.require;
    }
    return provider == Provider::named &&
           (mode == Mode::require || (mode == Mode::verify && require));
}

std::optional<ProtectionFault> fault_of(std::span<const LevelRules> levels) {
    Protection protection;
    for (const LevelRules& level : levels) {
        protection = protection.inside(level);
    }
    return protection.fault();
}

LevelRules named() {
    return {Provider::named, {}, false, {}, {}};
}
LevelRules off() {
    return {Provider::off, {}, false, {}, {}};
}
LevelRules mode(Mode value, Provider provider = Provider::unsaid) {
    return {provider, value, false, {}, {}};
}
LevelRules require() {
    return {Provider::unsaid, {}, true, {}, {}};
}
LevelRules max_age(bool on = true) {
    return {Provider::unsaid, {}, false, on, {}};
}
LevelRules acr_values(bool on = true) {
    return {Provider::unsaid, {}, false, {}, on};
}

}  // namespace

START_TEST(n_41_what_reads_as_closed_is_closed_or_refused) {
    const std::vector<LevelRules> rules = all_rules();
    std::size_t closed = 0;
    std::size_t refused = 0;
    std::size_t open = 0;
    std::array<LevelRules, 3> levels;
    for (const LevelRules& http : rules) {
        levels[0] = http;
        for (const LevelRules& server : rules) {
            levels[1] = server;
            for (const LevelRules& location : rules) {
                levels[2] = location;
                const bool fault = fault_of(levels).has_value();
                if (reads_closed(levels) && !fault && !stays_out(levels)) {
                    ck_abort_msg("open: provider %d mode %d in the location",
                                 int(location.provider), location.mode ? int(*location.mode) : -1);
                }
                refused += fault;
                closed += !fault && stays_out(levels);
                open += !fault && !stays_out(levels);
            }
        }
    }
    ck_assert_uint_eq(closed + refused + open, rules.size() * rules.size() * rules.size());
    ck_assert(closed > 0 && refused > 0 && open > 0);
}
END_TEST

// A location in a location, without the two demands that behave as the others do.
START_TEST(n_41_a_fourth_level_changes_nothing) {
    std::vector<LevelRules> rules;
    for (const LevelRules& r : all_rules()) {
        if (!r.acr_values && r.max_age != false) {
            rules.push_back(r);
        }
    }
    std::size_t open = 0;
    std::array<LevelRules, 4> levels;
    for (const LevelRules& a : rules) {
        for (const LevelRules& b : rules) {
            for (const LevelRules& c : rules) {
                for (const LevelRules& d : rules) {
                    levels = {a, b, c, d};
                    open += reads_closed(levels) && !stays_out(levels) && !fault_of(levels);
                }
            }
        }
    }
    ck_assert_uint_eq(open, 0);
}
END_TEST

// `if` and what else says nothing itself is judged as the level around it.
START_TEST(n_41_a_level_that_says_nothing_is_as_the_one_around_it) {
    const std::vector<LevelRules> rules = all_rules();
    for (const LevelRules& server : rules) {
        for (const LevelRules& location : rules) {
            const std::array<LevelRules, 2> levels{server, location};
            const std::array<LevelRules, 3> deeper{server, location, LevelRules{}};
            const auto fault = fault_of(levels);
            const auto inner = fault_of(deeper);
            ck_assert_int_eq(fault.has_value(), inner.has_value());
            ck_assert(!fault || (fault->kind == inner->kind && fault->demand == inner->demand));
        }
    }
}
END_TEST

START_TEST(n_41_what_is_plain_is_accepted) {
    const std::vector<std::vector<LevelRules>> good{
        {{}, {}, {}},
        {named(), {}, off()},
        {{}, named(), mode(Mode::verify)},
        {named(), mode(Mode::off), mode(Mode::require)},
        {off(), named(), off()},
        {mode(Mode::off), {}, {}},
        {mode(Mode::off), {}, mode(Mode::require, Provider::named)},
        {mode(Mode::require), named(), {}},
        {require(), named(), off()},
        {max_age(), named(), mode(Mode::verify)},
        {named(), max_age(), off()},
        {max_age(), max_age(false), {}},
        {acr_values(), acr_values(false), {}},
        {{}, mode(Mode::verify, Provider::named), require()},
        {max_age(), mode(Mode::verify, Provider::named), {}},
        {mode(Mode::verify), named(), mode(Mode::verify)},
    };
    for (std::size_t i = 0; i < good.size(); i++) {
        ck_assert_msg(!fault_of(good[i]), "%zu", i);
    }
}
END_TEST

START_TEST(n_41_faults_by_name) {
    const struct {
        std::vector<LevelRules> levels;
        Kind kind;
        Demand demand;
    } rows[] = {
        {{mode(Mode::off), {}, named()}, Kind::outer_mode, {}},
        {{mode(Mode::verify), named()}, Kind::outer_mode, {}},
        {{named(), mode(Mode::verify), named()}, Kind::outer_mode, {}},
        {{mode(Mode::require)}, Kind::no_provider, Demand::mode},
        {{{}, mode(Mode::verify)}, Kind::no_provider, Demand::mode},
        {{{}, {}, require()}, Kind::no_provider, Demand::require},
        {{max_age(), {}, {}}, Kind::no_provider, Demand::max_age},
        {{{}, acr_values(), {}}, Kind::no_provider, Demand::acr_values},
        {{off(), require()}, Kind::off, Demand::require},
        {{named(), off(), mode(Mode::require)}, Kind::off, Demand::mode},
        {{mode(Mode::off, Provider::named), max_age()}, Kind::off, Demand::max_age},
        {{named(), {Provider::off, {}, true, {}, {}}}, Kind::off, Demand::require},
        {{mode(Mode::verify, Provider::named), max_age()}, Kind::verify, Demand::max_age},
        {{mode(Mode::verify, Provider::named), acr_values()}, Kind::verify, Demand::acr_values},
    };
    for (const auto& row : rows) {
        const auto fault = fault_of(row.levels);
        ck_assert(fault.has_value());
        ck_assert_int_eq(int(fault->kind), int(row.kind));
        ck_assert_int_eq(int(fault->demand), int(row.demand));
    }
}
END_TEST

START_TEST(whether_off_is_said) {
    ck_assert_uint_eq(Protection().depth(), 0);
    ck_assert_uint_eq(Protection().inside(off()).inside({}).depth(), 2);
    ck_assert(!Protection().says_off());
    ck_assert(!Protection().inside({}).says_off());
    ck_assert(!Protection().inside(named()).says_off());
    ck_assert(Protection().inside(named()).inside(off()).inside({}).says_off());
    ck_assert(Protection().inside(mode(Mode::off, Provider::named)).says_off());
    ck_assert(!Protection().inside(off()).inside(named()).says_off());
}
END_TEST

START_TEST(values_of_auth_oidc_require) {
    for (const char* value : {"1", "true", "staff", "00", "0.0", "falsehood", "no", "false,true"}) {
        ck_assert_msg(is_met(value), "%s", value);
    }
    for (const char* value : {"", "0", "false", "False", "FALSE"}) {
        ck_assert_msg(!is_met(value), "%s", value);
    }
}
END_TEST

static Suite* protection_suite() {
    Suite* suite = suite_create("protection");
    TCase* tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, n_41_what_reads_as_closed_is_closed_or_refused);
    tcase_add_test(tcase, n_41_a_fourth_level_changes_nothing);
    tcase_add_test(tcase, n_41_a_level_that_says_nothing_is_as_the_one_around_it);
    tcase_add_test(tcase, n_41_what_is_plain_is_accepted);
    tcase_add_test(tcase, n_41_faults_by_name);
    tcase_add_test(tcase, whether_off_is_said);
    tcase_add_test(tcase, values_of_auth_oidc_require);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration protection_registered("protection", protection_suite);
