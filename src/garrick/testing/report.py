"""What a failed test tells of its systems: the tree of actors with their mailboxes, dead letters, and the last messages.

Owns the text. Asks nobody and changes nothing: it reads what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from garrick.runtime import inspection
from garrick.sim.world import World, world_of
from garrick.system import ActorSystem

LAST = 50
"""Messages that are shown."""
ACTORS = 200
"""Actors that are shown."""


def report(subject: ActorSystem | World) -> str:
    """What is known of a system or of all systems of a world, as text."""
    world = subject if isinstance(subject, World) else world_of(subject)
    runtimes: list[Any] = (
        [runtime for node in world._nodes.values() for runtime in node.runtimes()] if world is not None else []
    )
    if world is None and isinstance(subject, ActorSystem):
        runtimes = [subject._runtime]
    lines: list[str] = []
    for runtime in runtimes:
        lines += _tree(runtime)
    if world is not None:
        events = world.events(last=LAST)
        lines += [
            f"the last {len(events)} of {world.step} steps, until {world.now:.6f} s:",
            *(f"  {e}" for e in events),
        ]
    return "\n".join(lines)


def _tree(runtime: Any) -> Iterable[str]:
    place = f"process {runtime.number}" if "/" in getattr(runtime, "label", "") else "the program's process"
    yield f"system {runtime.system}, {len(runtime.cells)} actors in {place}:"
    waiting = inspection.waiting_in_lane(runtime)
    children: dict[Any, list[Any]] = {}
    cells = list(runtime.cells.values())[:ACTORS]
    here = {cell.address for cell in cells}
    for cell in cells:
        children.setdefault(cell.parent if cell.parent in here else None, []).append(cell)

    def below(parent: Any, depth: int) -> Iterable[str]:
        for cell in children.get(parent, ()):
            row = inspection.row(cell, waiting)
            name = f" {row['name']!r}" if row["name"] else ""
            waits = f", waits for {row['waits_for']}" if row["waits_for"] else ""
            mailbox = f", mailbox {row['mailbox']}" if row["mailbox"] else ""
            yield f"{'  ' * depth}{row['class']}{name} {row['address']}: {row['state']}{mailbox}{waits}"
            yield from below(cell.address, depth + 1)

    yield from below(None, 1)
    if runtime.dead_letter_count:
        counts = ", ".join(f"{count} {reason}" for reason, count in runtime.dead_letter_count.items())
        yield f"  dead letters: {counts}"
        for kept in list(runtime.history.letters)[-5:]:
            letter = kept.letter
            yield f"    {type(letter.message).__qualname__} to {letter.target}: {letter.reason}"
    for failure in list(runtime.history.failures)[-3:]:
        yield f"  failure of serial {failure.serial} on {failure.message}: {''.join(failure.trace.format_exception_only()).strip()}"
