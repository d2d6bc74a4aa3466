// SPDX-License-Identifier: Apache-2.0
// Sealed cookies. The first byte chooses: the input is a cookie value as an attacker sends it, or
// the content of a properly sealed one, or a change to the bytes of a good one.
#include <optional>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/state.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

struct Fixed {
    AeadKey ring[1] = {{1, 2, 3}};
    Aead aead{ring};
    Digest binding = sha256("provider, client, vhost");
    FixedRandom random;
    std::string sealed;  // the bytes inside a good cookie

    Fixed() {
        PendingLogin login;
        login.state = std::string(kStatePrefix) + "state";
        login.nonce = "nonce";
        login.verifier = Secret("verifier");
        login.return_to = "/";
        sealed = *base64url_decode(*seal_pending(login, aead, binding, random));
    }
    [[nodiscard]] std::optional<PendingLogin> open(std::string_view value) const {
        return open_pending(value, aead, binding);
    }
};

void try_content(const Fixed& fixed, std::string_view content) {
    FixedRandom random;
    const Result<std::string> sealed =
        fixed.aead.seal(content, {"pending login", as_text(fixed.binding)}, random);
    promise(sealed.ok(), "sealing works");
    const auto login = fixed.open(base64url_encode(as_bytes(*sealed)));
    if (!login) {
        return;
    }
    promise(is_our_state(login->state), "the state is ours");
    promise(!login->nonce.empty(), "there is a nonce");
    promise(is_safe_return_target(login->return_to), "the return target is safe");
    const auto resealed = seal_pending(*login, fixed.aead, fixed.binding, random);
    promise(!resealed.ok() || fixed.open(*resealed).has_value(), "what was opened can be sealed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixed fixed;
    if (size == 0) {
        return 0;
    }
    const std::string_view rest = text_of(data, size).substr(1);
    if (data[0] % 3 == 0) {
        promise(!fixed.open(rest), "nobody guesses a sealed cookie");
    } else if (data[0] % 3 == 1) {
        try_content(fixed, rest);
    } else {
        std::string changed = fixed.sealed;
        bool same = true;
        for (std::size_t i = 0; i < rest.size() && i < changed.size(); ++i) {
            changed[i] = static_cast<char>(changed[i] ^ rest[i]);
            same = same && rest[i] == 0;
        }
        promise(fixed.open(base64url_encode(as_bytes(changed))).has_value() == same,
                "a changed cookie does not open");
    }
    return 0;
}
