"""`Arrivals`: what reaches this process before its actor does, or after it.

Owns the messages that are held for a spawn on another way, and what is known of the spawns that have come. Who is here already gets its
messages from `Runtime.deliver`. Invariant: what is held stands in front of everything that comes after the spawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.address import COUNTER_BITS, Address
from garrick.errors import NoCapableSystem
from garrick.runtime import lifecycle
from garrick.runtime.cell import Cell
from garrick.runtime.mailbox import admit
from garrick.runtime.signals import Spawn, Stop, Unwatch, Watch
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

HELD_SECONDS = 10.0
"""How long a message waits for the spawn of its target, which travels on another way."""


class Arrivals:
    """See the module; of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._seen: dict[int, int] = {}
        """The newest spawn that has come from each creator."""
        self.held: dict[int, list[tuple[Address[Any], int, Any, Address[Any] | None]]] = {}
        """What waits for the spawn of its target, by the target's serial."""

    def late(self, item: tuple[Address[Any], int, Any, Address[Any] | None]) -> bool:
        """What came for an actor that could not be found; holder only. The lane keeps its order to a spawn that waited in it."""
        target, kind, message, sender = item
        runtime = self.runtime
        serial = target.serial
        if kind == SIGNAL and isinstance(message, Spawn):
            return self._accept_spawn(target, message)
        cell = runtime.cells.get(serial)
        if cell is not None:
            if cell.mailbox is None:
                target._cell = cell
            if kind == SIGNAL:
                return runtime.signal((cell, message, sender))
            if cell.mailbox is not None and not admit(runtime, cell, message, sender, at_once=False):
                return False
            if cell.queue is None:
                cell.queue = deque()
            runtime.enqueue(cell, (cell, message, sender))
            return False
        if self._is_to_come(target):
            waiting = self.held.setdefault(serial, [])
            if not waiting:
                runtime.timers.arm(runtime.clock.now() + HELD_SECONDS, lambda: self._give_up_held(serial, "unknown"))
            waiting.append(item)
            return False
        self._no_such_actor(target, kind, message, sender, runtime.tombstones.get(serial, self._lost_reason(target)))
        return False

    def _is_to_come(self, target: Address[Any]) -> bool:
        """Whether its spawn comes on another way and may still be under way; it is not lost while its creator lives."""
        serial, runtime = target.serial, self.runtime
        if serial in runtime.tombstones:
            return False
        if runtime.moved and runtime.moved.get(target) == runtime.number:
            return True  # made again here, by the admin
        creator, counter = serial >> COUNTER_BITS, serial & ((1 << COUNTER_BITS) - 1)
        return creator != runtime.number and counter > self._seen.get(creator, 0)

    def _accept_spawn(self, target: Address[Any], spawn: Spawn) -> bool:
        serial, runtime = target.serial, self.runtime
        creator, counter = serial >> COUNTER_BITS, serial & ((1 << COUNTER_BITS) - 1)
        self._seen[creator] = max(counter, self._seen.get(creator, 0))
        cls = spawn.spec.actor_class
        if isinstance(cls, type) and cls.__module__.startswith("garrick.loaded."):
            from garrick.runtime import sourced  # late: most systems have no sources

            sourced.met(runtime, cls)
        cell = Cell(runtime, target, spawn.spec, spawn.parent)
        cell.notify = spawn.notify
        held: list[tuple[Address[Any], int, Any, Address[Any] | None]] = [(target, *item) for item in spawn.held]
        held += self.held.pop(serial, ())
        if held:
            # Into its queue before anybody can find the cell: later messages must come behind these.
            cell.queue = deque(
                runtime.envelope(cell, kind, message, sender)
                for _, kind, message, sender in held
                if kind == SIGNAL or cell.mailbox is None or admit(runtime, cell, message, sender, at_once=False)
            )
        if cell.mailbox is None:
            target._cell = cell
        runtime.cells[serial] = cell
        if runtime.ending or (runtime.draining and spawn.parent.system != runtime.system):
            doing = "is ending" if runtime.ending else "is being drained"
            error = NoCapableSystem(f"system {runtime.system.partition('@')[0]!r} {doing}")
            return runtime.refuse((cell, error))
        return lifecycle.start(cell)

    def _lost_reason(self, target: Address[Any]) -> str:
        return "worker lost" if target.process != self.runtime.number else "unknown"

    def _give_up_held(self, serial: int, reason: str) -> None:
        for target, kind, message, sender in self.held.pop(serial, ()):
            self._no_such_actor(target, kind, message, sender, reason)

    def give_up(self, hit: Callable[[Address[Any]], bool], reason: str) -> None:
        """The creators of held messages' targets are gone: nobody will spawn them any more."""
        moved = self.runtime.moved
        for serial, items in list(self.held.items()):
            if moved and moved.get(items[0][0]) == self.runtime.number:
                continue  # their creator is the admin
            if any(hit(Address(item[0].system, serial >> COUNTER_BITS, 0)) for item in items):
                self._give_up_held(serial, reason)

    def _no_such_actor(
        self, target: Address[Any], kind: int, message: Any, sender: Address[Any] | None, reason: str
    ) -> None:
        if self.runtime.relocations.forward(target, kind, message, sender):
            return
        if kind == SIGNAL:
            lifecycle.signal_to_nobody(self.runtime, target, message, reason)
        else:
            self.runtime.undeliverable(target, message, sender, reason)

    def bounce(self, target: Address[Any], message: Any, reason: str) -> None:
        """A signal that can't reach its process; whoever waits for its effect is told. Any thread."""
        if target in self.runtime.moved and isinstance(message, (Watch, Unwatch, Stop)):
            self.runtime.route(target, message, None, SIGNAL)  # it was not sent, and its target goes on elsewhere
            return
        lifecycle.signal_to_nobody(self.runtime, target, message, reason)
