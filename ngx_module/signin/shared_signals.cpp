// SPDX-License-Identifier: Apache-2.0
#include "signin/shared_signals.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ports_ngx.hpp"
#include "oidc/page.hpp"
#include "oidc/shared_signals.hpp"
#include "oidc/signal_flow.hpp"
#include "request/request_body.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/posted_token.hpp"
#include "signin/session_end.hpp"
#include "signin/upgraded.hpp"

namespace oidc::ngx {
namespace {

Status admit(ngx_http_request_t* r, const Provider& provider) {
    const ngx_table_elt_t* header = r->headers_in.authorization;
    return check_signal_bearer(header != nullptr ? view(header->value) : std::string_view{},
                               provider.config.signals.token);
}

constexpr Posted kSignal{"shared signal", "a security event must come with POST",
                         kMaxSignal,      Reason::signal_too_large,
                         signal_refusal,  admit};

NgxLog log_of(ngx_http_request_t* r) {
    return NgxLog(r->connection->log);
}

const std::string& name_of(const RequestContext& ctx) {
    return ctx.task->provider->config.name;
}

// What has ended so far, over all whom the token names.
struct Sum {
    std::size_t sessions = 0;
    bool counted = true;
    [[nodiscard]] std::string text() const {
        return counted ? std::to_string(sessions) + " sessions" : "the sessions";
    }
};

// Of all events of a token that end sessions: which of them ended which is not known.
void log_ended_by(ngx_http_request_t* r, const RequestContext& ctx,
                  const std::vector<SignalEvent>& events, const Sum& sum) {
    std::string types;
    for (const SignalEvent& event : events) {
        if (event.what == SignalResult::ended) {
            types.append(types.empty() ? "" : ", ").append(event.type);
        }
    }
    if (!types.empty()) {
        log_of(r).write(LogLevel::info, "shared signal at provider \"" + name_of(ctx) +
                                            "\" ended " + sum.text() + ": " + types);
    }
}

void log_event(ngx_http_request_t* r, const RequestContext& ctx, const SignalEvent& event) {
    const std::string& name = name_of(ctx);
    switch (event.what) {
        case SignalResult::ended:
            return;  // one line for all
        case SignalResult::unmatched:
            return log_of(r).write(LogLevel::warn, "shared signal at provider \"" + name +
                                                       "\" unmatched, nothing has ended: " +
                                                       event.detail + ": " + event.type);
        case SignalResult::stream:
            return log_of(r).write(LogLevel::notice, "shared signal at provider \"" + name +
                                                         "\" is about the stream: " + event.type +
                                                         " " + event.detail);
        default:
            return log_of(r).write(LogLevel::info,
                                   "shared signal at provider \"" + name +
                                       "\" is of a type that ends nothing: " + event.type);
    }
}

ngx_int_t accept_token(ngx_http_request_t* r, const RequestContext& ctx, const HeardSignals& heard,
                       const Sum& sum) {
    if (!sum.counted || sum.sessions > 0) {
        look_at_upgraded();
    }
    for (const SignalEvent& event : heard.events) {
        counters(r).count_signal(event.what);
        log_event(r, ctx, event);
    }
    log_ended_by(r, ctx, heard.events, sum);
    return send_respond(r, signal_page());
}

// The sessions of owners[index] and all behind it; then the token is noted.
ngx_int_t end_from(ngx_http_request_t* r, RequestContext& ctx,
                   const std::shared_ptr<const HeardSignals>& heard, std::size_t index, Sum sum) {
    if (index == heard->owners.size()) {
        return use_posted(r, ctx, kSignal, *heard, [r, &ctx, heard, sum](bool /*first*/) {
            return accept_token(r, ctx, *heard, sum);
        });
    }
    const SessionOwner& owner = heard->owners[index];
    return end_posted(r, ctx, kSignal, owner, [r, &ctx, heard, index, sum] {
        log_ended(*ctx.task, "shared signal");
        const SessionStore::Ended& ended = ctx.task->ended;
        return end_from(r, ctx, heard, index + 1,
                        {sum.sessions + ended.sessions, sum.counted && ended.counted});
    });
}

// The token holds. It is noted as used when the sessions have ended: where the store fails in
// between, or the transmitter does not wait, its next attempt finds them still to be ended.
ngx_int_t hear(ngx_http_request_t* r, RequestContext& ctx, const HeardSignals& said) {
    auto heard = std::make_shared<const HeardSignals>(said);
    return look_for_posted(r, ctx, kSignal, *heard, [r, &ctx, heard](bool used) {
        if (used) {
            // The transmitter has not seen the first answer (RFC 8935 2).
            counters(r).count_signal(SignalResult::repeated);
            log_of(r).write(LogLevel::notice, "shared signal at provider \"" + name_of(ctx) +
                                                  "\" was used before, nothing has ended");
            return send_respond(r, signal_page());
        }
        return end_from(r, ctx, heard, 0, {});
    });
}

}  // namespace

ngx_int_t handle_signal(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    return take_posted(r, ctx, provider, kSignal, [r, &ctx](std::string_view body) {
        Result<std::string> token = parse_signal(request_content_type(r), body);
        if (!token) {
            return refuse_posted(r, ctx, kSignal, token.error());
        }
        return judge_posted<SignalFlow>(r, ctx, kSignal, *std::move(token),
                                        [r, &ctx](const TokenHolds& holds) {
                                            return hear(r, ctx, std::get<HeardSignals>(holds));
                                        });
    });
}

}  // namespace oidc::ngx
