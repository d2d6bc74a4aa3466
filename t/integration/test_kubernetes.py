# SPDX-License-Identifier: Apache-2.0
"""ops/kubernetes: what is written fits the schemas and itself, and its configuration does what it says:
pods that are replaced one by one sign nobody out."""

import contextlib
import re
import secrets
import shutil
import subprocess
import threading
import time

import pytest
import yaml

from cookie_client import CookieClient
from harness.cases import case
from harness.nginx import BINARY, MODULE, ROOT, SLOW, environment, run_once
from harness.ports import free_port
from harness.redis_server import find
from harness.vhost import HAS_IPV6
from kubernetes_programs import kustomize_command
from kubernetes_schemas import documents, misfits
from login_drivers import sign_in
from op_process import OidcProvider, installed

KUBERNETES = ROOT / "ops/kubernetes"
SECRETS = ("client-secret", "session-keys", "redis-password")
USER = {"password": "password", "name": "John Doe", "email": "john@example.com", "groups": ["sales"]}


@pytest.fixture(scope="module")
def sources():
    """Every document of the base and of the example, but no kustomization."""
    return [d for name in ("base", "example") for path in sorted((KUBERNETES / name).glob("*.yaml"))
            if path.name != "kustomization.yaml" for d in documents(path.read_text())]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The example as the cluster is given it."""
    command = kustomize_command()
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(KUBERNETES, folder, ignore=shutil.ignore_patterns("secrets"))
    (folder / "example/secrets").mkdir()
    for name in SECRETS:
        (folder / "example/secrets" / name).write_text(secrets.token_hex(32) + "\n")
    done = subprocess.run([*command, folder / "example"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    return documents(done.stdout)


# ---- schemas -------------------------------------------------------------------------------------

@case("F-48")
def test_what_is_written_fits_the_schemas(sources):
    kubernetes = pytest.importorskip("kubernetes")
    assert {d["kind"] for d in sources} >= {"Deployment", "StatefulSet", "Service", "Ingress", "NetworkPolicy",
                                            "PodDisruptionBudget"}
    for document in sources:
        assert misfits(kubernetes, document) == []


@case("F-48")
def test_what_is_rendered_fits_the_schemas(rendered):
    kubernetes = pytest.importorskip("kubernetes")
    for document in rendered:
        assert misfits(kubernetes, document) == []


@case("F-48")
@pytest.mark.parametrize("path, value", [
    (("spec", "replicas"), "two"), (("spec", "replicaz"), 2), (("spec", "selector"), None),
    (("spec", "template", "spec", "containers"), {}), (("spec", "template", "spec", "containers", 0, "ports", 0), {"name": "x"})])
def test_a_misfit_is_noticed(sources, path, value):
    kubernetes = pytest.importorskip("kubernetes")
    document = yaml.safe_load(yaml.safe_dump(next(d for d in sources if d["kind"] == "Deployment")))
    place = document
    for name in path[:-1]:
        place = place[name]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    assert misfits(kubernetes, document)


# ---- whether the parts fit one another ------------------------------------------------------------

def pods(all_documents):
    return {d["metadata"]["name"]: d["spec"]["template"] for d in all_documents if d["kind"] in ("Deployment", "StatefulSet")}


def names_of(all_documents, kind):
    return {d["metadata"]["name"] for d in all_documents if d["kind"] == kind}


@case("F-48")
def test_what_is_named_is_there(rendered):
    for name, pod in pods(rendered).items():
        volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
        claims = {c["metadata"]["name"] for d in rendered if d["metadata"]["name"] == name
                  for c in d["spec"].get("volumeClaimTemplates", [])}
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in names_of(rendered, "ConfigMap"), volume
            if "secret" in volume:
                assert volume["secret"]["secretName"] in names_of(rendered, "Secret"), volume
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            assert {m["name"] for m in container["volumeMounts"]} <= set(volumes) | claims
            assert ":" in container["image"] and not container["image"].endswith(":latest"), container["image"]
            ports = {p["name"] for p in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                check = container.get(probe, {})
                for how in ("httpGet", "tcpSocket"):
                    assert how not in check or check[how]["port"] in ports
    labels = [pod["metadata"]["labels"] for pod in pods(rendered).values()]
    for document in rendered:
        spec = document.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= given.items() for given in labels), document["metadata"]["name"]
    secret = next(d for d in rendered if d["kind"] == "Secret")
    assert set(secret["data"]) == set(SECRETS)
    ingress = next(d for d in rendered if d["kind"] == "Ingress")
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert path["backend"]["service"]["name"] == "auth-oidc", "past the sign-in"


@case("F-48")
def test_pods_run_with_little(sources):
    for name, pod in pods(sources).items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True and pod["spec"]["automountServiceAccountToken"] is False
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert "env" not in container, "secrets are files"


@case("F-48")
def test_pods_are_replaced_before_they_go(sources):
    deployment = next(d for d in sources if d["kind"] == "Deployment")
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = deployment["spec"]["template"]["spec"]
    nginx = pod["containers"][0]
    stop = nginx["lifecycle"]["preStop"]["exec"]["command"][-1]
    waits = sum(map(int, re.findall(r"sleep (\d+)", stop)))
    configuration = (KUBERNETES / "base/nginx.conf").read_text()
    shutdown = int(re.search(r"worker_shutdown_timeout (\d+)s;", configuration)[1])
    first = int(re.search(r"sleep (\d+)", stop)[1])
    assert first + shutdown < waits + 1 < pod["terminationGracePeriodSeconds"]
    assert re.search(r"^pid +/tmp/nginx.pid;$", configuration, re.M) and "-QUIT $(cat /tmp/nginx.pid)" in stop
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        path = nginx[probe]["httpGet"]["path"]
        assert re.search(rf"location = {path} {{(?:[^}}]|\n)*oidc_status;", configuration)


# ---- what it does -----------------------------------------------------------------------------------

def substituted(text, pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, str(new))
    return text


class Pod:
    """An nginx with the base's configuration, at ports of its own."""

    def __init__(self, cluster, name):
        self.folder, self.port, self.status = cluster.folder / name, free_port(), free_port()
        (self.folder / "logs").mkdir(parents=True)
        pairs = [("/tmp/", f"{self.folder}/"), ("/run/secrets/", f"{cluster.folder}/secrets/"), ("load_module modules/ngx_http_auth_oidc_module.so", f"load_module {MODULE}"),
                 ("auth-oidc-redis:6379", f"127.0.0.1:{cluster.redis_port}"),
                 ("listen 8081", f"listen 127.0.0.1:{self.status}"),
                 ("        listen [::]:8081;\n", f"        listen [::1]:{self.status};\n" if HAS_IPV6 else ""), ("/etc/auth-oidc/site.conf", f"{self.folder}/site.conf"),
                 ("/dev/stdout", f"{self.folder}/access.log")]
        (self.folder / "nginx.conf").write_text(substituted((KUBERNETES / "base/nginx.conf").read_text(), pairs))
        (self.folder / "site.conf").write_text(substituted((KUBERNETES / "example/site.conf").read_text(), [
            ("https://auth.example.com;", f"{cluster.issuer};\n    ssl_trusted_certificate {cluster.ca};"),
            ("/run/secrets/", f"{cluster.folder}/secrets/"), ("        8080", f" 127.0.0.1:{self.port}"),
            ("    listen        [::]:8080;\n", f"    listen [::1]:{self.port};\n" if HAS_IPV6 else ""),
            ("https://app.example.com", cluster.origin), ("server_name   app.example.com", "server_name localhost"),
            ("http://app:80", f"http://127.0.0.1:{cluster.app_port}")]))
        self.process = None

    def test(self):
        done = run_once(self.folder, self.folder / "nginx.conf", "-t")
        return done.returncode, done.stderr

    def start(self):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "-e", "stderr", "-c", str(self.folder / "nginx.conf"), "-g", "daemon off; master_process on;"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment(self.folder))
        client, end = CookieClient(), time.monotonic() + 20
        while time.monotonic() < end:  # the startup probe
            with contextlib.suppress(OSError):
                if client.get(f"http://127.0.0.1:{self.status}/oidc-status").status == 200:
                    return self
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError("not ready")

    def quit(self):
        """As preStop ends it; nothing of it is cut off."""
        subprocess.run(["/bin/sh", "-c", f"kill -QUIT $(cat {self.folder}/nginx.pid)"], check=True)
        self.process.wait(20 * SLOW)
        assert list((self.folder / "logs").glob("sanitizer*")) == []

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


class Cluster:
    """Redis by the base's configuration, a provider, and what stands for ingress and Service."""

    def __init__(self, folder, pki, stack):
        self.folder, self.pods, self.stack = folder, [], stack
        self.port, self.redis_port, self.app_port = free_port(), free_port(), free_port()
        self.origin = f"https://localhost:{self.port}"
        leaf = pki.idp
        self.ca = pki.ca.file
        self.leaf = leaf
        (folder / "secrets").mkdir()
        for name in SECRETS:
            (folder / "secrets" / name).write_text(secrets.token_hex(32) + "\n")
            (folder / "secrets" / name).chmod(0o600)
        text = substituted((KUBERNETES / "base/redis.conf").read_text(), [
            ("bind * -::*", "bind 127.0.0.1"), ("port 6379", f"port {self.redis_port}"), ("dir /data", f"dir {folder}")])
        password = (folder / "secrets/redis-password").read_text().strip()
        (folder / "redis.conf").write_text(f'{text}requirepass "{password}"\n')
        redis = subprocess.Popen([find(), str(folder / "redis.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        stack.callback(lambda: (redis.kill(), redis.wait()))
        self.op = stack.enter_context(OidcProvider(folder, {
            "persona": "plain", "host": "127.0.0.1", "port": free_port(), "users": {"john": USER},
            "tls": {"key": str(leaf.key_file), "cert": str(leaf.cert_file)},
            "clients": [{"client_id": "app", "client_secret": (folder / "secrets/client-secret").read_text().strip(),
                         "redirect_uris": [f"{self.origin}/oidc_callback"]}]}))
        self.issuer = self.op.issuer
        self.process = None
        (folder / "ingress").mkdir()
        stack.callback(self.stop)

    def stop(self):
        for pod in self.pods:
            pod.stop()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def pod(self):
        pod = Pod(self, f"pod{len(self.pods)}")
        self.pods.append(pod)
        return pod

    def endpoints(self, ready):
        """Tells the ingress which pods there are, and waits until it has heard it."""
        servers = "".join(f"server 127.0.0.1:{p.port};" for p in ready)
        names = "".join(f"{kind}_temp_path {self.folder}/ingress/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "ingress/nginx.conf").write_text(f"""
pid {self.folder}/ingress/pid; error_log {self.folder}/ingress/log; events {{ }}
http {{ access_log off; {names}
    upstream pods {{ {servers} }}
    server {{ listen 127.0.0.1:{self.port} ssl; ssl_certificate {self.leaf.cert_file}; ssl_certificate_key {self.leaf.key_file};
        location = /generation {{ return 200 "{servers}"; }}
        location / {{ proxy_pass http://pods; proxy_set_header Host $http_host; }} }}
    server {{ listen 127.0.0.1:{self.app_port}; return 200 "page of $http_remote_user"; }}
}}
""")
        if self.process is None:
            self.process = subprocess.Popen([BINARY, "-e", "stderr", "-g", "daemon off;", "-c", f"{self.folder}/ingress/nginx.conf"],
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        else:
            self.process.send_signal(1)
        client, end = self.client(), time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if client.get(f"{self.origin}/generation").text == servers:
                    return
            time.sleep(0.05)
        raise AssertionError("the ingress does not answer")

    def client(self):
        return CookieClient(ca_file=self.ca, connect_to={"localhost": "127.0.0.1"})


@pytest.fixture
def cluster(tmp_path, lab):
    if not installed() or find() is None:
        pytest.skip("no provider of npm, or no Redis")
    tmp_path.chmod(0o755)
    with contextlib.ExitStack() as stack:
        yield Cluster(tmp_path, lab.pki, stack)


@case("F-48")
def test_the_configuration_loads_without_a_warning(cluster):
    status, said = cluster.pod().test()
    assert status == 0 and "warn" not in said, said


@case("F-48")
@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no ::1")
def test_pods_answer_where_there_is_ipv6_alone(cluster):
    pod = cluster.pod().start()
    client = CookieClient(connect_to={"localhost": "::1"})
    assert client.get(f"http://localhost:{pod.status}/oidc-status").status == 200
    reply = client.get(f"http://localhost:{pod.port}/page")
    assert reply.status == 302 and reply.location.startswith(cluster.issuer), reply


@case("F-48")
def test_a_rolling_restart_signs_nobody_out(cluster):
    """Two pods become two others, one by one, as the strategy says; somebody asks all the time, and
    somebody else is signing in."""
    running = [cluster.pod().start() for _ in range(2)]
    cluster.endpoints(running)
    client = cluster.client()
    reply = sign_in(client, f"{cluster.origin}/page", "john", USER["password"])
    assert reply.status == 200 and re.fullmatch("page of .+", reply.text), reply.text
    begun = cluster.client()
    answers, over = [], threading.Event()

    def asks():
        while not over.is_set():
            try:
                answers.append(client.get(f"{cluster.origin}/page").status)
            except OSError as error:
                answers.append(repr(error))
            time.sleep(0.01)
    thread = threading.Thread(target=asks)
    thread.start()
    try:
        redirect = begun.get(f"{cluster.origin}/other").location
        for _ in range(2):
            new = cluster.pod().start()
            cluster.endpoints([*running, new])
            old = running.pop(0)
            running.append(new)
            cluster.endpoints(running)  # withdrawn during the sleep of preStop
            time.sleep(0.5)
            old.quit()
        reply = sign_in(begun, redirect, "john", USER["password"])
        assert reply.status == 200 and reply.url.endswith("/other"), (reply.status, reply.url)
        time.sleep(0.3)
    finally:
        over.set()
        thread.join()
    assert len(answers) > 50 and set(answers) == {200}, sorted(set(map(str, answers)))
