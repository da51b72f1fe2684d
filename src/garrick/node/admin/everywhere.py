"""Names that are unique in the whole convention (``global_name=``), as the admin of one system handles them.

Owns who in this system holds or wants such a name. A system on its own decides by itself; a member asks the convention's authority
(`garrick.engine.names`). Must not know how requests travel. Invariants:

* Who was granted a name was told with it until when; whoever is told to end for a name ends without handling anything more.
* A name is given back when its actor has ended or its process is dead, never before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.address import Address, control
from garrick.node.admin.effects import AskNames
from garrick.node.admin.names import Names
from garrick.runtime import signals

if TYPE_CHECKING:
    from garrick.engine import names as lease
    from garrick.node.admin.core import Core

REASON = "name lost"
"""Why an actor ends whose name may soon belong to another one."""


class Everywhere:
    """The register of one system; every method that needs the convention adds effects to the core's outbox."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._names = Names()
        """Whose the names are that actors of this system hold, and by which process; of a system on its own, that is all."""
        self._claimed: dict[tuple[str, lease.Place], tuple[Address[Any], Address[Any]]] = {}
        """Claims that are not decided: the actor, and whom to tell."""
        self._leases: lease.Leaseholder | None = None
        self._epoch = 0

    def joins(self, now: float) -> None:
        """This system is about to be a member: from now on the convention decides."""
        # Late: a system on its own needs nothing of it, and it takes a third of a start's time to load.
        from garrick.engine import names as lease

        if self._leases is None:
            self._leases = lease.Leaseholder(self._core.system)
            for name, address in self._names.items().items():
                self._do(self._leases.claim(name, _place(address), now))

    def deadline(self) -> float | None:
        """When `tick` is due."""
        return self._leases.next_wake() if self._leases is not None else None

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._leases is not None:
            self._do(self._leases.tick(now))

    def claim(self, name: str, address: Address[Any], sender: Address[Any], now: float) -> None:
        """An actor of this system wants the name; the answer goes to ``sender``, its process."""
        if self._leases is None:
            holder = self._names.claim(name, address, sender.process)
            self._epoch += 1
            self._core.send(sender, signals.NameAnswer(name, address, holder, everywhere=True, epoch=self._epoch))
            return
        self._claimed[name, _place(address)] = address, sender
        self._do(self._leases.claim(name, _place(address), now))

    def release(self, name: str, address: Address[Any], now: float) -> None:
        """The actor has ended, or does not want the name any more."""
        self._claimed.pop((name, _place(address)), None)
        self._names.release(name, address)
        if self._leases is not None:
            self._do(self._leases.release(name, _place(address), now))

    def release_process(self, process: int, now: float) -> None:
        """A process is dead, and with it those of its actors that are not made again elsewhere."""
        for name, address in self._names.release_process(process):
            self.release(name, address, now)
        for (name, _), (address, sender) in list(self._claimed.items()):
            if sender.process == process:
                self.release(name, address, now)

    def rehome(self, address: Address[Any], process: int) -> None:
        """The actor is made again in another process."""
        self._names.rehome(address, process)

    def find(self, name: str, asker: Address[Any] | None, now: float) -> None:
        """Tell ``asker`` who holds the name."""
        if self._leases is None:
            self._core.reply(asker, self._names.find(name))
        else:
            self._do(self._leases.find(name, asker, now))

    def replied(self, reply: lease.Reply, now: float) -> None:
        """The authority has answered."""
        if self._leases is not None:
            self._do(self._leases.replied(reply, now))

    def _do(self, effects: list[lease.Effect]) -> None:
        from garrick.engine import names as lease  # late, as in `joins`

        core = self._core
        for effect in effects:
            match effect:
                case lease.Request():
                    core.out.append(AskNames(effect))
                case lease.Decided():
                    self._decided(effect)
                case lease.Leased(until):
                    for process in self._names.processes():
                        core.send(control(core.system, process), signals.Leased(until))
                case lease.Fence(name, place):
                    self._fence(name, Address(*place))
                case lease.Found(_, token, place):
                    core.reply(token if isinstance(token, Address) else None, Address(*place) if place else None)

    def _decided(self, decided: lease.Decided) -> None:
        address: Address[Any] = Address(*decided.place)
        holder: Address[Any] = Address(*decided.holder)
        claimed = self._claimed.pop((decided.name, decided.place), None)
        if claimed is None:  # it had the name before this system was a member
            if holder != address:
                self._fence(decided.name, address)
            return
        _, sender = claimed
        assert self._leases is not None
        until = self._leases.fence_at
        if holder == address:
            self._names.claim(decided.name, address, sender.process)
        self._core.send(
            sender, signals.NameAnswer(decided.name, address, holder, everywhere=True, epoch=decided.epoch, until=until)
        )

    def _fence(self, name: str, address: Address[Any]) -> None:
        self._core.report("warning", f"{address} ends: the convention's name {name!r} can't be held any longer")
        self._core.send(address, signals.Stop(reason=REASON, drain=False))


def _place(address: Address[Any]) -> lease.Place:
    return address.system, address.process, address.serial
