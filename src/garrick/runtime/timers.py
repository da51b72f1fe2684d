"""Timers of one runtime: a heap of due times. Only the holder of the baton touches the heap."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell


class Timer:
    """A pending message of an actor to itself.

    ``period`` is None for a single shot. A periodic timer skips a tick while the last one has not been handled.
    """

    __slots__ = ("cancelled", "cell", "due", "keep", "message", "period", "waiting")

    def __init__(self, cell: Cell, due: float, message: Any, period: float | None, keep: bool) -> None:
        self.cell = cell
        self.due = due
        self.message = message
        self.period = period
        self.keep = keep
        self.cancelled = False
        self.waiting = False

    def cancel(self) -> None:
        """Never fire again; a tick that already waits in the mailbox is dropped."""
        self.cancelled = True
        self.message = None  # its heap keeps the timer until it would have been due
        timers = self.cell.timers
        if timers is not None:
            timers.discard(self)


class TimerHeap:
    """All timers of a runtime, ordered by due time and then by arming order."""

    __slots__ = ("_armed", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Any]] = []
        self._armed = 0

    def arm(self, due: float, item: Any) -> None:
        """``item`` is due at ``due`` (the runtime's clock)."""
        self._armed += 1
        heapq.heappush(self._heap, (due, self._armed, item))

    @property
    def next_due(self) -> float | None:
        """When the earliest item is due, or None."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[Any]:
        """Remove and return the items that are due, in order."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def __len__(self) -> int:
        return len(self._heap)
