// SPDX-License-Identifier: Apache-2.0
// ProviderDocuments: what one worker knows of one provider, and its fetches for all workers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/curl_loop.hpp"
#include "oidc/metadata.hpp"
#include "oidc/step.hpp"
#include "shm/metadata_slot.hpp"

namespace oidc::ngx {

// A fetch of this worker: metadata, unless there is no discovery, then keys.
struct DocumentsFlight {
    CurlLoop::Handle transfer = 0;
    std::optional<std::string> metadata;  // new, checked
    std::optional<Error> problem;         // of the metadata, when the old one is gone on with
    std::string jwks_uri;
    std::string jwks_advertised;  // see HttpRequest
};

class ProviderDocuments {
  public:
    using StatePtr = std::shared_ptr<const ProviderState>;

    class Owner {
      public:
        Owner() = default;
        Owner(const Owner&) = delete;
        Owner& operator=(const Owner&) = delete;
        // The end of a fetch, from the event loop.
        virtual void on_finished(const ProviderDocuments& documents) noexcept = 0;

      protected:
        ~Owner() = default;
    };

    // Borrows `provider` and `owner`.
    ProviderDocuments(Provider& provider, ProviderSlot slot, ngx_log_t* log, Owner& owner) noexcept;
    ~ProviderDocuments();
    ProviderDocuments(const ProviderDocuments&) = delete;
    ProviderDocuments& operator=(const ProviderDocuments&) = delete;

    [[nodiscard]] Provider& provider() const noexcept { return provider_; }
    [[nodiscard]] const ProviderSlot& slot() const noexcept { return slot_; }
    // Null: nothing usable is known yet.
    [[nodiscard]] const StatePtr& state() const noexcept { return state_; }
    // Why there is no state.
    [[nodiscard]] Error error() const;
    [[nodiscard]] bool uses_network() const noexcept { return needs_metadata_ || needs_keys_; }
    [[nodiscard]] bool is_fetching() const noexcept { return flight_.has_value(); }
    // No fetch, and so no wait for one, takes longer.
    [[nodiscard]] ngx_msec_t patience() const noexcept {
        return provider_.transport.connect_timeout + 2 * provider_.transport.read_timeout;
    }

    // Takes over what any worker has fetched since the last look.
    void sync();
    // Claims a fetch of the documents and starts it; `wait` as ProviderSlot::claim gives it.
    // `throttle` false: for a fetch whose owner died. Throws std::bad_alloc with nothing claimed.
    ProviderSlot::Claim fetch(NeedProvider::Cause cause, bool throttle, std::uint64_t& serial,
                              ngx_msec_t& wait);
    // Starts a fetch without a waiter when there are documents that are too old.
    void refresh_when_stale() { refresh_older_than(lifetime_); }
    // True: documents that are older are being fetched, by whomever.
    bool refresh_older_than(ngx_msec_t oldest);

  private:
    Result<StatePtr> make_state(const std::string& metadata, const std::string& keys,
                                std::uint64_t generation) const;
    void start();
    void fetch_metadata();
    void fetch_keys();
    void on_metadata(HttpOutcome outcome) noexcept;
    void on_keys(HttpOutcome outcome) noexcept;
    Result<std::string> checked_metadata(HttpOutcome outcome, DocumentsFlight& flight) const;
    std::optional<Error> settle(HttpOutcome outcome);
    void finish(const std::optional<Error>& error) noexcept;
    void log_internal_endpoints(const Metadata& metadata) const;
    void log_left_out(const std::vector<std::string>& lines) const;
    void log_demands(const std::vector<std::string>& demands) const;
    void log_end(const std::optional<Error>& error, bool recovered) const;

    Provider& provider_;
    ProviderSlot slot_;
    ngx_log_t* log_;
    Owner& owner_;
    bool needs_metadata_;
    bool needs_keys_;
    StatePtr state_;
    std::string metadata_;  // what state_ was made from
    std::string keys_;
    std::optional<Error> state_error_;  // the documents there are do not suit the configuration
    std::uint64_t seen_ = 0;            // generation that was read last
    ngx_msec_t lifetime_ = 0;           // of the documents
    std::optional<DocumentsFlight> flight_;
};

}  // namespace oidc::ngx
