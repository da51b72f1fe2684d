"""`Silence`: when a member whose connection is alive should look for another server, because it hears nothing of the directory.

Sans-IO. One of several servers may be cut off from the others while its clients stay connected to it. A directory speaks every two
seconds, so a longer silence says either that, or that there is none; so the patience grows, and no two members lose it together.
"""

from __future__ import annotations

from garrick.engine.backoff import Backoff

__all__ = ["Silence"]


class Silence:
    """Args: ``key``: of this member; ``first`` and ``longest``: seconds, the longest that the patience may be."""

    def __init__(self, key: str, first: float = 20.0, longest: float = 160.0) -> None:
        self._patience = Backoff(f"{key}/silence", first, longest)
        self._until: float | None = None

    def heard(self, now: float) -> None:
        """The directory has spoken."""
        self._patience.reset()
        self._until = now + self._patience.next()

    def connected(self, now: float) -> None:
        """A connection is new: it gets its time."""
        self._until = now + self._patience.next()

    def disconnected(self) -> None:
        """Nothing can be heard anyway."""
        self._until = None

    def is_too_long(self, now: float) -> bool:
        """Whether another server should be tried."""
        return self._until is not None and now >= self._until
