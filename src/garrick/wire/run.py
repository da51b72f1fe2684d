"""Runs: many small messages from one sender to one target behind a single header.

Owns the layout, and cutting a run into what it stands for. Must not know sockets or what a message means. Every message keeps a pickle of
its own; what they share is the header, which costs more to make and to read than a small message itself. Invariants:

* A run is an ordinary envelope (kind MESSAGE, flag RUN), so that everything that routes or cuts streams works with it, and equals the
  envelopes that `members` returns, in order. Who refuses, answers or hands back messages does that with those.
* Runs stay between two processes of one system: the admin, who forwards, never gets one.

Layout of the body, little endian: u32 count, count times u32 size, the bodies one behind the other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from garrick.address import Address
from garrick.errors import WireError
from garrick.wire.envelope import MESSAGE, Raw, encode, peek

RUN: Final = 0x40
"""The flag of a run."""
SMALL: Final = 1024
"""Bytes of a body from which it gets an envelope of its own: the header no longer matters."""
LONGEST: Final = 256
"""Messages in a run."""

Entry: TypeAlias = "Raw | tuple[Address[Any], Address[Any] | None, bytes]"
"""A whole envelope, or (target, sender, small body) of a message between processes of this system."""

_FLAGS_AT: Final = 5
_START: Final = struct.Struct("<IBB")
_COUNT: Final = struct.Struct("<I")
_TUPLES: Final = {tuple}


def gather(entries: Sequence[Entry], system: str) -> list[Raw]:
    """The envelopes for what was sent, in order; messages that follow one another on the same way share one."""
    if 1 < len(entries) <= LONGEST and set(map(type, entries)) == _TUPLES:
        targets, senders, bodies = zip(*entries, strict=True)
        # A flood: one sender, one target. Counting compares identities first, and without a line of Python for each.
        if targets.count(targets[0]) == senders.count(senders[0]) == len(entries):
            return [seal(targets[0], senders[0], bodies, system)]
    return _by_ways(entries, system)


def _by_ways(entries: Sequence[Entry], system: str) -> list[Raw]:
    envelopes: list[Raw] = []
    target: Any = None
    sender: Any = None
    bodies: list[bytes] = []
    for entry in entries:
        if type(entry) is tuple:
            if entry[0] is target and entry[1] is sender and bodies and len(bodies) < LONGEST:
                bodies.append(entry[2])
                continue
            if bodies:
                envelopes.append(seal(target, sender, bodies, system))
            target, sender, body = entry
            bodies = [body]
        else:
            if bodies:
                envelopes.append(seal(target, sender, bodies, system))
                bodies = []
            envelopes.append(entry)  # type: ignore[arg-type]
    if bodies:
        envelopes.append(seal(target, sender, bodies, system))
    return envelopes


def seal(target: Address[Any], sender: Address[Any] | None, bodies: Sequence[bytes], system: str) -> bytes:
    """One envelope of one or more messages."""
    if len(bodies) == 1:
        return encode(MESSAGE, target, sender, bodies[0], system)
    head = encode(MESSAGE, target, sender, b"", system)
    count = len(bodies)
    sizes = struct.pack(f"<{count + 1}I", count, *map(len, bodies))
    joined = b"".join(bodies)
    start = _START.pack(len(head) + len(sizes) + len(joined), MESSAGE, head[_FLAGS_AT] | RUN)
    return b"".join((start, head[_START.size :], sizes, joined))


def is_run(raw: Raw) -> bool:
    """Whether the envelope stands for several."""
    return bool(raw[_FLAGS_AT] & RUN)


def cut(raw: Raw, at: int) -> list[Raw]:
    """The bodies of a run whose own body begins at ``at``.

    Raises:
        WireError: it is damaged.
    """
    try:
        (count,) = _COUNT.unpack_from(raw, at)
        first = at + _COUNT.size * (count + 1)
        if first > len(raw):
            raise WireError(f"a run of {len(raw)} bytes is damaged: it says that it has {count} parts")
        sizes = struct.unpack_from(f"<{count}I", raw, at + _COUNT.size)
    except struct.error as error:
        raise WireError(f"a run of {len(raw)} bytes is damaged: {error}") from None
    if first + sum(sizes) != len(raw) or not sizes:
        raise WireError(f"a run of {len(raw)} bytes is damaged: its parts have {sum(sizes)}")
    bodies: list[Raw] = []
    for size in sizes:
        last = first + size
        bodies.append(raw[first:last])
        first = last
    return bodies


def members(raw: Raw) -> list[Raw]:
    """The envelopes that this one stands for: itself, or those of a run."""
    if not is_run(raw):
        return [raw]
    at = peek(raw).body_at
    kind, flags, rest = raw[_FLAGS_AT - 1], raw[_FLAGS_AT] & ~RUN, raw[_START.size : at]
    return [b"".join((_START.pack(at + len(body), kind, flags), rest, body)) for body in cut(raw, at)]
