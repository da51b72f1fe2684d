"""`OpenKernel`: a kernel whose order of events a policy decides.

Owns *lines*: what one sender has under way to one receiver, first come, first served. Must not know what the events do. Invariants:

* Only the head of a line is ready, so the order per pair of sender and receiver holds whatever the policy picks. A receiver that is still
  to be created keeps all of its lines but the one that creates it.
* A policy that always picks the head that came first makes the same run as the plain kernel.
* An event is known by its line and its number there, so that a deviation from the order of arrival can be named and made again: it is
  the number of later events that overtook it (`OpenKernel.overtaken`, `garrick.sim.policies.Overtaking`).
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Protocol, runtime_checkable

from garrick.sim.choices import Choices, Label
from garrick.sim.kernel import Channel, Kernel

PICK = "pick"
"""The kind of choices of the order; their key is ``(sender, receiver, number)``."""
PROGRAM = "program"
"""The sender of what is not sent by a step of the world."""


class Line:
    """What one sender has under way to one receiver."""

    __slots__ = ("closed", "events", "receiver", "sender", "taken")

    def __init__(self, sender: str, receiver: str, closed: list[Line] | None = None) -> None:
        self.sender = sender
        self.receiver = receiver
        self.events: deque[tuple[int, Channel]] = deque()
        """Each with its number in the order of arrival of the world."""
        self.taken = 0
        self.closed = closed
        """While its receiver is to be created: the lines that wait for that."""

    @property
    def arrival(self) -> int:
        """When its head came."""
        return self.events[0][0]

    @property
    def head(self) -> Label:
        """The label of its first event."""
        return PICK, (self.sender, self.receiver, self.taken + 1)


class Policy(Protocol):
    """Decides which ready line is next. Both calls must be deterministic and cheap: one for every event."""

    def add(self, line: Line) -> None:
        """The line has a (new) head, which is ready."""
        ...

    def take(self) -> Line:
        """Remove one of the ready lines: its head happens now."""
        ...


@runtime_checkable
class Following(Protocol):
    """A policy that follows deviations that are given to it."""

    used: dict[Label, int]
    """Those that it has really made."""


class OpenKernel(Kernel):
    """See the module.

    Args:
        policy: decides the order.
        choices: of the world.
        record: keep the deviations from the order of arrival; costs time for every ready line at every step.
    """

    def __init__(self, policy: Policy, choices: Choices | None = None, *, record: bool = False) -> None:
        super().__init__(choices)
        self._policy = policy
        self.source = PROGRAM
        """The receiver of the event that happens now."""
        self.overtaken: Counter[Label] = Counter()
        """How many later events were taken before it, for each event that was overtaken; only if recorded."""
        self.names: dict[str, str] = {}
        """Classes of those who send and receive, as far as they are known."""
        self.contested: list[Label] = []
        """Events that were taken while others were ready too; only if recorded."""
        self._arrivals = 0
        self._heads = 0
        self._singles: Counter[str] = Counter()
        self._lines: dict[tuple[str, str], Line] = {}
        self._lives: Counter[str] = Counter()
        self._open: dict[Line, None] | None = {} if record else None
        self.put = self._put

    @property
    def ready(self) -> int:
        """See Kernel."""
        return self._heads

    def life(self, name: str) -> str:
        """A name for one more system ``name``, for lines."""
        self._lives[name] += 1
        return name if self._lives[name] == 1 else f"{name}({self._lives[name]})"

    def deviations(self) -> dict[Label, int]:
        """How many later events overtook which event: if it is recorded, or the policy follows given ones."""
        policy = self._policy
        return dict(policy.used if isinstance(policy, Following) else self.overtaken)

    # --- what comes ----------------------------------------------------------------------------------------------------------

    def _put(self, channel: Channel) -> None:
        known: Line | tuple[str, str] | None = getattr(channel, "line", None)
        if known is None:
            name = type(channel).__name__.strip("_").lower()
            self._singles[name] += 1
            line = Line(name, "")
            line.taken = self._singles[name] - 1
        elif isinstance(known, Line):
            line = known
        else:
            found = self._lines.get(known)
            line = found if found is not None else self._lines.setdefault(known, Line(*known))
        self.arrive(line, channel)

    def arrive(self, line: Line, channel: Channel, *, first: bool = False) -> None:
        """One event more.

        Args:
            line: where it waits.
            channel: its step is the event.
            first: it goes before all that waits in its line.
        """
        self._arrivals += 1
        if first:
            line.events.appendleft((-self._arrivals, channel))
        else:
            line.events.append((self._arrivals, channel))
        if len(line.events) == 1:
            self._offer(line)

    def _offer(self, line: Line) -> None:
        if line.closed is not None:
            line.closed.append(line)
            return
        if self._open is not None:
            self._open[line] = None
        self._heads += 1
        self._policy.add(line)

    def open(self, closed: list[Line]) -> None:
        """The receiver is created: what waits for it in ``closed`` is ready, and nothing waits any more."""
        for line in closed:
            line.closed = None
            self._offer(line)

    # --- what happens ----------------------------------------------------------------------------------------------------------

    def pick(self) -> Channel:
        """See Kernel."""
        line = self._policy.take()
        if self._open is not None:
            self._note(line)
        self._heads -= 1
        _, channel = line.events.popleft()
        line.taken += 1
        self.source = line.receiver
        if line.events:
            self._offer(line)
        return channel

    def _note(self, taken: Line) -> None:
        lines = self._open
        assert lines is not None
        del lines[taken]
        if lines:
            self.contested.append(taken.head)
        arrival = taken.arrival
        for line in lines:
            if line.arrival < arrival:
                self.overtaken[line.head] += 1
