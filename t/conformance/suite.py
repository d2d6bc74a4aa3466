# SPDX-License-Identifier: Apache-2.0
"""The REST interface of the OpenID Foundation's conformance suite, as far as it is driven."""

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

OVER = ("FINISHED", "INTERRUPTED")
# In its log these count against a module.
BAD = ("FAILURE", "WARNING")


class SuiteError(Exception):
    """The suite did not do what it was asked to."""


class Suite:
    """`url`: its public address. `mtls_url`: where it asks for client certificates; the next port, as in
    its own set-up, unless it is given. `patience`: how many times longer than on a quick machine it may take."""

    def __init__(self, url, mtls_url=None, patience=1):
        self.url = url.rstrip("/")
        self.patience = patience
        at = urllib.parse.urlsplit(self.url)
        self.host = at.hostname
        port = at.port or 443
        mtls = urllib.parse.urlsplit(mtls_url or f"https://{self.host}:{port + 1}")
        # It has a certificate that it made itself: whoever names its address means the one that is there.
        found = []
        for host, number in ((self.host, port), (mtls.hostname, mtls.port or 443)):
            try:
                found.append(ssl.get_server_certificate((host, number)))
            except OSError:
                if not found:
                    raise SuiteError(f"nothing answers at {self.url}") from None
        self.certificates = "".join(dict.fromkeys(found))
        self._tls = ssl.create_default_context(cadata=self.certificates)

    def call(self, method, path, body=None, expected=(200, 201), **parameters):
        url = path if path.startswith("https:") else f"{self.url}/{path}"
        if parameters:
            url += "?" + urllib.parse.urlencode(parameters)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60 * self.patience, context=self._tls) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read()
        except OSError as e:
            raise SuiteError(f"{method} {path}: {e}") from None
        if status not in expected:
            raise SuiteError(f"{method} {path}: {status} {text[:600].decode(errors='replace')}")
        return json.loads(text) if text.strip() else None

    @property
    def version(self):
        return self.call("GET", "api/server").get("version", "of unknown version")

    def plan(self, name, variant, configuration):
        """A new plan: its id, and its modules as (name, variant)."""
        made = self.call("POST", "api/plan", configuration, planName=name, variant=json.dumps(variant))
        return made["id"], [(m["testModule"], m.get("variant") or {}) for m in made["modules"]]

    def module(self, plan, name, variant):
        """A module that waits for what we do."""
        made = self.call("POST", "api/runner", test=name, plan=plan, variant=json.dumps(variant))
        module = Module(self, made["id"], name)
        module.wait("WAITING")
        return module


class Module:
    def __init__(self, suite, module_id, name):
        self.suite, self.id, self.name = suite, module_id, name

    def info(self):
        return self.suite.call("GET", f"api/info/{self.id}")

    @property
    def status(self):
        return self.info()["status"]

    @property
    def over(self):
        return self.status in OVER

    def wait(self, *states, seconds=60):
        """The state that it is in, once that is one of these or a last one."""
        end = time.monotonic() + seconds * self.suite.patience
        while (left := end - time.monotonic()) > 0:
            found = self.suite.call("GET", f"api/runner/{self.id}/wait-state", expected=(200, 404),
                                    states=",".join((*states, *OVER)), timeoutMs=int(min(left, 20) * 1000) or 1)
            if "state" in found:
                return found["state"]
            # The runner has forgotten it, what was written down has not.
            if "timeout" not in found and self.over:
                return self.status
        raise SuiteError(f"{self.name} is {self.status} and not {' or '.join(states or OVER)}")

    def ends(self, seconds):
        """Whether it is over within a while."""
        try:
            return self.wait(seconds=seconds) in OVER
        except SuiteError:
            return False

    @property
    def running(self):
        """What the suite shows of it: `exposed` values, and the addresses that the `browser` is to visit."""
        return self.suite.call("GET", f"api/runner/{self.id}")

    def visited(self, url):
        self.suite.call("POST", f"api/runner/browser/{self.id}/visit", url=url, expected=(200, 204))

    def cancel(self):
        self.suite.call("DELETE", f"api/runner/{self.id}", expected=(200, 204, 404))

    def complaints(self):
        """What counts against it, as (result, message), in the order of its log."""
        return [(entry["result"], f"{entry.get('src', '')}: {entry.get('msg', '')}")
                for entry in self.suite.call("GET", f"api/log/{self.id}") if entry.get("result") in BAD]

    def skipped_because(self):
        for entry in reversed(self.suite.call("GET", f"api/log/{self.id}")):
            if "skip" in str(entry.get("msg", "")).lower() or entry.get("result") == "SKIPPED":
                return entry["msg"]
        return ""
