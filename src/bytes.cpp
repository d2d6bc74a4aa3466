#include "oidc/bytes.hpp"

#include <openssl/crypto.h>

namespace oidc {

bool equal_constant_time(std::string_view a, std::string_view b) noexcept {
    if (a.empty() || a.size() != b.size()) {
        return false;
    }
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void cleanse(void* data, std::size_t size) noexcept {
    if (data != nullptr && size > 0) {
        OPENSSL_cleanse(data, size);
    }
}

}  // namespace oidc
