// SPDX-License-Identifier: Apache-2.0
// What small handlers take from a client's line: a query or form, a line end, and a header's value,
// which is Accept, Retry-After, the session's sid or an origin.
#include <algorithm>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/login_initiation.hpp"
#include "oidc/logout.hpp"
#include "oidc/provider_choice.hpp"
#include "oidc/status_format.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr std::string_view kIssuer = "https://idp.example";
constexpr Seconds kNow = 1700000000;

// Once, and it decodes to this.
bool is_once(std::string_view query, std::string_view name, std::string_view wanted) {
    int count = 0;
    const auto value = query_argument(query, name, &count);
    const auto decoded = value ? percent_decode(*value, true) : std::nullopt;
    return count == 1 && decoded && *decoded == wanted;
}

void look_at_arguments(std::string_view query) {
    for (const std::string_view name : {"format", "iss", "sid", "logout_token"}) {
        int count = 0;
        const auto value = query_argument(query, name, &count);
        promise(value.has_value() == (count > 0), "what is counted is found");
        promise(!value || value->find('&') == std::string_view::npos, "ends at its separator");
        promise(!value || value->empty() ||
                    (value->data() >= query.data() &&
                     value->data() + value->size() <= query.data() + query.size()),
                "borrowed from the query");
        std::string more(query);
        append_query(more, name, "x");
        int then = 0;
        promise(more.find('#') != std::string::npos || more.find('?') == std::string::npos ||
                    query_argument(std::string_view(more).substr(more.find('?') + 1), name, &then),
                "what is appended is found");
    }
}

void look_at_choice(std::string_view query, std::string_view value) {
    static const ProviderChoice kChoice = [] {
        ProviderChoice made;
        made.options = {{"iss", "A", "", {"a.b"}}, {"sid", "B", "", {".b", ".a.b"}}};
        made.argument = "format";
        made.remember = 1;
        return made;
    }();
    const Chosen chosen = choose_provider(kChoice, {query, {}, value});
    promise((chosen.option == nullptr) == (chosen.by == ChosenBy::nobody), "somebody chose it");
    promise(chosen.by != ChosenBy::argument || is_once(query, "format", chosen.option->name),
            "what the query says, once");
    promise(chosen.by != ChosenBy::memory || chosen.option->name == value, "one of ours");
    const std::string target = without_argument("/?" + std::string(query), "format");
    const std::size_t mark = target.find('?');
    const std::string_view left = std::string_view(target).substr(0, target.find('#'));
    promise(target.size() <= query.size() + 2 && target.front() == '/', "only ever shorter");
    promise(mark >= left.size() || !query_argument(left.substr(mark + 1), "format"),
            "it is gone, wherever it stood");

    const ChoiceForm form = parse_choice_form(query);
    promise(form.email.size() <= kMaxEmail && !has_control_bytes(form.email) &&
                !has_control_bytes(form.provider) && !has_control_bytes(form.return_to),
            "text that fits");
    promise(option_of_email(kChoice, value) == nullptr || value.find('@') != std::string_view::npos,
            "an address");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = text_of(data, size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view query = input.substr(0, end);
    const std::string_view value = input.substr(std::min(end + 1, input.size()));
    look_at_arguments(query);

    const auto format = status_format(query, value);
    if (query_argument(query, "format")) {
        promise(!format ||
                    is_once(query, "format", *format == StatusFormat::json ? "json" : "prometheus"),
                "one of the two, and once");
    } else {
        promise(format.ok(), "without the argument there is always a format");
        promise(!value.empty() || *format == StatusFormat::json, "JSON for who asks for nothing");
    }

    look_at_choice(query, value);

    for (const bool nameless : {false, true}) {
        if (!why_not_frontchannel(query, kIssuer, value, nameless).empty()) {
            continue;
        }
        const bool named = query_argument(query, "iss") || query_argument(query, "sid");
        promise(named || nameless, "somebody says whose session it is");
        promise(!named || is_once(query, "sid", value), "the session's own sid");
        promise(!query_argument(query, "iss") || is_once(query, "iss", kIssuer),
                "the issuer itself");
    }

    ProviderConfig config;
    config.issuer = kIssuer;
    if (const auto initiation = parse_login_initiation(query, config)) {
        promise(is_once(query, "iss", kIssuer), "a link for this provider");
        promise(initiation->login_hint.size() <= 1024, "a hint that fits");
        const std::string_view target = target_on_origin(initiation->target_link_uri, value);
        promise(target.empty() || is_safe_return_target(target), "a path on our origin");
    } else {
        promise(initiation.error().reason == Reason::initiation_malformed ||
                    initiation.error().reason == Reason::initiation_issuer,
                "refused as what it is");
    }

    if (const auto seconds = retry_after_seconds(value, kNow)) {
        promise(*seconds >= 0, "never back in time");
        const auto later = retry_after_seconds(value, kNow + 10);
        promise(later && (*later == *seconds || *later == std::max<Seconds>(0, *seconds - 10)),
                "a number stays, a date comes nearer");
    }
    return 0;
}
