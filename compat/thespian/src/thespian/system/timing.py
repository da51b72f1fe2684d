"""Times: periods as numbers or timedeltas, and timers that expire."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import total_ordering

Period = timedelta | float | None


def currentTime() -> float:
    """Seconds on a clock that never jumps."""
    return time.monotonic()


def timePeriodSeconds(basis: timedelta | float) -> float:
    """A period in seconds.

    Raises:
        TypeError: it is no period.
    """
    if isinstance(basis, timedelta):
        return basis.total_seconds()
    if isinstance(basis, (int, float)):
        return float(basis)
    raise TypeError(f"a time period is a timedelta or a number of seconds, not {type(basis).__name__}")


def toTimeDeltaOrNone(timespec: Period) -> timedelta | None:
    """A period as a timedelta; None stays None."""
    if timespec is None or isinstance(timespec, timedelta):
        return timespec
    return timedelta(seconds=timePeriodSeconds(timespec))


@total_ordering
class ExpirationTimer:
    """Expires when a period is over; with None never.

    Args:
        duration: a timedelta or seconds.
        timenow: when it begins, as `currentTime` tells; None: now.
    """

    def __init__(self, duration: Period, timenow: float | None = None) -> None:
        self.duration = toTimeDeltaOrNone(duration)
        begun = currentTime() if timenow is None else timenow
        self._due = None if self.duration is None else begun + self.duration.total_seconds()

    def expired(self, timenow: float | None = None) -> bool:
        """Whether the period is over."""
        return self._due is not None and (currentTime() if timenow is None else timenow) >= self._due

    def remaining(self, forever: timedelta | None = None, timenow: float | None = None) -> timedelta | None:
        """What is left, at least nothing; ``forever`` if it never expires."""
        if self._due is None:
            return forever
        return timedelta(seconds=max(0.0, self._due - (currentTime() if timenow is None else timenow)))

    def remainingSeconds(self, forever: float | None = None, timenow: float | None = None) -> float | None:
        """As `remaining`, in seconds."""
        left = self.remaining(None, timenow)
        return forever if left is None else left.total_seconds()

    def __bool__(self) -> bool:
        return self.expired()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExpirationTimer) and self._due == other._due

    def __lt__(self, other: ExpirationTimer) -> bool:
        if self._due is None:
            return False
        return other._due is None or self._due < other._due

    def __hash__(self) -> int:
        return hash(self._due)

    def __str__(self) -> str:
        left = self.remaining()
        if left is None:
            return "Forever"
        return f"Expires_in_{left}" if left else f"Expired_for_{timedelta(seconds=currentTime() - (self._due or 0.0))}"


class Timer:
    """Measures the time since it was made."""

    def __init__(self) -> None:
        self._begun = currentTime()

    def elapsed(self) -> timedelta:
        """The time since then."""
        return timedelta(seconds=currentTime() - self._begun)


@contextmanager
def unexpired(timer: ExpirationTimer) -> Iterator[bool]:
    """For ``with``: gives whether the timer has not expired yet."""
    yield not timer.expired()
