# SPDX-License-Identifier: Apache-2.0
"""Group J: the provider's keys."""

import concurrent.futures
import json
import subprocess
import threading
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.forge import Key, b64u, b64u_int
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge, passes, reject, sane
from harness.wire import Reply


def login(site, idp=None):
    browser = site.browser()
    answer = browser.try_login("/j", idp)
    return browser, answer


def accepted(site, browser, answer):
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    passes(site, browser.get("/j"), remote_user="jdoe")
    browser.close()


def use(idp, key, alg="ES256"):
    idp.key, idp.alg = key, alg


@pytest.mark.parametrize("kid", rows("J-02", {"kid": "new", "no-kid": (None,)}))
def test_rotation(make_site, kid):
    site = make_site()
    old, new = Key.ec("old"), Key.ec(kid)
    use(site.idp, new)
    site.idp.jwks_keys = [old.jwk(), new.jwk()]
    before = site.delta("jwks")
    accepted(site, *login(site))
    assert site.delta("jwks") == before + 1
    accepted(site, *login(site))
    assert site.delta("jwks") == before + 1


@case("J-03", "E-03")
def test_storm_of_unknown_kids(make_site):
    site = make_site()
    stranger = Key.ec("x")
    before = site.delta("jwks")
    start = time.monotonic()
    for i in range(60):
        site.idp.make_token = lambda h, c: forge.signed(  # noqa: B023
            {**h, "alg": "ES256", "kid": f"random-{i}"}, c, stranger)
        browser, answer = login(site)
        browser.close()
        assert answer.status == 502
    allowed = 3 + int((time.monotonic() - start) / 10)
    assert site.delta("jwks") - before <= allowed


@pytest.mark.parametrize("kid, alg", rows("J-02", {"same-kid": ("old", "ES256"), "other-type": ("new", "RS256"),
                                                 "same-kid-other-type": ("old", "RS256")}))
def test_a_key_that_is_replaced(make_site, kid, alg):
    """Under its own kid, by one of another type: the metadata name one algorithm at a time."""
    site = make_site()
    site.idp.metadata = lambda d: {**d, "id_token_signing_alg_values_supported": [site.idp.alg]}
    old = Key.ec("old")
    use(site.idp, old)
    site.idp.jwks_keys = [old.jwk()]
    accepted(site, *login(site))
    new = Key.ec(kid) if alg == "ES256" else site.lab.keys.rsa
    use(site.idp, new, alg)
    site.idp.jwks_keys = [new.jwk(kid=kid) if alg == "RS256" else new.jwk()]
    site.idp.header = lambda h: {**h, "kid": kid}
    before = site.delta("jwks"), site.delta("discovery")
    accepted(site, *login(site))
    assert (site.delta("jwks"), site.delta("discovery")) == (before[0] + 1, before[1] + 1)
    accepted(site, *login(site))
    assert site.delta("jwks") == before[0] + 1
    assert site.refusals() == []


@case("J-02")
def test_rotations_in_a_row(make_site):
    """Three at once, the fourth waits for its turn."""
    site = make_site(directives={"jwks_refetch_interval": "3s"})
    start = time.monotonic()
    for i in range(5):
        key = Key.ec(f"k{i}")
        use(site.idp, key)
        site.idp.jwks_keys = [key.jwk()]
        accepted(site, *login(site))
        if i == 2:
            assert time.monotonic() - start < 3 * SLOW
    assert time.monotonic() - start > 3
    assert site.refusals() == []


@case("J-18")
def test_a_change_of_keys_among_bad_signatures(make_site):
    """Those have used up their own share of fetches, and waiting for it is not worth while."""
    site = make_site(directives={"jwks_refetch_interval": "1m"})
    stranger = Key.ec(None)
    for i in range(3):
        site.idp.make_token = None
        new = Key.ec(f"new-{i}")
        use(site.idp, new)
        site.idp.jwks_keys = [new.jwk()]
        accepted(site, *login(site))
        site.idp.make_token = lambda h, c: forge.signed(h, c, stranger)
        for _ in range(4):
            browser, answer = login(site)
            browser.close()
            assert answer.status == 502 and site.refusals()[-1][1] == "jwt_signature"


def rotate_while_asked(site, endpoint, name):
    """The keys change while `endpoint` answers, with what was true when it was asked."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(x):
        site.idp.on.pop(endpoint)
        reply = x.default()
        asked.set()
        assert go_on.wait(20 * SLOW)
        return reply
    site.idp.on[endpoint] = answer

    def rotate():
        assert asked.wait(20 * SLOW)
        new = Key.ec(name)
        site.idp.jwks_keys = [new.jwk()]
        use(site.idp, new)
    return rotate, go_on


@case("J-18")
def test_keys_that_were_asked_for_before_they_changed(make_site):
    """A sign-in that joins the fetch which another one has begun needs one that begins later."""
    site = make_site()
    accepted(site, *login(site))
    first, second = site.browser(), site.browser()
    targets = [b.callback_url(b.start("/j")) for b in (first, second)]
    old = site.idp.key
    site.idp.make_token = lambda h, c: forge.signed({**h, "alg": "ES256", "kid": "x"}, c, Key.ec("x"))
    rotate, go_on = rotate_while_asked(site, "jwks", "new")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        bad = pool.submit(first.callback, targets[0])
        rotate()
        assert site.idp.key is not old
        site.idp.make_token = None
        tokens = site.delta("token")
        good = pool.submit(second.callback, targets[1])
        site.wait(lambda: site.delta("token") == tokens + 1, "the second one's token")
        time.sleep(0.1)
        go_on.set()
        assert bad.result().status == 502
        assert good.result().status in (302, 303), site.log_since_mark()
    first.close()
    second.close()


@case("J-18")
def test_keys_that_change_twice_during_a_sign_in(make_site):
    """Newer ones than it has begun with are there, and are too old all the same."""
    site = make_site()
    accepted(site, *login(site))
    browser = site.browser()
    target = browser.callback_url(browser.start("/j"))
    asked, go_on = threading.Event(), threading.Event()

    def late(x):
        site.idp.on.pop("token")
        asked.set()
        assert go_on.wait(20 * SLOW)
        return x.default()
    site.idp.on["token"] = late
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(browser.callback, target)
        assert asked.wait(20 * SLOW)
        for name in ("one", "two"):
            new = Key.ec(name)
            use(site.idp, new)
            site.idp.jwks_keys = [new.jwk()]
            if name == "one":
                accepted(site, *login(site))
        go_on.set()
        assert answer.result().status in (302, 303), site.log_since_mark()
    browser.close()


@case("J-03")
def test_logout_tokens_have_a_throttle_of_their_own(make_site):
    """Anybody can send them: they never wait, and take nothing from logins."""
    site = make_site(directives={"backchannel_logout_uri": "/oidc/backchannel",
                                 "jwks_refetch_interval": "1m"}, control=False,
                     own_paths=("/oidc_callback", "/oidc/backchannel"))
    accepted(site, *login(site))
    stranger = Key.ec("x")
    site.state.check_hits = False
    before = site.delta("jwks")
    start = time.monotonic()
    for i in range(20):
        token = forge.signed({"alg": "ES256", "kid": f"random-{i}", "typ": "logout+jwt"},
                             {"iss": site.idp.issuer}, stranger, "ES256")
        browser = site.browser()
        answer = browser.request("POST", "/oidc/backchannel", kind="none", cookies=False,
                                 body=b"logout_token=" + token.encode(), headers={
                                     "Content-Type": "application/x-www-form-urlencoded"})
        browser.close()
        assert answer.status == 400, answer
    assert site.delta("jwks") == before + 3 and time.monotonic() - start < 10 * SLOW
    for i in range(3):
        new = Key.ec(f"new-{i}")
        use(site.idp, new)
        site.idp.jwks_keys = [new.jwk()]
        accepted(site, *login(site))
    assert site.delta("jwks") == before + 6


@case("J-15")
def test_a_reload_fetches_the_documents(make_site):
    site = make_site()
    old, new = Key.ec("old"), Key.ec("new")
    site.idp.jwks_keys = [old.jwk()]
    use(site.idp, old)
    accepted(site, *login(site))
    site.reload()
    time.sleep(5.2)
    before = site.delta("jwks"), site.delta("discovery")
    site.idp.jwks_keys = [new.jwk()]
    site.reload()
    site.wait(lambda: site.delta("jwks") == before[0] + 1, "fetch after a reload")
    assert site.delta("discovery") == before[1] + 1
    time.sleep(0.2)
    browser, answer = login(site)
    browser.close()
    reject(site, answer, "jwt_key_unknown", 502)
    site.reload()
    assert site.delta("jwks") == before[0] + 2  # the refetch of that login


@case("J-12")
def test_keys_without_kid(lab, make_site):
    """The token names a key, the set names none."""
    idp = Idp(lab.keys)
    key = Key.ec(None)
    idp.jwks_keys = [Key.ec(None).jwk(), key.jwk()]
    idp.header = lambda h: {**h, "kid": "anything"}
    site = make_site(idp=idp, control=False)
    use(idp, key)
    accepted(site, *login(site))


@pytest.mark.parametrize("member, value, why", rows("J-05", {
    "base64": ("n", "AMw/+" + "x" * 336 + "==", "is not base64url"),
    "alg": ("alg", "RSA", "is no algorithm"), "small": ("n", "y" * 100, "bits"),
}))
def test_a_key_that_is_left_out_is_named(lab, make_site, member, value, why):
    idp = Idp(lab.keys)
    idp.jwks_keys = [{**lab.keys.rsa.jwk(kid="nam"), member: value}]
    site = make_site(idp=idp, control=False)
    answer = site.browser().get("/j")
    reject(site, answer, "jwks_invalid", 502, consumed=False)
    assert "nam" in site.refusals()[-1][2] and why in site.refusals()[-1][2]
    idp.jwks_keys = [idp.jwks_keys[0], Key.ec("other").jwk()]
    site.wait(lambda: site.browser().get("/j").status == 302, "a usable key", 10)
    assert "of the keys of provider" in site.log_since_mark()
    browser, answer = login(site)
    browser.close()
    assert answer.status == 502 and site.refusals()[-1][1] in ("jwt_key_unknown", "jwt_alg")


@case("J-17")
def test_rotation_after_a_storm(make_site):
    site = make_site(directives={"jwks_refetch_interval": "2s"})
    stranger, new = Key.ec("x"), Key.ec("new")
    site.idp.make_token = lambda h, c: forge.signed({**h, "alg": "ES256", "kid": "no"}, c, stranger)
    for _ in range(3):
        login(site)[0].close()
    site.idp.make_token = None
    use(site.idp, new)
    site.idp.jwks_keys = [new.jwk()]
    end = time.monotonic() + 6
    while time.monotonic() < end:
        browser, answer = login(site)
        if answer.status in (302, 303):
            return
        browser.close()
        time.sleep(0.5)
    raise AssertionError(f"no login after the throttle interval\n{site.log_since_mark()}")


@pytest.mark.parametrize("reply", rows("J-04", {
    "500": lambda x: Reply(b"", status=500), "503": lambda x: Reply(b"", status=503),
    "reset": lambda x: x.rst(), "stalled": lambda x: x.stall(5),
}) + rows("J-05", {
    "truncated": lambda x: Reply(x.default().body[:-20]), "html": lambda x: Reply(b"<html>"),
    "array": lambda x: Reply(b"[]"), "object-keys": lambda x: Reply(b'{"keys":{}}'),
    "empty": lambda x: Reply(b""),
}))
def test_broken_endpoint_with_cached_keys(make_site, reply):
    """The last good keys stay in use."""
    site = make_site(directives={"read_timeout": "1s"})
    accepted(site, *login(site))
    site.idp.on["jwks"] = reply
    site.idp.make_token = lambda h, c: forge.signed({**h, "kid": "unknown"}, c, site.idp.key)
    browser, answer = login(site)
    browser.close()
    assert answer.status in (502, 504), answer
    site.idp.make_token = None
    accepted(site, *login(site))


@pytest.mark.parametrize("reply", rows("J-05", {
    "truncated": lambda x: Reply(x.default().body[:-20]), "html": lambda x: Reply(b"<html>"),
    "array": lambda x: Reply(b"[]"), "object-keys": lambda x: Reply(b'{"keys":{}}'),
    "null-keys": lambda x: Reply(b'{"keys":null}'), "empty": lambda x: Reply(b""),
    "500": lambda x: Reply(b"", status=500), "204": lambda x: Reply(b"", status=204),
    "redirect": lambda x: Reply(b"", status=302, headers=[("Location", x.idp.url("jwks2"))]),
}))
def test_broken_endpoint_at_first_use(lab, make_site, reply):
    idp = Idp(lab.keys)
    idp.on["jwks"] = reply
    site = make_site(idp=idp, control=False)
    answer = site.browser().get("/j")
    assert answer.status in (502, 503, 504), answer
    assert not answer.from_backend and not answer.set_cookies()
    assert len(site.refusals()) == 1, site.log_since_mark()
    # Nothing bad was cached: it works as soon as the provider does.
    idp.on.clear()
    site.wait(lambda: site.browser().get("/j").status == 302, "recovery", 15)
    idp.on.clear()
    accepted(site, *login(site))


@pytest.mark.parametrize("body", rows("J-05", {"empty-object": b"{}", "no-keys": b'{"keys":[]}'}))
def test_empty_key_set(lab, make_site, body):
    """Legal, and nothing verifies with it; the next login asks again."""
    idp = Idp(lab.keys)
    idp.on["jwks"] = lambda x: Reply(body)
    site = make_site(idp=idp, control=False)
    first = site.browser().get("/j")
    assert first.status in (302, 502, 503), first
    if first.status == 302:
        browser, answer = login(site)
        assert answer.status == 502
        browser.close()
    idp.on.clear()

    def works():
        browser = site.browser()
        answer = browser.get("/j")
        if answer.status != 302:
            return False
        return browser.callback(browser.callback_url(answer)).status in (302, 303)
    site.wait(works, "recovery", 15)


@case("J-07")
def test_symmetric_key_in_the_set(lab, make_site):
    secret = b"0123456789abcdef0123456789abcdef"
    for alg in (None, "HS256", "HS256 RS256"):
        idp = Idp(lab.keys)
        idp.jwks_keys = [{"kty": "oct", "kid": "sym", "k": b64u(secret), "alg": "HS256",
                          "use": "sig"}, lab.keys.rsa.jwk()]
        site = make_site(idp=idp, directives={"id_token_signed_response_alg": alg}, control=False)
        idp.make_token = lambda h, c: forge.signed({"alg": "HS256", "kid": "sym"}, c, secret)
        browser, answer = login(site)
        browser.close()
        reject(site, answer, "jwt_alg|jwt_signature|jwt_key_unknown", 502)


@case("J-08")
def test_private_members(lab, make_site):
    numbers = lab.keys.rsa.private.private_numbers()
    private = {"d": b64u_int(numbers.d), "p": b64u_int(numbers.p), "q": b64u_int(numbers.q)}
    idp = Idp(lab.keys)
    for name, value in private.items():
        idp.canary(value, f"private member {name}")
    idp.jwks_keys = [{**lab.keys.rsa.jwk(), **private}]
    site = make_site(idp=idp, control=False, level="debug")
    site.state.canaries.clear()
    browser, answer = login(site)
    log = site.nginx.log()
    assert not any(v in log for v in private.values())
    if answer.status not in (302, 303):
        reject(site, answer, "jwt_key_unknown", 502)
    idp.canaries.clear()  # nginx's own debug lines show headers and bodies
    site.state.canaries.clear()
    browser.close()
    for b in site.browsers:
        b.close()
    site.state.sessions.clear()


def rsa_with(n=None, e=None):
    def jwk(keys):
        good = keys.rsa.private.public_key().public_numbers()
        return {"kty": "RSA", "kid": "odd", "n": b64u_int(good.n if n is None else n(good.n)),
                "e": b64u_int(good.e if e is None else e)}
    return jwk


def rsa_of(bits):
    """A real modulus, also of a size that Python's cryptography makes no keys of any more."""
    def jwk(_):
        p, q = (int(subprocess.run(["openssl", "prime", "-generate", "-bits", str(bits // 2)],
                                   check=True, capture_output=True, text=True).stdout)
                for _ in "pq")
        assert (p * q).bit_length() == bits
        return {"kty": "RSA", "use": "sig", "kid": "odd", "n": b64u_int(p * q), "e": "AQAB"}
    return jwk


ODD_RSA = {
    "512": rsa_of(512), "1024": rsa_of(1024),
    "n-even": rsa_with(n=lambda n: n - 1), "n-zero": rsa_with(n=lambda n: 0),
    "n-one": rsa_with(n=lambda n: 1), "e-one": rsa_with(e=1), "e-zero": rsa_with(e=0),
    "e-even": rsa_with(e=65536), "e-huge": rsa_with(e=(1 << 2040) + 1),
    "n-32768": rsa_with(n=lambda n: (1 << 32767) | n), "n-missing":
    lambda k: {"kty": "RSA", "kid": "odd", "e": "AQAB"}, "e-missing":
    lambda k: {"kty": "RSA", "kid": "odd", "n": k.rsa.jwk()["n"]}, "n-number":
    lambda k: {"kty": "RSA", "kid": "odd", "n": 5, "e": "AQAB"}, "n-padded":
    lambda k: {**k.rsa.jwk(kid="odd"), "n": k.rsa.jwk()["n"] + "=="}, "n-empty":
    lambda k: {"kty": "RSA", "kid": "odd", "n": "", "e": "AQAB"},
}


@pytest.mark.parametrize("jwk", rows("J-09", ODD_RSA))
def test_odd_rsa_keys(lab, make_site, jwk):
    """None is used, also not with a 'signature' that an exponent of 1 would make valid."""
    idp = Idp(lab.keys)
    odd = jwk(lab.keys)
    idp.jwks_keys = [odd, lab.keys.p256.jwk()]
    site = make_site(idp=idp, control=False)
    size = max(1, len(str(odd.get("n"))) * 3 // 4)

    def make(header, claims):
        return forge.compact({**header, "alg": "RS256", "kid": "odd"}, claims, sign=lambda d:
                             forge.pkcs1_v15_unsigned(d, max(size, 64)))
    idp.make_token = make
    start = time.monotonic()
    browser, answer = login(site)
    browser.close()
    reject(site, answer, "jwt_key_unknown|jwt_signature", 502)
    assert time.monotonic() - start < 10
    site.again()
    idp.jwks_keys = None
    use(idp, lab.keys.p256)
    idp.jwks_keys = [odd, lab.keys.p256.jwk()]
    accepted(site, *login(site))  # the good key beside it still works


def weak_but_genuine(bits):
    return Key.rsa("weak", bits)


@pytest.mark.parametrize("bits", rows("J-09", {"genuine-1024": 1024}))
def test_genuine_signature_of_a_weak_key(lab, make_site, bits):
    idp = Idp(lab.keys)
    weak = weak_but_genuine(bits)
    idp.jwks_keys = [weak.jwk()]
    use(idp, weak, "RS256")
    site = make_site(idp=idp, control=False)
    first = site.browser().get("/j")
    if first.status == 302:
        browser, answer = login(site)
        reject(site, answer, "jwt_key_unknown|jwt_signature", 502)
        browser.close()
    else:
        assert first.status == 502


P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff


@pytest.mark.parametrize("change", rows("J-10", {
    "off-curve": lambda j: {**j, "y": b64u(b"\1" * 32)}, "infinity":
    lambda j: {**j, "x": b64u(b"\0" * 32), "y": b64u(b"\0" * 32)}, "short":
    lambda j: {**j, "x": b64u(b"\1" * 31)}, "long": lambda j: {**j, "x": b64u(b"\0" + b"\1" * 32)},
    "negative": lambda j: {**j, "y": b64u(b"\xff" * 32)}, "plus-p":
    lambda j: {**j, "x": b64u_int(P + 5)}, "missing-y": lambda j: {k: v for k, v in j.items()
                                                                   if k != "y"},
    "number": lambda j: {**j, "x": 5}, "empty": lambda j: {**j, "x": "", "y": ""},
}))
def test_odd_ec_keys(lab, make_site, change):
    idp = Idp(lab.keys)
    idp.jwks_keys = [change(lab.keys.p256.jwk()), lab.keys.rsa.jwk()]
    site = make_site(idp=idp, control=False)
    use(idp, lab.keys.p256)
    idp.jwks_keys = [change(lab.keys.p256.jwk()), lab.keys.rsa.jwk()]
    browser, answer = login(site)
    browser.close()
    reject(site, answer, "jwt_key_unknown|jwt_signature", 502)
    site.again()
    idp.jwks_keys = [change(lab.keys.p256.jwk()), lab.keys.rsa.jwk()]
    accepted(site, *login(site))


@pytest.mark.parametrize("jwk", rows("J-10", {
    "short": {"kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": b64u(b"\1" * 31)},
    "Ed448": {"kty": "OKP", "crv": "Ed448", "kid": "ed-1", "x": b64u(b"\1" * 57)},
    "X25519": {"kty": "OKP", "crv": "X25519", "kid": "ed-1", "x": b64u(b"\1" * 32)},
    "low-order": {"kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": b64u(b"\1" + b"\0" * 31)},
}))
def test_odd_okp_keys(lab, make_site, jwk):
    idp = Idp(lab.keys)
    idp.jwks_keys = [jwk, lab.keys.rsa.jwk()]
    site = make_site(idp=idp, control=False)
    use(idp, lab.keys.ed, "EdDSA")
    idp.jwks_keys = [jwk, lab.keys.rsa.jwk()]
    browser, answer = login(site)
    browser.close()
    reject(site, answer, "jwt_key_unknown|jwt_signature", 502)


@pytest.mark.parametrize("reply", rows("J-11", {
    "1000-keys": lambda x: Reply({"keys": [x.idp.keys.p256.jwk(kid=f"k{i}") for i in range(1000)]}),
    "10m": lambda x: Reply(b'{"keys":[],"x":"' + b"y" * (10 << 20) + b'"}'),
    "deep": lambda x: Reply(b'{"keys":' + b"[" * 10000 + b"]" * 10000 + b"}"),
}))
def test_oversized_key_sets(lab, make_site, reply):
    idp = Idp(lab.keys)
    idp.on["jwks"] = reply
    site = make_site(idp=idp, control=False)
    answer = site.browser().get("/j")
    assert answer.status in (502, 503), answer
    assert site.refusals()[-1][1] in ("jwks_invalid", "idp_too_large", "too_large")
    sane(site)


@case("E-04", "J-02")
def test_tokens_without_kid_and_many_keys(lab, make_site):
    """As many keys as are taken at all, of one type: no more than eight are tried."""
    idp = Idp(lab.keys)
    others = [Key.ec(f"k{i}").jwk() for i in range(98)]
    right, wrong = Key.ec(None), Key.ec(None)
    published = [*others[:5], right.jwk(), *others[5:], wrong.jwk()]
    idp.jwks_keys = published
    site = make_site(idp=idp, control=False)
    use(idp, right)
    accepted(site, *login(site))
    start = time.monotonic()
    for _ in range(20):
        idp.jwks_keys = published
        use(idp, wrong)
        browser, answer = login(site)
        browser.close()
        reject(site, answer, "jwt_signature", 502)
        assert "keys tried: 8" in site.log_since_mark()
        site.again()
    assert time.monotonic() - start < 10 * SLOW
    use(idp, right)
    accepted(site, *login(site))


@case("J-11")
def test_endless_key_set(lab, make_site):
    idp = Idp(lab.keys)

    def endless(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"keys\":[")
        try:
            for _ in range(2000):
                exchange.send(b" " * 16384)
        except OSError:
            pass
    idp.on["jwks"] = endless
    site = make_site(idp=idp, control=False)
    answer = site.browser().get("/j")
    assert answer.status in (502, 503, 504), answer
    assert site.refusals()[-1][1] == "idp_too_large"


@pytest.mark.parametrize("alg, keys", rows("J-12", {
    "rsa-and-ec": ("ES256", lambda k: [k.rsa.jwk(kid="same"), k.p256.jwk(kid="same")]),
    "ec-and-rsa": ("RS256", lambda k: [k.p256.jwk(kid="same"), k.rsa.jwk(kid="same")]),
    "two-ec": ("ES256", lambda k: [Key.ec("same").jwk(), k.p256.jwk(kid="same")]),
    "two-rsa": ("RS256", lambda k: [k.rsa2.jwk(kid="same"), k.rsa.jwk(kid="same")]),
}))
def test_same_kid_twice(lab, make_site, alg, keys):
    idp = Idp(lab.keys)
    idp.jwks_keys = keys(lab.keys)
    site = make_site(idp=idp, control=False)
    idp.jwks_keys = keys(lab.keys)
    idp.make_token = lambda h, c: forge.signed({**h, "alg": alg, "kid": "same"}, c,
                                               lab.keys.for_alg(alg))
    accepted(site, *login(site))


EXPLICIT_EC = b64u(b"\x30\x82\x01\x33" + b"\x02\x01\x01" + b"\x30" * 300)


@pytest.mark.parametrize("members", rows("J-13", {
    "other-certificate": {"x5c": ["MIIB"]}, "broken-base64": {"x5c": ["***"]},
    "explicit-parameters": {"x5c": [EXPLICIT_EC]}, "wrong-type": {"x5c": 5},
    "x5u": {"x5u": "TRAP"}, "thumbprint": {"x5t": "AAAA", "x5t#S256": "BBBB"},
}))
def test_certificates_in_keys_are_ignored(lab, make_site, members):
    idp = Idp(lab.keys)
    extra = {k: (lab.trap.url + "/x5u" if v == "TRAP" else v) for k, v in members.items()}
    idp.jwks_keys = [{**lab.keys.rsa.jwk(), **extra}]
    site = make_site(idp=idp, control=False)
    browser, answer = login(site)
    if answer.status in (302, 303):
        accepted(site, browser, answer)
    else:
        browser.close()
        reject(site, answer, "jwt_key_unknown", 502)


@case("J-14")
def test_single_flight(lab, make_site):
    """Many first requests wait for one fetch of metadata and keys."""
    idp = Idp(lab.keys)
    idp.on["jwks"] = lambda x: (time.sleep(1.5), x.default())[1]
    site = make_site(idp=idp, control=False)

    def first(_):
        browser = site.browser()
        answer = browser.get("/j")
        browser.close()
        return answer
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(first, range(32)))
    for answer in answers:
        challenge(site, answer)
    assert site.delta("discovery") == 1 and site.delta("jwks") == 1


@case("J-14")
def test_single_flight_of_a_refetch(make_site):
    site = make_site()
    new = Key.ec("new")
    use(site.idp, new)
    site.idp.jwks_keys = [new.jwk()]
    site.idp.on["jwks"] = lambda x: (time.sleep(1), x.default())[1]
    before = site.delta("jwks")
    browsers = [site.browser() for _ in range(24)]
    targets = [b.callback_url(b.start("/j")) for b in browsers]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda p: p[0].callback(p[1]), zip(browsers, targets)))
    assert [a.status for a in answers] == [answers[0].status] * 24 and answers[0].status < 400
    assert site.delta("jwks") == before + 1


@case("J-15")
def test_withdrawn_key(make_site):
    site = make_site(directives={"jwks_refetch_interval": "1s"})
    old, new = Key.ec("old"), Key.ec("new")
    site.idp.jwks_keys = [old.jwk()]
    use(site.idp, old)
    accepted(site, *login(site))
    # The next fetch no longer has it.
    site.idp.jwks_keys = [new.jwk()]
    use(site.idp, new)

    def rotated():
        browser, answer = login(site)
        browser.close()
        return answer.status in (302, 303)
    site.wait(rotated, "rotation", 15)
    use(site.idp, old)
    browser, answer = login(site)
    browser.close()
    assert answer.status == 502
    assert site.refusals()[-1][1] in ("jwt_key_unknown", "jwt_signature")


@pytest.mark.parametrize("uri", rows("J-16", {
    "http-foreign": "http://192.0.2.1/jwks", "ftp": "ftp://127.0.0.1/jwks",
    "file": "file:///etc/passwd", "relative": "/jwks", "data": "data:application/json,{}",
    "userinfo": "https://a@localhost/jwks", "gopher": "gopher://127.0.0.1/"}))
def test_bad_jwks_uri(lab, make_site, uri):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "jwks_uri": uri}
    site = make_site(idp=idp, control=False)
    answer = site.browser().get("/j")
    assert answer.status in (502, 503), answer
    assert site.refusals()[-1][1] == "metadata_invalid"
    assert "jwks_uri" in site.refusals()[-1][2]


@case("J-16")
def test_jwks_uri_on_another_host(lab, make_site):
    """Allowed: the metadata that names it is authenticated."""
    idp, keys = Idp(lab.keys), Idp(lab.keys)
    idp.metadata = lambda d: {**d, "jwks_uri": keys.url("jwks")}
    site = make_site(idp=idp, control=False)
    accepted(site, *login(site))
    assert keys.count("jwks") == 1 and idp.count("jwks") == 0
    keys.stop()


@case("J-05")
def test_keys_in_a_file(lab, make_site):
    idp = Idp(lab.keys)
    path = lab.folder / "jwks.json"
    path.write_text(json.dumps({"keys": [lab.keys.rsa.jwk(), lab.keys.p256.jwk()]}))
    site = make_site(idp=idp, directives={
        "jwks_file": path, "authorization_endpoint": idp.url("authorize"),
        "token_endpoint": idp.url("token")})
    accepted(site, *login(site))
    assert idp.count("jwks") == 0 and idp.count("discovery") == 0


