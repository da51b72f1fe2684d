"""`Trace`: what has happened in a world, as tuples, and a hash over all of it.

Owns the record. Two runs of the same program with the same seed have the same hash; where they differ, `tail` shows how. Nothing that
depends on the process (``id``, ``hash``, ``repr`` with addresses of memory) may be put in.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import TypeAlias

from garrick.address import COUNTER_BITS

Entry: TypeAlias = tuple[int, str, int, str]
"""``(instant in ns, system, serial of the actor or 0, type of the message or name of the step)``"""


def actor_text(system: str, serial: int) -> str:
    """How an actor is called on a page: system, creating process (left out if it is the first) and number, as in the keys of choices.

    Args:
        system: its id, or its name.
        serial: of the actor.
    """
    creator, counter = serial >> COUNTER_BITS, serial & ((1 << COUNTER_BITS) - 1)
    return (
        f"{system.partition('@')[0]}#{counter}" if creator == 1 else f"{system.partition('@')[0]}#{creator:x}.{counter}"
    )


CHUNK = 8192
"""Entries that are hashed together: formatting is put off, so that a step costs one append."""


class Trace:
    """See the module."""

    __slots__ = ("_digest", "_entries", "_hashed", "_tail")

    def __init__(self, keep: int | None = 1000) -> None:
        self._digest = blake2b(digest_size=16)
        self._entries: list[Entry] = []
        self._tail: deque[Entry] = deque(maxlen=keep)
        self._hashed = 0

    def add(self, entry: Entry) -> None:
        """One more step."""
        self._entries.append(entry)
        if len(self._entries) >= CHUNK:
            self._fold()

    def __len__(self) -> int:
        return self._hashed + len(self._entries)

    @property
    def hash(self) -> str:
        """Of all steps so far."""
        self._fold()
        return self._digest.copy().hexdigest()

    def tail(self) -> list[Entry]:
        """The newest steps, oldest first."""
        self._fold()
        return list(self._tail)

    def _fold(self) -> None:
        entries, self._entries = self._entries, []
        lines = [f"{when}|{system}|{serial}|{what}\n" for when, system, serial, what in entries]
        self._digest.update("".join(lines).encode())
        self._tail.extend(entries)
        self._hashed += len(entries)
