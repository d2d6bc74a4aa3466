# SPDX-License-Identifier: Apache-2.0
"""What the scenario asks of a provider that is run for real."""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from login_drivers import follow, login_form
from real_provider import RealProvider

# The first half of a token's life is never disturbed, and a life is 5 seconds at least.
TOKEN_LIFE = 10
DUE = 5.5


class Provider(RealProvider):
    """A driver: how one provider is had, started, and told what its administrator would tell it.

    `gaps` names the steps of the scenario that the provider has no means for, each with the reason
    that the report shows.
    """

    name = ""
    version = ""
    patience = 60
    gaps = {}
    played = ()
    callback = "/oidc_callback"
    directives = {}
    # Whoever has signed in is let through the next time without a password.
    remembers_people = True
    # After a change of key its refreshed ID tokens still name the key of the login, but are signed
    # with the new one: nobody can verify them.
    refreshes_name_the_former_key = False

    @classmethod
    def obtain(cls):
        """Gets the program; raises obtain.Unavailable."""
        raise NotImplementedError

    def __init__(self, lab, issuer_path="", paths=None):
        self._person = None
        super().__init__(lab, issuer_path, paths)

    # ---- the person who signs in ---------------------------------------------------------------

    def reset(self):
        super().reset()
        self.somebody_else()

    def client(self):
        """The browser of one person, who is remembered by the provider's cookies."""
        self._person = self._person or super().client()
        return self._person

    def somebody_else(self):
        """From here on a browser that the provider has never seen; the one before, for this_one()."""
        former, self._person = self._person, None
        return former

    def this_one(self, person):
        self._person = person

    def page(self, url, site):
        """What the person sees there, or the redirect that leads back to the site."""
        return follow(self.client(), self.client().get(url), self.leaves_for(site.origin_text))

    def asks_for_a_password(self, site):
        """Whether it does so when this person begins another sign-in."""
        return self.is_login_page(self.page(site.browser().start("/page").location, site))

    def leaves_for(self, origin):
        """Where redirects are not followed any more: the site, and applications around the provider
        that the driver plays itself."""
        return lambda url: url.startswith((f"{origin}/", *self.played))

    def is_login_page(self, reply):
        return login_form(reply) is not None

    # ---- what an administrator does ------------------------------------------------------------

    def change_key(self, alg):
        """ID tokens are signed with a new key for `alg` from now on, and the former key is gone."""
        raise NotImplementedError

    def replace_key(self):
        """The key of the moment becomes another one under the same name, of the same type."""
        raise NotImplementedError

    def end_sessions(self):
        """The administrator signs the user out."""
        raise NotImplementedError

    def disable_user(self):
        raise NotImplementedError

    # ---- talking to its interfaces -------------------------------------------------------------

    def call(self, method, url, body=None, headers=None, form=None):
        """JSON to and from an interface of the provider; the answer's body and headers."""
        data, kind = None, None
        if form is not None:
            data, kind = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
        elif body is not None:
            data, kind = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data, {
            **({"Content-Type": kind} if kind else {}), **(headers or {})}, method=method)
        context = ssl.create_default_context(cafile=str(self.lab.pki.ca.file))
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:
                text = answer.read()
                return (json.loads(text) if text.strip() else None), answer.headers
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{method} {url}: {e.code} {e.read()[:600]!r}") from None

    def answers(self, url):
        try:
            context = ssl.create_default_context(cafile=str(self.lab.pki.ca.file))
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False
