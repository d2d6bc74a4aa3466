// SPDX-License-Identifier: Apache-2.0
// CookieStore: sessions in the browsers' cookies, sealed. Shared memory only knows which of them
// have ended before their time, and what a refresh has brought for a browser that has not been here
// since. Everything is answered at once.
#pragma once

#include <memory>

#include "config/conf.hpp"
#include "oidc/session_cookie.hpp"
#include "shm/cookie_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class CookieStore final : public SessionStore {
  public:
    // Registers the zone "<name>:cookie". The providers of the store must be known. Null: an error
    // was logged.
    static std::unique_ptr<SessionStore> make(ngx_conf_t* cf, const MainConf& main,
                                              const Store& store);

    struct Settings {
        std::string name;         // of the store, for messages
        std::size_t limit = 0;    // of the characters of a session in cookies
        Seconds longest = 0;      // lifetime of a session
        bool by_buffers = false;  // the limit is what large_client_header_buffers leaves
    };
    CookieStore(ngx_shm_zone_t* zone, SessionSealer sealer, Settings settings);

    ngx_int_t init_process(ngx_cycle_t* cycle) noexcept override;

    Find find(const Query& query, Found& out) noexcept override;
    bool key_of(const Query& query, Digest& key) noexcept override;
    Ticket insert(NewSession session, Done<Inserted> done) override;
    Ticket erase(std::vector<Digest> keys, Done<Unit> done) override;
    Ticket erase_owner(RecordTable::Tag which, std::uint64_t tag, Done<Ended> done) override;
    Ticket list_owner(RecordTable::Tag which, std::uint64_t tag,
                      Done<std::vector<RecordTable::Listed>> done) override;
    Ticket alive(const SessionRef& session, Done<bool> done) override;
    Ticket use_once(const Digest& digest, Seconds until, Done<bool> done) override;
    Ticket is_used(const Digest& digest, Done<bool> done) override;
    Lease try_lease(const SessionRef& session, const SessionView& view,
                    Seconds seconds) noexcept override;
    Ticket update(const SessionRef& session, Secret record,
                  Done<RecordTable::Update> done) override;
    void release(const SessionRef& session, Seconds not_before) noexcept override;
    RecordTable::Stats stats() noexcept override;

  private:
    [[nodiscard]] CookieZone& zone() const noexcept { return CookieZone::of(*zone_); }
    [[nodiscard]] std::optional<SessionSealer::Opened> open(const Query& query) const;
    // The cookie that takes the place of the one that was presented; empty: that one is good.
    [[nodiscard]] std::string renew(ngx_log_t* log, const CookieSession& session,
                                    std::string_view record, const Digest& binding) const;
    // False: the list is full, so all sessions have ended.
    bool end_sessions(const std::vector<Digest>& keys) noexcept;
    void report_full() const noexcept;

    ngx_shm_zone_t* zone_;
    SessionSealer sealer_;
    Settings settings_;
    ngx_msec_t warned_ = 0;
};

}  // namespace oidc::ngx
