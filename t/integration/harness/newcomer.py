# SPDX-License-Identifier: Apache-2.0
"""The pages whose shell blocks tools/run-blocks runs in a fresh Debian, and what stands for the reader's part of them:
what a page takes for granted, what its text has people do between two blocks, what they paste and edit.
"""

import dataclasses
import re

from . import blocks

# What is other than on the page: names have ports here, and what takes long is done beforehand.
INSTEAD = (
    ("https://auth.example.com", "https://auth.example.com:@PROVIDER@"),
    ("/realms/master/", "/realms/company/"),
    ("127.0.0.1:8080", "127.0.0.1:@APPLICATION@"),
    ("unix:/run/php/php-fpm.sock", "127.0.0.1:@ESPOCRM@"),
    # `./build.sh package` of tools/systems has made it.
    ("./build.sh package", "test -e build/package/SHA256SUMS"),
)

# A site has a certificate, and what it is put before answers.
TLS = """
install -d /etc/nginx/tls
install -m 644 /srv/machine/site.crt /etc/nginx/tls/www.pem
install -m 600 /srv/machine/site.key /etc/nginx/tls/www.key
"""

# "Put the client's secret into a file of mode 600"
SECRET = """
install -d -m 700 /etc/nginx/secrets
echo 4-Shared-Secret-of-the-client | install -m 600 /dev/stdin /etc/nginx/secrets/www
"""

# An EspoCRM that is there, with a vhost that has no sign-in yet.
CRM = """
install -D -m 644 /srv/machine/site.crt /etc/ssl/certs/crm.example.com.pem
install -D -m 600 /srv/machine/site.key /etc/ssl/private/crm.example.com.key
for file in public/index.php public/robots.txt client/lib/espo.js client/img/favicon.ico; do
    install -D -m 644 /dev/null /var/www/espocrm/$file
done
echo 'server { listen 80; server_name crm.example.com; root /var/www/espocrm/public; }' >/etc/nginx/sites-available/crm
ln -s ../sites-available/crm /etc/nginx/sites-enabled/crm
"""

# "As vhost.md describes": the templates and the site file; the provider's block takes the place of the one in it.
TEMPLATES = CRM + """
cp -r ops/nginx/espocrm /etc/nginx/
cp ops/nginx/site-fpm.conf.example /etc/nginx/conf.d/crm.conf
editor /etc/nginx/conf.d/crm.conf
rm /etc/nginx/sites-enabled/crm
"""

BLOCK = """
python3 - <<'END'
import re
site, block = "/etc/nginx/conf.d/crm.conf", open("ops/{}/nginx-provider.conf").read()
text, count = re.subn(r"^oidc_provider espocrm .*?^}}\\n", lambda _: block, open(site).read(), flags=re.M | re.S)
assert count == 1
open(site, "w").write(text.replace("https://auth.example.com", "https://auth.example.com:@PROVIDER@"))
END
"""

# What an editor does to the site file: the addresses, and from nginx 1.25.1 on the lines for HTTP/2 that its
# comment names.
EDITS = {"/etc/nginx/conf.d/crm.conf": """
s,unix:/run/php/php-fpm.sock,127.0.0.1:@ESPOCRM@,
s,https://auth.example.com,https://auth.example.com:@PROVIDER@,
"""}
HTTP2 = """
/^    listen .* ssl http2;$/d
s,^    # \\(listen *\\(\\[::\\]:\\)\\?443 ssl;\\)$,    \\1,
s,^    # \\(http2 *on;\\)$,    \\1,
"""


@dataclasses.dataclass(frozen=True)
class Page:
    before: str = ""        # shell: what the page takes for granted
    between: dict = dataclasses.field(default_factory=dict)     # {number of a shell block: shell before it}
    sees: dict = dataclasses.field(default_factory=dict)        # {number: what it prints, beside what the page says}
    persona: str = "plain"  # of the provider at auth.example.com
    personas: dict = dataclasses.field(default_factory=dict)    # {number: another one, from that block on}
    pasted: str = "4-Shared-Secret-of-the-client"               # where the page says "paste it"
    packages: tuple = ()    # of Debian, which its blocks install; they are fetched beforehand
    goes_on: bool = False   # on the machine that the page before has left
    then: str = ""          # shell after the last block, where the text says it
    site: str = ""          # an address of the site that stands at the end, to sign in to
    at_the_end: str = ""    # shell that must succeed then


# In this order. The first page installs the module, for all others.
PAGES = {
    "README.md": Page(before=TLS + SECRET, then="nginx -t && nginx -s reload", site="https://www.example.com/"),
    "docs/start/install.md": Page(before="sed -i 's,^error_log .*,error_log /var/log/nginx/error.log notice;,' "
                                         "/etc/nginx/nginx.conf", sees={4: "oidc: version 0.1.0"}),
    "docs/start/any-site.md": Page(
        before=TLS, sees={1: "oidc_provider"}, site="https://www.example.com/",
        at_the_end="auth-oidc-check"),
    "docs/debugging.md": Page(goes_on=True, before="cp /etc/nginx/nginx.conf /etc/nginx/nginx.conf.new"),
    "docs/start/several-nodes.md": Page(
        goes_on=True, site="https://www.example.com/", sees={1: "server redis1.internal"},
        before="redis-server /srv/machine/redis.conf\n"
               "install -m 600 /srv/machine/redis.password /etc/nginx/secrets/redis\n",
        between={1: "python3 - <<'END'\n"
                    "import re\nname = '/etc/nginx/conf.d/www.conf'\ntext = open(name).read()\n"
                    "block = open('/srv/machine/pasted.conf').read()\n"
                    "open(name, 'w').write(block + text[text.index('server {'):])\nEND\n"}),
    "docs/guides/espocrm.md": Page(),
    "docs/guides/vhost.md": Page(
        before=CRM,
        between={2: "sed -i 's,# \\(include espocrm/public/\\(campaigns\\|portal\\).conf;\\),\\1,' "
                    "/etc/nginx/conf.d/crm.conf\nnginx -t && nginx -s reload\n"}),
    "docs/guides/authelia.md": Page(
        persona="authelia", before=TEMPLATES, between={4: BLOCK.format("authelia")}),
    "docs/guides/authentik.md": Page(
        personas={2: "authentik"}, before=TEMPLATES, pasted="a" * 128, between={4: BLOCK.format("authentik")}),
    "docs/guides/keycloak.md": Page(
        persona="keycloak", pasted="k" * 86,
        before=TEMPLATES + "sed s,crm.example.com,crm.example.org, ops/keycloak/realm.json >realm.json\n",
        between={4: BLOCK.format("keycloak")}),
    "docs/operations.md": Page(goes_on=True, persona="keycloak"),
    "docs/guides/espocrm-extension.md": Page(),
    "ops/kubernetes/README.md": Page(),
}


# ---- what a page says that its reader sees

def flat(text):
    return " ".join(text.split())


def after(page, text, number):
    """What stands between a shell block and the next block or heading."""
    lines = text.split("\n")
    found = [block for block in blocks.parse(page, text) if block.language == "sh"][number]
    at = found.line + found.code.count("\n") + 1
    out = []
    for line in lines[at:]:
        if line.startswith("#") or blocks.FENCE.match(line):
            break
        out.append(line)
    return "\n".join(out)


def promised(page, text, number):
    """What the output of a shell block must have in it, by what stands on the page."""
    out = []
    shell = [block for block in blocks.parse(page, text) if block.language == "sh"][number]
    # `curl …   # 405: why`
    out += re.findall(r"# (\d{3}): ", shell.code)
    below = after(page, text, number)
    seen = re.search(r"\*\*You see:\*\* (.*?)(?:\n\n|\Z)", below, re.S)
    if seen and not re.match(r"`[^`]+` prints", seen[1]):
        clause = re.match(r"(?:`[^`]*`|[^`.:(])*", flat(seen[1]))[0]
        out += re.findall(r"`([^`]+)`", clause)
    # A block without a language right below is what it prints.
    follows = [block for block in blocks.parse(page, text) if block.line > shell.line][:1]
    if follows and follows[0].language == blocks.OUTPUT and not below.strip():
        out += [flat(line) for line in follows[0].code.splitlines() if line.startswith(" ")]
    return out


def tries(text):
    """[(command, what it prints)] of "`COMMAND` prints 64": for each such sentence below "You see", in order."""
    out = []
    for paragraph in re.findall(r"^\*\*You see:\*\* (.*?)(?:\n\n|\Z)", text, re.M | re.S):
        for command, said in re.findall(r"`([^`]+)` prints (\d+|the name)", flat(paragraph)):
            out.append((command, command.split()[-1] if said == "the name" else said))
    return out
