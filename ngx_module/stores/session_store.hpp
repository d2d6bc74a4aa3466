// SessionStore: where the sessions of a provider are.
//
// All calls are made in a worker. Whatever can be answered at once is; the rest ends in one call of
// `done`, unless it is cancelled first. A `done` is called at once (the ticket is then 0) or later
// from the event loop, never from inside the store's own set-up; it may call the store again.
// An answer that cannot be had is the error store_unavailable, within the store's timeouts: a store
// never says that a session is missing because it could not look.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/record_table.hpp"
#include "oidc/result.hpp"
#include "oidc/session.hpp"

namespace oidc::ngx {

struct Provider;
struct RequestContext;

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

    // ---- requests ----------------------------------------------------------------------------

    struct Lookup {
        SessionView view;  // borrows the request's pool
        Digest key{};      // what all other calls name the session by
        Seconds expires = 0;
        std::string renewed;  // not empty: the browser needs this session cookie from now on
    };
    // waiting: the store resumes the request (resume_request) when it knows, and is asked again by
    // the phase that runs then; what it has learnt is in ctx until the request ends. failed: no
    // memory, or OpenSSL failed; the caller denies.
    enum class Find : std::uint8_t { missing, found, waiting, unavailable, failed };
    // The live session of this binding that the value of a session cookie names. `touch`: the
    // request keeps the session alive (idle timeout).
    virtual Find find(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                      const Digest& binding, std::string_view cookie, bool touch,
                      Lookup& out) noexcept = 0;
    // The key of the session that a cookie names, without looking whether it lives. False: the
    // cookie names none.
    virtual bool key_of(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                        const Digest& binding, std::string_view cookie, Digest& key) noexcept = 0;

    // ---- beginning and end -------------------------------------------------------------------

    struct NewSession {
        const Provider* provider = nullptr;
        Secret id;      // raw, kSessionIdBytes
        Secret record;  // encode_session()
        RecordTable::Meta meta;
        std::vector<Digest> replaces;  // keys of sessions that end with this beginning
        std::size_t limit = 0;         // of sessions per meta.sub_tag and binding; 0: none
    };
    struct Inserted {
        Digest key{};
        Secret cookie;          // the value for the browser, of any length
        std::size_t ended = 0;  // by the limit
    };
    // Errors: store_full, session_too_large, store_unavailable, internal_error; nothing is stored
    // then, and nothing is ended.
    virtual Ticket insert(NewSession session, Done<Inserted> done) = 0;
    // Ends sessions. Done once that is true on every node, but for copies that live as long as
    // local_copy says.
    virtual Ticket erase(const Provider& provider, std::vector<Digest> keys, Done<Unit> done) = 0;
    struct Ended {
        std::size_t sessions = 0;
        bool counted = true;  // false: the store does not know how many there were
    };
    // Ends all sessions of a tag (owner_tag()), of all bindings.
    virtual Ticket erase_owner(const Provider& provider, RecordTable::Tag which, std::uint64_t tag,
                               Done<Ended> done) = 0;
    // The live sessions of a tag. Errors besides: store_unsupported, of a store that keeps no list.
    virtual Ticket list_owner(const Provider& provider, RecordTable::Tag which, std::uint64_t tag,
                              Done<std::vector<RecordTable::Listed>> done) = 0;
    // Whether a session that find() has given still lives, without keeping it alive, for
    // connections that stay open. `session` is what find() gave. Where the store has no better
    // answer: as long as the session's own end has not come.
    virtual Ticket alive(const Provider& provider, const Digest& key, const Digest& binding,
                         const SessionView& session, Done<bool> done);
    // True the first time, over all nodes that share the store, until `until`.
    virtual Ticket use_once(const Digest& digest, Seconds until, Done<bool> done) = 0;

    // ---- refresh -----------------------------------------------------------------------------

    // A lease lets one caller of all workers and nodes refresh a session (RecordTable::lease).
    // asking: nobody here holds it; confirm_lease() says whether somebody elsewhere does.
    enum class Lease : std::uint8_t { refused, granted, asking };
    virtual Lease try_lease(const Provider& provider, const Lookup& session, const Digest& binding,
                            Seconds seconds) noexcept = 0;
    virtual Ticket confirm_lease(const Provider& provider, const Digest& key, const Digest& binding,
                                 Seconds seconds, Done<bool> done);
    // Replaces the record of a live session; a session that has ended stays ended (missing).
    virtual Ticket update(const Provider& provider, const Digest& key, const Digest& binding,
                          Secret record, Done<RecordTable::Update> done) = 0;
    // Ends the lease; the next one is not given before `not_before`.
    virtual void release(const Provider& provider, const Digest& key, const Digest& binding,
                         Seconds not_before) noexcept = 0;

    // Forgets `done`; what was sent to the store may still happen.
    virtual void cancel(Ticket ticket) noexcept;

    // ---- for oidc_status ---------------------------------------------------------------------

    // Of the store's shared memory.
    virtual RecordTable::Stats stats() noexcept = 0;
};

// For stores, when an answer that `find` was waiting for is there: runs the request's phases from
// the event loop.
void resume_request(ngx_http_request_t* r, RequestContext& ctx) noexcept;

}  // namespace oidc::ngx
