# SPDX-License-Identifier: Apache-2.0
"""Group X: TLS towards the provider."""

import base64
import grp
import os
import pwd
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import passes, reject
from harness.proxy import Proxy
from harness.site import Site

FAST = {"connect_timeout": "1s", "read_timeout": "2s"}


def with_idp(lab, make_site, leaf, **directives):
    idp = Idp(lab.keys, leaf=leaf)
    return make_site(idp=idp, directives={**FAST, **directives}, control=False)


def works(site):
    browser = site.browser()
    passes(site, browser.login("/x"), remote_user="jdoe")
    browser.close()


def refused(site, code="idp_tls"):
    answer = site.browser().get("/x")
    assert answer.status in (502, 504), f"{answer}\n{site.log_since_mark()}"
    assert not answer.set_cookies()
    assert site.refusals()[-1][1] in code.split("|"), site.refusals()
    assert site.idp.requests == [], "not one byte of HTTP to a provider that is not the one"
    return site.refusals()[-1][2]


@case("X-19")
def test_good_certificate(lab, make_site):
    works(with_idp(lab, make_site, lab.pki.idp))


@pytest.mark.parametrize("name", rows("X-19", {"other-host": "other-host", "other-ip": "other-ip"})
                         + rows("X-20", {n: n for n in ("expired", "not-yet-valid")})
                         + rows("X-21", {"self-signed": "self-signed"})
                         + rows("X-22", {n: n for n in ("unknown-ca", "missing-intermediate")})
                         + rows("X-23", {n: n for n in ("issuer-not-ca", "client-usage")})
                         + rows("X-25", {n: n for n in ("cn-only", "partial-wildcard")}))
def test_bad_certificates(lab, make_site, name):
    detail = refused(with_idp(lab, make_site, lab.pki.bad[name]))
    assert "certificate" in detail.lower() or "ssl" in detail.lower(), detail


@case("X-21")
def test_self_signed_certificate_configured_as_its_own_authority(lab, make_site):
    leaf = lab.pki.bad["self-signed"]
    site = with_idp(lab, make_site, leaf, ssl_trusted_certificate=leaf.cert_file)
    answer = site.browser().get("/x")
    assert answer.status in (302, 502)  # the library decides; it is that certificate and no other


@case("X-22")
def test_chain_with_intermediate(lab, make_site):
    works(with_idp(lab, make_site, lab.pki.chained))


@case("X-22")
def test_system_authorities_do_not_know_ours(lab, make_site):
    refused(with_idp(lab, make_site, lab.pki.idp, ssl_trusted_certificate=None))


@case("X-23")
def test_revoked_certificate(lab, make_site):
    refused(with_idp(lab, make_site, lab.pki.revoked, ssl_crl=lab.pki.crl))
    works(with_idp(lab, make_site, lab.pki.idp, ssl_crl=lab.pki.crl))
    works(with_idp(lab, make_site, lab.pki.revoked))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", rows("X-24", {"1.0": ssl.TLSVersion.TLSv1,
                                                  "1.1": ssl.TLSVersion.TLSv1_1}))
def test_old_protocol_versions(lab, make_site, version):
    idp = Idp(lab.keys, leaf=lab.pki.idp)

    def context():
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(lab.pki.idp.cert_file, lab.pki.idp.key_file)
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = ssl.TLSVersion.TLSv1
        made.maximum_version = version
        return made
    idp.tls_context = context
    refused(make_site(idp=idp, directives=FAST, control=False))


@case("X-24")
def test_null_ciphers(lab, make_site):
    idp = Idp(lab.keys, leaf=lab.pki.idp)

    def context():
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(lab.pki.idp.cert_file, lab.pki.idp.key_file)
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers("NULL:eNULL:@SECLEVEL=0")
        return made
    idp.tls_context = context
    refused(make_site(idp=idp, directives=FAST, control=False))


def stall(sock):
    sock.settimeout(5)
    try:
        while sock.recv(4096):
            pass
    except OSError:
        pass
    sock.close()
    return True


def plaintext(sock):
    """HTTP before, and in place of, the handshake (the shape of CVE-2026-1642)."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    time.sleep(0.1)
    sock.close()
    return True


def reset_after_hello(sock):
    sock.recv(64)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    return True


def dripping(sock):
    try:
        sock.recv(4096)
        for byte in b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + b"\0" * 400:
            sock.sendall(bytes([byte]))
            time.sleep(0.2)
    except OSError:
        pass
    sock.close()
    return True


@pytest.mark.parametrize("on_connect, code", rows("X-24", {
    "stall": (stall, "idp_timeout|idp_tls|idp_connect")}) + rows("X-26", {
        "plaintext": (plaintext, "idp_tls|idp_connect|idp_http")}) + rows("X-04", {
            "after-client-hello": (reset_after_hello, "idp_tls|idp_connect|idp_http")}) + rows("X-03", {
                "handshake": (dripping, "idp_timeout|idp_tls|idp_connect")}))
def test_handshakes_that_fail(lab, make_site, on_connect, code):
    idp = Idp(lab.keys, leaf=lab.pki.idp)
    idp.on_connect = on_connect
    site = make_site(idp=idp, directives=FAST, control=False)
    start = time.monotonic()
    refused(site, code)
    assert time.monotonic() - start < 10 * SLOW


@case("X-26")
def test_truncated_body_over_tls(lab, make_site):
    """Closing without close_notify in the middle of a body is no end of the body."""
    site = with_idp(lab, make_site, lab.pki.idp)

    def hook(exchange):
        body = exchange.default().body
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body[:-10])
        exchange.sock.shutdown(socket.SHUT_RDWR)
    browser = site.browser()
    first = browser.start("/x")
    site.idp.on["token"] = hook
    reject(site, browser.callback(browser.callback_url(first)), "idp_[a-z_]+", 502)


@case("X-29")
def test_providers_with_different_authorities(lab):
    """One server, one address: trust is the provider block's, no connection is shared."""
    a = Idp(lab.keys, leaf=lab.pki.idp, client_id="a")
    ca, other = lab.pki.ca.file, lab.pki.other_ca.file
    providers = {"a": (a, {"redirect_uri": "/cb_a", "cookie_name": "A_S", **FAST}),
                 "b": (a, {"redirect_uri": "/cb_b", "cookie_name": "B_S",
                           "ssl_trusted_certificate": other, **FAST})}
    with Site(lab, providers=providers, auth="auth_oidc a;", control=False, workers=1,
              session_cookie="__Host-A_S", own_paths=("/cb_a", "/cb_b"),
              locations="location /b/ { auth_oidc b; proxy_pass http://@BACKEND@; }") as site:
        for _ in range(2):
            browser = site.browser()
            browser.login("/x", idp=a)
            answer = browser.get("/b/x")
            assert answer.status == 502, answer
            assert site.refusals()[-1][:2] == ("b", "idp_tls")
    a.stop()
    assert ca.exists()


@case("X-29")
def test_server_name_indication(lab, make_site):
    seen = []
    idp = Idp(lab.keys, leaf=lab.pki.idp)
    original = idp.tls_context

    def context():
        made = original()
        made.sni_callback = lambda sock, name, ctx: seen.append(name)
        return made
    idp.tls_context = context
    site = make_site(idp=idp, directives=FAST, control=False)
    works(site)
    assert set(seen) == {"localhost"}


@case("X-22")
def test_verification_cannot_be_switched_off(make_site):
    """There is no directive for it, and http is refused unless it is loopback."""
    site = make_site(control=False)
    text = site.nginx.conf.read_text()
    for line in ("ssl_verify off;", "verify off;", "ssl_verify_peer off;"):
        site.nginx.conf.write_text(text.replace("        client_id", f"        {line}\n        client_id", 1))
        code, out = site.nginx.test()
        assert code != 0 and "unknown directive" in out, out
    site.nginx.conf.write_text(text)


@case("X-29")
def test_http_proxy(lab, make_site):
    """Through a CONNECT proxy; TLS is verified end to end."""
    targets = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            data = b""
            while b"\r\n\r\n" not in data:
                data += sock.recv(4096)
            target = data.split(b" ")[1].decode()
            targets.append((data.split(b" ")[0].decode(), target))
            port = int(target.rpartition(":")[2])
            upstream = socket.create_connection(("127.0.0.1", port))
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=pump, args=(sock, upstream), daemon=True).start()
            threading.Thread(target=pump, args=(upstream, sock), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    idp = Idp(lab.keys, leaf=lab.pki.idp)
    site = make_site(idp=idp, directives={
        **FAST, "http_proxy": f"http://127.0.0.1:{listener.getsockname()[1]}"}, control=False)
    works(site)
    assert targets and set(targets) == {("CONNECT", f"localhost:{idp.port}")}
    listener.close()


@case("X-23")
def test_a_connection_that_has_asked_no_list(lab, make_site):
    """It is kept, and not used by those who ask one."""
    idp = Idp(lab.keys, leaf=lab.pki.revoked)
    site = make_site(workers=1, control=False, own_paths=("/oidc_callback", "/two"), providers={
        "idp": (idp, FAST),
        "two": (idp, {**FAST, "ssl_crl": lab.pki.crl, "cookie_name": "TWO", "redirect_uri": "/two"})},
        locations="location /two/ { auth_oidc two; proxy_pass http://@BACKEND@; }")
    works(site)
    before = len(idp.requests)
    answer = site.browser().get("/two/x")
    assert answer.status == 502 and site.refusals()[-1][1] == "idp_tls", site.refusals()
    assert len(idp.requests) == before
    idp.stop()


# ---- files that only root can read -------------------------------------------------------------

@pytest.fixture
def root_only(lab, tmp_path):
    """A folder of files that nobody but root can look into."""
    if os.getuid() != 0:
        pytest.skip("workers of another user take root")
    folder = tmp_path / "root-only"
    folder.mkdir(mode=0o700)

    def put(name, source):
        path = folder / name
        path.write_bytes(source.read_bytes())
        path.chmod(0o600)
        return path
    return put


def as_nobody(site):
    """The same site, with workers that may read next to nothing."""
    for path in (site.folder, site.folder.parent, site.folder.parent.parent):
        path.chmod(path.stat().st_mode | 0o055)
    text = site.nginx.conf.read_text()
    assert "user root;" in text
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    site.nginx.conf.write_text(text.replace("user root;", f"user nobody {group};"))
    site.start()
    return site


@case("X-45")
def test_authorities_and_revocation_lists_of_root(lab, make_site, root_only):
    ca, crl = root_only("ca.pem", lab.pki.ca.file), root_only("list.crl", lab.pki.crl)
    for leaf, good in ((lab.pki.idp, True), (lab.pki.revoked, False), (lab.pki.bad["unknown-ca"], False)):
        site = as_nobody(make_site(idp=Idp(lab.keys, leaf=leaf), control=False, start=False,
                                   directives={**FAST, "ssl_trusted_certificate": ca, "ssl_crl": crl}))
        if good:
            works(site)
        else:
            refused(site)


@case("X-45")
def test_a_reload_reads_the_files_again(lab, make_site, root_only):
    ca = root_only("ca.pem", lab.pki.other_ca.file)
    site = make_site(idp=Idp(lab.keys, leaf=lab.pki.idp), control=False,
                     directives={**FAST, "ssl_trusted_certificate": ca})
    refused(site)
    ca.write_bytes(lab.pki.ca.file.read_bytes())
    time.sleep(0.1)
    refused(site)  # not before
    site.reload()
    site.wait(lambda: site.browser().get("/x").status == 302, "the next try", timeout=20)
    works(site)


# ---- proxies -----------------------------------------------------------------------------------

@case("X-46")
def test_a_proxy_over_https(lab, make_site):
    """Both handshakes are checked, each by its own name; revocation lists count for the provider."""
    names = {"good": lab.pki.idp, "revoked": lab.pki.revoked, "other-host": lab.pki.bad["other-host"],
             "cn-only": lab.pki.bad["cn-only"]}
    with Proxy(leaf=lab.pki.idp) as proxy:
        for name, leaf in names.items():
            site = with_idp(lab, make_site, leaf, ssl_crl=lab.pki.crl,
                            http_proxy=f"https://localhost:{proxy.port}")
            if name == "good":
                works(site)
                assert proxy.heads and all(head.startswith("CONNECT localhost:") for head in proxy.heads)
            else:
                refused(site)
    for name in ("other-host", "unknown-ca", "expired"):
        with Proxy(leaf=lab.pki.bad[name]) as proxy:
            refused(with_idp(lab, make_site, lab.pki.idp, http_proxy=f"https://localhost:{proxy.port}"))
            assert proxy.heads == []


@case("X-46")
def test_the_system_does_not_trust_what_a_neighbour_does(lab, make_site):
    """What is added for one provider's proxy is not there for another one's."""
    with Proxy(leaf=lab.pki.idp) as proxy:
        url = f"https://localhost:{proxy.port}"
        trusting, other = Idp(lab.keys, leaf=lab.pki.idp), Idp(lab.keys, leaf=lab.pki.idp, client_id="two")
        site = make_site(providers={
            "idp": (trusting, {**FAST, "http_proxy": url}),
            "two": (other, {**FAST, "http_proxy": url, "ssl_trusted_certificate": None, "cookie_name": "TWO",
                            "redirect_uri": "/two"})},
            own_paths=("/oidc_callback", "/two"), workers=1, control=False,
            locations="location /two/ { auth_oidc two; proxy_pass http://@BACKEND@; }")
        works(site)
        answer = site.browser().get("/two/x")
        assert answer.status == 502 and other.requests == [], answer
        assert site.refusals()[-1][1] == "idp_tls"
        trusting.stop()
        other.stop()


@case("X-47")
def test_a_proxy_with_a_user(lab, make_site, tmp_path):
    password = "p@ss:w%rd-" + "x" * 20
    file = tmp_path / "password"
    file.write_text(password + "\n")
    file.chmod(0o600)
    in_url = password.replace("%", "%25").replace("@", "%40").replace(":", "%3A")
    for user, directives in (("in-url", {"http_proxy": f"http://in%2Durl:{in_url}@127.0.0.1:@@"}),
                             ("in-file", {"http_proxy": "http://in-file@127.0.0.1:@@",
                                          "http_proxy_password_file": str(file)})):
        with Proxy(users=(f"{user}:{password}",)) as proxy:
            directives["http_proxy"] = directives["http_proxy"].replace("@@", str(proxy.port))
            site = with_idp(lab, make_site, lab.pki.idp, **directives)
            site.idp.canary(password, "password of the proxy")
            site.idp.canary(base64.b64encode(f"{user}:{password}".encode()).decode(), "credentials of the proxy")
            works(site)
            assert proxy.heads
            for request in site.idp.requests:
                assert request[1].headers.get("proxy-authorization") is None


@case("X-47")
@pytest.mark.parametrize("given", ("", "user:wrong-password@"))
def test_a_proxy_that_refuses(lab, make_site, given):
    with Proxy(users=("user:password",)) as proxy:
        site = with_idp(lab, make_site, lab.pki.idp, http_proxy=f"http://{given}127.0.0.1:{proxy.port}")
        detail = refused(site, "idp_connect")
        assert "the proxy answered 407" in detail and "http_proxy" in detail, detail
        assert "wrong-password" not in site.nginx.log()


def test_openssl_is_what_signs_the_tests_certificates(lab):
    """The zoo is what it says: openssl's own verdicts."""
    def verify(leaf):
        done = subprocess.run(["openssl", "verify", "-CAfile", str(lab.pki.ca.file),
                               "-purpose", "sslserver", str(leaf.cert_file)],
                              capture_output=True, text=True, check=False)
        return done.returncode == 0
    assert verify(lab.pki.idp)
    for name in ("expired", "not-yet-valid", "self-signed", "unknown-ca", "missing-intermediate",
                 "client-usage", "issuer-not-ca"):
        assert not verify(lab.pki.bad[name]), name
