"""The private directory of a user: own keys, whom the user trusts, and the highest versions seen.

Owns the layout ``<home>/`` with ``keys/NAME.key`` (0600), ``keys/NAME.pub``, ``trust.json`` and ``highest.json``, where home is
``$GARRICK_HOME``, else ``$XDG_DATA_HOME/garrick``, else ``~/.local/share/garrick``. Invariants:

* Everything is closed to other users (0700, 0600), or it is refused.
* A file is replaced in one step, under a lock: a reader sees the old or the new one, and two writers do not lose each other's change.
* The highest version of a group only grows.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from garrick.errors import BadKey, InvalidArgument
from garrick.sources import keys
from garrick.sources.keys import PublicKey
from garrick.sources.manifest import version_key
from garrick.sources.private import private_folder
from garrick.sources.trust import Trust, TrustedKey


def home() -> Path:
    """Where the keyring of this user is, unless told otherwise."""
    given = os.environ.get("GARRICK_HOME")
    if given:
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "garrick"


class Keyring:
    """Keys and trust of one user.

    Args:
        directory: another one than `home()`.

    Raises:
        BadKey: the directory belongs to or is open to somebody else.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or home()
        for each in (self.directory, self.directory / "keys"):
            private_folder(each, "keys", "GARRICK_HOME", BadKey)

    # --- own keys -------------------------------------------------------------------------------------------------------

    def new(self, name: str) -> PublicKey:
        """Make a pair of keys.

        Raises:
            InvalidArgument: no name for a key, or it is taken.
        """
        if not keys.NAME.match(name):
            raise InvalidArgument(f"{name!r} is no name for a key", hint="letters, digits, and . _ @ - between them")
        pem = keys.new()
        public = keys.public_of(name, pem)
        try:
            descriptor = os.open(self._private(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise InvalidArgument(f"there is a key {name} already", hint="choose another name") from None
        with open(descriptor, "wb") as file:
            file.write(pem)
        self.public_file(name).write_text(public.text())
        return public

    def private(self, name: str) -> bytes:
        """The private key of this name, as PEM.

        Raises:
            BadKey: there is none, or others can read it.
        """
        path = self._private(name)
        try:
            found = path.lstat()
            pem = path.read_bytes()
        except OSError:
            raise BadKey(f"there is no key {name} in {path.parent}") from None
        if found.st_mode & 0o077 or found.st_uid != os.getuid():
            raise BadKey(f"{path} is open to other users", hint=f"make a new key, or chmod 600 {path}")
        return pem

    def own(self) -> list[PublicKey]:
        """The pairs that are here, by name."""
        return [
            keys.public_of(path.stem, self.private(path.stem))
            for path in sorted((self.directory / "keys").glob("*.key"))
        ]

    def public_file(self, name: str) -> Path:
        """The file of a public key: what others need for trusting it."""
        return self.directory / "keys" / f"{name}.pub"

    def _private(self, name: str) -> Path:
        if not keys.NAME.match(name):
            raise BadKey(f"{name!r} is no name of a key")
        return self.directory / "keys" / f"{name}.key"

    # --- trust ----------------------------------------------------------------------------------------------------------

    def trust(self) -> Trust:
        """Whom this user trusts, and the highest versions seen."""
        stored = self._read("trust.json", {"keys": {}, "thresholds": {}})
        known = {
            key: TrustedKey(**{**entry, "public": b64decode(entry["public"]), "groups": tuple(entry["groups"])})
            for key, entry in stored["keys"].items()
        }
        return Trust(known, stored["thresholds"], self._read("highest.json", {}))

    def add(
        self,
        key: PublicKey,
        groups: Sequence[str],
        *,
        threshold: int | None = None,
        valid_from: int | None = None,
        valid_until: int | None = None,
    ) -> TrustedKey:
        """Trust a key; one that was trusted gets these groups and times instead. A revoked one stays revoked.

        Args:
            key: the public key.
            groups: patterns of the names of bundles that it may stand for.
            threshold: how many keys must stand for bundles of these groups from now on; None: as before.
            valid_from: seconds since 1970.
            valid_until: seconds since 1970.

        Raises:
            BadKey: it was revoked.
        """
        with self._locked():
            trust = self.trust()
            if key.id in trust.keys and trust.keys[key.id].revoked is not None:
                raise BadKey(
                    f"the key {key.name} was revoked, for ever", hint="its owner makes a new one: garrick key new"
                )
            added = TrustedKey(key.name, key.public, tuple(groups), valid_from, valid_until)
            more = {} if threshold is None else dict.fromkeys(groups, threshold)
            self._write_trust(
                replace(trust, keys={**trust.keys, key.id: added}, thresholds={**trust.thresholds, **more})
            )
        return added

    def revoke(self, key: str, reason: str) -> TrustedKey:
        """Never trust a key again.

        Args:
            key: its name, or the beginning of its identity (8 digits or more).
            reason: is shown when a bundle is refused for it.

        Raises:
            BadKey: there is none, or several.
        """
        with self._locked():
            trust = self.trust()
            matching = [
                each
                for each, known in trust.keys.items()
                if known.name == key or (len(key) >= 8 and each.startswith(key))
            ]
            if len(matching) != 1:
                raise BadKey(f"{len(matching) or 'none'} of the trusted keys is called {key}")
            revoked = replace(trust.keys[matching[0]], revoked=reason)
            self._write_trust(replace(trust, keys={**trust.keys, matching[0]: revoked}))
        return revoked

    def remember(self, group: str, version: str) -> None:
        """A version was accepted: older ones are refused from now on."""
        with self._locked():
            highest = self._read("highest.json", {})
            if group not in highest or version_key(version) > version_key(highest[group]):
                self._write("highest.json", {**highest, group: version})

    # --- files ----------------------------------------------------------------------------------------------------------

    def _write_trust(self, trust: Trust) -> None:
        entries = {
            key: {**asdict(known), "public": b64encode(known.public).decode()} for key, known in trust.keys.items()
        }
        self._write("trust.json", {"keys": entries, "thresholds": dict(trust.thresholds)})

    def _read(self, name: str, otherwise: dict[str, Any]) -> dict[str, Any]:
        path = self.directory / name
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return otherwise
        except ValueError:
            raise BadKey(f"{path} is damaged", hint="bring it back from a copy; nobody is trusted meanwhile") from None
        return found

    def _write(self, name: str, content: dict[str, Any]) -> None:
        path = self.directory / f".{name}.{os.getpid()}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, self.directory / name)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
