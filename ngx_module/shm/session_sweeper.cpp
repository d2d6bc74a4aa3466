// SPDX-License-Identifier: Apache-2.0
#include "shm/session_sweeper.hpp"

#include <algorithm>

namespace oidc::ngx {

namespace {

// A full pass over a zone takes about this long, so an expired session leaves memory within it
// (the look-up ignores it from the second it expires).
constexpr ngx_msec_t kPass = 60 * 1000;
// Buckets under one hold of the lock: some ten microseconds.
constexpr std::size_t kHold = 64;

}  // namespace

SessionSweeper::SessionSweeper(SessionZone& zone, ngx_log_t* log) noexcept
    : zone_(zone), event_(this, on_turn, log) {
    std::size_t buckets = 1;
    zone.with_table([&buckets](const RecordTable& table) {
        buckets = std::max<std::size_t>(table.bucket_count(), 1);
    });
    // Small zones wake the worker once a second, large ones more often with as short turns.
    interval_ = std::clamp<ngx_msec_t>(kPass * 4 * kHold / buckets, 50, 1000);
    slice_ = buckets * interval_ / kPass + 1;
    event_.set(interval_);
}

void SessionSweeper::on_turn(ngx_event_t* event) noexcept {
    auto& sweeper = WorkerEvent::of<SessionSweeper>(event);
    const Seconds now = ngx_time();
    std::size_t left = sweeper.slice_;
    // A busy zone is left alone until the next turn.
    while (left > 0) {
        const std::size_t buckets = std::min(left, kHold);
        if (!sweeper.zone_.try_sweep(buckets, now)) {
            break;
        }
        left -= buckets;
    }
    sweeper.event_.set(sweeper.interval_);
}

}  // namespace oidc::ngx
