// SPDX-License-Identifier: Apache-2.0
// MemoryStore: sessions in this machine's shared memory, for all workers. Everything is answered at
// once.
#pragma once

#include <memory>

#include "config/conf.hpp"
#include "shm/session_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class MemoryStore final : public SessionStore {
  public:
    // Registers the zone named as the store. Null: an error was logged.
    static std::unique_ptr<SessionStore> make(ngx_conf_t* cf, const Store& store);
    explicit MemoryStore(ngx_shm_zone_t* zone) noexcept : zone_(zone) {}

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
    [[nodiscard]] SessionZone& sessions() const noexcept {
        return *static_cast<SessionZone*>(zone_->data);
    }
    ngx_shm_zone_t* zone_;
};

}  // namespace oidc::ngx
