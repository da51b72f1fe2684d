"""The end of a system: actors in their order, then processes, then the rest by force.

Owns the steps of a shutdown. Must not know how actors end inside a process. Invariants: every requester is answered once, with what
was abandoned; no process of the system outlives `EndSystem`, as far as killing helps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from garrick.address import Address, control
from garrick.node.admin.core import Core, Ending
from garrick.node.admin.effects import EndSystem, KillProcess
from garrick.node.admin.moving import give_up
from garrick.node.admin.processes import Process, State
from garrick.runtime import signals

GRACE = 5.0
"""Seconds that actors get to end when nobody said how many."""
KILL_MARGIN = 1.0
"""Seconds beyond the grace in which a process must have ended by itself."""
KILL_WAIT = 2.0
"""Seconds that the end of killed processes is waited for."""


def shut_down(core: Core, grace: float, now: float, reason: str, requester: Address[Any] | None) -> None:
    """Begin to end the system; a second request can only shorten the grace of the first."""
    deadline = now + max(grace, 0.0) + KILL_MARGIN
    first = core.ending is None
    if core.ending is None:
        core.ending = Ending(reason, deadline)
        core.report("info", f"the system ends: {reason}")
    elif not core.ending.killed:
        core.ending.deadline = min(core.ending.deadline, deadline)
    if requester is not None:
        core.ending.requesters.append(requester)
    if first:
        core.tell_contacts()  # before its actors end: whoever makes them again must not choose this system
        cancelled = tuple(p.number for p in core.processes.in_state(State.WAITING))
        for number in cancelled:
            core.processes.gone(number, now, "stopped", "the system is ending")
        if cancelled:  # something may wait for them
            ended = give_up(core, core.kept.at(*cancelled))
            core.broadcast(signals.ProcessLost(cancelled, "stopped", "the system is ending", ended))
        for process in core.processes.in_state(State.STARTING):
            core.out.append(KillProcess(process.number, "the system is ending"))
        ask_to_end(core, _to_end(core, State.UP), grace)


def ask_to_end(core: Core, processes: Iterable[Process], grace: float) -> None:
    """Tell processes to end their actors and themselves; they may answer with what they abandon."""
    assert core.ending is not None
    numbers = [p.number for p in processes]
    for number, serial in core.surveys.open(core.ending, numbers, core.ending.deadline).items():
        core.send(control(core.system, number), signals.Shutdown(grace), sender=core.one_shot(serial))


def note_abandoned(ending: Ending, answer: Any) -> None:
    """What a process says that it had to leave behind."""
    if isinstance(answer, (list, tuple)):
        ending.abandoned += [str(item) for item in answer]


def continue_end(core: Core, now: float) -> None:
    """After any input during a shutdown: is it over, or is a harder step due?"""
    ending = core.ending
    assert ending is not None
    left = list(_to_end(core, State.UP, State.STARTING))
    if left and now >= ending.deadline and not ending.killed:
        ending.killed, ending.deadline = True, now + KILL_WAIT
        for process in left:
            ending.abandoned.append(f"process {process.number} ({process.role}, {process.load} actors): killed")
            core.out.append(KillProcess(process.number, "did not end within its grace"))
    elif not left or now >= ending.deadline:
        for process in left:
            ending.abandoned.append(f"process {process.number}: did not end when it was killed")
        for requester in ending.requesters:
            core.reply(requester, tuple(ending.abandoned))
        core.ended = True
        core.out.append(EndSystem(ending.reason, tuple(ending.abandoned)))


def _to_end(core: Core, *states: State) -> Iterable[Process]:
    # Clients are programs of their own: they learn the end of the system from their closed links.
    return (p for p in core.processes.in_state(*states) if p.role != "client")
