"""`WakePoller`: the poller of a runtime that has no links: it only sleeps and can be woken."""

from __future__ import annotations

import threading


class WakePoller:
    """See `garrick.ports.Poller`. A lock serves as a binary semaphore: waking twice before a poll ends one poll."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def poll(self, timeout: float | None) -> None:
        """See Poller."""
        if timeout is None:
            self._gate.acquire()
        else:
            self._gate.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def wake(self) -> None:
        """See Poller."""
        try:
            self._gate.release()
        except RuntimeError:
            pass  # already open: the next poll returns at once

    def busy(self) -> None:
        """See Poller: nothing to serve."""

    def close(self) -> None:
        """See Poller: nothing to release."""
