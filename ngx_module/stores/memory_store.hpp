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

    Find find(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
              const Digest& binding, std::string_view cookie, bool touch,
              Lookup& out) noexcept override;
    bool key_of(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                const Digest& binding, std::string_view cookie, Digest& key) noexcept override;
    Ticket insert(NewSession session, Done<Inserted> done) override;
    Ticket erase(const Provider& provider, std::vector<Digest> keys, Done<Unit> done) override;
    Ticket erase_owner(const Provider& provider, RecordTable::Tag which, std::uint64_t tag,
                       Done<Ended> done) override;
    Ticket list_owner(const Provider& provider, RecordTable::Tag which, std::uint64_t tag,
                      Done<std::vector<RecordTable::Listed>> done) override;
    Ticket alive(const Provider& provider, const Digest& key, const Digest& binding,
                 const SessionView& session, Done<bool> done) override;
    Ticket use_once(const Digest& digest, Seconds until, Done<bool> done) override;
    Lease try_lease(const Provider& provider, const Lookup& session, const Digest& binding,
                    Seconds seconds) noexcept override;
    Ticket update(const Provider& provider, const Digest& key, const Digest& binding, Secret record,
                  Done<RecordTable::Update> done) override;
    void release(const Provider& provider, const Digest& key, const Digest& binding,
                 Seconds not_before) noexcept override;
    RecordTable::Stats stats() noexcept override;

  private:
    [[nodiscard]] SessionZone& sessions() const noexcept {
        return *static_cast<SessionZone*>(zone_->data);
    }
    ngx_shm_zone_t* zone_;
};

}  // namespace oidc::ngx
