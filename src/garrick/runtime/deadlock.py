"""Cycles of actors that wait for each other's answers: found, not waited out.

Owns the wait-for graph (`Cell.waits`). Inside one process a cycle is seen by walking the graph when a wait begins, so `AskDeadlock` is
raised at once. A cycle that crosses processes is found by edge chasing: a wait that lasts sends a `Chase` along the waits; if it comes
back to an actor that still waits, the cycle is closed for good. So an ask that is answered quickly pays nothing, and it does not matter
whether the waiting is ``await``, a gather of several, or ``.result()``; a chain of askers in every header would cost each message and
can't know whether its members wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.errors import AskDeadlock
from garrick.runtime.signals import Chase
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.address import Address
    from garrick.runtime.ask import Slot
    from garrick.runtime.cell import Cell
    from garrick.runtime.fanout import Gathering
    from garrick.runtime.runtime import Runtime

CHASE_AFTER = 0.05
"""Seconds that a wait with a way out of the process lasts before it is chased."""


def enter(slot: Slot, asker: Cell) -> None:
    """``asker`` begins to wait for ``slot``.

    Raises:
        AskDeadlock: the answer would come from an actor that waits, over actors of this process, for ``asker``.
    """
    # First join the graph, then look: of two actors that begin to wait for each other, the second one sees the first.
    asker.begin_wait(slot)
    target = slot.target._cell
    if (
        target is not None
        and not target.waits
        and target is not asker
        and target.failures is None
        and target.runtime is asker.runtime
    ):
        return  # the most frequent case: whom it waits for waits for nobody
    if cycles(slot, asker):
        asker.end_wait(slot)
        failure = error(slot, asker)
        slot.complete(None, failure)
        raise failure


def cycles(wait: Slot | Gathering, asker: Cell) -> list[Slot]:
    """Which asks of a wait that has begun can't be answered, since their targets wait for ``asker``; others may be chased."""
    closed: list[Slot] = []
    if wait not in asker.blocked_on():
        return closed
    seen = {id(asker)}
    leaves = False
    for asked in wait.open():
        todo = [asked]
        while todo:
            cell = _target_of(todo.pop())
            if cell is asker or (cell is not None and _decider(cell) == asker.address):
                closed.append(asked)
                break
            if cell is None or cell.runtime is not asked.runtime:
                leaves = True
            elif id(cell) not in seen:
                seen.add(id(cell))
                todo.extend(slot for other in cell.blocked_on() for slot in other.open())
    if leaves:
        asker.runtime.post(_arm, (wait, asker))
    return closed


def suspended(parent: Cell, child: Address[Any]) -> None:
    """``child`` has failed and waits for a decision of ``parent``, which is busy; if with waiting for the child, nobody goes on.

    Holder only.
    """
    for wait in parent.blocked_on():
        closed = cycles(wait, parent)
        for slot in wait.open():
            if slot.target == child or slot in closed:
                slot.complete(None, error(slot, parent))


def _decider(cell: Cell) -> Address[Any] | None:
    return cell.failures.decider if cell.failures is not None else None


def _target_of(slot: Slot) -> Cell | None:
    target, runtime = slot.target, slot.runtime
    cell: Cell | None = target._cell
    if cell is None and target.process == runtime.number and target.system == runtime.system:
        return runtime.cells.get(target.serial)  # with a bounded mailbox
    return cell


def _arm(argument: tuple[Slot | Gathering, Cell]) -> None:
    wait, asker = argument
    runtime = asker.runtime

    def send() -> None:
        if wait in asker.waits:
            for slot in wait.open():
                if slot.target._cell is None or slot.target._cell.waits:
                    slot.expose()
                    chase = Chase(asker.address, slot.address.serial, ())
                    runtime.route(slot.target, chase, asker.address, SIGNAL)

    if not wait.done:
        runtime.timers.arm(runtime.clock.now() + CHASE_AFTER, send)


def chase(runtime: Runtime, cell: Cell, signal: Chase) -> None:
    """A chase has reached ``cell``; holder only."""
    waits = cell.blocked_on()
    if cell.address == signal.asker:
        slot = runtime.slots.get(signal.serial)
        if slot is not None and any(slot in wait.open() for wait in waits):
            slot.complete(None, error(slot, cell))
    elif cell.address not in signal.over:
        onward = Chase(signal.asker, signal.serial, (*signal.over, cell.address))
        for wait in waits:
            for slot in wait.open():
                runtime.route(slot.target, onward, cell.address, SIGNAL)


def error(slot: Slot, asker: Cell) -> AskDeadlock:
    """What tells the asker."""
    return AskDeadlock(f"{asker.address} asks {slot.target}, which waits for {asker.address}")
