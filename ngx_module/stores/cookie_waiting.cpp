// SPDX-License-Identifier: Apache-2.0
#include "stores/cookie_waiting.hpp"

#include <array>
#include <cstring>

namespace oidc::ngx {
namespace {

// How long a refreshed record stays after the browser has brought it back: requests that it sent
// before still carry the old one.
constexpr Seconds kGrace = 60;

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

WaitingLease lease_waiting(CookieZone& zone, const SessionRef& session, const SessionView& view,
                           Seconds seconds) {
    const Seconds now = ngx_time();
    enum class Try : std::uint8_t { absent, refused, granted };
    const auto lease = [&](RevocationList& list) {
        WaitingHead head;
        RecordTable::Found found;
        if (!read_head(list, session.key, session.binding, now, head, found) ||
            head.serial < session.serial) {
            return Try::absent;
        }
        // A newer one waits: it came between find() and now, and is fresh.
        return head.serial == session.serial &&
                       list.records().lease(session.key, session.binding, now, seconds)
                   ? Try::granted
                   : Try::refused;
    };
    Try result = zone.with(lease);
    if (result == Try::absent) {
        const Result<Secret> record = encode_session(read_session(view));
        if (!record) {
            return WaitingLease::refused;
        }
        const WaitingBytes bytes = bytes_of({session.serial, now}, record->view());
        const RecordTable::Meta meta{session.binding, session.end,     0,
                                     session.sid_tag, session.sub_tag, 0};
        result = zone.with([&](RevocationList& list) {
            const Try again = lease(list);
            if (again != Try::absent) {
                return again;
            }
            RecordTable table = list.records();
            return list.has_room(bytes.size()) &&
                           table.insert(session.key, meta, bytes, now) == RecordTable::Insert::ok &&
                           table.lease(session.key, session.binding, now, seconds)
                       ? Try::granted
                       : Try::absent;
        });
    }
    return result == Try::granted   ? WaitingLease::granted
           : result == Try::refused ? WaitingLease::refused
                                    : WaitingLease::no_room;
}

RecordTable::Update update_waiting(CookieZone& zone, const SessionRef& session,
                                   std::string_view record) {
    WaitingBytes bytes = bytes_of({}, record);
    const Seconds now = ngx_time();
    return zone.with([&](RevocationList& list) {
        WaitingHead head;
        RecordTable::Found found;
        if (!read_head(list, session.key, session.binding, now, head, found)) {
            return RecordTable::Update::missing;
        }
        head = {head.serial + 1, 0};
        std::memcpy(bytes.data(), &head, sizeof(head));
        return list.records().update(session.key, session.binding, bytes, now);
    });
}

void release_waiting(CookieZone& zone, const SessionRef& session, Seconds not_before) noexcept {
    zone.with([&](RevocationList& list) {
        list.records().release(session.key, session.binding, not_before, ngx_time());
        return true;
    });
}

}  // namespace oidc::ngx
