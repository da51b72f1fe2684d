"""`History`: what a process remembers of actors that have failed or ended, and its newest dead letters.

Owns the bounded memories that ``garrick actor`` and ``garrick deadletter`` explain absence from. Must not decide anything: nothing in
the runtime depends on what is remembered. Invariants: every memory is bounded; actors that ended by themselves never push out those
that failed; nothing is formatted before somebody asks; no actor that ended, and nothing of it, is kept alive (an `Address` knows its
cell, so its parts are kept instead).
"""

from __future__ import annotations

import itertools
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from garrick.address import Address
from garrick.messages import DeadLetter

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell

ENDED_KEPT = 1000
"""Ended actors that are remembered, of those that were stopped and of all others."""
FAILURES_KEPT = 200
"""Failures of handlers that are remembered with their tracebacks."""
LETTERS_KEPT = 100
"""Dead letters that are kept with their messages."""


class Ended(NamedTuple):
    """How an actor ended; ``at`` in seconds of the runtime's clock."""

    at: float
    place: tuple[str, int, int]
    actor_class: Any
    name: str | None
    above: tuple[str, int, int]
    reason: str
    detail: str

    @property
    def address(self) -> Address[Any]:
        """Of the actor."""
        return Address(*self.place)

    @property
    def parent(self) -> Address[Any]:
        """Of its parent."""
        return Address(*self.above)


class Failure(NamedTuple):
    """One exception of an actor; ``message`` is the type of what it handled, or the hook that failed."""

    at: float
    serial: int
    message: str
    trace: traceback.TracebackException


class KeptLetter:
    """A dead letter with its number in this process, and when it died."""

    __slots__ = ("at", "letter", "number", "replayed")

    def __init__(self, number: int, at: float, letter: DeadLetter) -> None:
        self.number = number
        self.at = at
        self.letter = letter
        self.replayed = 0


class History:
    """See the module."""

    def __init__(self) -> None:
        self.lost: deque[Ended] = deque(maxlen=ENDED_KEPT)
        """Ended for any other reason than ``stopped``."""
        self.stopped: deque[Ended] = deque(maxlen=ENDED_KEPT)
        self.failures: deque[Failure] = deque(maxlen=FAILURES_KEPT)
        self.letters: deque[KeptLetter] = deque(maxlen=LETTERS_KEPT)
        self._numbers = itertools.count(1)

    def ended(self, cell: Cell, at: float, reason: str, detail: str) -> None:
        """The actor has ended."""
        memory = self.stopped if reason == "stopped" else self.lost
        spec, address, parent = cell.spec, cell.address, cell.parent
        memory.append(
            Ended(
                at,
                (address.system, address.process, address.serial),
                spec.actor_class,
                spec.name,
                (parent.system, parent.process, parent.serial),
                reason,
                detail,
            )
        )

    def failed(self, cell: Cell, at: float, message: str, error: BaseException) -> None:
        """User code of the actor raised. Neither the error nor what its frames hold is kept alive."""
        trace = traceback.TracebackException(type(error), error, error.__traceback__, lookup_lines=False, compact=True)
        self.failures.append(Failure(at, cell.address.serial, message, trace))

    def letter(self, at: float, letter: DeadLetter) -> None:
        """A message died here; any thread."""
        self.letters.append(KeptLetter(next(self._numbers), at, letter))

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep no class and no message for which this is true: names are enough; on the holder."""
        for memory in (self.lost, self.stopped):
            for at, ended in enumerate(memory):
                cls = ended.actor_class
                if not isinstance(cls, str) and gone(cls):
                    memory[at] = ended._replace(actor_class=f"{cls.__module__}.{cls.__qualname__}")
        for failure in tuple(self.failures):
            trace: traceback.TracebackException | None = failure.trace
            while trace is not None:
                if trace.exc_type is not None and gone(trace.exc_type):
                    self.failures.remove(failure)
                    break
                trace = trace.__cause__ or trace.__context__
        for kept in tuple(self.letters):
            if gone(kept.letter.message):
                self.letters.remove(kept)

    # --- asking ------------------------------------------------------------------------------------------------------

    def all_ended(self) -> Iterator[Ended]:
        """Everything that is remembered of ended actors, the newest first; copied, so that any thread may ask."""
        return iter(sorted((*tuple(self.lost), *tuple(self.stopped)), key=lambda ended: ended.at, reverse=True))

    def find_ended(self, serial: int) -> Ended | None:
        """How the actor with this serial ended, if that is remembered."""
        return next((ended for ended in self.all_ended() if ended.place[2] == serial), None)

    def failures_of(self, serial: int, limit: int) -> list[Failure]:
        """The newest failures of one actor, the newest last."""
        return [failure for failure in tuple(self.failures) if failure.serial == serial][-limit:]

    def find_letter(self, number: int) -> KeptLetter | None:
        """The dead letter of this number, if it is still kept."""
        return next((kept for kept in tuple(self.letters) if kept.number == number), None)
