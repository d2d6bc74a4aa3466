# SPDX-License-Identifier: Apache-2.0
"""Configurations of documents: with the paths and addresses of this machine, at the place in nginx.conf where
they fit, and as sites that people sign in to."""

import re
import shutil

import pytest

from .nginx import ROOT, Nginx
from .site import Site

# What stands in http wherever it is pasted; the rest of a block may belong into a server or a location.
IN_HTTP = {"server", "oidc_provider", "oidc_session_store", "map", "geo", "upstream", "log_format", "split_clients"}
IN_MAIN = {"worker_rlimit_core", "working_directory", "worker_processes", "user", "pid", "env"}


@pytest.fixture(scope="session", name="files")
def files_of_the_guides(lab):
    folder = lab.folder / "guides"
    (folder / "sessions").mkdir(parents=True, exist_ok=True)
    for name, text in (("secret", "s" * 40), ("key", "0123456789abcdef" * 4), ("assertion", "a" * 40)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def here(code, lab, files):
    """A block with paths and addresses of this machine."""
    def path(match):
        name = match[0]
        if "state" in name or "/var/lib/" in name:
            return str(files / "sessions" / "state")
        if name.endswith((".crt", ".pem")):
            return str(lab.pki.ca.file)
        return str(files / ("key" if "sessions" in name else "assertion" if "assertion" in name else "secret"))
    tls = f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key {lab.pki.site.key_file};"
    code = re.sub(r"^ *ssl_certificate(?:_key)? .*\n", "", code, flags=re.M)
    code = re.sub(r"(?:/etc/nginx|/var/lib/nginx)/[\w./-]+", path, code)
    code = re.sub(r"/var/log/nginx/(?=[\w.-]+)", "logs/", code)
    code = re.sub(r"listen +(?:\[::\]:)?443 ssl;", f"listen 127.0.0.1:1 ssl; {tls}", code, count=1)
    # A name without a dot, as containers have, and names of a house of one's own.
    code = re.sub(r"(?<=://)(?!localhost)[a-z][\w-]*(?=:\d)", "127.0.0.1", code)
    return re.sub(r"\w+\.internal\b", "127.0.0.1", code)


# ---- where a block fits

def statements(code):
    """[(first word, text)] of what stands side by side at the top of a configuration."""
    out, begin, depth, at = [], 0, 0, 0
    while at < len(code):
        char = code[at]
        if char in "\"'":
            at = re.compile(rf"(?:\\.|[^\\{char}])*{char}", re.S).match(code, at + 1).end()
            continue
        if char == "#" and (at == 0 or code[at - 1] in " \n;{}"):
            at = (code + "\n").index("\n", at)
            continue
        if code.startswith("${", at):
            at = code.index("}", at)
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        if char == "}" and depth == 0 or char == ";" and depth == 0:
            text = code[begin:at + 1].strip()
            word = re.match(r"(?:\s*#[^\n]*\n)*\s*(\S+?)[\s;{]", text + " ")
            out.append((word[1], text))
            begin = at + 1
        at += 1
    rest = re.sub(r"#.*", "", code[begin:]).strip()
    if rest:
        raise ValueError(f"not a whole configuration: it ends in {rest!r}")
    return out


def inner(text):
    return text.partition("{")[2].rpartition("}")[0]


class Places:
    """The parts of a block, by where they stand in nginx.conf."""

    def __init__(self, code):
        self.main, self.events, self.http, self.rest = "", "", "", ""
        self._sort(statements(code))

    def _sort(self, found):
        for word, text in found:
            if word == "load_module":
                continue    # the tests load another file
            if word == "http":
                self._sort(statements(inner(text)))
            elif word == "events":
                self.events += inner(text) + "\n"
            elif word in IN_MAIN:
                self.main += text + "\n"
            elif word in IN_HTTP:
                self.http += text + "\n"
            else:
                self.rest += text + "\n"
        if re.search(r"^ *server \{", self.http, re.M):
            self.http, self.rest = self.rest + self.http, ""

    def tries(self, lab):
        """Whole contents of http, one for each place where the rest may stand: the first that loads is it."""
        if not self.rest:
            return [complete(self.http)]
        wanted = "" if re.search(r"^auth_oidc ", self.rest, re.M) else "auth_oidc company;"
        server = "server { listen 127.0.0.1:1 ssl; server_name www.example.com; " \
                 f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key {lab.pki.site.key_file};\n{wanted}\n"
        provider = COMPANY.rpartition("}")[0] + self.rest + "}\n"
        return [complete(text) for text in (
            self.http + server + self.rest + "}\n",
            self.rest + self.http + server + "}\n",
            self.http + server + "location /pasted {\n" + self.rest + "}\n}\n",
            self.http + provider + server + "}\n")]


COMPANY = "oidc_provider company { issuer https://auth.example.com; client_id www; client_secret s; }\n"


def complete(http):
    """With the providers and stores that it names and that another block of the page has."""
    for name in sorted(set(re.findall(r"^\s*auth_oidc +([a-z]\w*);", http, re.M)) - {"off"}):
        if not re.search(rf"oidc_provider(?:_group)? +{name}\b", http):
            # The second one of a server has its own callback and cookie.
            own = f"redirect_uri /callback/{name}; cookie_name {name.upper()}; }}" if "oidc_provider " in http else "}"
            http = COMPANY.replace("company", name).replace("}", own) + http
    return http


def loads(code, lab, files, folder):
    """(whether nginx loads a block wherever it fits, what it said last). Warnings count as errors."""
    said = ""
    shutil.copytree(ROOT / "ops/nginx/espocrm", folder / "espocrm", dirs_exist_ok=True)
    shutil.copyfile("/etc/nginx/fastcgi_params", folder / "fastcgi_params")
    places = Places(here(code, lab, files))
    for http in places.tries(lab):
        nginx = Nginx(folder, http, status_port=2, main=places.main)
        if places.events:
            text = nginx.conf.read_text()
            nginx.conf.write_text(text.replace("events { ", f"events {{ {places.events}", 1))
        status, out = nginx.test()
        warned = [line for line in out.splitlines() if "[warn]" in line and "is not used by any" not in line]
        if status == 0 and not warned:
            return True, out
        if not re.search(r"directive is not allowed here|unknown directive", out):
            return False, f"{http}\n{out}"
        said += f"{http}\n{out}\n"
    return False, said


# ---- a block that is a whole site

def is_site(code):
    """Whether people can sign in to it: a server that is reached, asks for a sign-in and has an application."""
    return bool(re.search(r"^ *listen +443 ssl", code, re.M) and re.search(r"^ *auth_oidc +(?!off)\w+;", code, re.M)
                and re.search(r"(?:proxy|fastcgi)_pass|include +\S*php", code))


class Pasted(Site):
    """A site whose whole configuration is a block of a document; `beside`: the files that it includes.
    `redis`: the port of the one that it keeps its sessions in."""

    def __init__(self, lab, code, beside=None, redis=None, **arguments):
        self.code, self.beside, self.redis = complete(code), beside or {}, redis
        own = re.findall(r"^ *redirect_uri +(?:https://[^/;]+)?(/[^;]*);", code, re.M)
        super().__init__(lab, own_paths=("/oidc_callback", "/oidc_choice", *own), **arguments)

    def render(self, **_):
        for name, text in (("secret", self.idp.client_secret), ("key", "0123456789abcdef" * 4),
                           ("assertion", "a" * 40)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        for name in ("crm/public/index.php", "crm/public/oauth-callback.php", "state/sessions"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "crm/public/index.php").touch()
        shutil.copyfile("/etc/nginx/fastcgi_params", self.folder / "fastcgi_params")
        for name, text in self.beside.items():
            text = re.sub(r"fastcgi_pass +unix:\S+;", "fastcgi_pass @FCGI@;", text)
            (self.folder / name).write_text(self.fill(text))
        code = self.code
        origin = "" if re.search(r"^ *oidc_base_url ", code, re.M) else "oidc_base_url @ORIGIN@;"
        for old, new in (
                (r"^ *ssl_certificate(?:_key)? .*\n", ""),
                (r"listen +443 ssl;", f"listen 127.0.0.1:@PORT@ ssl; @CERT@ {origin}"),
                (r"issuer_template\b[^;]+;\s+config_url +\S+;", "issuer x;"),
                (r"issuer +\S+;", f"issuer {self.idp.issuer}; insecure_http on;"),
                (r"client_id +\S+;", f"client_id {self.idp.client_id};"),
                (r"client_secret +\S+;", f'client_secret "{self.idp.client_secret}";'),
                (r"preserve_fragment +on;", ""),    # needs a browser with scripts
                (r"(?<!\w)audience +\S+;", "audience @ORIGIN@;"),
                (r"/etc/nginx/secrets/sessions", str(self.folder / "key")),
                (r"/etc/nginx/secrets/[\w-]*assertion", str(self.folder / "assertion")),
                (r"/etc/nginx/secrets/[\w-]+", str(self.folder / "secret")),
                (r"/var/lib/nginx/[\w/-]+", str(self.folder / "state/sessions")),
                (r"/srv/espocrm", str(self.folder / "crm")),
                (r"127\.0\.0\.1:8080", "@BACKEND@"), (r"127\.0\.0\.1:6379", f"127.0.0.1:{self.redis}"),
                (r"https://(?:www|crm)\.example\.com", "@ORIGIN@"), (r"(?:www|crm)\.example\.com", "app.test")):
            code = re.sub(old, lambda _, new=new: new, code, flags=re.M)
        for name, (idp, _) in self.providers.items():   # where they are several, each by its name
            code = re.sub(rf"(oidc_provider +{name} +{{[^}}]*?issuer +)[^;]+;([^}}]*?client_id +)[^;]+;",
                          rf"\1{idp.issuer};\2{idp.client_id};", code)
        return self.fill(inner(next((text for word, text in statements(code) if word == "http"), f"{{{code}}}")))
