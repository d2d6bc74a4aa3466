// SPDX-License-Identifier: Apache-2.0
#include "signin/decide.hpp"

#include <algorithm>
#include <optional>

#include "base/debug_log.hpp"
#include "base/ports_ngx.hpp"
#include "oidc/tenants.hpp"
#include "request/own_cookies.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/waiting.hpp"

namespace oidc::ngx {
namespace {

using Find = SessionStore::Find;

// Cookies of the name that counts which are looked up: a browser sends one, and two when a cookie
// of a parent domain, or of another path, stands beside it.
constexpr std::size_t kMaxLooks = 4;

SessionStore::Query query_of(ngx_http_request_t* r, const RequestContext& ctx,
                             const Provider& provider, const Digest& binding,
                             std::string_view cookie_name, std::string_view cookie) noexcept {
    SessionStore::Query query;
    query.pool = r->main->pool;
    query.log = r->connection->log;
    query.binding = &binding;
    query.cookie_name = cookie_name;
    query.cookie = cookie;
    query.presented = ctx.cookies.presented();
    query.refreshes = provider.config.session_refresh;
    return query;
}

// What the cookies of one name have led to.
struct Sessions {
    SessionStore::Found found;
    std::optional<SessionStore::Found> other;  // of another cookie
    std::size_t looks = 0;
    bool any = false;
    bool ambiguous = false;  // two different ones: which is meant cannot be told
    bool waiting = false;
};

Find look_up(RequestContext& ctx, SessionStore& store, const SessionStore::Query& query,
             SessionStore::Found& out) {
    if (ctx.search == nullptr) {
        ctx.search = std::make_unique<SessionSearch>();
    }
    return ctx.search->look(store, query, out);
}

// NGX_OK: `out` says it. All cookies are asked for at once where the store has to ask, and is asked
// when `asks`.
ngx_int_t find_sessions(ngx_http_request_t* r, RequestContext& ctx, const Decision& decision,
                        const Digest& binding, bool asks, Sessions& out) {
    const Provider& provider = *decision.provider;
    SessionStore& store = provider.store->sessions();
    const bool touch = provider.config.session_idle_timeout != 0 && is_use(r, provider);
    for (const CookiePair& cookie : ctx.cookies.presented()) {
        if (cookie.name != *decision.cookie_name || ++out.looks > kMaxLooks) {
            continue;
        }
        SessionStore::Query query =
            query_of(r, ctx, provider, binding, *decision.cookie_name, cookie.value);
        query.touch = touch;
        // Nearly always there is one, which is written where it stays.
        SessionStore::Found& found = out.any ? out.other.emplace() : out.found;
        Find result = store.find(query, found);
        if (result == Find::waiting && asks) {
            result = look_up(ctx, store, query, found);
        }
        switch (result) {
            case Find::missing:
                continue;
            case Find::waiting:
                out.waiting = true;
                continue;
            case Find::unavailable:
                return NGX_HTTP_SERVICE_UNAVAILABLE;
            case Find::failed:
                return NGX_ERROR;
            case Find::found:
                if (!is_admitted(provider.config, found.view)) {
                    found = {};  // nor is its cookie renewed
                    continue;
                }
                break;
        }
        if (out.any) {
            out.ambiguous = out.ambiguous || found.ref.key != out.found.ref.key;
        }
        out.any = true;
    }
    return NGX_OK;
}

const char* outcome_of(ngx_int_t rc, const Sessions& sessions) noexcept {
    if (rc != NGX_OK) {
        return rc == NGX_HTTP_SERVICE_UNAVAILABLE ? "the store is unavailable"
                                                  : "the look-up failed";
    }
    if (sessions.waiting) {
        return "the store is asked";
    }
    if (sessions.ambiguous) {
        return "nobody, two different sessions came";
    }
    if (sessions.any) {
        return "signed in";
    }
    return sessions.looks == 0 ? "nobody, no such cookie came"
                               : "nobody, the cookie names no live session";
}

const char* mode_name(Mode mode) noexcept {
    switch (mode) {
        case Mode::verify:
            return "verify";
        case Mode::off:
            return "off";
        default:
            return "require";
    }
}

void log_decision(ngx_http_request_t* r, const Decision& decision, const char* outcome) noexcept {
    ngx_log_t* log = r->connection->log;
    if (!debugs(log)) {
        return;
    }
    const LocConf& location = loc_conf(r);
    const char* demands = "";
    if (decision.authenticated && location.step_up != nullptr) {
        demands = is_sufficient(decision, location) ? ", its sign-in is sufficient"
                                                    : ", its sign-in is not sufficient";
    }
    debug_log(log, "oidc decision: provider \"%s\", mode %s, cookie \"%s\": %s%s",
              decision.provider->config.name.c_str(), mode_name(location.effective_mode()),
              decision.cookie_name->c_str(), outcome, demands);
}

// Of a request that waits for a decision: woken, or by an event of its connection.
void on_parked(ngx_http_request_t* r) noexcept {
    if (RequestContext* ctx = find_context(r); ctx != nullptr && ctx->search != nullptr) {
        ctx->search->unpark(r);
    }
    if (r == r->main) {
        r->read_event_handler = ngx_http_block_reading;
    }
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

void log_outcome(ngx_http_request_t* r, const Decision& decision, ngx_int_t rc,
                 const Sessions& sessions) noexcept {
    if (debugs(r->connection->log)) {
        log_decision(r, decision, outcome_of(rc, sessions));
    }
}

}  // namespace

bool is_off(const LocConf& location) noexcept {
    return location.effective_mode() == Mode::off;
}

bool is_use(ngx_http_request_t* r, const Provider& provider) noexcept {
    if (loc_conf(r).session_info) {
        return false;
    }
    const std::string_view uri = view(r->uri);
    for (const std::string& prefix : provider.idle_ignore_prefixes) {
        if (uri.starts_with(prefix)) {
            return false;
        }
    }
    return std::none_of(
        provider.idle_ignore_regexes.begin(), provider.idle_ignore_regexes.end(),
        [r](ngx_regex_t* regex) { return ngx_regex_exec(regex, &r->uri, nullptr, 0) >= 0; });
}

ngx_int_t select_provider(ngx_http_request_t* r, const LocConf& location, Asked& out) {
    out = {};
    if (is_off(location)) {
        return NGX_OK;
    }
    if (location.static_provider != nullptr) {
        out.provider = location.static_provider;
        return NGX_OK;
    }
    if (location.static_group != nullptr) {
        out.group = location.static_group;
        return NGX_OK;
    }
    ngx_str_t name{};
    if (ngx_http_complex_value(r, location.provider, &name) != NGX_OK) {
        return NGX_ERROR;
    }
    if (view(name) == "off") {
        return NGX_OK;
    }
    const MainConf& conf = main_conf(r);
    out.provider = conf.find_provider(view(name));
    out.group = out.provider == nullptr ? conf.find_group(view(name)) : nullptr;
    if (out.nobody()) {
        NgxLog(r->connection->log)
            .write(LogLevel::error, "auth_oidc names the unknown provider \"" +
                                        std::string(view(name)) +
                                        "\", only \"off\" switches it off");
        return NGX_ERROR;
    }
    return NGX_OK;
}

namespace {

ngx_int_t decide_one(ngx_http_request_t* r, RequestContext& ctx, Provider& provider, bool asks,
                     Decision*& out) {
    Decision& decision = ctx.decisions.of(provider, session_cookie_name(r, provider));
    out = &decision;
    if (decision.taken) {
        log_decision(r, decision,
                     decision.authenticated ? "signed in, as before" : "nobody, as before");
        return NGX_OK;
    }
    const Digest* binding = binding_of(r, provider);
    if (binding == nullptr) {
        return NGX_ERROR;
    }
    Sessions sessions;
    const ngx_int_t rc = find_sessions(r, ctx, decision, *binding, asks, sessions);
    if (rc != NGX_OK || sessions.waiting) {
        log_outcome(r, decision, rc, sessions);
        return rc != NGX_OK ? rc : NGX_AGAIN;
    }
    if (sessions.ambiguous) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "oidc: the request carries two different sessions, none is used");
    } else if (sessions.any) {
        decision.authenticated = true;
        decision.ref = sessions.found.ref;
        decision.session = sessions.found.view;
        decision.expires = sessions.found.expires;
        if (!sessions.found.renewed.empty()) {
            answer_session_cookie(r, ctx, provider, sessions.found.renewed,
                                  decision.expires - ngx_time());
        }
    }
    decision.taken = true;
    log_outcome(r, decision, rc, sessions);
    if (ctx.search != nullptr) {
        ctx.search->forget(provider.store->sessions(), *binding);
    }
    return NGX_OK;
}

// With one cookie there is one session at most, and whose it is nobody else can say.
bool brings_several(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider) {
    const std::string& name = session_cookie_name(r, provider);
    const auto presented = ctx.cookies.presented();
    return std::count_if(presented.begin(), presented.end(),
                         [&name](const CookiePair& cookie) { return cookie.name == name; }) > 1;
}

// All members once. NGX_OK: `out` is whoever has a session, the first of the group when nobody has.
ngx_int_t decide_members(ngx_http_request_t* r, RequestContext& ctx, const ProviderGroup& group,
                         bool asks, Decision*& out) {
    out = nullptr;
    Decision* none = nullptr;
    ngx_int_t waits = NGX_OK;
    for (Provider* member : group.members) {
        Decision* decision = nullptr;
        const ngx_int_t rc = decide_one(r, ctx, *member, asks, decision);
        if (rc == NGX_AGAIN) {
            waits = rc;  // all are asked at once
            continue;
        }
        if (rc != NGX_OK) {
            return rc;
        }
        none = none == nullptr ? decision : none;
        if (!decision->authenticated) {
            continue;
        }
        if (!brings_several(r, ctx, *member)) {
            out = decision;
            return NGX_OK;
        }
        if (out != nullptr) {
            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "oidc: the request carries two different sessions, none is used");
            out->clear();
            decision->clear();
            forget_session_cookie(r, ctx, *member);  // the members' is one
            out = decision;
            return NGX_OK;
        }
        out = decision;
    }
    if (waits != NGX_OK) {
        return waits;
    }
    out = out != nullptr ? out : none;
    return NGX_OK;
}

}  // namespace

ngx_int_t decide(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                 Decision*& out) noexcept try {
    return decide_one(r, ctx, provider, true, out);
} catch (...) {
    return NGX_ERROR;
}

ngx_int_t decide(ngx_http_request_t* r, RequestContext& ctx, const Asked& asked,
                 Decision*& out) noexcept try {
    if (asked.group == nullptr) {
        return decide_one(r, ctx, *asked.provider, true, out);
    }
    // What one worker knows of the session's own provider answers before the store is asked about
    // the others.
    const ngx_int_t rc = decide_members(r, ctx, *asked.group, false, out);
    return rc == NGX_AGAIN ? decide_members(r, ctx, *asked.group, true, out) : rc;
} catch (...) {
    return NGX_ERROR;
}

ngx_int_t wait_for_decision(ngx_http_request_t* r, RequestContext& ctx) noexcept try {
    if (abandon_at_end(r, ctx) && park_request(r) == NGX_AGAIN) {
        r->write_event_handler = on_parked;
        ctx.search->park(r);
        return NGX_AGAIN;
    }
    abandon(ctx);
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

bool is_sufficient(const Decision& decision, const LocConf& location) noexcept {
    return location.step_up == nullptr ||
           shortfall(decision.session, *location.step_up, ngx_time(),
                     decision.provider->config.clock_skew) == Shortfall::none;
}

std::vector<Digest> presented_keys(ngx_http_request_t* r, const RequestContext& ctx,
                                   const Provider& provider) {
    std::vector<Digest> keys;
    const auto add = [&](const Provider& one) {
        const Digest* binding = binding_of(r, one);
        const std::string& name = session_cookie_name(r, one);
        for (const CookiePair& cookie : ctx.cookies.presented()) {
            Digest key;
            if (binding != nullptr && cookie.name == name &&
                one.store->sessions().key_of(query_of(r, ctx, one, *binding, name, cookie.value),
                                             key) &&
                std::find(keys.begin(), keys.end(), key) == keys.end()) {
                keys.push_back(key);
            }
        }
    };
    add(provider);
    for (const Provider* mate : provider.mates) {
        add(*mate);
    }
    return keys;
}

}  // namespace oidc::ngx
