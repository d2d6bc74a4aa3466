# SPDX-License-Identifier: Apache-2.0
"""Configurations of documents, with the paths and addresses of this machine."""

import re

import pytest


@pytest.fixture(scope="session", name="files")
def files_of_the_guides(lab):
    folder = lab.folder / "guides"
    (folder / "sessions").mkdir(parents=True, exist_ok=True)
    for name, text in (("secret", "s" * 40), ("key", "0123456789abcdef" * 4), ("assertion", "a" * 40)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "espocrm_php.conf").write_text("fastcgi_pass unix:/run/php/php8.2-fpm.sock;\n")
    return folder


def here(code, lab, files):
    """A block with paths and addresses of this machine."""
    def path(match):
        name = match[0]
        if "state" in name or "/var/lib/" in name:
            return str(files / "sessions" / "state")
        return str(files / ("key" if "sessions" in name else "assertion" if "assertion" in name else "secret"))
    tls = f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key {lab.pki.site.key_file};"
    code = re.sub(r"^ *ssl_certificate(?:_key)? .*\n", "", code, flags=re.M)
    code = re.sub(r"(?:/etc/nginx|/var/lib/nginx)/[\w./-]+", path, code)
    code = re.sub(r"listen +443 ssl;", f"listen 127.0.0.1:1 ssl; {tls}", code)
    code = code.replace("include espocrm_php.conf", f"include {files}/espocrm_php.conf")
    return re.sub(r"\w+\.internal\b", "127.0.0.1", code)
