"""The keys of a sandbox folder: made once, kept, private ones readable by their owner only."""

import base64
import datetime
import hashlib
import json
import os
import secrets
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from sandbox.store import FolderUnusable


class Unsealable(Exception):
    """The text was not sealed by this folder, or not as this kind of thing."""


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys:
    """Everything cryptographic that must outlive a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise FolderUnusable(f"{folder} cannot be used as a folder ({exc.strerror}). Name another.") from exc
        try:
            self._seal_key = self._kept("seal.key", lambda: secrets.token_bytes(32))
            self._seal = AESGCM(self._seal_key)
            self._load_authority()
            self._load_signing_key()
            # Read here once, so that a damaged file is told in words and not by the server that needs it.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.server_file)
            x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        except (ValueError, OSError) as exc:
            raise FolderUnusable(
                f"The keys in {folder} cannot be read ({exc}). Move the folder away to start with an empty sandbox."
            ) from exc

    # -- sealed texts: codes, refresh tokens, access tokens, the state of a sign-in page

    def seal(self, kind: str, body: dict[str, Any], pad: int = 0) -> str:
        """An opaque text that only this folder can make or read; pad makes it as long as Microsoft's."""
        nonce = secrets.token_bytes(12)
        plain = json.dumps(body, separators=(",", ":")).encode()
        return b64url(nonce + self._seal.encrypt(nonce, plain.ljust(pad), kind.encode()))

    def unseal(self, kind: str, text: str) -> dict[str, Any]:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            body: dict[str, Any] = json.loads(self._seal.decrypt(raw[:12], raw[12:], kind.encode()))
        except (ValueError, InvalidTag) as exc:
            raise Unsealable(kind) from exc
        return body

    def pairwise(self, client_id: str, oid: str) -> str:
        """The person's name for one app: stable, 43 characters, tells nothing of the person."""
        return b64url(hashlib.blake2b(f"{client_id}|{oid}".encode(), key=self._seal_key, digest_size=32).digest())

    # -- the https door

    @property
    def server_file(self) -> Path:
        return self._folder / "server.pem"

    @property
    def ca_file(self) -> Path:
        return self._folder / "ca.pem"

    def _load_authority(self) -> None:
        if not (self.ca_file.exists() and self.server_file.exists()):
            authority = trustme.CA(organization_name="Sandbox - not Microsoft")
            leaf = authority.issue_cert("localhost", "127.0.0.1")
            chain = leaf.private_key_pem.bytes() + b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
            # The authority's own key is thrown away: nobody can ever sign with what a machine was told to trust.
            self._write("server.pem", chain)
            self._write("ca.pem", authority.cert_pem.bytes(), mode=0o644)

    # -- the id_token's signature

    def _load_signing_key(self) -> None:
        if not ((self._folder / "signing.key").exists() and (self._folder / "signing.pem").exists()):
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pkcs8 = serialization.PrivateFormat.PKCS8
            pem = key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())
            self._write("signing.key", pem)
            self._write("signing.pem", _self_signed(key).public_bytes(serialization.Encoding.PEM))
        private = serialization.load_pem_private_key((self._folder / "signing.key").read_bytes(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError("signing.key is not an RSA key")
        self.signing_key = private
        certificate = x509.load_pem_x509_certificate((self._folder / "signing.pem").read_bytes())
        self.kid = b64url(certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - Entra's key ids are SHA-1 thumbprints
        self.jwk = _jwk(private, certificate, self.kid)

    # -- files

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        file = self._folder / name
        if not file.exists():
            self._write(name, make())
        return file.read_bytes()

    def _write(self, name: str, content: bytes, mode: int = 0o600) -> None:
        part = self._folder / f"{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / name)


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sandbox signing key - not Microsoft")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2000, 1, 1))
        .not_valid_after(datetime.datetime(3000, 1, 1))
        .sign(key, hashes.SHA256())
    )


def _jwk(key: rsa.RSAPrivateKey, certificate: x509.Certificate, kid: str) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    der = certificate.public_bytes(serialization.Encoding.DER)
    return {
        "kty": "RSA",
        "use": "sig",
        "kid": kid,
        "x5t": kid,
        "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        "e": b64url(numbers.e.to_bytes(3, "big")),
        "x5c": [base64.b64encode(der).decode()],
    }
