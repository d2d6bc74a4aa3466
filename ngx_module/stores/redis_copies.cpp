// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_copies.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "oidc/sealed_record.hpp"
#include "stores/redis_records.hpp"

namespace oidc::ngx {

namespace {

// A local copy: the end of the session, whether it has been touched since it was read, and the
// stored record.
struct CopyHead {
    Seconds end = 0;
    std::uint64_t touched = 0;
};
static_assert(sizeof(CopyHead) == 16);

std::string_view bytes_of(const CopyHead& head) noexcept {
    return {reinterpret_cast<const char*>(&head), sizeof head};
}

}  // namespace

bool RedisCopies::find(const Digest& key, const Digest& binding, bool touch, ngx_pool_t* pool,
                       Copy& out) {
    if (!enabled()) {
        return false;
    }
    const Seconds now = ngx_time();
    std::string_view copy;
    if (zone().read(key, binding, now, pool, copy) != NGX_OK) {
        throw std::bad_alloc();
    }
    CopyHead head;
    if (copy.size() < sizeof head) {
        return false;
    }
    std::memcpy(&head, copy.data(), sizeof head);
    const auto stored = parse_stored_record(copy.substr(sizeof head));
    const auto view = stored ? SessionView::open(stored->record) : std::nullopt;
    if (!view || head.end <= now || stored->meta.expires <= now) {
        return false;
    }
    const Seconds end = touched_end(stored->meta, now);
    out.moved = 0;
    if (touch && head.touched == 0 && end > head.end) {
        head = {end, 1};
        Secret again;
        again.append(bytes_of(head));
        again.append(copy.substr(sizeof head));
        zone().update(key, binding, as_bytes(again.view()), now);
        out.moved = end;
    }
    out.view = *view;
    out.end = head.end;
    return true;
}

void RedisCopies::keep(const Digest& key, const RecordTable::Meta& meta, std::string_view record,
                       Seconds end, bool touched) {
    if (!enabled()) {
        return;
    }
    const Seconds now = ngx_time();
    RecordTable::Meta local = meta;
    local.expires = std::min(now + life_, end);
    local.idle_timeout = 0;
    if (local.expires <= now) {
        drop(key);
        return;
    }
    Secret copy;
    const Secret stored = encode_stored_record(meta, record);
    copy.reserve(sizeof(CopyHead) + stored.size());
    copy.append(bytes_of({end, touched ? 1U : 0U}));
    copy.append(stored.view());
    static_cast<void>(zone().insert(key, local, as_bytes(copy.view()), now));
}

void RedisCopies::drop(const Digest& key) noexcept {
    zone().erase(key);
}

void RedisCopies::drop_owner(RecordTable::Tag which, std::uint64_t tag) noexcept {
    zone().erase_tagged(which, tag, nullptr, ngx_time());
}

bool RedisCopies::has(const Digest& key, const Digest& binding) const noexcept {
    return enabled() && zone().alive(key, binding, ngx_time());
}

bool RedisCopies::lease(const Digest& key, const Digest& binding, Seconds seconds) noexcept {
    return zone().lease(key, binding, ngx_time(), seconds);
}

void RedisCopies::release(const Digest& key, const Digest& binding, Seconds not_before) noexcept {
    zone().release(key, binding, not_before, ngx_time());
}

RecordTable::Stats RedisCopies::stats() const noexcept {
    return zone().stats();
}

}  // namespace oidc::ngx
