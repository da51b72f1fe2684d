"""The actors that are made again when their process dies (``Restart(on_loss=True)``).

Owns what is needed for that (the pickled spawn, opaque, as the process of the actor sent it when the actor first ran), where each of
them is now, and how often each was lost. Must not know processes beyond their numbers, nor what is in a spawn. Invariants:

* An actor is here from its first message on until its end has begun: one that never ran was never anybody's, and one that is ending
  must not come back.
* ``places`` names exactly those actors that are no longer in the process that their address names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from garrick.address import Address
from garrick.runtime.signals import Keep


@dataclass
class Entry:
    """One actor.

    Attributes:
        keep: what its process said of it.
        process: where it is, or will be.
        losses: when its processes died, as far as they count (see ``Keep.within``).
        due: whether its process has still to be given the spawn.
    """

    keep: Keep
    process: int
    losses: list[float] = field(default_factory=list)
    due: bool = False


class Kept:
    """Address -> entry."""

    def __init__(self) -> None:
        self.entries: dict[Address[Any], Entry] = {}
        self.places: dict[Address[Any], int] = {}

    def keep(self, message: Keep, process: int) -> None:
        """The actor runs in ``process``, perhaps for the second time."""
        entry = self.entries.get(message.address)
        if entry is None:
            self.entries[message.address] = Entry(message, process)
        else:
            entry.keep, entry.due = message, False

    def forget(self, address: Address[Any]) -> None:
        """The actor ends."""
        self.entries.pop(address, None)
        self.places.pop(address, None)

    def at(self, *processes: int) -> list[Entry]:
        """Those in these processes, in the order in which they first ran."""
        return [entry for entry in self.entries.values() if entry.process in processes]

    def place(self, address: Address[Any]) -> int:
        """The process in which an actor of this system is."""
        return self.places.get(address, address.process)

    def count(self, entry: Entry, now: float) -> bool:
        """Another loss; whether the policy of the actor allows it to go on."""
        entry.losses = [at for at in entry.losses if now - at < entry.keep.within]
        entry.losses.append(now)
        return len(entry.losses) <= entry.keep.max

    def move(self, entry: Entry, process: int) -> None:
        """The actor will be made in this process."""
        entry.process, entry.due = process, True
        self.places[entry.keep.address] = process

    def take_due(self, process: int) -> list[bytes]:
        """The spawns that this process has to get, once each."""
        due = [entry for entry in self.at(process) if entry.due]
        for entry in due:
            entry.due = False
        return [entry.keep.spawn for entry in due]
