"""`Haste`: whether a poller asks for a moment longer before it lets the system put its thread to sleep.

Owns that decision. Must not know descriptors or messages. To wake a core that has gone to sleep takes the machine 20 to 60 us, several
times as long as all the rest of a message's way between two processes. Who plays ping-pong pays that for every message; who waits awake
does not; docs/explanation/performance.md has figures. But waiting awake costs a core, so it is done only where it has just been worth it:

* An idle process never does it: one wait longer than `AWAKE` says that nothing is near, and `RUN` short ones in a row are needed before
  the next try. So at most `AWAKE` seconds are spent in vain per pause.
* Each time in vain doubles the number that is needed, until it has been worth it `RUN` times four in a row: on a busy machine, where
  cores are awake anyway and others need them, it is hardly ever tried.
* Whoever else wants the core or the interpreter gets it at once: every turn lets both go. When that takes long, the time is over.
* Not where there is less than two cores' time for all: there the peer needs the core to answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

AWAKE: Final = 0.0001
"""Seconds of waiting awake; also what counts as a short wait."""
RUN: Final = 8
"""Short waits in a row that show that a peer answers at once."""
_MOST: Final = 4096
"""So many are enough in any case."""
_QUOTAS: Final = (
    ("/sys/fs/cgroup/cpu.max", None),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)

Poll = Callable[[float], list[tuple[int, int]]]


class Haste:
    """See the module; one for each poller."""

    __slots__ = ("_needed", "_now", "_run", "_won")

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._needed = RUN
        """Short waits that are still to be seen."""
        self._run = RUN
        """How many are needed after the next time in vain."""
        self._won = 0

    def poll(self, poll: Poll, timeout: float) -> list[tuple[int, int]]:
        """``poll(timeout)``, awake for the first moment if that may be worth it. ``timeout`` is not 0; negative: for ever."""
        end = self._now() + AWAKE
        if not self._needed:
            while True:
                ready = poll(0)
                if ready:
                    self._won += 1
                    if self._won == 4 * RUN:
                        self._run = RUN
                    return ready
                if self._now() >= end:
                    break
                _let_others()
            self._won = 0
            self._needed = self._run = min(2 * self._run, _MOST)
            return poll(timeout)
        ready = poll(timeout)
        if self._now() >= end:
            self._needed = self._run
        elif self._needed > 1 or enough_cores():
            self._needed -= 1
        return ready


@lru_cache(maxsize=1)
def enough_cores() -> bool:
    """Whether two processes may run at the same time."""
    try:
        cores: float = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    return cores >= 2 and _quota() >= 2


def _quota() -> float:
    """The cores' worth of time that the control group of this process may use."""
    for limit, period in _QUOTAS:
        try:
            words = Path(limit).read_text().split()
            if period is not None:
                words.append(Path(period).read_text())
            quota, of = float(words[0]), float(words[1])
        except (OSError, ValueError, IndexError):
            continue  # no such file, or "max"
        if quota > 0:
            return quota / of
    return float("inf")


_let_others: Callable[[], Any] = getattr(os, "sched_yield", lambda: None)
