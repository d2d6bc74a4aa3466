// SPDX-License-Identifier: Apache-2.0
#include "stores/memory_store.hpp"

#include <utility>

#include "shm/login_zone.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

constexpr std::size_t kListStep = 64;

}  // namespace

std::unique_ptr<SessionStore> MemoryStore::make(ngx_conf_t* cf, const Store& store) {
    ngx_shm_zone_t* zone = SessionZone::add(cf, store.name, store.size);
    return zone == nullptr ? nullptr : std::make_unique<MemoryStore>(zone);
}

SessionStore::Find MemoryStore::find(const Query& query, Found& out) noexcept {
    bool failed = false;
    if (!session_key(query.cookie, out.ref.key, failed)) {
        return failed ? Find::failed : Find::missing;
    }
    SessionZone::Lookup found;
    if (sessions().find(out.ref.key, *query.binding, ngx_time(), query.touch, query.pool, found) !=
        NGX_OK) {
        return Find::failed;
    }
    if (!found.found) {
        return Find::missing;
    }
    out.ref.binding = *query.binding;
    out.view = found.view;
    out.expires = found.expires;
    return Find::found;
}

bool MemoryStore::key_of(const Query& query, Digest& key) noexcept {
    bool failed = false;
    return session_key(query.cookie, key, failed);
}

SessionStore::Ticket MemoryStore::insert(NewSession session, Done<Inserted> done) {
    Inserted inserted;
    inserted.ref.binding = session.meta.binding;
    inserted.cookie = session_cookie_value(session.id);
    const Digest& key = inserted.ref.key;
    bool failed = false;
    if (!session_key(inserted.cookie.view(), inserted.ref.key, failed)) {
        done(fail(Reason::internal_error, "the session has no key"));
        return 0;
    }
    const std::string_view record = session.record.view();
    switch (sessions().insert(key, session.meta, as_bytes(record), ngx_time())) {
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
        if (former != key) {
            sessions().erase(former);
        }
    }
    if (session.limit > 0) {
        inserted.ended = sessions().keep_newest(session.meta.sub_tag, session.meta.binding,
                                                session.limit, ngx_time(), &key);
    }
    done(std::move(inserted));
    return 0;
}

SessionStore::Ticket MemoryStore::erase(std::vector<Digest> keys, Done<Unit> done) {
    for (const Digest& key : keys) {
        sessions().erase(key);
    }
    done(Unit{});
    return 0;
}

SessionStore::Ticket MemoryStore::erase_owner(RecordTable::Tag which, std::uint64_t tag,
                                              Done<Ended> done) {
    done(Ended{sessions().erase_tagged(which, tag, nullptr, ngx_time())});
    return 0;
}

SessionStore::Ticket MemoryStore::list_owner(RecordTable::Tag which, std::uint64_t tag,
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

SessionStore::Ticket MemoryStore::alive(const SessionRef& session, Done<bool> done) {
    done(sessions().alive(session.key, session.binding, ngx_time()));
    return 0;
}

SessionStore::Ticket MemoryStore::use_once(const Digest& digest, Seconds until, Done<bool> done) {
    LoginZone* zone = LoginZone::running();
    done(zone != nullptr && zone->use_once(digest, until, ngx_time()));
    return 0;
}

SessionStore::Ticket MemoryStore::is_used(const Digest& digest, Done<bool> done) {
    const LoginZone* zone = LoginZone::running();
    done(zone == nullptr || zone->is_used(digest, ngx_time()));
    return 0;
}

SessionStore::Lease MemoryStore::try_lease(const SessionRef& session, const SessionView& /*view*/,
                                           Seconds seconds) noexcept {
    return sessions().lease(session.key, session.binding, ngx_time(), seconds) ? Lease::granted
                                                                               : Lease::refused;
}

SessionStore::Ticket MemoryStore::update(const SessionRef& session, Secret record,
                                         Done<RecordTable::Update> done) {
    done(sessions().update(session.key, session.binding, as_bytes(record.view()), ngx_time()));
    return 0;
}

void MemoryStore::release(const SessionRef& session, Seconds not_before) noexcept {
    sessions().release(session.key, session.binding, not_before, ngx_time());
}

RecordTable::Stats MemoryStore::stats() noexcept {
    return sessions().stats();
}

}  // namespace oidc::ngx
