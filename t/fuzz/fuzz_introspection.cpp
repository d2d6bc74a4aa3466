// SPDX-License-Identifier: Apache-2.0
// Answers about an access token, with their media type and status in front, down to the record.
#include "fuzz.hpp"
#include "oidc/introspection.hpp"
#include "oidc/session.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

class NoLog final : public Log {
  public:
    void write(LogLevel, std::string_view) noexcept override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr Seconds kNow = 1'700'000'000;
    ProviderConfig config;
    config.name = "op";
    config.issuer = "https://op.example";
    config.client_id = "client";
    ProviderState provider;
    provider.introspection_algs = {Alg::RS256, Alg::ES256};
    const std::string_view text = text_of(data, size);
    HttpRequest request;
    request.endpoint = "introspection_endpoint";
    const HttpOutcome outcome(response_of(text));
    const auto answer = parse_introspection(request, outcome, config, provider, kNow);
    if (!answer) {
        const Error error = introspection_error(answer.error());
        promise(is_verdict(error.reason) || error.reason == Reason::introspection_malformed ||
                    error.reason == Reason::introspection_unavailable,
                "an error of introspection");
        return 0;
    }
    promise(outcome->content_type == "application/json", "nobody has signed it");
    promise(!answer->sub.empty() && answer->sub.size() < 256, "it is of somebody");
    promise(answer->exp == 0 || answer->exp + config.clock_skew > kNow, "it lives");
    NoLog log;
    const auto made = make_access_token_record(*answer, "token", config, log);
    if (made) {
        const auto view = SessionView::open(made->record.view());
        promise(view && view->sub() == answer->sub, "the record can be read");
        promise(!view->username().empty(), "it has a name");
        const auto again = open_token_record(made->record.view());
        promise(again && again->audiences == made->audiences, "it is for the same places");
        promise(again->binding.jkt == made->binding.jkt && again->binding.x5t == made->binding.x5t,
                "and bound to the same");
        promise(again->exp == made->exp, "for as long");
    }
    return 0;
}
