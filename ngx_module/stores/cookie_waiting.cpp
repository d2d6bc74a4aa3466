// What of a cookie store's refreshes is in shared memory: the lease, and the result until the
// browser has taken it home.
#include "stores/cookie_waiting.hpp"

#include <cstring>

#include "base/ports_ngx.hpp"
#include "stores/cookie_store.hpp"

namespace oidc::ngx {
namespace {

// How long a refreshed record stays after the browser has brought it back: requests that it sent
// before still carry the old one.
constexpr Seconds kGrace = 60;

constexpr ngx_msec_t kWarnInterval = 60 * 1000;

WaitingBytes bytes_of(const WaitingHead& head, std::string_view record) {
    WaitingBytes bytes(sizeof(head) + record.size());
    std::memcpy(bytes.data(), &head, sizeof(head));
    std::memcpy(bytes.data() + sizeof(head), record.data(), record.size());
    return bytes;
}

// The head of the record that waits; false: none does.
bool read_head(RevocationList& list, const Digest& key, const Digest& binding, Seconds now,
               WaitingHead& head, RecordTable::Found& found) noexcept {
    RecordTable table = list.records();
    if (table.find(key, binding, now, false, found) != RecordTable::Find::found ||
        found.size < sizeof(head)) {
        return false;
    }
    std::array<std::uint8_t, sizeof(WaitingHead)> bytes;
    table.copy(found, bytes);
    std::memcpy(&head, bytes.data(), sizeof(head));
    return true;
}

// Drops the record unless somebody is refreshing it, or must not yet.
void drop_unless_leased(RevocationList& list, const Digest& key, const Digest& binding,
                        Seconds now) noexcept {
    RecordTable table = list.records();
    if (table.lease(key, binding, now, 1)) {
        table.erase(key);
    }
}

// The browser has brought the serial that waits: it is remembered, and forgotten after a while.
void note_taken(RevocationList& list, const Digest& key, const Digest& binding, Seconds now,
                const RecordTable::Found& found, WaitingHead head) {
    RecordTable table = list.records();
    if (head.taken == 0) {
        WaitingBytes bytes(found.size);
        table.copy(found, bytes);
        head.taken = now;
        std::memcpy(bytes.data(), &head, sizeof(head));
        (void)table.update(key, binding, bytes, now);  // no room: the next request tries again
    } else if (now - head.taken >= kGrace || now < head.taken) {
        drop_unless_leased(list, key, binding, now);
    }
}

}  // namespace

bool take_waiting(RevocationList& list, const CookieSession& session, const Digest& binding,
                  Seconds now, Waiting& out) {
    RecordTable::Found found;
    if (!read_head(list, session.key, binding, now, out.head, found)) {
        return false;
    }
    if (out.head.serial > session.serial) {
        out.bytes.resize(found.size);
        list.records().copy(found, out.bytes);
        return true;
    }
    if (out.head.serial == session.serial) {
        note_taken(list, session.key, binding, now, found, out.head);
    } else {
        drop_unless_leased(list, session.key, binding, now);
    }
    return false;
}

SessionStore::Lease CookieStore::try_lease(const SessionRef& session, const SessionView& view,
                                           Seconds seconds) noexcept try {
    const Digest& binding = session.binding;
    const Seconds now = ngx_time();
    enum class Try : std::uint8_t { absent, refused, granted };
    const auto lease = [&](RevocationList& list) {
        WaitingHead head;
        RecordTable::Found found;
        if (!read_head(list, session.key, binding, now, head, found) ||
            head.serial < session.serial) {
            return Try::absent;
        }
        // A newer one waits: it came between find() and now, and is fresh.
        return head.serial == session.serial &&
                       list.records().lease(session.key, binding, now, seconds)
                   ? Try::granted
                   : Try::refused;
    };
    Try result = zone().with(lease);
    if (result == Try::absent) {
        // The result of the refresh takes the place of the record that the browser has.
        const Result<Secret> record = encode_session(read_session(view));
        if (!record) {
            return Lease::refused;
        }
        const WaitingBytes bytes = bytes_of({session.serial, now}, record->view());
        const RecordTable::Meta meta{binding, session.end, 0, session.sid_tag, session.sub_tag, 0};
        result = zone().with([&](RevocationList& list) {
            const Try again = lease(list);
            if (again != Try::absent) {
                return again;
            }
            RecordTable table = list.records();
            return list.has_room(bytes.size()) &&
                           table.insert(session.key, meta, bytes, now) == RecordTable::Insert::ok &&
                           table.lease(session.key, binding, now, seconds)
                       ? Try::granted
                       : Try::absent;
        });
        if (result == Try::absent && (warned_ == 0 || ngx_current_msec - warned_ > kWarnInterval)) {
            warned_ = ngx_current_msec != 0 ? ngx_current_msec : 1;
            ngx_str_t name = borrow(settings_.name);
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "oidc: sessions of store \"%V\" are not refreshed for lack of memory; "
                          "check size",
                          &name);
        }
    }
    return result == Try::granted ? Lease::granted : Lease::refused;
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
    WaitingBytes bytes = bytes_of({}, record.view());
    const Seconds now = ngx_time();
    const RecordTable::Update result = zone().with([&](RevocationList& list) {
        WaitingHead head;
        RecordTable::Found found;
        if (!read_head(list, session.key, session.binding, now, head, found)) {
            return RecordTable::Update::missing;
        }
        head = {head.serial + 1, 0};
        std::memcpy(bytes.data(), &head, sizeof(head));
        return list.records().update(session.key, session.binding, bytes, now);
    });
    done(result);
    return 0;
}

void CookieStore::release(const SessionRef& session, Seconds not_before) noexcept {
    zone().with([&](RevocationList& list) {
        list.records().release(session.key, session.binding, not_before, ngx_time());
        return true;
    });
}

}  // namespace oidc::ngx
