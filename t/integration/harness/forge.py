# SPDX-License-Identifier: Apache-2.0
"""Tokens and keys without any library's safety: every byte is the test's own choice."""

import base64
import hashlib
import hmac
import json
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"P-256": (ec.SECP256R1, 32), "P-384": (ec.SECP384R1, 48), "P-521": (ec.SECP521R1, 66)}
CURVE_OF = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def b64u(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64u_decode(text):
    if isinstance(text, str):
        text = text.encode()
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def b64u_int(number, size=None):
    size = size or max(1, (number.bit_length() + 7) // 8)
    return b64u(number.to_bytes(size, "big"))


def dump(value):
    """JSON text of a dict; bytes and text are taken as they are."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    """A private key and the JWK that belongs to it."""

    def __init__(self, kid, private):
        self.kid = kid
        self.private = private

    @classmethod
    def rsa(cls, kid, bits=2048, e=65537):
        return cls(kid, rsa.generate_private_key(public_exponent=e, key_size=bits))

    @classmethod
    def ec(cls, kid, curve="P-256"):
        return cls(kid, ec.generate_private_key(CURVES[curve][0]()))

    @classmethod
    def ed25519(cls, kid):
        return cls(kid, ed25519.Ed25519PrivateKey.generate())

    @property
    def kty(self):
        if isinstance(self.private, rsa.RSAPrivateKey):
            return "RSA"
        return "EC" if isinstance(self.private, ec.EllipticCurvePrivateKey) else "OKP"

    def jwk(self, **extra):
        out = {"kty": self.kty, "use": "sig"}
        if self.kid is not None:
            out["kid"] = self.kid
        public = self.private.public_key()
        if self.kty == "RSA":
            numbers = public.public_numbers()
            out |= {"n": b64u_int(numbers.n), "e": b64u_int(numbers.e)}
        elif self.kty == "EC":
            numbers = public.public_numbers()
            crv = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}[
                public.curve.name]
            size = CURVES[crv][1]
            out |= {"crv": crv, "x": b64u_int(numbers.x, size), "y": b64u_int(numbers.y, size)}
        else:
            from cryptography.hazmat.primitives import serialization as s
            raw = public.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
            out |= {"crv": "Ed25519", "x": b64u(raw)}
        out |= extra
        return {k: v for k, v in out.items() if v is not None}

    def public_pem(self):
        from cryptography.hazmat.primitives import serialization as s
        return self.private.public_key().public_bytes(
            s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)

    def public_der(self):
        from cryptography.hazmat.primitives import serialization as s
        return self.private.public_key().public_bytes(
            s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, alg, data, signature):
        public = self.private.public_key()
        try:
            if alg == "EdDSA":
                public.verify(signature, data)
            elif alg[0] == "E":
                size = (self.private.curve.key_size + 7) // 8
                if len(signature) != 2 * size:
                    return False
                r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
                public.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(HASHES[alg[2:]]()))
            else:
                digest = HASHES[alg[2:]]()
                way = padding.PKCS1v15() if alg[0] == "R" else padding.PSS(
                    mgf=padding.MGF1(digest), salt_length=digest.digest_size)
                public.verify(signature, data, way, digest)
        except InvalidSignature:
            return False
        return True

    def private_pem(self):
        from cryptography.hazmat.primitives import serialization as s
        return self.private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8,
                                          s.NoEncryption()).decode()

    def sign(self, alg, data, salt=None):
        if alg == "EdDSA":
            return self.private.sign(data)
        digest = HASHES[alg[2:]]()
        if alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            pss = padding.PSS(mgf=padding.MGF1(digest),
                              salt_length=digest.digest_size if salt is None else salt)
            return self.private.sign(data, pss, digest)
        der = self.private.sign(data, ec.ECDSA(digest))
        r, s = utils.decode_dss_signature(der)
        size = (self.private.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def hs_sign(alg, secret, data):
    if isinstance(secret, str):
        secret = secret.encode()
    return hmac.new(secret, data, {"256": hashlib.sha256, "384": hashlib.sha384,
                                   "512": hashlib.sha512}[alg[2:]]).digest()


def compact(header, payload, signature=b"", sign=None):
    """`sign` is called with the signing input; otherwise `signature` is used as it is."""
    head, body = b64u(dump(header)), b64u(dump(payload))
    data = f"{head}.{body}".encode()
    if sign is not None:
        signature = sign(data)
    return f"{head}.{body}.{b64u(signature)}"


def signed(header, payload, key, alg=None):
    """A well-formed JWS. `alg` of the signature defaults to the header's."""
    if alg is None:
        alg = header["alg"]
    if alg.startswith("HS"):
        return compact(header, payload, sign=lambda data: hs_sign(alg, key, data))
    return compact(header, payload, sign=lambda data: key.sign(alg, data))


# Bytes of the content's key and of its vector.
CONTENTS = {"A128GCM": (16, 12), "A256GCM": (32, 12), "A128CBC-HS256": (32, 16), "A256CBC-HS512": (64, 16)}


def public_key(jwk):
    """The key of a public JWK, RSA or EC."""
    number = lambda name: int.from_bytes(b64u_decode(jwk[name]), "big")
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    return ec.EllipticCurvePublicNumbers(number("x"), number("y"), CURVES[jwk["crv"]][0]()).public_key()


def agreed_key(public, alg, enc, header):
    """ECDH-ES (RFC 7518 4.6) with a new key, whose public half goes into the header."""
    mine = Key("-", ec.generate_private_key(public.curve))
    header["epk"] = {n: v for n, v in mine.jwk().items() if n in ("kty", "crv", "x", "y")}
    name, size = (enc, CONTENTS[enc][0]) if alg == "ECDH-ES" else (alg, int(alg[9:12]) // 8)
    info = b"".join(len(part).to_bytes(4, "big") + part for part in (
        name.encode(), b64u_decode(header.get("apu", "")), b64u_decode(header.get("apv", ""))))
    return ConcatKDFHash(hashes.SHA256(), size, info + (size * 8).to_bytes(4, "big")).derive(
        mine.private.exchange(ec.ECDH(), public))


def encrypted(text, jwk, alg="RSA-OAEP-256", enc="A256GCM", header=None, parts=None):
    """A JWE (RFC 7516) for the public JWK. `header` changes the correct one, None takes a member
    away. parts(list) -> the decoded segments to send, the header among them."""
    public, (size, vector) = public_key(jwk), CONTENTS[enc]
    head = {"alg": alg, "enc": enc, "cty": "JWT", "kid": jwk["kid"]}
    key, wrapped = secrets.token_bytes(size), b""
    if alg == "RSA-OAEP-256":
        wrapped = public.encrypt(key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    else:
        agreed = agreed_key(public, alg, enc, head)
        key, wrapped = (agreed, b"") if alg == "ECDH-ES" else (key, aes_key_wrap(agreed, key))
    head = {k: v for k, v in {**head, **(header or {})}.items() if v is not None}
    data = text if isinstance(text, bytes) else text.encode()
    iv, aad = secrets.token_bytes(vector), b64u(dump(head)).encode()
    if enc.endswith("GCM"):
        sealed = AESGCM(key).encrypt(iv, data, aad)
        sealed, tag = sealed[:-16], sealed[-16:]
    else:
        data += bytes([16 - len(data) % 16]) * (16 - len(data) % 16)
        cipher = Cipher(algorithms.AES(key[size // 2:]), modes.CBC(iv)).encryptor()
        sealed = cipher.update(data) + cipher.finalize()
        tag = hmac.new(key[:size // 2], aad + iv + sealed + (len(aad) * 8).to_bytes(8, "big"),
                       "sha256" if size == 32 else "sha512").digest()[:size // 2]
    segments = [b64u_decode(aad), wrapped, iv, sealed, tag]
    return ".".join(b64u(part) for part in (parts(segments) if parts else segments))


LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
SECURITY_EVENTS = "https://schemas.openid.net/secevent/"


def logout_token(header, claims, key):
    """A token with whatever header and claims; `events` and a new `jti` unless given, members of
    None are left out. The alg "none" has no signature."""
    claims = {"jti": secrets.token_hex(12), "events": {LOGOUT_EVENT: {}}, **claims}
    claims = {k: v for k, v in claims.items() if v is not None}
    header = {k: v for k, v in header.items() if v is not None}
    if header["alg"] == "none":
        return compact(header, claims)
    return signed(header, claims, key)


def half_hash(alg, text):
    """at_hash and c_hash (OIDC Core 3.1.3.6)."""
    name = "sha512" if alg == "EdDSA" else "sha" + alg[2:]
    digest = hashlib.new(name, text.encode()).digest()
    return b64u(digest[:len(digest) // 2])


DIGEST_INFO = {"256": bytes.fromhex("3031300d060960864801650304020105000420")}


def pkcs1_v15_unsigned(data, size):
    """EMSA-PKCS1-v1_5 of SHA-256: what a signature is when the exponent is 1."""
    info = DIGEST_INFO["256"] + hashlib.sha256(data).digest()
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


def bleichenbacher06(data, size):
    """A 'signature' for e=3 that passes checkers which ignore what follows the digest."""
    info = DIGEST_INFO["256"] + hashlib.sha256(data).digest()
    head = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info
    target = int.from_bytes(head + b"\xff" * (size - len(head)), "big")
    low, high = 0, 1 << (target.bit_length() // 3 + 2)
    while low < high:
        mid = (low + high + 1) // 2
        if mid ** 3 <= target:
            low = mid
        else:
            high = mid - 1
    assert (low ** 3).to_bytes(size, "big").startswith(head)
    return low.to_bytes(size, "big")


class Keys:
    """One set for a whole run: key generation is the slowest thing that the suite does."""

    def __init__(self):
        self.rsa = Key.rsa("rsa-1")
        self.rsa2 = Key.rsa("rsa-2")
        self.p256 = Key.ec("p256-1", "P-256")
        self.p384 = Key.ec("p384-1", "P-384")
        self.p521 = Key.ec("p521-1", "P-521")
        self.ed = Key.ed25519("ed-1")

    def for_alg(self, alg):
        if alg == "EdDSA":
            return self.ed
        if alg[0] in "RP":
            return self.rsa
        return {"P-256": self.p256, "P-384": self.p384, "P-521": self.p521}[CURVE_OF[alg]]
