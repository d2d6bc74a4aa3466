// RequestContext: what the module knows of one request. Lives in the main request's pool, found by
// walking the pool's cleanups, because internal redirects clear r->ctx.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports_ngx.hpp"
#include "config/conf.hpp"
#include "http/curl_loop.hpp"
#include "oidc/flow.hpp"
#include "oidc/session.hpp"
#include "oidc/session_cookie.hpp"
#include "oidc/state.hpp"
#include "provider/metadata_cache.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

// The core's ports for one request.
struct FlowPorts {
    explicit FlowPorts(ngx_log_t* request_log) noexcept : log(request_log) {}
    [[nodiscard]] Ports ports() noexcept { return {clock, random, log}; }
    NgxClock clock;
    OpensslRandom random;
    NgxLog log;
};

// What a store has been asked about a session cookie, and what it has answered.
struct LookedUp {
    SessionStore* store = nullptr;
    Digest binding{};
    std::string_view cookie;
    SessionStore::Ticket ticket = 0;
    // None: no answer yet.
    std::optional<Result<std::optional<SessionStore::Found>>> answer;
};

struct RequestContext {
    enum class Task : unsigned char { none, login, callback, logout, backchannel };

    bool sanitized = false;
    bool decided = false;  // the decision below is taken, once per request and provider
    bool authenticated = false;
    bool insufficient = false;  // so, but this location asks more of the login
    Task task = Task::none;     // under way
    bool waiting = false;       // for `outcome`, which answers the step that was returned last
    bool asking = false;        // inside a call that may answer at once
    bool cleanup_added = false;
    bool forwarded_callback = false;  // the header filter adds to the backend's answer
    bool foreign_callback = false;    // of another application: no identity, whatever follows
    bool late_challenge = false;      // satisfy any

    // From sanitising, at the first phase of the request.
    using FoundCookie = CookiePair;
    // Both spellings of some providers' cookies, with their chunks.
    static constexpr std::size_t kMaxSessionCookies = 16;
    FoundCookie session_cookies[kMaxSessionCookies];
    std::size_t session_cookie_count = 0;
    [[nodiscard]] std::span<const CookiePair> presented() const noexcept {
        return {session_cookies, session_cookie_count};
    }
    std::vector<PendingCookie> pending;  // names are full names
    std::vector<FoundCookie> fragments;
    // Set while headers of ours stand in the request (identity_headers.cpp).
    ngx_list_part_t* identity_part = nullptr;

    // The decision.
    Provider* provider = nullptr;
    SessionView session;
    SessionRef session_ref;
    Seconds session_expires = 0;

    // A login or logout under way.
    std::unique_ptr<FlowPorts> flow_ports;  // outlives the flow
    std::unique_ptr<Flow> flow;
    std::unique_ptr<Event> outcome;  // apart: it is large, and most requests have none
    CurlLoop::Handle fetch = 0;
    MetadataCache::Ticket ticket = 0;
    SessionStore::Ticket store_ticket = 0;
    SessionStore* store = nullptr;  // that gave the ticket
    // Kept until the request ends: a phase that runs again asks nothing twice.
    std::vector<std::unique_ptr<LookedUp>> looked_up;
    // With a task that is no flow: what goes on with the outcome.
    using Next = std::function<ngx_int_t(Event)>;
    Next next;
    // Waiting for the store as well: subrequests of a request that did not have to.
    std::vector<ngx_http_request_t*> waiting_subrequests;
    // What the store has answered.
    SessionStore::Inserted inserted;
    SessionStore::Ended ended;
    std::vector<RecordTable::Listed> listed;
    Unit erased;
    bool first_use = false;
    std::string start_again;  // where the link of an error page leads
    std::string fragment;     // "#..." of the deep link, from its cookie
    Secret logout_hint;
    // The subrequest of logout_hook, and, as identity_part, the headers of ours in it.
    ngx_http_request_t* hook = nullptr;
    ngx_list_part_t* hook_identity_part = nullptr;
    SessionView ended_session;  // what a logout has just ended; borrows the request's pool
    // The body of a back-channel logout.
    bool reading_body = false;
    bool body_read = false;

    // For the answer.
    std::vector<std::string> set_cookies;
    ngx_str_t return_to{};
    ngx_str_t assertion{};             // made once per request
    const char* error_code = nullptr;  // $oidc_error, a reason code
    ngx_str_t reference{};
};

// The main request's context; null when there is none yet.
RequestContext* find_context(ngx_http_request_t* r) noexcept;
// The same, made when missing. Null: no memory.
RequestContext* get_context(ngx_http_request_t* r) noexcept;

// ---- entry points, registered by module.cpp --------------------------------------------------

// ACCESS: decides.
ngx_int_t access_handler(ngx_http_request_t* r) noexcept;
// PREACCESS: nginx skips the access phase for subrequests (SSI, auth_request, mirror), so one to a
// protected location is refused here unless its main request has a session of that provider.
ngx_int_t subrequest_handler(ngx_http_request_t* r) noexcept;
// Header filter: cookies and no-store on forwarded callbacks, late challenges.
ngx_int_t header_filter_init() noexcept;

// Public origin of the request (scheme://host[:port]) in the pool; see "public origin" in the
// architecture. data is null on error.
ngx_str_t public_origin(ngx_http_request_t* r, const Provider* provider) noexcept;

// Content handlers of oidc_status, oidc_jwks, oidc_session_info and oidc_sessions.
ngx_int_t status_handler(ngx_http_request_t* r) noexcept;
ngx_int_t jwks_handler(ngx_http_request_t* r) noexcept;
ngx_int_t session_info_handler(ngx_http_request_t* r) noexcept;
ngx_int_t sessions_handler(ngx_http_request_t* r) noexcept;

// Makes (once per request) the signed assertion; empty when there is no session or no
// oidc_assertion. NGX_ERROR: signing failed, the caller denies.
ngx_int_t request_assertion(ngx_http_request_t* r, RequestContext& ctx, ngx_str_t& out) noexcept;

// Sends an answer of the core and ends the request's phases: the return value of the handler.
ngx_int_t send_respond(ngx_http_request_t* r, const Respond& respond) noexcept;

}  // namespace oidc::ngx
