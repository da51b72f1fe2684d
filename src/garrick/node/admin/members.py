"""The other systems that this one knows, and the top-level actors of this one.

Owns both registers. Must not know how systems are reached. Invariants: a system that is gone never comes back under the same id
without having been reported gone; a top-level actor has at most one tombstone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from garrick.address import Address
from garrick.runtime.signals import SystemInfo

KEPT = 1000
"""Tombstones that are kept for ``status``."""
GONE_KEPT = 100


@dataclass(frozen=True)
class Tombstone:
    """How a top-level actor ended."""

    address: Address[Any]
    reason: str
    detail: str
    name: str | None
    at: float


class Members:
    """Other systems: those that are there, and the newest that are gone."""

    def __init__(self) -> None:
        self.systems: Mapping[str, SystemInfo] = {}
        """By id. May be one object for many systems: it is replaced, not changed."""
        self.ahead: dict[str, tuple[SystemInfo | None, SystemInfo]] = {}
        """What systems said of themselves before the directory did: what it says, and what is true."""
        self.gone: deque[dict[str, Any]] = deque(maxlen=GONE_KEPT)

    def put(self, info: SystemInfo) -> bool:
        """A system joined or changed; whether that is news."""
        if self.systems.get(info.system) == info:
            return False
        self.systems = {**self.systems, info.system: info}
        return True

    def adopt(self, systems: Mapping[str, SystemInfo]) -> bool:
        """All systems as the directory knows them now, the own one among them; whether that is news."""
        if systems is self.systems:
            return False
        for system, (said, _) in list(self.ahead.items()):
            if systems.get(system) != said:
                del self.ahead[system]  # it has heard
        self.systems = (
            {**systems, **{system: true for system, (_, true) in self.ahead.items()}} if self.ahead else systems
        )
        return True

    def put_ahead(self, info: SystemInfo) -> bool:
        """A system says this of itself, and the directory will say so later; whether that is news."""
        before = self.systems.get(info.system)
        if before is None or before == info:
            return False
        self.ahead[info.system] = self.ahead.get(info.system, (before, info))[0], info
        return self.put(info)

    def remove(self, system: str, reason: str, detail: str, at: float) -> None:
        """A system is gone."""
        self.systems = {other: info for other, info in self.systems.items() if other != system}
        self.ahead.pop(system, None)
        self.gone.append({"system": system, "reason": reason, "detail": detail, "at": at})


class TopLevel:
    """The actors whose parent is the system itself."""

    def __init__(self) -> None:
        self.alive: dict[Address[Any], None] = {}
        self.tombstones: deque[Tombstone] = deque(maxlen=KEPT)

    def started(self, address: Address[Any]) -> None:
        """The actor runs."""
        self.alive[address] = None

    def ended(self, address: Address[Any], reason: str, detail: str, name: str | None, at: float) -> None:
        """The actor has ended."""
        self.alive.pop(address, None)
        # A copy: in base `local` the address knows the cell, and so all that the actor held.
        copy: Address[Any] = Address(address.system, address.process, address.serial)
        self.tombstones.append(Tombstone(copy, reason, detail, name, at))

    def lost(
        self,
        system: str,
        process: int | None,
        reason: str,
        detail: str,
        at: float,
        moved: Mapping[Address[Any], int] = MappingProxyType({}),
        names: Mapping[Address[Any], str] = MappingProxyType({}),
    ) -> None:
        """All actors of a process, or of a whole system (None), ended with it; for ``moved`` see `ProcessLost`.

        Those that had ``names`` are remembered by them, also if they are none of the top: people ask for them.
        """

        def gone(actor: Address[Any]) -> bool:
            if process is None:
                return True
            return not moved[actor] if actor in moved else actor.process == process

        named = {address: name for address, name in names.items() if not moved.get(address)}
        for address in [a for a in self.alive if a.system == system and gone(a)]:
            self.ended(address, reason, detail, named.pop(address, None), at)
        for address, name in named.items():
            self.ended(address, reason, detail, name, at)
