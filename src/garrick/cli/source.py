"""``garrick source``: makes, signs, shows and compares bundles.

Owns what the commands print and their exit codes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from garrick.cli import OK
from garrick.cli.render import note, say, say_json, table
from garrick.cli.target import choose
from garrick.errors import BadKey, BundleRefused, InvalidArgument
from garrick.sources import keys
from garrick.sources.build import build as build_bundle
from garrick.sources.container import Limits, Opened, members, read, write
from garrick.sources.difference import difference
from garrick.sources.keyring import Keyring
from garrick.sources.manifest import Isolation, Manifest, parse
from garrick.sources.store import Store
from garrick.sources.verify import verify

SHOWN = 20
"""Files that are listed unless all are asked for."""


def build(
    roots: Sequence[Path],
    *,
    name: str,
    version: str,
    wheels: Sequence[Path],
    python: str,
    isolation: Isolation,
    output: Path | None,
    uses: Sequence[Path] = (),
) -> int:
    """Make a bundle, and print where it is."""
    if not roots and not wheels:
        raise InvalidArgument("nothing to build", hint="give packages, modules or folders with such, or --wheel")
    used = [_bytes(path) for path in uses]
    data = build_bundle(roots, name, version, wheels=wheels, python=python, isolation=isolation, uses=used)
    path = output or Path(f"{name}-{version}.srcb")
    _write(path, data)
    opened = read(data, Limits())
    manifest = parse(opened.text)
    if manifest.native:
        note("it has compiled extensions: its actors will have processes of their own")
    say(f"{path}: {manifest.name} {manifest.version}, {len(manifest.files)} files, {opened.hash}")
    return OK


def sign(path: Path, key: str, *, days: float | None, rollback: bool) -> int:
    """Add a signature to a bundle."""
    opened = _read(path)
    manifest = parse(opened.text)
    members(manifest, opened.archive, Limits())  # nobody should stand for what would be refused anyway
    expires = None if days is None else int(time.time() + days * 86400)
    signed = keys.sign(opened, key, Keyring().private(key), expires=expires, rollback=rollback)
    _write(path, write(signed.text, signed.signatures, signed.archive))
    say(f"{path}: {manifest.name} {manifest.version} signed by {key}, {len(signed.signatures)} in all")
    return OK


def show(path: Path, *, every: bool, output: str) -> int:
    """Show what a bundle says of itself, who signed it, and whether it would be accepted here."""
    data = _bytes(path)
    opened = read(data, Limits())
    manifest = parse(opened.text)
    trust = Keyring().trust()
    refusal = None
    try:
        verify(data, trust, time.time(), keys.check)
    except BundleRefused as error:
        refusal = error
    signatures: list[dict[str, Any]] = [
        {
            "key": each.key,
            "name": trust.keys[each.key].name if each.key in trust.keys else None,
            "expires": each.expires,
            "rollback": each.rollback,
        }
        for each in opened.signatures
    ]
    if output == "json":
        say_json(
            {
                **_fields(manifest),
                "hash": opened.hash,
                "signatures": signatures,
                "refused": None if refusal is None else {"code": refusal.code, "reason": refusal.args[0]},
                "files": [{"path": each.path, "size": each.size, "sha256": each.digest} for each in manifest.files],
            }
        )
        return OK
    for field, value in {**_fields(manifest), "hash": opened.hash}.items():
        say(f"{field:<10} {value}")
    verdict = "accepted here" if refusal is None else f"refused here: {refusal}"
    say(f"{'verdict':<10} {verdict}")
    rows = [[each["key"][:8], each["name"], _day(each["expires"]), _yes(each["rollback"])] for each in signatures]
    say(*table("signatures", ["key", "name", "expires", "rollback"], rows))
    files = manifest.files if every else manifest.files[:SHOWN]
    more = len(manifest.files) - len(files)
    say(*table("files", ["path", "size", "sha256"], [[f.path, f.size, f.digest[:8]] for f in files], more=more))
    return OK


def load(path: Path, system: str | None, *, development: bool, output: str, timeout: float) -> int:
    """Take a bundle into a running system: checked here, put into the store of this user, and decided about there."""
    target = choose(system, timeout)
    data = _bytes(path)
    ring = Keyring()
    trust = ring.trust()
    verified = verify(data, trust, time.time(), keys.check)
    mine = {key.id for key in ring.own()}
    manifest = verified.manifest
    params: dict[str, Any] = {
        "hash": verified.hash,
        "name": manifest.name,
        "version": manifest.version,
        "signers": list(verified.signers),
        "own": [known.name for key, known in trust.keys.items() if key in mine],
        "development": development,
    }
    store = Store()
    known = verified.hash in store.hashes()
    store.add(verified, data)
    try:
        found = target.ask("source.load", **params, grace=timeout / 2)
    except BaseException:
        if not known:
            store.remove(verified.hash)
        raise
    ring.remember(manifest.name, manifest.version)
    if output == "json":
        say_json({"system": target.name, **found})
    else:
        say(f"{manifest.name}@{manifest.version} ({verified.hash[:8]}) is {found['state']}")
    return OK


def diff(old: Path, new: Path, *, output: str) -> int:
    """Show what differs between two bundles."""
    found = difference(parse(_read(old).text), parse(_read(new).text))
    if output == "json":
        say_json(
            {
                "fields": {field: {"old": before, "new": after} for field, (before, after) in found.fields.items()},
                "added": list(found.added),
                "removed": list(found.removed),
                "changed": list(found.changed),
            }
        )
        return OK
    lines = [f"{field}: {before} -> {after}" for field, (before, after) in found.fields.items()]
    lines += [f"+ {path}" for path in found.added]
    lines += [f"- {path}" for path in found.removed]
    lines += [f"~ {path}" for path in found.changed]
    say(*(lines or ["the same bundle"]))
    return OK


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "python": manifest.python,
        "isolation": manifest.isolation,
        "native": manifest.native,
        **({"uses": ", ".join(f"{top} of {digest[:8]}" for top, digest in manifest.uses)} if manifest.uses else {}),
    }


def _day(at: int | None) -> str:
    return "never" if at is None else time.strftime("%Y-%m-%d", time.gmtime(at))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(Limits().header + Limits().total + 2**20)
    except OSError as error:
        raise InvalidArgument(f"{path} can't be read: {error.strerror}", hint="give the file of a bundle") from None


def _read(path: Path) -> Opened:
    return read(_bytes(path), Limits())


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InvalidArgument(f"{path} can't be written: {error.strerror}", hint="give another --output") from None


# --- garrick key -----------------------------------------------------------------------------------------------------


def key_new(name: str) -> int:
    """Make a pair of keys."""
    ring = Keyring()
    key = ring.new(name)
    say(f"{key.name} {key.id}", f"give this to those who should trust it: {ring.public_file(name)}")
    return OK


def key_show(output: str) -> int:
    """Show the own keys and those that are trusted."""
    ring = Keyring()
    own, trust = ring.own(), ring.trust()
    if output == "json":
        trusted = [
            {
                "name": each.name,
                "id": key,
                "groups": list(each.groups),
                "valid_from": each.valid_from,
                "valid_until": each.valid_until,
                "revoked": each.revoked,
            }
            for key, each in sorted(trust.keys.items(), key=lambda item: item[1].name)
        ]
        say_json(
            {
                "own": [{"name": each.name, "id": each.id} for each in own],
                "trusted": trusted,
                "thresholds": dict(trust.thresholds),
                "highest": dict(trust.highest),
            }
        )
        return OK
    if not own and not trust.keys:
        say("no keys; garrick key new NAME makes one")
    say(*table("own keys", ["name", "id"], [[each.name, each.id] for each in own]))
    rows = [
        [each.name, key[:8], " ".join(each.groups), _day(each.valid_until), each.revoked]
        for key, each in sorted(trust.keys.items(), key=lambda item: item[1].name)
    ]
    say(*table("trusted keys", ["name", "id", "groups", "until", "revoked"], rows))
    say(
        *table(
            "keys needed", ["groups", "count"], [[group, number] for group, number in sorted(trust.thresholds.items())]
        )
    )
    return OK


def key_trust(key: str, groups: Sequence[str], *, threshold: int | None, days: float | None) -> int:
    """Trust a public key."""
    ring = Keyring()
    path = Path(key)
    if not path.is_file():
        path = ring.public_file(key) if keys.NAME.match(key) else path
    try:
        public = keys.public_from(path.read_text())
    except (OSError, UnicodeDecodeError):
        raise BadKey(f"there is no file {key}, and no own key of that name") from None
    if threshold is not None and threshold < 1:
        raise InvalidArgument("a threshold is at least 1", hint="leave it out for one key")
    until = None if days is None else int(time.time() + days * 86400)
    ring.add(public, list(groups) or ["*"], threshold=threshold, valid_until=until)
    say(f"{public.name} {public.id[:8]} is trusted for {' '.join(groups) or '*'}")
    return OK


def key_revoke(key: str, reason: str) -> int:
    """Never trust a key again."""
    revoked = Keyring().revoke(key, reason)
    say(f"{revoked.name} is revoked")
    return OK
