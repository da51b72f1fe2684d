"""Cycles of actors that wait for each other's answers: found, not waited out.

Owns the wait-for graph (`Cell.waits`). Inside one process a cycle is seen by walking the graph when a wait begins, so `AskDeadlock` is
raised at once. A cycle that crosses processes is found by edge chasing: a wait that lasts sends a `Chase` along the waits; if it comes
back to an actor that still waits, the cycle is closed for good. So an ask that is answered quickly pays nothing, and it does not matter
whether the waiting is ``await``, a gather of several, or ``.result()``; a chain of askers in every header would cost each message and
can't know whether its members wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from garrick.errors import AskDeadlock
from garrick.runtime.signals import Chase
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.ask import Slot
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

CHASE_AFTER = 0.05
"""Seconds that a wait with a way out of the process lasts before it is chased."""


def enter(slot: Slot, asker: Cell) -> None:
    """``asker`` begins to wait for ``slot``.

    Raises:
        AskDeadlock: the answer would come from an actor that waits, over actors of this process, for ``asker``.
    """
    # First join the graph, then look: of two actors that begin to wait for each other, the second one sees the first.
    asker.waits.append(slot)
    seen = {id(asker)}
    todo = [slot]
    leaves = False
    while todo:
        cell = todo.pop().target._cell
        if cell is asker:
            asker.waits.remove(slot)
            error = _deadlock(slot, asker)
            slot.complete(None, error)
            raise error
        if cell is None or cell.runtime is not slot.runtime:
            leaves = True
        elif id(cell) not in seen:
            seen.add(id(cell))
            todo.extend(other for other in tuple(cell.waits) if not other.done)
    if leaves:
        slot.expose()
        slot.runtime.post(_arm, (slot, asker))


def _arm(argument: tuple[Slot, Cell]) -> None:
    slot, asker = argument
    runtime = slot.runtime

    def send() -> None:
        if not slot.done and slot in asker.waits:
            runtime.route(slot.target, Chase(asker.address, slot.address.serial, ()), asker.address, SIGNAL)

    if not slot.done:
        runtime.timers.arm(runtime.clock.now() + CHASE_AFTER, send)


def chase(runtime: Runtime, cell: Cell, signal: Chase) -> None:
    """A chase has reached ``cell``; holder only."""
    if cell.address == signal.asker:
        slot = runtime.slots.get(signal.serial)
        if slot is not None and slot in cell.waits:
            slot.complete(None, _deadlock(slot, cell))
    elif cell.address not in signal.over:
        onward = Chase(signal.asker, signal.serial, (*signal.over, cell.address))
        for slot in tuple(cell.waits):
            if not slot.done:
                runtime.route(slot.target, onward, cell.address, SIGNAL)


def _deadlock(slot: Slot, asker: Cell) -> AskDeadlock:
    return AskDeadlock(f"{asker.address} asks {slot.target}, which waits for {asker.address}")
