"""What is left over in simulated systems when everything should be done.

Owns the list of what counts as left over. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.runtime.cell import ENDED
from garrick.runtime.inspection import class_text

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.sim.node import SimNode


def leaks(nodes: Iterable[SimNode], keep: list[Address[Any]]) -> list[str]:
    """A line for each thing that is left over, but for actors in ``keep`` and what belongs to them and their descendants.

    Inboxes are the program's own, and no leak.
    """
    nodes = list(nodes)
    cells = [cell for node in nodes for cell in node.runtime.cells.values() if cell.parent != node.runtime.address]
    kept = set(keep)
    grown = True
    while grown:  # parents may live in other systems
        new = {cell.address for cell in cells if cell.parent in kept} - kept
        kept |= new
        grown = bool(new)
    found = [f"actor {_name(cell)} of {cell.parent}" for cell in cells if cell.address not in kept]
    for node in nodes:
        found += _left(node, kept)
    return found


def _left(node: SimNode, kept: set[Address[Any]]) -> Iterator[str]:
    runtime = node.runtime
    for slot in {id(slot): slot for slot in (*runtime.slots.values(), *_asks(runtime.cells.values()))}.values():
        if not slot.done and (slot.asker is None or slot.asker.address not in kept):
            yield f"ask to {slot.target}, which gives up at {slot.deadline:g} s"
    for timer in node.stepped.armed():
        if timer.cell.runtime is runtime and timer.cell.state == ENDED:
            yield f"timer of {_name(timer.cell)}, which has ended"
    for serial in runtime.arrivals.held:
        yield f"address with serial {serial}, for which messages are held until somebody spawns it"
    for reader in runtime.readers:
        yield f"address of a subscription, serial {reader}"
    for cell in runtime.cells.values():
        for watched in cell.watching or ():
            if watched.system == runtime.system and watched.serial in runtime.tombstones:
                yield f"address {watched} has ended, but {_name(cell)} still watches it"


def _asks(cells: Iterable[Cell]) -> Iterator[Any]:
    for cell in cells:
        yield from cell.asks or ()


def _name(cell: Cell) -> str:
    return f"{class_text(cell.spec.actor_class).rpartition('.')[2]} {cell.address}"
