#include "signin/login.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "oidc/backchannel_flow.hpp"
#include "oidc/encode.hpp"
#include "oidc/page.hpp"
#include "oidc/text.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/access.hpp"
#include "signin/logout.hpp"
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

// True when the outcome is there already.
bool store_session(ngx_http_request_t* r, RequestContext& ctx, StoreSession step) {
    const Provider& provider = *ctx.provider;
    const Digest* binding = binding_of(r, provider);
    const std::optional<SessionView> session = SessionView::open(step.record.view());
    if (binding == nullptr || !session) {
        ctx.outcome = std::make_unique<Event>(
            binding == nullptr
                ? fail(Reason::internal_error, "the server has no binding for this provider")
                : fail(Reason::internal_error, "the new session cannot be read"));
        return true;
    }
    SessionStore::NewSession fresh;
    fresh.meta.binding = *binding;
    fresh.meta.expires = step.expires;
    fresh.meta.idle_timeout = step.idle_timeout;
    fresh.meta.sid_tag = sid_tag(provider, session->sid());
    fresh.meta.sub_tag = sub_tag(provider, session->sub());
    if (ctx.authenticated) {
        fresh.replaces.push_back(ctx.session_ref.key);
    }
    if (const std::optional<Digest> former = read_key(step.replaces)) {
        fresh.replaces.push_back(*former);
    }
    fresh.limit = provider.session_limit;
    fresh.id = std::move(step.id);
    fresh.record = std::move(step.record);
    return ask_store(r, ctx, ctx.inserted, [&](auto done) {
        return provider.store->sessions().insert(std::move(fresh), std::move(done));
    });
}

void log_limit(ngx_http_request_t* r, const RequestContext& ctx, const Secret& record) {
    const std::optional<SessionView> session = SessionView::open(record.view());
    if (ctx.inserted.ended > 0 && session) {
        NgxLog(r->connection->log)
            .write(LogLevel::info, "session_limit of provider \"" + ctx.provider->config.name +
                                       "\" ended " + std::to_string(ctx.inserted.ended) +
                                       " older sessions of \"" + std::string(session->username()) +
                                       "\"");
    }
}

void expire_clear_cookies(RequestContext& ctx, bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    for (const std::string& name : ctx.provider->config.clear_cookies) {
        ctx.set_cookies.push_back(delete_cookie(name, attributes));
    }
}

Respond login_answer(ngx_http_request_t* r, RequestContext& ctx, const StartLogin& step) {
    counters(r).count_redirect();
    const ProviderConfig& config = ctx.provider->config;
    const bool https = public_https(r, ctx.provider);
    Respond answer = config.preserve_fragment && r->method == NGX_HTTP_GET
                         ? fragment_page(step.authorization_url,
                                         login_cookie_name(step.fragment_cookie_name, https), https)
                         : redirect(NGX_HTTP_MOVED_TEMPORARILY, step.authorization_url);
    for (const std::string& name : pending_to_drop(ctx.pending)) {
        answer.headers.push_back(
            {"Set-Cookie", delete_cookie(name, login_cookie_attributes(https))});
    }
    answer.headers.push_back(
        {"Set-Cookie",
         set_cookie(login_cookie_name(step.cookie_name, https), step.cookie_value,
                    login_cookie_attributes(https), static_cast<long>(config.pre_auth_timeout))});
    return answer;
}

void set_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done) {
    const Provider& provider = *ctx.provider;
    const bool https = public_https(r, &provider);
    const bool same_user = ctx.authenticated && ctx.session.sub() == done.sub;
    if (!same_user) {
        expire_clear_cookies(ctx, https);
    }
    answer_session_cookie(r, ctx, provider, ctx.inserted.cookie.view(), done.expires - ngx_time());
}

// `callback forward`: the very request goes on to the backend, now with its session.
ngx_int_t forward_callback(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done,
                           std::string_view return_to) {
    const ngx_str_t record = copy_to_pool(r->pool, done.record.view());
    ctx.return_to = copy_to_pool(r->pool, return_to);
    if (record.data == nullptr || ctx.return_to.data == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const std::optional<SessionView> session = SessionView::open(view(record));
    if (!session) {
        return refuse(r, ctx, ctx.provider,
                      fail(Reason::internal_error, "the new session cannot be read"),
                      ctx.start_again);
    }
    if (const LoginDemand* demand = loc_conf(r).step_up) {
        // The page that the login was for may ask for less than the callback's location.
        const Seconds now = ngx_time();
        const Shortfall lacks = shortfall(*session, *demand, now, ctx.provider->config.clock_skew);
        if (lacks != Shortfall::none) {
            return refuse(r, ctx, ctx.provider, shortfall_error(lacks, *session, *demand, now),
                          ctx.start_again);
        }
    }
    ctx.session = *session;
    ctx.session_ref = ctx.inserted.ref;
    ctx.session_expires = done.expires;
    ctx.authenticated = true;
    ctx.decided = true;
    ctx.forwarded_callback = true;
    return admit(r, ctx);
}

ngx_int_t logged_in(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done) {
    counters(r).count_login();
    look_at_upgraded();  // those of the session that this one replaces, or of the limit
    log_limit(r, ctx, done.record);
    set_session_cookie(r, ctx, done);
    std::string target = done.return_to;
    if (target.find('#') == std::string::npos) {
        target.append(ctx.fragment);
    }
    if (ctx.provider->config.callback_forward) {
        return forward_callback(r, ctx, done, target);
    }
    return send_redirect(r, NGX_HTTP_SEE_OTHER, own_url(r, *ctx.provider, target));
}

// Follows a flow until it waits or ends.
ngx_int_t run(ngx_http_request_t* r, RequestContext& ctx, Step step) {
    for (;;) {
        if (auto* need = std::get_if<NeedProvider>(&step)) {
            if (!ask_provider(r, ctx, need->newer_than)) {
                return wait_for_outcome(r, ctx);
            }
        } else if (auto* fetch = std::get_if<Fetch>(&step)) {
            if (!start_fetch(r, ctx, std::move(fetch->request))) {
                return wait_for_outcome(r, ctx);
            }
        } else if (auto* session = std::get_if<StoreSession>(&step)) {
            if (!store_session(r, ctx, std::move(*session))) {
                return wait_for_outcome(r, ctx);
            }
        } else {
            break;
        }
        step = ctx.flow->resume(take_outcome(ctx));
    }
    ctx.flow.reset();
    const auto task = std::exchange(ctx.task, RequestContext::Task::none);
    if (const auto* login = std::get_if<StartLogin>(&step)) {
        return send_respond(r, login_answer(r, ctx, *login));
    }
    if (const auto* done = std::get_if<LoggedIn>(&step)) {
        return logged_in(r, ctx, *done);
    }
    if (const auto* end = std::get_if<EndSessions>(&step)) {
        return finish_backchannel(r, ctx, *end);
    }
    const auto* refused = std::get_if<Refuse>(&step);
    const Error error = refused != nullptr ? refused->error
                                           : fail(Reason::internal_error, "the flow ended nowhere");
    return task == RequestContext::Task::backchannel
               ? refuse_backchannel(r, ctx, *ctx.provider, error)
               : refuse(r, ctx, ctx.provider, error, ctx.start_again);
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
Status make_login(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                  std::string return_to) {
    const Digest* binding = binding_of(r, provider);
    const MetadataCache* cache = MetadataCache::worker();
    LoginFlow::Input input;
    if (binding == nullptr || cache == nullptr || !read_parameters(r, provider, input.parameters)) {
        return fail(Reason::internal_error, "the parameters of the login cannot be computed");
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
    if (const LoginDemand* demand = loc_conf(r).step_up) {
        input.demand = *demand;
    }
    input.session_key = former_session_key(r, ctx, provider);
    input.binding = *binding;
    ctx.provider = &provider;
    ctx.start_again = input.return_to;
    ctx.flow_ports = std::make_unique<FlowPorts>(r->connection->log);
    ctx.flow = std::make_unique<LoginFlow>(provider.config, pending_aead(provider, *cache),
                                           ctx.flow_ports->ports(), std::move(input));
    ctx.task = RequestContext::Task::login;
    return Unit{};
}

}  // namespace

const Aead& pending_aead(const Provider& provider, const MetadataCache& cache) noexcept {
    return provider.store->pending_aead != nullptr ? *provider.store->pending_aead
                                                   : cache.pending_aead();
}

ngx_int_t begin_login(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      std::string return_to) {
    const Status made = make_login(r, ctx, provider, std::move(return_to));
    if (!made) {
        return refuse(r, ctx, &provider, made.error(), {});
    }
    return run(r, ctx, ctx.flow->start());
}

bool login_answer_at_once(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                          Respond& out) {
    if (!make_login(r, ctx, provider, return_target(r, provider))) {
        return false;
    }
    Step step = ctx.flow->start();
    if (const auto* need = std::get_if<NeedProvider>(&step)) {
        if (!ask_provider(r, ctx, need->newer_than)) {
            abandon(ctx);
            return false;
        }
        step = ctx.flow->resume(take_outcome(ctx));
    }
    abandon(ctx);
    const auto* login = std::get_if<StartLogin>(&step);
    if (login == nullptr) {
        return false;
    }
    out = login_answer(r, ctx, *login);
    return true;
}

ngx_int_t begin_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                         PendingLogin login, AuthzResponse response) {
    ctx.provider = &provider;
    ctx.flow_ports = std::make_unique<FlowPorts>(r->connection->log);
    ctx.flow = std::make_unique<CallbackFlow>(provider.config, ctx.flow_ports->ports(),
                                              std::move(login), std::move(response));
    ctx.task = RequestContext::Task::callback;
    return run(r, ctx, ctx.flow->start());
}

ngx_int_t begin_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                            std::string logout_token) {
    ctx.provider = &provider;
    ctx.flow_ports = std::make_unique<FlowPorts>(r->connection->log);
    ctx.flow = std::make_unique<BackchannelFlow>(provider.config, ctx.flow_ports->ports(),
                                                 std::move(logout_token));
    ctx.task = RequestContext::Task::backchannel;
    return run(r, ctx, ctx.flow->start());
}

ngx_int_t continue_task(ngx_http_request_t* r, RequestContext& ctx) {
    r->read_event_handler = ngx_http_block_reading;
    Event event = take_outcome(ctx);
    if (ctx.next) {
        return std::exchange(ctx.next, nullptr)(std::move(event));
    }
    if (ctx.flow == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return run(r, ctx, ctx.flow->resume(std::move(event)));
}

CookieAttributes login_cookie_attributes(bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    return attributes;
}

std::string login_cookie_name(std::string_view name, bool https) {
    return cookie_name_for(name, https, false);
}

void answer_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                           std::string_view value, Seconds lifetime) {
    const std::string& name = session_cookie_name(r, provider);
    const CookieAttributes attributes =
        session_cookie_attributes(provider, public_https(r, &provider));
    std::vector<std::string> lines =
        value.empty() ? delete_session_cookie_lines(name, attributes, ctx.presented())
                      : session_cookie_lines(name, value, attributes, static_cast<long>(lifetime),
                                             ctx.presented());
    std::erase_if(ctx.set_cookies,
                  [&name](const std::string& line) { return is_session_cookie_line(line, name); });
    std::move(lines.begin(), lines.end(), std::back_inserter(ctx.set_cookies));
}

std::string own_url(ngx_http_request_t* r, const Provider& provider, std::string_view target) {
    const ngx_str_t origin = public_origin(r, &provider);
    if (origin.data == nullptr) {
        return {};
    }
    return std::string(view(origin)).append(target);
}

}  // namespace oidc::ngx
