// SPDX-License-Identifier: Apache-2.0
// Answers of the endpoint for pushed requests, with their media type and status in front.
#include "fuzz.hpp"
#include "oidc/authz_request.hpp"
#include "oidc/pushed_request.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    HttpRequest request;
    request.url = "https://op.example/par";
    request.endpoint = "pushed_authorization_request_endpoint";
    HttpResponse response = response_of(text_of(data, size));
    const int status = response.status;
    const Result<std::string> uri = parse_pushed_response(request, std::move(response));
    if (!uri) {
        return 0;
    }
    promise(status == 200 || status == 201, "only these are a success");
    promise(uri->size() <= kMaxRequestUri && is_resource(*uri), "a bounded absolute URI");
    return 0;
}
