"""What the runtime has learnt about actor classes: which ones wait, which ones burn CPU.

Owns the decision where a class's handlers run; pure data and arithmetic, no threads and no clock. Measured rules:

* A handler that was taken over while its thread used almost no CPU *waits*; its class goes to the thread pool until it is fast again.
* One that used the CPU *burns*; it stays inline and is handed over each time. Known long burners queue on one CPU lane, because more
  threads would only take turns at the interpreter's lock.
"""

from __future__ import annotations

INLINE, POOL, CPU = range(3)

WAITING_SHARE = 0.1
"""A thread that used less than this share of the wall time was waiting."""
FAST_SECONDS = 0.0002
FAST_IN_A_ROW = 64
"""So many fast handlers in a row bring a class back inline."""
LONG_SECONDS = 0.02
LONG_TIMES = 3
"""A class with so many long burning handlers goes to the CPU lane."""


class ClassProfile:
    """The record of one actor class in one process."""

    __slots__ = ("fast", "long", "mode")

    def __init__(self) -> None:
        self.mode = INLINE
        self.fast = 0
        self.long = 0

    def detached(self, wall: float, cpu: float) -> bool:
        """A handler of the class was taken over and ran ``wall`` s since, using ``cpu`` s; True when the mode changes."""
        before = self.mode
        if cpu < WAITING_SHARE * wall:
            self.mode = POOL
            self.fast = 0
        elif wall >= LONG_SECONDS:
            self.long += 1
            if self.long >= LONG_TIMES:
                self.mode = CPU
                self.fast = 0
        return self.mode != before

    def ran(self, wall: float) -> bool:
        """A handler of the class ran off the baton for ``wall`` s; True when the class goes back inline."""
        if wall > FAST_SECONDS:
            self.fast = 0
            return False
        self.fast += 1
        if self.fast < FAST_IN_A_ROW:
            return False
        self.mode = INLINE
        self.fast = self.long = 0
        return True
