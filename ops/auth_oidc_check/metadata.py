# SPDX-License-Identifier: Apache-2.0
"""What the metadata of a provider say, read as src/metadata.cpp reads them."""

import calendar
import time

from .configuration import seconds
from .connection import MAX_DOCUMENT, Url
from .keys import strings
from .report import Trouble

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
             "end_session_endpoint", "revocation_endpoint")


def not_answered(what, url, answer, advertised=""):
    """The trouble of a status that is none of an endpoint."""
    if answer.status in (301, 302, 303, 307, 308):
        target = answer.header("Location").partition("?")[0]
        return Trouble(f"{url.short} answers {answer.status} to {target}, which is not followed",
                       advertised or f"{what} {target}, if that is your provider's")
    if answer.status == 429 or answer.status >= 500:
        return Trouble(f"{url.short} answers {answer.status}", "try again later, or look at the "
                       "provider's log", unknown=True)
    return Trouble(f"{url.short} answers {answer.status}", advertised or f"correct {what}")


def document(transport, what, url, advertised=""):
    """A JSON object behind a 200, and the answer."""
    answer = transport.ask("GET", url)
    if answer.status != 200:
        raise not_answered(what, url, answer, advertised)
    if len(answer.body) > MAX_DOCUMENT:
        raise Trouble(f"{url.short} is larger than 256 kB", f"correct {what}")
    data = answer.json()
    if data is None:
        raise Trouble(f"{url.short} is no JSON object (content type "
                      f"\"{answer.header('Content-Type')}\")", f"correct {what}")
    return data, answer


def usable_url(text, what, insecure):
    url = Url(text)
    if url.scheme != "https" and not (insecure and url.loopback):
        raise Trouble(f'{what} "{text}" is not https', "the module takes https only")
    return url


def check_issuer(provider, data):
    said = data.get("issuer")
    if said == provider.issuer:
        return
    if not isinstance(said, str):
        raise Trouble("the metadata have no issuer", "config_url is of something else")
    text = f'the metadata are of issuer "{said}", configured is "{provider.issuer}"'
    if "{tenantid}" in said:
        raise Trouble(text, "take the issuer of your own tenant, with its id in the address; for several there is "
                      "issuer_template")
    if said.rstrip("/") == provider.issuer.rstrip("/"):
        text += ", they differ in the final slash only"
    if provider.tenants:
        raise Trouble(text, "issuer_template, as the metadata at config_url have it, with {tenantid} in it; for one "
                      "tenant there is issuer")
    raise Trouble(text, f"issuer {said}; if that is your provider's: every byte counts")


BY_TLS = ("tls_client_auth", "self_signed_tls_client_auth")


MIN_HMAC_SECRET = 32


def short_secret():
    return Trouble("client_secret_jwt needs a client_secret of at least 32 characters", "have the provider make a longer one, "
                   "or another method")


def choose_method(provider, data, secret):
    """As the module does. `secret`: empty or None when there is none."""
    given = provider.one("token_endpoint_auth_method")
    has_key = provider.one("client_key") is not None
    has_file = provider.one("client_assertion_file") is not None
    if has_file and (not given or given == "private_key_jwt" and not has_key):
        return "client_assertion_file"
    if given:
        if given == "client_assertion_file" and not has_file:
            raise Trouble("token_endpoint_auth_method client_assertion_file needs that directive",
                          "client_assertion_file")
        if given == "private_key_jwt" and not has_key:
            raise Trouble("token_endpoint_auth_method private_key_jwt needs a client_key", "client_key")
        if given not in ("none", "private_key_jwt", "client_assertion_file", *BY_TLS) and not secret:
            raise Trouble("token_endpoint_auth_method needs a client_secret", "client_secret_file")
        if given == "client_secret_jwt" and len(secret) < MIN_HMAC_SECRET:
            raise short_secret()
        return given
    if has_key:
        return "private_key_jwt"
    if not secret:
        return "none"
    offered = strings(data, "token_endpoint_auth_methods_supported") or []
    for method in ("client_secret_basic", "client_secret_post", "client_secret_jwt"):
        if method in offered and (method != "client_secret_jwt" or len(secret) >= MIN_HMAC_SECRET):
            return method
    if "client_secret_jwt" in offered:
        raise short_secret()
    if "private_key_jwt" in offered:
        raise Trouble("the metadata offer no method with a secret but private_key_jwt", "client_key")
    for method in BY_TLS:
        if method in offered:
            raise Trouble(f"the metadata offer no method with a secret but {method}",
                          "client_certificate, client_key and token_endpoint_auth_method")
    return "client_secret_basic"


def uses_pkce(provider, data):
    word = provider.one("pkce", "auto")
    if provider.one("code_challenge_method") or word == "on" or provider.one("nonce") == "off":
        return True
    offered = strings(data, "code_challenge_methods_supported")
    return word != "off" and (not offered or "S256" in offered)


def uses_par(provider, data):
    word = provider.one("par", "auto")
    return word == "on" or word != "off" and data.get("require_pushed_authorization_requests") is True


def uses_request_object(provider, data):
    word = provider.one("request_object", "auto")
    return provider.one("client_key") is not None and (
        word == "on" or word != "off" and data.get("require_signed_request_object") is True)


def check_date(about, provider, answer):
    text = answer.header("Date")
    try:
        when = time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        about.note("clock", "the provider sends no Date to compare with")
        return
    # Date has whole seconds: half of one is in the middle.
    ahead = calendar.timegm(when) + 0.5 - (answer.sent + answer.received) / 2
    skew = seconds(provider.one("clock_skew", "60s"))
    side = "ahead of" if ahead > 0 else "behind"
    text = f"the provider's is {abs(ahead):.0f} s {side} ours"
    if abs(ahead) > skew:
        about.wrong("clock", f"{text}, clock_skew is {skew:g} s", "run a time service on both")
    else:
        about.ok("clock", text)
