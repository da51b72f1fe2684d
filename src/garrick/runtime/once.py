"""`Once`: something to wait for that becomes done by a call: the arrival of a message, room on a link, the end of a system."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Once:
    """A `garrick.ports.Waitable`."""

    target = None
    """Nobody in particular completes it: a scheduler that waits for it can't run anybody instead."""

    __slots__ = ("_callbacks", "_lock", "done")

    def __init__(self) -> None:
        self.done = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def on_done(self, callback: Callable[[], None]) -> None:
        """See Waitable."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback()

    def finish(self) -> None:
        """It is done: let those who wait go on; any thread, and any number of times."""
        with self._lock:
            self.done = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


def finisher(loop: Any, future: Any) -> Callable[[], None]:
    """What completes an asyncio future from any thread; on that of the loop at once, since to wake it costs two system calls."""
    from asyncio import _get_running_loop  # late: programs without async handlers never load it

    def finish() -> None:
        if not future.done():
            future.set_result(None)

    def finish_soon() -> None:
        if _get_running_loop() is loop:
            finish()
            return
        try:
            loop.call_soon_threadsafe(finish)
        except RuntimeError:
            pass  # the loop has been closed: its system ended, and nobody waits any more

    return finish_soon
