"""What is left over in simulated systems when everything should be done.

Owns the list of what counts as left over. Changes nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.runtime.cell import ENDED
from garrick.runtime.inspection import class_text

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.sim.node import SimNode
    from garrick.sim.runtime import SimRuntime


def leaks(
    nodes: Iterable[SimNode], keep: list[Address[Any]], before: Mapping[tuple[str, str], int] | None = None
) -> list[str]:
    """A line for each thing that is left over, but for actors in ``keep`` and what belongs to them and their descendants.

    Inboxes are the program's own, and no leak.

    Args:
        nodes: the systems.
        keep: who may still live.
        before: `sources` when the world began; what was there then is somebody else's.
    """
    runtimes = [runtime for node in nodes for runtime in node.runtimes()]
    cells = [cell for runtime in runtimes for cell in runtime.cells.values() if cell.parent != runtime.address]
    kept = set(keep)
    grown = True
    while grown:  # parents may live in other systems
        new = {cell.address for cell in cells if cell.parent in kept} - kept
        kept |= new
        grown = bool(new)
    found = [f"actor {_name(cell)} of {cell.parent}" for cell in cells if cell.address not in kept]
    for runtime in runtimes:
        found += _left(runtime, kept)
    living = [cell.spec.actor_class for cell in cells if cell.address in kept]
    for (name, text), count in (sources() - Counter(before or {})).items():
        if not any(str(getattr(cls, "__module__", cls)).startswith(f"garrick.loaded.{name}.") for cls in living):
            found.append(f"source {text}: {count} more than at the beginning")
    return found


def sources() -> Counter[tuple[str, str]]:
    """What keeps loaded sources from being gone: the name of the prefix, and what it is, for a person; with how often that is so.

    That is: who holds it, and pieces of its code that outlived its unloading. One table for all systems: sources belong to the process.
    """
    found: Counter[tuple[str, str]] = Counter()
    loading = sys.modules.get("garrick.sources.loading")
    if loading is not None:  # else nobody has ever loaded one
        for loaded in loading.all_loaded():
            found[loaded.name, f"{loaded!r} is held"] += loaded.references
        for name, references in loading.survivors.items():
            for thing in filter(None, (reference() for reference in references)):
                found[name, f"{name[1:9]} is unloaded, but {getattr(thing, '__qualname__', 'a module')} lives"] += 1
    return found


def _left(runtime: SimRuntime, kept: set[Address[Any]]) -> Iterator[str]:
    for slot in {id(slot): slot for slot in (*runtime.slots.values(), *_asks(runtime.cells.values()))}.values():
        if not slot.done and (slot.asker is None or slot.asker.address not in kept):
            yield f"ask to {slot.target}, which gives up at {slot.deadline:g} s"
    for timer in runtime.armed():
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
