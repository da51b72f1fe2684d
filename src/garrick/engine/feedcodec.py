"""The feed of members as bytes: JSON, snapshots compressed. Data only, nothing is ever unpickled here.

Owns the format. A snapshot is put together from members that were encoded when they changed, so that five thousand
joiners do not cost five thousand times five thousand encodings; it is compressed once for each version.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from garrick.engine.membership import (
    Change,
    Delta,
    Joined,
    Left,
    Lost,
    Member,
    Restored,
    Snapshot,
    Suspected,
    Updated,
)
from garrick.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "SnapshotEncoder",
    "decode_delta",
    "decode_member",
    "decode_snapshot",
    "encode_delta",
    "encode_member",
    "encode_snapshot",
]

_LARGEST = 64 * 1024 * 1024  # of an unpacked snapshot: more is an attack or a fault
_KINDS: dict[str, type[Change]] = {
    "j": Joined,
    "u": Updated,
    "s": Suspected,
    "r": Restored,
    "l": Left,
    "x": Lost,
}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def encode_member(member: Member) -> bytes:
    """Raises `TypeError` or `ValueError` for capabilities that are no plain data."""
    return _dump(_plain(member))


def _plain(member: Member) -> list[object]:
    return [member.system, member.session, dict(member.capabilities), list(member.processes), member.load]


def _member(raw: Any) -> Member:
    system, session, capabilities, processes, load = raw
    if not (isinstance(system, str) and isinstance(session, int) and isinstance(capabilities, dict)):
        raise TypeError("not a member")
    return Member(system, session, capabilities, tuple(int(p) for p in processes), float(load))


def decode_member(data: bytes) -> Member:
    """Raises `WireError`."""
    try:
        return _member(json.loads(data))
    except (ValueError, TypeError) as error:
        raise WireError(f"not a member: {error}") from None


def encode_delta(delta: Delta) -> bytes:
    """See `Delta`."""
    changes: list[list[object]] = []
    for change in delta.changes:
        letter = _LETTERS[type(change)]
        if isinstance(change, Joined | Updated):
            changes.append([letter, _plain(change.member)])
        elif isinstance(change, Suspected):
            changes.append([letter, change.system, change.session, change.why])
        elif isinstance(change, Lost):
            changes.append([letter, change.system, change.session, change.certain, change.why])
        else:
            changes.append([letter, change.system, change.session])
    return _dump([delta.epoch, delta.version, delta.settled, changes, *([] if delta.after is None else delta.after)])


def decode_delta(data: bytes) -> Delta:
    """Raises `WireError`."""
    try:
        epoch, version, settled, raw, *after = json.loads(data)
        changes: list[Change] = []
        for letter, *fields in raw:
            kind: Any = _KINDS[letter]
            changes.append(kind(_member(fields[0])) if kind in {Joined, Updated} else kind(*fields))
        continued = (str(after[0]), int(after[1]), int(after[2])) if after else None
        return Delta(str(epoch), int(version), tuple(changes), bool(settled), continued)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise WireError(f"not a delta: {error!r}") from None


def encode_snapshot(snapshot: Snapshot, members: list[bytes] | None = None) -> bytes:
    """`members` are the already encoded ones of the snapshot, if there are any."""
    parts = members if members is not None else [encode_member(member) for member in snapshot.members]
    head = _dump([snapshot.epoch, snapshot.version, snapshot.settled, [list(pair) for pair in snapshot.suspected]])
    return zlib.compress(head[:-1] + b",[" + b",".join(parts) + b"]]", 1)


def decode_snapshot(data: bytes) -> Snapshot:
    """Raises `WireError`."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, _LARGEST)  # what is longer is cut off, and then no JSON any more
        epoch, version, settled, suspected, members = json.loads(text)
        return Snapshot(
            str(epoch),
            int(version),
            bool(settled),
            tuple(_member(raw) for raw in members),
            tuple((str(system), str(why)) for system, why in suspected),
        )
    except (ValueError, TypeError, zlib.error) as error:
        raise WireError(f"not a snapshot: {error!r}") from None


def digest_of(members: Iterable[Member]) -> int:
    """The same number for the same members, whatever their order."""
    total = 0
    for member in members:
        total ^= zlib.crc32(encode_member(member))
    return total


class SnapshotEncoder:
    """Remembers what each member looks like as bytes, and the last snapshot."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[Member, bytes]] = {}
        self._last: tuple[tuple[str, int, bool], bytes] | None = None

    def encode(self, snapshot: Snapshot) -> bytes:
        """As `encode_snapshot`; work is proportional to what changed, and none if nothing did."""
        key = (snapshot.epoch, snapshot.version, snapshot.settled)
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        fresh: dict[str, tuple[Member, bytes]] = {}
        for member in snapshot.members:
            known = self._members.get(member.system)
            fresh[member.system] = known if known and known[0] is member else (member, encode_member(member))
        self._members = fresh
        data = encode_snapshot(snapshot, [encoded for _, encoded in fresh.values()])
        self._last = key, data
        return data
