# SPDX-License-Identifier: Apache-2.0
"""Everything that the demo runs, in one scratch folder: certificates, provider, backend, nginx."""

import contextlib
import os
import pathlib
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time

from backend import Backend
from harness.ports import free_port
from op_process import OidcProvider

HERE = pathlib.Path(__file__).resolve().parent
CLIENT_ID = "demo"
SITE_HOST = "localhost"
# Another host than the site's, so that neither sees the other's cookies.
PROVIDER_HOST = "127.0.0.1"

USERS = {
    "john": {"password": "password", "name": "John Doe", "given_name": "John",
             "family_name": "Doe", "email": "john.doe@example.com", "groups": ["admins", "sales"]},
    "jane": {"password": "password", "name": "Jane Müller", "given_name": "Jane",
             "family_name": "Müller", "email": "jane.mueller@example.com", "groups": ["sales"]},
}


class StageError(Exception):
    """A part did not start; the message says why."""


def preferred_port(port):
    """That port when it is free, else any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port


def write_secret(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def openssl(folder, *arguments):
    result = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        raise StageError(f"openssl {arguments[0]} failed:\n{result.stderr}")


def make_certificates(folder):
    """ca.crt, server.crt and server.key. The authority can speak for this machine's loopback names
    only, and its key is gone when the certificates are made."""
    names = f"DNS:{SITE_HOST},IP:{PROVIDER_HOST}"
    limits = f"critical,permitted;DNS:{SITE_HOST},permitted;IP:{PROVIDER_HOST}/255.255.255.255"
    (folder / "names.ext").write_text(
        f"subjectAltName={names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256")
    openssl(folder, "req", "-x509", *key, "-days", "7", "-keyout", "ca.key", "-out", "ca.crt",
            "-subj", "/CN=auth_oidc demo authority",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-addext", f"nameConstraints={limits}")
    openssl(folder, "req", *key, "-keyout", "server.key", "-out", "server.csr",
            "-subj", f"/CN={SITE_HOST}")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "7", "-sha256", "-extfile", "names.ext",
            "-out", "server.crt")
    for name in ("ca.key", "ca.srl", "server.csr", "names.ext"):
        (folder / name).unlink(missing_ok=True)


def worker_user():
    """nginx refuses to start as root without an account for its workers."""
    if os.geteuid() != 0:
        return ""
    for name in ("www-data", "nobody"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return f"user {name};" if name == "www-data" else "user nobody nogroup;"
    return ""


class Nginx:
    def __init__(self, binary, folder, config, port):
        self._log = folder / "error.log"
        self._process = subprocess.Popen(
            [binary, "-p", str(folder), "-c", str(config), "-e", str(self._log)],
            stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            time.sleep(0.05)
        self.stop()
        raise StageError(f"nginx did not start:\n{self.log()}")

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def alive(self):
        return self._process.poll() is None

    def stop(self):
        if self.alive():
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Stage:
    """The running demo. Closing it stops every process and removes the folder."""

    def __init__(self, nginx, module, fixed_ports):
        self._stack = contextlib.ExitStack()
        try:
            self._start(nginx, module, fixed_ports)
        except BaseException:
            self._stack.close()
            raise

    def _start(self, nginx, module, fixed_ports):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="auth-oidc-demo-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        # nginx's workers run as another user and read the authority's certificate.
        self.folder.chmod(0o755)
        (self.folder / "temp").mkdir()
        make_certificates(self.folder)
        self.ca_file = self.folder / "ca.crt"

        port = preferred_port(8443) if fixed_ports else free_port()
        self.origin = f"https://{SITE_HOST}:{port}"
        client_secret, assertion_key = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        write_secret(self.folder / "client_secret", client_secret)
        write_secret(self.folder / "assertion_key", assertion_key)

        self.backend = Backend(assertion_key.encode(), self.origin)
        self._stack.callback(self.backend.stop)
        try:
            self.provider = OidcProvider(self.folder, {
                "persona": "plain",
                "host": PROVIDER_HOST,
                "port": preferred_port(9443) if fixed_ports else free_port(),
                "tls": {"key": str(self.folder / "server.key"),
                        "cert": str(self.folder / "server.crt")},
                "users": USERS,
                "clients": [{
                    "client_id": CLIENT_ID,
                    "client_secret": client_secret,
                    "redirect_uris": [f"{self.origin}/oauth-callback.php"],
                    "post_logout_redirect_uris": [f"{self.origin}/signed-out"],
                }],
            })
        except RuntimeError as error:
            raise StageError(str(error)) from error
        self._stack.callback(self.provider.stop)

        self.config = self.folder / "nginx.conf"
        self.config.write_text(self._nginx_config(module, port))
        self.nginx = Nginx(nginx, self.folder, self.config, port)
        self._stack.callback(self.nginx.stop)

    def _nginx_config(self, module, port):
        text = (HERE / "nginx.conf.in").read_text()
        if module is None:
            text = text.replace("load_module @MODULE@;\n", "")
        values = {
            "MODULE": module, "USER": worker_user(), "DIR": self.folder, "PORT": port,
            "ORIGIN": self.origin, "ISSUER": self.provider.issuer, "CLIENT_ID": CLIENT_ID,
            "BACKEND_PORT": self.backend.port,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._stack.close()
