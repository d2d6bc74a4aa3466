# SPDX-License-Identifier: Apache-2.0
"""ops/authelia, ops/authentik, ops/keycloak, ops/compose and their guides: the files are what their
programs take, agree with each other, hold no secret, and sign people in; the log lines that the
guides quote are those that the module writes."""

import base64
import hashlib
import importlib.machinery
import importlib.util
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

import pytest
import yaml

import op_process
from harness import docs
from harness.idp import Idp, Reply
from harness.nginx import ROOT, Nginx
from harness.ops_files import AUTH, CRM, OPS, block_of, blueprint, directives_of, entry, \
    provider_conf, text_of
from harness.outcome import passes
from harness.ports import free_port
from harness.site import Site, query_of
from harness.vhost import for_this_nginx
from real_provider import NpmProvider

GUIDES = ROOT / "docs" / "guides"
COMPOSE = OPS / "compose"
NAMES = ("authelia", "authentik", "keycloak")

needs_npm = pytest.mark.skipif(
    not op_process.installed(), reason="npm ci has not been run in t/integration/op")


# ---- reading the files ---------------------------------------------------------------------------

def registration(name):
    """What the file for the provider registers, in the terms of OpenID Connect."""
    if name == "authelia":
        client, = yaml.safe_load(text_of("authelia/client.yml"))["identity_providers"]["oidc"][
            "clients"]
        return {"client_id": client["client_id"], "redirect_uris": client["redirect_uris"],
                "scope": set(client["scopes"]),
                "token_endpoint_auth_method": client["token_endpoint_auth_method"],
                "grant_types": client["grant_types"], "response_types": client["response_types"],
                "post_logout_redirect_uris": None, "issuer": AUTH}
    if name == "authentik":
        provider = entry("authentik_providers_oauth2.oauth2provider")["attrs"]
        slug = entry("authentik_core.application")["identifiers"]["slug"]
        uris = {kind: [u["url"] for u in provider["redirect_uris"]
                       if u["redirect_uri_type"] == kind] for kind in ("authorization", "logout")}
        scopes = set()
        for mapping in provider["property_mappings"]:
            if mapping.name == "KeyOf":
                scopes |= {e["attrs"]["scope_name"] for e in blueprint()["entries"]
                           if e.get("id") == mapping.value}
            else:
                assert mapping.value[0] == "authentik_providers_oauth2.scopemapping"
                scopes.add(mapping.value[1][1].rpartition("scope-")[2])
        return {"client_id": provider["client_id"], "redirect_uris": uris["authorization"],
                "post_logout_redirect_uris": uris["logout"], "scope": scopes,
                # authentik takes Basic and post alike of a confidential client
                "token_endpoint_auth_method": "client_secret_post",
                "grant_types": provider["grant_types"], "response_types": ["code"],
                "issuer": f"{AUTH}/application/o/{slug}/"}
    realm = json.loads(text_of("keycloak/realm.json"))
    client, = realm["clients"]
    assert client["clientAuthenticatorType"] == "client-secret"
    return {"client_id": client["clientId"], "redirect_uris": client["redirectUris"],
            "post_logout_redirect_uris":
                client["attributes"]["post.logout.redirect.uris"].split("##"),
            # client scopes that each realm has by default
            "scope": {"openid", "profile", "email"},
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": [grant for grant, on in (
                ("authorization_code", client["standardFlowEnabled"] is True),
                ("refresh_token", client["attributes"]["use.refresh.tokens"] == "true")) if on],
            "response_types": ["code"], "issuer": f"{AUTH}/realms/{realm['realm']}"}


# ---- registration and provider block agree -------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
def test_registration_agrees(name):
    conf, registered = provider_conf(name), registration(name)
    assert conf["issuer"] == registered["issuer"]
    assert conf["client_id"] == registered["client_id"] == "espocrm"
    assert registered["redirect_uris"] == [CRM + conf["redirect_uri"]]
    assert set(conf["scope"].split()) <= registered["scope"]
    assert conf["token_endpoint_auth_method"] == registered["token_endpoint_auth_method"]
    # a session is renewed, so the refresh token must be allowed, asked for and given
    assert conf["session_refresh"] == "on"
    assert registered["grant_types"] == ["authorization_code", "refresh_token"]
    # Keycloak gives one anyway; offline sessions there are none that a sign-out ends
    assert ("offline_access" in conf["scope"].split()) == (name != "keycloak")
    assert registered["response_types"] == ["code"]
    if registered["post_logout_redirect_uris"] is None:
        logout = urllib.parse.urlsplit(conf["end_session_endpoint"])
        assert f"{logout.scheme}://{logout.netloc}" == AUTH
        back = urllib.parse.parse_qs(logout.query)["rd"]
    else:
        assert conf["logout_token_hint"] == "on" and "end_session_endpoint" not in conf
        back = registered["post_logout_redirect_uris"]
    assert back == [CRM + conf["post_logout_uri"]]


def test_authelia_has_the_values_of_its_page():
    document = yaml.safe_load(text_of("authelia/client.yml"))
    client, = document["identity_providers"]["oidc"]["clients"]
    del client["client_secret"]
    # additions, for the refresh token
    client["scopes"].remove("offline_access")
    client["grant_types"].remove("refresh_token")
    assert client == {
        "client_id": "espocrm", "client_name": "EspoCRM", "public": False,
        "authorization_policy": "two_factor", "require_pkce": False, "pkce_challenge_method": "",
        "redirect_uris": [CRM + "/oauth-callback.php"], "scopes": ["openid", "email", "profile"],
        "response_types": ["code"], "grant_types": ["authorization_code"],
        "access_token_signed_response_alg": "none", "userinfo_signed_response_alg": "none",
        "token_endpoint_auth_method": "client_secret_basic"}
    assert provider_conf("authelia")["userinfo"] == "on"


def test_authentik_blueprint():
    provider = entry("authentik_providers_oauth2.oauth2provider")["attrs"]
    assert provider["signing_key"].name == "Find"
    assert "encryption_key" not in provider and "client_secret" not in provider
    assert (provider["sub_mode"], provider["issuer_mode"]) == ("user_username", "per_provider")
    assert provider["include_claims_in_id_token"] is True
    assert all(u["matching_mode"] == "strict" for u in provider["redirect_uris"])
    application = entry("authentik_core.application")["attrs"]
    assert application["provider"].name == "KeyOf"
    ids = {e.get("id") for e in blueprint()["entries"]}
    assert application["provider"].value in ids
    # the directive of back-channel logout and what is registered come and go together
    assert ("logout_uri" in provider) == ("backchannel_logout_uri" in provider_conf("authentik"))


def test_authentik_profile_mapping():
    """The expression, run as authentik runs it: the body of a function."""
    code = entry("authentik_providers_oauth2.scopemapping")["attrs"]["expression"]
    scope = {}
    exec("def handler(request):\n" + re.sub("^", "    ", code, flags=re.M), scope)  # noqa: S102

    class Group:
        name = "sales"

    def claims(full_name):
        user = type("User", (), {"name": full_name, "username": "jane",
                                 "all_groups": lambda self: [Group()]})()
        return scope["handler"](type("Request", (), {"user": user})())
    assert claims("Jane Mary Müller") == {
        "name": "Jane Mary Müller", "given_name": "Jane Mary", "family_name": "Müller",
        "preferred_username": "jane", "groups": ["sales"]}
    assert claims("Jane")["family_name"] == "Jane" and claims("Jane")["given_name"] == ""


def test_keycloak_realm():
    client, = json.loads(text_of("keycloak/realm.json"))["clients"]
    assert "secret" not in client and client["publicClient"] is False
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["redirectUris"] == [CRM + "/oauth-callback.php"]
    assert not any("*" in uri for uri in client["redirectUris"])
    mapper, = client["protocolMappers"]
    assert mapper["protocolMapper"] == "oidc-group-membership-mapper"
    assert mapper["config"]["claim.name"] == "groups"
    assert mapper["config"]["full.path"] == "false"
    # what keeps its type in Keycloak's ClientRepresentation
    assert all(isinstance(v, str) for v in client["attributes"].values())
    assert all(isinstance(v, str) for v in mapper["config"].values())
    assert ("backchannel.logout.url" in client["attributes"]) == (
        "backchannel_logout_uri" in provider_conf("keycloak"))
    # what the guide has people replace
    places, words = re.search(r"in (\w+) places: ([^.]*(?:\.\w[^.]*)*)\.", guide("keycloak")).groups()
    named = re.findall(r"`([\w.]+)`", words)
    assert (places, len(named)) == ("four", 4)
    lines = [line for line in text_of("keycloak/realm.json").splitlines() if CRM in line]
    assert len(lines) == 4
    for name in named:
        value = client.get(name, client["attributes"].get(name))
        assert CRM in json.dumps(value), name


def test_keycloak_guide_on_what_it_leaves_out():
    """What Keycloak 26.7 does, and what no persona of the tests imitates."""
    text = guide("keycloak")
    # its group mapper sends no claim at all for somebody without groups
    assert "keeps the teams" in text and "*Default groups*" in text
    # a scope of the block that is not the client's is refused before there is a token
    rows = dict(re.findall(r"^\| `(\w+)[:`].*\| (.*) \|$", text, re.M))
    for scope in set(provider_conf("keycloak")["scope"].split()) - {"openid"}:
        assert f"`{scope}`" in rows["idp_error"], scope
    assert "is missing at the client" not in rows["username_missing"]


def test_claims_for_the_extension():
    """The site files name the claims of the assertion, all that the extension reads and no other."""
    profile = (ROOT / "espocrm/files/custom/Espo/Modules/OidcProxy/Authentication/Profile.php"
               ).read_text(encoding="utf-8")
    table = re.search(r"ATTRIBUTES = \[(.*?)\];", profile, re.S)[1]
    read = set(re.findall(r"'(\w+)' =>", table)) | set(
        re.findall(r"CLAIM_\w+ = '(\w+)'", profile)) | set(re.findall(r"getText\('(\w+)'", profile))
    assert {"given_name", "email", "email_verified", "name"} <= read, read
    # and the defaults of its settings
    read |= {"preferred_username", "groups"}
    for path in ("ops/nginx/site-fpm.conf.example", "ops/nginx/site-proxy.conf.example",
                 "ops/compose/nginx/site.conf.template"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert set(re.search(r"^ +claims +([\w\s]+);", text, re.M)[1].split()) == read, path


# ---- nginx takes them ----------------------------------------------------------------------------

def nginx_test(folder, site, secrets):
    """nginx -t on a site file, with free ports and the secrets that it names in `folder`."""
    folder = pathlib.Path(folder)
    site = for_this_nginx(site)
    (folder / "espocrm").symlink_to(OPS / "nginx" / "espocrm")
    for path, value in secrets.items():
        file = folder / path.strip("/").replace("/", "_")
        file.write_text(value)
        file.chmod(0o600)
        assert path in site, path
        site = re.sub(re.escape(path) + r"(?=[;\s])", str(file), site)
    site = re.sub(r"listen( +)(\[::\]:)?\d+", lambda m: f"listen{m[1]}"
                  f"{'[::1]' if m[2] else '127.0.0.1'}:{free_port()}", site)
    assert not re.search(r"/etc/(nginx|ssl)/|/run/secrets/", re.sub(r"#.*", "", site)), site
    return Nginx(folder, site, status_port=free_port()).test()


def certificate(lab):
    leaf = lab.pki.site
    return leaf.cert_file.read_text(), leaf.key_file.read_text()


@pytest.mark.parametrize("variant", ("proxy", "fpm"))
@pytest.mark.parametrize("name", NAMES)
def test_nginx_takes_the_block(lab, tmp_path, name, variant):
    """The step of the guide: the block in the place of the one in the site file."""
    example = text_of(f"nginx/site-{variant}.conf.example")
    site = example.replace(block_of(example), text_of(f"{name}/nginx-provider.conf"))
    assert site.count("oidc_provider espocrm {") == 1
    crt, key = certificate(lab)
    status, output = nginx_test(tmp_path, site, {
        "/etc/nginx/secrets/espocrm-client": "x" * 40,
        "/etc/nginx/secrets/espocrm-assertion": "y" * 40,
        "/etc/ssl/certs/crm.example.com.pem": crt, "/etc/ssl/private/crm.example.com.key": key})
    assert status == 0 and "[warn]" not in output, output


@pytest.mark.parametrize("name", NAMES)
def test_guides_say_what_the_site_needs(name):
    """Each guide stands alone: what an operator would miss in it is missing in his site."""
    guide = (GUIDES / f"{name}.md").read_text(encoding="utf-8")
    path, = re.findall(r"# ssl_trusted_certificate +(\S+);", text_of(f"{name}/nginx-provider.conf"))
    assert f"`{path}`" in guide
    for text in ("'ipAddressServerParam' => 'HTTP_X_REAL_IP'", "/etc/nginx/sites-enabled",
                 "conflicting server name", "ops/check-vhost https://crm.example.com",
                 "vhost.md#the-certificate", "vhost.md#when-the-provider-is-down",
                 "vhost.md#the-address-of-the-user"):
        assert text in guide, text
    assert "'ipAddressServerParam' => 'HTTP_X_REAL_IP'" in text_of("nginx/site-proxy.conf.example")
    settings = compose()["services"]["espocrm"]["environment"]
    assert settings["ESPOCRM_CONFIG_IP_ADDRESS_SERVER_PARAM"] == "HTTP_X_REAL_IP"


@pytest.mark.parametrize("name", NAMES)
def test_nginx_with_a_certificate_of_its_own(lab, tmp_path, name):
    """In the folder of the secrets, which only root can enter."""
    example = text_of("nginx/site-proxy.conf.example")
    block = re.sub(r"# (?=ssl_trusted_certificate )", "", text_of(f"{name}/nginx-provider.conf"))
    site = example.replace(block_of(example), block)
    crt, key = certificate(lab)
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    (folder / "ca.crt").write_text(lab.pki.ca.file.read_text())
    (folder / "ca.crt").chmod(0o600)
    site = site.replace("/etc/nginx/espocrm/ca.crt", str(folder / "ca.crt"))
    status, output = nginx_test(tmp_path, site, {
        "/etc/nginx/secrets/espocrm-client": "x" * 40,
        "/etc/nginx/secrets/espocrm-assertion": "y" * 40,
        "/etc/ssl/certs/crm.example.com.pem": crt, "/etc/ssl/private/crm.example.com.key": key})
    assert status == 0 and "[warn]" not in output, output


@pytest.mark.parametrize("name", NAMES)
def test_nginx_without_the_secret(lab, tmp_path, name):
    """What the guides say about a forgotten secret is what nginx says."""
    example = text_of("nginx/site-proxy.conf.example")
    site = example.replace(block_of(example), text_of(f"{name}/nginx-provider.conf"))
    crt, key = certificate(lab)
    site = site.replace("/etc/nginx/secrets/espocrm-client", f"{tmp_path}/missing")
    status, output = nginx_test(tmp_path, site, {
        "/etc/nginx/secrets/espocrm-assertion": "y" * 40,
        "/etc/ssl/certs/crm.example.com.pem": crt, "/etc/ssl/private/crm.example.com.key": key})
    assert status == 1, output
    said = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*?) in /", output)[1]
    said = said.replace(f"{tmp_path}/missing", "/etc/nginx/secrets/espocrm-client")
    assert said in (GUIDES / f"{name}.md").read_text(encoding="utf-8"), said


# ---- the composition -----------------------------------------------------------------------------

def compose():
    return yaml.safe_load(text_of("compose/compose.yaml"))


@pytest.fixture(scope="module")
def initialised(tmp_path_factory):
    """A copy of ops/compose in which ./init has run."""
    folder = tmp_path_factory.mktemp("compose") / "compose"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets", ".env"))
    done = subprocess.run([sys.executable, folder / "init"], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def environment_of(folder):
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_compose_files_exist(initialised):
    document = compose()
    for name, secret in document["secrets"].items():
        assert secret["file"] == f"./secrets/{name}"
        assert (initialised / secret["file"]).is_file(), name
    used = {s for service in document["services"].values() for s in service.get("secrets", [])}
    assert used == set(document["secrets"])
    volumes = set(document["volumes"])
    for name, service in document["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).exists(), volume
            else:
                assert source in volumes, volume
        if "build" in service:
            build = service["build"]
            context = (COMPOSE / build["context"]).resolve()
            assert context == ROOT
            assert (context / build["dockerfile"]).is_file()
            assert f" AS {build['target']}\n" in text_of("compose/Dockerfile")
        assert set(service.get("depends_on", [])) <= set(document["services"]), name


@pytest.mark.parametrize("directive", [False, True])
def test_the_site_of_the_composition_fits_its_nginx(tmp_path, directive):
    """The lines for HTTP/2 that its nginx takes without a warning."""
    folders = {name: tmp_path / name for name in ("bin", "templates", "conf.d", "proc")}
    for folder in folders.values():
        folder.mkdir()
    (folders["proc"] / "if_inet6").touch()
    shutil.copy(COMPOSE / "nginx/site.conf.template", folders["templates"])
    for name, text in (("envsubst", "cat"),
                       ("nginx", '[ "$#" != 3 ] || ! grep -q http2 "$3" || exit ' + str(int(not directive)))):
        (folders["bin"] / name).write_text(f"#!/bin/sh\n{text}\n")
        (folders["bin"] / name).chmod(0o755)
    script = text_of("compose/nginx/entrypoint.sh").replace("/etc/nginx", str(tmp_path)).replace("/proc/net", f"{tmp_path}/proc")
    done = subprocess.run(["sh", "-c", script], env={"PATH": f"{folders['bin']}:/usr/bin:/bin", "CRM_HOST": "c", "AUTH_HOST": "a"},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    site = (folders["conf.d"] / "site.conf").read_text()
    listens = re.findall(r"^ *(listen|http2) +(.*);$", site, re.M)
    expected = [("listen", "443 ssl"), ("listen", "[::]:443 ssl"), ("http2", "on")] if directive else \
        [("listen", "443 ssl http2"), ("listen", "[::]:443 ssl http2")]
    assert listens == [("listen", "80"), ("listen", "[::]:80"), *expected, *expected]


def test_the_composition_lets_in_whom_its_provider_signs_in():
    """The issuer of nginx, of Authelia and of the settings is one."""
    template = text_of("compose/nginx/site.conf.template")
    assert re.search(r"^ +issuer +https://\$\{AUTH_HOST\};$", template, re.M)
    assert "'oidcProxyProviderIssuer' => \"https://$host\"" in text_of("compose/espocrm/settings.php")
    for name in ("espocrm-setup", "nginx"):
        assert compose()["services"][name]["environment"]["AUTH_HOST"] == "${AUTH_HOST:?run ./init first}", name


def test_dockerfile_copies_what_exists():
    text = text_of("compose/Dockerfile")
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source.rstrip("/")).exists(), source
            assert dockerfile_tool().files_of(source), source
    # Of what the package is made of, all; of the rest, and above all of secrets, nothing.
    let_in = dockerfile_tool().context()
    control = [p.relative_to(ROOT).as_posix() for p in (OPS / "packages/debian").iterdir() if p.is_file()]
    assert {"build.sh", "config", "sources.mk", "tools/package", "espocrm/pack.py", *control} <= set(let_in)
    assert not any(name.startswith(("t/", "demo/", "bench/", ".")) for name in let_in)
    ignored = text_of("compose/Dockerfile.dockerignore")
    assert dockerfile_tool().let_in(["ops/compose/secrets/database", "ops/compose/.env", "x", "t/unit/y.cpp",
                                     "ops/kubernetes/example/secrets/client-secret", "src/flow.cpp",
                                     "tools/node_modules/a", "ops/compose/init"], ignored) == \
        ["src/flow.cpp", "ops/compose/init"]


def dockerfile_tool():
    loader = importlib.machinery.SourceFileLoader("try_dockerfile", str(ROOT / "tools/try-dockerfile"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_the_dockerfile_is_understood():
    """What `./build.sh systems` runs where there is no Docker, in a folder of the release."""
    stages = dockerfile_tool().parse(text_of("compose/Dockerfile"))
    assert stages["base image"].name == "debian:12.15-slim"
    assert stages["nginx"].needs() == ["module"] and set(stages["module"].needs()) == {"debian:12.15-slim", "builder"}
    assert [kind for kind, _ in stages["builder"].steps] == ["WORKDIR", "COPY", "RUN"]
    with pytest.raises(ValueError):
        dockerfile_tool().parse("ARG BASE=x\nARG RELEASE=y\nFROM ${BASE} AS a\nONBUILD RUN x\n")


def test_images_are_pinned():
    dockerfile = text_of("compose/Dockerfile")
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.M))
    images = [s["image"] for s in compose()["services"].values() if "image" in s]
    stages = re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.M)
    for base in re.findall(r"^FROM (\S+)", dockerfile, re.M):
        if base in stages:
            continue
        images.append(re.sub(r"\$\{(\w+)\}", lambda m: defaults[m[1]], base))
    assert len(images) >= 7
    for image in images:
        # with a patch version; Debian's have two parts
        pattern = r"debian:\d+\.\d+-slim" if image.startswith("debian:") else \
            r"[a-z/]+:\d+\.\d+\.\d+(-[a-z]+)?"
        assert re.fullmatch(pattern, image), image
    assert defaults["ESPOCRM"] == compose()["services"]["espocrm"]["image"]


def test_init(initialised):
    folder = initialised / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    public = {"ca.crt", "site.crt"}
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o777 == (0o644 if file.name in public else 0o600), file
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    again = subprocess.run([sys.executable, initialised / "init"], capture_output=True, text=True,
                           timeout=60, check=False)
    assert again.returncode == 1 and "exists already" in again.stderr
    assert before == {f.name: f.read_bytes() for f in folder.iterdir()}
    values = [v for n, v in before.items() if n not in public]
    assert len(set(values)) == len(values)
    for name in ("espocrm-client", "espocrm-assertion", "database"):
        assert re.fullmatch(rb"[A-Za-z0-9]{48}\n", before[name]), name
    done = subprocess.run(["openssl", "verify", "-CAfile", folder / "ca.crt", folder / "site.crt"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # the digest is one of the secret
    _, kind, rounds, salt, digest = before["espocrm-client-digest"].decode().strip().split("$")
    assert kind == "pbkdf2-sha512"

    def decode(text):
        return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4))
    assert decode(digest) == hashlib.pbkdf2_hmac(
        "sha512", before["espocrm-client"].strip(), decode(salt), int(rounds))
    assert "secrets" in (COMPOSE / ".gitignore").read_text()
    for argument in ("-h", "crm", "crm.example.test/x", "CRM.example.test"):
        bad = subprocess.run([sys.executable, initialised / "init", argument],
                             capture_output=True, text=True, timeout=60, check=False)
        assert bad.returncode == 1 and bad.stderr.startswith("init: "), argument


def composed_authelia(folder):
    """Authelia's configuration with its templates filled in."""
    env, secrets = environment_of(folder), folder / "secrets"
    text = text_of("compose/authelia/configuration.yml")
    text = re.sub(r'\{\{ mustEnv "(\w+)" \}\}', lambda m: env[m[1]], text)

    def read(path):
        assert path.startswith("/run/secrets/")
        name = path.rpartition("/")[2]
        assert name in compose()["services"]["authelia"]["secrets"], path
        return (secrets / name).read_text()
    text = re.sub(r'\s*\{\{- fileContent "([^"]+)" \| nindent (\d+) \}\}',
                  lambda m: "\n" + "\n".join(" " * int(m[2]) + line
                                             for line in read(m[1]).split("\n")), text)
    text = re.sub(r'\{\{ secret "([^"]+)" \}\}', lambda m: read(m[1]).rstrip("\n"), text)
    assert "{{" not in text
    return yaml.safe_load(text)


def test_compose_agrees(initialised):
    env = environment_of(initialised)
    authelia = composed_authelia(initialised)
    client, = authelia["identity_providers"]["oidc"]["clients"]
    template = text_of("compose/nginx/site.conf.template")
    for name in ("CRM_HOST", "AUTH_HOST"):
        template = template.replace("${" + name + "}", env[name])
    assert "${" not in template
    conf = directives_of(template)
    cookie, = authelia["session"]["cookies"]
    assert conf["issuer"] == cookie["authelia_url"] == f"https://{env['AUTH_HOST']}"
    assert env["CRM_HOST"].endswith("." + cookie["domain"])
    assert client["client_id"] == conf["client_id"]
    assert client["redirect_uris"] == [f"https://{env['CRM_HOST']}{conf['redirect_uri']}"]
    assert set(conf["scope"].split()) == set(client["scopes"])
    assert client["token_endpoint_auth_method"] == conf["token_endpoint_auth_method"]
    assert authelia["identity_providers"]["oidc"]["jwks"][0]["key"].startswith("-----BEGIN PRIV")
    assert client["client_secret"].startswith("$pbkdf2-sha512$")
    # as ops/authelia, but for what its comment says
    base, mine = provider_conf("authelia"), dict(conf)
    for name in ("issuer", "client_secret_file", "scope", "end_session_endpoint",
                 "ssl_trusted_certificate"):
        base.pop(name, None)
        mine.pop(name)
    assert base == mine
    refreshed = "offline_access" in client["scopes"] and "refresh_token" in client["grant_types"]
    assert refreshed and conf["session_refresh"] == "on" and "consent_mode" not in client
    services = compose()["services"]
    for name, port in (("espocrm_backend", 80), ("espocrm_websocket", 8080)):
        service = re.search(rf"set \${name} +(\S+):{port};", template)[1]
        assert service in services
    assert env["AUTH_HOST"] not in services
    secrets = services["nginx"]["secrets"]
    for path in re.findall(r"/run/secrets/(\S+);", template):
        assert path in secrets, path


def test_nginx_takes_the_composition(initialised, tmp_path):
    env, secrets = environment_of(initialised), initialised / "secrets"
    template = text_of("compose/nginx/site.conf.template")
    for name in ("CRM_HOST", "AUTH_HOST"):
        template = template.replace("${" + name + "}", env[name])
    status, output = nginx_test(tmp_path, template, {
        path: (secrets / path.rpartition("/")[2]).read_text()
        for path in sorted(set(re.findall(r"/run/secrets/[^;\s]+", template)))})
    assert status == 0 and "[warn]" not in output, output


def test_scripts_are_well_formed():
    for path in sorted(OPS.rglob("*")):
        shell = {"setup.sh": ["bash", "-n"], "entrypoint.sh": ["sh", "-n"]}.get(path.name)
        if shell:
            done = subprocess.run([*shell, path], capture_output=True, text=True, timeout=60,
                                  check=False)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("php") is None, reason="no php")
def test_settings_are_well_formed():
    paths = sorted(OPS.rglob("settings.php"))
    assert paths
    for path in paths:
        done = subprocess.run(["php", "-l", path], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- no secrets ----------------------------------------------------------------------------------

HASH = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|"
                  r"\$(argon2\w*|pbkdf2[\w-]*|scrypt|2[aby]|[56])"
                  r"\$[\w=,./+$-]{20,}")
VALUE = re.compile(r"(?i)\b\w*(?:secret|password|passwd|token|_key)\w*[\"']?\s*[:=]\s*[\"']?"
                   r"(?P<value>[A-Za-z0-9+/_=-]{12,})[\"']?\s*(?:[;,]|$)", re.M)
WORD = re.compile(r"[A-Za-z0-9+_=-]{24,}")


def entropy(text):
    return -sum(n / len(text) * math.log2(n / len(text))
                for n in (text.count(c) for c in set(text)))


def secret_looking(text):
    found = [m[0] for m in HASH.finditer(text)]
    # names of things (paths, words with separators) are no secrets
    found += [m[0] for m in VALUE.finditer(text)
              if re.search(r"\d", m["value"]) and "/" not in m["value"]]
    # eyJ: JSON in Base64, as a probe of check-vhost sends it
    found += [w for w in WORD.findall(text)
              if not w.startswith("eyJ") and entropy(w) > 4
              and all(re.search(kind, w) for kind in ("[a-z]", "[A-Z]", "[0-9]"))]
    return found


@pytest.mark.parametrize("text", (
    "client_secret: 'gnp5Vmq0rTX2sJ7bYk1L'", "password = hunter2hunter2x;",
    "-----BEGIN EC PRIVATE KEY-----", "'$pbkdf2-sha512$310000$c8p78n7pUMln0jzvd4aK4Q$JNRBz'",
    "value Zk3vQ9xT1mB7rL5pW2yH8dJ4nC6sF0aG"))
def test_the_scan_finds_secrets(text):
    assert secret_looking(text)


def test_no_secret_below_ops():
    ignored = {COMPOSE / "secrets", COMPOSE / ".env"}
    files = [p for p in OPS.rglob("*") if p.is_file() and not ignored & {p, *p.parents}
             and "__pycache__" not in p.parts]
    assert len(files) > 20
    for path in files:
        found = secret_looking(path.read_text(encoding="utf-8"))
        assert not found, f"{path}: {found}"


# ---- people sign in ------------------------------------------------------------------------------

class Registered(NpmProvider):
    """A persona with the client as the file registers it, at the address of the site under test."""

    def __init__(self, lab, name, **options):
        super().__init__(lab, name, **options)
        self.registered = registration(name)
        if name == "authelia":
            self._paths = {**self._paths, "logout": "/logout"}    # no end-session endpoint

    def _start(self, folder, client):
        origin = client["redirect_uris"][0].removesuffix("/oauth-callback.php")

        def here(uris):
            return [uri.replace(CRM, origin) for uri in uris or []]
        return super()._start(folder, {
            "client_id": self.registered["client_id"], "client_secret": self.client_secret,
            "redirect_uris": here(self.registered["redirect_uris"]),
            "post_logout_redirect_uris": here(self.registered["post_logout_redirect_uris"]),
            "grant_types": self.registered["grant_types"],
            "response_types": self.registered["response_types"],
            "scope": " ".join(sorted(self.registered["scope"])),
            "token_endpoint_auth_method": self.registered["token_endpoint_auth_method"]})


def ops_directives(lab, provider, name, **changes):
    """The provider block for the harness: hosts replaced, the secret in a file of the test."""
    conf = {k: v.replace(AUTH, provider.base) for k, v in provider_conf(name).items()}
    secret = pathlib.Path(lab.folder) / f"client-{provider.port}"
    secret.write_text(provider.client_secret + "\n")
    secret.chmod(0o600)
    conf |= {"client_secret": None, "client_secret_file": str(secret)}
    conf.pop("redirect_uri")
    return {**conf, **changes}


def signed_in_page(site, name):
    browser = site.browser()
    answer = browser.try_login("/page?x=1")
    groups = "sales,staff" if name == "authentik" else None
    hit = passes(site, answer, remote_user="jane", remote_name="Jane Müller",
                 remote_email="jane.mueller@example.com", remote_groups=groups)
    assert hit.target == "/oauth-callback.php", hit.target
    assert hit.header("X-Oidc-Return-To") == "/page?x=1"
    passes(site, browser.get("/page?x=1"), remote_user="jane")
    return browser


@needs_npm
@pytest.mark.parametrize("name", ("authelia", "authentik"))
def test_sign_in_and_log_out(lab, name):
    provider = Registered(lab, name)
    directives = ops_directives(lab, provider, name, preserve_fragment="off")
    with provider.site(callback="/oauth-callback.php", directives=directives) as site:
        browser = signed_in_page(site, name)
        answer = browser.get("/oidc/logout", fetch_site="same-origin")
        assert answer.status in (302, 303), answer
        sent = query_of(answer.location)
        if name == "authelia":
            assert answer.location.startswith(provider.base + "/logout?rd=")
            assert sent["rd"] == CRM + "/signed-out"
        else:
            assert answer.location.startswith(provider.url("logout") + "?")
            back = provider.leave(answer.location, site)
            assert back.location.split("?")[0] == site.origin_text + "/signed-out"
        assert browser.get("/page").status == 302


@needs_npm
@pytest.mark.parametrize("name", ("authelia", "authentik"))
def test_sessions_are_renewed(lab, name):
    """What is registered and what is asked for give a refresh token, which the provider takes."""
    provider = Registered(lab, name, ttl={"AccessToken": 10})
    directives = ops_directives(lab, provider, name, preserve_fragment="off")
    with provider.site(callback="/oauth-callback.php", directives=directives,
                       control=False) as site:
        browser = signed_in_page(site, name)

        def grants():
            return [r[2] for r in provider.requests() if r[1].endswith(("/token", "/token/"))]
        site.wait(lambda: grants() == [200], "the sign-in in the provider's log")
        time.sleep(5.5)    # half of a token's life
        passes(site, browser.get("/page"), remote_user="jane")
        site.wait(lambda: len(grants()) > 1, "a refresh")
        assert grants() == [200, 200], provider.log
        passes(site, browser.get("/page"), remote_user="jane")


# ---- the log lines of the guides -----------------------------------------------------------------

def guide(name):
    return (GUIDES / f"{name}.md").read_text(encoding="utf-8")


def quoted(name, line):
    assert line in guide(name), f"docs/guides/{name}.md does not quote:\n{line}"


def line_of(site, *bases):
    """The last refusal's code, detail and advice, with the hosts that the guides use and without
    what a provider says in words of its own."""
    _, code, detail = site.refusals()[-1]
    line = f"{code}: {detail}".partition(", reference ")[0]
    line = re.sub(r'(error "\w+"): ".*', r"\1", line)
    line = docs.as_quoted(line)
    for base in bases:
        line = line.replace(base, AUTH)
    assert "localhost" not in line, line
    return line


PERSONA_LINES = {
    "authelia-auth-method": ("authelia", {"token_endpoint_auth_method": "client_secret_post"}),
    "authelia-secret": ("authelia", {"client_secret_file": None,
                                     "client_secret": "another_secret_another_secret"}),
    "authelia-scope": ("authelia", {"scope": "openid profile email groups"}),
    "authelia-slash": ("authelia", {"issuer": "@BASE@/"}),
    "authelia-ca": ("authelia", {"ssl_trusted_certificate": None}),
    "authelia-name": ("authelia", {"issuer": "https://auth.example.invalid"}),
    "authentik-slash": ("authentik", {"issuer": "@BASE@/application/o/espocrm"}),
    "authentik-slug": ("authentik", {"issuer": "@BASE@/application/o/crm/"}),
    "authentik-token": ("authentik", {"token_endpoint": "@BASE@/application/o/token"}),
    "authentik-jwks": ("authentik", {"jwks_uri": "@BASE@/application/o/espocrm/jwks"}),
    "authentik-secret": ("authentik", {"client_secret_file": None,
                                       "client_secret": "another_secret_another_secret"}),
    "authentik-ca": ("authentik", {"ssl_trusted_certificate": None}),
}


@needs_npm
@pytest.mark.parametrize("case", PERSONA_LINES)
def test_quoted_line(lab, case):
    name, changes = PERSONA_LINES[case]
    provider = Registered(lab, name)
    changes = {k: v.replace("@BASE@", provider.base) if v else v for k, v in changes.items()}
    directives = ops_directives(lab, provider, name, preserve_fragment="off", **changes)
    with provider.site(callback="/oauth-callback.php", control=False,
                       directives=directives) as site:
        browser = site.browser()
        answer = browser.get("/page")
        if answer.status == 302:
            answer = browser.callback(
                provider.authorize(answer.location)[len(site.origin_text):])
        assert answer.status >= 400, answer
        quoted(name, line_of(site, provider.base, "https://auth.example.invalid").replace(
            "auth.example.invalid", "auth.example.com"))


class Unsigned(Registered):
    """authentik without a signing key: HS256 by the client secret, and no keys."""

    def __init__(self, lab):
        super().__init__(lab, "authentik", keys=[])

    def _start(self, folder, client):
        return NpmProvider._start(
            self, folder, {**client, "id_token_signed_response_alg": "HS256"})


@needs_npm
def test_quoted_line_without_signing_key(lab):
    provider = Unsigned(lab)
    directives = ops_directives(lab, provider, "authentik", preserve_fragment="off")
    with provider.site(callback="/oauth-callback.php", control=False,
                       directives=directives) as site:
        assert site.browser().get("/page").status == 502
        quoted("authentik", line_of(site, provider.base))


# {"alg":"RSA-OAEP-256","enc":"A256CBC-HS512"}
ENCRYPTED = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIn0.AA.AA.AA.AA"


def error_answer(code, status, headers=(), description=None):
    body = {"error": code, **({"error_description": description} if description else {})}
    return lambda request: Reply(body, status=status, headers=headers)


HOSTILE_LINES = {
    "authelia-429": ("authelia", "", "token", error_answer(
        "temporarily_unavailable", 429, [("Retry-After", "60")])),
    "authentik-encrypted": ("authentik", "/application/o/espocrm/", "id_token", ENCRYPTED),
    "authentik-grant": ("authentik", "/application/o/espocrm/", "authorize", "invalid_request"),
    "keycloak-secret": ("keycloak", "/realms/company", "token", error_answer(
        "unauthorized_client", 401, description="Invalid client or Invalid client credentials")),
    "keycloak-scope": ("keycloak", "/realms/company", "authorize", "invalid_scope"),
    "keycloak-realm": ("keycloak", "/realms/company", "discovery", error_answer(
        "Realm does not exist", 404)),
    "keycloak-name": ("keycloak", "/realms/company", "username", None),
    "keycloak-host": ("keycloak", "/realms/company", "issuer", "https://keycloak:8443"),
}


@pytest.mark.parametrize("case", HOSTILE_LINES)
def test_quoted_line_of_odd_answers(lab, case):
    """Answers that the personas do not give."""
    name, path, place, what = HOSTILE_LINES[case]
    idp = Idp(lab.keys, leaf=lab.pki.idp, path=path)
    directives = {"scope": "openid profile email", "username_claim": "preferred_username"}
    site = Site(lab, idp=idp, directives=directives, control=False)
    try:
        if place in ("token", "discovery"):
            idp.on[place] = what
        elif place == "id_token":
            idp.make_token = lambda *_: what
        elif place == "authorize":
            idp.authorize_response = lambda a: [("error", what), *a[1:]]
        elif place == "username":
            idp.claims = lambda c: {k: v for k, v in c.items() if k != "preferred_username"}
        elif place == "issuer":
            idp.metadata = lambda d: {**d, "issuer": what + path}
        browser = site.browser()
        answer = browser.get("/page")
        if answer.status == 302:
            target = idp.authorize(answer.location)
            answer = browser.callback(target.removeprefix(site.origin_text))
        assert answer.status >= 400, answer
        # The paths of this provider are not theirs.
        quoted(name, line_of(site, idp.origin).replace(
            "/company/token", "/company/protocol/openid-connect/token").replace(
            AUTH + "/token", AUTH + "/api/oidc/token"))
    finally:
        site.stop(check=False)
        idp.stop()


@pytest.mark.parametrize("name", NAMES)
def test_guide(name):
    text = guide(name)
    steps = [int(n) for n in re.findall(r"^## (\d+)\. ", text, re.M)]
    assert steps == list(range(1, 11)), steps
    assert text.count("**You see:**") == 10
    for path in re.findall(r"\bops/[\w./-]*\w", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (GUIDES / link).exists(), link
    codes = set(re.findall(r'"([a-z_]+)", \d{3}', (ROOT / "src/result.cpp").read_text()))
    rows = re.findall(r"^\| `([a-z_]+): ", text.split("| the log says |")[1].split("\n\n")[0], re.M)
    assert set(rows) <= codes
    # each row is one that the tests above have seen; a new one needs its case
    assert len(rows) == {"authelia": 6, "authentik": 9, "keycloak": 5}[name]
