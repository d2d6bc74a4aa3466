# SPDX-License-Identifier: Apache-2.0
"""The language of pages: Accept-Language, oidc_page_language, and what stays English."""

import re

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import page, reject, unauthorized
from harness.site import Site

# The heading of the page about a sign-in that was begun elsewhere (state_unknown).
ELSEWHERE = {
    "en": "This sign-in was not started in this browser.",
    "de": "Diese Anmeldung wurde nicht in diesem Browser begonnen.",
    "fr": "Cette connexion n’a pas été commencée dans ce navigateur.",
    "es": "Este inicio de sesión no se empezó en este navegador.",
    "pl": "Tego logowania nie rozpoczęto w tej przeglądarce.",
    "it": "Questo accesso non è stato iniziato in questo browser.",
    "nl": "Deze aanmelding is niet in deze browser begonnen.",
    "pt": "Este início de sessão não foi começado neste navegador.",
}
UNKNOWN = "/oidc_callback?code=c&state=ngxoidc1." + "B" * 43
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LOCATIONS = """
location /closed { auth_oidc_require $never; proxy_pass http://@BACKEND@; }
location /any { satisfy any; deny all; proxy_pass http://@BACKEND@; }
location /dutch/ {
    oidc_page_language nl;
    proxy_pass http://@BACKEND@;
    location /dutch/any/ { oidc_page_language auto; proxy_pass http://@BACKEND@; }
    location /dutch/below/ { proxy_pass http://@BACKEND@; }
}
"""


@pytest.fixture(scope="module")
def site(lab):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "end_session_endpoint": None}
    with Site(lab, idp=idp, locations=LOCATIONS, http="map $uri $never { default 0; }\n", own_paths=(
            "/oidc_callback", "/logout", "/fc"), directives={"logout_uri": "/logout", "frontchannel_logout_uri": "/fc"},
              server="large_client_header_buffers 8 16k;") as site:
        yield site


def speaks(answer, language, text=None):
    assert answer.headers.all("content-language") == [language], answer
    assert "Accept-Language" in ", ".join(answer.headers.all("vary")), answer
    assert f'<html lang="{language}" dir="ltr">' in answer.text, answer
    assert text is None or text in answer.text, answer
    answer.body.decode("utf-8")


def elsewhere(site, values, **more):
    """The page of a callback that nobody began, for these values of Accept-Language."""
    answer = site.browser().callback(UNKNOWN, extra=[("Accept-Language", v) for v in values], **more)
    reject(site, answer, "state_unknown", 400, consumed=False)
    return answer


def form(site, language, path="/x"):
    return site.browser().post(path, b"a=1", headers={**FORM, "Accept-Language": language})


WISHES = {
    "none": ((), "en"), "empty": (("",), "en"), "chromium": (("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",), "de"),
    "austria": (("de-AT",), "de"), "brazil": (("pt-BR,pt;q=0.9,en-US;q=0.8",), "pt"), "portugal": (("pt-PT",), "pt"),
    "french": (("FR-ch, *;q=0.1",), "fr"), "spanish": (("es-419,es;q=0.9",), "es"), "polish": (("pl",), "pl"),
    "italian": (("it;q=0.2,sv",), "it"), "dutch": (("nl-BE;q=0.4, en;q=0.3",), "nl"),
    "english-first": (("en-GB,en;q=0.9,de;q=0.8",), "en"), "nobody": (("sv,da;q=0.9",), "en"),
    "any": (("*",), "en"), "not-german": (("de;q=0,pl;q=0.1",), "pl"),
}


@pytest.mark.parametrize("values, language", rows("Q-55", WISHES))
def test_a_refusal_at_the_callback(site, values, language):
    speaks(elsewhere(site, values), language, f"<h1>{ELSEWHERE[language]}</h1>")
    # The log is for whoever runs this, who need not read Polish.
    code, detail = site.refusals()[-1][1:]
    assert code == "state_unknown" and detail.isascii(), detail


HOSTILE = {
    "garbage": (("q=1;;,=, de_DE, d\xe9, <script>alert(1)</script>, \"fr\"",), "en"),
    "garbage-and-one": (("\xff\xfe,x-de,*-PL;q=1, it;q=0.001",), "it"),
    "weights": (("de;q=2,fr;q=-1,es;q=1.001,pl;q=0.1234,it;q=,nl;q=NaN,pt;q=0.1",), "pt"),
    "weights-alone": (("de;q=1.1,fr;q=0,5,es;q=1;level=1",), "en"),
    "8k": (("x" * 8192,), "en"), "8k-of-commas": (("," * 8192 + "de",), "en"),
    "8k-of-ranges": (("pl," + "de;q=0.9," * 900,), "pl"), "8k-of-blanks": ((" , " * 2700 + "de",), "en"),
    "15k": (("de," + "fr-" + "a" * 15000,), "de"), "cut": (("fr;q=0.1" + "," * 1010 + "de;q=0.9",), "fr"),
    "headers": (("sv", "", "de;q=0.4", "it;q=0.5, nl;q=0.5"), "it"),
    "hundred-headers": (("da, nb, fi, et",) * 100 + ("de",), "en"),
    "refused-later": (("de", "de;q=0"), "en"),
    "markup": (('de"><script>x</script>',), "en"),
}


@pytest.mark.parametrize("values, language", rows("Q-56", HOSTILE))
def test_hostile_values(site, values, language):
    answer = elsewhere(site, values)
    speaks(answer, language, f"<h1>{ELSEWHERE[language]}</h1>")
    assert len(answer.headers) == len(elsewhere_in_english(site).headers)


def elsewhere_in_english(site):
    return site.browser().callback(UNKNOWN)


@case("Q-55")
def test_every_page_speaks_it(site):
    answer = form(site, "de-AT")
    assert answer.status == 401, answer
    page(answer)
    speaks(answer, "de", "<title>Bitte melden Sie sich an, um diese Seite zu sehen.</title>")
    assert ">Anmelden</a>" in answer.text and "Sign" not in answer.text
    # Answered in the header filter, as another module could have granted it.
    speaks(form(site, "pl", "/any"), "pl", ">Zaloguj się</a>")
    frame = site.browser().get("/x", kind="iframe", headers={"Accept-Language": "it"})
    speaks(frame, "it", ">Accedi</a>")
    with site.signed_in() as browser:
        answer = browser.get("/closed", headers={"Accept-Language": "fr"})
        assert answer.status == 403, answer
        page(answer)
        speaks(answer, "fr", "Référence pour votre administrateur\u00a0: <code>")
        answer = browser.get("/logout", cross_site=True, headers={"Accept-Language": "es"})
        assert answer.status == 403, answer
        speaks(answer, "es", ">Cerrar sesión</a>")
        speaks(browser.get("/fc", kind="iframe", headers={"Accept-Language": "pt"}), "pt", "Sessão encerrada")
        answer = browser.get("/logout", fetch_site="same-origin", headers={"Accept-Language": "nl"})
        assert answer.status == 200, answer
        page(answer)
        speaks(answer, "nl", "<h1>U bent afgemeld.</h1>")
        assert ">Opnieuw aanmelden</a>" in answer.text


@case("Q-57")
def test_programs_are_told_the_same(site):
    bodies, heads = set(), set()
    for language in ("de", "fr;q=0.5", None):
        answer = site.browser().get("/x", kind="xhr", headers={"Accept-Language": language})
        assert unauthorized(answer)["message"] == "Please sign in to see this page."
        bodies.add(answer.body)
        heads.add(tuple(n for n, _ in answer.headers))
        assert answer.headers.get("content-language") is None and answer.headers.get("vary") is None, answer
    assert len(bodies) == len(heads) == 1
    with site.signed_in() as browser:
        answer = browser.get("/closed", kind="xhr", headers={"Accept-Language": "de"})
        assert answer.json()["message"] == "Your account is not allowed to see this page.", answer
    assert re.search(r"refused: not_permitted: [ -~]+, reference", site.log_since_mark())


@case("Q-59")
def test_a_language_for_everybody(lab, site):
    for wish in ("de", None, "nl;q=0"):
        speaks(form(site, wish, "/dutch/x"), "nl", ">Aanmelden</a>")
        speaks(form(site, wish, "/dutch/below/x"), "nl")
    speaks(form(site, "de", "/dutch/any/x"), "de")
    assert unauthorized(site.browser().get("/dutch/x", kind="xhr"))["message"].startswith("Please")
    with Site(lab, http="oidc_page_language pl;\n", server="oidc_page_language it;", control=False) as other:
        speaks(form(other, "de"), "it")
        other.reload(server="")
        speaks(form(other, "de"), "pl")
        speaks(elsewhere(other, ("fr",)), "pl", ELSEWHERE["pl"])
