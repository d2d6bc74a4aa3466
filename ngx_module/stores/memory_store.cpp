#include "stores/memory_store.hpp"

#include <utility>

#include "oidc/encode.hpp"
#include "shm/login_zone.hpp"
#include "signin/access.hpp"

namespace oidc::ngx {
namespace {

// A session id as its cookie carries it, wiped when it goes.
Secret cookie_value(const Secret& id) {
    std::string text = base64url_encode(as_bytes(id.view()));
    Secret value(text);
    cleanse(text.data(), text.size());
    return value;
}

constexpr std::size_t kListStep = 64;

}  // namespace

std::unique_ptr<SessionStore> MemoryStore::make(ngx_conf_t* cf, const Store& store) {
    ngx_shm_zone_t* zone = SessionZone::add(cf, store.name, store.size);
    return zone == nullptr ? nullptr : std::make_unique<MemoryStore>(zone);
}

SessionStore::Find MemoryStore::find(ngx_http_request_t* r, RequestContext& /*ctx*/,
                                     const Provider& /*provider*/, const Digest& binding,
                                     std::string_view cookie, bool touch, Lookup& out) noexcept {
    bool failed = false;
    if (!session_key(cookie, out.key, failed)) {
        return failed ? Find::failed : Find::missing;
    }
    SessionZone::Lookup found;
    if (sessions().find(out.key, binding, ngx_time(), touch, r->pool, found) != NGX_OK) {
        return Find::failed;
    }
    if (!found.found) {
        return Find::missing;
    }
    out.view = found.view;
    out.expires = found.expires;
    return Find::found;
}

bool MemoryStore::key_of(ngx_http_request_t* /*r*/, RequestContext& /*ctx*/,
                         const Provider& /*provider*/, const Digest& /*binding*/,
                         std::string_view cookie, Digest& key) noexcept {
    bool failed = false;
    return session_key(cookie, key, failed);
}

SessionStore::Ticket MemoryStore::insert(NewSession session, Done<Inserted> done) {
    Inserted inserted;
    inserted.cookie = cookie_value(session.id);
    bool failed = false;
    if (!session_key(inserted.cookie.view(), inserted.key, failed)) {
        done(fail(Reason::internal_error, "the session has no key"));
        return 0;
    }
    const std::string_view record = session.record.view();
    switch (sessions().insert(inserted.key, session.meta, as_bytes(record), ngx_time())) {
        case RecordTable::Insert::too_large:
            done(fail(Reason::session_too_large,
                      "a session of " + std::to_string(record.size()) +
                          " bytes does not fit the session store",
                      "scope"));
            return 0;
        case RecordTable::Insert::full:
            done(fail(Reason::store_full, "the session store is full of live sessions", "size"));
            return 0;
        case RecordTable::Insert::ok:
            break;
    }
    for (const Digest& former : session.replaces) {
        if (former != inserted.key) {
            sessions().erase(former);
        }
    }
    if (session.limit > 0) {
        inserted.ended = sessions().keep_newest(session.meta.sub_tag, session.meta.binding,
                                                session.limit, ngx_time(), &inserted.key);
    }
    done(std::move(inserted));
    return 0;
}

SessionStore::Ticket MemoryStore::erase(const Provider& /*provider*/, std::vector<Digest> keys,
                                        Done<Unit> done) {
    for (const Digest& key : keys) {
        sessions().erase(key);
    }
    done(Unit{});
    return 0;
}

SessionStore::Ticket MemoryStore::erase_owner(const Provider& /*provider*/, RecordTable::Tag which,
                                              std::uint64_t tag, Done<Ended> done) {
    done(Ended{sessions().erase_tagged(which, tag, nullptr, ngx_time())});
    return 0;
}

SessionStore::Ticket MemoryStore::list_owner(const Provider& /*provider*/, RecordTable::Tag which,
                                             std::uint64_t tag,
                                             Done<std::vector<RecordTable::Listed>> done) {
    std::vector<RecordTable::Listed> listed(kListStep);
    for (;;) {
        const std::size_t count = sessions().list_tagged(which, tag, ngx_time(), listed);
        if (count <= listed.size()) {
            listed.resize(count);
            break;
        }
        listed.resize(count + kListStep);
    }
    done(std::move(listed));
    return 0;
}

SessionStore::Ticket MemoryStore::alive(const Provider& /*provider*/, const Digest& key,
                                        const Digest& binding, const SessionView& /*session*/,
                                        Done<bool> done) {
    done(sessions().alive(key, binding, ngx_time()));
    return 0;
}

SessionStore::Ticket MemoryStore::use_once(const Digest& digest, Seconds until, Done<bool> done) {
    LoginZone* zone = LoginZone::running();
    done(zone != nullptr && zone->use_once(digest, until, ngx_time()));
    return 0;
}

SessionStore::Lease MemoryStore::try_lease(const Provider& /*provider*/, const Lookup& session,
                                           const Digest& binding, Seconds seconds) noexcept {
    return sessions().lease(session.key, binding, ngx_time(), seconds) ? Lease::granted
                                                                       : Lease::refused;
}

SessionStore::Ticket MemoryStore::update(const Provider& /*provider*/, const Digest& key,
                                         const Digest& binding, Secret record,
                                         Done<RecordTable::Update> done) {
    done(sessions().update(key, binding, as_bytes(record.view()), ngx_time()));
    return 0;
}

void MemoryStore::release(const Provider& /*provider*/, const Digest& key, const Digest& binding,
                          Seconds not_before) noexcept {
    sessions().release(key, binding, not_before, ngx_time());
}

RecordTable::Stats MemoryStore::stats() noexcept {
    return sessions().stats();
}

// ---- what most stores have in common ---------------------------------------------------------

ngx_int_t SessionStore::init_process(ngx_cycle_t* /*cycle*/) noexcept {
    return NGX_OK;
}

void SessionStore::exit_process() noexcept {}

SessionStore::Ticket SessionStore::confirm_lease(const Provider& /*provider*/,
                                                 const Digest& /*key*/, const Digest& /*binding*/,
                                                 Seconds /*seconds*/, Done<bool> done) {
    const Done<bool> answer = std::move(done);
    answer(true);
    return 0;
}

SessionStore::Ticket SessionStore::alive(const Provider& provider, const Digest& /*key*/,
                                         const Digest& /*binding*/, const SessionView& session,
                                         Done<bool> done) {
    const Done<bool> answer = std::move(done);
    answer(ngx_time() < session.created() + provider.config.session_timeout);
    return 0;
}

void SessionStore::cancel(Ticket /*ticket*/) noexcept {}

}  // namespace oidc::ngx
