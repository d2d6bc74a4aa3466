# SPDX-License-Identifier: Apache-2.0
"""What can be pasted from the documents: every nginx block loads, those that are whole sites sign people in, files in
other languages can be read, shell blocks are run by tools/run-blocks, or a comment in the source says why not."""

import configparser
import json
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from harness import blocks, newcomer
from harness.idp import Idp
from harness.nginx import ROOT
from harness.outcome import challenge, passes
from harness.pasted import Pasted, files_of_the_guides, is_site, loads, statements  # noqa: F401
from harness.redis_server import RedisServer

from test_bearer import ask, token
from test_provider_groups import choice, login
from vendors import ALL

EVERYTHING = blocks.everything()
REFERENCE = "docs/directives.md"    # test_docs.py loads its examples, each where its entry says


def chosen(language, but=()):
    return [pytest.param(block, id=block.name) for block in EVERYTHING
            if block.language == language and not block.marked and block.page not in but]


# ---- each block is run by somebody, or says why not

def nobody_runs(block):
    """What is wrong, in words for whoever has written the block; "" when nothing is."""
    if block.marked or block.language in (blocks.OUTPUT, "nginx", *READERS):
        return ""
    how = "or put a comment directly before it that says why not: <!-- not run: why -->, or which test takes it: " \
          "<!-- run by test_x.py -->"
    if block.language == "sh":
        if block.page in newcomer.PAGES:
            return ""
        return f"{block.name}: no program runs this shell block. Name the page in PAGES of " \
               f"t/integration/harness/newcomer.py, with what it needs, {how}"
    return f"{block.name}: nothing runs blocks of the language {block.language!r}. Add it to READERS of " \
           f"t/integration/test_pasted.py, {how}"


def test_every_block_is_run_or_says_why_not():
    wrong = [said for block in EVERYTHING if (said := nobody_runs(block))]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("text, wrong", [
    ("```sh\nls\n```\n", "no program runs this shell block"),
    ("<!-- not run: it is an example -->\n\n```sh\nls\n```\n", ""), ("<!-- not run: x\ny -->\n```lua\nx\n```\n", ""),
    ("<!-- run by test_x.py -->\n```lua\nx\n```\n", ""), ("<!-- run by test_x.py: a b -->\n```lua\nx\n```\n", ""),
    ("<!-- run by x.py -->\n```lua\nx\n```\n", "language 'lua'"),
    ("<!-- not run: it is an example -->\n\nText.\n\n```sh\nls\n```\n", "no program runs"),
    ("```lua\nx\n```\n", "language 'lua'"), ("~~~~caddy\n```\n~~~~\n", "language 'caddy'"),
    ("1. x\n\n   ```sh\n   ls\n   ```\n", "no program runs"), ("```nginx\nx;\n```\n", ""), ("```\nsaid\n```\n", "")])
def test_a_block_that_nobody_runs_is_noticed(text, wrong):
    (block,) = blocks.parse("docs/x.md", text)
    said = nobody_runs(block)
    assert wrong in said and bool(wrong) == bool(said), said


def test_a_block_is_read_as_it_is_written():
    text = "In `/etc/x.conf`:\n\n<!-- not run: why -->\n\n  ```ini\n  a\n    b\n\n  c\n  ```\n" \
           "````sh\n```\n````\n```ini\n```\n"
    assert [(b.number, b.line, b.language, b.code, b.file, b.reason) for b in blocks.parse("x", text)] == [
        (0, 5, "ini", "a\n  b\n\nc\n", "/etc/x.conf", "why"), (0, 11, "sh", "```\n", "", ""),
        (1, 14, "ini", "", "", "")]
    with pytest.raises(AssertionError, match="x:1: the block does not end"):
        blocks.parse("x", "```sh\nls\n")


def test_comments_are_marks_of_blocks():
    """A mark that is spelled otherwise, or has lost its block, would say nothing to anybody."""
    for page in blocks.pages():
        text = (ROOT / page).read_text(encoding="utf-8")
        for block in blocks.of(page):
            text = text.replace(block.code, "", 1) if block.code else text
        # Between two of these a table is written by a program.
        comments = [c for c in re.findall(r"(?<!`)<!--.*?-->", text, re.S)
                    if not re.fullmatch(r"<!-- (results: written by \S+ --write|end of results) -->", c)]
        marks = [block for block in blocks.of(page) if block.marked]
        assert len(comments) == len(marks), f"{page}: {comments}"
        assert all(" " in block.reason for block in marks if block.reason), f"{page}: a reason is a sentence"


def test_a_test_takes_what_is_marked_so():
    """The test names the page, or the folder of its pages, and the part."""
    for block in EVERYTHING:
        if block.test:
            text = (ROOT / "t" / "integration" / block.test).read_text(encoding="utf-8")
            assert any(name in text for name in (block.page.rpartition("/")[2], block.page.rpartition("/")[0])), block.name
            assert not block.part or f'"{block.part}"' in text, f"{block.name}: {block.test} has no {block.part!r}"
    # Nobody says of a block that is run that it is not.
    wrong = [block.name for block in EVERYTHING if block.language == "nginx" and re.search(r"test_\w+\.py", block.reason)]
    assert not wrong, wrong


# ---- nginx

def beside(block):
    """{name: text} of the files that the page has beside a block, and the block includes."""
    return {other.file.rpartition("/")[2]: other.code for other in EVERYTHING
            if other.page == block.page and other.language == "nginx" and other.file
            and re.search(rf"\binclude +{re.escape(other.file.rpartition('/')[2])};", block.code)}


def included(block):
    return any(block.file.rpartition("/")[2] in beside(other) for other in EVERYTHING
               if block.file and other.page == block.page and other.language == "nginx")


NGINX = [param for param in chosen("nginx", but=(REFERENCE,)) if not included(param.values[0])]


@pytest.mark.parametrize("block", NGINX)
def test_nginx_block_loads(lab, files, tmp_path, block):
    for name, text in beside(block).items():
        (tmp_path / name).write_text(text)
    good, said = loads(block.code, lab, files, tmp_path)
    assert good, f"{block.name}\n{said}"


@pytest.mark.parametrize("code", ["auth_oidc_mod verify;", "server { auth_oidc company;", "issuer x y;",
                                  "location / { auth_oidc_header X $none; }", "server { listen 443 ssl http9; }",
                                  "oidc_session_store s { type cookie; }"])
def test_a_block_that_does_not_load_is_noticed(lab, files, tmp_path, code):
    try:
        assert not loads(code, lab, files, tmp_path)[0]
    except ValueError as e:
        assert "not a whole configuration" in str(e)


def test_a_configuration_is_taken_apart():
    assert statements('# a;\nx "}" ${y}z; # b {\ny { z \'{\'; }') == [
        ("x", '# a;\nx "}" ${y}z;'), ("y", "# b {\ny { z '{'; }")]


# ---- whole sites

def told(code):
    """{header: claim} of what the application gets of the user."""
    found = re.findall(r"(?:auth_oidc_header|proxy_set_header) +(\S+) +\$oidc_(\w+);", code)
    out = {header: "preferred_username" if name == "user" else name.removeprefix("claim_") for header, name in found
           if name == "user" or name.startswith("claim_")}
    if "auth_oidc_header" not in code:
        out |= {"Remote-User": "preferred_username", "Remote-Email": "email", "Remote-Name": "name"}
    return out


# A provider's guide is tried at what that provider answers, by test_provider_guides.py.
GUIDES = {f"docs/guides/{vendor.page}.md" for vendor in ALL}
SITES = [param for param in chosen("nginx", but=GUIDES) if is_site(param.values[0].code)]


def test_the_whole_sites_are_found():
    pages = [param.values[0].page for param in SITES]
    assert {"README.md", "docs/start/any-site.md", "docs/guides/espocrm.md", "docs/guides/api.md"} <= set(pages) \
        and len(pages) >= 13, pages


@pytest.mark.parametrize("block", SITES)
def test_a_site_asks_for_what_its_application_is_told(block):
    """The provider of these tests tells everything; others tell nothing but `sub` to who asks for openid alone."""
    if "oidc_provider" in block.code:
        assert re.search(r"^ *scopes? +openid profile email\b", block.code, re.M), f"{block.name} asks for no scope"


@pytest.mark.parametrize("block", SITES)
def test_a_site_that_was_pasted_signs_people_in(lab, tmp_path, block):
    redis = RedisServer(tmp_path) if "127.0.0.1:6379" in block.code else None
    # Where the block names headers, the default ones are not set; X-Oidc-Session is one that the harness guards.
    identity = None if "auth_oidc_header" not in block.code else \
        lambda *_: None if "X-Oidc-Session" in block.code else {}
    try:
        with Pasted(lab, block.code, beside(block), redis and redis.port, control=False, identity=identity) as site:
            site.idp.user = {**site.idp.user, "email": "jdoe@example.com", "groups": ["staff"],
                             "realm_access": {"roles": ["admin"]}}
            path = "/" if "fastcgi" in "".join(beside(block).values()) else "/x"
            challenge(site, site.browser().get(path))
            with site.signed_in(path) as browser:
                hit = passes(site, browser.get(path))
                for header, claim in told(block.code).items():
                    value = site.idp.user[claim]
                    wanted = ",".join(value) if isinstance(value, list) else value
                    assert hit.headers.all(header) == [wanted], (header, hit.headers)
    finally:
        if redis:
            redis.stop()


def guide(page):
    return [block.code for block in blocks.of(f"docs/guides/{page}.md") if block.language == "nginx"]


def test_programs_use_the_site_that_was_pasted(lab):
    """docs/guides/api.md: people and programs at one site, and what a client finds out by itself."""
    with Pasted(lab, guide("api")[0], control=False, public=("/.well-known/",)) as site:
        site.state.check_hits = False
        audience = {"aud": site.origin_text + "/api"}
        hit = passes(site, ask(site, token(site, **audience), "/api/x"), Remote_User="robot")
        assert hit.headers.all("Authorization") == []
        for bad, status, reason in ((token(site, aud="https://other.example"), 401, "access_token_aud"),
                                    (token(site, scope="write", **audience), 403, "insufficient_scope")):
            answer = ask(site, bad, "/api/x")
            assert answer.status == status and answer.json()["error"] == reason, answer
        told = ask(site, path="/api/x").headers.get("www-authenticate")
        about = site.path_of(re.search(r'resource_metadata="([^"]+)"', told)[1])
        assert ask(site, path=about).json()["authorization_servers"] == [site.idp.issuer]
        with site.signed_in("/x") as browser:
            passes(site, browser.get("/api/x"), Remote_User="jdoe")


def test_the_site_of_several_providers_signs_people_in(lab, tmp_path):
    """docs/guides/several-providers.md: its blocks as one site; the third stands there for who writes headers."""
    http, server, _, programs = guide("several-providers")
    (tmp_path / "logos").mkdir()
    (tmp_path / "logos" / "company.svg").write_text("<svg/>")
    idps = {name: Idp(lab.keys, client_id=f"client-{name}", client_secret="s" * 40) for name in ("staff", "partners")}
    code = f"{http}server {{\n    listen 443 ssl;\n    server_name crm.example.com;\n{server}{programs}}}\n"
    try:
        with Pasted(lab, code.replace("/srv/www", str(tmp_path)), control=False,
                    providers={name: (idp, {}) for name, idp in idps.items()}) as site:
            site.state.check_hits, site.idps = False, idps
            browser = site.browser()
            first = browser.get("/x")
            assert first.status == 302 and site.path_of(first.location).startswith("/oidc_choice?"), first
            assert choice(browser.get(site.path_of(first.location))) == {
                "staff": "Company account", "partners": "Partners"}
            assert site.browser().get("/logos/company.svg").text == "<svg/>"
            for name in idps:
                browser = login(site, name)
                passes(site, browser.get("/x"), Remote_User="jdoe", Remote_Provider=name)
                assert browser.get("/logout", fetch_site="same-origin").status in (200, 302)
                # The next time it goes there without the page.
                assert browser.get("/x").location.startswith(idps[name].base + "/")
            good = token(site, aud=site.origin_text + "/api")
            passes(site, ask(site, good, "/api/x"), Remote_User="robot", Remote_Provider="staff")
    finally:
        for idp in idps.values():
            idp.stop()


# ---- files in other languages

def by(command, suffix):
    def read(code, folder):
        file = folder / f"pasted.{suffix}"
        file.write_text(code)
        done = subprocess.run([*command, file], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise ValueError(done.stdout + done.stderr)
    return read


def read_php(code, folder):
    if shutil.which("php") is None:
        pytest.skip("there is no php on this system")
    by(["php", "-l"], "php")(code if code.startswith("<?php") else f"<?php\n{code}", folder)


def read_ini(code, _):
    """Of a program that wants TOML, or of systemd and the like, where names may be there twice."""
    try:
        tomllib.loads(code)
    except tomllib.TOMLDecodeError:
        configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True).read_string(code)


def read_redis(code, folder):
    """Lines of redis.conf: Redis starts with them."""
    try:
        RedisServer(folder, options=code.splitlines()).stop()
    except (RuntimeError, AssertionError, OSError) as e:
        raise ValueError(e) from e


READERS = {
    "json": lambda code, _: json.loads(code), "yaml": lambda code, _: list(yaml.safe_load_all(code)),
    "toml": lambda code, _: tomllib.loads(code), "ini": read_ini, "php": read_php,
    "js": by(["node", "--check"], "mjs"), "python": lambda code, _: compile(code, "pasted", "exec"),
    "redis": read_redis,
}
WRONG = {"json": '{"a": 1,}', "yaml": "a: [", "toml": "a = ", "ini": "no section", "php": "echo 'a", "js": "let = {",
         "python": "print(", "redis": "maxmemory-policy never"}


@pytest.mark.parametrize("block", [param for language in READERS for param in chosen(language)])
def test_file_can_be_read(tmp_path, block):
    READERS[block.language](block.code, tmp_path)


@pytest.mark.parametrize("language", READERS)
def test_what_cannot_be_read_is_noticed(tmp_path, language):
    with pytest.raises((ValueError, SyntaxError, yaml.YAMLError, configparser.Error)):
        READERS[language](WRONG[language], tmp_path)


# ---- shell

SHELL = [pytest.param(block, id=block.name) for block in EVERYTHING if block.language == "sh"]


@pytest.mark.parametrize("block", SHELL)
def test_shell_block_is_shell(block):
    """Of those that are not run as well: quotes are closed, and names for others to fill in are no redirections."""
    done = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert not re.search(r"(?<!<)<[a-z][\w -]*>", block.code), "a name in angle brackets is a redirection"


def commands_of(program):
    """What the blocks give a program, without comments and pipes."""
    for param in SHELL:
        for line in re.findall(rf"(?<![\w./-]){program}(?![\w-])(.*)", param.values[0].code):
            yield param.values[0].name, re.split(r" #|\||&&|;", line)[0].split()


@pytest.mark.parametrize("program, names", [
    ("ops/auth-oidc-check", r"(?:ops/)?auth-oidc-check"),
    ("ops/auth-oidc-signals", r"auth-oidc-signals"),
    ("ops/check-vhost", r"(?:ops/check-vhost|auth-oidc-check-vhost)")])
def test_options_of_our_programs_exist(program, names):
    known = subprocess.run([sys.executable, ROOT / program, "--help"], capture_output=True, text=True, timeout=60,
                           check=True).stdout
    given = list(commands_of(names))
    assert given
    for name, words in given:
        for option in words:
            if re.fullmatch(r"--?[a-z][\w-]*", option):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), f"{name}: {program} knows no {option}"


def test_commands_of_build_sh_exist():
    """Many take hours, so they are not run; but nobody is told one that is not there, nor a file that is not."""
    text = (ROOT / "build.sh").read_text()
    known = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^    ([\w| -]+)\)", text.partition("in\n    build)")[2]
                                                            or text[text.index('case ${command:-build} in'):], re.M))))
    assert {"test", "demo", "package", "units"} <= known
    given = list(commands_of(r"\./build\.sh"))
    assert len(given) > 20
    for name, words in given:
        words = [word for word in words if "=" not in word and not word.startswith("-")]
        assert not words or words[0] in known, f"{name}: build.sh has no command {words[0]}"
        for word in words:
            assert "/" not in word or word.startswith("/") or (ROOT / word).exists(), f"{name}: there is no {word}"


# ---- what tools/run-blocks makes of a page

@pytest.mark.parametrize("name", newcomer.PAGES)
def test_the_table_of_pages_fits_them(name):
    page = newcomer.PAGES[name]
    numbers = {param.values[0].number for param in chosen("sh") if param.values[0].page == name}
    assert numbers, f"{name}: no shell block of it is run"
    wanted = {*page.between, *page.sees, *page.personas}
    assert wanted <= numbers, f"{name}: of the shell blocks that are run none has the number {sorted(wanted - numbers)}"


def test_a_page_goes_on_from_another():
    pages = list(newcomer.PAGES.values())
    assert not pages[0].goes_on and pages[0].site, "the first page installs the module for all others"


PAGE = """# x

```sh
curl x   # 405: because
```

**You see:** `a.b` and `c d`, then `e`: not `f`. And not `g`. But `wc -c < /x/y` prints 64: `h`.

```sh
ls
```

```
kind
  ok    x  (1)
```

<!-- not run: it is not -->

```sh
ls
```

## y

**You see:** `ls /x/z` prints the name,
and `k` prints `l`.
"""


def test_what_a_page_promises_is_read():
    assert [newcomer.promised("x", PAGE, number) for number in range(3)] == [
        ["405", "a.b", "c d", "e"], ["ok x (1)"], []]
    assert newcomer.tries(PAGE) == [("wc -c < /x/y", "64"), ("ls /x/z", "/x/z")]


@pytest.mark.parametrize("arguments, said", [
    ([], "Usage:"), (["/x", "/y", "docs/none.md"], "docs/none.md is none of the pages")])
def test_run_blocks_is_told_what_to_run(arguments, said):
    done = subprocess.run([sys.executable, ROOT / "tools/run-blocks", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and said in done.stderr
