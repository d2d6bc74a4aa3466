// SPDX-License-Identifier: Apache-2.0
// Key sets.
#include "fuzz.hpp"
#include "oidc/jwk.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Result<KeySet> keys = KeySet::parse(text_of(data, size));
    if (!keys) {
        promise(keys.error().reason == Reason::jwks_invalid, "one reason");
        return 0;
    }
    promise(keys->size() + keys->ignored() <= 100, "bounded");
    for (const Alg alg :
         {Alg::RS256, Alg::PS512, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA, Alg::HS256}) {
        const std::vector<const Jwk*> fitting = keys->candidates(alg, "");
        promise(fitting.size() <= 8, "few keys are tried");
        promise(fitting.empty() || !alg_is_symmetric(alg), "no shared secrets in a key set");
        for (const Jwk* key : fitting) {
            promise(key->may_verify(alg), "candidates fit");
            promise(!key->alg || *key->alg == alg, "a key's own algorithm binds it");
        }
        for (const Jwk* key : keys->candidates(alg, "k1")) {
            promise(key->kid == "k1" || key->kid.empty(), "the kid is the one asked for, or none");
        }
    }
    return 0;
}
