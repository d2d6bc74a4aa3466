// SPDX-License-Identifier: Apache-2.0
// RequestContext: what the module knows of one request, by phase: what was kept when it was
// sanitised, what was decided, the task under way, what goes into the answer. Lives in the main
// request's pool, found by walking the pool's cleanups, because internal redirects clear r->ctx.
//
// Subrequests share the main request's context. They may add decisions of their own, and never
// write over what the main request waits for: the task is the main request's alone.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/conf.hpp"
#include "oidc/authz_response.hpp"
#include "oidc/session_cookie.hpp"
#include "oidc/state.hpp"
#include "request/decision.hpp"
#include "request/session_search.hpp"

namespace oidc::ngx {

struct BearerState;  // bearer_state.hpp
struct RequestTask;  // request_task.hpp

// The module's cookies of a request. All texts borrow the request.
struct OwnCookies {
    // Both spellings of some providers' cookies, with their chunks.
    static constexpr std::size_t kMaxSessions = 16;
    CookiePair sessions[kMaxSessions];
    std::size_t session_count = 0;
    std::vector<PendingCookie> pending;  // names are full names
    std::vector<CookiePair> fragments;
    std::vector<CookiePair> targets;  // in both spellings

    [[nodiscard]] std::span<const CookiePair> presented() const noexcept {
        return {sessions, session_count};
    }
};

// What the answer to the request will carry.
struct AnswerParts {
    std::vector<std::string> set_cookies;
    const char* error_code = nullptr;  // $oidc_error, a reason code
    ngx_str_t reference{};             // that an error page shows and the log has
    ngx_str_t return_to{};             // X-Oidc-Return-To
    bool forwarded_callback = false;   // the header filter adds to the backend's answer
    bool late_challenge = false;       // satisfy any
};

struct RequestContext;

// An answer of the access phase: a login, a callback, a logout, a refusal. Returns what the handler
// returns.
using Answer = ngx_int_t (*)(ngx_http_request_t*, RequestContext&, Provider&);

// One that waits for what other access modules say.
struct Postponed {
    Answer answer = nullptr;  // null: none
    Provider* provider = nullptr;
};

struct RequestContext {
    RequestContext();
    ~RequestContext();
    RequestContext(const RequestContext&) = delete;
    RequestContext& operator=(const RequestContext&) = delete;

    // ---- sanitised
    bool sanitized = false;
    OwnCookies cookies;
    std::unique_ptr<Result<AuthzResponse>> response;  // of a callback, taken out of its arguments
    // What auth_oidc_pass_header lets through somewhere, taken out like all others.
    std::vector<ngx_table_elt_t> passed_headers;
    // Set while headers of ours stand in the request (identity_headers.cpp).
    ngx_list_part_t* identity_part = nullptr;
    // The location that answers forwards the identity of `decision`.
    bool identity_given = false;

    // ---- decided
    Decisions decisions;
    Decision* decision = nullptr;   // that holds for the main request; null: none yet
    bool insufficient = false;      // so, but this location asks more of the login
    bool cross_origin = false;      // so, but another site has the browser send the request
    bool foreign_callback = false;  // of another application: no identity, whatever follows
    std::unique_ptr<SessionSearch> search;
    Postponed postponed;

    // ---- under way
    std::unique_ptr<RequestTask> task;  // null: none was begun

    // ---- answered
    AnswerParts answer;

    // ---- several providers
    const ProviderGroup* group = nullptr;  // that auth_oidc names at the location; null: none
    CookiePair last_choice[2];  // the provider used last, of http and https; no name: none came

    // ---- an access token
    // What came of one; null: nothing, or no location takes any.
    std::unique_ptr<BearerState> bearer;

    // The main request has a live session, whether it is enough for the location or not.
    [[nodiscard]] bool authenticated() const noexcept {
        return decision != nullptr && decision->authenticated;
    }
};

// The main request's context; null when there is none yet.
RequestContext* find_context(ngx_http_request_t* r) noexcept;
// The same, made when missing. Null: no memory.
RequestContext* get_context(ngx_http_request_t* r) noexcept;

// The decision that holds for `r`: a subrequest's own, if it has one, else the main request's;
// null: none.
Decision* decision_of(ngx_http_request_t* r) noexcept;
// `decision` holds for this subrequest from now on.
void set_own_decision(ngx_http_request_t* subrequest, Decision& decision) noexcept;
// The decision is about an access token, which no store knows, and not about a session.
bool is_of_token(const RequestContext& ctx, const Decision& decision) noexcept;
// The identity that `r` shows: of a session that is enough for its location, and that counts for
// what has sent the request; null: none.
Decision* identity_of(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
