// SPDX-License-Identifier: Apache-2.0
#include "oidc/status_format.hpp"

#include <algorithm>

#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// Cuts off the part before the next `separator`.
std::string_view next_part(std::string_view& rest, char separator) noexcept {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view part = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

// A qvalue in thousandths; what is none counts as 0: a range that is hard to read is not wanted.
int quality(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') ||
        (text.size() > 1 && text[1] != '.')) {
        return 0;
    }
    int value = (text[0] - '0') * 1000;
    int unit = 100;
    for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (c < '0' || c > '9') {
            return 0;
        }
        value += (c - '0') * unit;
        unit /= 10;
    }
    return std::min(value, 1000);
}

// How much a format is wanted: by the most specific range that covers it, and of several of these
// the best.
struct Wish {
    int specificity = 0;
    int value = 0;

    void note(int how_specific, int how_much) noexcept {
        if (how_specific > specificity) {
            specificity = how_specific;
            value = how_much;
        } else if (how_specific == specificity) {
            value = std::max(value, how_much);
        }
    }
};

bool prefers_text(std::string_view accept) noexcept {
    constexpr int kAny = 1;
    constexpr int kAnySubtype = 2;
    constexpr int kExact = 3;
    Wish text;
    Wish json;
    while (!accept.empty()) {
        std::string_view item = next_part(accept, ',');
        const std::string_view range = next_part(item, ';');
        int wanted = 1000;
        while (!item.empty()) {
            const std::string_view parameter = next_part(item, ';');
            if (parameter.size() > 2 && equal_nocase(parameter.substr(0, 2), "q=")) {
                wanted = quality(parameter.substr(2));
            }
        }
        if (equal_nocase(range, "text/plain") ||
            equal_nocase(range, "application/openmetrics-text")) {
            text.note(kExact, wanted);
        } else if (equal_nocase(range, "application/json")) {
            json.note(kExact, wanted);
        } else if (equal_nocase(range, "text/*")) {
            text.note(kAnySubtype, wanted);
        } else if (equal_nocase(range, "application/*")) {
            json.note(kAnySubtype, wanted);
        } else if (range == "*/*") {
            text.note(kAny, wanted);
            json.note(kAny, wanted);
        }
    }
    return text.value > json.value ||
           (text.value > 0 && text.value == json.value && text.specificity > json.specificity);
}

}  // namespace

Result<StatusFormat> status_format(std::string_view query, std::string_view accept) {
    int count = 0;
    const auto format = query_argument(query, "format", &count);
    if (!format) {
        return prefers_text(accept) ? StatusFormat::prometheus : StatusFormat::json;
    }
    if (count == 1 && *format == "prometheus") {
        return StatusFormat::prometheus;
    }
    if (count == 1 && *format == "json") {
        return StatusFormat::json;
    }
    return fail(Reason::malformed, "format is neither json nor prometheus");
}

}  // namespace oidc
