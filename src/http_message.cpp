#include "oidc/http_message.hpp"

namespace oidc {
namespace {

// A query may carry what must not be logged: only the fact that there is one is told.
std::string without_query(std::string_view url) {
    const std::size_t mark = url.find_first_of("?#");
    std::string shown(url.substr(0, mark));
    if (mark != std::string_view::npos) {
        shown.append("?...");
    }
    return shown;
}

}  // namespace

Status refuse_redirect(const HttpRequest& request, const HttpResponse& response) {
    if (response.status < 300 || response.status > 399) {
        return Unit{};
    }
    const std::string endpoint(request.endpoint);
    std::string detail = endpoint + " " + without_query(request.url);
    if (response.location.empty()) {
        detail += " answered " + std::to_string(response.status) + " without a location";
        return fail(Reason::idp_redirect, std::move(detail));
    }
    const std::string location = without_query(response.location);
    detail += " redirects to " + location;
    return fail(Reason::idp_redirect, std::move(detail), "configure " + endpoint + " " + location);
}

}  // namespace oidc
