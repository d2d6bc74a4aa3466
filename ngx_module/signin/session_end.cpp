// SPDX-License-Identifier: Apache-2.0
#include "signin/session_end.hpp"

#include <utility>

#include "base/debug_log.hpp"
#include "base/refusal_log.hpp"
#include "oidc/page.hpp"
#include "request/own_cookies.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/decide.hpp"
#include "signin/upgraded.hpp"

namespace oidc::ngx {

ngx_int_t end_sessions(ngx_http_request_t* r, RequestContext& ctx,
                       std::function<ngx_int_t()> next) {
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    std::vector<Digest> keys = presented_keys(r, ctx, provider);
    if (ctx.decision != nullptr) {
        ctx.decision->clear();
    }
    debug_log(r->connection->log,
              "oidc logout: provider \"%s\": %uz session cookies came to be ended",
              provider.config.name.c_str(), keys.size());
    if (keys.empty()) {
        return next();
    }
    const bool ready = ask_store(task, provider, task.erased, [&](auto done) {
        return provider.store->sessions().erase(keys, std::move(done));
    });
    return when_ready(r, ctx, ready,
                      [r, &ctx, next = std::move(next), keys = std::move(keys)](Event event) {
                          if (const auto* error = std::get_if<Error>(&event)) {
                              // The cookie stays: the session has not ended, and the user must
                              // know.
                              return refuse(r, ctx, ctx.task->provider, *error, {});
                          }
                          close_upgraded(keys);
                          return next();
                      });
}

void expire_cookies(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider) {
    answer_session_cookie(r, ctx, provider, {}, 0);
    answer_clear_cookies(ctx, provider, public_https(r, &provider));
}

bool end_owned(RequestTask& task, RecordTable::Tag which, std::uint64_t tag) {
    const Provider& provider = *task.provider;
    return ask_store(task, provider, task.ended, [&](auto done) {
        return provider.store->sessions().erase_owner(which, tag, std::move(done));
    });
}

void log_ended(const RequestTask& task, const char* how) noexcept {
    const char* name = task.provider->config.name.c_str();
    ngx_log_t* log = task.request->connection->log;
    if (task.ended.counted) {
        debug_log(log, "oidc logout: provider \"%s\": %s ended %uz sessions", name, how,
                  task.ended.sessions);
    } else {
        debug_log(log, "oidc logout: provider \"%s\": %s ended what sessions there were", name,
                  how);
    }
}

bool ended_any(const RequestTask& task) noexcept {
    return !task.ended.counted || task.ended.sessions > 0;
}

ngx_int_t refuse_provider(ngx_http_request_t* r, RequestContext& ctx, const char* what,
                          const Error& error, const Respond& respond) {
    counters(r).count_refusal(error.reason);
    ctx.answer.error_code = reason_info(error.reason).code.data();
    log_refusal(r->connection->log, what, ctx.task->provider->config.name, error, "-", true);
    return send_respond(r, respond);
}

}  // namespace oidc::ngx
