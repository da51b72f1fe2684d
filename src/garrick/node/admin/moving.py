"""What becomes of the actors that are to survive the loss of their process (`garrick.node.admin.kept`).

Owns where each of them is made again. Must not know what is in a spawn. Invariants:

* Nothing is made again while the system ends, for a parent that is gone, or more often than the policy of the actor allows.
* What comes from a shared worker goes to the worker that replaces it, whose back-off it shares: an actor that kills its process
  would else take the other workers along, one after the other. What had a process of its own gets a new one.
* A process gets the spawns behind its first View and behind what is lost.
"""

from __future__ import annotations

from typing import Any

from garrick.address import Address
from garrick.node.admin.core import Core
from garrick.node.admin.effects import Deliver
from garrick.node.admin.kept import Entry
from garrick.node.admin.processes import Process, State, backoff


def rehouse(core: Core, dead: Process, replacement: Process | None, now: float) -> dict[Address[Any], int]:
    """A process has died unexpectedly: where those of its actors are now that were to survive that (0: nowhere)."""
    entries = core.kept.at(dead.number)
    lost = {entry.keep.address for entry in entries}
    # All are judged before the first is moved: with a parent that is made again its children have ended.
    survivors = [e for e in entries if _has_parent(core, e, lost) and core.kept.count(e, now)]
    moved = give_up(core, [e for e in entries if e not in survivors])
    for entry in survivors:
        home = _home(core, entry, replacement, now)
        if home is None:
            moved.update(give_up(core, [entry]))
            continue
        core.kept.move(entry, home.number)
        core.names.rehome(entry.keep.address, home.number)
        core.everywhere.rehome(entry.keep.address, home.number)
        moved[entry.keep.address] = home.number
    if survivors:
        core.report("warning", f"made again elsewhere: {len(survivors)} of the actors of process {dead.number}")
    return moved


def give_up(core: Core, entries: list[Entry]) -> dict[Address[Any], int]:
    """These have ended with their process."""
    for entry in entries:
        core.kept.forget(entry.keep.address)
    return {entry.keep.address: 0 for entry in entries}


def hand_over(core: Core, number: int) -> None:
    """The process is up, and knows what the others know: it makes what is to be made again there."""
    for spawn in core.kept.take_due(number):
        core.out.append(Deliver(number, spawn))


def _has_parent(core: Core, entry: Entry, lost: set[Address[Any]]) -> bool:
    parent = entry.keep.parent
    if parent.system != core.system:
        return parent.system in core.members.systems
    if parent.serial == 0 and parent.process == 0:
        return True
    return parent not in lost and core.processes.alive(core.kept.place(parent))


def _home(core: Core, entry: Entry, replacement: Process | None, now: float) -> Process | None:
    if entry.keep.dedicated:
        process = core.processes.add("dedicated", State.WAITING, now)
        process.address = entry.keep.address
        process.start_at = now + backoff(len(entry.losses))
        return process
    if replacement is not None:
        return replacement
    hosts = core.processes.hosts()
    return core.processes.table[min(hosts, key=lambda host: host.load).number] if hosts else None
