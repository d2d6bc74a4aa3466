#include "oidc/logout.hpp"

#include "oidc/uri.hpp"

namespace oidc {
namespace {

// What servers and browsers take without question.
constexpr std::size_t kMaxUrl = 8 * 1024;

}  // namespace

std::string end_session_url(const LogoutRequest& request) {
    std::string url(request.end_session_endpoint);
    append_query(url, "client_id", request.client_id);
    if (!request.post_logout_redirect_uri.empty()) {
        append_query(url, "post_logout_redirect_uri", request.post_logout_redirect_uri);
    }
    if (!request.state.empty()) {
        append_query(url, "state", request.state);
    }
    if (!request.id_token_hint.empty()) {
        const std::size_t without = url.size();
        append_query(url, "id_token_hint", request.id_token_hint);
        if (url.size() > kMaxUrl) {
            url.resize(without);
        }
    }
    return url;
}

}  // namespace oidc
