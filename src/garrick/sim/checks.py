"""Checks of a world: what must always hold, what must come in time, and what must never happen.

Owns the checks and what they have still to see. They look after each step of the kernel. Invariants:

* A check changes nothing: it makes no choice, waits for nothing, and puts nothing into the order of events. The trace of a run is the
  same with and without it.
* The first violation raises `SimFailure` in the program; after that nothing is checked any more, so that the world can be closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from garrick.errors import SimFailure
from garrick.sim.clock import SECOND
from garrick.sim.units import Duration, nanoseconds

if TYPE_CHECKING:
    from garrick.sim.hands import Crew

Predicate = Callable[[], Any]

TAIL = 30
"""Events that a failure shows."""
LIVELOCK_STEPS = 10_000


class Check:
    """Something that is looked at after each step."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind

    def look(self, now: int) -> str | None:
        """What is wrong, if anything is.

        Args:
            now: virtual nanoseconds.
        """
        raise NotImplementedError

    def due(self) -> int | None:
        """The instant by which it will have seen what it waits for, or fail; None: it waits for nothing."""
        return None


class Always(Check):
    """Holds after every step, or every so many of them."""

    def __init__(self, name: str, predicate: Predicate, every: int) -> None:
        super().__init__(name, "always")
        self._predicate = predicate
        self._every = every
        self._left = 1

    def look(self, now: int) -> str | None:
        self._left -= 1
        if self._left:
            return None
        self._left = self._every
        return None if self._predicate() else f"{self.name!r} does not hold"


class Eventually(Check):
    """Becomes true once, in time."""

    def __init__(self, name: str, predicate: Predicate, within: Duration, now: int) -> None:
        super().__init__(name, "eventually")
        self._predicate = predicate
        self._within = within
        self._due: int | None = now + nanoseconds(within)

    def look(self, now: int) -> str | None:
        due = self._due
        if due is None:
            return None
        if now > due:
            return f"{self.name!r} has not become true within {_text(self._within)}"
        if self._predicate():
            self._due = None
        return None

    def due(self) -> int | None:
        return self._due


class LeadsTo(Check):
    """Each ``cause`` is followed by ``effect`` in time."""

    def __init__(self, name: str, cause: Predicate, effect: Predicate, within: Duration) -> None:
        super().__init__(name, "leads to")
        self._cause = cause
        self._effect = effect
        self._within = within
        self._due: int | None = None

    def look(self, now: int) -> str | None:
        if self._due is not None and now > self._due:
            return f"{self.name!r}: what should follow has not come within {_text(self._within)}"
        if self._due is not None:
            if self._effect():
                self._due = None
        elif self._cause() and not self._effect():
            self._due = now + nanoseconds(self._within)
        return None

    def due(self) -> int | None:
        return self._due


class Livelock(Check):
    """Many steps, and time does not go on."""

    def __init__(self, crew: Crew, steps: int) -> None:
        super().__init__("livelock", "livelock")
        self._crew = crew
        self._limit = steps
        self._instant = -1
        self._since = 0

    def look(self, now: int) -> str | None:
        steps = self._crew.kernel.steps
        if now != self._instant:
            self._instant, self._since = now, steps
        elif steps - self._since >= self._limit:
            newest = [str(event).partition(": ")[0].rpartition("  ")[2] for event in _newest(self._crew, 1000)]
            busy = ", ".join(f"{who} ({count})" for who, count in Counter(newest).most_common(4))
            return f"{self._limit} steps, and time has not gone on; of the last events most are of {busy}"
        return None


class Deadlock(Check):
    """Handlers are under way, and nothing can happen that would let them go on, but somebody's time-out."""

    def __init__(self, crew: Crew, stuck: Callable[[], list[str]], patience: Duration) -> None:
        super().__init__("deadlock", "deadlock")
        self._crew = crew
        self._stuck = stuck
        self._patience = nanoseconds(patience)
        self._seen = 0
        self._since = 0

    def look(self, now: int) -> str | None:
        kernel = self._crew.kernel
        if kernel.happened != self._seen:
            self._seen, self._since = kernel.happened, now
        if kernel.ready or now - self._since < self._patience or kernel.coming():
            return None
        stuck = self._stuck()
        return f"nothing can happen any more, but {'; '.join(stuck)}" if stuck else None


class Failures(Check):
    """Exceptions of handlers that nobody who asked got, of a type that nobody expects."""

    def __init__(self, crew: Crew) -> None:
        super().__init__("failure", "failure")
        self._story = crew.story
        self.expected: tuple[type[BaseException], ...] = ()
        self._seen = self._story.failed

    def look(self, now: int) -> str | None:
        new = self._story.failed - self._seen
        self._seen = self._story.failed
        for failed in list(self._story.failures)[-new:] if new else ():
            if not failed.heard and not issubclass(failed.error, self.expected):
                self.name = f"{failed.class_name}: {failed.error.__name__}"
                return f"{failed.actor} failed on {failed.message}:\n{failed.text.rstrip()}\n"
        return None


class DeadLetters(Check):
    """Messages that nobody handled, for a reason that nobody expects."""

    def __init__(self, crew: Crew) -> None:
        super().__init__("dead letter", "dead letter")
        self._story = crew.story
        self.expected: set[str] = set()
        self._seen = self._story.lettered

    def look(self, now: int) -> str | None:
        new = self._story.lettered - self._seen
        self._seen = self._story.lettered
        for _, _, letter in list(self._story.letters)[-new:] if new else ():
            if letter.reason not in self.expected:
                self.name = f"{type(letter.message).__qualname__}: {letter.reason}"
                return f"a {type(letter.message).__qualname__} to {letter.target} is a dead letter: {letter.reason}"
        return None


class Checks:
    """All checks of one world."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._checks: list[Check] = []
        self.failure: SimFailure | None = None
        """The first violation."""

    def add(self, check: Check) -> None:
        """One more; looked at from now on."""
        self._checks.append(check)
        self._crew.look = self.look

    def find(self, kind: type[Any]) -> Any:
        """The check of that class, if there is one."""
        return next((check for check in self._checks if isinstance(check, kind)), None)

    def look(self) -> None:
        """After a step."""
        now = self._crew.kernel.clock.ns
        for check in self._checks:
            problem = check.look(now)
            if problem is not None:
                self.fail(problem, check.name, check.kind)

    def due(self) -> int | None:
        """The last instant by which a check will have seen what it waits for."""
        return max((due for check in self._checks if (due := check.due()) is not None), default=None)

    def end(self) -> None:
        """Nothing is checked any more."""
        self._crew.look = None
        self._checks.clear()

    def fail(self, problem: str, name: str, kind: str) -> None:
        """A check is violated.

        Raises:
            SimFailure: always.
        """
        kernel = self._crew.kernel
        self.end()
        tail = [str(event) for event in _newest(self._crew, TAIL)]
        self.failure = SimFailure(
            problem, check=name, kind=kind, step=kernel.steps, now=kernel.clock.ns / SECOND, tail=tail
        )
        raise self.failure


def _newest(crew: Crew, count: int) -> Iterable[Any]:
    return list(islice(crew.story.newest(), count))[::-1]


def _text(duration: Duration) -> str:
    return duration if isinstance(duration, str) else f"{duration:g} s"
