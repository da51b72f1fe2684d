"""Watching of file descriptors, for actors that have a process of their own.

Owns one thread in an actor's process that polls what the actor wants watched. Invariants: an actor is told once for each set that it gives
(what it returns from that message is the next set); what is closed or can't be watched is dropped, and a regular file, which can always be
read, is ready at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterable
from typing import Any


class ThespianWatch:
    """What ``receiveMessage`` returns to be told by a `WatchMessage` when one of these can be read.

    It replaces what was watched before; any other result ends the watching.

    Args:
        filenos: descriptors, or objects that have one.
    """

    def __init__(self, filenos: Iterable[Any]) -> None:
        self.filenos = [one if isinstance(one, int) else one.fileno() for one in filenos]


class Watcher:
    """The thread of one actor.

    Args:
        ready: is called with descriptors that can be read, by the thread.
    """

    def __init__(self, ready: Callable[[list[int], int], None]) -> None:
        self._ready = ready
        self._wanted: list[int] = []
        self._turn = 0
        self._lock = threading.Lock()
        self._wake: int | None = None
        self._over = False

    @property
    def turn(self) -> int:
        """Counts the sets; what is told of an earlier one is out of date."""
        return self._turn

    def watch(self, filenos: list[int]) -> None:
        """Watch these, and nothing else."""
        with self._lock:
            if not filenos and self._wake is None:
                return
            self._wanted = filenos
            self._turn += 1
            if self._wake is None:
                reading, self._wake = os.pipe()
                threading.Thread(target=self._run, args=(reading,), name="thespian-watch", daemon=True).start()
            else:
                os.write(self._wake, b"x")

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            self._over = True
            if self._wake is not None:
                os.close(self._wake)
                self._wake = None

    def _run(self, wake: int) -> None:
        told = 0
        while True:
            with self._lock:
                if self._over:
                    os.close(wake)
                    return
                turn, wanted = self._turn, self._wanted if self._turn != told else []
            poll = select.poll()
            poll.register(wake, select.POLLIN)
            for fileno in wanted:
                poll.register(fileno, select.POLLIN)
            found = dict(poll.poll())
            if wake in found:
                with contextlib.suppress(OSError):
                    os.read(wake, 4096)
                continue
            ready = [fileno for fileno, event in found.items() if not event & select.POLLNVAL]
            if ready:
                told = turn
                self._ready(ready, turn)
            else:
                with self._lock:
                    if self._turn == turn:
                        self._wanted = [fileno for fileno in wanted if fileno not in found]
