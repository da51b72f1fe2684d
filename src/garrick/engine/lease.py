"""Who is the directory: one of several candidates, by a lease in a store that all of them reach, as a pure machine.

Owns one candidate's side. Sans-IO: `handle(event, now)` gives effects; time is a float of seconds. Must not know what the store is; it
holds one entry with a revision that grows with each write, and writes only if the revision is the expected one. Rules:

* The holder counts its lease from the moment at which it *sent* a write that succeeded, everybody else from the moment at which they first
  *saw* that revision, which is later. So the holder's ends first, and no two clocks are compared: they only measure how long things last.
* The holder stops `guard` before its end, whatever it hears: it may be the one that is cut off. It looks at the clock before it does
  anything, so a process that was stopped stops leading before it acts.
* Whoever takes over takes a higher term, and everything that a directory says carries it. Should two ever lead at once (clocks that do not
  run equally, a store that has lost a write), those who have heard of the higher term do not listen to the lower one.

Invariant: between two `Lead` of one candidate there is a `StepDown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Candidate",
    "Conflict",
    "Effect",
    "Entry",
    "Event",
    "Failed",
    "Lead",
    "LeaseTerms",
    "Look",
    "Read",
    "Resign",
    "StepDown",
    "Tick",
    "Write",
    "Written",
]


@dataclass(frozen=True)
class LeaseTerms:
    """Seconds; the same for all candidates."""

    lease: float = 4.0
    """So long nobody else takes over from a holder who is silent."""
    guard: float = 1.0
    """So long before that the holder stops: clocks may run differently by a quarter."""
    renew: float = 0.8
    """The holder writes, and the others look, so often."""


@dataclass(frozen=True)
class Entry:
    """What the store holds."""

    revision: int
    """0: nothing was ever written."""
    holder: str = ""
    """A system id; empty: given up."""
    term: int = 0


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """The answer to `Look`. ``least``: a term of ours would have to be at least that."""

    entry: Entry
    least: int = 1


@dataclass(frozen=True)
class Written:
    """`Write` has succeeded."""

    revision: int


@dataclass(frozen=True)
class Conflict:
    """`Write` has not: the revision was another one."""


@dataclass(frozen=True)
class Failed:
    """Nothing is known of what became of the last question."""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True)
class Resign:
    """This system ends in order: another one may take over at once."""


Event: TypeAlias = Read | Written | Conflict | Failed | Tick | Resign

# -- effects -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """Read the entry; answer with `Read` or `Failed`."""


@dataclass(frozen=True)
class Write:
    """Write if the revision is this one; answer with `Written`, `Conflict` or `Failed`."""

    expected: int
    holder: str
    term: int


@dataclass(frozen=True)
class Lead:
    """Be the directory from now on, under this term."""

    term: int


@dataclass(frozen=True)
class StepDown:
    """Be it no more, from this moment."""

    why: str


Effect: TypeAlias = Look | Write | Lead | StepDown

_AGAIN = 0.2

# -- the machine -------------------------------------------------------------------------------------------------------


class Candidate:
    """See the module. At most one question to the store is under way at a time.

    Args:
        system: own id; no two starts have the same.
        now: when it begins.
        terms: see there.
    """

    def __init__(self, system: str, now: float, terms: LeaseTerms | None = None) -> None:
        self.system = system
        self.terms = terms or LeaseTerms()
        self.leads = False
        self.term = 0
        """Of its own last leadership."""
        self._until = float("-inf")
        """The own end of the lease."""
        self._seen = Entry(0)
        self._seen_at = float("-inf")
        """When that revision was seen first."""
        self._least = 1
        self._asked_at: float | None = None
        """When the question under way was sent."""
        self._asked: Look | Write | None = None
        self._next = now
        self._stale = True
        """What was seen last may not be there any more."""
        self._resigned = self._gives_up = False

    @property
    def fence_at(self) -> float:
        """When it stops leading unless the lease is renewed before."""
        return self._until - self.terms.guard

    def leads_at(self, now: float) -> bool:
        """Whether anything that it does as the directory is still covered by the lease."""
        return self.leads and now < self.fence_at

    def next_wake(self) -> float:
        """When a `Tick` is due."""
        times = [self._next] if self._asked is None and not self._resigned else []
        if self.leads:
            times.append(self.fence_at)
        return min(times, default=float("inf"))

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event in, effects out."""
        out: list[Effect] = []
        if self.leads and now >= self.fence_at:
            self._step_down("the lease could not be renewed in time", out)
        match event:
            case Read(entry, least):
                self._read(entry, least, now, out)
            case Written(revision):
                self._written(revision, now, out)
            case Conflict():
                # Perhaps an earlier write of our own, of which nothing was heard: what is read next tells.
                self._asked, self._stale = None, True
                self._seen_at, self._next = now, now + _AGAIN
            case Failed():
                self._asked, self._stale = None, True
                self._next = now + _AGAIN
            case Resign():
                self._resign(out)
            case Tick():
                pass
        if self._asked is None and self._gives_up:
            self._gives_up = False
            self._put(Write(self._seen.revision, "", self.term), now, out)
        elif self._asked is None and not self._resigned and now >= self._next:
            self._ask(now, out)
        return out

    # -- inside -------------------------------------------------------------------------------------------------------

    def _read(self, entry: Entry, least: int, now: float, out: list[Effect]) -> None:
        if not isinstance(self._asked, Look):
            return
        self._asked, self._stale = None, False
        self._least = max(self._least, least, entry.term + 1)
        if entry.revision != self._seen.revision or self._seen_at == float("-inf"):
            self._seen, self._seen_at = entry, now
        if self.leads and entry.holder != self.system:
            self._step_down(f"{entry.holder or 'nobody'} holds the lease", out)
        self._next = now if self._may_write(now) else now + self.terms.renew

    def _may_write(self, now: float) -> bool:
        entry = self._seen
        if self.leads:
            return entry.holder == self.system
        return entry.holder in {"", self.system} or now >= self._seen_at + self.terms.lease

    def _ask(self, now: float, out: list[Effect]) -> None:
        if self._stale or not self._may_write(now):
            self._put(Look(), now, out)
        else:
            self._put(Write(self._seen.revision, self.system, self.term if self.leads else self._least), now, out)

    def _put(self, question: Look | Write, now: float, out: list[Effect]) -> None:
        self._asked, self._asked_at = question, now
        out.append(question)

    def _written(self, revision: int, now: float, out: list[Effect]) -> None:
        question, asked_at = self._asked, self._asked_at
        if not isinstance(question, Write) or asked_at is None:
            return
        self._asked = None
        self._seen, self._seen_at = Entry(revision, question.holder, question.term), now
        self._least = max(self._least, question.term + 1)
        self._next = now + self.terms.renew
        if question.holder != self.system:
            return
        if asked_at + self.terms.lease - self.terms.guard <= now or (not self.leads and question.term <= self.term):
            self._next = now  # it took too long, or is of a leadership that is over: the next write makes another one
            return
        self._until = asked_at + self.terms.lease
        if not self.leads:
            self.leads, self.term = True, question.term
            out.append(Lead(question.term))

    def _step_down(self, why: str, out: list[Effect]) -> None:
        self.leads = False
        out.append(StepDown(why))

    def _resign(self, out: list[Effect]) -> None:
        if not self._resigned and self.leads:
            self._gives_up = True
            self._step_down("this system ends", out)
        self._resigned = True
