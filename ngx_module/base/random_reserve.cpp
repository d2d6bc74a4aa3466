// SPDX-License-Identifier: Apache-2.0
#include "base/random_reserve.hpp"

#include <openssl/rand.h>

#include <cstring>

#include "oidc/bytes.hpp"
#include "oidc/ptr.hpp"

namespace oidc::ngx {

RandomReserve::~RandomReserve() {
    cleanse(bytes_.data(), bytes_.size());
}

bool RandomReserve::take(std::span<std::uint8_t> out) noexcept {
    if (out.size() > bytes_.size()) {
        return draw(out);
    }
    if (out.size() > left_) {
        if (!draw(bytes_)) {
            return false;
        }
        left_ = bytes_.size();
    }
    left_ -= out.size();
    std::memcpy(out.data(), bytes_.data() + left_, out.size());
    cleanse(bytes_.data() + left_, out.size());
    return true;
}

bool RandomReserve::draw(std::span<std::uint8_t> out) noexcept {
    OpensslErrorGuard guard;
    return RAND_bytes(out.data(), static_cast<int>(out.size())) == 1;
}

}  // namespace oidc::ngx
