// SPDX-License-Identifier: Apache-2.0
// Records that come back from Redis once they are open: refused, or read within their bounds.
#include "fuzz.hpp"
#include "oidc/sealed_record.hpp"
#include "oidc/session.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(text_of(data, size));
    const auto stored = parse_stored_record(text);
    if (!stored) {
        return 0;
    }
    promise(stored->record.data() + stored->record.size() == text.data() + text.size(),
            "the record is the rest of the text");
    promise(
        stored->meta.expires >= 0 && stored->meta.idle_timeout >= 0 && stored->meta.created >= 0,
        "times are not negative");
    const Secret again = encode_stored_record(stored->meta, stored->record);
    promise(again.view() == text, "what was read is written the same");
    (void)SessionView::open(stored->record);
    return 0;
}
