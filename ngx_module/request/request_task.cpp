// SPDX-License-Identifier: Apache-2.0
#include "request/request_task.hpp"

#include "base/debug_log.hpp"
#include "request/waiting.hpp"

namespace oidc::ngx {
namespace {

Event take_outcome(RequestTask& task) {
    if (!task.outcome) {
        return fail(Reason::internal_error, "nothing was waited for");
    }
    Event event = *std::move(task.outcome);
    task.outcome.reset();
    return event;
}

void on_end(void* data) noexcept {
    abandon(*static_cast<RequestContext*>(data));
}

}  // namespace

RequestTask::~RequestTask() {
    if (MetadataCache* cache = MetadataCache::worker(); cache != nullptr && provider_ticket != 0) {
        cache->cancel(provider_ticket);
    }
    if (store_ticket != 0) {
        store->cancel(store_ticket);
    }
}

void RequestTask::on_outcome() noexcept {
    waiting = false;
    wake_request(request);
}

std::string begun_origin(const RequestContext& ctx) {
    return ctx.task == nullptr || ctx.task->begun_at.empty()
               ? std::string()
               : ctx.task->provider->origin_of(ctx.task->begun_at);
}

RequestTask& begin_task(ngx_http_request_t* r, RequestContext& ctx, RequestTask::Kind kind,
                        Provider& provider) {
    if (ctx.task == nullptr) {
        ctx.task = std::make_unique<RequestTask>(r->main);
    }
    ctx.task->kind = kind;
    ctx.task->provider = &provider;
    return *ctx.task;
}

RequestTask::Kind task_kind(const RequestContext& ctx) noexcept {
    return ctx.task != nullptr ? ctx.task->kind : RequestTask::Kind::none;
}

void log_store_answer(const RequestTask& task, const Provider& provider,
                      const char* answer) noexcept {
    debug_log(task.request->connection->log, "oidc store: \"%s\": %s", provider.store->name.c_str(),
              answer);
}

void deliver(RequestTask& task, Event event) noexcept {
    task.outcome.emplace(std::move(event));
    task.provider_ticket = 0;
    task.store_ticket = 0;
    if (!task.asking) {
        task.on_outcome();
    }
}

bool ask_provider(RequestTask& task, const NeedProvider& need) {
    task.outcome.reset();
    const Asking asking(task.asking);
    const MetadataCache::Ticket ticket = ask_for_provider(
        *task.provider, need, [&task](Event event) { deliver(task, std::move(event)); });
    if (!task.outcome) {
        task.provider_ticket = ticket;
    }
    return task.outcome.has_value();
}

ngx_int_t when_ready(ngx_http_request_t* r, RequestContext& ctx, bool ready,
                     std::function<ngx_int_t(Event)> next) {
    if (ready) {
        return next(take_outcome(*ctx.task));
    }
    return wait_for_task(r, ctx,
                         [&ctx, next = std::move(next)] { return next(take_outcome(*ctx.task)); });
}

ngx_int_t follow_flow(ngx_http_request_t* r, RequestContext& ctx, std::optional<Step> step,
                      OnStep on_step) {
    if (step) {
        return on_step(*std::move(step));
    }
    return wait_for_task(r, ctx, [r, &ctx, on_step = std::move(on_step)] {
        return follow_flow(r, ctx, ctx.task->flow->go_on(), on_step);
    });
}

ngx_int_t wait_for_task(ngx_http_request_t* r, RequestContext& ctx, RequestTask::Next next) {
    if (!abandon_at_end(r, ctx) || park_request(r) != NGX_AGAIN) {
        abandon(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx.task->next = std::move(next);
    ctx.task->waiting = true;
    return NGX_AGAIN;
}

bool is_task_due(const RequestContext& ctx) noexcept {
    return ctx.task != nullptr && !ctx.task->waiting && ctx.task->next != nullptr;
}

ngx_int_t resume_task(ngx_http_request_t* r, RequestContext& ctx) {
    r->read_event_handler = ngx_http_block_reading;
    return std::exchange(ctx.task->next, nullptr)();
}

void abandon(RequestContext& ctx) noexcept {
    ctx.task.reset();
    ctx.search.reset();
}

bool abandon_at_end(ngx_http_request_t* r, RequestContext& ctx) noexcept {
    for (ngx_http_cleanup_t* known = r->main->cleanup; known != nullptr; known = known->next) {
        if (known->handler == on_end && known->data == &ctx) {
            return true;
        }
    }
    ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r->main, 0);
    if (cleanup == nullptr) {
        return false;
    }
    cleanup->handler = on_end;
    cleanup->data = &ctx;
    return true;
}

}  // namespace oidc::ngx
