// SPDX-License-Identifier: Apache-2.0
// RedisCalls: calls of a store whose answers may take several exchanges with Redis.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "stores/redis_pool.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class RedisCalls {
  public:
    using Ticket = SessionStore::Ticket;
    using Replies = RedisPool::Replies;
    template <class T>
    using Done = SessionStore::Done<T>;

    class Base {
      public:
        Base() = default;
        Base(const Base&) = delete;
        Base& operator=(const Base&) = delete;
        virtual ~Base() = default;
        // False: it has been answered, or nobody waits any longer.
        [[nodiscard]] virtual bool waits() const noexcept = 0;

      protected:
        friend class RedisCalls;
        virtual void forget() noexcept = 0;
        Ticket ticket = 0;
    };
    template <class T>
    class Call final : public Base {
      public:
        [[nodiscard]] bool waits() const noexcept override { return done != nullptr; }

      private:
        friend class RedisCalls;
        void forget() noexcept override { done = nullptr; }
        Done<T> done;
    };
    // Shared with what is under way for it.
    template <class T>
    using CallPtr = std::shared_ptr<Call<T>>;

    // From then on calls reach Redis, until stop(), which forgets them all.
    void start(std::unique_ptr<RedisPool> pool) noexcept { pool_ = std::move(pool); }
    void stop() noexcept;
    // Null outside of a worker.
    [[nodiscard]] const RedisPool* pool() const noexcept { return pool_.get(); }
    // Nothing can be sent now.
    [[nodiscard]] bool is_down() const noexcept { return pool_ == nullptr || pool_->is_down(); }

    // Opens a call and does `begin(call)`, which answers it or sends what will. An exception
    // answers it as well. Its ticket; 0: it has been answered.
    template <class T, class Begin>
    Ticket open(Done<T> done, Begin begin);
    // Once; nothing happens when it has been answered or cancelled. What the caller throws is its
    // own loss.
    template <class T>
    void answer(const CallPtr<T>& call, Result<T> result) noexcept;
    // Sends, and goes on with `next(replies)`; a failure answers the call.
    template <class T, class Next>
    void exchange(const CallPtr<T>& call, RedisBatch batch, Next next);
    // Sends, and calls `done` in any case, unless it throws.
    void send(RedisBatch batch, RedisPool::Done done);
    // Nobody waits for the answer.
    void post(RedisBatch batch);
    void cancel(Ticket ticket) noexcept;

  private:
    static void lost() noexcept;

    std::unique_ptr<RedisPool> pool_;  // of a worker
    Ticket last_ = 0;
    std::map<Ticket, std::shared_ptr<Base>> open_;
};

// ---- details -----------------------------------------------------------------------------------

template <class T, class Begin>
RedisCalls::Ticket RedisCalls::open(Done<T> done, Begin begin) {
    auto call = std::make_shared<Call<T>>();
    call->ticket = ++last_;
    open_.emplace(call->ticket, call);
    call->done = std::move(done);
    const Ticket ticket = call->ticket;
    try {
        begin(call);
    } catch (...) {
        answer<T>(call, Error{Reason::internal_error, "no memory", {}});
    }
    return open_.contains(ticket) ? ticket : 0;
}

template <class T>
void RedisCalls::answer(const CallPtr<T>& call, Result<T> result) noexcept {
    open_.erase(call->ticket);
    try {
        if (const Done<T> done = std::exchange(call->done, nullptr)) {
            done(std::move(result));
        }
    } catch (...) {
        lost();
    }
}

template <class T, class Next>
void RedisCalls::exchange(const CallPtr<T>& call, RedisBatch batch, Next next) {
    send(std::move(batch), [this, call, next = std::move(next)](Result<Replies> replies) {
        if (!replies) {
            answer<T>(call, std::move(replies).error());
            return;
        }
        try {
            next(*replies);
        } catch (...) {
            answer<T>(call, Error{Reason::internal_error, "no memory", {}});
        }
    });
}

}  // namespace oidc::ngx
