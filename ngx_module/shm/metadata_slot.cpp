// SPDX-License-Identifier: Apache-2.0
#include "shm/metadata_slot.hpp"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>

#include "shm/shared_zone.hpp"

namespace oidc::ngx {

namespace {

// After a failure the next fetch waits: shortly while there is nothing to fall back on, so that the
// first login after an outage works, longer while old documents still serve.
constexpr ngx_msec_t kRetryEmpty = 2000;
constexpr ngx_msec_t kRetryMin = 10 * 1000;
constexpr ngx_msec_t kRetryMax = 60 * 1000;

ngx_msec_t since(ngx_msec_t then) noexcept {
    const auto passed = static_cast<ngx_msec_int_t>(ngx_current_msec - then);
    return passed < 0 ? 0 : static_cast<ngx_msec_t>(passed);
}

bool is_past(ngx_msec_t when) noexcept {
    return static_cast<ngx_msec_int_t>(when - ngx_current_msec) <= 0;
}

// One of the bucket's fetches; false: it is empty for `wait` milliseconds.
bool take(Refetches& bucket, ngx_msec_t interval, ngx_msec_t& wait) noexcept {
    if (interval == 0) {
        return true;
    }
    const bool is_full = bucket.used == 0 || is_past(bucket.full_at);
    const ngx_msec_t missing = is_full ? 0 : bucket.full_at - ngx_current_msec;
    const ngx_msec_t most = (kRefetchesAtOnce - 1) * interval;
    if (missing > most) {
        wait = bucket.fruitless < kRefetchesAtOnce ? missing - most : 0;
        return false;
    }
    bucket.full_at = ngx_current_msec + missing + interval;
    bucket.used = 1;
    return true;
}

void note_fruit(SharedProvider& shared) noexcept {
    if (shared.generation != shared.before) {
        for (Refetches& bucket : shared.refetches) {
            bucket.fruitless = 0;
        }
    } else if (shared.wanted_by >= 1 && shared.wanted_by <= std::size(shared.refetches)) {
        Refetches& bucket = shared.refetches[shared.wanted_by - 1];
        bucket.fruitless = std::min<std::uint32_t>(bucket.fruitless + 1, 1000);
    }
}

std::uint32_t copy_text(char* out, std::size_t room, std::string_view text) noexcept {
    const std::size_t size = std::min(room, text.size());
    std::copy_n(text.data(), size, out);
    return static_cast<std::uint32_t>(size);
}

}  // namespace

std::string_view SharedDocument::view() const noexcept {
    if (active != 1 && active != 2) {
        return {};
    }
    const std::uint32_t index = active - 1;
    return {text[index], std::min<std::size_t>(size[index], kMaxDocument)};
}

void SharedDocument::put(std::string_view document) noexcept {
    const std::uint32_t index = active == 1 ? 1 : 0;
    size[index] = copy_text(text[index], kMaxDocument, document);
    std::atomic_ref<std::uint32_t>(active).store(index + 1, std::memory_order_release);
}

bool ProviderSlot::owned_by_living() const noexcept {
    if (shared_->owner == 0 || is_past(shared_->deadline)) {
        return false;
    }
    // EPERM is a living process as well.
    return kill(shared_->owner, 0) == 0 || errno != ESRCH;
}

ProviderSlot::Snapshot ProviderSlot::peek() const noexcept {
    Snapshot out;
    if (shared_ == nullptr) {
        return out;
    }
    ZoneLock lock(shpool_);
    if (!attached()) {
        return out;
    }
    out.attached = true;
    out.generation = shared_->generation;
    out.started = shared_->started;
    out.finished = shared_->finished;
    out.fetching = owned_by_living();
    out.failures = shared_->failures;
    if (shared_->metadata.active != 0 && shared_->metadata.known_age != 0) {
        out.metadata_age = since(shared_->metadata.fetched);
    }
    if (shared_->keys.active != 0 && shared_->keys.known_age != 0) {
        out.keys_age = since(shared_->keys.fetched);
    }
    return out;
}

std::optional<Reason> ProviderSlot::last_reason() const noexcept {
    if (shared_ == nullptr) {
        return std::nullopt;
    }
    ZoneLock lock(shpool_);
    if (!attached() || shared_->error == 0 ||
        shared_->error > static_cast<std::uint32_t>(Reason::count_)) {
        return std::nullopt;
    }
    return static_cast<Reason>(shared_->error - 1);
}

Error ProviderSlot::last_error() const {
    const auto reason = last_reason();
    if (!reason) {
        return fail(Reason::metadata_unavailable, "the provider's metadata was not fetched yet");
    }
    Error out = fail(*reason);
    ZoneLock lock(shpool_);
    out.detail.assign(shared_->detail,
                      std::min<std::size_t>(shared_->detail_size, sizeof(shared_->detail)));
    out.fix.assign(shared_->fix, std::min<std::size_t>(shared_->fix_size, sizeof(shared_->fix)));
    return out;
}

bool ProviderSlot::read(std::string& metadata, std::string& keys, std::uint64_t& generation) const {
    if (shared_ == nullptr) {
        return false;
    }
    ZoneLock lock(shpool_);
    if (!attached()) {
        return false;
    }
    metadata = shared_->metadata.view();
    keys = shared_->keys.view();
    generation = shared_->generation;
    return true;
}

ProviderSlot::Claim ProviderSlot::claim(Purpose purpose, ngx_msec_t lifetime, ngx_msec_t interval,
                                        std::uint64_t& serial, ngx_msec_t& wait) noexcept {
    wait = 0;
    if (shared_ == nullptr) {
        return Claim::refused;
    }
    ZoneLock lock(shpool_);
    if (!attached()) {
        return Claim::refused;
    }
    if (shared_->owner != ngx_pid && owned_by_living()) {
        serial = shared_->started;
        return Claim::joined;
    }
    shared_->wanted_by = 0;
    if (purpose != Purpose::documents) {
        static_assert(static_cast<std::size_t>(Purpose::outsider) ==
                      std::size(decltype(shared_->refetches){}));
        shared_->wanted_by = static_cast<std::uint32_t>(purpose);
        if (!take(shared_->refetches[shared_->wanted_by - 1], interval, wait)) {
            return Claim::refused;
        }
    } else if (shared_->holding_off != 0 && !is_past(shared_->retry_at)) {
        return Claim::refused;
    }
    shared_->deadline = ngx_current_msec + lifetime;
    shared_->owner = ngx_pid;
    shared_->before = shared_->generation;
    serial = ++shared_->started;
    return Claim::owner;
}

void ProviderSlot::store(std::optional<std::string_view> metadata,
                         std::optional<std::string_view> keys) noexcept {
    if (shared_ == nullptr) {
        return;
    }
    ZoneLock lock(shpool_);
    if (!attached()) {
        return;
    }
    const auto update = [this](SharedDocument& document, std::string_view text) {
        if (text.size() > kMaxDocument) {
            return;
        }
        if (document.active == 0 || document.view() != text) {
            // First the generation: a reader who sees it early reads the old text once more, one
            // who missed it would keep the old text.
            ++shared_->generation;
            document.put(text);
        }
        document.fetched = ngx_current_msec;
        document.known_age = 1;
    };
    if (metadata) {
        update(shared_->metadata, *metadata);
    }
    if (keys) {
        update(shared_->keys, *keys);
    }
}

bool ProviderSlot::finish(const Error* error) noexcept {
    if (shared_ == nullptr) {
        return false;
    }
    ZoneLock lock(shpool_);
    if (!attached() || shared_->owner != ngx_pid) {
        return false;
    }
    const bool had_failed = shared_->failed_in_row != 0;
    if (error == nullptr) {
        shared_->failed_in_row = 0;
        shared_->holding_off = 0;
        shared_->error = 0;
    } else {
        ++shared_->failures;
        shared_->failed_in_row = std::min<std::uint32_t>(shared_->failed_in_row + 1, 16);
        shared_->error = static_cast<std::uint32_t>(error->reason) + 1;
        shared_->detail_size = copy_text(shared_->detail, sizeof(shared_->detail), error->detail);
        shared_->fix_size = copy_text(shared_->fix, sizeof(shared_->fix), error->fix);
        ngx_msec_t delay = kRetryEmpty;
        if (shared_->generation != 0) {
            delay = std::min(kRetryMin << std::min<std::uint32_t>(shared_->failed_in_row - 1, 3),
                             kRetryMax);
            delay += static_cast<ngx_msec_t>(ngx_random()) % (delay / 8);
        }
        shared_->retry_at = ngx_current_msec + delay;
        shared_->holding_off = 1;
    }
    note_fruit(*shared_);
    shared_->finished = shared_->started;
    shared_->owner = 0;
    return error == nullptr && had_failed;
}

void ProviderSlot::abandon() noexcept {
    if (shared_ == nullptr) {
        return;
    }
    ZoneLock lock(shpool_);
    if (attached() && shared_->owner == ngx_pid) {
        shared_->owner = 0;
    }
}

}  // namespace oidc::ngx
