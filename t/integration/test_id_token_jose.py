# SPDX-License-Identifier: Apache-2.0
"""Group I: signature, header and serialisation of the ID token."""

import json

import pytest

from harness import forge
from harness.cases import case, rows
from harness.forge import Key, b64u, b64u_decode, dump
from harness.idp import Idp
from harness.outcome import passes, reject, sane
from harness.site import Site

ALGS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
JWT_ERRORS = "jwt_[a-z]+(_[a-z]+)?"


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab) as site:
        yield site


def attempt(site, make=None, header=None):
    site.idp.make_token, site.idp.header = make, header
    browser = site.browser()
    return browser, browser.try_login("/i")


def accepted(site, browser, answer):
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    passes(site, browser.get("/i"), remote_user="jdoe")
    browser.close()


def refused(site, make=None, header=None, code=JWT_ERRORS, refusals=1):
    browser, answer = attempt(site, make, header)
    browser.close()
    reject(site, answer, code, 502, refusals=refusals)


@pytest.fixture(scope="module")
def by_alg(lab):
    """One provider block for each algorithm, with that algorithm alone allowed."""
    idps = {a.lower(): Idp(lab.keys) for a in ALGS}
    providers = {}
    for alg in ALGS:
        name = alg.lower()
        providers[name] = (idps[name], {"id_token_signed_response_alg": alg,
                                        "redirect_uri": f"/cb_{name}", "cookie_name": f"S_{name}"})
    locations = "".join(f"location /{n}/ {{ auth_oidc {n}; proxy_pass http://@BACKEND@; }}\n"
                        for n in providers)
    with Site(lab, providers=providers, auth="", locations=locations, control=False,
              default_locations=False, public=("/",), verify=(),
              session_cookie="__Host-S_rs256",
              cookie_attrs={"path": "/", "httponly": "", "samesite": "Lax", "secure": ""},
              own_paths=()) as site:
        yield site
    for idp in idps.values():
        idp.stop()


def login_with(site, name, alg):
    idp = site.providers[name][0]
    idp.alg, idp.key = alg, site.lab.keys.for_alg(alg)
    browser = site.browser()
    return browser, browser.try_login(f"/{name}/x", idp=idp)


@pytest.mark.parametrize("alg", rows("I-01", {a: a for a in ALGS}))
def test_algorithms(by_alg, alg):
    by_alg.state.check_hits = False
    browser, answer = login_with(by_alg, alg.lower(), alg)
    assert answer.status in (302, 303), f"{answer}\n{by_alg.log_since_mark()}"
    page = browser.get(f"/{alg.lower()}/x")
    assert page.from_backend and by_alg.backend.last.header("Remote-User") == "jdoe"
    n = 0
    for other in ALGS:
        if other != alg:
            n += 1
            browser, answer = login_with(by_alg, other.lower(), alg)
            browser.close()
            assert answer.status == 502, (alg, other, answer)
            assert by_alg.refusals()[-1][1] == "jwt_alg", by_alg.refusals()[-1]
    assert len(by_alg.refusals()) == n


@pytest.mark.parametrize("alg", rows("I-01", {f"default-{a}": a for a in ALGS}))
def test_algorithms_of_the_metadata(site, alg):
    site.idp.alg, site.idp.key = alg, site.lab.keys.for_alg(alg)
    browser, answer = attempt(site)
    accepted(site, browser, answer)


@pytest.mark.parametrize("alg", rows("I-01", {f"unadvertised-{a}": a for a in (
    "ES256", "PS256", "RS512", "EdDSA")}))
def test_algorithms_that_the_metadata_lacks(lab, make_site, alg):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "id_token_signing_alg_values_supported": ["RS256"]}
    site = make_site(idp=idp)
    idp.alg, idp.key = alg, lab.keys.for_alg(alg)
    refused(site, code="jwt_alg")


@pytest.mark.parametrize("alg", rows("I-01", {a: a for a in ("HS256", "HS384", "HS512")}))
def test_hmac_only_when_named(make_site, alg):
    site = make_site(directives={"id_token_signed_response_alg": alg}, control=False)
    site.idp.alg = alg
    browser, answer = attempt(site)
    accepted(site, browser, answer)
    other = make_site(control=False)  # the metadata advertises HS256
    other.idp.alg = alg
    refused(other, code="jwt_alg")


def unsigned(alg, tail=""):
    def make(header, claims):
        return f"{b64u(dump({**header, 'alg': alg}))}.{b64u(dump(claims))}.{tail}"
    return make


@pytest.mark.parametrize("make", rows("I-02", {
    "empty": unsigned("none"), "with-bytes": unsigned("none", "AAAA"),
    "two-segments": lambda h, c: f"{b64u(dump({**h, 'alg': 'none'}))}.{b64u(dump(c))}",
}) + rows("I-03", {a.replace(" ", "-blank"): unsigned(a) for a in (
    "None", "NONE", "nOnE", "none ", " none", "none\u0000", "n\u043ene")}))
def test_alg_none(site, make):
    refused(site, make, code="jwt_alg|jwt_malformed")


@case("I-02")
def test_alg_none_with_a_good_signature(site):
    refused(site, lambda h, c: forge.signed({**h, "alg": "none"}, c, site.idp.key, "RS256"),
            code="jwt_alg")


MISSING = object()


@pytest.mark.parametrize("alg", rows("I-04", {
    "missing": MISSING, "empty": "", "number": 5, "null": None, "RS255": "RS255",
    "ES256K": "ES256K", "HS257": "HS257", "64k": "R" * 65536, "lower": "rs256", "array": ["RS256"],
    "object": {"RS256": 1}, "true": True, "suffix": "RS256 ", "nul": "RS256\u0000", "RS1": "RS1",
    "newline": "RS256\n",
}))
def test_unknown_algorithms(site, alg):
    def make(header, claims):
        header = {**header, "alg": alg}
        if alg is MISSING:
            del header["alg"]
        return forge.signed(header, claims, site.idp.key, "RS256")
    refused(site, make, code="jwt_alg|jwt_malformed|too_large")


def hmac_keys(keys):
    pem = keys.rsa.public_pem()
    numbers = keys.rsa.private.public_key().public_numbers()
    modulus = numbers.n.to_bytes(256, "big")
    return {
        "empty": b"", "pem": pem, "pem-stripped": pem.strip(), "der": keys.rsa.public_der(),
        "modulus": modulus, "modulus-b64": b64u(modulus).encode(),
        "jwk": json.dumps(keys.rsa.jwk()).encode(),
        "jwk-compact": dump(keys.rsa.jwk()), "zero": b"\0", "client-id": b"client-1",
    }


@pytest.mark.parametrize("name", rows("I-06", {n: n for n in (
    "empty", "pem", "pem-stripped", "der", "modulus", "modulus-b64", "jwk", "jwk-compact", "zero",
    "client-id")}))
def test_algorithm_confusion(site, name):
    key = hmac_keys(site.lab.keys)[name]
    for alg in ("HS256", "HS512"):
        site.again()
        refused(site, lambda h, c: forge.signed({**h, "alg": alg}, c, key), code="jwt_alg")


@case("I-06")
def test_algorithm_confusion_with_hmac_allowed(make_site):
    """HS256 and RS256 both allowed: the public key is still no HMAC secret."""
    site = make_site(directives={"id_token_signed_response_alg": "RS256 HS256"}, control=False)
    for n, key in enumerate(hmac_keys(site.lab.keys).values(), 1):
        refused(site, lambda h, c: forge.signed({**h, "alg": "HS256"}, c, key),
                code="jwt_signature|jwt_key_unknown", refusals=n)


def flip(token, segment, position, bit):
    parts = token.split(".")
    data = bytearray(b64u_decode(parts[segment]))
    data[position % len(data)] ^= 1 << bit
    parts[segment] = b64u(bytes(data))
    return ".".join(parts)


@pytest.mark.parametrize("alg", rows("I-07", {a: a for a in ("RS256", "PS256", "ES256", "EdDSA")}))
@pytest.mark.parametrize("segment", (0, 1, 2), ids=("header", "payload", "signature"))
def test_flipped_bits(site, alg, segment):
    """Bytes spread over the whole segment; its first and last ones always."""
    site.idp.alg, site.idp.key = alg, site.lab.keys.for_alg(alg)
    sample = b64u_decode(forge.signed({"alg": alg}, {"a": 1}, site.idp.key).split(".")[2])
    size = {0: 45, 1: 200, 2: len(sample)}[segment]
    positions = sorted({0, 1, size // 3, size // 2, size - 2, size - 1})
    for n, position in enumerate(positions, 1):
        refused(site, lambda h, c: flip(forge.signed(h, c, site.idp.key, alg), segment, position,
                                        position % 7), refusals=n)


@pytest.mark.parametrize("change", rows("I-08", {
    "one": lambda t: t.split(".")[0], "two": lambda t: ".".join(t.split(".")[:2]),
    "four": lambda t: t + ".AAAA", "six": lambda t: t + ".a.b.c",
    "empty-header": lambda t: "." + t.partition(".")[2],
    "empty-payload": lambda t: "..".join([t.split(".")[0], t.split(".")[2]]),
    "empty-signature": lambda t: t.rpartition(".")[0] + ".",
    "trailing-dot": lambda t: t + ".", "leading-dot": lambda t: "." + t, "dots": lambda t: "..",
    "truncated": lambda t: t[:-8], "extended": lambda t: t + "AAAA", "one-char": lambda t: t + "A",
    "leading-zero": lambda t: t.rpartition(".")[0] + "." + b64u(b"\0" + b64u_decode(
        t.rpartition(".")[2])),
    "garbage": lambda t: "not a token", "bearer": lambda t: "Bearer " + t,
}))
def test_segments(site, change):
    refused(site, lambda h, c: change(forge.signed(h, c, site.idp.key)),
            code="jwt_[a-z_]+|token_malformed|token_no_id_token")


@case("I-08")
def test_five_segments(site):
    refused(site, lambda h, c: forge.signed(h, c, site.idp.key) + ".AAAA.AAAA",
            code="jwt_encrypted|jwt_malformed")


@case("I-09")
def test_signature_of_another_token(site):
    refused(site, lambda h, c: forge.signed(h, c, site.idp.key).rpartition(".")[0] + "."
            + forge.signed(h, {**c, "sub": "other"}, site.idp.key).rpartition(".")[2],
            code="jwt_signature")


@case("I-09")
def test_same_content_written_differently(site):
    def make(header, claims):
        token = forge.signed(header, claims, site.idp.key)
        head, _, signature = token.split(".")
        return f"{head}.{b64u(json.dumps(claims, indent=1))}.{signature}"
    refused(site, make, code="jwt_signature")


def mislabelled(alg, key_name, kid=None):
    """A token that says `alg` and names a key which cannot do it."""
    def make(site):
        key = getattr(site.lab.keys, key_name)

        def token(header, claims):
            header = {**header, "alg": alg, "kid": kid or key.kid}
            native = {"rsa": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512",
                      "ed": "EdDSA"}[key_name]
            return forge.signed(header, claims, key, native)
        return token
    return make


@pytest.mark.parametrize("make", rows("I-11", {
    "ES256-under-P384": mislabelled("ES256", "p384"), "ES384-under-P256":
    mislabelled("ES384", "p256"), "ES512-under-P256": mislabelled("ES512", "p256"),
    "RS256-under-EC": mislabelled("RS256", "p256"), "ES256-under-RSA": mislabelled("ES256", "rsa"),
    "EdDSA-under-EC": mislabelled("EdDSA", "p256"), "RS256-under-Ed": mislabelled("RS256", "ed"),
    "kid-of-another": mislabelled("ES256", "p256", kid="rsa-1"),
}))
def test_key_of_another_kind(site, make):
    refused(site, make(site), code="jwt_key_unknown|jwt_signature")


@pytest.mark.parametrize("jwk", rows("I-11", {
    "crv-P384-of-P256": lambda k: {**k.p256.jwk(), "crv": "P-384"},
    "crv-secp256k1": lambda k: {**k.p256.jwk(), "crv": "secp256k1"},
    "crv-missing": lambda k: {n: v for n, v in k.p256.jwk().items() if n != "crv"},
}) + rows("I-12", {
    "use-enc": lambda k: k.p256.jwk(use="enc"),
    "key-ops-encrypt": lambda k: k.p256.jwk(use=None, key_ops=["encrypt"]),
    "key-ops-sign": lambda k: k.p256.jwk(use=None, key_ops=["sign"]),
    "other-alg": lambda k: k.p256.jwk(alg="ES384"),
    "alg-ecdh": lambda k: k.p256.jwk(alg="ECDH-ES"),
    "other-kty": lambda k: {**k.p256.jwk(), "kty": "RSA"},
    "unknown-kty": lambda k: {**k.p256.jwk(), "kty": "EC2"},
    "kty-lower": lambda k: {**k.p256.jwk(), "kty": "ec"},
    "use-number": lambda k: k.p256.jwk(use=5),
}))
def test_key_not_eligible(lab, make_site, jwk):
    idp = Idp(lab.keys)
    idp.jwks_keys = [lab.keys.rsa.jwk(), jwk(lab.keys)]
    idp.alg, idp.key = "ES256", lab.keys.p256
    site = make_site(idp=idp, control=False)
    refused(site, code="jwt_key_unknown|jwt_signature")


@pytest.mark.parametrize("jwk", rows("I-12", {
    "no-use": lambda k: k.p256.jwk(use=None),
    "key-ops-verify": lambda k: k.p256.jwk(use=None, key_ops=["verify"]),
    "same-alg": lambda k: k.p256.jwk(alg="ES256"),
}))
def test_key_eligible(lab, make_site, jwk):
    idp = Idp(lab.keys)
    idp.jwks_keys = [jwk(lab.keys)]
    idp.alg, idp.key = "ES256", lab.keys.p256
    site = make_site(idp=idp, control=False)
    browser, answer = attempt(site)
    accepted(site, browser, answer)


@case("I-13")
def test_unknown_kid(make_site):
    site = make_site()
    stranger = Key.ec("stranger")
    before = site.delta("jwks")
    site.idp.alg = "ES256"
    make = lambda h, c: forge.signed({**h, "kid": "stranger"}, c, stranger, "ES256")  # noqa: E731
    for tries in range(1, 6):
        refused(site, make, code="jwt_key_unknown|jwt_signature", refusals=tries)
        assert site.delta("jwks") == before + min(tries, 3), "three at once, then one at a time"


def without_kid(key, alg):
    return lambda h, c: forge.signed({k: v for k, v in h.items() if k != "kid"} | {"alg": alg}, c,
                                     key, alg)


@case("I-14")
def test_no_kid_and_one_key(lab, make_site):
    idp = Idp(lab.keys)
    idp.jwks_keys = [lab.keys.rsa.jwk(kid=None)]
    site = make_site(idp=idp, control=False)
    browser, answer = attempt(site, without_kid(lab.keys.rsa, "RS256"))
    accepted(site, browser, answer)


@case("I-14")
def test_no_kid_and_several_keys(site):
    browser, answer = attempt(site, without_kid(site.lab.keys.p384, "ES384"))
    accepted(site, browser, answer)


@case("I-14")
def test_no_kid_and_several_keys_of_one_kind(lab, make_site):
    idp = Idp(lab.keys)
    others = [Key.ec(f"k{i}") for i in range(3)]
    idp.jwks_keys = [k.jwk() for k in others] + [lab.keys.p256.jwk()]
    site = make_site(idp=idp, control=False)
    browser, answer = attempt(site, without_kid(lab.keys.p256, "ES256"))
    accepted(site, browser, answer)


@case("I-14")
def test_no_kid_and_no_key_fits(make_site):
    site = make_site()
    refused(site, without_kid(Key.ec("x"), "ES256"), code="jwt_signature|jwt_key_unknown")


@case("I-14")
def test_no_kid_and_many_keys_of_one_kind(lab, make_site):
    """The number of tries is bounded: a key behind the bound is not found."""
    idp = Idp(lab.keys)
    idp.jwks_keys = [Key.ec(f"k{i}").jwk() for i in range(60)] + [lab.keys.p256.jwk()]
    site = make_site(idp=idp, control=False)
    refused(site, without_kid(lab.keys.p256, "ES256"), code="jwt_signature|jwt_key_unknown")
    site.again()
    idp.jwks_keys = None
    idp.alg, idp.key = "ES256", lab.keys.p256
    browser, answer = attempt(site)  # by its kid it is
    accepted(site, browser, answer)


@pytest.mark.parametrize("kid", rows("I-15", {
    "traversal": "../../etc/passwd", "sql": "' OR 1=1 --", "crlf": "rsa-1\r\nX: y",
    "64k": "k" * 65536, "number": 5, "null": (None,), "percent": "%n%s%x", "nul": "rsa-1\u0000",
    "prefix": "rsa-", "case": "RSA-1", "url": "http://127.0.0.1/k", "escape": "\u001b[31m",
    "array": (["rsa-1"],), "empty": "",
}))
def test_hostile_kid(site, kid):
    browser, answer = attempt(site, lambda h, c: forge.signed({**h, "kid": kid}, c, site.idp.key))
    browser.close()
    if kid in (None, "") and answer.status in (302, 303):
        return  # as good as absent
    reject(site, answer, "jwt_key_unknown|jwt_malformed|too_large", 502)
    log = site.log_since_mark()
    assert "\x1b" not in log and "\nX: y" not in log
    assert max(len(line) for line in log.splitlines()) < 4000


@pytest.mark.parametrize("members", rows("I-15", {
    "jku": {"jku": "@TRAP@/jwks"}, "x5u": {"x5u": "@TRAP@/x5"},
    "embedded-jwk": {"jwk": "OWN", "kid": "own"}, "x5c": {"x5c": ["AAAA"], "kid": "own"},
}))
def test_keys_named_by_the_token(site, members):
    """jku, x5u, jwk and x5c in the header are never used."""
    own = Key.rsa("own")

    def make(header, claims):
        extra = {k: (own.jwk() if v == "OWN" else v.replace("@TRAP@", site.lab.trap.url)
                     if isinstance(v, str) else v) for k, v in members.items()}
        return forge.signed({**header, **extra}, claims, own, "RS256")
    refused(site, make, code="jwt_signature|jwt_key_unknown|jwt_malformed")


@pytest.mark.parametrize("header", rows("I-17", {
    "unknown": {"crit": ["x"], "x": 1}, "empty": {"crit": []}, "string": {"crit": "x"},
    "b64": {"crit": ["b64"], "b64": False}, "b64-true": {"crit": ["b64"], "b64": True},
    "registered": {"crit": ["alg"]}, "object": {"crit": {}}, "null": {"crit": None},
    "numbers": {"crit": [1]}, "exp": {"crit": ["exp"], "exp": 1},
}))
def test_critical_extensions(site, header):
    browser, answer = attempt(site, header=lambda h: {**h, **header})
    browser.close()
    if header == {"crit": None} and answer.status in (302, 303):
        pytest.fail("crit: null is no list of names")
    reject(site, answer, "jwt_crit|jwt_malformed", 502)


@pytest.mark.parametrize("typ, good", rows("I-18", {
    "at": ("at+jwt", False), "at-long": ("application/at+jwt", False), "logout": ("logout+jwt", False),
    "dpop": ("dpop+jwt", False), "AT-upper": ("AT+JWT", False), "secevent": ("secevent+jwt", False),
    "JWT": ("JWT", True), "jwt": ("jwt", True), "absent": (None, True), "number": (5, False),
}))
def test_token_type(site, typ, good):
    def header(h):
        h["typ"] = typ
        if typ is None:
            del h["typ"]
    browser, answer = attempt(site, header=header)
    if good:
        accepted(site, browser, answer)
    else:
        browser.close()
        reject(site, answer, "jwt_typ|jwt_malformed", 502)


@case("I-18")
def test_access_token_in_place_of_the_id_token(site):
    """A JWT access token (RFC 9068) whose audience is this client."""
    def make(header, claims):
        claims = {k: claims[k] for k in ("iss", "sub", "aud", "exp", "iat")}
        return forge.signed({**header, "typ": "at+jwt"}, {**claims, "client_id": "client-1",
                                                          "scope": "openid"}, site.idp.key)
    refused(site, make, code="jwt_typ|id_token_nonce")
    site.again()
    refused(site, lambda h, c: forge.signed({**h, "typ": "JWT"}, {
        k: c[k] for k in ("iss", "sub", "aud", "exp", "iat")}, site.idp.key), code="id_token_nonce")


@pytest.mark.parametrize("make", rows("I-19", {
    "flattened": lambda t: json.dumps({"payload": t.split(".")[1], "protected": t.split(".")[0],
                                       "signature": t.split(".")[2]}),
    "general": lambda t: json.dumps({"payload": t.split(".")[1], "signatures": [
        {"protected": t.split(".")[0], "signature": t.split(".")[2]}]}),
    "polyglot": lambda t: '{"payload":"x","a":"' + t + '"}',
    "polyglot-2": lambda t: t + '{"signatures":[]}',
}))
def test_json_serialisation(site, make):
    refused(site, lambda h, c: make(forge.signed(h, c, site.idp.key)),
            code="jwt_[a-z_]+|token_malformed")


def jwe(header, iv=b"i" * 12, tag=b"t" * 16):
    return lambda h, c: ".".join([b64u(dump(header)), b64u(b"k" * 256), b64u(iv), b64u(dump(c)),
                                  b64u(tag)])


@pytest.mark.parametrize("make", rows("I-20", {
    "rsa-oaep": jwe({"alg": "RSA-OAEP", "enc": "A256GCM"}),
    "pbes2": jwe({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2 ** 31, "p2s": "AAAA"}),
    "rsa1-5": jwe({"alg": "RSA1_5", "enc": "A128CBC-HS256"}),
    "dir": jwe({"alg": "dir", "enc": "A128GCM"}),
    "short-tag": jwe({"alg": "dir", "enc": "A128GCM"}, tag=b"tttt"),
    "short-iv": jwe({"alg": "dir", "enc": "A128GCM"}, iv=b"i"),
    "zip": jwe({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}),
    "alg-none": jwe({"alg": "none", "enc": "none"}),
}))
def test_encrypted_tokens(site, make):
    refused(site, make, code="jwt_encrypted")


@pytest.mark.parametrize("label, used, salt", rows("I-22", {
    "PS-as-RS": ("RS256", "PS256", None), "RS-as-PS": ("PS256", "RS256", None),
    "PS-no-salt": ("PS256", "PS256", 0), "PS-odd-salt": ("PS256", "PS256", 20),
    "PS-long-salt": ("PS256", "PS256", 222), "RS384-as-RS256": ("RS256", "RS384", None),
    "RS256-as-RS512": ("RS512", "RS256", None),
}))
def test_signature_of_another_scheme(site, label, used, salt):
    refused(site, lambda h, c: forge.compact({**h, "alg": label}, c, sign=lambda d:
                                             site.lab.keys.rsa.sign(used, d, salt)),
            code="jwt_signature")


@case("I-22")
def test_bleichenbacher_2006(lab, make_site):
    idp = Idp(lab.keys)
    weak = Key.rsa("weak", e=3)
    idp.jwks_keys = [weak.jwk()]
    site = make_site(idp=idp, control=False)
    refused(site, lambda h, c: forge.compact({**h, "kid": "weak"}, c, sign=lambda d:
                                             forge.bleichenbacher06(d, 256)),
            code="jwt_signature|jwt_key_unknown")


@pytest.mark.parametrize("signature", rows("I-22", {
    "zero": b"\0" * 64, "empty": b"", "r-zero": b"\0" * 32 + b"\1" * 32,
    "s-zero": b"\1" * 32 + b"\0" * 32, "order": bytes.fromhex(
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") * 2,
    "ones": b"\xff" * 64,
}))
def test_psychic_signatures(site, signature):
    site.idp.alg, site.idp.key = "ES256", site.lab.keys.p256
    refused(site, lambda h, c: forge.compact(h, c, signature), code="jwt_signature|jwt_malformed")


@case("I-22")
def test_der_signature_in_place_of_the_raw_one(site):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    site.idp.alg, site.idp.key = "ES256", site.lab.keys.p256
    refused(site, lambda h, c: forge.compact(h, c, sign=lambda d: site.idp.key.private.sign(
        d, ec.ECDSA(hashes.SHA256()))), code="jwt_signature|jwt_malformed")


@pytest.mark.parametrize("change", rows("I-38", {
    "padding": lambda s: s + "=" * (-len(s) % 4 or 4), "plus": lambda s: s.replace("-", "+"),
    "slash": lambda s: s.replace("_", "/"), "crlf": lambda s: s[:10] + "\r\n" + s[10:],
    "space": lambda s: s[:10] + " " + s[10:], "trailing-space": lambda s: s + " ",
    "high": lambda s: s[:-1] + "é",
}))
@pytest.mark.parametrize("segment", (0, 1, 2), ids=("header", "payload", "signature"))
def test_base64url_is_strict(site, segment, change):
    """A token that only a lenient decoder reads, signed over what is sent."""
    def make(header, claims):
        # Payload and header that need both letters that differ between the two alphabets.
        claims["x"] = "\u00ff\u00fe\u00ff?>?>~~~\u00bf\u00be"
        header["x"] = "?>?>~~~???>>>\u00ff\u00fe"
        for _ in range(200):
            parts = [b64u(dump(header)), b64u(dump(claims))]
            parts.append(b64u(site.idp.key.sign("RS256", ".".join(parts).encode())))
            changed = change(parts[segment])
            if changed != parts[segment]:
                break
            claims["x"] += "~"
        parts[segment] = changed
        if segment < 2:
            data = ".".join(parts[:2]).encode("utf-8")
            parts[2] = b64u(site.idp.key.sign("RS256", data))
        return ".".join(parts)
    refused(site, make, code="jwt_malformed|jwt_signature|token_malformed")


@case("I-38")
def test_non_canonical_trailing_bits(site):
    site.idp.alg, site.idp.key = "ES256", site.lab.keys.p256

    def make(header, claims):
        token = forge.signed(header, claims, site.idp.key)
        # 64 bytes leave four unused bits in the last letter.
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        last = alphabet[alphabet.index(token[-1]) + 1]
        return token[:-1] + last
    refused(site, make, code="jwt_malformed|jwt_signature")


@pytest.mark.parametrize("header", rows("I-38", {
    "alg-twice": '{"alg":"RS256","alg":"RS256","kid":"rsa-1"}',
    "alg-twice-none": '{"alg":"none","alg":"RS256","kid":"rsa-1"}',
    "kid-twice": '{"alg":"RS256","kid":"x","kid":"rsa-1"}',
    "array": '["RS256"]', "string": '"RS256"', "empty": "", "trailing": '{"alg":"RS256"}x',
    "bom": '\ufeff{"alg":"RS256","kid":"rsa-1"}', "nul": '{"alg":"RS256","kid":"rsa-1"}\u0000',
}))
def test_header_that_is_no_header(site, header):
    refused(site, lambda h, c: forge.signed(header, c, site.idp.key, "RS256"),
            code="jwt_malformed|jwt_alg")
    sane(site)


@pytest.mark.parametrize("payload", rows("I-33", {
    "array": "[]", "string": '"x"', "number": "5", "null": "null", "empty": "",
    "trailing": "{}{}", "bom": "\ufeff{}",
}))
def test_payload_that_is_no_object(site, payload):
    refused(site, lambda h, c: forge.signed(h, payload, site.idp.key), code="jwt_malformed")
