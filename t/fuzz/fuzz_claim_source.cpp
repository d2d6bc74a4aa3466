// SPDX-License-Identifier: Apache-2.0
// Aggregated and distributed claims: UserInfo that names sources, and what an endpoint answers, as
// fuzz.hpp has it, after a line of its own that is "-".
#include "fuzz.hpp"
#include "oidc/claim_source.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

class FixedClock final : public Clock {
  public:
    [[nodiscard]] Seconds now() const noexcept override { return 1'700'000'000; }
};

class NoLog final : public Log {
  public:
    void write(LogLevel, std::string_view) noexcept override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    const std::size_t mark = input.find("\n-\n");
    const Result<JsonPtr> userinfo = json_parse_object(input.substr(0, mark));
    if (!userinfo) {
        return 0;
    }
    const std::string before = json_text(userinfo->get());
    ProviderConfig config;
    config.name = "op";
    config.client_id = "client";
    ProviderConfig source;
    source.name = "source";
    source.issuer = "https://source.example";
    config.claim_sources.push_back({&source, {"api.example:443"}, false});
    const FixedClock clock;
    FixedRandom random;
    NoLog log;
    ClaimSources sources(config, Ports{clock, random, log}, false);
    auto state = std::make_shared<ProviderState>();
    state->algs = {Alg::RS256, Alg::HS256};
    int steps = 0;
    auto wait = sources.start(nullptr, userinfo->get());
    while (wait) {
        promise(++steps <= 12, "four sources, three steps each");
        if (const auto* fetch = std::get_if<Fetch>(&*wait)) {
            const std::string_view authorization = fetch->request.authorization.view();
            const Result<Url> url = parse_url(fetch->request.url);
            promise(url && url->scheme == "https" && url->port == 443 &&
                        ascii_lower(url->host) == "api.example",
                    "an endpoint that is listed");
            promise(authorization.find_first_of("\r\n") == std::string_view::npos,
                    "one line of a header");
            wait = sources.resume(response_of(
                mark == std::string_view::npos ? std::string_view() : input.substr(mark + 3)));
        } else {
            wait = sources.resume(ProviderReady(state));
        }
    }
    // There is no key, so that nothing can be signed.
    promise(sources.verdict().ok() && json_text(userinfo->get()).size() <= before.size(),
            "nothing is taken that is not signed");
    return 0;
}
