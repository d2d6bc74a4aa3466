# SPDX-License-Identifier: Apache-2.0
"""The EspoCRM vhost of ops/nginx: its own example site file, on a stub of EspoCRM and of its
provider. Everything else of the templates is used as an operator installs it."""

import html
import re
import shutil

from .nginx import ROOT, has_http2_directive
from .ports import has_ipv6
from .site import Site

OPS = ROOT / "ops"
SWITCHES = tuple(sorted(p.stem for p in (OPS / "nginx" / "espocrm" / "public").glob("*.conf")))
# It excludes two of those, and has a file for each variant.
BEARER_SWITCH = "bearer"
WEB_SOCKET = "/wss?authToken=abc&userId=1"
HAS_IPV6 = has_ipv6()


def substitute(text, pairs):
    """Replaces whole directives; each must be there."""
    for pattern, value in pairs:
        text, count = re.subn(pattern, lambda _, v=value: v, text, flags=re.M)
        assert count, f"{pattern} is not in the site file"
    return text


def for_this_nginx(text):
    """A site file of ops/ as it is for this nginx and this machine: with the lines for HTTP/2 that
    its comment names for this version, and without [::] where there is no IPv6."""
    if has_http2_directive():
        text = substitute(text, [(r"^ *listen +\S+ ssl http2;\n", ""),
                                 (r"# (?=listen +\S+ ssl;$)", ""), (r"# (?=http2 +on;$)", "")])
    return text if HAS_IPV6 else substitute(text, [(r"^ *listen +\[::\].*\n", "")])


class VhostSite(Site):
    """`variant`: fpm or proxy. `switches`: names of public/*.conf, and BEARER_SWITCH. `edit`: a
    function over the text of the site file; `templates`: one over the folder of templates, before
    the start."""

    def __init__(self, lab, variant="fpm", switches=(), edit=None, templates=None, **arguments):
        self.variant, self.switches, self.edit = variant, switches, edit
        self.change_templates = templates
        super().__init__(lab, control=False, own_paths=("/oidc/logout", "/signed-out"),
                         # Whatever reaches EspoCRM without a session must carry no identity; the
                         # rest is looked at by the tests.
                         public=(), verify=("",), identity=lambda _path, _claims: None,
                         **arguments)

    def install(self):
        target = self.folder / "espocrm"
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(OPS / "nginx" / "espocrm", target)
        if self.change_templates:
            self.change_templates(target)
        root = self.folder / "crm"
        for name, content in (("public/robots.txt", "User-agent: *\n"),
                              ("client/lib/espo.js", "// " + "x" * 4000),
                              ("client/fonts/a.woff2", "font"), ("client/img/favicon.ico", "icon"),
                              ("client/.git/config", "hidden"),
                              ("client/x.php", "<?php"),
                              ("client/res/templates.tpl", "<div></div>" * 400),
                              ("public/oauth/callback/index.php", "<?php"),
                              ("public/install/index.php", "<?php")):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (self.folder / "secret").write_text(self.idp.client_secret)
        (self.folder / "secret").chmod(0o600)
        (self.folder / "assertion").write_text("k" * 40)
        (self.folder / "assertion").chmod(0o600)
        for name, content in (("acme/.well-known/acme-challenge/to_ken-1", "to_ken-1.thumb"),
                              ("acme/.well-known/acme-challenge/.hidden", "hidden"),
                              ("acme/.well-known/acme-challenge/sub/x", "below"),
                              ("acme/.well-known/acme-challenge/x.php", "<?php"),
                              ("acme/.well-known/other", "other"), ("acme/outside", "outside")):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    def render(self, **_changes):
        root = self.install()
        text = for_this_nginx((OPS / "nginx" / f"site-{self.variant}.conf.example").read_text())
        backend = self.backend.fcgi_port if self.variant == "fpm" else self.backend.port
        transport = "insecure_http on;" if self.idp.leaf is None else \
            f"ssl_trusted_certificate {self.lab.pki.ca.file};"
        issuer = f"issuer {self.idp.issuer};\n    {transport}"
        text = substitute(text, [
            (r"issuer .*$", issuer),
            (r"client_id .*$", f"client_id {self.idp.client_id};"),
            (r"/etc/nginx/secrets/espocrm-client", str(self.folder / "secret")),
            (r"/etc/nginx/secrets/espocrm-assertion", str(self.folder / "assertion")),
            (r"listen +80;", f"listen 127.0.0.1:{self.port2};"),
            (r"listen +443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            *([(r"listen +\[::\]:80;", f"listen [::1]:{self.port2};"),
               (r"listen +\[::\]:443 ssl", f"listen [::1]:{self.port} ssl")] if HAS_IPV6 else []),
            (r"crm\.example\.com;", f"{self.host};"),
            (r"ssl_certificate +\S+;", f"ssl_certificate {self.lab.pki.site.cert_file};"),
            (r"ssl_certificate_key +\S+;", f"ssl_certificate_key {self.lab.pki.site.key_file};"),
            (r"# set \$espocrm_acme_root .*$", f"set $espocrm_acme_root {self.folder}/acme;"),
            (r"set \$espocrm_websocket .*$",
             f"set $espocrm_websocket 127.0.0.1:{self.backend.port};"),
        ])
        if self.variant == "fpm":
            text = substitute(text, [
                (r"set \$espocrm_root .*$", f"set $espocrm_root {root};"),
                (r"set \$espocrm_php_root .*$", "set $espocrm_php_root /srv/php;"),
                (r"set \$espocrm_backend .*$", f"set $espocrm_backend 127.0.0.1:{backend};")])
        else:
            text = substitute(text, [(r"server +127\.0\.0\.1:8080;",
                                      f"server 127.0.0.1:{backend};")])
        for switch in self.switches:
            if switch == BEARER_SWITCH:
                text = substitute(text, [
                    (r"# (?=auth_oidc_bearer_audience )", ""),
                    (rf"# (?=include espocrm/{self.variant}/bearer\.conf;)", "")])
                continue
            text = substitute(text, [(rf"# include espocrm/public/{switch}\.conf;",
                                      f"include espocrm/public/{switch}.conf;")])
        return self.edit(text) if self.edit else text

    def sign_in(self, browser, target="/"):
        """Through the page that keeps the fragment, to the answer of the callback."""
        page = browser.get(target)
        url = re.search(r'data-url="([^"]+)"', page.text)
        assert url, page
        answer = self.idp.authorize(html.unescape(url[1]))
        assert answer.startswith(self.origin_text + "/oauth-callback.php?"), answer
        return browser.callback(answer[len(self.origin_text):])
