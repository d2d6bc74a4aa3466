// SPDX-License-Identifier: Apache-2.0
// Session records as found in a store: a damaged one is refused or read within its bounds.
#include "fuzz.hpp"
#include "oidc/claim_rules.hpp"
#include "oidc/session.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

void inside(std::string_view record, std::string_view part) {
    promise(part.empty() || (part.data() >= record.data() &&
                             part.data() + part.size() <= record.data() + record.size()),
            "views stay inside the record");
}

// Of whatever a claim says, one of two rules that exclude each other is not met.
void judged(const SessionView& view, std::string_view name) {
    ClaimRule rule;
    rule.path = {std::string(name)};
    rule.wanted.push_back({"a", nullptr, "a"});
    ClaimRules any;
    any.add(rule);
    rule.kind = ClaimRule::Kind::none;
    ClaimRules none;
    none.add(rule);
    promise(any.judge(view) || none.judge(view), "a claim is never what it is not");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string record(text_of(data, size));
    const std::optional<SessionView> view = SessionView::open(record);
    if (!view) {
        return 0;
    }
    for (const std::string_view part :
         {view->provider(), view->sub(), view->sid(), view->username(), view->id_token(),
          view->access_token(), view->userinfo(), view->refresh_token(), view->scope()}) {
        inside(record, part);
    }
    for (std::uint32_t i = 0; i < view->claim_count(); ++i) {
        const SessionView::Entry entry = view->claim_at(i);
        inside(record, entry.name);
        inside(record, entry.text);
        inside(record, entry.json);
        promise(view->claim(entry.name).has_value(), "a claim is found by its name");
        promise(view->claim_source(i) <= ClaimSource::both, "a source is one of three");
        if (i < 4) {
            judged(*view, entry.name);
        }
    }
    const Session session = read_session(*view);
    (void)view->claim("no such claim");
    const Result<Secret> again = encode_session(session);
    promise(again.ok(), "what was read can be written");
    const std::optional<SessionView> second = SessionView::open(again->view());
    promise(second && second->sub() == view->sub() && second->claim_count() == view->claim_count(),
            "and reads the same");
    promise(second->claims_id().has_value(), "what is written has the digest of its claims");
    return 0;
}
