# SPDX-License-Identifier: Apache-2.0
"""Which keys of a JWK Set the module can use (src/jwk.cpp)."""

import base64
import re

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
              "EdDSA")
CURVES = {  # name: algorithm, bytes of a coordinate, p, b
    "P-256": ("ES256", 32, 2**256 - 2**224 + 2**192 + 2**96 - 1,
              0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b),
    "P-384": ("ES384", 48, 2**384 - 2**128 - 2**96 + 2**32 - 1,
              int("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a"
                  "c656398d8a2ed19d2a85c8edd3ec2aef", 16)),
    "P-521": ("ES512", 66, 2**521 - 1,
              int("0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef1"
                  "09e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b50"
                  "3f00", 16)),
}


def strings(data, name):
    """A list of strings of the metadata, or None."""
    found = data.get(name)
    good = isinstance(found, list) and all(isinstance(x, str) for x in found)
    return found if good else None


def accepted_algorithms(provider, data):
    """(algorithms, where that is said)"""
    pinned = provider.words("id_token_signed_response_alg")
    if pinned:
        return pinned, "id_token_signed_response_alg"
    offered = strings(data, "id_token_signing_alg_values_supported")
    if offered is None:
        return ["RS256"], "without metadata of algorithms"
    return [a for a in offered if a in ASYMMETRIC], "the metadata"


def decode(text):
    if not isinstance(text, str) or re.search(r"[^A-Za-z0-9_-]", text) or len(text) > 1400:
        return b""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""


def key_algorithms(key):
    """(algorithms that a key of a JWK Set verifies, why there is none)"""
    if not isinstance(key, dict):
        return (), "no object"
    if key.get("kty") == "oct":
        return (), "a secret, which nobody may publish"
    operations = key.get("key_ops")
    if key.get("use", "sig") not in ("sig", None) or \
            operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return (), "not meant for signatures"
    fits, why = (), f"kty {key.get('kty')!r}"
    if key.get("kty") == "RSA":
        n, e = (int.from_bytes(decode(key.get(x)), "big") for x in "ne")
        if not 2048 <= n.bit_length() <= 8192:
            why = f"RSA of {n.bit_length()} bits, 2048 to 8192 are accepted"
        elif not n % 2 or not e % 2 or not 1 < e < 2**32:
            why = "no RSA key"
        else:
            fits = ASYMMETRIC[:6]
    elif key.get("kty") == "EC" and key.get("crv") in tuple(CURVES):
        alg, width, p, b = CURVES[key["crv"]]
        x, y = decode(key.get("x")), decode(key.get("y"))
        x, y = (int.from_bytes(v, "big") if len(v) == width else p for v in (x, y))
        if x < p and y < p and (y * y - (x * x * x - 3 * x + b)) % p == 0:
            fits = (alg,)
        else:
            why = f"no point of {key['crv']}"
    elif key.get("kty") == "EC":
        why = f"curve {key.get('crv')!r}"
    elif key.get("kty") == "OKP":
        if key.get("crv") == "Ed25519" and len(decode(key.get("x"))) == 32:
            fits = ("EdDSA",)
        else:
            why = f"curve {key.get('crv')!r}"
    alg = key.get("alg")
    if fits and alg is not None:
        return ((alg,), "") if alg in fits else ((), f"alg {alg!r} does not fit it")
    return fits, why


def check_keys(about, provider, data, algorithms, said_by):
    keys = data.get("keys")
    if isinstance(keys, list):
        usable, others = {}, []
        for key in keys:
            fits, why = key_algorithms(key)
            for alg in fits:
                usable.setdefault(alg, 0)
                usable[alg] += 1
            if not fits:
                others.append(why)
    else:
        usable, others = {}, []
    left = f" ({len(others)} of no use: {'; '.join(sorted(set(others)))[:300]})" if others else ""
    wanted = [a for a in algorithms if a not in ("HS256", "HS384", "HS512")]
    shared = [a for a in algorithms if a not in wanted]
    if shared and not (provider.one("client_secret") or provider.one("client_secret_file")):
        about.wrong("keys", f"{shared[0]} is accepted, but there is no client_secret",
                    "HS* tokens are signed with it")
        return
    good = [a for a in wanted if a in usable]
    missing = [a for a in wanted if a not in usable]
    if not algorithms:
        about.wrong("keys", "the metadata advertise no signature of a published key",
                    "give the provider a signing key, or name HS256 in id_token_signed_response_alg")
    elif wanted and not good:
        what = "no keys at all" if not usable and not others else \
            f"keys for {', '.join(sorted(usable)) or 'none of our algorithms'}"
        about.wrong("keys", f"{what}{left}, accepted are {', '.join(algorithms)} ({said_by})",
                    "correct id_token_signed_response_alg, or give the provider a signing key")
    else:
        text = f"usable for {', '.join(good + shared)}{left}"
        if missing and provider.words("id_token_signed_response_alg"):
            about.wrong("keys", f"none for {', '.join(missing)}, which "
                        f"id_token_signed_response_alg names; {text}",
                        "take it out, or have the provider publish such a key")
        else:
            about.ok("keys", text)
