"""`VirtualClock`: time that stands still until the kernel moves it; `LocalClock`: what one system takes it for.

Owns the current instant, in whole nanoseconds, so that sums never depend on the order of additions. Must not know who waits.
"""

from __future__ import annotations

EPOCH = 946_684_800
"""`VirtualClock.wall` at instant 0: 2000-01-01 00:00 UTC."""
SECOND = 1_000_000_000
MILLION = 1_000_000


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

    def instant(self, seconds: float) -> int:
        """The first instant at which `now` is not below ``seconds``."""
        return instant(seconds)


class LocalClock:
    """The clock of one system; see `garrick.ports.Clock`. It may drift, and its wall clock may be wrong and jump.

    Args:
        world: the true time.
    """

    __slots__ = ("_drift", "_since", "_then", "_wall", "_world")

    def __init__(self, world: VirtualClock) -> None:
        self._world = world
        self._drift = 0
        self._since = 0
        """The true instant at which it got its drift, and ``_then`` what it showed."""
        self._then = 0
        self._wall = 0

    @property
    def ns(self) -> int:
        """What it shows; never goes back."""
        passed = self._world.ns - self._since
        return self._then + passed + passed * self._drift // MILLION

    def now(self) -> float:
        """See Clock."""
        return self.ns / SECOND

    def wall(self) -> float:
        """See Clock."""
        return EPOCH + (self.ns + self._wall) / SECOND

    def instant(self, seconds: float) -> int:
        """The first true instant at which `now` is not below ``seconds``."""
        wanted = instant(seconds)
        if not self._drift:
            return self._since + wanted - self._then
        true = self._since + (wanted - self._then) * MILLION // (MILLION + self._drift)
        while True:
            passed = true - self._since
            short = wanted - (self._then + passed + passed * self._drift // MILLION)
            if short <= 0:
                return true
            true += max(1, short // 2)

    def set_drift(self, parts_per_million: int) -> None:
        """From now on it gains so much; negative: it loses."""
        self._then, self._since = self.ns, self._world.ns
        self._drift = parts_per_million

    def jump(self, nanoseconds: int) -> None:
        """The wall clock is set forward by so much; negative: back. The monotonic one goes on."""
        self._wall += nanoseconds


def instant(seconds: float) -> int:
    """The first instant at which `VirtualClock.now` is not below ``seconds``: what is due then really is due."""
    ns = round(seconds * SECOND)
    if ns / SECOND >= seconds:
        return ns
    numerator, denominator = seconds.as_integer_ratio()
    return -(-numerator * SECOND // denominator)
