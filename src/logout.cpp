// SPDX-License-Identifier: Apache-2.0
#include "oidc/logout.hpp"

#include <array>
#include <utility>

#include "oidc/bytes.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/jws.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// With the cookies that the answer deletes, within the 4 kB that a stock nginx in front takes as
// the head of an answer.
constexpr std::size_t kMaxUrl = 3000;

}  // namespace

EndSession end_session(const LogoutRequest& request) {
    const std::string_view endpoint = request.end_session_endpoint;
    const std::size_t mark = endpoint.find('?');
    const std::string_view query =
        mark == std::string_view::npos ? std::string_view() : endpoint.substr(mark + 1);
    std::vector<Header> fields;
    for (const auto& [name, value] :
         {std::pair(std::string_view("client_id"), request.client_id),
          std::pair(request.post_logout_param, request.post_logout_redirect_uri),
          std::pair(std::string_view("state"), request.state),
          std::pair(std::string_view("id_token_hint"), request.id_token_hint)}) {
        if (!value.empty() && !query_argument(query, name)) {
            fields.push_back({std::string(name), std::string(value)});
        }
    }
    EndSession out{std::string(endpoint), {}};
    for (const Header& field : fields) {
        append_query(out.url, field.name, field.value);
    }
    if (out.url.size() > kMaxUrl && !request.id_token_hint.empty()) {
        out.url = endpoint;
        out.fields = std::move(fields);
    }
    return out;
}

Status check_hint(std::string_view id_token, const ProviderConfig& config,
                  const ProviderState& provider) {
    static constexpr std::array<std::string_view, 1> kTypes = {"jwt"};
    // Not those that are accepted now: a provider that has changed its algorithm has changed its
    // key as well, and the token was accepted when it came.
    static constexpr std::array<Alg, 13> kAny = {
        Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384, Alg::PS512, Alg::ES256,
        Alg::ES384, Alg::ES512, Alg::EdDSA, Alg::HS256, Alg::HS384, Alg::HS512};
    VerifyOptions options;
    options.allowed = kAny;
    options.keys = &provider.keys;
    options.shared_secret = &config.client_secret;
    options.former_secret = former_secret(config);
    options.accepted_typ = kTypes;
    Result<VerifiedJwt> jwt = verify_jws(id_token, options);
    // Whatever else there is to say was said when the token came.
    if (!jwt && (jwt.error().reason == Reason::jwt_key_unknown ||
                 jwt.error().reason == Reason::jwt_signature)) {
        return std::move(jwt).error();
    }
    return Unit{};
}

std::string why_not_frontchannel(std::string_view query, std::string_view issuer,
                                 std::string_view session_sid, bool nameless) {
    const Argument iss = decoded_argument(query, "iss");
    const Argument sid = decoded_argument(query, "sid");
    if (iss.count == 0 && sid.count == 0) {
        return nameless ? "" : "neither iss nor sid stands there, and no frame asks";
    }
    if (iss.count > 1 || sid.count != 1) {
        return "iss stands there " + std::to_string(iss.count) + " times and sid " +
               std::to_string(sid.count) + " times, sid must once and iss at most once";
    }
    if (iss.count == 1 && (!iss.value || *iss.value != issuer)) {
        return "iss is not the configured issuer \"" + std::string(issuer) + "\"";
    }
    if (!sid.value || !equal_constant_time(*sid.value, session_sid)) {
        return "sid is not that of the session";
    }
    return {};
}

bool is_framed(std::string_view sec_fetch_dest) noexcept {
    return sec_fetch_dest.empty() || equal_nocase(sec_fetch_dest, "iframe") ||
           equal_nocase(sec_fetch_dest, "frame");
}

}  // namespace oidc
