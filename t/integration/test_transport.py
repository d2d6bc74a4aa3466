# SPDX-License-Identifier: Apache-2.0
"""Group X: HTTP towards the provider."""

import concurrent.futures
import contextlib
import gzip
import os
import re
import select
import socket
import ssl
import threading
import time

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import no_session, passes, reject, sane
from harness.site import Site
from harness.trap import blackhole
from harness.wire import Reply, abort

FAST = {"connect_timeout": "700ms", "read_timeout": "1500ms"}
TRANSPORT = "idp_[a-z_]+"
ANY = "idp_[a-z_]+|[a-z]+_malformed|[a-z]+_status|metadata_[a-z]+|jwks_[a-z]+"


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives={"userinfo": "on", **FAST}) as site:
        yield site


def attempt(site, endpoint, hook):
    # On a new connection: what ends a kept one without a byte is another matter.
    site.idp.drop_connections()
    time.sleep(0.05)
    site.idp.on[endpoint] = hook
    browser = site.browser()
    answer = browser.try_login("/x")
    browser.close()
    return answer


def good(site, endpoint, hook):
    site.idp.on[endpoint] = hook
    browser = site.browser()
    answer = browser.try_login("/x")
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    passes(site, browser.get("/x"), remote_user="jdoe")


def cold(lab, make_site, endpoint, hook, **directives):
    """The same for documents that are fetched before the login."""
    idp = Idp(lab.keys)
    idp.on[endpoint] = hook
    site = make_site(idp=idp, directives={**FAST, **directives}, control=False)
    start = time.monotonic()
    answer = site.browser().get("/x")
    return site, answer, time.monotonic() - start


def body_of(exchange):
    return exchange.default().body


def raw(head, body=None, close=True):
    """An answer with this head; CRLF is added. The default body unless given."""
    def hook(exchange):
        data = body_of(exchange) if body is None else body
        return head.replace(b"%LEN%", b"%d" % len(data)) + b"\r\n\r\n" + data
    return hook


JSON = b"\r\nContent-Type: application/json"
OK = b"HTTP/1.1 200 OK" + JSON


def chunked(data, size=None, extension=b""):
    size = size or max(1, len(data) // 3)
    out = b""
    for i in range(0, len(data), size):
        part = data[i:i + size]
        out += b"%x" % len(part) + extension + b"\r\n" + part + b"\r\n"
    return out


def flood(exchange, piece, count, head=OK + b"\r\n"):
    exchange.send(head)
    try:
        for _ in range(count):
            exchange.send(piece)
    except OSError:
        pass


def cut(where):
    """RST at a stage of the answer."""
    def hook(exchange):
        answer = exchange.default().bytes()
        head, _, body = answer.partition(b"\r\n\r\n")
        exchange.send({"request": b"", "status": b"HTTP/1.1 200", "line": b"HTTP/1.1 200 OK\r\n",
                       "half-headers": head[:len(head) // 2], "headers": head + b"\r\n\r\n",
                       "half-body": head + b"\r\n\r\n" + body[:len(body) // 2]}[where])
        time.sleep(0.02)
        exchange.rst()
    return hook


BAD = {
    #
    **{f"X-04-{w}": cut(w) for w in ("request", "status", "line", "half-headers", "headers",
                                     "half-body")},
    #
    "X-06-no-final-chunk": lambda x: OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body_of(x)),
    "X-06-cut-chunk": lambda x: OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body_of(x))[:-9],
    #
    **{f"X-07-size-{n}": raw(OK + b"\r\nTransfer-Encoding: chunked", size + b"\r\n{}\r\n0\r\n\r\n")
       for n, size in {"huge": b"ffffffffffffffff", "negative": b"-1", "hex": b"0x2", "space": b"1 0",
                       "empty": b"", "letters": b"zz", "long": b"0" * 5000 + b"2"}.items()},
    "X-07-no-crlf": raw(OK + b"\r\nTransfer-Encoding: chunked", b"2\r\n{}0\r\n\r\n"),
    "X-07-trailers": lambda x: flood(x, b"X: " + b"y" * 60000 + b"\r\n", 400, OK +
                                     b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"),
    #
    "X-08-one-mb-header": raw(OK + b"\r\nX: " + b"a" * (1 << 20) + b"\r\nContent-Length: %LEN%"),
    "X-08-endless-headers": lambda x: flood(x, b"X: y\r\n" * 1000, 5000, b"HTTP/1.1 200 OK\r\n"),
    #
    "X-09-endless": lambda x: flood(x, b" " * 65536, 2000, OK + b"\r\n\r\n"),
    "X-09-large-length": raw(OK + b"\r\nContent-Length: 99999999999"),
    #
    "X-10-two-lengths": raw(OK + b"\r\nContent-Length: 5\r\nContent-Length: %LEN%"),
    "X-10-negative": raw(OK + b"\r\nContent-Length: -1"),
    "X-10-huge": raw(OK + b"\r\nContent-Length: 18446744073709551616"),
    "X-10-list": raw(OK + b"\r\nContent-Length: 5,5"),
    "X-10-longer-than-sent": raw(OK + b"\r\nContent-Length: 100000"),
    #
    "X-11-101": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade"),
    "X-11-flood": lambda x: flood(x, b"HTTP/1.1 103 Early\r\n\r\n" * 1000, 4000, b""),
    #
    "X-13-gzip-bomb": lambda x: Reply(gzip.compress(b" " * (64 << 20)),
                                      headers=[("Content-Encoding", "gzip")]),
    "X-13-unknown": lambda x: Reply(b"\0\1\2", headers=[("Content-Encoding", "zstd-x")]),
    #
    "X-14-http-0.9": lambda x: b"{}",
    "X-14-http-3-line": raw(b"HTTP/3.7 200 OK" + JSON + b"\r\nContent-Length: %LEN%"),
    "X-14-garbage": lambda x: b"\x16\x03\x01\x00\x05hello",
    "X-14-empty": lambda x: b"",
    #
    **{f"X-17-{s}": (lambda s: raw(b"HTTP/1.1 " + s + b" X" + JSON + b"\r\nContent-Length: %LEN%"))(
        s.encode()) for s in ("000", "99", "1000", "304", "206", "201", "abc", "-200")},
}
STALLS = {
    "X-03-body": lambda x: x.drip(x.default().bytes(), 0.2),
    "X-03-header": lambda x: x.drip(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 500, 0.2),
    "X-03-silence": lambda x: x.stall(10),
    "X-03-silence-after-headers": lambda x: (x.send(OK + b"\r\nContent-Length: 50\r\n\r\n"), x.stall(10))[1],
}


def params(table):
    return [pytest.param(hook, id=name) for name, hook in table.items()]


@pytest.mark.parametrize("endpoint", ("token", "userinfo"))
@pytest.mark.parametrize("hook", params(BAD))
def test_hostile_answers(site, endpoint, hook):
    answer = attempt(site, endpoint, hook)
    reject(site, answer, ANY, (502, 504))
    assert site.delta("token") == 1


SELECTED = [name for i, name in enumerate(BAD) if i % 3 == 0]


@pytest.mark.parametrize("endpoint", ("discovery", "jwks"))
@pytest.mark.parametrize("hook", params({n: BAD[n] for n in SELECTED}))
def test_hostile_answers_before_the_login(lab, make_site, endpoint, hook):
    site, answer, _ = cold(lab, make_site, endpoint, hook)
    assert answer.status in (502, 503, 504), f"{answer}\n{site.log_since_mark()}"
    assert len(site.refusals()) == 1 and not answer.set_cookies()
    sane(site)


@pytest.mark.parametrize("endpoint", ("token", "userinfo"))
@pytest.mark.parametrize("hook", params(STALLS))
def test_slow_answers(site, endpoint, hook):
    """The deadline is for the whole request, not for the next byte."""
    start = time.monotonic()
    answer = attempt(site, endpoint, hook)
    reject(site, answer, "idp_timeout", 504)
    assert time.monotonic() - start < 8 * SLOW


@pytest.mark.parametrize("endpoint", ("discovery", "jwks"))
@pytest.mark.parametrize("hook", params({k: STALLS[k] for k in ("X-03-body", "X-03-silence")}))
def test_slow_answers_before_the_login(lab, make_site, endpoint, hook):
    site, answer, took = cold(lab, make_site, endpoint, hook)
    assert answer.status == 504 and took < 8 * SLOW, answer
    assert site.refusals()[-1][1] == "idp_timeout"


FINE = {
    "X-06-chunked": lambda x: OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(
        body_of(x)) + b"0\r\n\r\n",
    "X-07-extension": lambda x: OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(
        body_of(x), extension=b";a=b") + b"0\r\n\r\n",
    "X-07-trailer": lambda x: OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(
        body_of(x)) + b"0\r\nX-T: y\r\n\r\n",
    "X-08-fifty-headers": raw(OK + b"".join(b"\r\nX-%d: y" % i for i in range(50))
                              + b"\r\nContent-Length: %LEN%"),
    "X-11-100": lambda x: b"HTTP/1.1 100 Continue\r\n\r\n" + x.default().bytes(close=True),
    "X-11-103": lambda x: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + x.default().bytes(close=True),
    "X-14-http-1.0": raw(b"HTTP/1.0 200 OK" + JSON),
    "X-14-close-delimited": raw(OK + b"\r\nConnection: close"),
    "X-14-no-reason": raw(b"HTTP/1.1 200" + JSON + b"\r\nContent-Length: %LEN%"),
    "X-14-lower-reason": raw(b"HTTP/1.1 200 fine" + JSON + b"\r\nContent-Length: %LEN%"),
}


@pytest.mark.parametrize("endpoint", ("token", "userinfo"))
@pytest.mark.parametrize("hook", params(FINE))
def test_unusual_but_legal_answers(site, endpoint, hook):
    good(site, endpoint, hook)


@pytest.mark.parametrize("lines", rows("X-08", {
    "obs-fold": b"X: a\r\n b\r\n c", "no-colon": b"nonsense", "nul": b"X: a\0b",
    "ten-thousand": b"\r\n".join(b"X-%d: y" % i for i in range(10000)), "bare-lf": b"X: a\nY: b",
}) + rows("X-10", {"cl-te": b"Content-Length: 3\r\nTransfer-Encoding: chunked",
                   "plus": b"Content-Length: +5"}))
def test_doubtful_headers(site, lines):
    """Accepted or refused, as the client library has it; never half an answer, never a crash."""
    def hook(exchange):
        body = body_of(exchange)
        if b"chunked" in lines:
            return OK + b"\r\n" + lines + b"\r\n\r\n" + chunked(body) + b"0\r\n\r\n"
        return OK + b"\r\n" + lines + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    answer = attempt(site, "token", hook)
    if answer.status in (302, 303):
        return
    reject(site, answer, ANY, 502)


@pytest.mark.parametrize("close", rows("X-01", {"token": "token", "userinfo": "userinfo"}))
def test_connection_refused(lab, make_site, close):
    dead = Idp(lab.keys)
    dead.refuse()
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, f"{close}_endpoint": dead.url(close)}
    site = make_site(idp=idp, directives={"userinfo": "on"}, control=False)
    start = time.monotonic()
    browser = site.browser()
    reject(site, browser.try_login("/x"), "idp_connect", 502)
    assert time.monotonic() - start < 5 * SLOW


@case("X-01")
def test_connection_refused_before_the_login(lab, make_site):
    idp = Idp(lab.keys)
    idp.refuse()
    site = make_site(idp=idp, control=False)
    answer = site.browser().get("/x")
    assert answer.status == 502 and site.refusals()[-1][1] in ("idp_connect", "metadata_unavailable")
    # It comes back without a reload.
    idp.listen()
    site.wait(lambda: site.browser().get("/x").status == 302, "recovery", 15)


@case("X-01")
def test_next_address_is_tried(lab, make_site):
    """`localhost` has two addresses; only one of them listens."""
    idp = Idp(lab.keys, host="localhost")
    site = make_site(idp=idp)
    with site.signed_in():
        pass


@case("X-02")
def test_blackholed_provider(lab, make_site):
    port, keep = blackhole()
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "token_endpoint": f"http://127.0.0.1:{port}/token"}
    site = make_site(idp=idp, directives=FAST, control=False)
    start = time.monotonic()
    browser = site.browser()
    answer = browser.try_login("/x")
    reject(site, answer, "idp_timeout|idp_connect", (502, 504))
    assert time.monotonic() - start < 6 * SLOW
    for sock in keep:
        sock.close()


@pytest.mark.parametrize("stage", rows("X-04", {"accept": "accept", "half-request": "half"}))
def test_reset_before_an_answer(site, stage):
    browser = site.browser()
    first = browser.start("/x")
    target = browser.callback_url(first)
    site.idp.drop_connections()

    def on_connect(sock):
        if stage == "half":
            sock.recv(16)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        return True
    site.idp.on_connect = on_connect
    answer = browser.callback(target)
    reject(site, answer, "idp_connect|idp_http", 502)


@case("X-15")
def test_idle_connection_closed_by_the_peer(site):
    """A login right after the provider has closed every idle connection."""
    for _ in range(3):
        with site.signed_in():
            pass
        site.idp.drop_connections()
    assert site.refusals() == []


# Kept connections that the provider closes, at every stage.

def silent_close(exchange):
    """A whole answer that does not say that the connection ends with it."""
    return exchange.default().bytes()


def first_only(site, endpoint, hook):
    """The hook for the next request of the endpoint, and none for those after it."""
    def once(exchange):
        del site.idp.on[endpoint]
        return hook(exchange)
    site.idp.on[endpoint] = once


@pytest.mark.parametrize("rest", rows("X-15", {f"rest-{t}": t for t in (0, 0.3, 0.9, 2)}))
def test_connection_closed_at_rest(site, rest):
    """However long ago the last answer was: nobody notices, and no code is sent twice."""
    for _ in range(3):
        with site.signed_in():
            pass
        time.sleep(rest)
        site.idp.drop_connections()
        time.sleep(0.05)
    for endpoint in ("token", "userinfo"):
        assert site.delta(endpoint) == 3, endpoint
    assert site.refusals() == []


def close_notify(sock):
    sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        sock.unwrap()


# How a provider ends a TLS connection, and whether TCP's end comes at once.
TLS_ENDS = {"fin": (lambda sock: sock.shutdown(socket.SHUT_RDWR), True), "rst": (abort, True),
            "close_notify": (close_notify, True), "close_notify-alone": (close_notify, False)}


@pytest.mark.parametrize("stop,at_once", rows("X-15", TLS_ENDS))
def test_tls_connection_closed_at_rest(lab, make_site, stop, at_once):
    """TLS has words of its own for the end, which may come before TCP's."""
    idp = Idp(lab.keys, leaf=lab.pki.idp)
    ending, held = threading.Event(), []

    def hook(sock):
        while not ending.is_set():
            if sock.pending() or select.select([sock], [], [], 0.02)[0]:
                return False
        if not at_once:
            held.append(socket.socket(fileno=os.dup(sock.fileno())))
        stop(sock)
        return True
    idp.before_request = hook
    site = make_site(idp=idp, directives={"userinfo": "on", **FAST}, workers=1, control=False)
    for _ in range(3):
        with site.signed_in():
            pass
        ending.set()
        time.sleep(0.1)
        assert not idp.live and (at_once or held)
        ending.clear()
    for sock in held:
        sock.close()
    assert idp.count("token") == idp.count("userinfo") == 3 and site.refusals() == []


@case("X-15")
def test_connection_closed_after_each_answer(site):
    site.idp.on = {endpoint: silent_close for endpoint in ("token", "userinfo")}
    for _ in range(8):
        with site.signed_in():
            pass
        time.sleep(0.05)
    assert site.delta("token") == 8 and site.refusals() == []


@pytest.mark.parametrize("endpoint", rows("X-15", {e: e for e in ("discovery", "jwks")}))
def test_documents_over_a_connection_that_ends(lab, make_site, endpoint):
    """The connection ends after the metadata; or before the keys, whose request it was."""
    idp = Idp(lab.keys)
    ends = [silent_close] if endpoint == "discovery" else [lambda x: None]
    idp.on[endpoint] = lambda x: ends.pop()(x) if ends else x.default()
    site = make_site(idp=idp, directives=FAST, control=False)
    with site.signed_in():
        pass
    assert not ends and idp.count("token") == 1 and site.refusals() == []


ENDS = {"fin": lambda x: None, "rst": lambda x: x.rst()}


SCHEMES = {"http": "http", "https": "https"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("stop", rows("X-15", ENDS))
def test_connection_closed_before_an_answer(lab, make_site, stop, scheme):
    """The request was received on a kept connection, which then died: UserInfo is asked again, a code never goes again;
    the login begins anew by itself, once, and what comes after is not harmed."""
    # Of one worker: another would have no kept connection.
    site = make_site(idp=Idp(lab.keys, leaf=lab.pki.idp) if scheme == "https" else None,
                     directives={"userinfo": "on", **FAST}, workers=1)
    for refusals in range(1, 4):
        with site.signed_in():
            pass
        before = {e: site.idp.count(e) for e in ("token", "userinfo")}
        first_only(site, "userinfo", stop)
        with site.signed_in():
            pass
        assert site.idp.count("userinfo") - before["userinfo"] == 2
        assert site.idp.count("token") - before["token"] == 1
        first_only(site, "token", stop)
        browser = site.browser()
        again = browser.try_login("/x?y=1")
        assert again.status == 302 and again.location.startswith(site.idp.url("authorize")), again
        assert site.idp.count("token") - before["token"] == 2 and len(browser.pending()) == 1
        done = browser.callback(browser.callback_url(again))
        assert (done.status, site.path_of(done.location)) == (303, "/x?y=1"), done
        assert site.idp.count("token") - before["token"] == 3
        passes(site, browser.get("/x?y=1"), remote_user="jdoe")
        browser.close()
        # Not twice.
        first_only(site, "token", stop)
        browser = site.browser()
        again = browser.try_login("/x")
        assert again.status == 302, again
        with site.signed_in():  # there is a kept connection again
            pass
        first_only(site, "token", stop)
        reject(site, browser.callback(browser.callback_url(again)), TRANSPORT, 502, refusals)
        browser.close()


@pytest.mark.parametrize("stop", rows("X-15", ENDS))
def test_new_connection_closed_before_an_answer(site, stop):
    """Nothing says that the provider did not see the request: no login begins by itself."""
    site.idp.drop_connections()
    time.sleep(0.05)
    first_only(site, "token", stop)
    reject(site, site.browser().try_login("/x"), TRANSPORT, 502)
    assert site.delta("token") == 1


def whole(request):
    """Whether these bytes are a head and the body that it announces."""
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    return bool(end) and len(body) >= int(length[1])


# How much of a token request has come when its connection ends. The body, with the code, follows its head in a write
# of its own: where the end comes between the two, nothing was said of the code and the request may go again.
COME = {"request": whole, "head": lambda request: b"\r\n\r\n" in request, "byte": bool}


@pytest.mark.parametrize("come", rows("X-15", COME))
def test_kept_connection_closed_as_the_request_comes(make_site, come):
    """The connection dies with the token request in it, unread but for a byte: nobody is refused."""
    site = make_site(directives={"userinfo": "on", **FAST}, workers=1, control=False)
    armed = threading.Event()

    def hook(sock):
        request = sock.recv(65536, socket.MSG_PEEK)
        ends = request.startswith(b"POST") and armed.is_set()
        if ends:
            armed.clear()
            while not come(request):
                time.sleep(0.01)
                request = sock.recv(65536, socket.MSG_PEEK)
            sock.recv(1)
            abort(sock)
        return ends
    site.idp.before_request = hook
    site.idp.drop_connections()  # those that were waiting for a request already do not come to the hook
    time.sleep(0.05)
    with site.signed_in():
        pass
    browser = site.browser()
    target = browser.callback_url(browser.start("/x?y=1"))
    before = site.idp.count("token")
    armed.set()
    answer = browser.callback(target)
    assert not armed.is_set()
    if answer.status == 302 or come is whole:
        assert answer.status == 302, answer
        answer = browser.callback(browser.callback_url(answer))
        assert "begins anew by itself, once: idp_http: token_endpoint" in site.log_since_mark()
    assert (answer.status, site.path_of(answer.location)) == (303, "/x?y=1"), answer
    assert site.idp.count("token") - before == 1 and site.refusals() == []
    browser.close()


@case("X-15")
def test_unanswered_where_another_tab_has_signed_in(make_site):
    """The session that the browser has by now is enough for the page: no login begins anew."""
    site = make_site(workers=1, directives=FAST, control=False)
    browser = site.browser()
    one, two = (browser.callback_url(browser.start(target)) for target in ("/one", "/two"))
    assert browser.callback(one).status == 303
    session = browser.session_cookie
    first_only(site, "token", lambda x: None)
    answer = browser.callback(two)
    assert (answer.status, site.path_of(answer.location)) == (303, "/two"), answer
    assert browser.session_cookie == session and site.refusals() == []
    browser.close()


@case("X-15")
def test_pushed_request_on_a_connection_that_ended(lab, make_site):
    idp = Idp(lab.keys)
    idp.par_required = True
    site = make_site(idp=idp, workers=1, directives=FAST, control=False)
    with site.signed_in():
        pass
    before = idp.count("par")
    first_only(site, "par", lambda x: None)
    with site.signed_in():
        pass
    assert idp.count("par") - before == 2 and site.refusals() == []


@pytest.mark.parametrize("where", rows("X-15", {w: w for w in ("status", "half-headers")}))
def test_connection_closed_within_the_head_of_an_answer(site, where):
    """The provider has seen the code, and nobody sends it again. libcurl tells of whole lines: half of the first
    one is an answer or none, as the reset finds it."""
    with site.signed_in():
        pass
    before = site.idp.count("token")
    first_only(site, "token", cut(where))
    browser = site.browser()
    response = browser.try_login("/x")
    if where == "status" and response.status == 302:
        assert response.location.startswith(site.idp.issuer + "/authorize?"), response
        no_session(site, response)
    else:
        reject(site, response, TRANSPORT, 502)
    assert site.idp.count("token") - before == 1
    browser.close()


@pytest.mark.parametrize("endpoint", rows("X-15", {e: e for e in ("token", "userinfo")}))
def test_connection_closed_within_an_answer(site, endpoint):
    with site.signed_in():
        pass
    before = site.idp.count(endpoint)
    first_only(site, endpoint, cut("half-body"))
    browser = site.browser()
    reject(site, browser.try_login("/x"), TRANSPORT, 502)
    browser.close()
    assert site.idp.count(endpoint) - before == 1
    with site.signed_in():
        pass


@pytest.mark.parametrize("scheme", rows("X-15", SCHEMES))
def test_connections_are_kept(lab, make_site, scheme):
    """New connections stay far below one for ten logins, also with handshakes."""
    leaf = lab.pki.idp if scheme == "https" else None
    site = make_site(idp=Idp(lab.keys, leaf=leaf), directives={"userinfo": "on"})
    for _ in range(2):
        with site.signed_in():
            pass
    before = site.idp.connections
    for _ in range(30):
        with site.signed_in():
            pass
    # One for each worker, at most.
    assert site.idp.connections - before <= 2


@case("X-16")
def test_response_queue_poisoning(site):
    """Bytes behind an answer are never taken for the answer to the next request."""
    evil = b'{"access_token":"evil","token_type":"Bearer","id_token":"evil"}'

    def hook(exchange):
        return exchange.default().bytes() + Reply(evil).bytes()
    for endpoint in ("token", "userinfo"):
        site.idp.on = {endpoint: lambda x: (x.send(hook(x)), time.sleep(0.05), None)[2]}
        for _ in range(3):
            browser = site.browser()
            answer = browser.try_login("/x")
            if answer.status in (302, 303):
                passes(site, browser.get("/x"), remote_user="jdoe")
            browser.close()
    site.idp.on = {}
    with site.signed_in():
        pass


@pytest.mark.parametrize("family", rows("X-30", {"ipv6": "::1"}))
def test_ipv6_literal(lab, make_site, family):
    try:
        idp = Idp(lab.keys, bind=family, host="[::1]")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    site = make_site(idp=idp)
    with site.signed_in():
        pass
    assert idp.last("token").headers.get("host") == f"[::1]:{idp.port}"


@case("X-18")
def test_name_that_does_not_resolve(lab, make_site):
    idp = Idp(lab.keys)
    site = make_site(idp=idp, directives={"issuer": "https://idp.invalid", "insecure_http": None,
                                          **FAST}, control=False)
    start = time.monotonic()
    answer = site.browser().get("/x")
    assert answer.status in (502, 504), answer
    assert site.refusals()[-1][1] in ("idp_connect", "idp_timeout", "metadata_unavailable")
    assert time.monotonic() - start < 15 * SLOW


@pytest.mark.parametrize("endpoint", rows("X-27", {e: e for e in ("token", "userinfo", "discovery",
                                                                  "jwks")}))
def test_browser_leaves_during_a_call(lab, make_site, endpoint):
    """The connection to the provider is given up, nothing is stored, nothing crashes."""
    idp = Idp(lab.keys)
    site = make_site(idp=idp, directives={"userinfo": "on"},
                     control=endpoint in ("token", "userinfo"))
    arrived = []

    def hook(exchange):
        arrived.append(time.monotonic())
        time.sleep(0.4)
        return exchange.default()
    connections = []
    for _ in range(6):
        if endpoint in ("token", "userinfo"):
            browser = site.browser()
            target = browser.callback_url(browser.start("/x"))
            cookie = browser.jar.header("https", site.host, "/oidc_callback")
            browser.close()
        else:
            target, cookie = "/x", "a=b"
        idp.on[endpoint] = hook
        connection = site.connect()
        connection.send(f"GET {target} HTTP/1.1\r\nHost: {site.host}\r\nAccept: text/html\r\n"
                        f"Cookie: {cookie}\r\n\r\n")
        connections.append(connection)
        if endpoint in ("discovery", "jwks") and len(connections) == 6:
            break
    site.wait(lambda: arrived, "request at the provider")
    for i, connection in enumerate(connections):
        connection.rst() if i % 2 else connection.close()
    time.sleep(0.6)
    idp.on.clear()
    sane(site)
    with site.signed_in():
        pass


@case("X-27")
def test_many_clients_and_a_stalled_provider(site):
    """Other requests are served while a hundred logins wait."""
    site.idp.on["token"] = lambda x: x.stall(3)
    browsers = [site.browser() for _ in range(40)]
    targets = [b.callback_url(b.start("/x")) for b in browsers]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(b.callback, t) for b, t in zip(browsers, targets)]
        start = time.monotonic()
        for _ in range(20):
            assert site.control.get("/control").from_backend
        assert not any(w.done() for w in waiting) or time.monotonic() - start > 1
        for w in waiting:
            assert w.result().status == 504


@case("X-15")
def test_connections_are_reused(make_site):
    site = make_site(workers=1)
    for _ in range(3):
        with site.signed_in():
            pass
    before = site.idp.connections
    for _ in range(10):
        with site.signed_in():
            pass
    assert site.idp.connections - before <= 1


@case("X-13")
def test_no_compression_is_asked_for(site):
    with site.signed_in():
        pass
    for endpoint in ("token", "userinfo"):
        assert site.idp.last(endpoint).headers.get("accept-encoding") in (None, "identity")


@case("X-18")
def test_environment_proxies_are_ignored(lab, make_site, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, lab.trap.url)
    site = make_site(main="env http_proxy; env https_proxy; env HTTPS_PROXY; env ALL_PROXY; env all_proxy;")
    with site.signed_in():
        pass


@case("E-08")
def test_many_logins_wait_for_a_stalled_provider(make_site):
    """Some 512 requests of a worker wait, more are refused at once; nobody else notices."""
    site = make_site(tls=False, workers=1, control=False, directives={"read_timeout": "60s"})
    signed = site.browser()
    signed.login("/x")
    targets = []
    for _ in range(540):
        browser = site.browser()
        targets.append((browser, browser.callback_url(browser.start("/x"))))
    descriptors = len(os.listdir(f"/proc/{site.nginx.worker_pids()[0]}/fd"))
    go_on = threading.Event()

    def stall(exchange):
        go_on.wait(50)
        return exchange.default()
    site.idp.on["token"] = stall
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        waiting = [pool.submit(browser.callback, url) for browser, url in targets]
        try:
            site.wait(lambda: site.delta("token") >= 500, "token requests", timeout=30)
            site.wait(lambda: sum(w.done() for w in waiting) >= 20, "refusals", timeout=30)
            for _ in range(20):
                start = time.monotonic()
                passes(site, signed.get("/x"), remote_user="jdoe")
                assert time.monotonic() - start < 2 * SLOW
            early = [w.result() for w in waiting if w.done()]
            assert {a.status for a in early} == {503} and len(early) <= 40, len(early)
        finally:
            go_on.set()
        answers = [w.result() for w in waiting]
    assert {a.status for a in answers} == {303, 503}
    assert {code for _, code, _ in site.refusals()} == {"idp_busy"}
    site.close_browsers()
    site.idp.on.clear()
    fresh = site.browser()
    fresh.login("/x")
    passes(site, fresh.get("/x"), remote_user="jdoe")
    site.close_browsers()
    site.idp.drop_connections()
    site.wait(lambda: len(os.listdir(f"/proc/{site.nginx.worker_pids()[0]}/fd"))
              < descriptors, "descriptors given back", timeout=10)
