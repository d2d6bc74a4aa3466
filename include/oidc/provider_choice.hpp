// SPDX-License-Identifier: Apache-2.0
// Several providers at one place: which of them a login goes to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// The cookie with the name of the provider that a browser has signed in at last.
inline constexpr std::string_view kChoiceCookie = "NGX_OIDC_PROVIDER";

// One of them.
struct ProviderOption {
    std::string name;                  // of its oidc_provider
    std::string title;                 // that people read
    std::string logo;                  // a path on our origin, or a data: URL; empty: none
    std::vector<std::string> domains;  // of e-mail addresses, in lower case; see is_email_domain()
};

struct ProviderChoice {
    std::vector<ProviderOption> options;  // in the order in which people see them
    std::string default_name;             // empty: none
    std::string argument{"provider"};     // of a query; empty: none is looked at
    Seconds remember = 0;                 // for how long a browser knows the last one; 0: not

    // Null: it is none of them.
    [[nodiscard]] const ProviderOption* find(std::string_view name) const noexcept;
    [[nodiscard]] bool by_email() const noexcept;  // some option has domains
};

// What a request says. All of it comes from outside, but for the variable perhaps: a name that is
// none of the options' counts as nothing.
struct ChoiceFacts {
    std::string_view query;
    std::string_view variable;    // the value of the configured expression
    std::string_view remembered;  // of the browser's cookie
};

enum class ChosenBy : std::uint8_t { nobody, only, argument, variable, memory, otherwise };

struct Chosen {
    const ProviderOption* option = nullptr;  // null: people have to say
    ChosenBy by = ChosenBy::nobody;
};

// The only option; else what the query says, then the variable, then what the browser remembers,
// then the default.
Chosen choose_provider(const ProviderChoice& choice, const ChoiceFacts& facts);
std::string_view name_of(ChosenBy by) noexcept;

// `target`, a request target, without the arguments of this name: they have done their work. What
// else stands there stays byte for byte.
std::string without_argument(std::string_view target, std::string_view name);

// A domain in lower case, as in "example.com"; ".example.com" means those below it as well.
bool is_email_domain(std::string_view text) noexcept;

// Where an address belongs. Null: nowhere, or it is no address. The longest domain that fits wins.
const ProviderOption* option_of_email(const ProviderChoice& choice,
                                      std::string_view email) noexcept;

// What the page of the choice posts.
struct ChoiceForm {
    std::string provider;  // of a button; empty: none was pressed
    std::string email;     // empty: none was entered
    std::string return_to;
};
inline constexpr std::size_t kMaxChoiceForm = 8 * 1024;
inline constexpr std::size_t kMaxEmail = 254;  // RFC 5321

// Never fails: what stands there twice, cannot be decoded, is too long or has a control byte counts
// as not there.
ChoiceForm parse_choice_form(std::string_view body);

}  // namespace oidc
