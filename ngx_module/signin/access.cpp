// Who may pass. The authenticated path is decide() and admit(): cookie, hash, look-up, headers.
#include "signin/access.hpp"

#include <algorithm>
#include <exception>

#include "oidc/encode.hpp"
#include "oidc/page.hpp"
#include "oidc/refresh_flow.hpp"
#include "oidc/uri.hpp"
#include "request/cookies_in.hpp"
#include "request/identity_headers.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "request/sanitize.hpp"
#include "shm/counters_zone.hpp"
#include "signin/login.hpp"
#include "signin/logout.hpp"
#include "signin/logout_hook.hpp"
#include "signin/refresher.hpp"

namespace oidc::ngx {
namespace {

// False for requests that must not keep a session alive (session_idle_ignore,
// oidc_session_info).
bool keeps_alive(ngx_http_request_t* r, const Provider& provider) noexcept {
    if (provider.config.session_idle_timeout == 0 || loc_conf(r).session_info) {
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

bool is_off(const LocConf& location) noexcept {
    return location.effective_mode() == Mode::off || location.provider_off == 1;
}

// `out` null: no authentication here.
ngx_int_t pick_provider(ngx_http_request_t* r, const LocConf& location, Provider*& out) {
    out = nullptr;
    if (is_off(location)) {
        return NGX_OK;
    }
    if (location.static_provider != nullptr) {
        out = location.static_provider;
        return NGX_OK;
    }
    ngx_str_t name{};
    if (ngx_http_complex_value(r, location.provider, &name) != NGX_OK) {
        return NGX_ERROR;
    }
    if (name.len == 0 || view(name) == "off") {
        return NGX_OK;
    }
    out = main_conf(r).find_provider(view(name));
    if (out == nullptr) {
        NgxLog(r->connection->log)
            .write(LogLevel::error,
                   "auth_oidc names the unknown provider \"" + std::string(view(name)) + "\"");
        return NGX_ERROR;
    }
    return NGX_OK;
}

// NGX_OK, or the status that the first unmet auth_oidc_require asks for; NGX_ERROR.
ngx_int_t check_requirements(ngx_http_request_t* r, const LocConf& location) {
    for (const LocConf::Require& require : location.require) {
        for (ngx_http_complex_value_t* expression : require.values) {
            ngx_str_t value{};
            if (ngx_http_complex_value(r, expression, &value) != NGX_OK) {
                return NGX_ERROR;
            }
            if (value.len == 0 || view(value) == "0") {
                return static_cast<ngx_int_t>(require.status);
            }
        }
    }
    return NGX_OK;
}

// NGX_OK: met.
ngx_int_t enforce_requirements(ngx_http_request_t* r, RequestContext& ctx,
                               const LocConf& location) {
    const ngx_int_t rc = check_requirements(r, location);
    if (rc == NGX_OK) {
        return NGX_OK;
    }
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const std::string_view user = ctx.authenticated ? ctx.session.username() : "nobody";
    return refuse(
        r, ctx, ctx.provider,
        fail(Reason::not_permitted,
             "auth_oidc_require is not met for \"" + std::string(user) + "\"", "auth_oidc_require"),
        {}, static_cast<int>(rc));
}

// Our own refusal is being answered by an error_page that is protected itself: neither a login nor
// a second error page.
ngx_int_t plain_refusal(ngx_http_request_t* r) noexcept {
    r->error_page = 1;
    return r->err_status >= NGX_HTTP_BAD_REQUEST ? static_cast<ngx_int_t>(r->err_status)
                                                 : NGX_HTTP_UNAUTHORIZED;
}

bool is_endpoint_path(ngx_http_request_t* r, const Provider& provider, std::string_view path) {
    const SrvConf& server = srv_conf(r);
    return path == provider.config.post_logout_uri ||
           std::any_of(server.endpoints.begin(), server.endpoints.end(),
                       [path](const Endpoint& endpoint) { return path == endpoint.path; });
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find_first_of("?#"));
}

// The page behind `callback forward` signs in again with ?return_to=...
std::string asked_return_to(ngx_http_request_t* r, const Provider& provider) {
    int count = 0;
    const auto argument = query_argument(view(r->args), "return_to", &count);
    if (!argument || count != 1) {
        return "/";
    }
    const std::optional<std::string> target = percent_decode(*argument, true);
    if (!target || !is_safe_return_target(*target) ||
        is_endpoint_path(r, provider, path_of(*target))) {
        return "/";
    }
    return *target;
}

// What the handler returns when decide() said something else than NGX_OK.
ngx_int_t undecided(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                    ngx_int_t rc) {
    if (rc == NGX_AGAIN) {
        return wait_for_outcome(r, ctx);
    }
    if (rc == NGX_HTTP_SERVICE_UNAVAILABLE) {
        clear_identity(r, ctx);
        return refuse(r, ctx, &provider,
                      fail(Reason::store_unavailable,
                           "the session store \"" + provider.store->name + "\" does not answer",
                           "oidc_session_store"),
                      {});
    }
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

SessionStore::Query query_of(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                             const Digest& binding, std::string_view cookie) {
    SessionStore::Query query;
    query.pool = r->pool;
    query.log = r->connection->log;
    query.binding = &binding;
    query.cookie_name = session_cookie_name(r, provider);
    query.cookie = cookie;
    query.presented = ctx.presented();
    query.refreshes = provider.config.session_refresh;
    return query;
}

SessionStore::Find read_answer(const LookedUp& asked, SessionStore::Found& out) {
    if (!asked.answer) {
        return SessionStore::Find::waiting;
    }
    if (!*asked.answer) {
        return asked.answer->error().reason == Reason::store_unavailable
                   ? SessionStore::Find::unavailable
                   : SessionStore::Find::failed;
    }
    if (!**asked.answer) {
        return SessionStore::Find::missing;
    }
    out = ***asked.answer;
    return SessionStore::Find::found;
}

// Asks the store once in the life of the request.
SessionStore::Find find_or_ask(ngx_http_request_t* r, RequestContext& ctx, SessionStore& store,
                               const SessionStore::Query& query, SessionStore::Found& out) try {
    const auto known =
        std::find_if(ctx.looked_up.begin(), ctx.looked_up.end(), [&](const auto& one) {
            return one->store == &store && one->binding == *query.binding &&
                   one->cookie == query.cookie;
        });
    if (known != ctx.looked_up.end()) {
        return read_answer(**known, out);
    }
    const SessionStore::Find found = store.find(query, out);
    if (found != SessionStore::Find::waiting) {
        return found;
    }
    LookedUp& asked = *ctx.looked_up.emplace_back(std::make_unique<LookedUp>());
    asked.store = &store;
    asked.binding = *query.binding;
    asked.cookie = query.cookie;
    ctx.asking = true;
    const SessionStore::Ticket ticket = store.ask(query, [r = r->main, &ctx, &asked](auto answer) {
        asked.ticket = 0;
        asked.answer.emplace(std::move(answer));
        if (!ctx.asking) {
            resume_request(r, ctx);
        }
    });
    ctx.asking = false;
    if (!asked.answer) {
        asked.ticket = ticket;
    }
    return read_answer(asked, out);
} catch (...) {
    return SessionStore::Find::failed;
}

ngx_int_t judge(ngx_http_request_t* r, RequestContext& ctx) {
    ctx.insufficient = false;
    if (const Endpoint* endpoint = find_endpoint(r)) {
        if (endpoint->kind != Endpoint::Kind::backchannel) {
            const ngx_int_t rc = decide(r, ctx, *endpoint->provider);
            if (rc != NGX_OK) {
                return undecided(r, ctx, *endpoint->provider, rc);
            }
        }
        switch (endpoint->kind) {
            case Endpoint::Kind::logout:
                return handle_logout(r, ctx, *endpoint->provider);
            case Endpoint::Kind::frontchannel:
                return handle_frontchannel(r, ctx, *endpoint->provider);
            case Endpoint::Kind::backchannel:
                return handle_backchannel(r, ctx, *endpoint->provider);
            case Endpoint::Kind::callback:
                break;
        }
        const ngx_int_t rc = handle_callback(r, ctx, *endpoint->provider);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }
    const LocConf& location = loc_conf(r);
    Provider* provider = nullptr;
    if (pick_provider(r, location, provider) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (provider == nullptr) {
        clear_identity(r, ctx);
        return NGX_DECLINED;
    }
    if (const ngx_int_t rc = decide(r, ctx, *provider); rc != NGX_OK) {
        return undecided(r, ctx, *provider, rc);
    }
    if (location.session_info) {
        clear_identity(r, ctx);
        return NGX_DECLINED;
    }
    ctx.insufficient = ctx.authenticated && !is_sufficient(ctx, location);
    if (ctx.authenticated && !ctx.insufficient) {
        if (provider->config.session_refresh &&
            refresh_due(ctx.session, ngx_time(), provider->config)) {
            if (Refresher* refresher = Refresher::worker()) {
                refresher->begin(r, ctx);
            }
        }
        return admit(r, ctx);
    }
    clear_identity(r, ctx);
    if (location.effective_mode() == Mode::verify) {
        const ngx_int_t rc = enforce_requirements(r, ctx, location);
        // Not NGX_OK: under `satisfy any` that would let everyone in.
        return rc == NGX_OK ? NGX_DECLINED : rc;
    }
    return challenge(r, ctx, *provider);
}

}  // namespace

ngx_int_t select_provider(ngx_http_request_t* r, const LocConf& location, Provider*& out) {
    return pick_provider(r, location, out);
}

const Endpoint* find_endpoint(ngx_http_request_t* r) noexcept {
    if (r->internal) {
        return nullptr;
    }
    const std::string_view uri = view(r->uri);
    for (const Endpoint& endpoint : srv_conf(r).endpoints) {
        if (uri == endpoint.path) {
            return &endpoint;
        }
    }
    return nullptr;
}

const std::string& session_cookie_name(ngx_http_request_t* r, const Provider& provider) noexcept {
    return public_https(r, &provider) ? provider.session_cookie_https
                                      : provider.session_cookie_http;
}

std::vector<Digest> presented_keys(ngx_http_request_t* r, RequestContext& ctx,
                                   const Provider& provider) {
    std::vector<Digest> keys;
    const Digest* binding = binding_of(r, provider);
    const std::string_view name = session_cookie_name(r, provider);
    for (std::size_t i = 0; binding != nullptr && i < ctx.session_cookie_count; ++i) {
        Digest key;
        if (ctx.session_cookies[i].name == name &&
            provider.store->sessions().key_of(
                query_of(r, ctx, provider, *binding, ctx.session_cookies[i].value), key)) {
            keys.push_back(key);
        }
    }
    return keys;
}

ngx_int_t decide(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) noexcept {
    if (ctx.decided && ctx.provider == &provider) {
        return NGX_OK;
    }
    ctx.decided = false;
    ctx.authenticated = false;
    ctx.provider = &provider;
    ctx.session = {};
    ctx.assertion = {0, nullptr};
    const Digest* binding = binding_of(r, provider);
    if (binding == nullptr) {
        return NGX_ERROR;
    }
    const std::string_view name = session_cookie_name(r, provider);
    SessionStore& store = provider.store->sessions();
    bool ambiguous = false;
    std::string renewed;
    for (std::size_t i = 0; i < ctx.session_cookie_count; ++i) {
        if (ctx.session_cookies[i].name != name) {
            continue;
        }
        SessionStore::Found found;
        SessionStore::Query query =
            query_of(r, ctx, provider, *binding, ctx.session_cookies[i].value);
        query.touch = keeps_alive(r, provider);
        switch (find_or_ask(r, ctx, store, query, found)) {
            case SessionStore::Find::missing:
                continue;
            case SessionStore::Find::found:
                break;
            case SessionStore::Find::waiting:
                return NGX_AGAIN;
            case SessionStore::Find::unavailable:
                return NGX_HTTP_SERVICE_UNAVAILABLE;
            case SessionStore::Find::failed:
                return NGX_ERROR;
        }
        if (ctx.authenticated && found.ref.key == ctx.session_ref.key) {
            continue;
        }
        ambiguous = ambiguous || ctx.authenticated;
        ctx.authenticated = true;
        ctx.session = found.view;
        ctx.session_ref = found.ref;
        ctx.session_expires = found.expires;
        renewed = std::move(found.renewed);
    }
    if (ambiguous) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "oidc: the request carries two different sessions, none is used");
        ctx.authenticated = false;
        ctx.session = {};
    } else if (!renewed.empty()) {
        try {
            answer_session_cookie(r, ctx, provider, renewed, ctx.session_expires - ngx_time());
        } catch (...) {
            return NGX_ERROR;
        }
    }
    ctx.decided = true;
    return NGX_OK;
}

bool is_sufficient(const RequestContext& ctx, const LocConf& location) noexcept {
    return location.step_up == nullptr ||
           shortfall(ctx.session, *location.step_up, ngx_time(), ctx.provider->config.clock_skew) ==
               Shortfall::none;
}

ngx_int_t admit(ngx_http_request_t* r, RequestContext& ctx) {
    const LocConf& location = loc_conf(r);
    const bool off = is_off(location);  // a callback may stand there
    if (!off && !location.require.empty()) {
        const ngx_int_t rc = enforce_requirements(r, ctx, location);
        if (rc != NGX_OK) {
            return rc;
        }
    }
    if (set_identity(r, ctx, location, !ctx.foreign_callback && !off) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return location.effective_mode() == Mode::verify ? NGX_DECLINED : NGX_OK;
}

ngx_int_t challenge(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    if (ctx.error_code != nullptr && r->internal) {
        return plain_refusal(r);
    }
    if (satisfy_any(r)) {
        // Another module may still grant; the header filter answers when none does.
        ctx.late_challenge = true;
        return NGX_HTTP_UNAUTHORIZED;
    }
    counters(r).count_challenge();
    RequestFacts facts = request_facts(r);
    facts.get = facts.get || facts.head;  // the same decision for both
    if (should_redirect(static_cast<Unauthorized>(loc_conf(r).unauthorized), facts)) {
        return begin_login(r, ctx, provider, return_target(r, provider));
    }
    Respond answer = unauthorized(r, ctx, provider);
    if (has_error_page(r, NGX_HTTP_UNAUTHORIZED)) {
        return NGX_HTTP_UNAUTHORIZED;
    }
    return send_respond(r, answer);
}

Respond unauthorized(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider) {
    const LoginDemand* demand = loc_conf(r).step_up;
    if (ctx.insufficient && demand != nullptr) {
        ctx.error_code = reason_info(Reason::insufficient_user_authentication).code.data();
        return insufficient_authentication(strictest(provider.config, *demand));
    }
    ctx.error_code = reason_info(Reason::login_required).code.data();
    return login_required(login_url(r, provider));
}

std::string login_url(ngx_http_request_t* r, const Provider& provider) {
    return own_url(
        r, provider,
        provider.config.callback_forward ? std::string_view(provider.callback_path) : "/");
}

std::string return_target(ngx_http_request_t* r, const Provider& provider) {
    const Endpoint* endpoint = find_endpoint(r);
    if (endpoint != nullptr && endpoint->kind == Endpoint::Kind::callback &&
        provider.config.callback_forward) {
        return asked_return_to(r, provider);
    }
    // No browser sends a fragment; what came after "#" is not part of a request.
    std::string_view target = view(r->unparsed_uri);
    target = target.substr(0, target.find('#'));
    if (endpoint != nullptr || is_endpoint_path(r, provider, path_of(target)) ||
        !is_safe_return_target(target)) {
        return "/";
    }
    return std::string(target);
}

ngx_int_t access_handler(ngx_http_request_t* r) noexcept {
    RequestContext* ctx = nullptr;
    try {
        if (!srv_conf(r).uses_oidc) {
            return NGX_DECLINED;
        }
        ctx = find_context(r);
        if (ctx == nullptr || !ctx->sanitized) {
            // A request that nginx refused early is answered by an error_page and comes here
            // without the first phase.
            const ngx_int_t rc = sanitize_handler(r);
            ctx = find_context(r);
            if (rc != NGX_DECLINED || ctx == nullptr) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
        if (ctx->waiting) {
            return NGX_AGAIN;
        }
        if (ctx->outcome) {
            return continue_task(r, *ctx);
        }
        return judge(r, *ctx);
    } catch (const std::exception& e) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0, "oidc: access denied after \"%s\"",
                      e.what());
    } catch (...) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "oidc: access denied after an exception");
    }
    if (ctx != nullptr) {
        abandon(*ctx);
    }
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t subrequest_handler(ngx_http_request_t* r) noexcept try {
    if (r == r->main || !srv_conf(r).uses_oidc) {
        return NGX_DECLINED;
    }
    const LocConf& location = loc_conf(r);
    Provider* provider = nullptr;
    if (pick_provider(r, location, provider) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    RequestContext* ctx = find_context(r);
    if (ctx != nullptr && ctx->hook == r) {
        const bool forward = provider != nullptr && ctx->authenticated &&
                             ctx->provider == provider && is_sufficient(*ctx, location);
        if (give_hook_identity(r, *ctx, forward) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    if (provider == nullptr || location.effective_mode() != Mode::require) {
        return NGX_DECLINED;
    }
    if (ctx != nullptr && ctx->sanitized && !ctx->decided) {
        const ngx_int_t rc = decide(r, *ctx, *provider);
        if (rc == NGX_AGAIN) {
            return wait_for_outcome(r, *ctx);
        }
        if (rc != NGX_OK) {
            return rc == NGX_HTTP_SERVICE_UNAVAILABLE ? rc : NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    const bool authenticated =
        ctx != nullptr && ctx->decided && ctx->authenticated && ctx->provider == provider;
    if (authenticated && is_sufficient(*ctx, location)) {
        return NGX_DECLINED;
    }
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "oidc: subrequest to the protected \"%V\" is refused, its main request has no "
                  "session there%s",
                  &r->uri, authenticated ? " that is sufficient" : "");
    return NGX_HTTP_FORBIDDEN;
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
