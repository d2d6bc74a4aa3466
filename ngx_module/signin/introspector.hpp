// SPDX-License-Identifier: Apache-2.0
// Questions about opaque access tokens (RFC 7662): what is known from shared memory, one question
// for all requests that bring the same token, over all workers, and few at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/access_token.hpp"
#include "oidc/result.hpp"

namespace oidc::ngx {

class Introspector {
  public:
    // The exp of a token that has none is the end of the answer. Or why there is none: a verdict
    // (is_verdict), introspection_*.
    using Answer = Result<std::shared_ptr<const AccessTokenRecord>>;
    using Done = std::function<void(const Answer&)>;
    using Ticket = std::uint64_t;

    // Questions of a worker to one provider that are under way at one time; others are
    // introspection_busy. Those of another worker that this one waits for do not count.
    static constexpr std::size_t kMaxQuestions = 8;

    // The worker's; null outside workers.
    static Introspector* worker() noexcept;
    static std::unique_ptr<Introspector> make();

    virtual ~Introspector() = default;
    // The answer that is kept; nullopt: there is none, ask().
    virtual std::optional<Answer> known(const Provider& provider, std::string_view token) = 0;
    // `done` is called once with the answer, at once when the ticket is 0. A question goes on when
    // nobody waits for it any more: its answer is kept for the next one who brings the token.
    // Throws when memory is out.
    // `trace` is of the request, see FlowRunner::set_trace; a question that others wait for as well
    // has that of the first.
    virtual Ticket ask(Provider& provider, std::string_view token, std::string trace,
                       ngx_log_t* log, Done done) = 0;
    // `done` is not called any more.
    virtual void forget(Ticket ticket) noexcept = 0;
};

}  // namespace oidc::ngx
