"""Addresses: opaque, unique for ever, and the same thing in every process and on every host.

Owns the identity of an actor. Must not know how a message travels. Invariants:

* ``(system, serial)`` never denotes another actor, since a system's name carries the *incarnation* of its start and serials are
  never reused within it.
* ``process`` is only a hint where to route; it does not take part in equality.
* ``_cell`` is a cache of the local cell, private to the process, and never pickled.
"""

from __future__ import annotations

from functools import total_ordering
from typing import Any, Generic, TypeVar

M = TypeVar("M", contravariant=True)

COUNTER_BITS = 40
"""Serials are ``creator process << 40 | counter``; a creator in another system adds its incarnation above bit 80."""


@total_ordering
class Address(Generic[M]):
    """Where messages of type ``M`` can be sent. Hashable, ordered, picklable; never made by user code.

    Attributes:
        system: ``name@incarnation`` of the hosting system.
        process: number of the hosting process inside it (0 = admin).
        serial: number that is unique in that system for ever; 0 is the process itself.
    """

    __slots__ = ("__weakref__", "_cell", "process", "serial", "system")

    def __init__(self, system: str, process: int, serial: int) -> None:
        self.system = system
        self.process = process
        self.serial = serial
        self._cell: Any = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Address):
            return self.serial == other.serial and self.system == other.system and self._control(other)
        return NotImplemented

    def _control(self, other: Address[Any]) -> bool:
        # Control addresses share serial 0, so that they alone need the process.
        return self.serial != 0 or self.process == other.process

    def __hash__(self) -> int:
        return hash((self.system, self.serial))

    def __lt__(self, other: Address[Any]) -> bool:
        return (self.system, self.serial, self.process) < (other.system, other.serial, other.process)

    def __reduce__(self) -> tuple[Any, ...]:
        return Address, (self.system, self.process, self.serial)

    def __str__(self) -> str:
        creator, counter = self.serial >> COUNTER_BITS, self.serial & ((1 << COUNTER_BITS) - 1)
        return f"{self.system}/{self.process}/{creator:x}.{counter}"

    def __repr__(self) -> str:
        return f"<Address {self}>"


class ReplyAddress(Address[Any]):
    """The one-shot sender of an ask: the first message sent to it is the answer, later ones are dead letters.

    Its serial is given only when it first leaves the process, because most asks never do.
    """

    __slots__ = ("slot",)

    def __init__(self, system: str, process: int, serial: int, slot: Any = None) -> None:
        self.system = system  # not by the parent: one is made for every ask
        self.process = process
        self.serial = serial
        self._cell = None
        self.slot = slot
        """The pending ask in its own process; None in every other process."""

    def __reduce__(self) -> tuple[Any, ...]:
        if self.slot is not None:
            self.slot.expose()
        return ReplyAddress, (self.system, self.process, self.serial)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, ReplyAddress) and self.slot is None:
            return self.serial == other.serial and self.system == other.system
        return False

    def __hash__(self) -> int:
        return id(self) if self.slot is not None else hash((self.system, self.serial))


def control(system: str, process: int) -> Address[Any]:
    """The address of a process itself: its runtime, or the admin for process 0."""
    return Address(system, process, 0)
