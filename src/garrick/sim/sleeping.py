"""``time.sleep`` while a world runs: virtual for code that the kernel steps, the real one for everybody else.

Owns the patch of the `time` module; it is in place only while some world is being driven. A handler that got the function by
``from time import sleep`` before keeps the real one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Sleeper(Protocol):
    """Who may own the current thread's time."""

    def inside(self) -> bool:
        """Whether the current thread runs a step of it."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        ...


_real: Any = time.sleep
_lock = threading.Lock()
_sleepers: list[Sleeper] = []


def _sleep(seconds: float) -> None:
    for sleeper in tuple(_sleepers):
        if sleeper.inside():
            if seconds < 0:
                raise ValueError("sleep length must be non-negative")
            sleeper.sleep(seconds)
            return
    _real(seconds)


@contextmanager
def virtual_sleep(sleeper: Sleeper) -> Iterator[None]:
    """``time.sleep`` asks this sleeper first."""
    global _real
    with _lock:
        if not _sleepers:
            _real, time.sleep = time.sleep, _sleep  # type: ignore[assignment]
        _sleepers.append(sleeper)
    try:
        yield
    finally:
        with _lock:
            _sleepers.remove(sleeper)
            if not _sleepers and time.sleep is _sleep:
                time.sleep = _real
