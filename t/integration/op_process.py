# SPDX-License-Identifier: Apache-2.0
"""Starts the npm OpenID provider of t/integration/op as a child process.

    with OidcProvider(folder, {"persona": "authelia", "clients": [...], "tls": {...}}) as op:
        print(op.issuer)

The settings are those of op/settings.mjs. The provider ends with the process that started it.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import time
import warnings

OP_DIR = pathlib.Path(__file__).resolve().parent / "op"


def installed():
    """Whether `npm ci` has been run for the provider."""
    return (OP_DIR / "node_modules" / "oidc-provider" / "package.json").is_file()


class NotStarted(RuntimeError):
    """The process said nothing in time, or ended."""


class OidcProvider:
    def __init__(self, folder, settings, node="node", timeout=90, ca_file=None):
        """`folder` takes the settings file and the log; `ca_file` is what the provider trusts when
        it calls the relying party (back-channel logout)."""
        folder = pathlib.Path(folder)
        name = f"op-{settings.get('persona', 'plain')}-{time.monotonic_ns()}"
        self._settings = folder / f"{name}.json"
        self.log_file = folder / f"{name}.log"
        self._settings.touch(0o600)
        self._settings.write_text(json.dumps(settings))
        environment = dict(os.environ)
        if ca_file is not None:
            environment["NODE_EXTRA_CA_CERTS"] = str(ca_file)
        command = [node, str(OP_DIR / "main.mjs"), str(self._settings), "--until-stdin-closes"]
        try:
            ready = self._start(command, environment, timeout / 2)
        except NotStarted as error:
            # Node.js hangs now and then before its first line, on a busy machine.
            warnings.warn(f"started again: {error}", stacklevel=2)
            ready = self._start(command, environment, timeout)
        self.issuer = ready["issuer"]
        self.origin = ready["origin"]
        self.discovery = ready["discovery"]
        self.port = int(self.origin.rsplit(":", 1)[1])

    def _start(self, command, environment, timeout):
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                             env=environment, start_new_session=True)
        try:
            return self._wait_ready(timeout)
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self, timeout):
        deadline = time.monotonic() + timeout
        buffer = b""
        while time.monotonic() < deadline:
            if select.select([self._process.stdout], [], [], 0.2)[0]:
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    break
                buffer += chunk
                for line in buffer.split(b"\n")[:-1]:
                    if line.startswith(b'{"ready":true'):
                        return json.loads(line)
        raise NotStarted(f"the OpenID provider did not start, exit status {self._process.poll()}:\n{self.log()}")

    def reload(self, settings, timeout=30):
        """New keys, and these settings; sessions and tokens stay."""
        self._settings.write_text(json.dumps(settings))
        self._process.send_signal(signal.SIGHUP)
        self._wait_ready(timeout)

    @property
    def pid(self):
        return self._process.pid

    def log(self):
        return self.log_file.read_text(errors="replace")

    def requests(self):
        """(method, path, status) of every answered request so far."""
        rows = (line.split(" ") for line in self.log().splitlines())
        return [(r[0], r[1], int(r[2])) for r in rows if len(r) == 3 and r[2].isdigit()]

    def stop(self):
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()
