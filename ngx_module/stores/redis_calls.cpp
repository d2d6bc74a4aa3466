// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_calls.hpp"

namespace oidc::ngx {

void RedisCalls::lost() noexcept {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "oidc: an answer of redis was lost");
}

void RedisCalls::stop() noexcept {
    pool_.reset();
    open_.clear();
}

void RedisCalls::send(RedisBatch batch, RedisPool::Done done) {
    if (pool_ == nullptr) {
        done(fail(Reason::store_unavailable, "this process has no redis"));
        return;
    }
    pool_->send(std::move(batch), std::move(done));
}

void RedisCalls::post(RedisBatch batch) {
    if (pool_ != nullptr) {
        pool_->send(std::move(batch), nullptr);
    }
}

void RedisCalls::cancel(Ticket ticket) noexcept {
    if (const auto it = open_.find(ticket); it != open_.end()) {
        it->second->forget();
        open_.erase(it);
    }
}

}  // namespace oidc::ngx
