// SPDX-License-Identifier: Apache-2.0
#include "stores/session_ids.hpp"

#include "base/ports_ngx.hpp"
#include "oidc/encode.hpp"
#include "oidc/record_table.hpp"
#include "oidc/session.hpp"

namespace oidc::ngx {

Secret session_cookie_value(const Secret& id) {
    std::string text = base64url_encode(as_bytes(id.view()));
    Secret value(text);
    cleanse(text.data(), text.size());
    return value;
}

bool session_key(std::string_view cookie_value, Digest& key, bool& failed) noexcept {
    if (cookie_value.size() != kSessionCookieChars) {
        return false;
    }
    Sha256* sha256 = worker_sha256();
    if (sha256 == nullptr || !sha256->digest(as_bytes(cookie_value), key)) {
        failed = true;
        return false;
    }
    return true;
}

std::string owner_key(const Provider& provider, std::string_view issuer) {
    return std::string(issuer).append("\n").append(provider.config.client_id);
}

std::uint64_t sid_tag(const Provider& provider, std::string_view issuer, std::string_view sid) {
    return sid.empty() ? 0 : owner_tag("sid", owner_key(provider, issuer), sid);
}

std::uint64_t sub_tag(const Provider& provider, std::string_view issuer, std::string_view sub) {
    return sub.empty() ? 0 : owner_tag("sub", owner_key(provider, issuer), sub);
}

}  // namespace oidc::ngx
