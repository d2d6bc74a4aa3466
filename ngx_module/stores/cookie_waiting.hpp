// SPDX-License-Identifier: Apache-2.0
// Records that a refresh has brought while their browser was away, in the zone of a cookie store.
#pragma once

#include <algorithm>
#include <vector>

#include "oidc/revocation_list.hpp"
#include "oidc/session_cookie.hpp"
#include "shm/cookie_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

// As it stands in the zone, followed by the record.
struct WaitingHead {
    std::uint64_t serial = 0;
    Seconds taken = 0;  // when the browser first brought this serial; 0: not yet
};

using WaitingBytes = std::vector<std::uint8_t, CleansingAllocator<std::uint8_t>>;

struct Waiting {
    WaitingHead head;
    WaitingBytes bytes;  // with the head
    [[nodiscard]] std::string_view record() const noexcept {
        std::string_view text = as_text(bytes);
        text.remove_prefix(std::min(text.size(), sizeof(WaitingHead)));
        return text;
    }
};

// What waits for the browser that presents `session`, if it is newer than what it brings; under the
// zone's lock. What the browser has brought back is forgotten after a while.
bool take_waiting(RevocationList& list, const CookieSession& session, const Digest& binding,
                  Seconds now, Waiting& out);

// What of a refresh is in shared memory: the lease, and the result until the browser has taken it
// home. Takes the lease on what waits for the session; when nothing does, what the browser has,
// `view`, waits from then on, for its place to be taken. Throws std::bad_alloc.
enum class WaitingLease : std::uint8_t { refused, granted, no_room };
WaitingLease lease_waiting(CookieZone& zone, const SessionRef& session, const SessionView& view,
                           Seconds seconds);
// The result takes the place of what waits. Throws std::bad_alloc.
RecordTable::Update update_waiting(CookieZone& zone, const SessionRef& session,
                                   std::string_view record);
void release_waiting(CookieZone& zone, const SessionRef& session, Seconds not_before) noexcept;

}  // namespace oidc::ngx
