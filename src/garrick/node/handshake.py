"""The first bytes on a connection between two processes: who is calling, and the proof that it may.

Owns the HELLO, a block of fixed size in front of everything else, so that a stranger is refused before anything of his is parsed,
let alone unpickled. Must not know sockets. The answer goes only over *sessions* (a client's first connection to the admin): one
JSON object per line; other connections carry envelopes in one direction, from the one who connected.
"""

from __future__ import annotations

import hmac
import json
from struct import Struct
from typing import Any, Final, NamedTuple

MAGIC: Final = b"GRK1"
LINK: Final = 0
"""The connection carries envelopes from the caller."""
SESSION: Final = 1
"""The connection shows that a client lives, and tells it what becomes of the system."""
ROLES: Final = ("worker", "dedicated", "client", "admin")
OWNER: Final = 0x01
"""Flag of a client: the system ends with it."""

_HELLO: Final = Struct("<4sBBBBII32s")
SIZE: Final = _HELLO.size
UNKNOWN: Final = 0xFFFFFFFF
"""The number of a client that has not got one yet."""


class Hello(NamedTuple):
    """What a caller says about itself."""

    purpose: int
    role: str
    flags: int
    number: int
    pid: int


def hello(purpose: int, role: str, number: int, pid: int, token: bytes, flags: int = 0) -> bytes:
    """The bytes that a caller begins with."""
    return _HELLO.pack(MAGIC, purpose, ROLES.index(role), flags, 0, number, pid, token)


def check(data: bytes, token: bytes) -> Hello | None:
    """The caller's statement; None if the token is wrong, and then nothing else has been looked at."""
    magic, purpose, role, flags, _, number, pid, proof = _HELLO.unpack(data)
    if not hmac.compare_digest(proof, token) or magic != MAGIC or role >= len(ROLES):
        return None
    return Hello(purpose, ROLES[role], flags, number, pid)


def line(**content: Any) -> bytes:
    """One statement of the admin on a session."""
    return json.dumps(content).encode() + b"\n"


def parse_lines(buffer: bytearray) -> list[dict[str, Any]]:
    """The complete statements in the buffer, which keeps the rest."""
    *complete, rest = bytes(buffer).split(b"\n")
    buffer[:] = rest
    return [json.loads(text) for text in complete]
