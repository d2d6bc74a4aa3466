# SPDX-License-Identifier: Apache-2.0
"""Real applications behind nginx, as docs/backends has them: the blocks of a page, packages of Debian that are
unpacked and not installed, programs that a test starts and ends."""

import os
import re
import shutil
import socket
import subprocess
import time

from .nginx import ROOT, SLOW
from .site import Site

PAGES = ROOT / "docs" / "backends"
CACHE = ROOT / "build" / "backends"


class Unavailable(Exception):
    """An application cannot be had here; the message says why."""


# ---- what a page says

FENCE = re.compile(r"(?:^<!-- (?P<note>.+?) -->\n+)?^```(?P<kind>\w+)\n(?P<code>.*?)^```", re.M | re.S)


def blocks(page, kind):
    """The blocks of a kind on a page, in order."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    found = [match["code"] for match in FENCE.finditer(text) if match["kind"] == kind]
    assert found, f"{page}.md has no block of {kind}"
    return found


class PageSite(Site):
    """A site whose whole configuration is the first nginx block of a page. `places`: what stands in the page, and
    what is in its place here; `after`: further servers."""

    def __init__(self, lab, page, places=(), after="", **arguments):
        self.page, self.places, self.after = page, dict(places), after
        super().__init__(lab, control=False, default_locations=False, **arguments)

    def render(self, **_):
        secret = self.folder / "secret"
        secret.write_text(self.idp.client_secret)
        secret.chmod(0o600)
        code = self.here(blocks(self.page, "nginx")[0])
        code = re.sub(r"^ *ssl_certificate(?:_key)? .*\n", "", code, flags=re.M)
        code = re.sub(r"listen +443 ssl;", "listen 127.0.0.1:@PORT@ ssl; @CERT@ oidc_base_url @ORIGIN@;", code)
        code = re.sub(r"issuer +\S+;", f"issuer {self.idp.issuer}; insecure_http on;", code)
        code = re.sub(r"client_id +\S+;", f"client_id {self.idp.client_id};", code)
        code = re.sub(r"/etc/nginx/secrets/www\b", str(secret), code)
        # What an application has answered is told from what nginx has: its address is known then, and only then.
        code = re.sub(r"((?:proxy|fastcgi)_pass +[^;]+;)", r"add_header X-Backend $upstream_addr always; \1", code)
        code = code.replace("www.example.com", "app.test") + self.here(self.after)
        return self.fill(code)

    def here(self, text):
        """A text of the page, with the paths and addresses of this machine."""
        text = text.replace("https://www.example.com", self.origin_text)
        for of_the_page, ours in self.places.items():
            text = text.replace(of_the_page, str(ours))
        return text

    def sign_in(self, target="/", **user):
        """A browser with a session, of `user` claims over the default ones."""
        saved = self.idp.user
        self.idp.user = {**saved, **user}
        browser = self.browser()
        browser.login(target, follow=False)
        self.idp.user = saved
        return browser


# ---- packages of Debian

def packages(name, *wanted):
    """A folder with the contents of packages of this Debian. They are not installed: nothing of the machine
    changes, and no service starts."""
    tree = CACHE / name
    mark = tree / ".complete"
    if mark.exists() and mark.read_text() == " ".join(wanted):
        return tree
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Unavailable("packages of Debian are needed: " + " ".join(wanted))
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *wanted], cwd=tree,
                          capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise Unavailable((done.stderr or done.stdout).strip()[-300:])
    for package in sorted(tree.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(tree)], check=True, timeout=600)
        package.unlink()
    mark.write_text(" ".join(wanted))
    return tree


def with_needed(package, names):
    """A package and those that it needs whose names fit: each Debian has others."""
    if not shutil.which("apt-cache"):
        raise Unavailable(f"packages of Debian are needed: {package}")
    told = subprocess.run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
                           "--no-breaks", "--no-replaces", "--no-enhances", package],
                          capture_output=True, text=True, timeout=120, check=False).stdout
    found = sorted({package, *re.findall(rf"^({names})$", told, re.M)})
    if len(found) == 1:
        raise Unavailable(f"apt does not know {package}")
    return found


def with_python(package):
    return [name for name in with_needed(package, r"python3-[\w.-]+") if name != "python3-minimal"]


def with_php(package):
    return with_needed(package, r"(?:lib)?php-[\w.-]+")


def installed(command):
    path = shutil.which(command)
    if path is None:
        raise Unavailable(f"there is no {command}")
    return path


# ---- programs

class Program:
    """A program that serves at a port, or at a socket, until the test ends."""

    def __init__(self, command, place, log, env=None, cwd=None):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=out, cwd=cwd,
                                            stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        end = time.monotonic() + 30 * SLOW
        while not self.answers(place):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"{command[0]} did not start:\n{self.said()}")
            time.sleep(0.02)

    @staticmethod
    def answers(place):
        try:
            if isinstance(place, int):
                socket.create_connection(("127.0.0.1", place), timeout=1).close()
            else:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(place))
            return True
        except OSError:
            return False

    def said(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def php_fpm():
    """(command, environment) of the PHP that is installed; its FastCGI server from the archive where it is not."""
    version = subprocess.run([installed("php"), "-r", 'echo PHP_MAJOR_VERSION.".".PHP_MINOR_VERSION;'],
                             capture_output=True, text=True, timeout=60, check=True).stdout
    # The extensions that the command line has.
    env = {"PHP_INI_SCAN_DIR": f"/etc/php/{version}/cli/conf.d"}
    path = shutil.which(f"php-fpm{version}", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        # With the one library of those it needs that the command line does not bring.
        tree = packages("php-fpm", f"php{version}-fpm", "libapparmor1")
        path = tree / f"usr/sbin/php-fpm{version}"
        env["LD_LIBRARY_PATH"] = ":".join(str(folder) for folder in tree.glob("usr/lib/*-linux-*"))
    return str(path), env


def with_extensions(folder, files):
    """A folder of settings that load them."""
    settings = folder / "extensions"
    settings.mkdir(exist_ok=True)
    (settings / "50-more.ini").write_text("".join(f"extension={file}\n" for file in files))
    return settings


class Php(Program):
    """php-fpm at a socket of its own. `values`: of php.ini; `extensions`: files of further ones; `variables`: of
    the environment of its workers."""

    def __init__(self, folder, values=(), extensions=(), variables=()):
        command, env = php_fpm()
        env["PHP_INI_SCAN_DIR"] += f":{with_extensions(folder, extensions)}"
        self.socket = folder / "php.sock"
        conf = folder / "php-fpm.conf"
        who = "user = root\ngroup = root\n" if os.getuid() == 0 else ""
        settings = "".join(f"php_admin_value[{name}] = {value}\n" for name, value in dict(values).items())
        settings += "".join(f"env[{name}] = {value}\n" for name, value in dict(variables).items())
        conf.write_text(f"[global]\nerror_log = {folder}/php.log\ndaemonize = no\n"
                        f"[www]\n{who}listen = {self.socket}\nlisten.mode = 0666\npm = static\npm.max_children = 2\n"
                        f"catch_workers_output = yes\nphp_admin_value[log_errors] = 1\n{settings}")
        root = ["-R"] if os.getuid() == 0 else []
        super().__init__([command, *root, "-F", "-y", conf], self.socket, folder / "php.log", env)
