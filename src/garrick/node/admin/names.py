"""The names of a system: who holds which.

Owns the register of ``name=``. Must not know processes beyond their number. Invariant: a name has one holder at a time; it is free
again when its holder releases it or the process that claimed it is lost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from garrick.address import Address


class Holder(NamedTuple):
    """Who holds a name; ``process`` claimed it, which is the one that hosts the actor."""

    address: Address[Any]
    process: int


class Names:
    """name -> holder."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}

    def claim(self, name: str, address: Address[Any], process: int) -> Address[Any]:
        """Give the name to ``address`` if nobody has it; who has it now.

        The same address may claim again from another process: the actor was re-created there with its address.
        """
        holder = self._holders.get(name)
        if holder is None or holder.address == address:
            holder = self._holders[name] = Holder(address, process)
        return holder.address

    def rehome(self, address: Address[Any], process: int) -> None:
        """The actor is made again in another process: what it holds stays with it."""
        for name, holder in self._holders.items():
            if holder.address == address:
                self._holders[name] = Holder(address, process)

    def release(self, name: str, address: Address[Any]) -> bool:
        """Free the name if ``address`` holds it; a late release of a former holder changes nothing."""
        holder = self._holders.get(name)
        if holder is None or holder.address != address:
            return False
        del self._holders[name]
        return True

    def release_process(self, process: int) -> list[tuple[str, Address[Any]]]:
        """Free what a lost process held; which names those were."""
        freed = [(name, holder.address) for name, holder in self._holders.items() if holder.process == process]
        for name, _ in freed:
            del self._holders[name]
        return freed

    def processes(self) -> list[int]:
        """Those with actors that hold names."""
        return sorted({holder.process for holder in self._holders.values()})

    def find(self, name: str) -> Address[Any] | None:
        """The holder of the name."""
        holder = self._holders.get(name)
        return holder.address if holder else None

    def items(self) -> dict[str, Address[Any]]:
        """All names, sorted."""
        return {name: self._holders[name].address for name in sorted(self._holders)}
