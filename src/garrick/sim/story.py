"""`Story`: what has happened in a world and what led to it; and what is counted on the way.

Owns the newest events with their causes, failures and dead letters as they come, the coverage, and the goals. Must not decide anything:
whatever is written here changes neither the order of events nor the hash of the trace. Invariant: everything is bounded, and nothing
keeps an actor or a frame of it alive.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from garrick.address import ReplyAddress
from garrick.runtime.history import History
from garrick.runtime.inspection import class_text
from garrick.sim.clock import SECOND
from garrick.sim.trace import Entry, actor_text

if TYPE_CHECKING:
    from garrick.messages import DeadLetter
    from garrick.runtime.cell import Cell
    from garrick.sim.kernel import Kernel

EVENTS_KEPT: Final = 20_000
CAUSES_KEPT: Final = 200_000
"""Messages under way whose causes are known."""
DEPTH: Final = 1000
"""Events of one chain."""


class Event(NamedTuple):
    """One step of user code, or of a loop."""

    number: int
    """Counted from 1 in each world."""
    step: int
    """Of the kernel."""
    cause: int
    """The number of the event that led to it; 0: the program, or too long ago."""
    at: int
    """Virtual nanoseconds."""
    system: str
    serial: int
    """Of the actor; 0: none."""
    what: str
    """The type of the message, or the name of the hook or task."""
    actor_class: Any
    """None: no actor."""

    def __str__(self) -> str:
        who = self.system.partition("@")[0]
        if self.actor_class is not None:
            who += f" {class_text(self.actor_class).rpartition('.')[2]}/{actor_text('', self.serial)[1:]}"
        return f"{self.at / SECOND:.6f} s  step {self.step}  {who}: {self.what.lstrip('_')}"

    @property
    def machinery(self) -> bool:
        """Whether it is a step of what carries messages between systems, and nobody's code."""
        return self.system.endswith(" gateway")


class Chain(tuple[Event, ...]):
    """Events of which each led to the next one; as text a line for each, without the machinery."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(str(event) for event in self if not event.machinery) or "nothing is known of it"


class Failed(NamedTuple):
    """One exception of user code."""

    at: int
    step: int
    actor: str
    """Its class and address."""
    class_name: str
    message: str
    """The type of what it handled, or the hook."""
    error: type[BaseException]
    text: str
    heard: bool
    """Whether somebody who asked got the exception."""


class Story:
    """See the module; one per world."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.failures: deque[Failed] = deque(maxlen=1000)
        self.failed = 0
        """Failures so far."""
        self.letters: deque[tuple[int, int, DeadLetter]] = deque(maxlen=1000)
        """``(instant, step, letter)``"""
        self.lettered = 0
        self.covered: Counter[tuple[Any, str, str]] = Counter()
        """How often ``(class of the actor, its behaviour, type of the message)`` were handled."""
        self.goals: Counter[str] = Counter()
        self._sent: dict[int, int] = {}
        self._number = 0

    # --- causes --------------------------------------------------------------------------------------------------------------

    def sent(self, item: Any, cause: int) -> None:
        """``item`` (an envelope, a callback) will be handled, because of the event ``cause``."""
        sent = self._sent
        sent[id(item)] = cause
        if len(sent) > CAUSES_KEPT:  # most of them never came to anything
            for key in list(sent)[: CAUSES_KEPT // 2]:
                del sent[key]

    def cause_of(self, item: Any, otherwise: int) -> int:
        """What led to ``item``, which is handled now."""
        return self._sent.pop(id(item), otherwise)

    def add(self, entry: Entry, step: int, cause: int, actor_class: Any = None) -> int:
        """One more event; returns its number."""
        self._number += 1
        self.events.append(Event(self._number, step, cause, *entry, actor_class))
        return self._number

    def find(self, number: int) -> Event | None:
        """The event of that number, if it is remembered."""
        first = self.events[0].number if self.events else 0
        return self.events[number - first] if 0 < first <= number <= self._number else None

    def why(self, event: Event) -> Chain:
        """What led to an event, the first cause first."""
        chain = [event]
        while len(chain) < DEPTH and (before := self.find(chain[-1].cause)) is not None:
            chain.append(before)
        return Chain(reversed(chain))

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep no class, exception or message for which this is true: names are enough."""
        for at, event in enumerate(self.events):
            if event.actor_class is not None and not isinstance(event.actor_class, str) and gone(event.actor_class):
                self.events[at] = event._replace(actor_class=class_text(event.actor_class))
        for at, failed in enumerate(self.failures):
            kept = next(cls for cls in failed.error.__mro__ if not gone(cls))
            self.failures[at] = failed._replace(error=kept)
        for letter in [letter for letter in self.letters if gone(letter[2].message)]:
            self.letters.remove(letter)
        for key in [key for key in self.covered if gone(key[0]) and not isinstance(key[0], str)]:
            self.covered[class_text(key[0]), key[1], key[2]] += self.covered.pop(key)

    def newest(self) -> Iterator[Event]:
        """What user code did, the newest first."""
        return (event for event in reversed(self.events) if not event.machinery)

    def of(self, system: str, serial: int) -> Iterator[Event]:
        """The events of one actor, the newest first."""
        return (event for event in reversed(self.events) if event.serial == serial and event.system == system)


class SimHistory(History):
    """What a simulated process remembers, which is also told to the story of its world."""

    def __init__(self, story: Story, kernel: Kernel) -> None:
        super().__init__()
        self._story = story
        self._kernel = kernel

    def failed(self, cell: Cell, at: float, message: str, error: BaseException) -> None:
        """See History."""
        super().failed(cell, at, message, error)
        sender = cell.sender
        heard = cell.notify is not None or (type(sender) is ReplyAddress and cell.answered is not sender)
        if cell.runtime.ending and not isinstance(error, Exception):
            heard = True  # the end of the system interrupts what it does
        name = class_text(cell.spec.actor_class)
        kernel, story = self._kernel, self._story
        text = "".join(self.failures[-1].trace.format())
        story.failed += 1
        actor = f"{name.rpartition('.')[2]} {cell.address}"
        story.failures.append(Failed(kernel.clock.ns, kernel.steps, actor, name, message, type(error), text, heard))

    def letter(self, at: float, letter: DeadLetter) -> None:
        """See History."""
        super().letter(at, letter)
        self._story.lettered += 1
        self._story.letters.append((self._kernel.clock.ns, self._kernel.steps, letter))
