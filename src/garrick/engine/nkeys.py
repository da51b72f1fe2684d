"""Keys and tokens in the form NATS reads: Ed25519 keys in base32 with a checksum, and JWTs signed by them.

Owns two encodings and nothing about who may do what (that is `identity`). No key is ever logged; `repr` shows the
public half. Sources: the nkeys format (prefix byte, CRC-16/XMODEM little-endian, base32 without padding) and JWT
version 2 of NATS (`alg: ed25519-nkey`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from garrick.errors import BadCredentials

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ACCOUNT", "OPERATOR", "USER", "KeyPair", "claims_of", "encode_jwt", "verify_jwt"]

#: The first five bits of an encoded key make its first letter.
OPERATOR = 14 << 3  # O
ACCOUNT = 0  # A
USER = 20 << 3  # U
_SEED = 18 << 3  # S
_KINDS = {OPERATOR: "operator", ACCOUNT: "account", USER: "user"}


def _base32(raw: bytes) -> str:
    checked = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def _unbase32(text: str) -> bytes:
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise BadCredentials("a key is not valid base32") from None
    body, check = raw[:-2], raw[-2:]
    if len(body) < 33 or binascii.crc_hqx(body, 0).to_bytes(2, "little") != check:
        raise BadCredentials("a key is damaged: its checksum does not fit")
    if _base32(body) != text:  # the last letter has bits that stand for nothing; a key has one spelling all the same
        raise BadCredentials("a key is damaged: it is not written as keys are")
    return body


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class KeyPair:
    """One Ed25519 key of an operator, an account or a user."""

    __slots__ = ("_private", "kind", "public")

    def __init__(self, kind: int, private: Ed25519PrivateKey) -> None:
        raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.kind = kind
        self.public = _base32(bytes([kind]) + raw)
        self._private = private

    @classmethod
    def create(cls, kind: int) -> KeyPair:
        return cls(kind, Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: str) -> KeyPair:
        """Raises `BadCredentials` for anything that is no seed; the message never contains the text."""
        raw = _unbase32(seed.strip())
        kind = (raw[0] & 7) << 5 | raw[1] >> 3
        if raw[0] & 0xF8 != _SEED or kind not in _KINDS or len(raw) != 34:
            raise BadCredentials("a key is no seed of an operator, account or user")
        return cls(kind, Ed25519PrivateKey.from_private_bytes(raw[2:]))

    @property
    def seed(self) -> str:
        """The secret half. Goes into files with mode 0600 and nowhere else."""
        raw = self._private.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        return _base32(bytes([_SEED | self.kind >> 5, (self.kind & 31) << 3]) + raw)

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"<KeyPair {_KINDS[self.kind]} {self.public[:8]}>"


def encode_jwt(
    signer: KeyPair, subject: str, name: str, body: Mapping[str, Any], *, issued: int, expires: int | None = None
) -> str:
    """A NATS JWT. `body` is its `nats` part; times are seconds since 1970."""
    claims: dict[str, Any] = {"iat": issued, "iss": signer.public, "name": name, "sub": subject, "nats": dict(body)}
    if expires is not None:
        claims["exp"] = expires
    digest = hashlib.new("sha512_256", json.dumps(claims, sort_keys=True).encode()).digest()
    claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
    header = _base64url(b'{"typ":"JWT","alg":"ed25519-nkey"}')
    signed = f"{header}.{_base64url(json.dumps(claims, separators=(',', ':')).encode())}"
    return f"{signed}.{_base64url(signer.sign(signed.encode()))}"


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, *not* verified."""
    try:
        claims = json.loads(_unbase64url(token.split(".")[1]))
    except (IndexError, ValueError):
        raise BadCredentials("a token is damaged") from None
    if not isinstance(claims, dict):
        raise BadCredentials("a token is damaged")
    return claims


def verify_jwt(token: str) -> bool:
    """True if the token is signed by the key that it names as its issuer."""
    signed, _, signature = token.rpartition(".")
    issuer = _unbase32(claims_of(token)["iss"])[1:]
    try:
        Ed25519PublicKey.from_public_bytes(issuer).verify(_unbase64url(signature), signed.encode())
    except InvalidSignature:
        return False
    return True
