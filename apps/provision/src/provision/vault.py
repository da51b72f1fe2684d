"""Secrets at rest: what a customer typed as a password is encrypted in the database until its action ends.

Owns the key file, which lies beside the database and belongs to its user alone. Knows nothing of tables.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet

from provision.protocol import Secret


class Vault:
    """Seals and opens secrets with one key.

    Args:
        path: the key file; made when it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._fernet = Fernet(_key(Path(path)))

    def seal(self, secret: Secret) -> bytes:
        return self._fernet.encrypt(secret.reveal().encode())

    def open(self, sealed: bytes) -> Secret:
        """The secret again.

        Raises:
            cryptography.fernet.InvalidToken: it was sealed with another key, or has been damaged.
        """
        return Secret(self._fernet.decrypt(sealed).decode())


def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    # Written beside and linked into place, so that of two first users both end with the same whole key.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(Fernet.generate_key())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()
