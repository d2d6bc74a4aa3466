// SPDX-License-Identifier: Apache-2.0
#include "oidc/provider_choice.hpp"

#include <algorithm>
#include <array>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// What a choice form may say of a target, and a login can carry.
constexpr std::size_t kMaxTarget = 2048;
constexpr std::size_t kMaxDomain = 253;
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxName = 64;

// An argument that stands there once and is plain text.
std::string plain_argument(std::string_view arguments, std::string_view name, std::size_t max) {
    Argument found = decoded_argument(arguments, name);
    const bool usable = found.count == 1 && found.value && found.value->size() <= max &&
                        !has_control_bytes(*found.value);
    return usable ? *std::move(found.value) : std::string();
}

bool is_label(std::string_view label) noexcept {
    return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' &&
           label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
               return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
           });
}

// How much of `domain` the pattern is about; 0: nothing.
std::size_t match_length(std::string_view pattern, std::string_view domain) noexcept {
    if (!pattern.starts_with('.')) {
        return equal_nocase(pattern, domain) ? pattern.size() : 0;
    }
    const std::string_view bare = pattern.substr(1);
    const bool below = domain.size() > pattern.size() &&
                       equal_nocase(domain.substr(domain.size() - pattern.size()), pattern);
    return below || equal_nocase(domain, bare) ? bare.size() : 0;
}

}  // namespace

const ProviderOption* ProviderChoice::find(std::string_view name) const noexcept {
    const auto found =
        std::find_if(options.begin(), options.end(),
                     [name](const ProviderOption& option) { return option.name == name; });
    return found != options.end() ? &*found : nullptr;
}

bool ProviderChoice::by_email() const noexcept {
    return std::any_of(options.begin(), options.end(),
                       [](const ProviderOption& option) { return !option.domains.empty(); });
}

Chosen choose_provider(const ProviderChoice& choice, const ChoiceFacts& facts) {
    if (choice.options.size() == 1) {
        return {choice.options.data(), ChosenBy::only};
    }
    if (!choice.argument.empty() && !facts.query.empty()) {
        const std::string asked = plain_argument(facts.query, choice.argument, kMaxName);
        if (const ProviderOption* option = choice.find(asked)) {
            return {option, ChosenBy::argument};
        }
    }
    if (const ProviderOption* option = choice.find(facts.variable)) {
        return {option, ChosenBy::variable};
    }
    if (choice.remember > 0) {
        if (const ProviderOption* option = choice.find(facts.remembered)) {
            return {option, ChosenBy::memory};
        }
    }
    if (const ProviderOption* option = choice.find(choice.default_name)) {
        return {option, ChosenBy::otherwise};
    }
    return {};
}

std::string_view name_of(ChosenBy by) noexcept {
    switch (by) {
        case ChosenBy::only:
            return "the only one";
        case ChosenBy::argument:
            return "the argument";
        case ChosenBy::variable:
            return "the variable";
        case ChosenBy::memory:
            return "the browser's memory";
        case ChosenBy::otherwise:
            return "the default";
        case ChosenBy::nobody:
            break;
    }
    return "nobody";
}

std::string without_argument(std::string_view target, std::string_view name) {
    const std::size_t hash = std::min(target.find('#'), target.size());
    const std::size_t mark = target.substr(0, hash).find('?');
    if (mark == std::string_view::npos) {
        return std::string(target);
    }
    std::string out(target.substr(0, mark));
    std::string_view query = target.substr(mark + 1, hash - mark - 1);
    char separator = '?';
    while (true) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        const auto decoded = percent_decode(pair.substr(0, pair.find('=')), true);
        if (!decoded || *decoded != name) {
            out += separator;
            out.append(pair);
            separator = '&';
        }
        if (end == query.size()) {
            break;
        }
        query.remove_prefix(end + 1);
    }
    return out.append(target.substr(hash));
}

bool is_email_domain(std::string_view text) noexcept {
    if (text.starts_with('.')) {
        text.remove_prefix(1);
    }
    if (text.size() > kMaxDomain || text.find('.') == std::string_view::npos) {
        return false;
    }
    while (true) {
        const std::size_t end = std::min(text.find('.'), text.size());
        if (!is_label(text.substr(0, end))) {
            return false;
        }
        if (end == text.size()) {
            return true;
        }
        text.remove_prefix(end + 1);
    }
}

const ProviderOption* option_of_email(const ProviderChoice& choice,
                                      std::string_view email) noexcept {
    const std::size_t at = email.rfind('@');
    if (at == std::string_view::npos || at == 0 || email.size() > kMaxEmail) {
        return nullptr;
    }
    const std::string_view domain = email.substr(at + 1);
    const ProviderOption* best = nullptr;
    std::size_t length = 0;
    for (const ProviderOption& option : choice.options) {
        for (const std::string& pattern : option.domains) {
            // Of "example.com" and ".example.com" for the same domain the exact one.
            const std::size_t fits = 2 * match_length(pattern, domain);
            const std::size_t exact = fits != 0 && !pattern.starts_with('.') ? 1 : 0;
            if (fits + exact > length) {
                length = fits + exact;
                best = &option;
            }
        }
    }
    return best;
}

ChoiceForm parse_choice_form(std::string_view body) {
    ChoiceForm form;
    form.provider = plain_argument(body, "provider", kMaxName);
    const std::string email = plain_argument(body, "email", kMaxEmail);
    form.email = trim(email);
    form.return_to = plain_argument(body, "return_to", kMaxTarget);
    return form;
}

}  // namespace oidc
