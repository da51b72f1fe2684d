"""Which processes answer: one that is stopped, or whose interpreter is held, is *suspect*, long before anybody knows more.

Owns when processes are asked for a sign of life and when their silence is a suspicion. Must not know what follows from it, nor clocks.
Invariants:

* A suspicion is no death: nothing is taken away from a suspect process, and its first answer ends the suspicion.
* Silence counts only while the admin itself was awake: after a pause of its own everybody gets the whole time again.
* However many processes there are, no more than `RATE` of them are asked per second.
"""

from __future__ import annotations

from collections.abc import Iterable

from garrick.node.admin.processes import Process

PERIOD = 0.4
"""Seconds between two questions to a process."""
PATIENCE = 0.5
"""Seconds of silence that make a process suspect; together with `PERIOD` less than one."""
RATE = 500.0
LATE = 0.2
"""Seconds that the admin may be late itself before it trusts nothing that it has not heard."""


class Pulse:
    """The questions of one admin; off where there are no processes."""

    def __init__(self, now: float, *, on: bool) -> None:
        self._next: float | None = now + PERIOD if on else None

    def deadline(self, processes: Iterable[Process]) -> float | None:
        """When `look` is due."""
        if self._next is None:
            return None
        return min([self._next, *(p.asked + PATIENCE for p in processes if p.asked is not None and p.suspect is None)])

    def look(self, processes: list[Process], now: float) -> tuple[list[Process], list[Process]]:
        """To be called when time has passed: who is to be asked now, and who is suspect from now on.

        Args:
            processes: all that could answer.
            now: monotonic seconds.
        """
        due = self.deadline(processes)
        if due is None or self._next is None or now < due:
            return [], []
        if now - due > LATE:
            for process in processes:
                process.asked = now if process.asked is not None else None
        suspects = [p for p in processes if p.suspect is None and p.asked is not None and now >= p.asked + PATIENCE]
        for process in suspects:
            process.suspect = process.asked
        if now < self._next:
            return [], suspects
        self._next = now + max(PERIOD, len(processes) / RATE)
        ask = [p for p in processes if p.asked is None]
        for process in ask:
            process.asked = now
        return ask, suspects

    def answered(self, process: Process) -> float | None:
        """A process gave its sign of life: since when it was suspect, if it was."""
        since, process.asked, process.suspect = process.suspect, None, None
        return since
