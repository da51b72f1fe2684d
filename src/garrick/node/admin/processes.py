"""The processes of a system: numbers, states, and the replacement of workers that die.

Owns the table of processes. Must not know signals, names or who asks. Invariants:

* A number denotes one process for ever; it is never given twice, not even after a process that never came up.
* States go one way only: ``WAITING -> STARTING -> UP -> GONE``, and to GONE from each.
* The replacement of a worker is a new process with a new number. What was for the old one is not for it: those actors have ended, and
  a message that went there would wait for an actor that never comes, instead of failing at once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from garrick.address import Address
from garrick.runtime.signals import ProcessInfo

BLOCK = 64
"""Numbers that a process gets at once for the dedicated processes it will want."""
STABLE = 30.0
"""Seconds after which the death of a worker counts as the first again."""
FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0


class State(enum.Enum):
    """Where a process is in its life."""

    WAITING = "waiting"
    """The replacement of a worker that died repeatedly; starts when its back-off is over."""
    STARTING = "starting"
    UP = "up"
    GONE = "gone"


@dataclass
class Process:
    """One process, from the moment its number is given to it."""

    number: int
    role: str
    state: State
    since: float
    """When it got this state."""
    pid: int | None = None
    owner: bool = False
    address: Address[Any] | None = None
    load: int = 0
    failures: int = 0
    """How many predecessors in a row died soon."""
    start_at: float = 0.0
    reason: str = ""
    detail: str = ""
    farewell: str = "stopped"
    """What its reason will be when it ends as it should."""
    asked: float | None = None
    """When it was asked for a sign of life that it still owes."""
    suspect: float | None = None
    """Since when it has given none."""


@dataclass
class Processes:
    """The table. Process 0, the admin itself, is not in it."""

    table: dict[int, Process] = field(default_factory=dict)
    _next: int = 1
    _blocks: dict[int, int] = field(default_factory=dict)
    """Numbers given out in advance and not yet used -> the process they were given to."""

    # --- numbers

    def add(self, role: str, state: State, now: float) -> Process:
        """A process with a fresh number."""
        process = Process(self._take(1), role, state, now)
        self.table[process.number] = process
        return process

    def block(self, holder: int) -> tuple[int, int]:
        """``(first, count)`` of numbers for dedicated processes which process ``holder`` will ask for."""
        first = self._take(BLOCK)
        self._blocks.update(dict.fromkeys(range(first, first + BLOCK), holder))
        return first, BLOCK

    def claim(self, number: int, address: Address[Any], now: float) -> Process | None:
        """The dedicated process that a block's number is used for; None if the number is not free."""
        if self._blocks.pop(number, None) is None:
            return None
        process = self.table[number] = Process(number, "dedicated", State.STARTING, now, address=address)
        return process

    def _take(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first

    # --- states

    def up(self, number: int, role: str, now: float, pid: int | None, owner: bool) -> Process | None:
        """The process has attached; None if it must not (unknown, of another role, there already, or given up)."""
        process = self.table.get(number)
        if process is None or process.state is not State.STARTING or process.role != role:
            return None
        process.state, process.since, process.pid, process.owner = State.UP, now, pid, owner
        return process

    def gone(self, number: int, now: float, reason: str, detail: str) -> bool:
        """The process has ended; False if that is known already."""
        process = self.table.get(number)
        if process is None or process.state is State.GONE:
            return False
        process.state, process.since, process.reason, process.detail = State.GONE, now, reason, detail
        process.load = 0
        for unused in [n for n, holder in self._blocks.items() if holder == number]:
            del self._blocks[unused]
        return True

    def replace(self, dead: Process, lived: float, now: float) -> Process:
        """A worker in place of ``dead``; it is WAITING until ``start_at``."""
        failures = 0 if lived >= STABLE else dead.failures + 1
        process = self.add(dead.role, State.WAITING, now)
        process.failures = failures
        process.start_at = now + backoff(failures)
        return process

    def due(self, now: float) -> list[Process]:
        """Replacements whose back-off is over; they are STARTING from now on."""
        ready = [p for p in self.table.values() if p.state is State.WAITING and p.start_at <= now]
        for process in ready:
            process.state, process.since = State.STARTING, now
        return ready

    # --- views of the table

    def with_pulse(self) -> list[Process]:
        """Those that are asked for signs of life: a program may do with its own process what it likes."""
        return [p for p in self.table.values() if p.state is State.UP and p.role != "client"]

    def alive(self, number: int) -> bool:
        """Whether the process is there or on its way: what is sent to it may wait."""
        process = self.table.get(number)
        return process is not None and process.state is not State.GONE

    def in_state(self, *states: State) -> Iterator[Process]:
        """All processes in one of these states, in order of their numbers."""
        return (p for p in sorted(self.table.values(), key=lambda p: p.number) if p.state in states)

    def hosts(self) -> tuple[ProcessInfo, ...]:
        """The processes that anybody may spawn on: workers that answer, if there are any; if all have died those that will replace them."""
        workers = [p for p in self.in_state(State.WAITING, State.STARTING, State.UP) if p.role == "worker"]
        ready = [p for p in workers if p.state is not State.WAITING]
        sound = [p for p in ready if p.suspect is None]
        return tuple(ProcessInfo(p.number, p.load) for p in sound or ready or workers)

    def losses(self) -> dict[str, tuple[int, ...]]:
        """All processes that are gone, by reason."""
        found: dict[str, list[int]] = {}
        for process in self.in_state(State.GONE):
            found.setdefault(process.reason, []).append(process.number)
        return {reason: tuple(numbers) for reason, numbers in found.items()}

    def next_start(self) -> float | None:
        """When the next replacement is due."""
        return min((p.start_at for p in self.table.values() if p.state is State.WAITING), default=None)


def backoff(failures: int) -> float:
    """Seconds to wait before a worker is started again whose ``failures`` predecessors died soon: 0, 0.1, 0.2, ... 10."""
    if failures <= 1:
        return 0.0
    return min(FIRST_DELAY * 2.0 ** min(failures - 2, 30), LONGEST_DELAY)
