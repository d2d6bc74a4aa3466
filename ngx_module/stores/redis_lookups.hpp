// SPDX-License-Identifier: Apache-2.0
// RedisLookups: what this node knows of sessions in Redis, and asking Redis for what it does not.
// Those who look for one session at once share one question.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "stores/redis_calls.hpp"
#include "stores/redis_copies.hpp"
#include "stores/redis_records.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class RedisLookups {
  public:
    using Find = SessionStore::Find;
    using Found = SessionStore::Found;
    using Query = SessionStore::Query;

    // Borrows all three.
    RedisLookups(RedisCalls& calls, RedisRecords& records, RedisCopies& copies) noexcept
        : calls_(calls), records_(records), copies_(copies) {}

    // As SessionStore.
    Find find(const Query& query, Found& out) noexcept;
    RedisCalls::Ticket ask(const Query& query, RedisCalls::Done<std::optional<Found>> done);

    // This session has ended, or has another record: neither a copy counts any longer, nor what is
    // being read.
    void drop(const Digest& key) noexcept;
    // Those that wait are forgotten.
    void stop() noexcept { fetches_.clear(); }

  private:
    using Asker = RedisCalls::CallPtr<std::optional<Found>>;
    struct Waiting {
        Asker asker;
        ngx_pool_t* pool;
        Digest binding;  // whose session it is to be
        bool touch;
    };
    // A question under way.
    struct Fetch {
        Digest key{};
        bool keep = true;  // as a local copy
        std::vector<Waiting> askers;
    };
    using FetchPtr = std::shared_ptr<Fetch>;
    struct Answer {
        Find find = Find::unavailable;
        RecordSealer::Opened opened;
        Seconds expires = 0;
    };

    static bool may_join(const Fetch& fetch, const Query& query) noexcept;
    void join(const Asker& asker, const Query& query);
    void send(const FetchPtr& fetch);
    void fetched(const FetchPtr& fetch, const Result<RedisCalls::Replies>& replies) noexcept;
    Answer read(const Fetch& fetch, const Result<RedisCalls::Replies>& replies);
    static Result<std::optional<Found>> found_of(const Answer& answer, const Digest& key,
                                                 const Waiting& waiting);
    void move_end(const Digest& key, Seconds end);

    RedisCalls& calls_;
    RedisRecords& records_;
    RedisCopies& copies_;
    std::map<Digest, FetchPtr> fetches_;  // that others may join
};

}  // namespace oidc::ngx
