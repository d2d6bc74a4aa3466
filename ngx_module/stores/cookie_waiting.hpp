// Records that a refresh has brought while their browser was away, in the zone of a cookie store.
#pragma once

#include <vector>

#include "oidc/revocation_list.hpp"
#include "oidc/session_cookie.hpp"

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
        return as_text(bytes).substr(sizeof(WaitingHead));
    }
};

// What waits for the browser that presents `session`, if it is newer than what it brings; under the
// zone's lock. What the browser has brought back is forgotten after a while.
bool take_waiting(RevocationList& list, const CookieSession& session, const Digest& binding,
                  Seconds now, Waiting& out);

}  // namespace oidc::ngx
