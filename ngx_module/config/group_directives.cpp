// SPDX-License-Identifier: Apache-2.0
#include "config/group_directives.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <tuple>

#include "config/block.hpp"
#include "config/places.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

// A session that is not the first one's is looked for at all of them.
constexpr std::size_t kMaxMembers = 16;
constexpr std::size_t kMaxParameters = 66;
constexpr std::size_t kMaxTitle = 100;
constexpr std::size_t kMaxLogo = 32 * 1024;
constexpr Seconds kDay = 24 * 3600;

ProviderGroup& group(const Block& b) noexcept {
    return b.target<ProviderGroup>();
}

bool is_inline_logo(std::string_view logo) noexcept {
    return logo.starts_with("data:image/") &&
           logo.find_first_of(" \t\"'<>\\") == std::string_view::npos &&
           std::all_of(logo.begin(), logo.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

char* read_parameter(const Block& b, std::string_view parameter, ProviderOption& option) {
    constexpr std::string_view kLogo = "logo=";
    constexpr std::string_view kDomain = "domain=";
    if (parameter.starts_with(kLogo)) {
        const std::string_view logo = parameter.substr(kLogo.size());
        if (!option.logo.empty()) {
            return b.error("has two logos");
        }
        if (logo.size() > kMaxLogo ||
            (!is_inline_logo(logo) && local_path_problem(logo) != nullptr)) {
            return b.error(
                "has no logo that is a path of this site, as in /logos/company.svg, or "
                "a \"data:image/...\" URL of at most 32k");
        }
        option.logo = logo;
        return conf_ok();
    }
    if (parameter.starts_with(kDomain)) {
        const std::string domain = ascii_lower(parameter.substr(kDomain.size()));
        if (!is_email_domain(domain)) {
            return b.error("has no domain of e-mail addresses in " + in_quotes(parameter) +
                           ", it must be as in example.com, or .example.com for those below it "
                           "as well");
        }
        option.domains.push_back(domain);
        return conf_ok();
    }
    return b.error("has the unknown parameter " + in_quotes(parameter) +
                   ", it takes a title, \"logo=\" and \"domain=\"");
}

char* set_member(Block& b) {
    ProviderOption option;
    option.name = b.arg();
    option.title = b.arg();
    if (group(b).choice.options.size() == kMaxMembers) {
        return b.error("is one more than the " + std::to_string(kMaxMembers) +
                       " that an oidc_provider_group takes");
    }
    if (group(b).choice.find(option.name) != nullptr) {
        return b.error("names " + in_quotes(option.name) + " twice");
    }
    for (std::size_t i = 1; i < b.size(); i++) {
        const std::string_view value = b.arg(i);
        if (i == 1 && value.find('=') == std::string_view::npos) {
            if (value.empty() || value.size() > kMaxTitle || has_control_bytes(value) ||
                !is_utf8(value)) {
                return b.error("needs a title of 1 to 100 bytes of UTF-8");
            }
            option.title = value;
        } else if (char* rv = read_parameter(b, value, option); rv != conf_ok()) {
            return rv;
        }
    }
    for (const std::string& domain : option.domains) {
        const auto has = [&domain](const ProviderOption& other) {
            return std::find(other.domains.begin(), other.domains.end(), domain) !=
                   other.domains.end();
        };
        const auto& options = group(b).choice.options;
        if (std::any_of(options.begin(), options.end(), has) ||
            std::count(option.domains.begin(), option.domains.end(), domain) > 1) {
            return b.error("names the domain " + in_quotes(domain) + " once more");
        }
    }
    group(b).option_places.push_back(place_of(b.cf()));
    group(b).choice.options.push_back(std::move(option));
    return conf_ok();
}

char* set_choose(Block& b) {
    if (char* rv = b.complex(group(b).choose); rv != conf_ok()) {
        return rv;
    }
    return group(b).choose->lengths == nullptr
               ? b.error("holds no variable, \"default\" names a provider for everybody")
               : conf_ok();
}

char* set_argument(Block& b) {
    if (b.arg() == "off") {
        group(b).choice.argument.clear();
        return conf_ok();
    }
    if (!is_simple_name(b.arg())) {
        return b.invalid(b.arg(), "\"off\" or a name of letters, digits, \"-\", \"_\" and \".\"");
    }
    group(b).choice.argument = b.arg();
    return conf_ok();
}

char* set_remember(Block& b) {
    if (b.arg() == "off") {
        group(b).choice.remember = 0;
        return conf_ok();
    }
    return b.seconds(group(b).choice.remember, 60, 400 * kDay);
}

constexpr BlockDirective kDirectives[] = {
    {"provider", {}, 1, kMaxParameters, set_member, true},
    {"default", {}, 1, 1, [](Block& b) { return b.text(group(b).choice.default_name); }},
    {"choose", {}, 1, 1, set_choose},
    {"argument", {}, 1, 1, set_argument},
    {"remember", {}, 1, 1, set_remember},
    {"choice_uri", {}, 1, 1, [](Block& b) { return b.local_path(group(b).choice_path); }},
};

std::string group_label(const ProviderGroup& g) {
    return "oidc_provider_group " + in_quotes(g.name);
}

// Whatever order they stand in.
std::string all_login_hosts(const Provider& p) {
    std::vector<std::string> hosts = p.login_hosts;
    std::sort(hosts.begin(), hosts.end());
    std::string all;
    for (const std::string& host : hosts) {
        all.append(host).append(" ");
    }
    return all;
}

// One cookie of a browser has one session, whichever of the providers it is of.
char* check_same(ngx_conf_t* cf, const ProviderGroup& g, std::size_t i) {
    const Provider& a = *g.members.front();
    const Provider& b = *g.members[i];
    const std::string hosts[] = {all_login_hosts(a), all_login_hosts(b)};
    const std::array<std::tuple<const char*, const std::string&, const std::string&>, 7> settings{
        {{"session_store", a.store_name, b.store_name},
         {"cookie_name", a.cookie_name, b.cookie_name},
         {"cookie_domain", a.cookie_domain, b.cookie_domain},
         {"cookie_path", a.cookie_path, b.cookie_path},
         {"cookie_samesite", a.cookie_same_site, b.cookie_same_site},
         {"login_hosts", hosts[0], hosts[1]},
         {"logout_uri", a.logout_path, b.logout_path}}};
    for (const auto& [name, one, other] : settings) {
        const bool missing = one.empty() && std::string_view(name) == "session_store";
        if (one != other || missing) {
            return conf_error(cf, g.option_places[i],
                              group_label(g) + " needs the same " + in_quotes(name) + " in " +
                                  label(a) + " and " + label(b) +
                                  ", a browser has one session for the group");
        }
    }
    if (a.redirect_origin != b.redirect_origin) {
        return conf_error(
            cf, g.option_places[i],
            group_label(g) + " needs a path, or addresses of one origin, in \"redirect_uri\" of " +
                label(a) + " and " + label(b) + ", a browser has one session for the group");
    }
    return conf_ok();
}

char* resolve(ngx_conf_t* cf, const MainConf& main, ProviderGroup& g) {
    for (std::size_t i = 0; i < g.choice.options.size(); i++) {
        Provider* member = main.find_provider(g.choice.options[i].name);
        if (member == nullptr) {
            return conf_error(cf, g.option_places[i],
                              "unknown oidc_provider " + in_quotes(g.choice.options[i].name) +
                                  " in " + group_label(g));
        }
        for (const auto& other : main.groups) {
            if (other->has(*member)) {
                return conf_error(cf, g.option_places[i],
                                  label(*member) + " is in " + group_label(*other) + " and in " +
                                      group_label(g) +
                                      ", it can be in one: a browser has one session for a group");
            }
        }
        g.members.push_back(member);
    }
    for (std::size_t i = 1; i < g.members.size(); i++) {
        if (char* rv = check_same(cf, g, i); rv != conf_ok()) {
            return rv;
        }
    }
    for (Provider* one : g.members) {
        for (Provider* other : g.members) {
            if (one != other) {
                one->mates.push_back(other);
            }
        }
    }
    return conf_ok();
}

}  // namespace

char* set_provider_group(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    auto& main = *static_cast<MainConf*>(conf);
    const std::string name(view(static_cast<ngx_str_t*>(cf->args->elts)[1]));
    if (!is_simple_name(name) || name == "off") {
        return conf_error(cf, "invalid name " + in_quotes(name) +
                                  " of an oidc_provider_group, it must be of letters, digits, "
                                  "\"-\", \"_\" and \".\", at most 64, and not \"off\"");
    }
    if (const ProviderGroup* other = main.find_group(name)) {
        return conf_error(
            cf, "duplicate " + group_label(*other) + ", first defined in " + shown(other->place));
    }
    if (const Provider* other = main.find_provider(name)) {
        return conf_error(cf, "oidc_provider_group " + in_quotes(name) +
                                  " has the name of an oidc_provider, first defined in " +
                                  shown(other->place) + ": \"auth_oidc\" could mean both");
    }
    auto owned = std::make_unique<ProviderGroup>();
    owned->name = name;
    owned->place = place_of(cf);
    owned->choice.remember = 90 * kDay;
    Block block("oidc_provider_group", kDirectives, owned.get());
    if (char* rv = block.parse(cf); rv != conf_ok()) {
        return rv;
    }
    const ProviderChoice& choice = owned->choice;
    if (choice.options.empty()) {
        return conf_error(cf, owned->place, group_label(*owned) + " has no \"provider\"");
    }
    if (block.given("default") && choice.find(choice.default_name) == nullptr) {
        return conf_error(cf, block.where("default"),
                          "\"default\" " + in_quotes(choice.default_name) +
                              " is no \"provider\" of " + group_label(*owned));
    }
    main.groups.push_back(std::move(owned));
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

bool share_a_group(const Provider& a, const Provider& b) noexcept {
    return std::find(a.mates.begin(), a.mates.end(), &b) != a.mates.end();
}

char* resolve_groups(ngx_conf_t* cf, MainConf& main) {
    for (const auto& g : main.groups) {
        if (char* rv = resolve(cf, main, *g); rv != conf_ok()) {
            return rv;
        }
    }
    return conf_ok();
}

}  // namespace oidc::ngx
