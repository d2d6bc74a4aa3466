// SPDX-License-Identifier: Apache-2.0
#include "oidc/login_initiation.hpp"

#include <utility>

#include "oidc/challenge.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxUrl = 2048;
// It goes into the address of the provider's page, of which the head of an answer has to hold all.
constexpr std::size_t kMaxHint = 1024;

Status read_argument(std::string_view arguments, std::string_view name, std::size_t max,
                     std::string& out) {
    Argument found = decoded_argument(arguments, name);
    if (found.count == 0) {
        return Unit{};
    }
    const auto bad = [name](std::string_view what) {
        return fail(Reason::initiation_malformed,
                    "argument \"" + std::string(name) + "\" " + std::string(what));
    };
    if (found.count > 1) {
        return bad("stands there twice");
    }
    if (!found.value) {
        return bad("has a bad escape");
    }
    if (has_control_bytes(*found.value)) {
        return bad("has a control byte");
    }
    if (found.value->size() > max) {
        return bad("has more than " + std::to_string(max) + " bytes");
    }
    out = *std::move(found.value);
    return Unit{};
}

}  // namespace

Result<LoginInitiation> parse_login_initiation(std::string_view arguments,
                                               const ProviderConfig& config) {
    LoginInitiation out;
    std::string& iss = out.iss;
    for (const Status& read :
         {read_argument(arguments, "iss", kMaxUrl, iss),
          read_argument(arguments, "login_hint", kMaxHint, out.login_hint),
          read_argument(arguments, "target_link_uri", kMaxUrl, out.target_link_uri)}) {
        if (!read) {
            return read.error();
        }
    }
    if (iss.empty()) {
        return fail(Reason::initiation_malformed, "the link has no iss");
    }
    if (!is_issuer(config, iss)) {
        const bool one = config.tenants.empty();
        return fail(Reason::initiation_issuer,
                    "iss \"" + iss + "\" is not the issuer \"" + config.issuer + "\"" +
                        (one ? "" : " with a tenant of the list"),
                    one ? "issuer" : "issuer_template");
    }
    return out;
}

std::string_view target_on_origin(std::string_view target_link_uri,
                                  std::string_view origin) noexcept {
    const std::string_view path = target_link_uri.starts_with('/')
                                      ? target_link_uri
                                      : path_on_origin(target_link_uri, origin);
    return is_safe_return_target(path) ? path : std::string_view();
}

}  // namespace oidc
