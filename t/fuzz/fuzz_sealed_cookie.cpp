// SPDX-License-Identifier: Apache-2.0
// Sealed logins. The first byte chooses: the input is a state as an attacker sends it, or the
// content of a properly sealed one, or a change to the bytes of a good one, or the content of a
// cookie of an earlier build.
#include <optional>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/former_state.hpp"
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
    std::string sealed;  // the bytes inside a good state

    Fixed() {
        PendingLogin login;
        login.return_to = "/";
        const auto done = seal_pending(login, 0, aead, binding, random, max_target_value(false));
        promise(done.ok(), "sealing works");
        sealed = *base64url_decode(login.state.substr(kStatePrefix.size()));
    }
    [[nodiscard]] std::optional<PendingLogin> open(std::string_view state) const {
        return open_state(state, aead, binding);
    }
    [[nodiscard]] std::string seal(std::string_view content, std::string_view purpose) const {
        FixedRandom fresh;
        const Result<std::string> text = aead.seal(content, {purpose, as_text(binding)}, fresh);
        promise(text.ok(), "sealing works");
        return base64url_encode(as_bytes(*text));
    }
};

std::string state_of(std::string_view sealed) {
    return std::string(kStatePrefix).append(sealed);
}

void try_content(const Fixed& fixed, std::string_view content) {
    auto login = fixed.open(state_of(fixed.seal(content, "state of a login")));
    if (!login) {
        return;
    }
    promise(is_our_state(login->state), "the state is ours");
    promise(login->nonce.empty() && login->verifier.empty(), "nothing without the cookie");
    promise(is_login_slot({&login->slot, 1}), "the slot has a name");
    promise(take_cookie(*login, {}) == nullptr, "no cookie is no cookie");
    join_target(*login, content, fixed.aead);
    promise(is_safe_return_target(login->return_to), "the return target is safe");
    FixedRandom random;
    const auto resealed = seal_pending(*login, 0, fixed.aead, fixed.binding, random, 2000);
    promise(!resealed.ok() || fixed.open(login->state).has_value(),
            "what was opened can be sealed");
}

void try_former(const Fixed& fixed, std::string_view content) {
    const auto login = open_former(fixed.seal(content, "pending login"), fixed.aead, fixed.binding);
    if (login) {
        promise(is_our_state(login->state), "the state is ours");
        promise(!login->nonce.empty(), "there is a nonce");
        promise(is_safe_return_target(login->return_to), "the return target is safe");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixed fixed;
    if (size == 0) {
        return 0;
    }
    const std::string_view rest = text_of(data, size).substr(1);
    switch (data[0] % 4) {
        case 0:
            promise(!fixed.open(rest) && !fixed.open(state_of(rest)), "nobody guesses a state");
            break;
        case 1:
            try_content(fixed, rest);
            break;
        case 2: {
            std::string changed = fixed.sealed;
            bool same = true;
            for (std::size_t i = 0; i < rest.size() && i < changed.size(); ++i) {
                changed[i] = static_cast<char>(changed[i] ^ rest[i]);
                same = same && rest[i] == 0;
            }
            promise(fixed.open(state_of(base64url_encode(as_bytes(changed)))).has_value() == same,
                    "a changed state does not open");
            break;
        }
        default:
            try_former(fixed, rest);
    }
    return 0;
}
