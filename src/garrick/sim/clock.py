"""`VirtualClock`: time that stands still until the kernel moves it.

Owns the current instant, in whole nanoseconds, so that sums never depend on the order of additions. Must not know who waits.
"""

from __future__ import annotations

EPOCH = 946_684_800
"""`VirtualClock.wall` at instant 0: 2000-01-01 00:00 UTC."""
SECOND = 1_000_000_000


class VirtualClock:
    """See `garrick.ports.Clock`."""

    __slots__ = ("ns",)

    def __init__(self) -> None:
        self.ns = 0
        """The instant. Only the kernel changes it, and never backwards."""

    def now(self) -> float:
        """See Clock."""
        return self.ns / SECOND

    def wall(self) -> float:
        """See Clock."""
        return EPOCH + self.ns / SECOND


def instant(seconds: float) -> int:
    """The first instant at which `VirtualClock.now` is not below ``seconds``: what is due then really is due."""
    ns = round(seconds * SECOND)
    if ns / SECOND >= seconds:
        return ns
    numerator, denominator = seconds.as_integer_ratio()
    return -(-numerator * SECOND // denominator)
