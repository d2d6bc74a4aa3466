// RedisStore: sessions in Redis, for several nginx machines. What a node has read, its workers may
// go on with for `local_copy` seconds; so hot requests rarely wait, and a logout on another node
// takes effect within that time.
//
// In Redis, after the prefix (digests in base64url, tags in hexadecimal):
//   s:KEY               the sealed record, which lives as long as the session (idle timeout, end)
//   o:sid:TAG o:sub:TAG sessions of an owner: BINDING.KEY.CREATED, scored with their absolute end
//   l:KEY               the lease of a session that is being refreshed
//   u:DIGEST            a value that has been used
// Redis sees hashes, tags and sealed text only. Redis 7.0 or Valkey is needed (EXPIRE GT).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ports_ngx.hpp"
#include "config/conf.hpp"
#include "oidc/sealed_record.hpp"
#include "shm/session_zone.hpp"
#include "stores/redis_owner.hpp"
#include "stores/redis_pool.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class RedisStore final : public SessionStore {
  public:
    // Registers the zone of the local copies and loads certificates. Null: an error was logged.
    static std::unique_ptr<SessionStore> make(ngx_conf_t* cf, const Store& store);
    // Borrows the store's configuration.
    RedisStore(const Store& store, ngx_shm_zone_t* zone, ngx_ssl_t* ssl);

    ngx_int_t init_process(ngx_cycle_t* cycle) noexcept override;
    void exit_process() noexcept override;

    Find find(const Query& query, Found& out) noexcept override;
    Ticket ask(const Query& query, Done<std::optional<Found>> done) override;
    bool key_of(const Query& query, Digest& key) noexcept override;
    Ticket insert(NewSession session, Done<Inserted> done) override;
    Ticket erase(std::vector<Digest> keys, Done<Unit> done) override;
    Ticket erase_owner(RecordTable::Tag which, std::uint64_t tag, Done<Ended> done) override;
    Ticket list_owner(RecordTable::Tag which, std::uint64_t tag,
                      Done<std::vector<RecordTable::Listed>> done) override;
    Ticket alive(const SessionRef& session, Done<bool> done) override;
    Ticket use_once(const Digest& digest, Seconds until, Done<bool> done) override;
    Lease try_lease(const SessionRef& session, const SessionView& view,
                    Seconds seconds) noexcept override;
    Ticket confirm_lease(const SessionRef& session, Seconds seconds, Done<bool> done) override;
    Ticket update(const SessionRef& session, Secret record,
                  Done<RecordTable::Update> done) override;
    void release(const SessionRef& session, Seconds not_before) noexcept override;
    void cancel(Ticket ticket) noexcept override;
    // Of the local copies.
    RecordTable::Stats stats() noexcept override;
    // Of this worker; null outside of one.
    [[nodiscard]] const RedisPool* pool() const noexcept { return pool_.get(); }

  private:
    using Replies = RedisPool::Replies;

    // ---- calls: an answer that may take several exchanges with Redis

    struct CallBase {
        CallBase() = default;
        CallBase(const CallBase&) = delete;
        CallBase& operator=(const CallBase&) = delete;
        virtual ~CallBase() = default;
        virtual void forget() noexcept = 0;
        Ticket ticket = 0;
    };
    template <class T>
    struct Call : CallBase {
        void forget() noexcept override { done = nullptr; }
        Done<T> done;
    };
    template <class T>
    using CallPtr = std::shared_ptr<Call<T>>;
    template <class T>
    CallPtr<T> open_call(Done<T> done);
    // The ticket of a call that has been begun.
    [[nodiscard]] Ticket ticket_of(const CallBase& call) const noexcept;
    template <class T>
    void answer(const CallPtr<T>& call, Result<T> result);
    // Sends, and goes on with `next(replies)`; a failure answers the call.
    template <class T, class Next>
    void exchange(const CallPtr<T>& call, RedisBatch batch, Next next);
    // Nobody waits for the answer.
    void post(RedisBatch batch);

    // ---- looking up (redis_store.cpp)

    using Place = std::pair<Digest, Digest>;  // key and binding
    struct Answer {
        Find find = Find::unavailable;
        RecordSealer::Opened opened;
        Seconds expires = 0;
    };
    struct Waiter {
        Ticket ticket = 0;
        ngx_pool_t* pool = nullptr;
        Done<std::optional<Found>> done;
    };
    struct Fetch {
        Place place;
        bool keep = true;  // as a local copy
        bool touch = false;
        std::vector<Waiter> waiters;
    };
    using FetchPtr = std::shared_ptr<Fetch>;

    bool find_local(const Query& query, Found& out);
    // The fetch that answers a query: one under way, or a new one that has not been sent.
    FetchPtr fetch_of(const Place& place, bool& fresh);
    void send_fetch(const FetchPtr& fetch);
    void fetched(const FetchPtr& fetch, const Result<Replies>& replies) noexcept;
    Answer read_answer(const Fetch& fetch, const Result<Replies>& replies);
    static Result<std::optional<Found>> found_of(const Answer& answer, const Place& place,
                                                 ngx_pool_t* pool);
    // An opened value of this binding that has not ended; nullopt and a log line otherwise.
    std::optional<RecordSealer::Opened> open_value(const Digest& key, const RedisReply& value);

    // ---- local copies

    [[nodiscard]] SessionZone& copies() const noexcept {
        return *static_cast<SessionZone*>(zone_->data);
    }
    void keep_copy(const Digest& key, const RecordTable::Meta& meta, std::string_view record,
                   Seconds end, bool touched);
    void drop_copy(const Digest& key) noexcept;

    // ---- keys and values

    [[nodiscard]] std::string name(std::string_view kind, const Digest& digest) const;
    [[nodiscard]] std::string owner_name(RecordTable::Tag which, std::uint64_t tag) const;
    void log(LogLevel level, std::string_view text) const noexcept;

    // ---- beginning and end (redis_sessions.cpp, redis_owner.cpp)

    struct Insertion;
    struct Sweep;
    struct Listing;
    void add_to_owner(RedisBatch& batch, RecordTable::Tag which, std::uint64_t tag,
                      const RecordTable::Meta& meta, std::string_view member) const;
    void check_limit(const CallPtr<Inserted>& call, const std::shared_ptr<Insertion>& insertion,
                     const RedisReply& members);
    void enforce_limit(const CallPtr<Inserted>& call, const std::shared_ptr<Insertion>& insertion,
                       const Replies& replies);
    void finish_insert(const CallPtr<Inserted>& call, Insertion& insertion);
    void forget_owner(const Digest& key, const RedisReply& value) noexcept;
    void sweep(const CallPtr<Ended>& call, const std::shared_ptr<Sweep>& sweep);
    void swept(const CallPtr<Ended>& call, const std::shared_ptr<Sweep>& sweep,
               const RedisReply& members);
    void list(const CallPtr<std::vector<RecordTable::Listed>>& call,
              const std::shared_ptr<Listing>& listing);
    void listed(Listing& listing, const Replies& values);

    const Store& store_;
    ngx_shm_zone_t* zone_;
    ngx_ssl_t* ssl_;
    RecordSealer sealer_;
    OpensslRandom random_;
    std::unique_ptr<RedisPool> pool_;  // of a worker
    Ticket last_ = 0;
    std::map<Ticket, std::shared_ptr<CallBase>> calls_;
    std::map<Place, FetchPtr> fetches_;  // that others may join
    std::map<Ticket, FetchPtr> waiters_;
    // When the leases of this worker end, by its own clock.
    std::map<Digest, Seconds> leases_;
};

// ---- details -----------------------------------------------------------------------------------

// What an answer of Redis that is an error means to a caller. Errors: store_full, when Redis has no
// memory left; store_unavailable.
Error redis_error(std::string_view command, const RedisReply& reply);
// The end of a session that PTTL says to live for `left` more milliseconds; negative: no end of its
// own.
inline Seconds session_end(const RecordTable::Meta& meta, long long left, Seconds now) noexcept {
    const auto end = now + static_cast<Seconds>((left + 999) / 1000);
    return left < 0 || meta.expires < end ? meta.expires : end;
}
// The first error of some replies, in an EXEC as well; null: none.
const RedisReply* first_error(std::span<const RedisReply> replies) noexcept;

template <class T>
RedisStore::CallPtr<T> RedisStore::open_call(Done<T> done) {
    auto call = std::make_shared<Call<T>>();
    call->done = std::move(done);
    call->ticket = ++last_;
    calls_.emplace(call->ticket, call);
    return call;
}

template <class T>
void RedisStore::answer(const CallPtr<T>& call, Result<T> result) {
    calls_.erase(call->ticket);
    if (Done<T> done = std::exchange(call->done, nullptr)) {
        done(std::move(result));
    }
}

template <class T, class Next>
void RedisStore::exchange(const CallPtr<T>& call, RedisBatch batch, Next next) {
    if (pool_ == nullptr) {
        answer<T>(call, Error{Reason::store_unavailable, "this process has no redis", {}});
        return;
    }
    pool_->send(std::move(batch), [this, call, next = std::move(next)](Result<Replies> replies) {
        try {
            if (replies) {
                next(*replies);
                return;
            }
        } catch (...) {
            answer<T>(call, Error{Reason::internal_error, "no memory", {}});
            return;
        }
        answer<T>(call, std::move(replies).error());
    });
}

}  // namespace oidc::ngx
