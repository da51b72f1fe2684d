"""The production implementations of the ports Clock, Random and Ids."""

from __future__ import annotations

import os
import random
import time
from collections import OrderedDict


class SystemClock:
    """See `garrick.ports.Clock`."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


class SystemRandom:
    """See `garrick.ports.Random`: every stream is seeded by the operating system."""

    def __init__(self, keep: int = 1000) -> None:
        self._keep = keep
        self._streams: OrderedDict[str, random.Random] = OrderedDict()

    def stream(self, name: str) -> random.Random:
        """See Random; unpredictable streams need no memory, so only the newest are kept."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random()
            if len(self._streams) > self._keep:
                self._streams.popitem(last=False)
        return stream


class SystemIds:
    """See `garrick.ports.Ids`."""

    @staticmethod
    def incarnation() -> str:
        """See Ids."""
        return os.urandom(5).hex()
