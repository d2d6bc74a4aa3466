#include "login.hpp"

#include <array>
#include <utility>

#include "access.hpp"
#include "logout.hpp"
#include "oidc/backchannel_flow.hpp"
#include "oidc/encode.hpp"
#include "oidc/page.hpp"
#include "request_view.hpp"
#include "respond.hpp"
#include "session_zone.hpp"

namespace oidc::ngx {
namespace {

void on_cleanup(void* data) noexcept {
    abandon(*static_cast<RequestContext*>(data));
}

// The outcome of a step. It never runs the request's phases from here, inside somebody else's
// callback: the posted write event does.
void deliver(ngx_http_request_t* r, RequestContext& ctx, Event event) noexcept {
    ctx.outcome = std::make_unique<Event>(std::move(event));
    ctx.fetch = 0;
    ctx.ticket = 0;
    if (ctx.asking) {
        return;
    }
    ctx.waiting = false;
    if (!r->connection->write->posted) {
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }
}

Event take_outcome(RequestContext& ctx) {
    Event event = std::move(*ctx.outcome);
    ctx.outcome.reset();
    return event;
}

// True when the answer is there already.
bool ask_provider(ngx_http_request_t* r, RequestContext& ctx, std::uint64_t newer_than) {
    MetadataCache* cache = MetadataCache::worker();
    if (cache == nullptr) {
        ctx.outcome = std::make_unique<Event>(
            fail(Reason::internal_error, "this process has no metadata cache"));
        return true;
    }
    ctx.asking = true;
    const MetadataCache::Ticket ticket = cache->want(
        *ctx.provider, newer_than, [r, &ctx](Result<std::shared_ptr<const ProviderState>> result) {
            if (result) {
                deliver(r, ctx, ProviderReady(*std::move(result)));
            } else {
                deliver(r, ctx, std::move(result).error());
            }
        });
    ctx.asking = false;
    if (!ctx.outcome) {
        ctx.ticket = ticket;
    }
    return ctx.outcome != nullptr;
}

bool start_fetch(ngx_http_request_t* r, RequestContext& ctx, HttpRequest request) {
    CurlLoop* loop = CurlLoop::worker();
    if (loop == nullptr) {
        ctx.outcome = std::make_unique<Event>(
            fail(Reason::internal_error, "this process has no connections"));
        return true;
    }
    ctx.asking = true;
    const CurlLoop::Handle handle =
        loop->start(std::move(request), ctx.provider->transport, [r, &ctx](HttpOutcome outcome) {
            if (outcome) {
                deliver(r, ctx, *std::move(outcome));
            } else {
                deliver(r, ctx, std::move(outcome).error());
            }
        });
    ctx.asking = false;
    if (!ctx.outcome) {
        ctx.fetch = handle;
    }
    return ctx.outcome != nullptr;
}

ngx_int_t wait(ngx_http_request_t* r, RequestContext& ctx) {
    if (!ctx.cleanup_added) {
        ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
        if (cleanup == nullptr) {
            abandon(ctx);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        cleanup->handler = on_cleanup;
        cleanup->data = &ctx;
        ctx.cleanup_added = true;
    }
    ngx_event_t* read = r->connection->read;
    if (read->ready) {
        if (!read->posted) {
            ngx_post_event(read, &ngx_posted_events);
        }
    } else if (ngx_handle_read_event(read, 0) != NGX_OK) {
        abandon(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ctx.waiting = true;
    return NGX_AGAIN;
}

void erase_former(RequestContext& ctx, const Digest& fresh, std::string_view replaces) {
    SessionZone& sessions = ctx.provider->store->sessions();
    if (ctx.authenticated && ctx.session_key != fresh) {
        sessions.erase(ctx.session_key);
    }
    const std::string fresh_hex = hex_encode(fresh);
    Digest former{};
    if (replaces.size() != 2 * former.size() || replaces == fresh_hex) {
        return;
    }
    for (std::size_t i = 0; i < former.size(); ++i) {
        u_char digits[2] = {static_cast<u_char>(replaces[2 * i]),
                            static_cast<u_char>(replaces[2 * i + 1])};
        const ngx_int_t byte = ngx_hextoi(digits, sizeof(digits));
        if (byte == NGX_ERROR) {
            return;
        }
        former[i] = static_cast<std::uint8_t>(byte);
    }
    sessions.erase(former);
}

// A session id as its cookie carries it, wiped when it goes.
Secret cookie_value(const Secret& id) {
    std::string text = base64url_encode(as_bytes(id.view()));
    Secret value(text);
    cleanse(text.data(), text.size());
    return value;
}

// session_limit: the user's oldest sessions make room for the new one.
void enforce_limit(ngx_http_request_t* r, const Provider& provider, const RecordTable::Meta& meta,
                   const Digest& fresh, std::string_view user) {
    if (provider.session_limit == 0) {
        return;
    }
    const std::size_t ended = provider.store->sessions().keep_newest(
        meta.sub_tag, meta.binding, provider.session_limit, ngx_time(), &fresh);
    if (ended > 0) {
        NgxLog(r->connection->log)
            .write(LogLevel::info, "session_limit of provider \"" + provider.config.name +
                                       "\" ended " + std::to_string(ended) +
                                       " older sessions of \"" + std::string(user) + "\"");
    }
}

Event store(ngx_http_request_t* r, RequestContext& ctx, const StoreSession& step) {
    const Digest* binding = binding_of(r, *ctx.provider);
    if (binding == nullptr) {
        return fail(Reason::internal_error, "the server has no binding for this provider");
    }
    Digest key;
    bool failed = false;
    if (!session_key(cookie_value(step.id).view(), key, failed)) {
        return fail(Reason::internal_error, "the session has no key");
    }
    const std::string_view record = step.record.view();
    const std::optional<SessionView> session = SessionView::open(record);
    if (!session) {
        return fail(Reason::internal_error, "the new session cannot be read");
    }
    RecordTable::Meta meta;
    meta.binding = *binding;
    meta.expires = step.expires;
    meta.idle_timeout = step.idle_timeout;
    meta.sid_tag = sid_tag(*ctx.provider, session->sid());
    meta.sub_tag = sub_tag(*ctx.provider, session->sub());
    switch (ctx.provider->store->sessions().insert(key, meta, as_bytes(record), ngx_time())) {
        case RecordTable::Insert::ok:
            erase_former(ctx, key, step.replaces);
            enforce_limit(r, *ctx.provider, meta, key, session->username());
            return StoreDone{};
        case RecordTable::Insert::too_large:
            return fail(Reason::session_too_large,
                        "a session of " + std::to_string(record.size()) +
                            " bytes does not fit the store \"" + ctx.provider->store->name + "\"",
                        "scope");
        case RecordTable::Insert::full:
            break;
    }
    return fail(Reason::store_full,
                "the store \"" + ctx.provider->store->name + "\" is full of live sessions", "size");
}

void expire_clear_cookies(RequestContext& ctx, bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    for (const std::string& name : ctx.provider->config.clear_cookies) {
        ctx.set_cookies.push_back(delete_cookie(name, attributes));
    }
}

Respond login_answer(ngx_http_request_t* r, RequestContext& ctx, const StartLogin& step) {
    metadata_zone(r).count_redirect();
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
    const Secret id = cookie_value(done.id);
    const Seconds lifetime = done.expires - ngx_time();
    ctx.set_cookies.push_back(set_cookie(session_cookie_name(r, provider), id.view(),
                                         session_cookie_attributes(provider, https),
                                         static_cast<long>(lifetime)));
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
    bool failed = false;
    if (!session || !session_key(cookie_value(done.id).view(), ctx.session_key, failed)) {
        return refuse(r, ctx, ctx.provider,
                      fail(Reason::internal_error, "the new session cannot be read"),
                      ctx.start_again);
    }
    ctx.session = *session;
    ctx.session_expires = done.expires;
    ctx.authenticated = true;
    ctx.decided = true;
    ctx.forwarded_callback = true;
    return admit(r, ctx);
}

ngx_int_t logged_in(ngx_http_request_t* r, RequestContext& ctx, const LoggedIn& done) {
    metadata_zone(r).count_login();
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
                return wait(r, ctx);
            }
        } else if (auto* fetch = std::get_if<Fetch>(&step)) {
            if (!start_fetch(r, ctx, std::move(fetch->request))) {
                return wait(r, ctx);
            }
        } else if (auto* session = std::get_if<StoreSession>(&step)) {
            ctx.outcome = std::make_unique<Event>(store(r, ctx, *session));
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
std::string former_session_key(ngx_http_request_t* r, const RequestContext& ctx,
                               const Provider& provider) {
    const std::string_view name = session_cookie_name(r, provider);
    for (std::size_t i = 0; i < ctx.session_cookie_count; ++i) {
        Digest key;
        bool failed = false;
        if (ctx.session_cookies[i].name == name &&
            session_key(ctx.session_cookies[i].value, key, failed)) {
            return hex_encode(key);
        }
    }
    return {};
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
    input.session_key = former_session_key(r, ctx, provider);
    input.binding = *binding;
    ctx.provider = &provider;
    ctx.start_again = input.return_to;
    ctx.flow_ports = std::make_unique<FlowPorts>(r->connection->log);
    ctx.flow = std::make_unique<LoginFlow>(provider.config, cache->pending_aead(),
                                           ctx.flow_ports->ports(), std::move(input));
    ctx.task = RequestContext::Task::login;
    return Unit{};
}

}  // namespace

void abandon(RequestContext& ctx) noexcept {
    if (ctx.fetch != 0) {
        if (CurlLoop* loop = CurlLoop::worker()) {
            loop->cancel(ctx.fetch);
        }
        ctx.fetch = 0;
    }
    if (ctx.ticket != 0) {
        if (MetadataCache* cache = MetadataCache::worker()) {
            cache->cancel(ctx.ticket);
        }
        ctx.ticket = 0;
    }
    ctx.waiting = false;
    ctx.outcome.reset();
    ctx.flow.reset();
    ctx.task = RequestContext::Task::none;
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

ngx_int_t begin_end_session(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    ctx.provider = &provider;
    ctx.task = RequestContext::Task::logout;
    if (!ask_provider(r, ctx, 0)) {
        return wait(r, ctx);
    }
    return continue_task(r, ctx);
}

ngx_int_t continue_task(ngx_http_request_t* r, RequestContext& ctx) {
    r->read_event_handler = ngx_http_block_reading;
    Event event = take_outcome(ctx);
    if (ctx.task == RequestContext::Task::logout) {
        ctx.task = RequestContext::Task::none;
        return finish_logout(r, ctx, std::move(event));
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

CookieAttributes session_cookie_attributes(const Provider& provider, bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    attributes.path = provider.cookie_path;
    attributes.domain = provider.cookie_domain;
    attributes.same_site = provider.cookie_same_site;
    return attributes;
}

std::string own_url(ngx_http_request_t* r, const Provider& provider, std::string_view target) {
    const ngx_str_t origin = public_origin(r, &provider);
    if (origin.data == nullptr) {
        return {};
    }
    return std::string(view(origin)).append(target);
}

}  // namespace oidc::ngx
