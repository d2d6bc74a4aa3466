// SPDX-License-Identifier: Apache-2.0
#include "signin/login.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "base/debug_log.hpp"
#include "oidc/encode.hpp"
#include "oidc/flow.hpp"
#include "oidc/former_state.hpp"
#include "oidc/page.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"
#include "request/own_cookies.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "request/trace.hpp"
#include "shm/counters_zone.hpp"
#include "shm/login_zone.hpp"
#include "signin/admission.hpp"
#include "signin/choice.hpp"
#include "signin/decide.hpp"
#include "signin/return_target.hpp"
#include "signin/upgraded.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

// The key that a hexadecimal text names.
std::optional<Digest> read_key(std::string_view hex) {
    Digest key{};
    if (hex.size() != 2 * key.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < key.size(); ++i) {
        u_char digits[2] = {static_cast<u_char>(hex[2 * i]), static_cast<u_char>(hex[2 * i + 1])};
        const ngx_int_t byte = ngx_hextoi(digits, sizeof(digits));
        if (byte == NGX_ERROR) {
            return std::nullopt;
        }
        key[i] = static_cast<std::uint8_t>(byte);
    }
    return key;
}

ngx_int_t follow_login(ngx_http_request_t* r, RequestContext& ctx, std::optional<Step> step);

// True when the outcome is there already.
bool store_session(ngx_http_request_t* r, const RequestContext& ctx, StoreSession step) {
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    const Digest* binding = binding_of(r, provider);
    const std::optional<SessionView> session = SessionView::open(step.record.view());
    if (binding == nullptr || !session) {
        task.outcome.emplace(
            binding == nullptr
                ? fail(Reason::internal_error, "the server has no binding for this provider")
                : fail(Reason::internal_error, "the new session cannot be read"));
        return true;
    }
    SessionStore::NewSession fresh;
    fresh.meta.binding = *binding;
    fresh.meta.expires = step.expires;
    fresh.meta.idle_timeout = step.idle_timeout;
    const std::string_view issuer = issuer_of(provider.config, *session);
    fresh.meta.sid_tag = sid_tag(provider, issuer, session->sid());
    fresh.meta.sub_tag = sub_tag(provider, issuer, session->sub());
    if (ctx.authenticated()) {
        fresh.replaces.push_back(ctx.decision->ref.key);
    }
    if (const std::optional<Digest> former = read_key(step.replaces)) {
        fresh.replaces.push_back(*former);
    }
    if (!provider.mates.empty()) {
        // The cookie is one, so what it names at another provider of the group ends.
        for (const Digest& key : presented_keys(r, ctx, provider)) {
            fresh.replaces.push_back(key);
        }
    }
    fresh.limit = provider.session_limit;
    fresh.id = std::move(step.id);
    fresh.record = std::move(step.record);
    return ask_store(task, provider, task.inserted, [&](auto done) {
        return provider.store->sessions().insert(std::move(fresh), std::move(done));
    });
}

void log_limit(ngx_http_request_t* r, const RequestTask& task, const Secret& record) {
    const std::optional<SessionView> session = SessionView::open(record.view());
    if (task.inserted.ended > 0 && session) {
        NgxLog(r->connection->log)
            .write(LogLevel::info, "session_limit of provider \"" + task.provider->config.name +
                                       "\" ended " + std::to_string(task.inserted.ended) +
                                       " older sessions of \"" + std::string(session->username()) +
                                       "\"");
    }
}

Respond login_answer(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider,
                     const StartLogin& step) {
    counters(r).count_redirect();
    const ProviderConfig& config = provider.config;
    const bool https = public_https(r, &provider);
    const Endpoint* endpoint = find_endpoint(r);
    const bool initiated = endpoint != nullptr && (endpoint->kind == Endpoint::Kind::initiation ||
                                                   endpoint->kind == Endpoint::Kind::choice);
    // The fragment of a link that begins a login is none of the page that it leads to.
    const bool keep_fragment = config.preserve_fragment && r->method == NGX_HTTP_GET && !initiated;
    const auto name_of = [&](std::string_view name) {
        return login_cookie_name(provider, name, https);
    };
    const auto attributes_of = [&](std::string_view name) {
        return login_cookie_attributes(provider, name, https);
    };
    Respond answer;
    if (keep_fragment) {
        const std::string name = name_of(step.fragment_cookie_name);
        answer = fragment_page(step.authorization_url, name, attributes_of(name), page_language(r));
    } else {
        answer = redirect(initiated ? NGX_HTTP_SEE_OTHER : NGX_HTTP_MOVED_TEMPORARILY,
                          step.authorization_url);
    }
    for (const std::string& name : former_to_drop(ctx.cookies.pending)) {
        answer.headers.push_back({"Set-Cookie", delete_cookie(name, attributes_of(name))});
    }
    const auto set = [&](std::string_view bare, std::string_view value) {
        const std::string name = name_of(bare);
        answer.headers.push_back(
            {"Set-Cookie", set_cookie(name, value, attributes_of(name), config.pre_auth_timeout)});
    };
    set(step.cookie_name, step.cookie_value);
    if (!step.target_cookie_value.empty()) {
        set(kTargetCookie, step.target_cookie_value);
    }
    return answer;
}

void set_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done) {
    const Provider& provider = *ctx.task->provider;
    const std::optional<SessionView> session = SessionView::open(done.record.view());
    // A subject is one of its issuer.
    const bool same_user = ctx.authenticated() && session &&
                           ctx.decision->session.sub() == session->sub() &&
                           ctx.decision->session.claim("iss") == session->claim("iss");
    if (!same_user) {
        answer_clear_cookies(ctx, provider, public_https(r, &provider));
    }
    answer_session_cookie(r, ctx, provider, ctx.task->inserted.cookie.view(),
                          done.expires - ngx_time());
}

// `callback forward`: the very request goes on to the backend, now with its session.
ngx_int_t forward_callback(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done,
                           std::string_view return_to) {
    Provider& provider = *ctx.task->provider;
    const std::string& start_again = ctx.task->start_again;
    const ngx_str_t record = copy_to_pool(r->pool, done.record.view());
    ctx.answer.return_to = copy_to_pool(r->pool, return_to);
    if (record.data == nullptr || ctx.answer.return_to.data == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const std::optional<SessionView> session = SessionView::open(view(record));
    if (!session) {
        return refuse(r, ctx, &provider,
                      fail(Reason::internal_error, "the new session cannot be read"), start_again);
    }
    if (const LoginDemand* demand = loc_conf(r).step_up) {
        // The page that the login was for may ask for less than the callback's location.
        const Seconds now = ngx_time();
        const Shortfall lacks = shortfall(*session, *demand, now, provider.config.clock_skew);
        if (lacks != Shortfall::none) {
            return refuse(r, ctx, &provider, shortfall_error(lacks, *session, *demand, now),
                          start_again);
        }
    }
    Decision& decision = ctx.decisions.of(provider, session_cookie_name(r, provider));
    decision.clear();
    decision.taken = true;
    decision.authenticated = true;
    decision.ref = ctx.task->inserted.ref;
    decision.session = *session;
    decision.expires = done.expires;
    ctx.decision = &decision;
    ctx.insufficient = false;
    ctx.answer.forwarded_callback = true;
    return admit(r, ctx);
}

ngx_int_t logged_in(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done) {
    const Provider& provider = *ctx.task->provider;
    ctx.task->used_state.keep();
    counters(r).count_login();
    look_at_upgraded();  // those of the session that this one replaces, or of the limit
    log_limit(r, *ctx.task, done.record);
    set_session_cookie(r, ctx, done);
    remember_choice(r, ctx, provider);
    std::string target = done.return_to;
    if (target.find('#') == std::string::npos) {
        target.append(ctx.task->fragment);
    }
    if (provider.config.callback_forward) {
        return forward_callback(r, ctx, done, target);
    }
    return send_onward(r, ctx, provider, target);
}

// What happens to the other tabs of a browser that has signed in in one of them: the provider has
// ended their logins, or takes their code for used.
bool is_overtakable(Reason reason) noexcept {
    return reason == Reason::idp_error || reason == Reason::access_denied ||
           reason == Reason::token_error || reason == Reason::code_refused;
}

// Where the login began, with the fragment that its cookie has kept.
std::string deep_link(const RequestTask& task) {
    std::string target = task.start_again;
    if (target.find('#') == std::string::npos) {
        target.append(task.fragment);
    }
    return target;
}

ngx_int_t go_on_signed_in(ngx_http_request_t* r, const RequestContext& ctx, const Error& error) {
    const RequestTask& task = *ctx.task;
    NgxLog(r->connection->log)
        .write(LogLevel::info, "a login at provider \"" + task.provider->config.name +
                                   "\" is not needed any more, the browser is signed in: " +
                                   std::string(reason_info(error.reason).code) + ": " +
                                   error.detail);
    return send_onward(r, ctx, *task.provider, deep_link(task));
}

ngx_int_t renew_login(ngx_http_request_t* r, RequestContext& ctx, const RenewLogin& renew);

// A step that the flow's runner leaves to the login.
ngx_int_t on_step(ngx_http_request_t* r, RequestContext& ctx, Step step) {
    RequestTask& task = *ctx.task;
    if (auto* session = std::get_if<StoreSession>(&step)) {
        const bool ready = store_session(r, ctx, std::move(*session));
        return when_ready(r, ctx, ready, [r, &ctx](Event event) {
            return follow_login(r, ctx, ctx.task->flow->resume(std::move(event)));
        });
    }
    task.flow.reset();
    if (const auto* login = std::get_if<StartLogin>(&step)) {
        return send_respond(r, login_answer(r, ctx, *task.provider, *login));
    }
    if (const auto* done = std::get_if<LoggedIn>(&step)) {
        return logged_in(r, ctx, *done);
    }
    const Error* failed = step_error(step);
    const Error error =
        failed != nullptr ? *failed : fail(Reason::internal_error, "the flow ended nowhere");
    // Somebody without an account could fill the table with codes of his own making, and a response
    // that has signed somebody in would be forgotten.
    if (error.unanswered) {
        task.used_state.keep();  // the code may have reached the provider, and never goes again
    } else {
        task.used_state.give_back();
    }
    const bool renewable = std::holds_alternative<RenewLogin>(step);
    if (task.overtaken && (renewable || is_overtakable(error.reason))) {
        return go_on_signed_in(r, ctx, error);
    }
    if (const auto* renew = std::get_if<RenewLogin>(&step)) {
        return renew_login(r, ctx, *renew);
    }
    return refuse(r, ctx, task.provider, error, task.start_again);
}

ngx_int_t follow_login(ngx_http_request_t* r, RequestContext& ctx, std::optional<Step> step) {
    return follow_flow(r, ctx, std::move(step),
                       [r, &ctx](Step next) { return on_step(r, ctx, std::move(next)); });
}

bool read_parameters(ngx_http_request_t* r, const Provider& provider, AuthzParameters& out) {
    return evaluate(r, provider.prompt, out.prompt) &&
           evaluate(r, provider.login_hint, out.login_hint) &&
           evaluate(r, provider.ui_locales, out.ui_locales) &&
           evaluate(r, provider.claims, out.claims) &&
           evaluate(r, provider.extra_auth_args, out.extra_auth_args);
}

// The key of the session that the browser has or had, for the new one to replace.
std::string former_session_key(ngx_http_request_t* r, RequestContext& ctx,
                               const Provider& provider) {
    const std::vector<Digest> keys = presented_keys(r, ctx, provider);
    return keys.empty() ? std::string() : hex_encode(keys.front());
}

// Makes the flow of a new login. Errors: why it cannot start.
// `renewed` null: of a request for a page. `login_hint` empty: the configured one.
Status make_login(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                  std::string return_to, const RenewLogin* renewed, std::unique_ptr<Flow>& out,
                  bool at_once = false, std::string_view login_hint = {}) {
    const Digest* binding = binding_of(r, provider);
    const MetadataCache* cache = MetadataCache::worker();
    LoginFlow::Input input;
    if (binding == nullptr || cache == nullptr || !read_parameters(r, provider, input.parameters)) {
        return fail(Reason::internal_error, "the parameters of the login cannot be computed");
    }
    if (!login_hint.empty()) {
        input.parameters.login_hint = login_hint;
    }
    if (has_control_bytes(input.parameters.extra_auth_args)) {
        return fail(Reason::internal_error, "extra_auth_args has control bytes", "extra_auth_args");
    }
    Status extra = check_extra_auth_args(input.parameters.extra_auth_args);
    if (!extra) {
        return extra;
    }
    input.redirect_uri = provider.redirect_origin.empty()
                             ? own_url(r, provider, provider.callback_path)
                             : provider.redirect_uri;
    if (input.redirect_uri.empty()) {
        return fail(Reason::internal_error, "the public origin cannot be computed");
    }
    input.return_to = std::move(return_to);
    input.host = login_host(r, provider);
    input.at_once = at_once;
    if (renewed != nullptr) {
        input.demand = renewed->demand;
        input.renewed = true;
        input.host = ctx.task->begun_at;
    } else if (const LoginDemand* demand = loc_conf(r).step_up) {
        input.demand = *demand;
    }
    input.serial = LoginZone::of(*main_conf(r).login_zone)->next_login();
    input.slot = choose_slot(usable_pending(ctx, provider, public_https(r, &provider)),
                             input.serial, ngx_time());
    input.session_key = former_session_key(r, ctx, provider);
    input.binding = *binding;
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::login, provider);
    task.start_again = input.return_to;
    task.flow = std::make_unique<FlowRunner>("login", provider, r->connection->log, task);
    task.flow->set_trace(trace_of(r, provider));
    out = std::make_unique<LoginFlow>(provider.config, pending_aead(provider, *cache),
                                      task.flow->ports(), std::move(input));
    return Unit{};
}

ngx_int_t renew_login(ngx_http_request_t* r, RequestContext& ctx, const RenewLogin& renew) {
    Provider& provider = *ctx.task->provider;
    NgxLog(r->connection->log)
        .write(LogLevel::info, "a login at provider \"" + provider.config.name +
                                   "\" begins anew by itself, once: " +
                                   std::string(reason_info(renew.error.reason).code) + ": " +
                                   renew.error.detail);
    std::unique_ptr<Flow> flow;
    const Status made = make_login(r, ctx, provider, deep_link(*ctx.task), &renew, flow);
    if (!made) {
        return refuse(r, ctx, &provider, made.error(), {});
    }
    return follow_login(r, ctx, ctx.task->flow->start(std::move(flow)));
}

}  // namespace

const Aead& pending_aead(const Provider& provider, const MetadataCache& cache) noexcept {
    return provider.store->pending_aead != nullptr ? *provider.store->pending_aead
                                                   : cache.pending_aead();
}

ngx_int_t begin_login(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      std::string return_to, std::string_view login_hint) {
    std::unique_ptr<Flow> flow;
    const Status made =
        make_login(r, ctx, provider, std::move(return_to), nullptr, flow, false, login_hint);
    if (!made) {
        return refuse(r, ctx, &provider, made.error(), {});
    }
    return follow_login(r, ctx, ctx.task->flow->start(std::move(flow)));
}

bool login_answer_at_once(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                          std::string return_to, Respond& out) {
    std::unique_ptr<Flow> flow;
    if (!make_login(r, ctx, provider, std::move(return_to), nullptr, flow, true)) {
        return false;
    }
    const std::optional<Step> step = ctx.task->flow->start(std::move(flow));
    ctx.task.reset();
    const auto* login = step ? std::get_if<StartLogin>(&*step) : nullptr;
    if (login == nullptr) {
        return false;
    }
    out = login_answer(r, ctx, provider, *login);
    return true;
}

ngx_int_t begin_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                         PendingLogin login, AuthzResponse response) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::callback, provider);
    task.flow = std::make_unique<FlowRunner>("callback", provider, r->connection->log, task);
    task.flow->set_trace(trace_of(r, provider));
    auto flow = std::make_unique<CallbackFlow>(provider.config, task.flow->ports(),
                                               std::move(login), std::move(response));
    return follow_login(r, ctx, task.flow->start(std::move(flow)));
}

}  // namespace oidc::ngx
