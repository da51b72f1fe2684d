"""The sequential base: the simulator's one lane, without threads, but in real time; driven by the caller's steps.

Owns the real clock under a kernel, and the start of a system on it. Nothing happens but while the program waits or calls `settle`, and then
on its own thread, in the order of arrival. Differs from base ``"sim"`` in time alone: what is due later is slept for, and ``time.sleep`` of
a handler is the real one. It is what `garrick-thespian` offers as ``simpleSystemBase``.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from garrick.clocks import SystemIds
from garrick.sim.clock import SECOND, VirtualClock
from garrick.sim.hands import Crew
from garrick.sim.kernel import Channel, Kernel
from garrick.sim.node import SimNode

UNWIND_SECONDS = 1.0
"""How long a handler gets to leave when its system has ended."""


class RealClock(VirtualClock):
    """The monotonic clock of the machine, read as the kernel reads time."""

    __slots__ = ()

    def __init__(self) -> None:
        """Nothing is kept."""

    @property
    def ns(self) -> int:  # type: ignore[override]
        """The instant."""
        return time.monotonic_ns()

    def wall(self) -> float:
        """See Clock."""
        return time.time()


class RealTimeKernel(Kernel):
    """A kernel that waits for what is due instead of moving its clock. What threads of actors put in ends that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = RealClock()
        append = self._ready.append
        self._arrived = threading.Event()

        def put(channel: Channel) -> None:
            append(channel)
            self._arrived.set()

        self.put = put

    def step(self) -> bool:
        """See Kernel."""
        later = self._later
        if later and later[0][0] <= self.clock.ns:
            self._make_ready()
        if not self._ready and not self._advance():
            return False
        if self._ready:
            self.steps += 1
            self.pick().step()
        return True

    def next_due(self) -> float | None:
        """When something will happen by itself, in seconds of the clock."""
        later = self._later
        while later and later[0][2].dead():
            heapq.heappop(later)
        return later[0][0] / SECOND if later else None

    def _advance(self) -> bool:
        due = self.next_due()
        if due is None:
            return False
        self._arrived.clear()
        if not self._ready:
            self._arrived.wait(max(0.0, due - self.clock.now()))
        self._make_ready()
        return True


class SequentialCrew(Crew):
    """A crew in real time."""

    kernel: RealTimeKernel

    def settle(self) -> None:
        """From the program: let all happen that can without waiting for anything."""
        self._session(lambda: not self.kernel.ready)


class SequentialNode(SimNode):
    """The one system of its world; see `garrick.node.base.Node`. ``grace`` is in real seconds."""

    crew: SequentialCrew


def start(name: str, capabilities: Mapping[str, Any]) -> SequentialNode:
    """Start a sequential system.

    Args:
        name: of the system.
        capabilities: of the system.
    """
    crew = SequentialCrew(RealTimeKernel(), fences=False)
    seed = random.SystemRandom().getrandbits(32)
    node = SequentialNode(crew, name, SystemIds.incarnation(), capabilities, seed, member=False)
    node.on_stopped = lambda _: crew.afterwards(lambda: _end(crew, node))
    return node


def _end(crew: Crew, node: SimNode) -> None:
    crew.close(UNWIND_SECONDS)
    node.close()
