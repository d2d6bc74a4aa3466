# SPDX-License-Identifier: Apache-2.0
"""Group P: files of the client that another program renews while nginx runs."""

import contextlib
import grp
import json
import os
import pwd
import re
import secrets
import signal
import time

import pytest

from harness.cases import case, rows
from harness.forge import Key, b64u
from harness.idp import Idp
from harness.nginx import Nginx
from harness.outcome import passes, reject
from harness.wire import Reply

ROOT = os.getuid() == 0
NOBODY = pwd.getpwnam("nobody")
# Whose the workers are: somebody who is not allowed everything.
USER = f"nobody {grp.getgrgid(NOBODY.pw_gid).gr_name}" if ROOT else "root"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
needs_root = pytest.mark.skipif(not ROOT, reason="only root can start workers as another user")


def put(path, text, mode=0o640):
    """As programs do that renew files: a new one takes the place of the old one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    if ROOT:
        os.chown(fresh, 0, NOBODY.pw_gid)
    fresh.rename(path)
    return path


def jwt(lifetime=3600, **claims):
    """Of a cluster, whose key only the provider has."""
    now = int(time.time())
    body = {"iss": "https://cluster.example", "sub": "system:serviceaccount:www:nginx", "jti": secrets.token_hex(16),
            "aud": ["https://idp.example"], "iat": now, "exp": now + lifetime, **claims}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "cluster"}, body)]
    return ".".join(b64u(part) for part in [*parts, secrets.token_bytes(64)])


class Federated(Idp):
    """Knows the client by the assertions of another issuer."""

    assertion = None

    def client_of_assertion(self, form):
        self._check(form.get("client_assertion_type") == JWT_BEARER, "client_assertion_type")
        good = form["client_assertion"] == self.assertion
        return form.get("client_id") if good else None, self.client_secret, "private_key_jwt"


class Party:
    """A provider, and the file of its client."""

    def __init__(self, lab, folder, name, kind=Idp):
        self.name, self.idp = name, kind(lab.keys)
        self.file = folder / name
        self.directives = {"redirect_uri": f"/cb/{name}"}

    def by_secret(self, **directives):
        put(self.file, self.idp.client_secret + "\n")
        self.directives |= {"client_secret": None, "client_secret_file": f"{self.file} watch", **directives}
        return self

    def fresh_secret(self):
        """In the file only."""
        secret = "fr3sh-" + secrets.token_urlsafe(48)
        self.idp.canary(secret, "client secret")
        put(self.file, secret + "\n")
        return secret

    def sign_in(self, site, times=1):
        for _ in range(times):
            browser = site.browser()
            passes(site, browser.login(f"/{self.name}/x", self.idp), remote_user="jdoe")
            browser.close()

    def lines(self, site, what, level="(error|notice|info|warn)"):
        return re.findall(rf"\[{level}\] [^\n]*{re.escape(str(self.file))}[^\n]*{what}", site.nginx.log())


@contextlib.contextmanager
def many(lab, make_site, folder, parties, **arguments):
    folder.chmod(0o755)
    locations = "".join(f"location /{p.name}/ {{ auth_oidc {p.name}; proxy_pass http://@BACKEND@; }}\n"
                        for p in parties)
    try:
        yield make_site(control=False, user=USER, auth=f"auth_oidc {parties[0].name};",
                        providers={p.name: (p.idp, p.directives) for p in parties},
                        own_paths=tuple(f"/cb/{p.name}" for p in parties),
                        locations=locations + arguments.pop("locations", ""), **arguments)
    finally:
        for p in parties:
            p.idp.complaints.clear()
            p.idp.stop()


def swap(folder, generation, text):
    """As Kubernetes publishes a projected volume: a link to a folder is replaced."""
    fresh = folder / f"..{generation}"
    fresh.mkdir()
    put(fresh / "token", text, 0o644)
    (folder / "..data.new").symlink_to(fresh.name)
    (folder / "..data.new").rename(folder / "..data")
    if not (folder / "token").is_symlink():
        (folder / "token").symlink_to("..data/token")


@case("P-12")
@pytest.mark.kills_workers
def test_changes_under_a_running_nginx(lab, make_site):
    """All changes at once, because each wait for the workers' look takes ten seconds."""
    folder = lab.folder / "renewed"
    folder.mkdir()
    both = Party(lab, folder, "both").by_secret(par="on", session_refresh="on before=60s", revoke_on_logout="on",
                                                logout_uri="/logout")
    both.idp.refresh_tokens = True
    middle = Party(lab, folder, "middle").by_secret()
    bad = {name: Party(lab, folder, name).by_secret() for name in ("empty", "gone", "closed", "fifo", "large")}
    key = Party(lab, folder, "key")
    old_key, new_key = Key.ec("-"), Key.ec("-")
    put(key.file, old_key.private_pem())
    key.idp.auth_methods = ("private_key_jwt",)
    key.directives |= {"client_secret": None, "client_key": f"{key.file} watch"}
    cluster, junk = (Party(lab, folder, name, Federated) for name in ("cluster", "junk"))
    for party in (cluster, junk):
        party.idp.auth_methods = ("private_key_jwt",)
        party.idp.assertion = jwt()
        party.idp.canary(party.idp.assertion, "assertion")
    volume = folder / "volume"
    volume.mkdir()
    swap(volume, 1, cluster.idp.assertion + "\n")
    cluster.file = volume / "token"
    put(junk.file, junk.idp.assertion)
    for party in (cluster, junk):
        party.directives |= {"client_secret": None, "client_assertion_file": party.file}
    parties = [both, middle, *bad.values(), key, cluster, junk]
    jwks = "location = /client.jwks { auth_oidc off; oidc_jwks key; }"
    with many(lab, make_site, folder, parties, locations=jwks) as site:
        def published():
            return {k["kid"] for k in json.loads(site.browser().get("/client.jwks").text)["keys"]}
        (old_kid,) = published()
        key.idp.client_keys = [(old_kid, "ES256", old_key)]
        both.idp.on["revoke"] = lambda x: x.default() if both.idp.client_credentials(
            x.request, {})[1] == both.idp.client_secret else Reply({"error": "invalid_client"}, status=401)
        for party in parties:
            party.sign_in(site)

        # ---- the files change, the providers do not yet
        time.sleep(2)  # what was written a moment ago is left alone
        fresh = {party: party.fresh_secret() for party in (both, middle)}
        put(bad["empty"].file, "\n")
        bad["gone"].file.unlink()
        bad["closed"].file.chmod(0o600)
        bad["fifo"].file.unlink()
        os.mkfifo(bad["fifo"].file)
        put(bad["large"].file, "x" * 5000)
        put(key.file, new_key.private_pem())
        put(junk.file, "this is no assertion")
        renewed = jwt()
        cluster.idp.canary(renewed, "assertion")
        swap(volume, 2, renewed)
        changed = (both, middle, key, cluster)
        deadline = time.monotonic() + 30
        while any(len(p.lines(site, "was renewed, what")) < 2 for p in changed):
            assert time.monotonic() < deadline, site.nginx.log()[-5000:]
            both.sign_in(site)  # whoever signs in meanwhile does not notice
        for party in (both, middle, cluster, *bad.values(), junk):
            party.sign_in(site, 3)
        assert site.refusals() == []
        assert "accepts the one before" in site.nginx.log()

        # ---- refresh, PAR and logout with the secret before
        both.idp.token_body = lambda body: {**body, "expires_in": 10}
        browser = site.browser()
        browser.login("/both/x", both.idp)
        site.wait(lambda: browser.get("/both/x").from_backend and both.idp.refreshes, "a refresh", 20)
        browser.get("/logout")
        site.wait(lambda: both.idp.revoked, "the revocation")
        browser.close()
        both.idp.token_body = None

        # ---- a reload cannot read the bad files: everything stays as it is
        site.allow_log(r"\[emerg\].*oidc_provider|\[emerg\].*client_")
        assert not site.reload()
        bad["empty"].sign_in(site)

        # ---- the bad files become good, with secrets that the providers have as well
        time.sleep(2)
        for party in bad.values():
            if party.file.is_fifo():
                party.file.unlink()
            party.idp.client_secret = party.fresh_secret()
        junk.idp.assertion = jwt()
        put(junk.file, junk.idp.assertion)
        deadline = time.monotonic() + 30
        while any(len(p.lines(site, "was renewed, what")) < 2 for p in (*bad.values(), junk)):
            assert time.monotonic() < deadline, site.nginx.log()[-5000:]
            both.sign_in(site)
        for party in (*bad.values(), junk):
            party.sign_in(site, 3)
            # At the second look nothing was said again, and one worker speaks for all.
            assert len(party.lines(site, "goes on being used", "error")) == 1, party.name
            assert len(party.lines(site, "was renewed, what", "notice")) == 1, party.name

        # ---- the providers follow
        for party, secret in fresh.items():
            party.idp.client_secret = secret
        cluster.idp.assertion = renewed
        for party in (both, middle, cluster):
            party.sign_in(site, 3)

        # ---- a key is published before it is used, and used at once by whom the old one is unknown
        assert old_kid in published() and len(published()) == 2
        (new_kid,) = published() - {old_kid}
        key.sign_in(site, 2)
        assert key.idp.last_assertion[0]["kid"] == old_kid
        key.idp.client_keys = [(new_kid, "ES256", new_key)]
        key.sign_in(site, 3)
        assert key.idp.last_assertion[0]["kid"] == new_kid

        # ---- a reload after the change, and the secret of the start counts no more
        assert site.reload()
        for party in (both, middle, cluster, key):
            party.sign_in(site, 3)
        assert published() == {new_kid}

        # ---- a worker that takes the place of one that has died knows what is in the file now
        assert site.refusals() == []
        site.allow_log("exited on signal")
        site.state.check_workers = False
        last = {party: party.fresh_secret() for party in (both, middle)}
        time.sleep(2.5)
        before = site.nginx.worker_pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        site.wait(lambda: len(site.nginx.worker_pids()) == 2 and not set(site.nginx.worker_pids()) & set(before),
                  "new workers", 20)
        for party, secret in last.items():
            party.idp.client_secret = secret
            party.sign_in(site, 3)
            assert party.lines(site, "before this process has looked at it"), site.nginx.log()[-3000:]
        assert site.refusals() == []


@case("P-13")
def test_an_assertion_that_has_expired(lab, make_site):
    folder = lab.folder / "expired"
    folder.mkdir()
    party = Party(lab, folder, "cluster", Federated)
    party.idp.auth_methods, party.idp.assertion = ("private_key_jwt",), jwt(-3600)
    party.idp.canary(party.idp.assertion, "assertion")
    put(party.file, party.idp.assertion)
    party.directives |= {"client_secret": None, "client_assertion_file": party.file}
    with many(lab, make_site, folder, [party]) as site:
        answer = site.browser().try_login("/cluster/x", party.idp)
        reject(site, answer, "token_client_auth", 502)
        assert "expired at" in site.refusals()[-1][2] and "client_assertion_file" in site.refusals()[-1][2]
        assert site.delta("token", party.idp) == 0, "nothing is sent that is known to be refused"
        assert len(party.lines(site, "has an assertion that expired", "error")) == 1


class Runner:
    """nginx -t for one provider."""

    def __init__(self, folder):
        self.folder, self.n = folder, 0

    def __call__(self, directives, user=USER, user_last=False):
        self.n += 1
        nginx = Nginx(self.folder / f"run{self.n}",
                      f"oidc_provider idp {{ issuer https://idp.example; client_id crm; {directives} }}\n"
                      "server { listen 127.0.0.1:1; server_name crm.example; oidc_base_url https://crm.example;"
                      " location / { auth_oidc idp; } }", status_port=2, user=user)
        if user_last and ROOT:
            text = nginx.conf.read_text()
            nginx.conf.write_text(text.replace(f"user {user};\n", "") + f"user {user};\n")
        code, out = nginx.test()
        return code == 0, out


@pytest.fixture
def configure(lab):
    folder = lab.folder / f"configure-{time.monotonic_ns()}"
    folder.mkdir()
    folder.chmod(0o755)
    put(folder / "secret", "s" * 40 + "\n")
    put(folder / "key", Key.ec("-").private_pem())
    put(folder / "assertion", jwt())
    return Runner(folder)


@needs_root
@pytest.mark.parametrize("last", rows("P-14", {"before": False, "after": True}))
def test_what_the_workers_cannot_read(configure, last):
    file = configure.folder / "secret"
    directive = f"client_secret_file {file} watch;"
    good, out = configure(directive, user_last=last)
    assert good and "warn" not in out, out
    file.chmod(0o600)
    good, out = configure(directive, user_last=last)
    assert not good and 'their user "nobody" cannot read it' in out and "nginx.conf:" in out, out
    assert configure(f"client_secret_file {file};", user_last=last)[0], "read by the master alone"
    assert configure(directive, user="root", user_last=last)[0]
    inner = configure.folder / "inner"
    inner.mkdir(mode=0o700)
    put(inner / "secret", "s" * 40)
    good, out = configure(f"client_secret_file {inner}/secret watch;", user_last=last)
    assert not good and f'cannot enter the folder "{inner}"' in out, out
    # A link through a closed folder is as good as the folder.
    (configure.folder / "link").symlink_to(inner / "secret")
    good, out = configure(f"client_secret_file {configure.folder}/link watch;", user_last=last)
    assert not good and f'cannot enter the folder "{inner}"' in out, out
    os.chown(inner, 0, NOBODY.pw_gid)
    inner.chmod(0o750)
    good, out = configure(f"client_secret_file {configure.folder}/link watch;", user_last=last)
    assert good, out


@pytest.mark.parametrize("directives, message", rows("P-14", {
    "word": ("client_secret_file @F@/secret watched;", 'invalid value "watched" in "client_secret_file"'),
    "too-many": ("client_secret_file @F@/secret watch watch;", "invalid number of arguments"),
    "kid": ("client_key @F@/key kid=a watch;", 'cannot have "kid=" with "watch"'),
    "twice": ("client_key @F@/key watch watch;", 'invalid value "watch" in "client_key"'),
    "certificate": ("client_key @F@/key watch; client_certificate @F@/key;", 'cannot be combined with "client_certificate"'),
    "missing": ("client_secret_file @F@/none watch;", "cannot be opened"),
    "folder": ("client_secret_file @F@ watch;", "is not a regular file"),
    "empty": ("client_secret_file @F@/empty watch;", "it is empty"),
    "secret-for-jwt": ("client_secret_file @F@/short watch; token_endpoint_auth_method client_secret_jwt;",
                       "at least 32 characters"),
    "no-assertion": ("client_assertion_file @F@/secret;", "is no assertion: it has 1 parts"),
    "unsigned": ("client_assertion_file @F@/unsigned;", "is no assertion: it is not signed"),
    "large": ("client_assertion_file @F@/large;", "is too large"),
    "method": ("client_assertion_file @F@/assertion; client_secret x; token_endpoint_auth_method client_secret_post;",
               '"client_assertion_file" is for "token_endpoint_auth_method client_assertion_file"'),
    "none": ("client_assertion_file @F@/assertion; token_endpoint_auth_method none;",
             '"client_assertion_file" is for'),
    "no-file": ("client_key @F@/key; token_endpoint_auth_method client_assertion_file;",
                '"token_endpoint_auth_method client_assertion_file" needs "client_assertion_file"'),
    "key-beside": ("client_assertion_file @F@/assertion; client_key @F@/key;", '"client_key" is for'),
}))
def test_what_is_refused(configure, directives, message):
    folder = configure.folder
    put(folder / "empty", "\n")
    put(folder / "short", "short")
    put(folder / "large", "x" * 20000)
    put(folder / "unsigned", f'{b64u(b"{}")}.{b64u(b"{}")}.{b64u(b"x")}')
    good, out = configure(directives.replace("@F@", str(folder)))
    assert not good and message in out and "nginx.conf:" in out, out
    assert "s" * 40 not in out


@pytest.mark.parametrize("directives", rows("P-14", {
    "assertion": "client_assertion_file @F@/assertion;",
    "named": "client_assertion_file @F@/assertion; token_endpoint_auth_method client_assertion_file;",
    "as-the-standard-has-it": "client_assertion_file @F@/assertion; token_endpoint_auth_method private_key_jwt;",
    "key-for-requests": "client_assertion_file @F@/assertion; client_key @F@/key watch; request_object on;",
    "key": "client_key @F@/key alg=ES256 watch;"}))
def test_what_is_accepted(configure, directives):
    good, out = configure(directives.replace("@F@", str(configure.folder)))
    assert good and "warn" not in out, out


@case("P-14")
def test_what_is_warned_about(configure):
    folder = configure.folder
    put(folder / "secret", "s" * 40, 0o644)
    good, out = configure(f"client_secret_file {folder}/secret watch;")
    assert good and "can be read by everybody" in out and "0640" in out, out
    put(folder / "assertion", jwt(-1))
    good, out = configure(f"client_assertion_file {folder}/assertion;")
    assert good and "nobody can sign in until it is renewed" in out, out
