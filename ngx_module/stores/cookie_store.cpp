// SPDX-License-Identifier: Apache-2.0
#include "stores/cookie_store.hpp"

#include <algorithm>
#include <cstring>

#include "base/ports_ngx.hpp"
#include "config/messages.hpp"
#include "shm/login_zone.hpp"
#include "stores/cookie_waiting.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

// Names of the cookies, and cookies of the application, which stand in the same header: nginx takes
// no line that is longer than one of its large buffers.
constexpr std::size_t kOtherCookies = 1024;

// A cookie is renewed when it has told the same time for a tenth of the idle timeout, or so long.
constexpr Seconds kRenewAtLatest = 60;

constexpr ngx_msec_t kWarnInterval = 60 * 1000;

// A session id as the pending login and the log know it: the digest of its text.
bool key_from_id(const Secret& id, Digest& key) {
    bool failed = false;
    return session_key(session_cookie_value(id).view(), key, failed);
}

SessionRef ref_of(const CookieSession& session, const Digest& binding) noexcept {
    return {session.key,     binding,         session.begun,  session.serial,
            session.sid_tag, session.sub_tag, session.expires};
}

std::size_t smallest_header_buffer(ngx_conf_t* cf) {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const std::span servers(static_cast<ngx_http_core_srv_conf_t* const*>(core.servers.elts),
                            core.servers.nelts);
    std::size_t smallest = kMaxSessionCookie + kOtherCookies;
    for (const ngx_http_core_srv_conf_t* server : servers) {
        const auto* own =
            static_cast<const SrvConf*>(server->ctx->srv_conf[ngx_http_auth_oidc_module.ctx_index]);
        if (own->uses_oidc) {
            smallest = std::min(smallest, server->large_client_header_buffers.size);
        }
    }
    return smallest;
}

}  // namespace

// ---- configuration ---------------------------------------------------------------------------

CookieStore::CookieStore(ngx_shm_zone_t* zone, SessionSealer sealer, Settings settings)
    : zone_(zone), sealer_(std::move(sealer)), settings_(std::move(settings)) {}

std::unique_ptr<SessionStore> CookieStore::make(ngx_conf_t* cf, const MainConf& main,
                                                const Store& store) {
    Settings settings;
    settings.name = store.name;
    for (const auto& provider : main.providers) {
        if (provider->store == &store) {
            settings.longest = std::max(settings.longest, provider->config.session_timeout);
        }
    }
    const std::size_t buffer = smallest_header_buffer(cf);
    settings.by_buffers = buffer < kMaxSessionCookie + kOtherCookies;
    settings.limit = buffer - std::min(buffer / 2, kOtherCookies);
    Result<SessionSealer> sealer = SessionSealer::make(store.keys);
    if (!sealer) {
        conf_error(cf, store.place, "no key can be derived from key_file");
        return nullptr;
    }
    ngx_shm_zone_t* zone = CookieZone::add(cf, store.name + ":cookie", store.size);
    if (zone == nullptr) {
        return nullptr;
    }
    return std::make_unique<CookieStore>(zone, *std::move(sealer), std::move(settings));
}

ngx_int_t CookieStore::init_process(ngx_cycle_t* cycle) noexcept {
    return zone().start_sweeper(cycle);
}

// ---- requests --------------------------------------------------------------------------------

std::optional<SessionSealer::Opened> CookieStore::open(const Query& query) const {
    const std::optional<std::string> value =
        join_session_cookie(query.cookie_name, query.cookie, query.presented);
    return value ? sealer_.open(*value, *query.binding) : std::nullopt;
}

std::string CookieStore::renew(ngx_log_t* log, const CookieSession& session,
                               std::string_view record, const Digest& binding) const {
    OpensslRandom random;
    const Result<Secret> value = sealer_.seal(session, record, binding, settings_.limit, random);
    if (!value) {
        NgxLog(log).write(LogLevel::error, "a session of store \"" + settings_.name +
                                               "\" cannot be renewed: " + value.error().detail);
        return {};
    }
    return std::string(value->view());
}

SessionStore::Find CookieStore::find(const Query& query, Found& out) noexcept try {
    const Digest& binding = *query.binding;
    std::optional<SessionSealer::Opened> opened = open(query);
    if (!opened) {
        return Find::missing;
    }
    CookieSession session = opened->session;
    const Seconds now = ngx_time();
    if (session.end() <= now) {
        return Find::missing;
    }
    Waiting waiting;
    bool newer = false;
    bool failed = false;
    const bool ended = zone().with([&](RevocationList& list) {
        list.note_session(session.begun, session.expires);
        if (list.has_ended(session.key, session.sid_tag, session.sub_tag, session.begun, now)) {
            return true;
        }
        if (query.refreshes) {
            try {
                newer = take_waiting(list, session, binding, now, waiting);
            } catch (...) {
                failed = true;
            }
        }
        return false;
    });
    if (failed) {
        return Find::failed;
    }
    if (ended) {
        return Find::missing;
    }
    const std::string_view record = newer ? waiting.record() : opened->record();
    auto* copy =
        static_cast<u_char*>(ngx_pnalloc(query.pool, std::max<std::size_t>(record.size(), 1)));
    if (copy == nullptr) {
        return Find::failed;
    }
    std::memcpy(copy, record.data(), record.size());
    const std::optional<SessionView> view =
        SessionView::open({reinterpret_cast<const char*>(copy), record.size()});
    if (!view) {
        // A record that another version wrote: nobody's session.
        return Find::missing;
    }
    if (newer) {
        session.serial = waiting.head.serial;
    }
    // Also when the clock went back: a time from the future must not keep a session alive.
    const Seconds age = now - session.last_seen;
    const bool stale =
        query.touch && session.idle_timeout > 0 &&
        (age < 0 || age >= std::clamp<Seconds>(session.idle_timeout / 10, 1, kRenewAtLatest));
    if (stale) {
        session.last_seen = now;
    }
    out.view = *view;
    out.ref = ref_of(session, binding);
    out.expires = session.end();
    if (stale || newer || opened->old_key) {
        out.renewed = renew(query.log, session, record, binding);
    }
    return Find::found;
} catch (...) {
    return Find::failed;
}

bool CookieStore::key_of(const Query& query, Digest& key) noexcept try {
    const std::optional<SessionSealer::Opened> opened = open(query);
    if (!opened) {
        return false;
    }
    key = opened->session.key;
    return true;
} catch (...) {
    return false;
}

// ---- beginning and end -----------------------------------------------------------------------

SessionStore::Ticket CookieStore::insert(NewSession session, Done<Inserted> done) {
    Inserted inserted;
    CookieSession begun;
    if (!key_from_id(session.id, begun.key)) {
        done(fail(Reason::internal_error, "the session has no key"));
        return 0;
    }
    begun.expires = session.meta.expires;
    begun.last_seen = ngx_time();
    begun.idle_timeout = session.meta.idle_timeout;
    begun.sid_tag = session.meta.sid_tag;
    begun.sub_tag = session.meta.sub_tag;
    const auto seal = [&] {
        begun.begun = zone().with([&](RevocationList& list) {
            const RevocationList::Stamp stamp = list.next_stamp(CookieZone::clock());
            list.note_session(stamp, begun.expires);
            return stamp;
        });
        OpensslRandom random;
        return sealer_.seal(begun, session.record.view(), session.meta.binding, settings_.limit,
                            random);
    };
    Result<Secret> value = seal();
    if (!value) {
        Error error = value.error();
        if (error.reason == Reason::session_too_large && settings_.by_buffers) {
            error.detail.append(" with these large_client_header_buffers");
        }
        done(std::move(error));
        return 0;
    }
    std::erase(session.replaces, begun.key);
    if (!end_sessions(session.replaces)) {
        // With all others this one has ended, too; it begins again.
        value = seal();
        if (!value) {
            done(value.error());
            return 0;
        }
    }
    inserted.ref = ref_of(begun, session.meta.binding);
    inserted.cookie = *std::move(value);
    done(std::move(inserted));
    return 0;
}

bool CookieStore::end_sessions(const std::vector<Digest>& keys) noexcept {
    bool kept = true;
    for (const Digest& key : keys) {
        kept = zone().with([&](RevocationList& list) {
            list.records().erase(key);
            const RevocationList::Now now = CookieZone::now();
            return list.end_session(key, now.seconds + settings_.longest, now);
        }) && kept;
    }
    if (!kept) {
        report_full();
    }
    return kept;
}

void CookieStore::report_full() const noexcept {
    ngx_str_t name = borrow(settings_.name);
    ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                  "oidc: the list of ended sessions of store \"%V\" is full, so all its sessions "
                  "have ended; check size",
                  &name);
}

SessionStore::Ticket CookieStore::erase(std::vector<Digest> keys, Done<Unit> done) {
    end_sessions(keys);
    done(Unit{});
    return 0;
}

SessionStore::Ticket CookieStore::erase_owner(RecordTable::Tag which, std::uint64_t tag,
                                              Done<Ended> done) {
    const bool kept = zone().with([&](RevocationList& list) {
        const RevocationList::Now now = CookieZone::now();
        list.records().erase_tagged(which, tag, nullptr, now.seconds);
        return list.end_owner(which, tag, now.seconds + settings_.longest, now);
    });
    if (!kept) {
        report_full();
    }
    done(Ended{0, false});
    return 0;
}

SessionStore::Ticket CookieStore::list_owner(RecordTable::Tag /*which*/, std::uint64_t /*tag*/,
                                             Done<std::vector<RecordTable::Listed>> done) {
    done(fail(Reason::store_unsupported,
              "the session store \"" + settings_.name + "\" is of type cookie and keeps no list",
              "type"));
    return 0;
}

SessionStore::Ticket CookieStore::alive(const SessionRef& session, Done<bool> done) {
    const Seconds now = ngx_time();
    const bool ended = zone().with([&](RevocationList& list) {
        return list.has_ended(session.key, session.sid_tag, session.sub_tag, session.begun, now);
    });
    done(!ended && now < session.end);
    return 0;
}

SessionStore::Ticket CookieStore::use_once(const Digest& digest, Seconds until, Done<bool> done) {
    LoginZone* zone = LoginZone::running();
    done(zone != nullptr && zone->use_once(digest, until, ngx_time()));
    return 0;
}

SessionStore::Ticket CookieStore::is_used(const Digest& digest, Done<bool> done) {
    const LoginZone* zone = LoginZone::running();
    done(zone == nullptr || zone->is_used(digest, ngx_time()));
    return 0;
}

// ---- refresh -----------------------------------------------------------------------------------

SessionStore::Lease CookieStore::try_lease(const SessionRef& session, const SessionView& view,
                                           Seconds seconds) noexcept try {
    const WaitingLease lease = lease_waiting(zone(), session, view, seconds);
    if (lease == WaitingLease::no_room &&
        (warned_ == 0 || ngx_current_msec - warned_ > kWarnInterval)) {
        warned_ = ngx_current_msec != 0 ? ngx_current_msec : 1;
        ngx_str_t name = borrow(settings_.name);
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "oidc: sessions of store \"%V\" are not refreshed for lack of memory; "
                      "check size",
                      &name);
    }
    return lease == WaitingLease::granted ? Lease::granted : Lease::refused;
} catch (...) {
    return Lease::refused;
}

SessionStore::Ticket CookieStore::update(const SessionRef& session, Secret record,
                                         Done<RecordTable::Update> done) {
    const std::size_t size = SessionSealer::value_size(record.size());
    if (size > settings_.limit) {
        NgxLog(ngx_cycle->log)
            .write(LogLevel::error, "a refreshed session takes " + std::to_string(size) +
                                        " bytes in cookies, at most " +
                                        std::to_string(settings_.limit) + " are possible");
        done(RecordTable::Update::too_large);
        return 0;
    }
    done(update_waiting(zone(), session, record.view()));
    return 0;
}

void CookieStore::release(const SessionRef& session, Seconds not_before) noexcept {
    release_waiting(zone(), session, not_before);
}

RecordTable::Stats CookieStore::stats() noexcept {
    return zone().with([](RevocationList& list) { return list.records().stats(); });
}

}  // namespace oidc::ngx
