// SPDX-License-Identifier: Apache-2.0
// What sessions are named by: the cookie's value, the key made of it, the tags of their owners.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/conf.hpp"
#include "oidc/bytes.hpp"

namespace oidc::ngx {

// The value of the session cookie for a raw session id.
Secret session_cookie_value(const Secret& id);

// The key of a session in the store: SHA-256 of the cookie's value as it is written, which saves
// decoding it for each request. False: not a session id, or OpenSSL failed (`failed`).
bool session_key(std::string_view cookie_value, Digest& key, bool& failed) noexcept;

// Names provider and client, the same way on all their sites. `issuer` is that of the tokens, see
// issuer_of(): of several tenants each is a provider of its own.
std::string owner_key(const Provider& provider, std::string_view issuer);
// Tags of a session for RecordTable::Meta: the same for all vhosts of a provider and client. 0: the
// value is empty. Throw std::runtime_error when OpenSSL fails.
std::uint64_t sid_tag(const Provider& provider, std::string_view issuer, std::string_view sid);
std::uint64_t sub_tag(const Provider& provider, std::string_view issuer, std::string_view sub);

}  // namespace oidc::ngx
