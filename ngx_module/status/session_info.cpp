// SPDX-License-Identifier: Apache-2.0
#include "status/session_info.hpp"

#include <string>

#include "request/request_view.hpp"
#include "signin/choice.hpp"
#include "signin/decide.hpp"
#include "status/json_answer.hpp"

namespace oidc::ngx {
namespace {

constexpr std::string_view kDefaultClaims[] = {"name",    "given_name", "family_name", "email",
                                               "picture", "locale",     "groups"};

// Null: never.
void add_time(JsonObject& json, std::string_view name, Seconds time) {
    if (time > 0) {
        json.add(name, static_cast<std::uint64_t>(time));
    } else {
        json.add_null(name);
    }
}

void add_claim(JsonObject& json, const SessionView& session, std::string_view name) {
    for (std::uint32_t i = 0; i < session.claim_count(); ++i) {
        const SessionView::Entry entry = session.claim_at(i);
        if (entry.name == name) {
            if (entry.json.empty()) {
                json.add(name, entry.text);
            } else {
                json.add_json(name, entry.json);
            }
            return;
        }
    }
}

void add_claims(JsonObject& json, const SessionView& session, const LocConf& location) {
    JsonObject claims;
    if (location.session_info_claims.empty()) {
        for (const std::string_view name : kDefaultClaims) {
            add_claim(claims, session, name);
        }
    }
    for (const std::string& name : location.session_info_claims) {
        add_claim(claims, session, name);
    }
    json.add("claims", claims);
}

void add_session(JsonObject& json, const Decision& decision, const LocConf& location) {
    const Provider& provider = *decision.provider;
    const SessionView& session = decision.session;
    json.add("user", session.username());
    json.add("sub", session.sub());
    add_claims(json, session, location);
    add_time(json, "created", session.created());
    add_time(json, "auth_time", session.auth_time());
    add_time(json, "expires", decision.expires);
    // The store knows the earlier of the two ends.
    const bool idle = provider.config.session_idle_timeout > 0 &&
                      decision.expires < session.created() + provider.config.session_timeout;
    add_time(json, "idle_expires", idle ? decision.expires : 0);
}

void add_urls(ngx_http_request_t* r, const RequestContext& ctx, JsonObject& json,
              const Provider& provider) {
    json.add("login_url", login_url_here(r, ctx, provider));
    if (provider.logout_path.empty()) {
        json.add_null("logout_url");
        return;
    }
    const ngx_str_t origin = public_origin(r, &provider);
    json.add("logout_url", std::string(view(origin)).append(provider.logout_path));
}

}  // namespace

ngx_int_t session_info_handler(ngx_http_request_t* r) noexcept try {
    if ((r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    const LocConf& location = loc_conf(r);
    RequestContext* ctx = find_context(r);
    Asked asked;
    if (ctx == nullptr || !ctx->sanitized || select_provider(r, location, asked) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    // The access phase has decided.
    if (!asked.nobody() && (ctx->decision == nullptr || !asked.accepts(*ctx->decision->provider))) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const Provider* provider = asked.nobody() ? nullptr : ctx->decision->provider;
    // Other sites learn nothing, not even by the time that an answer takes: no CORS header is ever
    // sent, and their requests are stopped here.
    if (!is_own_request(r, provider)) {
        JsonObject error;
        error.add("error", "cross_site");
        return send_json(r, NGX_HTTP_FORBIDDEN, error);
    }
    const bool authenticated = provider != nullptr && ctx->authenticated();
    JsonObject json;
    json.add_flag("authenticated", authenticated);
    add_time(json, "now", ngx_time());
    if (provider != nullptr) {
        if (asked.group != nullptr && !authenticated) {
            json.add_null("provider");
        } else {
            json.add("provider", provider->config.name);
        }
        if (authenticated) {
            add_session(json, *ctx->decision, location);
        }
        add_urls(r, *ctx, json, *provider);
    }
    return send_json(r, NGX_HTTP_OK, json);
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
