"""`Gate`: whether a system's events happen, and how fast.

Owns the events that wait while their system is paused, and the time that each takes while it is slow. Must not know what they are.
Invariant: what waits happens in the order in which it came; nothing is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from garrick.sim.kernel import Due

if TYPE_CHECKING:
    from garrick.sim.kernel import Channel, Kernel


class Gated(Protocol):
    """A `garrick.sim.kernel.Channel` that asks the gate first."""

    def step(self) -> None:
        """Let its first event happen, if the gate lets it pass."""
        ...

    def run(self) -> None:
        """Let its first event happen."""
        ...


class Gate:
    """Of one system."""

    __slots__ = ("_free", "_kernel", "_waiting", "closed", "cost", "shut")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.closed = False
        """Whether a channel has to ask `stops`: the only thing that costs something when nothing is wrong."""
        self.shut = False
        """Nothing happens at all."""
        self.cost = 0
        """Nanoseconds that each event takes."""
        self._waiting: list[Channel] = []
        self._free = 0
        """Slow: when the event before is over."""

    def stops(self, channel: Gated) -> bool:
        """Whether the event has to wait; then it comes again by itself."""
        if self.shut:
            self._waiting.append(channel)
            return True
        now = self._kernel.clock.ns
        start = max(now, self._free)
        self._free = start + self.cost
        if start == now:
            return False
        self._kernel.at(start, Due(lambda: self._late(channel)))
        return True

    def _late(self, channel: Gated) -> None:
        if self.shut:
            self._waiting.append(channel)
        else:
            channel.run()

    def shut_down(self) -> None:
        """Nothing happens until `open`."""
        self.closed = self.shut = True

    def open(self) -> None:
        """Undo `shut_down`."""
        self.shut = False
        self.closed = self.cost > 0
        waiting, self._waiting = self._waiting, []
        for channel in waiting:
            self._kernel.put(channel)

    def slow_down(self, cost: int) -> None:
        """Each event takes ``cost`` nanoseconds; 0: none, as usual."""
        self.cost = cost
        self.closed = self.shut or cost > 0
