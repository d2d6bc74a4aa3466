// SPDX-License-Identifier: Apache-2.0
// The query of a callback.
#include "fuzz.hpp"
#include "oidc/authz_request.hpp"
#include "oidc/authz_response.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view query = text_of(data, size);
    const std::string stripped = strip_response_arguments(query);
    promise(stripped.size() <= query.size(), "stripping never grows");
    promise(strip_response_arguments(stripped) == stripped, "one pass is enough");
    (void)check_extra_auth_args(query);
    const Result<AuthzResponse> rest = parse_authz_response(stripped);
    promise(!rest || (!rest->is_response() && rest->state.empty() && !rest->has_iss),
            "nothing of the response is left");
    const Result<AuthzResponse> response = parse_authz_response(query);
    if (!response) {
        promise(response.error().reason == Reason::callback_malformed, "one reason");
        return 0;
    }
    promise(response->state.size() <= kMaxState && response->code.size() <= 8192, "bounded");
    for (const std::string_view text :
         {response->code.view(), std::string_view(response->state),
          std::string_view(response->error), std::string_view(response->error_description),
          std::string_view(response->iss)}) {
        promise(!has_control_bytes(text), "no control bytes");
    }
    (void)parse_response_form("application/x-www-form-urlencoded", query);
    const Result<AuthzResponse> read = parse_authz_response(query, ResponseMode::query_jwt);
    promise(!read || (read->state.size() <= kMaxState && read->code.size() <= 8192), "bounded");
    const Result<AuthzResponse> carried = parse_authz_response(query, ResponseMode::form_post);
    promise(
        !carried || carried->sealed.empty() || (carried->code.empty() && carried->state.empty()),
        "what is sealed comes alone");
    ProviderConfig config;
    config.issuer = "https://op.example";
    Metadata metadata;
    metadata.response_iss_supported = true;
    promise(!check_response_iss(*response, config, metadata) || response->iss == config.issuer,
            "only our issuer");
    if (!response->error.empty()) {
        const Error error = response_error(*response);
        promise(error.reason == Reason::access_denied || error.reason == Reason::idp_error,
                "an error is an error");
    }
    return 0;
}
