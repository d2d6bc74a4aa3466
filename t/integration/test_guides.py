# SPDX-License-Identifier: Apache-2.0
"""What can be pasted from the README, the ladder and the pages for those who move in: every nginx block loads,
the sites that are whole sign people in, and the tables have every option of the programs that are left."""

import pathlib
import re
import subprocess
import sys

import pytest

from harness.nginx import ROOT, Nginx
from harness.pasted import files_of_the_guides, here  # noqa: F401
from harness.outcome import challenge, passes
from harness.site import Site

import peers

PAGES = ["README.md", "docs/guides/espocrm.md", "docs/guides/entra.md"] + sorted(
    str(path.relative_to(ROOT)) for folder in ("start", "migration") for path in (ROOT / "docs" / folder).glob("*.md"))
# (<!-- not run: reason -->) before a block that is not.
BLOCK = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n+)?^```nginx\n(?P<code>.*?)^```", re.M | re.S)


def blocks():
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer((ROOT / page).read_text(encoding="utf-8"))):
            if not match["reason"]:
                yield pytest.param(page, match["code"], id=f"{pathlib.Path(page).stem}-{number}")


def block(page, number):
    return list(BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")))[number]["code"]


COMPANY = "oidc_provider company { issuer https://auth.example.com; client_id www; client_secret s; }\n"


@pytest.mark.parametrize("page, code", blocks())
def test_block_loads(lab, files, tmp_path, page, code):
    code = here(code, lab, files)
    if "http {" in code:
        code = code.partition("http {")[2].rpartition("}")[0]
    if not re.search(r"^(?:server|oidc_provider|oidc_session_store|map) ", code, re.M) and "oidc_provider" not in code:
        tls = f"listen 127.0.0.1:1 ssl; ssl_certificate {lab.pki.site.cert_file}; " \
              f"ssl_certificate_key {lab.pki.site.key_file}; server_name www.example.com;"
        code = f"server {{ {tls} auth_oidc company; {code} }}\n"
    if re.search(r"auth_oidc +company;", code) and "oidc_provider company" not in code:
        code = COMPANY + code
    elif "auth_oidc " not in code:
        code += "oidc_session_store unused { type memory; }\n"
    nginx = Nginx(tmp_path, code, status_port=2)
    status, out = nginx.test()
    assert status == 0, f"{page}\n{code}\n{out}"
    said = [line for line in out.splitlines() if "[warn]" in line and "is not used by any" not in line]
    assert not said, f"{page}\n{code}\n{out}"


class Pasted(Site):
    """A site whose whole configuration is a block of a document."""

    def __init__(self, lab, code, **arguments):
        self.code = code
        super().__init__(lab, own_paths=("/oidc_callback", "/oauth2/callback", "/redirect_uri", "/secure/redirect_uri"), **arguments)

    def render(self, **_):
        secret = self.folder / "secret"
        secret.write_text(self.idp.client_secret)
        key = self.folder / "key"
        key.write_text("0123456789abcdef" * 4)
        for path in (secret, key):
            path.chmod(0o600)
        code = re.sub(r"^ *ssl_certificate(?:_key)? .*\n", "", self.code, flags=re.M)
        code = re.sub(r"listen +443 ssl;", "listen 127.0.0.1:@PORT@ ssl; @CERT@ oidc_base_url @ORIGIN@;", code)
        code = re.sub(r"issuer +\S+;", f"issuer {self.idp.issuer}; insecure_http on;", code)
        code = re.sub(r"client_id +\S+;", f"client_id {self.idp.client_id};", code)
        code = re.sub(r"client_secret +\S+;", f'client_secret "{self.idp.client_secret}";', code)
        code = re.sub(r"/etc/nginx/secrets/sessions", str(key), code)
        code = re.sub(r"/etc/nginx/secrets/\w+", str(secret), code)
        code = re.sub(r"127\.0\.0\.1:8080", "@BACKEND@", code)
        return self.fill(code.replace("www.example.com", "app.test"))


# A site of a document, and what its application is told of the user.
SITES = {
    ("README.md", 0): {"Remote-User": "preferred_username", "Remote-Email": "email"},
    ("docs/start/any-site.md", 0): {"Remote-User": "preferred_username", "Remote-Name": "name"},
    ("docs/migration/oauth2-proxy.md", 1): {"X-User": "preferred_username", "X-Email": "email"},
    ("docs/migration/forward-auth.md", 1): {"Remote-User": "preferred_username", "Remote-Email": "email"},
    ("docs/migration/lua-resty-openidc.md", 0): {"X-User": "sub"},
    ("docs/migration/mod-auth-openidc.md", 0): {"X-Remote-User": "preferred_username", "X-Claim-Email": "email"},
    ("docs/migration/nginx-plus.md", 0): {"sub": "sub", "email": "email"},
}


@pytest.mark.parametrize("page, number", SITES)
def test_a_site_that_was_pasted_signs_people_in(lab, page, number):
    # Where the block names headers, the default ones are not set.
    identity = None if "Remote-User" in SITES[page, number] or "sub" in SITES[page, number] else lambda path, claims: {}
    with Pasted(lab, block(page, number), control=False, identity=identity) as site:
        site.idp.user = {**site.idp.user, "email": "jdoe@example.com", "groups": ["staff"]}
        challenge(site, site.browser().get("/x"))
        with site.signed_in("/x") as browser:
            passes(site, browser.get("/x"), **{
                header: site.idp.user[claim] for header, claim in SITES[page, number].items()})


@pytest.mark.parametrize("page", ["espocrm", "espocrm-extension"])
def test_a_vhost_by_hand_has_what_the_extension_needs(page):
    """Without the first of these it refuses everybody, without the others people land elsewhere."""
    code = re.sub(r" +", " ", block(f"docs/guides/{page}.md", 0))
    for directive in ("auth_oidc_header X-Oidc-Session $oidc_session_id;", "redirect_uri /oauth-callback.php;",
                      "callback forward;", "auth_oidc_assertion on;", "preserve_fragment on;",
                      "logout_uri /oidc/logout;"):
        assert directive in code, f"{page}.md lacks {directive}"


# ---- those who move in

def named(page):
    """What stands in backticks in the first column of the tables."""
    text = (ROOT / "docs" / "migration" / f"{page}.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\)\|", line.strip()[1:-1]) for line in text.splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}, \
        [(row[0], re.findall(r"`([^`]+)`", row[1]), row[1].strip()) for row in rows]


@pytest.mark.parametrize("page, options", [
    pytest.param(name, options, id=name) for name, options in peers.RECORDED.items()])
def test_every_option_has_a_row(page, options):
    missing = sorted(set(options) - named(page)[0])
    assert len(options) > 15 and not missing, f"docs/migration/{page}.md lacks {missing}"


@pytest.mark.parametrize("page", peers.READ)
def test_every_option_that_the_peer_itself_has(page, tmp_path):
    try:
        options = peers.READ[page](tmp_path)
    except peers.Unavailable as e:
        pytest.skip(f"{page}: {e}")
    missing = sorted(set(options) - named(page)[0])
    assert len(options) > 100 and not missing, f"docs/migration/{page}.md lacks {missing}"


def test_a_missing_row_is_noticed():
    assert "cookie-secret" in named("oauth2-proxy")[0] and "cookie-secrets" not in named("oauth2-proxy")[0]


def test_what_takes_their_place_exists():
    """The second column of the tables has directives of ours, of nginx, or a dash."""
    ours = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "directives.md").read_text(), re.M))
    stores = set(re.findall(r"`(\w+) [^`]*;`", (ROOT / "docs" / "directives.md").read_text()))
    nginx = {"proxy_pass", "proxy_set_header", "satisfy", "listen", "error_page", "error_log", "limit_except", "nginx"}
    for path in (ROOT / "docs" / "migration").glob("*-*.md"):
        for first, names, cell in named(path.stem)[1]:
            if cell in ("here", "the same", "---"):
                continue
            unknown = [name for name in names if name.split(" ")[0] not in ours | stores | nginx]
            assert not unknown, f"{path.name}: {first}: {unknown}"
            assert names or cell == "—", f"{path.name}: {first} has nothing beside it"


# ---- shell

def shell_blocks():
    for path in sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")) + [ROOT / "ops" / "README.md"]:
        for number, code in enumerate(re.findall(r"^ *```sh\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.M | re.S)):
            yield pytest.param(code, id=f"{path.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize("code", shell_blocks())
def test_shell_block_is_shell(code):
    """Nothing of it is run here; but quotes are closed, and names for others to fill in are no redirections."""
    done = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert not re.search(r"(?<!<)<[a-z][\w -]*>", code), "a name in angle brackets is a redirection"


def test_guides_ask_for_root_in_one_way():
    """They are for root, on machines that may have neither sudo nor systemd."""
    for page in (ROOT / "docs" / "guides").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"\bsudo\b|\bsystemctl\b", text), page.name


def test_the_vhost_is_complete_before_it_is_tried():
    """Literally from top to bottom, `nginx -t` must find the module loaded and the former vhost gone."""
    text = (ROOT / "docs" / "guides" / "vhost.md").read_text(encoding="utf-8")
    code = text.partition("```sh\n")[2].partition("```")[0]
    steps = ["site-fpm.conf.example", "espocrm-assertion", "espocrm-client", "load_module", "former vhost",
             "nginx -t", "check-vhost"]
    places = [code.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), dict(zip(steps, places))


def test_options_of_our_programs_exist():
    told = "\n".join(block.values[0] for block in shell_blocks())
    for program in ("ops/auth-oidc-check", "ops/check-vhost"):
        known = subprocess.run([sys.executable, ROOT / program, "--help"], capture_output=True, text=True, timeout=60,
                               check=True).stdout
        name = program.partition("/")[2]
        for line in re.findall(rf"(?<![\w.-])(?:ops/)?{name} (.*)", told):
            for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", line.partition(" #")[0].partition("|")[0]):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), f"{name} knows no {option}"
