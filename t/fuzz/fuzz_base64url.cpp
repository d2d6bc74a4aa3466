// SPDX-License-Identifier: Apache-2.0
// base64url: every accepted text is the one encoding of its bytes. Percent escapes likewise.
#include <array>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = text_of(data, size);
    if (const auto bytes = base64url_decode(text)) {
        promise(base64url_encode(as_bytes(*bytes)) == text, "only the canonical form is accepted");
    }
    const auto back = base64url_decode(base64url_encode(ByteView(data, size)));
    promise(back && *back == text, "decoding undoes encoding");
    std::array<std::uint8_t, 32> exact{};
    const bool fits = base64url_decode_exact(text, exact);
    const auto bytes = base64url_decode(text);
    promise(fits == (bytes && bytes->size() == exact.size()), "exact means this size");
    promise(!fits || as_text(exact) == *bytes, "both decoders agree");
    promise(percent_decode(percent_encode(text), false) == text, "percent escapes");
    Secret form;
    append_form_encoded(form, text);
    promise(percent_decode(form.view(), true) == text, "form escapes");
    (void)percent_decode(text, true);
    promise(!has_control_bytes(log_escape(text)), "log lines are one line");
    promise(html_escape(text).find_first_of("<>\"'") == std::string::npos, "html is plain text");
    promise(is_utf8(json_quote(text)), "JSON strings are UTF-8");
    return 0;
}
