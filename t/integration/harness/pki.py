# SPDX-License-Identifier: Apache-2.0
"""A throw-away certificate authority, and certificates that must not be believed."""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_identifier(key):
    """RFC 5280 4.2.1.1 asks for it in every certificate; Python 3.13 refuses those without."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


class Authority:
    def __init__(self, folder, common, parent=None, is_ca=True):
        self.folder = pathlib.Path(folder)
        self.common = common
        self.parent = parent
        self.key = ec.generate_private_key(ec.SECP256R1())
        issuer = parent or self
        now = datetime.datetime.now(datetime.timezone.utc)
        self.cert = (
            x509.CertificateBuilder()
            .subject_name(_name(common)).issuer_name(_name(issuer.common))
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY).not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .add_extension(x509.KeyUsage(True, False, False, False, False, is_ca, is_ca, False,
                                         False), critical=True)
            .add_extension(_key_identifier(issuer.key), critical=False)
            .sign(issuer.key, hashes.SHA256()))
        self.file = self.folder / (common.replace(" ", "-") + ".pem")
        self.file.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def issue(self, label, dns=(), ips=(), common="leaf", start=-DAY, end=30 * DAY,
              usage=ExtendedKeyUsageOID.SERVER_AUTH, self_signed=False, chain=(), key=None):
        """Writes certificate (plus `chain`) and key; returns their paths."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        signer = key if self_signed else self.key
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common)).issuer_name(_name(common if self_signed else self.common))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + start).not_valid_after(now + end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(_key_identifier(signer), critical=False))
        if dns or ips:
            names = [x509.DNSName(d) for d in dns]
            names += [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        cert = builder.sign(signer, hashes.SHA256())
        pem = cert.public_bytes(serialization.Encoding.PEM)
        for authority in chain:
            pem += authority.cert.public_bytes(serialization.Encoding.PEM)
        cert_file = self.folder / f"{label}.crt"
        key_file = self.folder / f"{label}.key"
        cert_file.write_bytes(pem)
        key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        key_file.chmod(0o600)
        return Leaf(cert_file, key_file, cert)

    def crl(self, label, revoked):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(_name(self.common))
                   .last_update(now - DAY).next_update(now + DAY)
                   .add_extension(_key_identifier(self.key), critical=False))
        for cert in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(cert.serial_number)
                .revocation_date(now - DAY / 2).build())
        path = self.folder / f"{label}.crl"
        path.write_bytes(builder.sign(self.key, hashes.SHA256())
                         .public_bytes(serialization.Encoding.PEM))
        return path


class Leaf:
    def __init__(self, cert_file, key_file, cert):
        self.cert_file = cert_file
        self.key_file = key_file
        self.cert = cert


class Pki:
    """CA, the vhosts' certificate, a good one for the provider, and a zoo of bad ones."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = Authority(folder, "test ca")
        self.other_ca = Authority(folder, "stranger ca")
        self.intermediate = Authority(folder, "middle ca", parent=self.ca)
        self.no_ca = Authority(folder, "not an authority", parent=self.ca, is_ca=False)
        self.site = self.ca.issue("site", dns=["app.test", "alt.test", "*.app.test"],
                                  ips=["127.0.0.1"], common="app.test")
        self.idp = self.ca.issue("idp", dns=["localhost"], ips=["127.0.0.1", "::1"])
        names = {"dns": ["localhost"], "ips": ["127.0.0.1"]}
        self.bad = {
            "expired": self.ca.issue("expired", end=-DAY / 2, **names),
            "not-yet-valid": self.ca.issue("future", start=DAY, **names),
            "other-host": self.ca.issue("other", dns=["idp.elsewhere.test"]),
            "self-signed": self.ca.issue("selfsigned", self_signed=True, common="localhost",
                                         **names),
            "unknown-ca": self.other_ca.issue("unknown", **names),
            "cn-only": self.ca.issue("cnonly", common="localhost"),
            "missing-intermediate": self.intermediate.issue("nochain", **names),
            "issuer-not-ca": self.no_ca.issue("fakeca", chain=[self.no_ca], **names),
            "client-usage": self.ca.issue("clientonly", usage=ExtendedKeyUsageOID.CLIENT_AUTH,
                                          **names),
            "partial-wildcard": self.ca.issue("wild", dns=["local*"]),
            "other-ip": self.ca.issue("otherip", ips=["127.0.0.9"]),
        }
        self.chained = self.intermediate.issue("chained", chain=[self.intermediate], **names)
        self.revoked = self.ca.issue("revoked", **names)
        self.crl = self.ca.crl("revoked", [self.revoked.cert])
