# SPDX-License-Identifier: Apache-2.0
"""The tests' own instruments: each of them notices what it is there for."""

import types

import pytest

from harness import forge, invariants
from harness.backend import Hit
from harness.client import Jar, Response, SetCookie
from harness.outcome import page
from harness.whatwg import hostile_targets, origin_of
from harness.wire import Headers

SITE = types.SimpleNamespace(
    tls=True, cookie_attrs=None, names=["app.test"], providers={}, own_paths=("/cb",),
    session_cookie_name="__Host-NGX_OIDC_SESSION", origin=lambda n: f"https://{n}:1",
    public=("/public/",), verify=("/verify/",), identity=None)


def hit(*headers, path="/x", kind="http"):
    return Hit(kind, "GET", path, Headers(headers), b"", b"")


@pytest.mark.parametrize("location, origin", [
    ("/x", "https://app.test"), ("//evil.example/x", "https://evil.example"),
    ("/\\evil.example", "https://evil.example"), ("\\\\evil.example", "https://evil.example"),
    ("/\t/evil.example", "https://evil.example"), ("https:evil", "https://app.test"),
    ("https:/evil", "https://app.test"), ("https:\\\\evil.example", "https://evil.example"),
    ("http://app.test/", "http://app.test"), ("https://app.test:443/x", "https://app.test"),
    ("https://app.test@evil.example/", "https://evil.example"), ("javascript:alert(1)", "javascript:"),
    ("x//y", "https://app.test"), (" //evil.example", "https://evil.example"),
    ("HTTPS://EVIL.example", "https://evil.example"), ("?x", "https://app.test")])
def test_origin_of_a_location(location, origin):
    assert origin_of(location, "https://app.test") == origin


def test_corpus_is_large_and_different():
    targets = hostile_targets()
    assert len(targets) == len(set(targets)) > 500


@pytest.mark.parametrize("text, stored", [
    ("__Host-a=1; Secure; Path=/", True), ("__Host-a=1; Path=/", False),
    ("__Host-a=1; Secure", False), ("__Host-a=1; Secure; Path=/; Domain=app.test", False),
    ("__Secure-a=1", False), ("a=1; Domain=app.test", True), ("a=1; Domain=other.test", False),
    ("a=1; SameSite=None", False), ("a=" + "x" * 5000, False)])
def test_cookie_rules(text, stored):
    assert Jar().store(SetCookie(text), "https", "app.test", "/x") is stored


def test_deleting_without_the_attributes_leaves_a_host_cookie():
    jar = Jar()
    jar.store(SetCookie("__Host-a=1; Secure; Path=/"), "https", "app.test", "/")
    jar.store(SetCookie("__Host-a=; Max-Age=0; Path=/"), "https", "app.test", "/")
    assert jar.get("__Host-a") == "1"
    jar.store(SetCookie("__Host-a=; Max-Age=0; Path=/; Secure"), "https", "app.test", "/")
    assert jar.get("__Host-a") is None


def test_same_site():
    jar = Jar()
    for name, mode in (("a", "Lax"), ("b", "Strict"), ("c", "None")):
        jar.store(SetCookie(f"{name}=1; Secure; SameSite={mode}"), "https", "app.test", "/")
    assert jar.header("https", "app.test", "/") == "a=1; b=1; c=1"
    assert jar.header("https", "app.test", "/", cross_site=True) == "a=1; c=1"
    assert jar.header("https", "app.test", "/", cross_site=True, top_level_get=False) == "c=1"
    assert jar.header("http", "app.test", "/") == ""


@pytest.mark.parametrize("found", [
    [], [("Remote-User", "x")], [("Remote-User", "jdoe"), ("Remote-User", "jdoe")],
    [("Remote-User", "jdoe"), ("Remote_User", "x")], [("Remote-User", "jdoe"), ("X-Oidc-A", "x")],
    [("Remote-User", "jdoe"), ("REMOTE.GROUPS", "x")]])
def test_identity_is_compared_exactly(found):
    assert invariants.compare_identity(hit(*found), {"remote-user": "jdoe"})
    assert invariants.compare_identity(hit(("Remote-User", "jdoe")), {"remote-user": "jdoe"}) == []


def test_identity_in_fastcgi_parameters():
    spoofed = hit(("HTTP_REMOTE_USER", "jdoe"), ("HTTP_REMOTE.USER", "x"), kind="fastcgi")
    assert spoofed.identity() == {"remote-user": ["jdoe", "x"]}
    assert hit(("REMOTE_USER", "x"), kind="fastcgi").identity() == {}


@pytest.mark.parametrize("text", [
    "__Host-NGX_OIDC_SESSION=x; Path=/; HttpOnly; SameSite=Lax", "NGX_OIDC_SESSION=x; Path=/; Secure; "
    "HttpOnly; SameSite=Lax", "__Host-NGX_OIDC_SESSION=; Max-Age=0; Path=/; Secure; HttpOnly",
    "__Host-NGX_OIDC_SESSION=x; Path=/; Secure; HttpOnly; SameSite=None",
    "__Host-NGX_OIDC_SESSION=x; Path=/; Secure; HttpOnly; SameSite=Lax; Domain=app.test"])
def test_cookie_attributes_are_compared(text):
    with pytest.raises(AssertionError):
        invariants.check_cookie(SITE, SetCookie(text))
    invariants.check_cookie(SITE, SetCookie(
        "__Host-NGX_OIDC_SESSION=x; Path=/; Max-Age=5; Secure; HttpOnly; SameSite=Lax"))


def answer(status=302, **headers):
    pairs = Headers([(k.replace("_", "-"), v) for k, v in headers.items()])
    return Response(status, "", pairs, b"", ("GET", "/x", {}))


@pytest.mark.parametrize("location", [
    "https://evil.example/", "https://app.test.evil.example:1/", "https://app.test:1@evil.example/",
    "//evil.example", "/\\evil.example", "https://app.test:12/", "javascript:x", "http://app.test:1/"])
def test_foreign_locations_are_seen(location):
    with pytest.raises(AssertionError):
        invariants.check_location(SITE, answer(location=location))
    invariants.check_location(SITE, answer(location="https://app.test:1/x"))


def test_cacheable_answers_are_seen():
    site = types.SimpleNamespace(**vars(SITE), state=invariants.State())
    with pytest.raises(AssertionError):
        invariants.observe(site, answer(401), [])
    invariants.observe(site, answer(401, cache_control="no-store"), [])


def test_canaries_are_found():
    site = types.SimpleNamespace(state=invariants.State(), providers={})
    site.state.canaries = {"top-secret": "secret"}
    assert invariants.check_canaries(site, "x\n1 [error] a top-secret b\n", "log")
    assert invariants.check_canaries(site, "nothing", "log") == []
    assert invariants.check_log(site, "1 [alert] x") and invariants.check_log(site, "exited on signal 11")


@pytest.mark.parametrize("value, text", [
    ("a", "a"), (["a", "b,c", "50%"], "a,b%2Cc,50%25"), (None, None), ("", None), ([], None),
    (True, "true"), ({"a": [1]}, '{"a":[1]}'), ("a\nb", None), (["\x7f"], None)])
def test_expected_claim_texts(value, text):
    assert invariants.claim_text(value) == text


def test_pages_that_load_something_are_seen():
    headers = {"content_type": "text/html", "x_content_type_options": "nosniff", "referrer_policy":
               "no-referrer", "cache_control": "no-store",
               "content_security_policy": "default-src 'none'; frame-ancestors 'none'",
               "content_language": "en", "vary": "Accept-Language"}
    begin = b'<html lang="en" dir="ltr">'
    good = answer(400, **headers)
    good.body = begin
    page(good)
    for body in (b'<img src="https://x/">', b"<script>1</script>", b'<link href=//x>'):
        good.body = begin + body
        with pytest.raises(AssertionError):
            page(good)


def test_forged_tokens_are_what_they_say(lab):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    token = forge.signed({"alg": "RS256"}, {"a": 1}, lab.keys.rsa)
    data, _, signature = token.rpartition(".")
    lab.keys.rsa.private.public_key().verify(forge.b64u_decode(signature), data.encode(),
                                             padding.PKCS1v15(), hashes.SHA256())
    assert pow(int.from_bytes(forge.bleichenbacher06(b"x", 256), "big"), 3).bit_length() <= 2048
