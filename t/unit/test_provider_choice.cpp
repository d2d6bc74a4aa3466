// SPDX-License-Identifier: Apache-2.0
#include "oidc/provider_choice.hpp"
#include "oidc/uri.hpp"
#include "unit.hpp"

using namespace oidc;
using oidc::unit::Registration;

static ProviderChoice two() {
    ProviderChoice choice;
    choice.options = {{"staff", "Company account", "/logos/staff.svg", {"example.com"}},
                      {"partners", "Partners", "", {".example.org", "sales.example.com"}}};
    choice.remember = 100;
    return choice;
}

static std::string chosen(const ProviderChoice& choice, const ChoiceFacts& facts,
                          ChosenBy by = ChosenBy::nobody) {
    const Chosen found = choose_provider(choice, facts);
    ck_assert_int_eq(static_cast<int>(found.by), static_cast<int>(by));
    ck_assert((found.option == nullptr) == (by == ChosenBy::nobody));
    return found.option != nullptr ? found.option->name : std::string();
}

START_TEST(a_50_what_counts_in_which_order) {
    ProviderChoice choice = two();
    ChoiceFacts facts;
    ck_assert_sv_eq(chosen(choice, facts), "");
    choice.default_name = "staff";
    ck_assert_sv_eq(chosen(choice, facts, ChosenBy::otherwise), "staff");
    facts.remembered = "partners";
    ck_assert_sv_eq(chosen(choice, facts, ChosenBy::memory), "partners");
    facts.variable = "staff";
    ck_assert_sv_eq(chosen(choice, facts, ChosenBy::variable), "staff");
    facts.query = "a=b&provider=partners";
    ck_assert_sv_eq(chosen(choice, facts, ChosenBy::argument), "partners");
    choice.options.pop_back();
    ck_assert_sv_eq(chosen(choice, facts, ChosenBy::only), "staff");
}
END_TEST

START_TEST(a_50_only_members_count) {
    ProviderChoice choice = two();
    for (const std::string name :
         {"", "other", "Staff", "staff ", " staff", "staff\n", "staff,partners", "*"}) {
        ChoiceFacts facts;
        facts.variable = name;
        facts.remembered = name;
        ck_assert_sv_eq(chosen(choice, facts), "");
    }
    for (const char* query :
         {"provider", "provider=", "provider=other", "provider=staff&provider=staff",
          "provider=staff&provider=partners", "provider=%zz", "provider=staff%00",
          "provider=staff%0d%0aSet-Cookie:%20a=b", "Provider=staff", "xprovider=staff",
          "x=provider=staff"}) {
        ChoiceFacts facts;
        facts.query = query;
        ck_assert_sv_eq(chosen(choice, facts), "");
    }
    const std::string long_name = "provider=" + std::string(65, 'x');
    ck_assert_sv_eq(chosen(choice, {long_name, {}, {}}), "");
}
END_TEST

START_TEST(a_50_what_is_switched_off) {
    ProviderChoice choice = two();
    choice.remember = 0;
    choice.argument.clear();
    ck_assert_sv_eq(chosen(choice, {"provider=staff&=staff", {}, "staff"}), "");
    choice.argument = "idp";
    ck_assert_sv_eq(chosen(choice, {"idp=staff", {}, {}}, ChosenBy::argument), "staff");
    // Escaped or not, it is the same argument.
    ck_assert_sv_eq(chosen(choice, {"i%64p=st%61ff", {}, {}}, ChosenBy::argument), "staff");
}
END_TEST

START_TEST(a_50_the_argument_goes) {
    const struct {
        const char* target;
        const char* left;
    } rows[] = {
        {"/", "/"},
        {"/x?provider=staff", "/x"},
        {"/x?provider", "/x"},
        {"/x?a=1&provider=staff", "/x?a=1"},
        {"/x?provider=staff&a=1", "/x?a=1"},
        {"/x?a=1&provider=staff&b=%3f", "/x?a=1&b=%3f"},
        {"/x?%70rovider=staff&a", "/x?a"},
        {"/x?provider=staff#provider=staff", "/x#provider=staff"},
        {"/x#a?provider=staff", "/x#a?provider=staff"},
        {"/x?a=1&&b", "/x?a=1&&b"},
        {"/x?", "/x?"},
        {"/x?providers=staff&a=provider=b", "/x?providers=staff&a=provider=b"},
        {"/x?%zz=1", "/x?%zz=1"},
    };
    for (const auto& [target, left] : rows) {
        ck_assert_sv_eq(without_argument(target, "provider"), left);
        ck_assert(is_safe_return_target(left));
    }
}
END_TEST

static std::string of_email(const ProviderChoice& choice, std::string_view email) {
    const ProviderOption* option = option_of_email(choice, email);
    return option != nullptr ? option->name : std::string();
}

START_TEST(a_51_addresses) {
    const ProviderChoice choice = two();
    ck_assert(choice.by_email());
    ck_assert_sv_eq(of_email(choice, "jane@example.com"), "staff");
    ck_assert_sv_eq(of_email(choice, "Jane.Doe+x@EXAMPLE.com"), "staff");
    ck_assert_sv_eq(of_email(choice, "a@b@example.com"), "staff");
    ck_assert_sv_eq(of_email(choice, "jane@example.org"), "partners");
    ck_assert_sv_eq(of_email(choice, "jane@a.b.example.org"), "partners");
    ck_assert_sv_eq(of_email(choice, "jane@sales.example.com"), "partners");
    for (const char* none :
         {"", "jane", "@example.com", "jane@", "jane@x.example.com", "jane@example.com.evil.test",
          "jane@evilexample.com", "jane@evilexample.org", "jane@.example.org", "jane@example.com.",
          "jane@example.com ", "jane@example.com\n", "example.com"}) {
        ck_assert_sv_eq(of_email(choice, none), "");
    }
    ck_assert_sv_eq(of_email(choice, std::string(243, 'x') + "@example.com"), "");
    ck_assert_sv_eq(of_email(choice, std::string(242, 'x') + "@example.com"), "staff");
}
END_TEST

START_TEST(a_51_the_closest_domain) {
    ProviderChoice choice = two();
    choice.options[0].domains = {".example.com"};
    choice.options[1].domains = {".eu.example.com", "example.com"};
    ck_assert_sv_eq(of_email(choice, "j@us.example.com"), "staff");
    ck_assert_sv_eq(of_email(choice, "j@a.eu.example.com"), "partners");
    ck_assert_sv_eq(of_email(choice, "j@eu.example.com"), "partners");
    ck_assert_sv_eq(of_email(choice, "j@example.com"), "partners");
    choice.options[0].domains.clear();
    choice.options[1].domains.clear();
    ck_assert(!choice.by_email());
}
END_TEST

START_TEST(a_51_domains_of_the_configuration) {
    for (const char* good : {"example.com", ".example.com", "a-b.example", "xn--mller-kva.example",
                             "1.2.example", "a.b.c.d.e"}) {
        ck_assert_msg(is_email_domain(good), "%s", good);
    }
    for (const char* bad :
         {"", ".", "..", "example", ".example", "Example.com", "example.com.", "..example.com",
          "a..b", "-a.example", "a-.example", "*.example.com", "a b.example",
          "m\xc3\xbcller.example", "jane@example.com", "example.com/", "a.example:25"}) {
        ck_assert_msg(!is_email_domain(bad), "%s", bad);
    }
    ck_assert(!is_email_domain(std::string(64, 'a') + ".example"));
    ck_assert(is_email_domain(std::string(63, 'a') + ".example"));
}
END_TEST

START_TEST(a_51_forms) {
    const ChoiceForm form = parse_choice_form(
        "return_to=%2Fx%3Fa%3Db%23c&provider=staff&email=+jane%2Bx%40example.com+&other=1");
    ck_assert_sv_eq(form.return_to, "/x?a=b#c");
    ck_assert_sv_eq(form.provider, "staff");
    ck_assert_sv_eq(form.email, "jane+x@example.com");
    for (const std::string& body :
         {std::string(), std::string("provider"), std::string("provider=a&provider=a"),
          std::string("provider=%zz"), std::string("provider=a%00"), std::string("email=a%0a@b"),
          std::string("return_to=/%7f"), "provider=" + std::string(65, 'x'),
          "email=" + std::string(255, 'x'), "return_to=/" + std::string(2048, 'x')}) {
        const ChoiceForm none = parse_choice_form(body);
        ck_assert_msg(none.provider.empty() && none.email.empty() && none.return_to.empty(), "%s",
                      body.c_str());
    }
}
END_TEST

static Suite* provider_choice_suite() {
    Suite* suite = suite_create("provider_choice");
    TCase* tcase = tcase_create("all");
    tcase_add_test(tcase, a_50_what_counts_in_which_order);
    tcase_add_test(tcase, a_50_only_members_count);
    tcase_add_test(tcase, a_50_what_is_switched_off);
    tcase_add_test(tcase, a_50_the_argument_goes);
    tcase_add_test(tcase, a_51_addresses);
    tcase_add_test(tcase, a_51_the_closest_domain);
    tcase_add_test(tcase, a_51_domains_of_the_configuration);
    tcase_add_test(tcase, a_51_forms);
    suite_add_tcase(suite, tcase);
    return suite;
}

static const Registration provider_choice_registered("provider_choice", provider_choice_suite);
