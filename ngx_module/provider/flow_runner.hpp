// SPDX-License-Identifier: Apache-2.0
// FlowRunner: the one interpreter of a flow's steps. It waits for the provider's documents and
// fetches from its endpoints; every other step is the owner's. A login and a back-channel logout
// belong to a request, a refresh to the worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/ports_ngx.hpp"
#include "config/conf.hpp"
#include "http/curl_loop.hpp"
#include "oidc/step.hpp"
#include "provider/metadata_cache.hpp"

namespace oidc::ngx {

class FlowRunner {
  public:
    class Owner {
      public:
        // From the event loop: what the flow waited for is there, go_on() is due, now or later. The
        // runner may be destroyed here.
        virtual void on_outcome() noexcept = 0;

      protected:
        ~Owner() = default;
    };

    // Borrows everything. `kind` is a word for the debug log.
    FlowRunner(const char* kind, Provider& provider, ngx_log_t* log, Owner& owner) noexcept
        : kind_(kind), provider_(provider), log_(log), owner_(owner), ports_(log) {}
    // Cancels what the flow waits for; nothing is called back afterwards.
    ~FlowRunner();
    FlowRunner(const FlowRunner&) = delete;
    FlowRunner& operator=(const FlowRunner&) = delete;

    // For the flow, which the runner then owns.
    [[nodiscard]] Ports ports() noexcept { return ports_.ports(); }

    // What its requests to the endpoints of its provider carry as `traceparent`; empty: nothing.
    // Those to a claim_source, and for documents, which are everybody's, never do.
    void set_trace(std::string traceparent) noexcept { trace_ = std::move(traceparent); }

    // Each of these runs the flow up to a step that is the owner's, which the owner answers with
    // resume() unless it is the last one; nullopt: the flow waits, and on_outcome() will be called.
    // May throw what the flow throws.
    std::optional<Step> start(std::unique_ptr<Flow> flow);
    std::optional<Step> go_on();
    std::optional<Step> resume(Event event);

  private:
    std::optional<Step> follow(Step step);
    void log_step(const Step& step) const noexcept;
    [[nodiscard]] Provider& provider_of(std::size_t source) const;
    void ask_provider(const NeedProvider& need);
    void fetch(Fetch step);
    void deliver(Event event) noexcept;

    const char* kind_;
    Provider& provider_;
    ngx_log_t* log_;
    Owner& owner_;
    FlowPorts ports_;  // outlives the flow
    std::unique_ptr<Flow> flow_;
    std::optional<Event> outcome_;
    std::string trace_;
    bool asking_ = false;  // inside a call that may answer at once
    CurlLoop::Handle fetch_ = 0;
    MetadataCache::Ticket ticket_ = 0;
};

}  // namespace oidc::ngx
