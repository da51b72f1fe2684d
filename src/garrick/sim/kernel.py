"""`Kernel`: the one order of everything that happens in a world, and its time.

Owns what is ready, what is due later, and the clock. Must not know actors, threads or loops: it steps *channels*. Invariants:

* What is ready is stepped in the order of arrival; `Kernel.pick` is the only place that decides which one is next.
* Time moves on only when nothing is ready: it jumps to the next instant at which something is due, and all that is due then becomes
  ready together. The exception keeps a busy world from standing still for ever: see `BUSY`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol

from garrick.sim.choices import Choices
from garrick.sim.clock import VirtualClock
from garrick.sim.story import Story
from garrick.sim.trace import Entry, Trace

BUSY = 10_000
"""Steps within one instant after which every further step takes `STEP` nanoseconds: actors that send to each other without end must
not keep an ask's time-out from coming."""
STEP = 10_000


class Channel(Protocol):
    """A source of events; it is put into the kernel's order once for each event that it holds."""

    def step(self) -> None:
        """Let its first event happen."""
        ...


class Due:
    """Something that happens at an instant, unless it is cancelled before."""

    __slots__ = ("_action", "cause", "line")

    work: ClassVar[bool] = True
    """Whether something that somebody wants done comes of it; or else only the end of somebody's patience, or a heartbeat."""

    def __init__(self, action: Callable[[], object] | None, line: tuple[str, str] | None = None) -> None:
        self._action = action
        self.cause = 0
        """The event that put it off, see `garrick.sim.story`."""
        self.line = line
        """Sender and receiver, for `garrick.sim.order`: what is due at one instant and has the same ones keeps its order."""

    def cancel(self) -> None:
        """It never happens."""
        self._action = None

    def dead(self) -> bool:
        """Whether it was cancelled: time does not stop for it."""
        return self._action is None

    def step(self) -> None:
        """It happens."""
        action, self._action = self._action, None
        if action is not None:
            action()


class Idle(Due):
    """A time-out, or a part of the machinery: it does not show that anything is still to be done."""

    __slots__ = ()
    work = False


class Kernel:
    """See the module.

    Args:
        choices: of the world; without one, those of seed 0.
    """

    def __init__(self, choices: Choices | None = None) -> None:
        self.choices = choices or Choices()
        """All that may go otherwise takes its value from here."""
        self.clock = VirtualClock()
        self.trace = Trace()
        self.story = Story()
        self.steps = 0
        self.cause = 0
        """The event that led to what happens now."""
        self.happened = 0
        """Events of user code so far."""
        self._ready: deque[Channel] = deque()
        self.put: Callable[[Channel], None] = self._ready.append
        """The channel has one event more; any thread."""
        self._later: list[tuple[int, int, Due]] = []
        self._armed = 0
        self._in_instant = 0

    @property
    def ready(self) -> int:
        """How many events can happen without time passing."""
        return len(self._ready)

    def at(self, instant: int, due: Due) -> Due:
        """``due`` happens when time gets to ``instant``: after all that is ready now, even when the instant has passed."""
        self._armed += 1
        due.cause = self.cause
        heapq.heappush(self._later, (instant, self._armed, due))
        return due

    def pick(self) -> Channel:
        """Which of the ready channels is next: first come, first served."""
        return self._ready.popleft()

    def step(self) -> bool:
        """Let one event happen; False when there is none, now or later."""
        if not self.ready:
            if not self._advance():
                return False
        elif self._in_instant > BUSY:
            self.clock.ns += STEP
            self._make_ready()
        self.steps += 1
        self._in_instant += 1
        channel = self.pick()
        self.cause = channel.cause if isinstance(channel, Due) else 0
        channel.step()
        return True

    def happen(self, entry: Entry, actor_class: Any = None, *, user: bool = True) -> None:
        """Something happens that is worth being told."""
        self.trace.add(entry)
        self.cause = self.story.add(entry, self.steps, self.cause, actor_class)
        self.happened += user

    def coming(self) -> bool:
        """Whether something will come by itself that somebody wants done."""
        return any(due.work for due in self.later())

    def later(self) -> Iterator[Due]:
        """What is due at some time, in no order."""
        return (due for _, _, due in self._later if not due.dead())

    def _advance(self) -> bool:
        later = self._later
        while later and later[0][2].dead():
            heapq.heappop(later)
        if not later:
            return False
        self.clock.ns = max(self.clock.ns, later[0][0])
        self._in_instant = 0
        self._make_ready()
        return True

    def _make_ready(self) -> None:
        later, now = self._later, self.clock.ns
        while later and later[0][0] <= now:
            due = heapq.heappop(later)[2]
            if not due.dead():
                self.put(due)
