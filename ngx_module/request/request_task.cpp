#include "request/request_task.hpp"

#include <algorithm>
#include <utility>

namespace oidc::ngx {
namespace {

void on_cleanup(void* data) noexcept {
    abandon(*static_cast<RequestContext*>(data));
}

void post_write_event(ngx_http_request_t* r) noexcept {
    if (!r->connection->write->posted) {
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }
}

bool add_cleanup(ngx_http_request_t* r, RequestContext& ctx) noexcept {
    if (ctx.cleanup_added) {
        return true;
    }
    ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r->main, 0);
    if (cleanup == nullptr) {
        return false;
    }
    cleanup->handler = on_cleanup;
    cleanup->data = &ctx;
    ctx.cleanup_added = true;
    return true;
}

}  // namespace

// Never runs the request's phases from here, inside somebody else's callback: the posted write
// event does.
void deliver(ngx_http_request_t* r, RequestContext& ctx, Event event) noexcept {
    ctx.outcome = std::make_unique<Event>(std::move(event));
    ctx.fetch = 0;
    ctx.ticket = 0;
    ctx.store_ticket = 0;
    if (ctx.asking) {
        return;
    }
    ctx.waiting = false;
    post_write_event(r);
}

void resume_request(ngx_http_request_t* r, RequestContext& ctx) noexcept {
    if (ctx.waiting) {
        ctx.waiting = false;
        r->main->read_event_handler = ngx_http_block_reading;
    }
    for (ngx_http_request_t* subrequest : std::exchange(ctx.waiting_subrequests, {})) {
        ngx_http_post_request(subrequest, nullptr);
    }
    post_write_event(r);
}

Event take_outcome(RequestContext& ctx) {
    Event event = std::move(*ctx.outcome);
    ctx.outcome.reset();
    return event;
}

bool ask_provider(ngx_http_request_t* r, RequestContext& ctx, std::uint64_t newer_than) {
    MetadataCache* cache = MetadataCache::worker();
    if (cache == nullptr) {
        ctx.outcome = std::make_unique<Event>(
            fail(Reason::internal_error, "this process has no metadata cache"));
        return true;
    }
    ctx.asking = true;
    const MetadataCache::Ticket ticket = cache->want(
        *ctx.provider, newer_than, [r, &ctx](Result<std::shared_ptr<const ProviderState>> result) {
            if (result) {
                deliver(r, ctx, ProviderReady(*std::move(result)));
            } else {
                deliver(r, ctx, std::move(result).error());
            }
        });
    ctx.asking = false;
    if (!ctx.outcome) {
        ctx.ticket = ticket;
    }
    return ctx.outcome != nullptr;
}

bool start_fetch(ngx_http_request_t* r, RequestContext& ctx, HttpRequest request) {
    CurlLoop* loop = CurlLoop::worker();
    if (loop == nullptr) {
        ctx.outcome = std::make_unique<Event>(
            fail(Reason::internal_error, "this process has no connections"));
        return true;
    }
    ctx.asking = true;
    const CurlLoop::Handle handle =
        loop->start(std::move(request), ctx.provider->transport, [r, &ctx](HttpOutcome outcome) {
            if (outcome) {
                deliver(r, ctx, *std::move(outcome));
            } else {
                deliver(r, ctx, std::move(outcome).error());
            }
        });
    ctx.asking = false;
    if (!ctx.outcome) {
        ctx.fetch = handle;
    }
    return ctx.outcome != nullptr;
}

ngx_int_t wait_for_outcome(ngx_http_request_t* r, RequestContext& ctx) {
    if (!add_cleanup(r, ctx)) {
        abandon(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r != r->main) {
        ctx.waiting_subrequests.push_back(r);
        r->write_event_handler = ngx_http_core_run_phases;
        return NGX_AGAIN;
    }
    ngx_event_t* read = r->connection->read;
    if (read->ready) {
        if (!read->posted) {
            ngx_post_event(read, &ngx_posted_events);
        }
    } else if (ngx_handle_read_event(read, 0) != NGX_OK) {
        abandon(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ctx.waiting = true;
    return NGX_AGAIN;
}

ngx_int_t when_ready(ngx_http_request_t* r, RequestContext& ctx, bool ready,
                     RequestContext::Next next) {
    if (ready) {
        return next(take_outcome(ctx));
    }
    ctx.next = std::move(next);
    return wait_for_outcome(r, ctx);
}

void abandon(RequestContext& ctx) noexcept {
    if (ctx.fetch != 0) {
        if (CurlLoop* loop = CurlLoop::worker()) {
            loop->cancel(ctx.fetch);
        }
        ctx.fetch = 0;
    }
    if (ctx.ticket != 0) {
        if (MetadataCache* cache = MetadataCache::worker()) {
            cache->cancel(ctx.ticket);
        }
        ctx.ticket = 0;
    }
    if (ctx.store_ticket != 0) {
        ctx.store->cancel(ctx.store_ticket);
        ctx.store_ticket = 0;
    }
    for (const auto& asked : std::exchange(ctx.looked_up, {})) {
        if (asked->ticket != 0) {
            asked->store->cancel(asked->ticket);
        }
    }
    ctx.waiting = false;
    ctx.waiting_subrequests.clear();
    ctx.outcome.reset();
    ctx.flow.reset();
    ctx.next = nullptr;
    ctx.task = RequestContext::Task::none;
}

}  // namespace oidc::ngx
