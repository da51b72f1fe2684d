"""`Relocations`: children that wait for a system that fits, and those that are made again on another one.

Owns placeholders, what is known of children that may move, and where placeholders have gone. Must not know how a system is chosen
(`Runtime.placement`) nor other systems. Runs on the holder of the baton, but for `note`. Invariants:

* A placeholder is an ordinary cell that has not started: it holds what is sent to it. It starts here, or hands all that it holds over
  in the one message that makes the actor elsewhere: nothing can come between, since nobody has heard of the new address before.
* Whoever is told of the new address in this process is told behind what was sent to the old one.
* Actors that neither wait nor may move cost nothing but a look into an empty dict.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress
from garrick.errors import GarrickError, NoCapableSystem
from garrick.messages import ChildExited, ChildMoved
from garrick.runtime import ending, groups, lifecycle, reports, spawning
from garrick.runtime.cell import RESTARTING, RUNNING, SUSPENDED, Cell
from garrick.runtime.failures import signal_of
from garrick.runtime.signals import Held, Spec, Stop, Told
from garrick.supervision import Intensity, Restart, relocatable
from garrick.wire.envelope import FAILURE, MESSAGE, REPLY, SIGNAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from garrick.runtime.runtime import Runtime

LOSSES = frozenset({"capability lost", "system lost", "system left", "worker lost"})
"""Ends after which a child that may move is made again."""
REMEMBERED = 10_000
"""Former addresses, and asks that were handed over, that are remembered."""


@dataclass
class _Movable:
    """A child that may move: how to make it again, and its moves that still count."""

    spec: Spec
    policy: Restart | None
    """None: it only waits for its first place."""
    moves: Intensity = field(default_factory=Intensity)


@dataclass
class _Waiting:
    """A placeholder."""

    reason: str
    """Why it waits, for a person."""
    resting: bool = False
    """Whether it waits for the end of its back-off, whatever systems there are."""


class Relocations:
    """See the module; of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.movable: dict[Address[Any], _Movable] = {}
        self.waiting: dict[Cell, _Waiting] = {}
        self.gone: OrderedDict[int, Address[Any]] = OrderedDict()
        """Serials of former placeholders -> where their actors are."""
        self._asks: OrderedDict[ReplyAddress, Address[Any]] = OrderedDict()
        """Questions of other processes that were handed over, and to whom: their askers wait for the placeholder."""

    # --- children ----------------------------------------------------------------------------------------------------------

    def note(self, child: Address[Any], spec: Spec) -> None:
        """A child was spawned that may move or wait; any thread."""
        policy = relocatable(spec.supervision)
        if policy is not None or spec.pending:
            self.movable[child] = _Movable(spec, policy)

    def exited(self, parent: Cell, notice: ChildExited) -> ChildExited | None:
        """A child has ended; what its parent is to be told, or None if the child goes on elsewhere."""
        movable = self.movable.pop(notice.child, None)
        if movable is None or parent.state not in (RUNNING, RESTARTING, SUSPENDED) or self.runtime.ending:
            return notice
        stale = notice.reason == "refused" and isinstance(notice.error, NoCapableSystem)
        policy = movable.policy
        if policy is None:
            if not (stale and movable.spec.pending):
                return notice
            policy = Restart()
        elif not stale and notice.reason not in LOSSES:
            return notice
        attempt = movable.moves.allow(policy, self.runtime.clock.now())
        if attempt == 0:
            limit = f"it has moved {policy.max} times within {policy.within:g} s, which is its limit"
            detail = f"{notice.detail}; {limit}" if notice.detail else limit
            return ChildExited(notice.child, notice.reason, detail, notice.error, notice.name)
        delay = groups.delay(self.runtime, policy.backoff, attempt - 1) if attempt > 1 else 0.0
        self._again(parent, notice, movable, delay)
        return None

    def _again(self, parent: Cell, notice: ChildExited, movable: _Movable, delay: float) -> None:
        runtime = self.runtime
        assert parent.children is not None
        cell = self._placeholder(movable.spec, parent.address, None, parent.children)
        self.movable[cell.address] = movable
        if delay <= 0:
            new = self._place(cell, parent)
            if new is not None:
                self._tell(parent, ChildMoved(notice.child, new, notice.reason, notice.detail, movable.spec.name))
                return
        else:
            self.waiting[cell].resting = True
            self.waiting[cell].reason = f"it has moved before; it is made again in {delay:.1f} s"
            runtime.timers.arm(runtime.clock.now() + delay, lambda: runtime.post(self._rested, cell))
        self._tell(
            parent, ChildMoved(notice.child, cell.address, notice.reason, self.waiting[cell].reason, movable.spec.name)
        )

    def _rested(self, cell: Cell) -> bool:
        waiting = self.waiting.get(cell)
        if waiting is None:
            return False
        waiting.resting = False
        return self._try(cell)

    def _tell(self, parent: Cell, notice: ChildMoved) -> None:
        self.runtime.post(self.runtime.signal, (parent, Told(notice), None))

    # --- placeholders ------------------------------------------------------------------------------------------------------

    def pend(
        self,
        spec: Spec,
        parent: Address[Any],
        notify: Address[Any] | None,
        children: dict[Address[Any], str | None] | None,
        refusal: NoCapableSystem,
    ) -> Address[Any]:
        """An actor that nothing can run now, and that may wait; any thread. Its address, until it has a place."""
        address: Address[Any] = Address(self.runtime.system, self.runtime.number, self.runtime.next_serial())
        if children is not None:
            children[address] = spec.name
            self.note(address, spec)
        cell = self.runtime.new_cell(address, spec, parent, notify)
        cell.hold()
        self.runtime.post(self._await, (cell, str(refusal)))
        return address

    def _await(self, argument: tuple[Cell, str]) -> bool:
        cell, reason = argument
        self._hold(cell, reason)
        return self._try(cell)  # what it waits for may have come meanwhile

    def _placeholder(
        self, spec: Spec, parent: Address[Any], notify: Address[Any] | None, children: dict[Address[Any], str | None]
    ) -> Cell:
        runtime = self.runtime
        address: Address[Any] = Address(runtime.system, runtime.number, runtime.next_serial())
        children[address] = spec.name
        cell = runtime.new_cell(address, spec, parent, notify)
        cell.hold()
        self._hold(cell, "")
        return cell

    def _hold(self, cell: Cell, reason: str) -> None:
        if not self.waiting:
            self.runtime.neighbourhood.interested("waiting", True)
        self.waiting[cell] = _Waiting(reason)

    def why(self, cell: Cell) -> str | None:
        """Why a placeholder waits, for a person; None: it is none."""
        waiting = self.waiting.get(cell)
        return waiting.reason if waiting is not None else None

    def stop(self, cell: Cell, signal: Stop) -> bool:
        """End a placeholder: there is nothing that could handle what it holds."""
        self._no_longer(cell)
        if signal.notify is not None:
            cell.stop_notify = [*(cell.stop_notify or ()), signal.notify]
        return ending.finish(self.runtime, cell, signal.reason, None)

    def _no_longer(self, cell: Cell) -> None:
        self.waiting.pop(cell, None)
        if not self.waiting:
            self.runtime.neighbourhood.interested("waiting", False)

    def systems_changed(self) -> None:
        """There may be a place now for those that wait."""
        for cell, waiting in self.waiting.items():
            if not waiting.resting:
                self.runtime.post(self._try, cell)

    def _try(self, cell: Cell) -> bool:
        if cell not in self.waiting:
            return False
        parent = self.runtime.cells.get(cell.parent.serial) if cell.parent.serial else None
        new = self._place(cell, parent)
        if new is not None and new != cell.address and parent is not None:
            self._tell(parent, ChildMoved(cell.address, new, "placed", "", cell.spec.name))
        return False

    def _place(self, cell: Cell, parent: Cell | None) -> Address[Any] | None:
        """Its address once it has a place; None: it goes on waiting."""
        runtime, spec = self.runtime, cell.spec
        try:
            system, process = runtime.placement(spec.actor_class, spec.requires, runtime)
        except GarrickError as error:
            self.waiting[cell].reason = str(error)
            return None
        self._no_longer(cell)
        if (system, process) == (runtime.system, runtime.number) and spec.isolation != "process":
            cell.busy = False
            runtime.post(lifecycle.start, cell)
            return cell.address
        children = parent.children if parent is not None else None
        held = self._take_over(cell)
        try:
            new = spawning.elsewhere(runtime, spec, cell.parent, cell.notify, children, system, process, held)
        except GarrickError as error:
            ending.finish(runtime, cell, "refused", error)
            return cell.address
        for _, _, sender in held:
            self._redirect(sender, new)
        self._leave(cell, children, new)
        return new

    # --- handing over ------------------------------------------------------------------------------------------------------

    def _take_over(self, cell: Cell) -> Held:
        """What the placeholder holds, as it can travel, in order."""
        runtime = self.runtime
        held: list[tuple[int, Any, Address[Any] | None]] = []
        for item in cell.queue or ():
            signal = signal_of(runtime, item)
            if signal is not None:
                held.append((SIGNAL, signal, None))
            elif item[0] is cell:
                if reports.can_travel(item[1]):
                    if type(item[2]) is ReplyAddress and item[2].slot is not None:
                        item[2].slot.expose()
                    held.append((MESSAGE, item[1], item[2]))
                else:
                    runtime.undeliverable(cell.address, item[1], item[2], "unpicklable")
        cell.queue = deque()
        return tuple(held)

    def _redirect(self, asker: Address[Any] | None, new: Address[Any]) -> None:
        """An ask goes on to ``new``, with whose loss it has to fail."""
        if type(asker) is not ReplyAddress:
            return
        if asker.slot is not None:
            asker.slot.target = new
            asker.slot.expose()
            return
        self._asks[asker] = new
        while len(self._asks) > REMEMBERED:
            self._asks.popitem(last=False)

    def _leave(self, cell: Cell, children: dict[Address[Any], str | None] | None, new: Address[Any]) -> None:
        """The actor is made at ``new``: the placeholder ends, and passes on what still comes."""
        movable = self.movable.pop(cell.address, None)
        if movable is not None:
            self.movable[new] = movable
        if children is not None:
            children.pop(cell.address, None)  # so that its parent is not told of an end
        cell.notify = None
        self.gone[cell.address.serial] = new
        while len(self.gone) > REMEMBERED:
            self.gone.popitem(last=False)
        ending.finish(self.runtime, cell, "moved", None)

    def forward(self, target: Address[Any], kind: int, message: Any, sender: Address[Any] | None) -> bool:
        """Pass on what came for a former placeholder; False: it is none. Any thread."""
        new = self.gone.get(target.serial)
        if new is None or (kind == SIGNAL and not isinstance(message, Stop)) or kind in (REPLY, FAILURE):
            return False
        self._redirect(sender, new)
        self.runtime.route(new, message, sender, kind)
        return True

    def lost(self, hit: Callable[[Address[Any]], bool], reason: str) -> None:
        """Processes or a system are gone: what was handed over to them fails."""
        for asker in [asker for asker, new in self._asks.items() if hit(new)]:
            failure = reports.gone(self._asks.pop(asker), reason, outcome_unknown=True)
            self.runtime.route(asker, failure, None, FAILURE)
