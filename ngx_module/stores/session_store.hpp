// SPDX-License-Identifier: Apache-2.0
// What every session store can do. A store knows sessions by a SessionRef and answers through
// callbacks; of requests it knows nothing.
//
// Calls that may have to wait take a callback `done`, which is called exactly once: before the call
// returns (the ticket is then 0), or later from the event loop, unless the ticket is cancelled
// first. Every wait ends within the store's timeouts: a store never says that a session is missing
// because it could not look.
// What is not noexcept may throw when memory is out: `done` has then not been called.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/record_table.hpp"
#include "oidc/result.hpp"
#include "oidc/session.hpp"
#include "oidc/session_cookie.hpp"

namespace oidc::ngx {

// Names a session that a store has found or begun, for all later calls.
struct SessionRef {
    Digest key{};      // in the store
    Digest binding{};  // of provider, client and site: SrvConf::bindings
    // What a store that keeps no records (type cookie) has read in the browser's; 0 elsewhere.
    std::int64_t begun = 0;    // RevocationList::Stamp
    std::uint64_t serial = 0;  // of the record: how often it was refreshed
    std::uint64_t sid_tag = 0;
    std::uint64_t sub_tag = 0;
    Seconds end = 0;  // absolute, whatever the idle timeout says
};

class SessionStore {
  public:
    using Ticket = std::uint64_t;  // 0: answered at once
    template <class T>
    using Done = std::function<void(Result<T>)>;

    SessionStore() = default;
    virtual ~SessionStore() = default;
    SessionStore(const SessionStore&) = delete;
    SessionStore& operator=(const SessionStore&) = delete;

    // Sets up what the worker needs; called in every worker and in single-process mode.
    virtual ngx_int_t init_process(ngx_cycle_t* cycle) noexcept;
    virtual void exit_process() noexcept;

    // ---- looking up --------------------------------------------------------------------------

    // A session cookie that a browser has presented. Everything is borrowed for the call.
    struct Query {
        ngx_pool_t* pool = nullptr;  // found records are copied there; lives until ask() is over
        ngx_log_t* log = nullptr;
        const Digest* binding = nullptr;
        std::string_view cookie_name;
        std::string_view cookie;                // its value
        std::span<const CookiePair> presented;  // all session cookies: one session may take several
        bool touch = false;                     // keeps the session alive (idle timeout)
        bool refreshes = false;                 // the provider's sessions are refreshed
    };
    struct Found {
        SessionRef ref;
        SessionView view;  // borrows the query's pool
        Seconds expires = 0;
        std::string renewed;  // not empty: the browser needs this session cookie from now on
    };
    // waiting: the store must ask elsewhere, call ask(). failed: no memory, or OpenSSL failed; the
    // caller denies.
    enum class Find : std::uint8_t { missing, found, waiting, unavailable, failed };
    // The live session that the cookie names, as far as that can be told at once.
    virtual Find find(const Query& query, Found& out) noexcept = 0;
    // The same after `waiting`; nullopt: there is none. The pool is used until `done` was called or
    // the ticket cancelled, nothing else of the query is used after the call. Errors:
    // store_unavailable, internal_error. When it throws (no memory) nothing was asked.
    virtual Ticket ask(const Query& query, Done<std::optional<Found>> done);
    // The key of the session that a cookie names, without looking whether it lives. False: the
    // cookie names none.
    virtual bool key_of(const Query& query, Digest& key) noexcept = 0;

    // ---- beginning and end -------------------------------------------------------------------

    struct NewSession {
        Secret id;      // raw, kSessionIdBytes
        Secret record;  // encode_session()
        RecordTable::Meta meta;
        std::vector<Digest> replaces;  // keys of sessions that end with this beginning
        std::size_t limit = 0;         // of sessions per meta.sub_tag and binding; 0: none
    };
    struct Inserted {
        SessionRef ref;
        Secret cookie;          // the value for the browser, of any length
        std::size_t ended = 0;  // by the limit
    };
    // Errors: store_full, session_too_large, store_unavailable, internal_error; nothing is stored
    // then, and nothing is ended.
    virtual Ticket insert(NewSession session, Done<Inserted> done) = 0;
    // Ends sessions. Done once that is true on every node, but for copies that live as long as
    // local_copy says.
    virtual Ticket erase(std::vector<Digest> keys, Done<Unit> done) = 0;
    struct Ended {
        std::size_t sessions = 0;
        bool counted = true;  // false: the store does not know how many there were
    };
    // Ends all sessions of a tag (sid_tag(), sub_tag()), of all bindings.
    virtual Ticket erase_owner(RecordTable::Tag which, std::uint64_t tag, Done<Ended> done) = 0;
    // The live sessions of a tag. Errors besides: store_unsupported, of a store that keeps no list.
    virtual Ticket list_owner(RecordTable::Tag which, std::uint64_t tag,
                              Done<std::vector<RecordTable::Listed>> done) = 0;
    // Whether a session still lives, without keeping it alive, for connections that stay open.
    virtual Ticket alive(const SessionRef& session, Done<bool> done) = 0;
    // True the first time, over all nodes that share the store, until `until`.
    virtual Ticket use_once(const Digest& digest, Seconds until, Done<bool> done) = 0;
    // Whether use_once() would be false; nothing is changed.
    virtual Ticket is_used(const Digest& digest, Done<bool> done) = 0;

    // ---- refresh -----------------------------------------------------------------------------

    // A lease lets one caller of all workers and nodes refresh a session (RecordTable::lease).
    // asking: nobody here holds it; confirm_lease() says whether somebody elsewhere does. `view` is
    // what find() gave with the session.
    enum class Lease : std::uint8_t { refused, granted, asking };
    virtual Lease try_lease(const SessionRef& session, const SessionView& view,
                            Seconds seconds) noexcept = 0;
    virtual Ticket confirm_lease(const SessionRef& session, Seconds seconds, Done<bool> done);
    // Replaces the record of a live session; a session that has ended stays ended (missing).
    virtual Ticket update(const SessionRef& session, Secret record,
                          Done<RecordTable::Update> done) = 0;
    // Ends the lease; the next one is not given before `not_before`.
    virtual void release(const SessionRef& session, Seconds not_before) noexcept = 0;

    // Forgets `done`; what was sent to the store may still happen.
    virtual void cancel(Ticket ticket) noexcept;

    // ---- for oidc_status ---------------------------------------------------------------------

    // Of the store's shared memory.
    virtual RecordTable::Stats stats() noexcept = 0;
};

}  // namespace oidc::ngx
