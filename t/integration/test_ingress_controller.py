# SPDX-License-Identifier: Apache-2.0
"""ops/kubernetes/ingress: values and snippets for F5's open ingress controller, put where its template has
them by hand, and rendered by its chart and its own templates (`./build.sh kubernetes`)."""

import json
import pathlib
import re
import secrets
import subprocess

import pytest
import yaml

from harness.cases import case
from harness.nginx import MODULE, ROOT, run_once
from harness.ports import free_port
from kubernetes_programs import CONTROLLER, controller_renderer, controller_source, helm_template
from kubernetes_schemas import documents, misfits

INGRESS = ROOT / "ops/kubernetes/ingress"
IMAGE_OF = re.compile(r"nginx/nginx-ingress:(\S+)")


def substituted(text, pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, str(new))
    return text


def files_of_its_own(text, folder):
    """Secrets of the test in the place of those that a pod has, and no other host."""
    for name in ("secret", "keys"):
        (folder / name).write_text(secrets.token_hex(32))
        (folder / name).chmod(0o600)
    text = re.sub(r"key_file +/\S+;", f"key_file {folder}/keys;", text)
    text = re.sub(r"(client_secret_file|password_file) +/\S+;", rf"\1 {folder}/secret;", text)
    return re.sub(r"server +\S+:6379;", "server 127.0.0.1:6379;", text)


def certificate(folder):
    """A file with both, as the controller writes it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                    "-keyout", folder / "key", "-out", folder / "crt"], check=True, capture_output=True)
    (folder / "pem").write_text((folder / "crt").read_text() + (folder / "key").read_text())


# ---- by hand ----------------------------------------------------------------------------------------

@case("F-48")
def test_the_snippets_for_the_open_ingress_load(tmp_path):
    """Where the controller's template has them: main and http from the values, server from the Ingress."""
    values = yaml.safe_load((INGRESS / "values.yaml").read_text())["controller"]
    ingress = documents((INGRESS / "ingress.yaml").read_text())[0]
    assert values["enableSnippets"] is True
    entries = values["config"]["entries"]
    mounts = {m["mountPath"] for m in values["volumeMounts"]}
    files = set(re.findall(r"_file +(/\S+);", entries["http-snippets"]))
    assert files and all(str(pathlib.PurePosixPath(f).parent) in mounts for f in files)
    http = files_of_its_own(entries["http-snippets"], tmp_path)
    server = ingress["metadata"]["annotations"]["nginx.org/server-snippets"]
    main = substituted(entries["main-snippets"], [("modules/ngx_http_auth_oidc_module.so", MODULE)])
    names = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(f"""pid {tmp_path}/pid;
{main}
events {{ }}
http {{ {names}
{http}
    server {{ listen unix:{tmp_path}/http; listen unix:{tmp_path}/https ssl; server_name app.example.com;
        ssl_certificate {tmp_path}/crt; ssl_certificate_key {tmp_path}/key;
{server}
        location / {{ proxy_pass http://127.0.0.1:1; }} }}
}}
""")
    certificate(tmp_path)
    (tmp_path / "logs").mkdir()
    done = run_once(tmp_path, tmp_path / "nginx.conf", "-t")
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
    assert backend == "app"


# ---- rendered -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def chart():
    """What the chart makes of the values."""
    done = subprocess.run([helm_template(), "nginx-ingress", controller_source() / "charts/nginx-ingress", "ingress",
                           INGRESS / "values.yaml"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def given(value):
    """Without what is null: to the API that is a field that is not there, and the chart leaves ports of nodes so."""
    if isinstance(value, dict):
        return {name: given(inner) for name, inner in value.items() if inner is not None}
    return [given(inner) for inner in value] if isinstance(value, list) else value


def the_one(chart, kind, name=""):
    found, = [d for d in chart if d["kind"] == kind and name in d["metadata"]["name"]]
    return found


def configmap(chart):
    found, = [d for d in chart if d["kind"] == "ConfigMap" and "http-snippets" in (d.get("data") or {})]
    return found


@case("F-48")
def test_what_the_chart_renders_fits_the_schemas(chart):
    kubernetes = pytest.importorskip("kubernetes")
    assert {d["kind"] for d in chart} >= {"ConfigMap", "Deployment", "IngressClass", "Service"}
    for document in chart:
        assert misfits(kubernetes, given(document)) == []


@case("F-48")
def test_the_chart_takes_every_value(chart):
    """A name that the chart does not know would be left out without a word."""
    values = yaml.safe_load((INGRESS / "values.yaml").read_text())["controller"]
    pod = the_one(chart, "Deployment")["spec"]["template"]["spec"]
    container, = pod["containers"]
    assert container["image"] == f"{values['image']['repository']}:{CONTROLLER}"
    assert "-enable-snippets=true" in container["args"]
    assert configmap(chart)["data"] == values["config"]["entries"]
    assert f"-nginx-configmaps=$(POD_NAMESPACE)/{configmap(chart)['metadata']['name']}" in container["args"]
    assert pod["securityContext"] == values["podSecurityContext"]
    assert all(volume in pod["volumes"] for volume in values["volumes"])
    assert all(mount in container["volumeMounts"] for mount in values["volumeMounts"])
    its_class = the_one(chart, "IngressClass")["metadata"]["name"]
    assert documents((INGRESS / "ingress.yaml").read_text())[0]["spec"]["ingressClassName"] == its_class
    assert set(IMAGE_OF.findall((INGRESS.parent / "README.md").read_text())) == {CONTROLLER}


# The controller's image has njs, for API keys, and stream, for TransportServers, as modules of their own.
# Neither has anything to do with a site behind the sign-in, and Debian's nginx is without them.
LEFT_OUT = ("load_module modules/ngx_http_js_module.so;", "js_import /etc/nginx/njs/apikey_auth.js;",
            "js_set $apikey_auth_hash apikey_auth.hash;")


def here(folder, text, ports):
    """Paths and ports of the test in the place of the container's."""
    text = files_of_its_own(text, folder)
    text = text.replace("/etc/nginx/mime.types", "@MIME@").replace("/etc/nginx/", f"{folder}/etc/").replace("@MIME@", "/etc/nginx/mime.types")
    text = text.replace("/var/lib/nginx/", f"{folder}/").replace("/dev/stdout", f"{folder}/access.log")
    text = re.sub(r"listen \[::\]:\d+[^;]*;", "", text)
    return re.sub(r"(?<=listen )\d+(?=[ ;])", lambda found: f"127.0.0.1:{ports.setdefault(found[0], free_port())}", text)


@pytest.fixture
def controllers(tmp_path):
    """What the controller's templates make of the values and of the Ingress: (folder, main, site)."""
    certificate(tmp_path)
    entries = yaml.safe_load((INGRESS / "values.yaml").read_text())["controller"]["config"]["entries"]
    ingress = documents((INGRESS / "ingress.yaml").read_text())[0]
    rule = ingress["spec"]["rules"][0]
    # The controller takes each snippet apart at the ends of its lines.
    (tmp_path / "site.json").write_text(json.dumps({
        "Main": entries["main-snippets"].split("\n"), "HTTP": entries["http-snippets"].split("\n"),
        "Server": ingress["metadata"]["annotations"]["nginx.org/server-snippets"].split("\n"),
        "Namespace": ingress["metadata"]["namespace"], "Name": ingress["metadata"]["name"], "Host": rule["host"],
        "Service": rule["http"]["paths"][0]["backend"]["service"]["name"],
        "Secret": str(tmp_path / "pem"), "Endpoint": "127.0.0.1:1"}))
    done = subprocess.run([controller_renderer(), controller_source(), tmp_path / "site.json", tmp_path / "etc"],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return tmp_path, (tmp_path / "etc/nginx.conf").read_text(), (tmp_path / "etc/conf.d/site.conf").read_text()


def loads(folder, main):
    for line in LEFT_OUT:
        main = substituted(main, [(line, "")])
    main, found, _ = main.partition("\nstream {")
    assert found
    ports = {}
    names = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = substituted(main, [("modules/ngx_http_auth_oidc_module.so", MODULE), ("http {", "http { " + names)])
    (folder / "etc/nginx.conf").write_text(here(folder, main, ports))
    for path in (folder / "etc/conf.d").iterdir():
        path.write_text(here(folder, path.read_text(), ports))
    (folder / "etc/config-version.conf").write_text("")
    (folder / "logs").mkdir(exist_ok=True)
    return run_once(folder, folder / "etc/nginx.conf", "-t")


@case("F-48")
def test_the_controller_puts_the_snippets_where_they_belong(controllers):
    _, main, site = controllers
    assert main.index("load_module modules/ngx_http_auth_oidc_module.so;") < main.index("events {")
    assert main.index("http {") < main.index("oidc_session_store redis {") < main.index("oidc_provider main {") \
        < main.index("include /etc/nginx/conf.d/*.conf;")
    assert site.index("server_name app.example.com;") < site.index("auth_oidc main;") < site.index("location / {")


@case("F-48")
def test_what_the_controller_renders_loads(controllers):
    """The controller's redirect to https is a `return` in the server, which the module tells of; nothing else is."""
    folder, main, _ = controllers
    done = loads(folder, main)
    told = [line for line in done.stderr.splitlines() if "[warn]" in line]
    assert done.returncode == 0 and len(told) == 1, done.stderr
    line = int(re.search(r'"return" in this server answers before auth_oidc .*/conf\.d/site\.conf:(\d+)$', told[0])[1])
    made = (folder / "etc/conf.d/site.conf").read_text().splitlines()
    assert made[line - 1] == "server {"
    assert [text.strip() for text in made if "return " in text] == ["return 301 https://$host:443$request_uri;"]


@case("F-48")
def test_what_the_controller_renders_asks_the_module(controllers):
    """A provider that the values do not have is refused."""
    folder, main, site = controllers
    (folder / "etc/conf.d/site.conf").write_text(substituted(site, [("auth_oidc main;", "auth_oidc another;")]))
    done = loads(folder, main)
    assert done.returncode != 0 and "another" in done.stderr, done.stderr
