"""Frames of a link: what two systems say to each other, as bytes.

Owns the layout of a frame and the *token* that stands for one session of one incarnation of a system. Must not know windows,
timers or states. Invariants:

* Every frame names both ends by token, so that nothing meant for one incarnation or session is ever taken by another.
* Every frame acknowledges and grants credit, whatever else it does.
* There is no checksum: carriers run over TCP and TLS. Frames that are cut off or foreign are told by their structure.

Layout, little endian::

    "G1"   u8 kind   u8 flags   u64 source token   u64 target token (0: not known yet)
    u64 sequence number of a DATA frame   u64 number of the next frame expected   u32 credit in bytes
    HELLO: u64 session, system as UTF-8      DATA: envelopes, or a piece of one (flag PART)
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

from garrick.errors import WireError

MAGIC: Final = b"G1"
HELLO: Final = 1
DATA: Final = 2
BEAT: Final = 3
BYE: Final = 4

GAP: Final = 1
"""Frames are missing: send again from the one that this frame says is expected."""
PART: Final = 2
"""The payload is a piece of an envelope that is too long for one frame."""
MORE: Final = 4
"""Further pieces follow."""

FRAME: Final = struct.Struct("<2sBBQQQQI")
FRAME_SIZE: Final = FRAME.size
MAX_CREDIT: Final = 0xFFFFFFFF
_SESSION: Final = struct.Struct("<Q")
_KINDS: Final = {HELLO: "HELLO", DATA: "DATA", BEAT: "BEAT", BYE: "BYE"}
_FLAGS: Final = {GAP: "gap", PART: "part", MORE: "more"}


def token_of(system: str, session: int) -> int:
    """64 bits that stand for one session of one incarnation; never 0."""
    digest = blake2b(f"{system}#{session}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def pack(kind: int, flags: int, source: int, target: int, sequence: int, expected: int, credit: int) -> bytes:
    """The header of a frame."""
    return FRAME.pack(MAGIC, kind, flags, source, target, sequence, expected, credit)


def unpack(frame: bytes) -> tuple[int, int, int, int, int, int, int]:
    """(kind, flags, source, target, sequence, expected, credit).

    Raises:
        WireError: this is no frame.
    """
    try:
        magic, kind, flags, source, target, sequence, expected, credit = FRAME.unpack_from(frame)
    except struct.error:
        raise WireError(f"{len(frame)} bytes are too few for a frame") from None
    if magic != MAGIC or kind not in _KINDS:
        raise WireError(f"this is no frame of a link: {bytes(frame[:4])!r}...")
    return kind, flags, source, target, sequence, expected, credit


def introduction(system: str, session: int) -> bytes:
    """The payload of a HELLO."""
    return _SESSION.pack(session) + system.encode()


def introduced(frame: bytes, source: int) -> tuple[str, int]:
    """(system, session) of a HELLO whose header says `source`.

    Raises:
        WireError: the payload is damaged or belongs to another token.
    """
    try:
        (session,) = _SESSION.unpack_from(frame, FRAME_SIZE)
        system = bytes(frame[FRAME_SIZE + _SESSION.size :]).decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(f"a HELLO can't be read: {error}") from None
    if token_of(system, session) != source:
        raise WireError(f"a HELLO of {system!r}, session {session}, carries another token")
    return system, session


def describe(frame: bytes, names: dict[int, str] | None = None) -> str:
    """One line about a frame, for traces and tests.

    Args:
        frame: the frame.
        names: what to call tokens; others are shown as hexadecimal digits.
    """
    try:
        kind, flags, source, target, sequence, expected, credit = unpack(frame)
    except WireError as error:
        return f"not a frame: {error}"
    called = {0: "?"} | (names or {})
    ends = f"{called.get(source, f'{source:016x}')}>{called.get(target, f'{target:016x}')}"
    text = f"{ends} {_KINDS[kind]}"
    if kind == DATA:
        text += f" #{sequence} {len(frame) - FRAME_SIZE} bytes"
    return f"{text} next={expected} credit={credit}" + "".join(
        f" {name}" for bit, name in _FLAGS.items() if flags & bit
    )
