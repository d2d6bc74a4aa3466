# SPDX-License-Identifier: Apache-2.0
"""The pages of docs/backends with the applications themselves: blocks, settings and programs are those of the pages.

What is not installed is taken from Debian's archive and unpacked into build/backends, without installing it. MediaWiki
is large (38 MB, 290 MB unpacked), so it is fetched with OIDC_BACKENDS=all only. What cannot be had is skipped, and says
so."""

import base64
import html
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from harness.backends import (CACHE, PAGES, PageSite, Php, Program, Unavailable, blocks, installed, packages,
                              with_php, with_python)
from harness.blocks import of as blocks_of
from harness.cases import case
from harness.forge import Key, b64u, b64u_decode, dump
from harness.nginx import ROOT, Nginx
from harness.outcome import challenge, unauthorized
from harness.pasted import files_of_the_guides, here  # noqa: F401
from harness.ports import free_port
from harness.site import FCGI

NAMES = sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README")
NOT_RUN = {"grafana", "gitea", "jenkins"}
FORGED = ("Remote-User", "remote-user", "Remote_User", "REMOTE-USER", "X-Remote-User", "X-Remote_User",
          "X-Forwarded-User")


def have(make, *arguments):
    try:
        return make(*arguments)
    except Unavailable as e:
        pytest.skip(str(e))


def forged(name="admin"):
    return [(header, name) for header in FORGED]


def sign_out(site, browser, path="/"):
    """The link of the page, and what it leaves: no session, in this browser or with the old cookie."""
    cookies = browser.jar.header(site.scheme, site.host, "/")
    answer = browser.get("/logout", fetch_site="same-origin", headers={"Referer": site.origin_text + "/"})
    assert answer.status in (200, 302), answer
    challenge(site, browser.get(path))
    challenge(site, site.browser().get(path, headers={"Cookie": cookies}, cookies=False))


# ---- the pages

def text_of(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_whether_it_was_run_and_has_all_parts(name):
    text = text_of(name)
    lead = text.split("\n\n")[1]
    run = re.search(r"\*\*Run for real\*\* with .*\d.* on Debian 12", lead)
    assert bool(run) != ("**From its documentation, not run.**" in lead), lead
    assert bool(run) == (name not in NOT_RUN), name
    for part in ("\n## nginx\n", "\n## Signing out\n", "\n## What goes wrong\n", "\n**Next:** "):
        assert part in text, f"{name}.md lacks {part.strip()}"
    listed = re.search(rf"\]\({name}\.md\) .*\| (.+?) \|$", text_of("README"), re.M)
    assert listed and listed[1] == ("run for real" if run else "not run"), name


def test_what_is_marked_as_run_here_is_taken_by_name():
    """Every nginx block is loaded below; of the others a test says the page and the kind."""
    source = Path(__file__).read_text(encoding="utf-8")
    marked = {(name, block.language) for name in NAMES for block in blocks_of(f"docs/backends/{name}.md")
              if block.test == "test_backends.py"}
    assert {kind for _, kind in marked} >= {"nginx", "php", "python", "js", "ini", "html", "text"}
    missing = [found for found in marked if found[1] != "nginx" and 'blocks("%s", "%s")' % found not in source]
    assert not missing, missing


def loaded(code):
    if "oidc_provider company" not in code:
        provider = re.search(r"oidc_provider company \{.*?^\}\n", blocks("static", "nginx")[0], re.M | re.S)[0]
        listen = "" if "server {" in code else \
            "server { listen 443 ssl; server_name www.example.com; auth_oidc company;"
        code = provider + listen + code + ("}" if listen else "")
        if "auth_oidc " not in code:
            code += "server { listen 127.0.0.1:4; auth_oidc company; oidc_base_url https://www.example.com; }"
    return code


@pytest.mark.parametrize("name, number", [(name, number) for name in ["README"] + NAMES
                                          for number in range(text_of(name).count("\n```nginx\n"))])
def test_a_block_loads(lab, files, tmp_path, name, number):  # noqa: F811
    code = here(loaded(blocks(name, "nginx")[number]), lab, files)
    if "alg      E" in code:
        key = tmp_path / "key"
        key.write_text((Key.ec("k") if "ES256" in code else Key.ed25519("k")).private_pem())
        key.chmod(0o600)
        code = code.replace(str(files / "assertion"), str(key))
    (tmp_path / "fastcgi_params").write_text(FCGI)
    nginx = Nginx(tmp_path, re.sub(r"\bwww-data\b", "root", code), status_port=2)
    status, out = nginx.test()
    said = [line for line in out.splitlines() if "[warn]" in line and "without TLS" not in line]
    assert status == 0 and not said, f"{name}\n{code}\n{out}"


# ---- files

@case("Q-60")
def test_static(lab, tmp_path):
    root = tmp_path / "www"
    (root / "board").mkdir(parents=True)
    (root / "index.html").write_text(blocks("static", "html")[0])
    (root / "robots.txt").write_text("User-agent: *\n")
    with PageSite(lab, "static", {"/srv/www": root}) as site:
        challenge(site, site.browser().get("/", extra=forged()))
        assert site.browser().get("/robots.txt").status == 200
        browser = site.sign_in(preferred_username="jd<b>oe", groups=["staff"])
        page = browser.get("/", extra=forged())
        assert "Signed in as jd&lt;b&gt;oe." in page.text and "For the board" not in page.text, page
        assert page.headers.get("cache-control") == "private, no-cache"
        assert "For the board" in site.sign_in(groups=["staff", "board"]).get("/").text
        refused = site.sign_in(groups=["board"]).get("/")
        assert refused.status == 403 and "groups" in refused.text and "board" not in refused.text, refused
        assert browser.get("/../../etc/passwd").status == 400
        sign_out(site, browser)


# ---- programs that read the assertion

JOSE = ROOT / "t" / "integration" / "op" / "node_modules"


def node(site, folder, port):
    if not JOSE.joinpath("jose").is_dir():
        raise Unavailable("t/integration/op/node_modules has no jose: npm ci")
    (folder / "node_modules").symlink_to(JOSE)
    (folder / "server.mjs").write_text(site.here(blocks("node", "js")[0]))
    return Program([installed("node"), "server.mjs"], port, folder / "log", cwd=folder)


def python(site, folder, port):
    installed("python3")
    tree = packages("python-jwt", "python3-jwt")
    (folder / "server.py").write_text(site.here(blocks("python", "python")[0]))
    return Program(["/usr/bin/python3", "server.py"], port, folder / "log", cwd=folder,
                   env={"PYTHONPATH": tree / "usr/lib/python3/dist-packages", "PYTHONDONTWRITEBYTECODE": "1"})


def php(site, folder, _):
    (folder / "index.php").write_text(site.here(blocks("php", "php")[0]))
    return Php(folder)


PROGRAMS = {"node": ("ES256", node), "python": ("ES256", python), "php": ("EdDSA", php)}


def token_of(key, alg, claims, named=None):
    signed = ".".join(map(b64u, (dump({"alg": named or alg, "typ": "JWT", "kid": key.kid}), dump(claims))))
    return f"{signed}.{b64u(key.sign(alg, signed.encode()))}"


def altered(token):
    head, body, signature = token.split(".")
    claims = {**json.loads(b64u_decode(body)), "preferred_username": "admin"}
    return f"{head}.{b64u(dump(claims))}.{signature}"


@case("Q-61")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_believes_the_assertion_and_nothing_else(lab, tmp_path, name):
    alg, start = PROGRAMS[name]
    key = Key.ec("k") if alg == "ES256" else Key.ed25519("k")
    port, keys = free_port(), free_port()
    files = {"/etc/nginx/secrets/assertion": tmp_path / "assertion", "/etc/nginx/assertion.pub": tmp_path / "public",
             "unix:/run/php/php-fpm.sock": f"unix:{tmp_path}/php.sock", "/srv/app": tmp_path,
             "127.0.0.1:8080": f"127.0.0.1:{port}", "8080": port, "127.0.0.1:8081": f"127.0.0.1:{keys}", "8081": keys}
    (tmp_path / "assertion").write_text(key.private_pem())
    (tmp_path / "assertion").chmod(0o600)
    (tmp_path / "public").write_bytes(key.public_pem())
    site = PageSite(lab, name, files, start=False)
    (site.folder / "fastcgi_params").write_text(FCGI)
    try:
        program = have(start, site, tmp_path, port)
    except BaseException:
        site.stop(check=False)
        raise
    with program:
        site.start()
        try:
            told(site, program, key, alg, keys)
        finally:
            site.stop()


def told(site, program, key, alg, keys):
    challenge(site, site.browser().get("/", extra=forged()))
    browser = site.sign_in(preferred_username="jdoe", groups=["staff", "board"])
    answer = browser.get("/x", extra=[*forged(), ("X-Oidc-Assertion", "forged")])
    assert answer.from_backend and answer.status == 200, f"{answer}\n{program.said()}"
    assert answer.json() == {"user": "jdoe", "groups": ["staff", "board"]}, program.said()
    if alg == "ES256":
        with urllib.request.urlopen(f"http://127.0.0.1:{keys}/jwks", timeout=30) as response:
            (published,) = json.load(response)["keys"]
        key.kid = published["kid"]
    now = int(time.time())
    right = {"iss": site.origin_text, "aud": site.origin_text, "sub": "u-1", "preferred_username": "jdoe", "iat": now,
             "exp": now + 60, "jti": "1", "groups": []}
    other = Key.ec(key.kid) if alg == "ES256" else Key.ed25519(key.kid)
    cases = {
        "right": token_of(key, alg, right),
        "altered": altered(token_of(key, alg, right)),
        "expired": token_of(key, alg, {**right, "iat": now - 120, "exp": now - 60}),
        "audience": token_of(key, alg, {**right, "aud": "https://other.example.com"}),
        "issuer": token_of(key, alg, {**right, "iss": "https://other.example.com"}),
        "early": token_of(key, alg, {**right, "iat": now + 600, "exp": now + 660}),
        "key": token_of(other, alg, right),
        "none": ".".join(map(b64u, (dump({"alg": "none", "kid": key.kid}), dump(right)))) + ".",
        "algorithm": token_of(key, alg, right, named="HS256"),
        "nothing": "",
        "noise": "a.b.c",
    }
    # Past nginx, as somebody on that machine could ask it: the location that forwards what it is given.
    site.after = """
    server {
        listen 127.0.0.1:@PORT2@;
        auth_oidc off;
        location / { """ + past(site) + """ }
    }"""
    site.reload()
    for case, token in cases.items():
        found = ask(site.port2, token)
        assert found[0] == (200 if case == "right" else 401), f"{case}: {found}\n{program.said()}"
    site.wait(lambda: "not signed in" in program.said(), "its line about who was not let in")
    sign_out(site, browser)


def past(site):
    """The way to the application without the module: a header of this test in the place of the assertion."""
    code = site.here(blocks(site.page, "nginx")[0])
    location = re.search(r"location / \{(.*?(?:proxy|fastcgi)_pass[^;]*;\s*)\}", code, re.S)[1]
    if "fastcgi_pass" in location:
        return location + "fastcgi_param HTTP_X_OIDC_ASSERTION $http_x_test_token;"
    return location + "proxy_set_header X-Oidc-Assertion $http_x_test_token;"


def ask(port, token):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"X-Test-Token": token})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


# ---- Radicale

PRINCIPAL = (b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>')


def principal(answer):
    found = re.search(r"current-user-principal>\s*<(?:\w+:)?href>([^<]*)</", answer.text)
    return answer.status, found and found[1]


@case("Q-60")
def test_radicale(lab, tmp_path):
    tree = have(packages, "radicale", *have(with_python, "python3-radicale"))
    port = free_port()
    config = blocks("radicale", "ini")[0]
    for old, new in (("127.0.0.1:5232", f"127.0.0.1:{port}"),
                     ("/var/lib/radicale/collections", str(tmp_path / "collections"))):
        assert old in config
        config = config.replace(old, new)
    (tmp_path / "config").write_text(config)
    (tmp_path / "dav").write_text("jdoe:{PLAIN}app-password\n")
    # The second server of the page, for programs that have passwords.
    dav = blocks("radicale", "nginx")[1]
    dav = re.sub(r"^ *ssl_certificate(?:_key)? .*\n", "", dav, flags=re.M)
    dav = dav.replace("listen              443 ssl;", "listen 127.0.0.1:@PORT2@;")
    places = {"127.0.0.1:5232": f"127.0.0.1:{port}", "/etc/nginx/secrets/dav": tmp_path / "dav"}
    env = {"PYTHONPATH": tree / "usr/lib/python3/dist-packages", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["/usr/bin/python3", "-m", "radicale", "--config", tmp_path / "config"]
    with Program(command, port, tmp_path / "log", env) as program:
        with PageSite(lab, "radicale", places, after=dav) as site:
            def find(who, path="/", **more):
                return who.request("PROPFIND", path, body=PRINCIPAL, kind="xhr", **more)
            unauthorized(find(site.browser(), extra=forged()))
            browser = site.sign_in(preferred_username="jdoe")
            # What its own page has somebody type is not looked at.
            typed = "Basic " + base64.b64encode(b"admin:x").decode()
            found = principal(find(browser, headers={"Authorization": typed}, extra=forged()))
            assert found == (207, "/jdoe/"), program.said()
            assert browser.request("MKCALENDAR", "/jdoe/work/", kind="xhr").status == 201
            event = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
                     "DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T120000Z\r\nSUMMARY:Lunch\r\n"
                     "END:VEVENT\r\nEND:VCALENDAR\r\n")
            assert browser.request("PUT", "/jdoe/work/1.ics", body=event.encode(), kind="xhr").status == 201
            assert "Lunch" in browser.get("/jdoe/work/1.ics").text
            other = site.sign_in(preferred_username="other")
            assert principal(find(other)) == (207, "/other/")
            assert other.get("/jdoe/work/1.ics", extra=forged("jdoe")).status == 403
            with_password(site, program)
            sign_out(site, browser, "/jdoe/work/1.ics")


def with_password(site, program):
    """A program at the second server: its password, and no header of its own."""
    def status(password=None, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{site.port2}/jdoe/work/1.ics", headers=headers)
        if password:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"jdoe:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as e:
            return e.code
    assert status("app-password") == 200, program.said()
    assert status("app-password", **{"X-Remote-User": "other"}) == 200
    assert status("wrong") == status() == status(**{"X-Remote-User": "jdoe"}) == 401


# ---- DokuWiki

def relocated(tree, folder):
    """A copy of an unpacked tree that works where it lies: its links and the paths in its settings lead into it.
    Without most of its languages, which are most of its files."""
    def left_out(where, names):
        return set(names) - {"en"} if where.endswith("/lang") else set()
    shutil.copytree(tree, folder, symlinks=True, ignore=left_out)
    for path in folder.rglob("*"):
        if path.is_symlink() and os.path.isabs(target := os.readlink(path)):
            path.unlink()
            path.symlink_to(folder / target.lstrip("/"))
    return folder


@case("Q-60")
def test_dokuwiki(lab, tmp_path):
    tree = relocated(have(packages, "dokuwiki", *have(with_php, "dokuwiki")), tmp_path / "root")
    wiki, etc, var = tree / "usr/share/dokuwiki", tree / "etc/dokuwiki", tree / "var/lib/dokuwiki"
    settings = filter(Path.is_file, etc.glob("*.php"))
    for path in [*wiki.glob("inc/*.php"), *wiki.glob("vendor/composer/*.php"), *settings]:
        text = path.read_text(encoding="latin-1")
        new = re.sub(r"(?<=['\"])/(?=(?:etc/dokuwiki|var/lib/dokuwiki|usr/share/php)/)", f"{tree}/", text)
        if new != text:
            path.write_text(new, encoding="latin-1")
    plugin, settings = blocks("dokuwiki", "php")
    info, acl = blocks("dokuwiki", "text")
    folder = var / "lib/plugins/authnginx"
    folder.mkdir()
    (folder / "auth.php").write_text(plugin)
    (folder / "plugin.info.txt").write_text(info)
    (etc / "local.protected.php").write_text(settings)
    (var / "acl/acl.auth.php").write_text(acl)
    places = {"/usr/share/dokuwiki": wiki, "unix:/run/php/php-fpm.sock": f"unix:{tmp_path}/php.sock"}
    # As php.ini of a server has it: what PHP says of older code goes into its log.
    values = {"include_path": f"{tree}/usr/share/php:/usr/share/php:.", "display_errors": 0}
    with have(Php, tmp_path, values) as program:
        with PageSite(lab, "dokuwiki", places, start=False) as site:
            (site.folder / "fastcgi_params").write_text(FCGI)
            site.start()
            challenge(site, site.browser().get("/doku.php", extra=forged()))
            browser = site.sign_in(preferred_username="Jdoe", name="John <Doe>", groups=["staff"])
            page = browser.get("/doku.php?id=start", extra=forged())
            assert page.status == 200 and page.from_backend, f"{page.text}\n{program.said()}\n" + "\n".join(
                path.read_text() for path in var.glob("data/log/**/*.log"))
            assert "<bdi>John &lt;Doe&gt;</bdi> (<bdi>jdoe</bdi>)" in page.text, page.text
            assert "do=admin" not in page.text
            write_a_page(site, browser, page.text)
            admin = site.sign_in(preferred_username="root", groups=["wiki-admins"]).get("/doku.php?id=start")
            assert "do=admin" in admin.text and "(<bdi>root</bdi>)" in admin.text
            for path in ("/install.php", "/inc/auth.php", "/vendor/autoload.php", "/.htaccess", "/conf/local.php"):
                assert browser.get(path).status in (403, 404), path
            (link,) = set(re.findall(r'href="(/doku\.php\?[^"]*do=logout[^"]*)"', html.unescape(page.text)))
            answer = browser.get(link, fetch_site="same-origin")
            assert answer.status == 302 and site.path_of(answer.location) == "/logout", answer
            sign_out(site, browser, "/doku.php")


def write_a_page(site, browser, page):
    """A change is the user's own."""
    form = browser.get("/doku.php?id=mine&do=edit").text
    token = re.search(r'name="sectok" value="(\w+)"', form)[1]
    body = f"sectok={token}&id=mine&do[save]=1&wikitext=Written&summary=&rev=&prefix=.&suffix="
    answer = browser.post("/doku.php?id=mine", body.encode(), fetch_site="same-origin",
                          headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 302, answer
    seen = browser.get("/doku.php?id=mine").text
    assert "Written" in seen and "jdoe" in re.search(r'class="docInfo">(.*?)</div>', seen, re.S)[1], seen


# ---- MediaWiki

def mediawiki():
    """Where it is, and the extensions that PHP lacks."""
    if os.environ.get("OIDC_BACKENDS") != "all" and not (CACHE / "mediawiki" / ".complete").exists():
        raise Unavailable("MediaWiki is fetched with OIDC_BACKENDS=all: 38 MB, 290 MB unpacked")
    command = installed("php")
    version, loaded = json.loads(subprocess.run(
        [command, "-r", "echo json_encode([PHP_MAJOR_VERSION.'.'.PHP_MINOR_VERSION, get_loaded_extensions()]);"],
        capture_output=True, text=True, timeout=60, check=True).stdout)
    tree = packages("mediawiki", "mediawiki", "mediawiki-classes", f"php{version}-intl", f"php{version}-sqlite3")
    # Its links are absolute.
    for path in [*(tree / "usr/share/mediawiki").iterdir(), *(tree / "var/lib/mediawiki").rglob("*")]:
        if path.is_symlink() and (target := os.readlink(path)).startswith(("/usr/", "/var/")):
            path.unlink()
            path.symlink_to(tree / target.lstrip("/"))
    missing = {"intl": "intl", "sqlite3": "sqlite3", "pdo_sqlite": "pdo_sqlite"}
    return tree, [file for file in tree.rglob("usr/lib/php/*/*.so") if missing.get(file.stem) not in [None, *loaded]]


def install_mediawiki(site, tree, extensions, folder):
    """Its own installer, with SQLite, and the lines of the page behind what it writes."""
    wiki = tree / "usr/share/mediawiki"
    command = ["php", *(f"-dextension={file}" for file in extensions), wiki / "maintenance/install.php",
               "--dbtype", "sqlite", "--dbpath", folder, "--dbname", "wiki", "--server", site.origin_text,
               "--scriptpath", "", "--confpath", folder, "--pass", "a long password 1", "Wiki", "WikiAdmin"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    settings = folder / "LocalSettings.php"
    settings.write_text(settings.read_text() + blocks("mediawiki", "php")[0] + "$wgShowExceptionDetails = true;\n")
    return settings


@case("Q-60")
def test_mediawiki(lab, tmp_path):
    tree, extensions = have(mediawiki)
    places = {"/var/lib/mediawiki": tree / "var/lib/mediawiki",
              "unix:/run/php/php-fpm.sock": f"unix:{tmp_path}/php.sock"}
    site = PageSite(lab, "mediawiki", places, start=False)
    (site.folder / "fastcgi_params").write_text(FCGI)
    try:
        settings = install_mediawiki(site, tree, extensions, tmp_path)
        with Php(tmp_path, {"display_errors": "1"}, extensions, {"MW_CONFIG_FILE": settings}) as program:
            site.start()
            site.state.check_hits = False
            wiki_of(site, program)
    finally:
        site.stop()


def user_of_wiki(browser):
    answer = browser.get("/api.php?action=query&meta=userinfo|tokens&uiprop=realname|email&format=json", kind="xhr",
                         extra=forged("WikiAdmin"))
    assert answer.status == 200, answer.text
    found = answer.json()["query"]
    return found["userinfo"], found["tokens"]["csrftoken"]


def wiki_of(site, program):
    challenge(site, site.browser().get("/index.php", extra=forged("WikiAdmin")))
    browser = site.sign_in(preferred_username="jdoe", name="John Doe", email="jdoe@example.com")
    user, token = user_of_wiki(browser)
    assert (user["name"], user["realname"], user["email"]) == ("Jdoe", "John Doe", "jdoe@example.com"), program.said()
    assert user["id"] > 1
    # Whose address the provider has not looked at has to confirm it there.
    assert "emailauthenticated" not in user
    verified, _ = user_of_wiki(site.sign_in(preferred_username="jroe", email="jroe@example.com", email_verified=True))
    assert verified["email"] == "jroe@example.com" and verified["emailauthenticated"], verified
    form = f"action=edit&title=Mine&text=Written&format=json&token={urllib.parse.quote(token)}"
    answer = browser.post("/api.php", form.encode(), kind="xhr",
                          headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json()["edit"]["result"] == "Success", answer
    page = browser.get("/index.php?title=Mine&action=history").text
    assert re.search(r'mw-userlink[^>]*><bdi>Jdoe</bdi>', page), re.findall("<li .*Jdoe.*", page)
    assert re.search(r'<li[^>]*id="pt-logout"[^>]*>\s*<a href="/logout"', page), page
    # The same account the next time, and nobody else's with another name.
    again, _ = user_of_wiki(site.sign_in(preferred_username="jdoe"))
    other, _ = user_of_wiki(site.sign_in(preferred_username="other"))
    assert again["id"] == user["id"] and other["name"] == "Other" and other["id"] != user["id"]
    for path in ("/maintenance/install.php", "/includes/Setup.php", "/mw-config/index.php", "/.htaccess"):
        assert browser.get(path).status in (403, 404), path
    sign_out(site, browser, "/index.php")


# ---- a single-page application

def test_spa(lab, tmp_path):
    (tmp_path / "index.html").write_text("<title>App</title>")
    (tmp_path / "session.js").write_text(blocks("spa", "js")[0])
    with PageSite(lab, "spa", {"/srv/app": tmp_path, "127.0.0.1:8080": "@BACKEND@"}, public=("/session",)) as site:
        anonymous = site.browser()
        challenge(site, anonymous.get("/orders/7"))
        for path in ("/api/orders", "/session.js"):
            problem = unauthorized(anonymous.get(path, kind="xhr", extra=forged()))
            assert problem["login_url"].startswith(site.origin_text)
        assert unauthorized(anonymous.get("/api/orders"))            # also for a navigation
        told = anonymous.get("/session", kind="xhr")
        assert told.status == 200 and told.json()["authenticated"] is False
        browser = site.sign_in("/orders/7", preferred_username="jdoe", name="John Doe", groups=["staff"])
        assert "<title>App</title>" in browser.get("/orders/7").text
        told = browser.get("/session", kind="xhr").json()
        assert (told["user"], told["claims"]["name"]) == ("jdoe", "John Doe")
        assert told["logout_url"] == site.origin_text + "/logout"
        assert told["expires"] > told["now"] and "token" not in json.dumps(told)
        answer = browser.post("/api/orders", b"{}", kind="xhr", extra=forged())
        assert answer.from_backend and site.backend.last.headers.all("Remote-User") == ["jdoe"]
        answer = browser.post("/api/orders", b"{}", kind="xhr", fetch_site="cross-site",
                              headers={"Origin": "https://evil.example"})
        assert answer.status == 403 and answer.json()["error"] == "cross_origin_request", answer
        sign_out(site, browser)
        unauthorized(browser.get("/api/orders", kind="xhr"))
        site.state.check_hits = False


SCRIPT = """
import { api, session } from './session.mjs';
let reloads = 0;
globalThis.location = { reload() { reloads++; } };
const answers = [];
globalThis.fetch = async (path, options) => {
    const { status, body } = answers.shift();
    if (path.startsWith('/api/') && options.redirect !== 'error') throw new Error('a redirect would be followed');
    return new Response(body, { status });
};
answers.push({ status: 200, body: '{"n":1}' });
if ((await (await api('/api/x')).json()).n !== 1) throw new Error('an answer');
answers.push({ status: 401, body: '{"error":"something_else"}' });
if ((await api('/api/x')).status !== 401 || reloads !== 0) throw new Error('a 401 of the API');
answers.push({ status: 401, body: 'no JSON' });
if ((await api('/api/x')).status !== 401 || reloads !== 0) throw new Error('a 401 in words');
answers.push({ status: 401, body: '{"error":"login_required","login_url":"https://x/"}' });
let ended = false;
api('/api/x').then(() => { ended = true; });
await new Promise((go) => setTimeout(go, 20));
if (reloads !== 1 || ended) throw new Error('a session that has ended');
answers.push({ status: 200, body: '{"authenticated":true,"user":"jdoe"}' });
if ((await session()).user !== 'jdoe') throw new Error('the session');
console.log('good');
"""


def test_the_script_of_the_spa(tmp_path):
    command = have(installed, "node")
    (tmp_path / "session.mjs").write_text(blocks("spa", "js")[0])
    (tmp_path / "test.mjs").write_text(SCRIPT)
    done = subprocess.run([command, "test.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "good", done.stderr
