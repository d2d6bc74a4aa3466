// SPDX-License-Identifier: Apache-2.0
// ProviderSlot: one provider's documents in shared memory, and who fetches them. A slot is shared
// by all workers, of which any may be killed at any instruction: documents are written beside the
// ones in use and become visible by one store, and a fetch belongs to a process until a deadline.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/result.hpp"

namespace oidc::ngx {

inline constexpr std::size_t kMaxDocument = 256 * 1024;  // the core's own limit

// Two places for a document; `active` is 0 (none) or 1 + the index of the valid one.
struct SharedDocument {
    std::uint32_t active;
    std::uint32_t size[2];
    std::uint32_t known_age;  // 1: fetched is set
    ngx_msec_t fetched;       // when a fetch last confirmed it
    char text[2][kMaxDocument];

    [[nodiscard]] std::string_view view() const noexcept;
    void put(std::string_view document) noexcept;
};

// A bucket of fetches because something does not fit: kRefetchesAtOnce, and one more in each
// interval.
struct Refetches {
    ngx_msec_t full_at;
    std::uint32_t used;       // 1: full_at is set
    std::uint32_t fruitless;  // those in a row that have brought nothing new
};
inline constexpr ngx_msec_t kRefetchesAtOnce = 3;

// All fields are read and written under the slab mutex.
struct SharedProvider {
    Digest id;  // of what the documents depend on; all zero: free
    // The fetch under way, or 0. A dead owner's fetch is free for the taking.
    ngx_pid_t owner;
    ngx_msec_t deadline;
    std::uint64_t started;   // serial of the last fetch
    std::uint64_t finished;  // serial of the last fetch that came to an end
    std::uint64_t generation;
    std::uint64_t failures;
    std::uint64_t before;  // generation when the fetch under way began
    Refetches refetches[3];
    std::uint32_t wanted_by;  // the fetch under way: 1 + index of its refetches; 0: of none
    std::uint32_t failed_in_row;
    std::uint32_t holding_off;  // 1: no fetch before retry_at
    std::uint32_t error;        // Reason + 1 of the last fetch, 0: it went well
    ngx_msec_t retry_at;
    std::uint32_t detail_size;
    std::uint32_t fix_size;
    char detail[480];
    char fix[96];
    SharedDocument metadata;
    SharedDocument keys;
};

class ProviderSlot {
  public:
    ProviderSlot() = default;
    // `shared` null: every operation fails closed, nothing is fetched.
    ProviderSlot(ngx_slab_pool_t* shpool, SharedProvider* shared, const Digest& id) noexcept
        : shpool_(shpool), shared_(shared), id_(id) {}

    struct Snapshot {
        bool attached = false;
        std::uint64_t generation = 0;
        std::uint64_t started = 0;
        std::uint64_t finished = 0;
        bool fetching = false;  // by a living process
        std::uint64_t failures = 0;
        std::optional<ngx_msec_t> metadata_age;
        std::optional<ngx_msec_t> keys_age;
    };
    [[nodiscard]] Snapshot peek() const noexcept;
    // Error of the last fetch; a general one when it left none.
    [[nodiscard]] Error last_error() const;
    [[nodiscard]] std::optional<Reason> last_reason() const noexcept;
    // The documents and their generation; an absent one is left empty. False: not attached.
    bool read(std::string& metadata, std::string& keys, std::uint64_t& generation) const;

    enum class Purpose : std::uint8_t { documents, key_unknown, misfit, outsider };
    enum class Claim : std::uint8_t {
        owner,    // the caller fetches, and calls finish() or abandon()
        joined,   // another process does; its serial is given
        refused,  // throttled
    };
    // Single flight over all workers. Each purpose but the first has a bucket of its own that
    // fills by one in `interval` milliseconds; 0: without. When that refuses, `wait` is how long it
    // will; 0 when waiting is not worth while, because the last ones brought nothing.
    Claim claim(Purpose purpose, ngx_msec_t lifetime, ngx_msec_t interval, std::uint64_t& serial,
                ngx_msec_t& wait) noexcept;
    // Stores what a fetch brought; nullopt leaves the document as it is. The generation grows when
    // a text has changed.
    void store(std::optional<std::string_view> metadata,
               std::optional<std::string_view> keys) noexcept;
    // Ends the caller's fetch; null: it went well. True when that is a change for the better.
    bool finish(const Error* error) noexcept;
    void abandon() noexcept;

  private:
    [[nodiscard]] bool attached() const noexcept { return shared_->id == id_; }
    [[nodiscard]] bool owned_by_living() const noexcept;

    ngx_slab_pool_t* shpool_ = nullptr;
    SharedProvider* shared_ = nullptr;
    Digest id_{};
};

}  // namespace oidc::ngx
