// SPDX-License-Identifier: Apache-2.0
// Token responses, with their media type and status in front.
#include <algorithm>

#include "fuzz.hpp"
#include "oidc/token.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    HttpRequest request;
    request.url = "https://op.example/token";
    request.endpoint = "token_endpoint";
    HttpResponse response = response_of(text_of(data, size));
    const int status = response.status;
    const Result<TokenResponse> tokens = parse_token_response(request, std::move(response));
    if (!tokens) {
        return 0;
    }
    promise(status == 200, "only 200 is a success");
    promise(!tokens->id_token.empty() && !tokens->access_token.empty(), "both tokens are there");
    for (const Secret* token : {&tokens->id_token, &tokens->access_token, &tokens->refresh_token}) {
        const std::string_view text = token->view();
        promise(std::all_of(text.begin(), text.end(),
                            [](char c) { return c > ' ' && c < 0x7f && c != '"'; }),
                "tokens fit a header");
    }
    promise(
        tokens->expires_in.value_or(0) >= 0 && tokens->expires_in.value_or(0) <= 10LL * 365 * 86400,
        "times are clamped");
    return 0;
}
