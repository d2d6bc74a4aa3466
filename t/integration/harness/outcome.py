# SPDX-License-Identifier: Apache-2.0
"""The catalogue's outcome words as assertions."""

import html
import re

from .site import query_of

# Statuses by what a refusal is about.
BAD_RESPONSE = (400,)
BAD_PROVIDER = (502,)


def last_refusal(site):
    found = site.refusals()
    assert found, f"no refused login in the log:\n{site.log_since_mark()}"
    return found[-1]


def no_session(site, response):
    for cookie in response.set_cookies():
        assert cookie.name != site.session_cookie_name or cookie.deletes, response


def reject(site, response, code=None, status=None, refusals=1, consumed=True, html=True):
    """REJECT: an error page, no session, one reason-coded line. `code` may be a regular
    expression; `refusals`: lines expected since the test began."""
    assert not response.from_backend, response
    no_session(site, response)
    if status is None:
        assert response.status in (400, 403, 502, 503, 504), response
    else:
        assert response.status in (status if isinstance(status, tuple) else (status,)), response
    lines = site.refusals()
    assert len(lines) == refusals, f"{lines}\n{site.log_since_mark()}"
    if code is not None:
        assert re.fullmatch(code, lines[-1][1]), f"{lines[-1]}\n{site.log_since_mark()}"
    if html:
        page(response)
        reference = re.search(r"reference ([0-9a-zA-Z_-]+)", lines[-1][2])
        assert reference and reference[1] in response.text, f"{lines[-1]}\n{response}"
    if consumed:
        assert any("NGX_OIDC_LOGIN_" in c.name and c.deletes for c in response.set_cookies()), \
            f"the pending login is still there\n{response}"


def page(response):
    """A page of ours: plain HTML that loads nothing (A-26, Q-24)."""
    assert (response.headers.get("content-type") or "").startswith("text/html"), response
    assert response.headers.get("x-content-type-options") == "nosniff", response
    assert response.headers.get("referrer-policy") == "no-referrer", response
    assert "no-store" in (response.headers.get("cache-control") or ""), response
    policy = response.headers.get("content-security-policy") or ""
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, response
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", response.text), response
    assert "<script" not in response.text, response
    assert f'<html lang="{response.headers.get("content-language")}" dir="ltr">' in response.text, response
    assert "Accept-Language" in ", ".join(response.headers.all("vary")), response


def notoken(site, expected=0, idp=None):
    """NOTOKEN: no request to the token endpoint since the test began."""
    assert site.delta("token", idp) == expected, site.log_since_mark()


def challenge(site, response, host=None):
    """CHALLENGE for a navigation; returns the parameters of the authorization request."""
    assert response.status in (302, 303), f"{response}\n{site.log_since_mark()}"
    assert response.location.split("?")[0] in site.authorization_endpoints(), response
    no_session(site, response)
    query = query_of(response.location)
    assert query["response_type"] == "code", response
    assert len(query["state"]) >= 32 and len(query["nonce"]) >= 32, response
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
    pending = [c for c in response.set_cookies()
               if "NGX_OIDC_LOGIN_" in c.name and not c.deletes]
    assert len(pending) == 1, response
    return query


def unauthorized(response, status=401):
    """CHALLENGE for everything else."""
    assert response.status == status, response
    assert not response.from_backend
    assert response.headers.get("www-authenticate") is None, response
    assert not [c for c in response.set_cookies() if not c.deletes], response
    assert response.headers.get("content-type", "").startswith("application/json"), response
    body = response.json()
    assert body["error"] == "login_required", response
    return body


def asked_on_a_page(response, link="/", framed=False):
    """CHALLENGE for somebody who has sent a form, or looks at a frame of ours."""
    assert response.status == 401 and not response.from_backend, response
    assert response.headers.get("www-authenticate") is None, response
    assert response.set_cookies() == [], response
    if not framed:
        page(response)
    assert "<title>Please sign in to see this page.</title>" in response.text, response
    assert f'href="{link}"{" target=" if framed else ">"}' in response.text, response
    ancestors = "frame-ancestors 'self'" if framed else "frame-ancestors 'none'"
    assert ancestors in response.headers.get("content-security-policy"), response


def passes(site, response, **identity):
    """PASS(u): reached the application once; identity headers as given (value None: absent)."""
    assert response.from_backend, f"{response}\n{site.log_since_mark()}"
    hit = next(h for h in reversed(site.hits()) if h.test_id == response.fields["X-Test-Id"])
    for name, value in identity.items():
        header = name.replace("_", "-")
        if hit.kind == "fastcgi":
            header = "HTTP_" + header.replace("-", "_").upper()
        found = hit.headers.all(header)
        wanted = [] if value is None else [value.encode().decode("latin-1")]
        assert found == wanted, (name, found, wanted)
    return hit


def sane(site):
    """SANE: workers alive, the control session works (the rest is checked after every test)."""
    assert site.nginx.worker_pids() == site.state.pids
    if site.control is not None:
        assert site.control.get("/control").from_backend


def button_of(site, answer):
    """Where the page of a logout without a hint leads to."""
    assert answer.status == 200 and "signed out here" in answer.text, answer
    assert "no-store" in answer.headers.get("cache-control") and "<script" not in answer.text
    (target,) = re.findall(r'href="([^"]+)"', answer.text)
    target = html.unescape(target)
    assert target.startswith(site.idp.url("logout") + "?"), target
    return target
