# SPDX-License-Identifier: Apache-2.0
"""Group P: what the client asks for, and how."""

from harness.cases import case
from harness.outcome import passes


@case("P-09")
def test_resources(make_site):
    """Everywhere where a token is asked for (RFC 8707 2)."""
    wanted = ["https://api.example/v1?a=b", "urn:example:other"]
    site = make_site(control=False, directives={"resource": " ".join(wanted), "session_refresh": "on"})
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")
        site.wait(lambda: browser.get("/x").from_backend and site.idp.refreshes, "a refresh", 20)
    (grant,) = site.idp.codes.values()
    assert grant["resource"] == wanted
    assert site.idp.token_resources[:2] == [wanted, wanted]
    assert site.refusals() == []
