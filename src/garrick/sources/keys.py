"""Ed25519 keys: making them, their files, signing and checking.

Owns the use of the package `cryptography`. Must not know where files are. A private key is a PEM file, a public key one line of JSON that
can be sent by mail; its identity is the SHA-256 of the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from garrick.errors import BadKey
from garrick.sources.container import Opened, Signature, statement

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key and the name that its owner gave it."""

    name: str
    public: bytes

    @property
    def id(self) -> str:
        """Its identity, in hexadecimal."""
        return hashlib.sha256(self.public).hexdigest()

    def text(self) -> str:
        """The content of its file."""
        encoded = base64.b64encode(self.public).decode()
        return json.dumps({"garrick-key": 1, "name": self.name, "public": encoded}) + "\n"


def public_from(text: str) -> PublicKey:
    """The public key of a file.

    Raises:
        BadKey: it is none.
    """
    try:
        value = json.loads(text)
        key = PublicKey(value["name"], base64.b64decode(value["public"], validate=True))
        if value["garrick-key"] == 1 and len(key.public) == 32 and NAME.match(key.name):
            return key
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        pass
    raise BadKey("this is no public key of Garrick", hint="it is the file NAME.pub that `garrick key new NAME` made")


def new() -> bytes:
    """A new private key, as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey("this is no private key of Garrick")
    return key


def public_of(name: str, pem: bytes) -> PublicKey:
    """The public part of a private key.

    Raises:
        BadKey: it is none.
    """
    return PublicKey(name, _private(pem).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def sign(opened: Opened, name: str, pem: bytes, *, expires: int | None = None, rollback: bool = False) -> Opened:
    """The bundle with one more signature; an earlier one of the same key is replaced.

    Args:
        opened: the bundle.
        name: of the key.
        pem: the private key.
        expires: seconds since 1970 after which the signature does not count any more.
        rollback: whether the bundle may follow a newer version.

    Raises:
        BadKey: it is none.
    """
    key = public_of(name, pem).id
    made = Signature(key, expires, rollback, _private(pem).sign(statement(opened.text, key, expires, rollback)))
    return replace(opened, signatures=(*(each for each in opened.signatures if each.key != key), made))


def check(public: bytes, signature: bytes, said: bytes) -> bool:
    """Whether a signature is right."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True
