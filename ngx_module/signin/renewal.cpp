// SPDX-License-Identifier: Apache-2.0
#include "signin/renewal.hpp"

#include <algorithm>

#include "base/debug_log.hpp"
#include "base/worker_event.hpp"
#include "oidc/token_life.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/trace.hpp"
#include "signin/decide.hpp"
#include "signin/refresher.hpp"

namespace oidc::ngx {
namespace {

// Between two looks at a session that another worker may be refreshing.
constexpr ngx_msec_t kFirstLook = 20;
constexpr ngx_msec_t kLongestLook = 250;

class Renewal final : public RequestTask::Held {
  public:
    Renewal(RequestTask& task, ngx_msec_t limit) noexcept
        : task_(task), end_(ngx_current_msec + limit), timer_(this, on_timer, ngx_cycle->log) {}
    ~Renewal() override { stop(); }

    [[nodiscard]] bool is_over() const noexcept { return left() == 0; }

    // The task is woken when there may be something new.
    void wait(Refresher& refresher, const Decision& decision, std::string trace, ngx_log_t* log) {
        stop();
        timer_.set(std::min(look_, left()));
        look_ = std::min(2 * look_, kLongestLook);
        ticket_ = refresher.wait(*decision.provider, decision.ref, decision.session,
                                 std::move(trace), log, [this] {
                                     ticket_ = 0;
                                     wake();
                                 });
    }

    // Nothing is waited for any more.
    void stop() noexcept {
        timer_.unset();
        if (Refresher* refresher = Refresher::worker(); refresher != nullptr && ticket_ != 0) {
            refresher->forget(ticket_);
        }
        ticket_ = 0;
    }

  private:
    [[nodiscard]] ngx_msec_t left() const noexcept {
        const auto left = static_cast<ngx_msec_int_t>(end_ - ngx_current_msec);
        return left > 0 ? static_cast<ngx_msec_t>(left) : 0;
    }
    void wake() noexcept {
        stop();
        task_.on_outcome();
    }
    static void on_timer(ngx_event_t* event) noexcept { WorkerEvent::of<Renewal>(event).wake(); }

    RequestTask& task_;
    ngx_msec_t end_;
    ngx_msec_t look_ = kFirstLook;
    Refresher::Ticket ticket_ = 0;
    WorkerEvent timer_;
};

Renewal& renewal_of(RequestTask& task, const Provider& provider) {
    if (task.renewal == nullptr) {
        task.renewal = std::make_unique<Renewal>(task, provider.transport.read_timeout);
    }
    return static_cast<Renewal&>(*task.renewal);
}

}  // namespace

ngx_int_t renew_tokens(ngx_http_request_t* r, RequestContext& ctx,
                       const std::function<ngx_int_t()>& again) {
    Decision& decision = *ctx.decision;
    Provider& provider = *decision.provider;
    Refresher* refresher = Refresher::worker();
    if (refresher == nullptr || ngx_terminate ||
        !refresh_brings(decision.session, loc_conf(r).tokens, ngx_time(), provider.config) ||
        !is_use(r, provider)) {
        return NGX_DECLINED;
    }
    const bool begins = ctx.task == nullptr || ctx.task->renewal == nullptr;
    if (begins && refresher->is_given_up(decision.ref)) {
        debug_log(r->connection->log, "oidc refresh: not waited for, it was in vain just now");
        return NGX_DECLINED;
    }
    // What the request was busy with before, as a callback is before it is forwarded, stays known.
    RequestTask& task =
        ctx.task != nullptr ? *ctx.task : begin_task(r, ctx, RequestTask::Kind::renewal, provider);
    Renewal& renewal = renewal_of(task, provider);
    if (renewal.is_over()) {
        debug_log(r->connection->log, "oidc refresh: not waited for any longer");
        refresher->give_up(decision.ref);
        return NGX_DECLINED;
    }
    debug_log(r->connection->log, "oidc refresh: waited for, a token has ended");
    renewal.wait(*refresher, decision, trace_of(r, provider), r->connection->log);
    return wait_for_task(r, ctx, [&decision, &renewal, again] {
        renewal.stop();
        decision.forget();
        return again();
    });
}

}  // namespace oidc::ngx
