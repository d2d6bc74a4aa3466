// SPDX-License-Identifier: Apache-2.0
#include "provider/flow_runner.hpp"

#include <utility>

#include "base/asking.hpp"
#include "base/debug_log.hpp"
#include "oidc/ptr.hpp"
#include "oidc/traceparent.hpp"

namespace oidc::ngx {

FlowRunner::~FlowRunner() {
    if (CurlLoop* loop = CurlLoop::worker(); loop != nullptr && fetch_ != 0) {
        loop->cancel(fetch_);
    }
    if (MetadataCache* cache = MetadataCache::worker(); cache != nullptr && ticket_ != 0) {
        cache->cancel(ticket_);
    }
}

std::optional<Step> FlowRunner::start(std::unique_ptr<Flow> flow) {
    flow_ = std::move(flow);
    return follow(flow_->start());
}

std::optional<Step> FlowRunner::go_on() {
    if (!outcome_) {
        return Refuse{fail(Reason::internal_error, "the flow goes on without an outcome")};
    }
    Event event = *std::move(outcome_);
    outcome_.reset();
    return resume(std::move(event));
}

std::optional<Step> FlowRunner::resume(Event event) {
    const OpensslErrorGuard guard;
    return follow(flow_->resume(std::move(event)));
}

std::optional<Step> FlowRunner::follow(Step step) {
    const OpensslErrorGuard guard;
    for (;;) {
        log_step(step);
        if (const auto* need = std::get_if<NeedProvider>(&step)) {
            ask_provider(*need);
        } else if (auto* request = std::get_if<Fetch>(&step)) {
            fetch(std::move(*request));
        } else {
            return step;
        }
        if (!outcome_) {
            return std::nullopt;
        }
        Event event = *std::move(outcome_);
        outcome_.reset();
        step = flow_->resume(std::move(event));
    }
}

void FlowRunner::log_step(const Step& step) const noexcept {
    if (!debugs(log_)) {
        return;
    }
    const Error* error = step_error(step);
    debug_log(log_, "oidc flow: %s at provider \"%s\": %s%s%s", kind_,
              provider_.config.name.c_str(), step_name(step).data(), error != nullptr ? ": " : "",
              error != nullptr ? reason_info(error->reason).code.data() : "");
}

Provider& FlowRunner::provider_of(std::size_t source) const {
    return source == 0 ? provider_ : *provider_.sources.at(source - 1);
}

void FlowRunner::ask_provider(const NeedProvider& need) {
    const Asking asking(asking_);
    const MetadataCache::Ticket ticket = ask_for_provider(
        provider_of(need.source), need, [this](Event event) { deliver(std::move(event)); });
    if (!outcome_) {
        ticket_ = ticket;
    }
}

// Not in the background: a worker that shuts down waits, for a browser or for a new refresh token.
void FlowRunner::fetch(Fetch step) {
    CurlLoop* loop = CurlLoop::worker();
    if (loop == nullptr) {
        outcome_.emplace(fail(Reason::internal_error, "this process has no connections"));
        return;
    }
    if (!trace_.empty() && step.source == 0) {
        step.request.headers.push_back({std::string(kTraceparent), trace_});
    }
    const Asking asking(asking_);
    const CurlLoop::Handle handle = loop->start(
        std::move(step.request), provider_of(step.source).transport,
        [this](HttpOutcome outcome) {
            if (outcome) {
                deliver(*std::move(outcome));
            } else {
                deliver(std::move(outcome).error());
            }
        },
        false, log_);
    if (!outcome_) {
        fetch_ = handle;
    }
}

void FlowRunner::deliver(Event event) noexcept {
    outcome_.emplace(std::move(event));
    fetch_ = 0;
    ticket_ = 0;
    if (!asking_) {
        owner_.on_outcome();
    }
}

}  // namespace oidc::ngx
