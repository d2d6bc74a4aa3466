// SPDX-License-Identifier: Apache-2.0
// UserInfo responses, with their media type and status in front, down to the claims.
#include "fuzz.hpp"
#include "oidc/claims.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "oidc/userinfo.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

class NoLog final : public Log {
  public:
    void write(LogLevel, std::string_view) noexcept override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ProviderConfig config;
    config.issuer = "https://op.example";
    config.client_id = "client";
    config.client_secret = Secret("the secret that signs, thirty-two bytes at least");
    ProviderState provider;
    provider.algs = {Alg::HS256, Alg::RS256};
    const HttpRequest request = userinfo_request(provider, "token");
    const Result<UserInfo> info = parse_userinfo(request, response_of(text_of(data, size)), config,
                                                 provider, "john", 1'700'000'000);
    if (!info) {
        return 0;
    }
    const char* sub = json_string_value(json_object_get(info->claims.get(), "sub"));
    promise(sub != nullptr && std::string_view(sub) == "john", "sub is the expected one");
    NoLog log;
    const std::vector<Claim> claims =
        collect_claims(info->claims.get(), info->claims.get(), {{"a", "b"}}, log);
    for (const Claim& claim : claims) {
        promise(!has_control_bytes(claim.text), "claims fit a header");
        promise(claim.name != "_claim_names" && claim.name != "_claim_sources", "not fetched");
    }
    return 0;
}
