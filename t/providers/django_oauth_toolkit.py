# SPDX-License-Identifier: Apache-2.0
"""Django OAuth Toolkit of PyPI, in the project of django_op/."""

import json
import os
import pathlib
import secrets
import subprocess

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import obtain
from child import Child
from provider import TOKEN_LIFE, Provider
from real_provider import JANE, USER

PROJECT = pathlib.Path(__file__).resolve().parent / "django_op"
PYTHON = "/usr/bin/python3"


def new_key():
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()).decode()


class DjangoOAuthToolkit(Provider):
    name = "Django OAuth Toolkit"
    version = "3.4.1"
    directives = {"userinfo": "on", "backchannel_logout_uri": None}
    gaps = {"recent_sign_in": "knows no max_age",
            "log_out_there": "no back-channel logout",
            "log_out_there_with_a_new_key": "no back-channel logout",
            "new_key_of_the_same_name": "names a key by its value",
            "new_key_of_another_type": "signs with RSA keys only",
            "log_out_here_after_a_change_of_type": "signs with RSA keys only"}

    @classmethod
    def obtain(cls):
        cls.packages = obtain.python_packages(
            f"django-oauth-toolkit-{cls.version}",
            [f"django-oauth-toolkit=={cls.version}", "django>=5.2,<6"])

    def __init__(self, lab):
        super().__init__(lab, "/o", {"authorize": "/o/authorize/", "logout": "/o/logout/"})
        self._settings = {}

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        self._file = folder / "django.json"
        self._environment = {"OP_SETTINGS": str(self._file), "PYTHONDONTWRITEBYTECODE": "1",
                             "PYTHONPATH": f"{PROJECT}:{self.packages}"}
        self._write(secret=secrets.token_hex(32), issuer=self.issuer, port=self.port,
                    database=str(folder / "django.sqlite3"), key=new_key(), client=client,
                    access_token_seconds=TOKEN_LIFE, user={**JANE, "username": USER},
                    tls={"cert": str(leaf.cert_file), "key": str(leaf.key_file)})
        self._run("register")
        return Child([PYTHON, PROJECT / "main.py", "serve"], folder / "django.log",
                     lambda: self.answers(f"{self.issuer}/.well-known/openid-configuration"),
                     self._environment)

    def _write(self, **changes):
        self._settings |= changes
        self._file.touch(0o600)
        self._file.write_text(json.dumps(self._settings))

    def _run(self, command):
        done = subprocess.run([PYTHON, PROJECT / "main.py", command], capture_output=True,
                              text=True, timeout=600, check=False,
                              env={**os.environ, **self._environment})
        assert done.returncode == 0, done.stderr

    def change_key(self, alg):
        assert alg == "RS256"
        self._write(key=new_key())
        self._running.restart()

    def disable_user(self):
        self._run("disable")
