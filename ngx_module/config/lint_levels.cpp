// SPDX-License-Identifier: Apache-2.0
#include "config/lint_levels.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "config/backends.hpp"
#include "config/nginx_private.hpp"
#include "config/places.hpp"
#include "config/script_text.hpp"
#include "config/variable_use.hpp"
#include "oidc/server_name.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {

namespace {

// The variable tells one user's requests from another's.
bool tells_users_apart(ngx_conf_t* cf, std::string_view variable) {
    const std::string name = ascii_lower(variable);
    constexpr std::array<std::string_view, 7> kIdentities{
        "oidc_user",     "oidc_session_id", "oidc_id_token", "oidc_access_token",
        "oidc_userinfo", "oidc_assertion",  "remote_user"};
    return name.starts_with("oidc_claim_") || is_made_here(cf, name) ||
           std::find(kIdentities.begin(), kIdentities.end(), name) != kIdentities.end();
}

}  // namespace

void lint_caches(ngx_conf_t* cf, const MainConf& main) {
    for (const MainConf::Level& level : main.levels) {
        const auto& location = core_of(level.all);
        if (level.conf->effective_mode() == Mode::off || location.handler == nullptr) {
            continue;
        }
        const auto cached = cached_at(cf, level.all);
        if (!cached) {
            continue;
        }
        const auto names = read_script_text(cached->key).variables;
        if (std::none_of(names.begin(), names.end(),
                         [cf](std::string_view name) { return tells_users_apart(cf, name); })) {
            conf_warn(cf, level.conf->places.provider,
                      in_quotes(cached->directive) + " in " + location_label(location) +
                          " gives the pages of one user to another: put \"$oidc_session_id\" or "
                          "\"$oidc_user\" into \"" +
                          std::string(cached->directive) + "_key\"");
        }
    }
}

namespace {

using Level = MainConf::Level;

struct Passing {
    const Level* level;
    Backend backend;
};

bool uses_oidc(const Level& level) noexcept {
    return static_cast<const SrvConf*>(
               level.server->ctx->srv_conf[ngx_http_auth_oidc_module.ctx_index])
        ->uses_oidc;
}

// The backend is told by a header of ours who the user is.
bool gives_identity(const Level& level) noexcept {
    return level.conf->effective_mode() != Mode::off && level.conf->headers != 0 &&
           std::any_of(level.conf->header_rules.begin(), level.conf->header_rules.end(),
                       [](const HeaderRule& rule) { return rule.value != nullptr; });
}

// A client's header comes through where it means the user's identity elsewhere. One php-fpm serves
// many applications, each from a folder of its own.
bool is_way_around(const Passing& open, const Passing& closed) {
    if (open.backend.cgi != closed.backend.cgi || !is_same_backend(open.backend, closed.backend) ||
        (open.backend.cgi &&
         view(core_of(open.level->all).root) != view(core_of(closed.level->all).root))) {
        return false;
    }
    const auto& rules = closed.level->conf->header_rules;
    return std::any_of(rules.begin(), rules.end(), [&open](const HeaderRule& rule) {
        return rule.value != nullptr && !open.backend.sets(rule.normal_name);
    });
}

// Somebody has said who may come there.
bool is_for_everybody(ngx_conf_t* cf, const Passing& open) {
    return !has_access_control(cf, open.level->all).value_or(true) &&
           !listens_locally(cf, *open.level->server);
}

void warn_of_way_around(ngx_conf_t* cf, const Passing& open, const Passing& closed, bool others) {
    const Provider* provider = closed.level->conf->static_provider;
    const ProviderGroup* group = closed.level->conf->static_group;
    const std::string name = provider != nullptr ? provider->config.name
                             : group != nullptr  ? group->name
                                                 : "NAME";
    const std::string server = in_quotes(view(closed.level->server->server_name));
    conf_warn(
        cf, or_server(open.level->conf->places.provider, *open.level->server),
        in_quotes(open.backend.directive) + " in " + location_label(core_of(open.level->all)) +
            " leads to the backend of server " + server +
            " with the identity headers that a client sends, no sign-in is asked for: set "
            "\"auth_oidc " +
            name + "\" and \"auth_oidc_mode verify\" there, which take them out, or blank each" +
            (others ? "; so do other servers" : ""));
}

}  // namespace

void lint_backends(ngx_conf_t* cf, const MainConf& main) {
    if (main.providers.empty()) {
        return;
    }
    const Backends backends(cf);
    std::vector<Passing> open;
    std::vector<Passing> closed;
    for (const Level& level : main.levels) {
        const bool uses = uses_oidc(level);
        if (uses && !gives_identity(level)) {
            continue;
        }
        if (const auto backend = backends.at(level.all)) {
            (uses ? closed : open).push_back({&level, *backend});
        }
    }
    // Once for each backend: its address may be that of many servers.
    std::vector<const ngx_http_upstream_srv_conf_t*> told;
    for (const Passing& inner : closed) {
        if (std::find(told.begin(), told.end(), inner.backend.group) != told.end()) {
            continue;
        }
        const Passing* first = nullptr;
        std::vector<const ngx_http_core_srv_conf_t*> servers;
        for (const Passing& outer : open) {
            if (std::find(servers.begin(), servers.end(), outer.level->server) == servers.end() &&
                is_way_around(outer, inner) && is_for_everybody(cf, outer)) {
                first = first == nullptr ? &outer : first;
                servers.push_back(outer.level->server);
            }
        }
        if (first != nullptr) {
            told.push_back(inner.backend.group);
            warn_of_way_around(cf, *first, inner, servers.size() > 1);
        }
    }
}

}  // namespace oidc::ngx
