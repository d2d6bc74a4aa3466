// SPDX-License-Identifier: Apache-2.0
#include "oidc/step.hpp"

namespace oidc {
namespace {

// One for each step: a new one without a name does not compile.
struct NameOf {
    std::string_view operator()(const NeedProvider&) const noexcept { return "NeedProvider"; }
    std::string_view operator()(const Fetch&) const noexcept { return "Fetch"; }
    std::string_view operator()(const StoreSession&) const noexcept { return "StoreSession"; }
    std::string_view operator()(const StartLogin&) const noexcept { return "StartLogin"; }
    std::string_view operator()(const RenewLogin&) const noexcept { return "RenewLogin"; }
    std::string_view operator()(const LoggedIn&) const noexcept { return "LoggedIn"; }
    std::string_view operator()(const Refuse&) const noexcept { return "Refuse"; }
    std::string_view operator()(const Refreshed&) const noexcept { return "Refreshed"; }
    std::string_view operator()(const RefreshPostponed&) const noexcept {
        return "RefreshPostponed";
    }
    std::string_view operator()(const RefreshEnded&) const noexcept { return "RefreshEnded"; }
    std::string_view operator()(const TokenHolds& holds) const noexcept {
        return std::holds_alternative<EndSessions>(holds)    ? "EndSessions"
               : std::holds_alternative<HeardSignals>(holds) ? "HeardSignals"
                                                             : "Introspected";
    }
};

}  // namespace

std::string_view step_name(const Step& step) noexcept try {
    return std::visit(NameOf{}, step);
} catch (...) {
    return "none";  // its making has thrown
}

const Error* step_error(const Step& step) noexcept {
    if (const auto* refused = std::get_if<Refuse>(&step)) {
        return &refused->error;
    }
    if (const auto* renewed = std::get_if<RenewLogin>(&step)) {
        return &renewed->error;
    }
    if (const auto* later = std::get_if<RefreshPostponed>(&step)) {
        return &later->error;
    }
    const auto* over = std::get_if<RefreshEnded>(&step);
    return over != nullptr ? &over->error : nullptr;
}

}  // namespace oidc
