"""`Stepped`: the scheduler of a simulated runtime, beside `garrick.runtime.baton.Baton`.

Owns nothing but the mapping of the port to the world's crew: who runs is decided by the kernel's order, on the thread that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from garrick.ports import Waitable
from garrick.runtime.pool import Executor, run_step
from garrick.sim.hands import Crew, OwnHand

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.sim.runtime import SimRuntime


class Stepped:
    """See `garrick.ports.Scheduler`."""

    def __init__(self, runtime: SimRuntime, crew: Crew) -> None:
        self._runtime = runtime
        self._crew = crew
        runtime.scheduler = self

    def start(self) -> None:
        """See Scheduler: the world is stepped by whoever waits."""

    def wake(self) -> None:
        """See Scheduler: the kernel knows already."""

    def wait(self, ready: Waitable, deadline: float | None) -> bool:
        """See Scheduler; ``deadline`` is virtual."""
        return self._crew.wait(ready, deadline, self._runtime.clock)  # type: ignore[arg-type]

    def may_wait(self) -> bool:
        """See Scheduler: no way of the world is ever full."""
        return True

    def stop(self, timeout: float) -> bool:
        """See Scheduler: what still waits in user code is unwound when the world closes, and must not go on as a step."""
        self._runtime.tenure.lost = True
        return True

    def place(self, cell: Cell) -> None:
        """See Scheduler: all run where the kernel is stepped, but those that need one thread for life."""
        if cell.spec.isolation == "thread":
            cell.executor = _OwnThread(self._crew)
            cell.pinned = True
            if cell.queue is None:
                cell.queue = deque()

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep no class for which this is true."""
        self._crew.story.forget(gone)

    def lost_baton(self, tenure: Any) -> bool:
        """See Scheduler."""
        return self._crew.closed or self._runtime.dead


class _OwnThread(Executor):
    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._hand: OwnHand | None = None

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> None:
        """See Executor."""
        hand = self._hand
        if hand is None:
            hand = self._hand = self._crew.own_hand()
        hand.hand.cell = cell
        run = partial(hand.run, partial(run_step, cell, call, context, done, None))
        self._crew.kernel.put(_Turn(run, cell.runtime))

    def retire(self, cell: Any) -> None:
        """See Executor."""
        if self._hand is not None:
            self._hand.end()


class _Turn:
    """One event."""

    __slots__ = ("_run", "_runtime")

    def __init__(self, run: Callable[[], None], runtime: SimRuntime) -> None:
        self._run = run
        self._runtime = runtime

    def run(self) -> None:
        """See `garrick.sim.gate.Gated`."""
        if not self._runtime.dead:
            self._run()

    def step(self) -> None:
        """See `garrick.sim.kernel.Channel`."""
        gate = self._runtime.gate
        if not (gate.closed and gate.stops(self)):
            self.run()
