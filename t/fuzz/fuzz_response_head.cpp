// SPDX-License-Identifier: Apache-2.0
// The head of a provider's response, cut into lines as libcurl does.
#include "fuzz.hpp"
#include "oidc/response_head.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest = text_of(data, size);
    ResponseHead head;
    bool whole = true;
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        const std::string_view line = rest.substr(0, end == std::string_view::npos ? end : end + 1);
        rest.remove_prefix(line.size());
        const bool accepted = head.accept(line);
        promise(accepted == (head.problem() == nullptr), "a refusal has its words");
        promise(whole || !accepted, "refused for good");
        whole = accepted;
    }
    promise(head.status() == 0 || (head.status() >= 100 && head.status() <= 599), "status");
    promise(!head.content_length() || *head.content_length() < 1'000'000'000'000'000'000U,
            "a length that no sum overflows");
    for (const std::string_view text :
         {std::string_view(head.content_type()), std::string_view(head.location()),
          std::string_view(head.retry_after())}) {
        promise(text.size() <= ResponseHead::kMaxBytes, "bounded");
        promise(text.find_first_of(std::string_view("\r\n\0\x7f", 4)) == std::string_view::npos,
                "no line ends");
        promise(text.empty() || (text.front() != ' ' && text.back() != ' '), "trimmed");
    }
    promise(head.content_type().find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ;") == std::string::npos,
            "a media type in lower case, without parameters");
    return 0;
}
