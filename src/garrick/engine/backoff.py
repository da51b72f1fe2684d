"""`Backoff`: how long to wait before the next attempt: twice as long each time, up to a limit, and never in step with others.

Sans-IO and without a source of chance: the spread of a wait follows from a key, which must differ from that of everybody else (the id of a
system), and from the number of the attempt. Thousands that lost the same server at the same moment come back over the whole wait, and a
simulated run is the same each time.
"""

from __future__ import annotations

import zlib

__all__ = ["Backoff"]

_SPREAD = 0.5


class Backoff:
    """The waits of one who tries again.

    Args:
        key: of this one.
        first: seconds; the longest that the first wait may be.
        longest: seconds; no wait is longer. Each is between a half and the whole of what it may be.
    """

    def __init__(self, key: str, first: float, longest: float) -> None:
        self._key = key
        self._first = first
        self._longest = longest
        self._limit = first
        self._count = 0

    def next(self) -> float:
        """Seconds to wait now; the next answer will be about twice as long."""
        self._count += 1
        chance = zlib.crc32(f"{self._count}:{self._key}".encode()) / 0xFFFFFFFF
        limit, self._limit = self._limit, min(self._limit * 2, self._longest)
        return limit * (1 - _SPREAD * chance)

    def reset(self) -> None:
        """It went well: the next wait is a short one."""
        self._limit = self._first
