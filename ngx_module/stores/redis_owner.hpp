// Members of an owner's index in Redis: BINDING.KEY.CREATED.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc::ngx {

struct OwnerMember {
    Digest binding{};
    Digest key{};
    Seconds created = 0;
};

std::string owner_member(const OwnerMember& member);
// nullopt: not written by owner_member().
std::optional<OwnerMember> read_owner_member(std::string_view text) noexcept;

}  // namespace oidc::ngx
