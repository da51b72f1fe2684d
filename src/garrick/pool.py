"""`Pool`: one address for many actors of a class, which share the messages that are sent to it.

Owns who gets which message, and what becomes of messages whose member ends. Must not know what is in a message but for the key that the
user's function gives. Invariants:

* A member has at most one message that it has not finished; all others wait in the pool. So what a dead member had not been given is
  given to others, and nothing is handled twice.
* The sender of a message stays its sender: members answer it directly.
* What a member that was lost with its process had been given is reported: an ask fails with ``outcome_unknown``, the rest is a dead letter.
  A member that ends in order reports that itself.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from garrick.actor import Actor
from garrick.address import Address, ReplyAddress
from garrick.errors import InvalidArgument
from garrick.handlers import on
from garrick.messages import ChildExited
from garrick.runtime import spawning
from garrick.runtime.lifecycle import check_spec
from garrick.runtime.reports import gone
from garrick.runtime.signals import Mark, Marked, Spec, Stop
from garrick.template import Template
from garrick.wire.envelope import FAILURE, SIGNAL

__all__ = ["ROUTING", "Pool", "Resize"]

ROUTING = ("least-loaded", "round-robin", "hash", "broadcast")
"""How a pool chooses."""
_BACKOFF = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a member is replaced that has ended so often without having handled anything."""
_OUTCOME_TOLD = ("stopped", "failed", "refused", "capability lost", "parent lost", "name lost")
"""Ends after which the member's own process has told what became of each message."""


@dataclass(frozen=True)
class Resize:
    """To a pool: have so many members from now on. Those that are too many end after the message that they handle."""

    size: int


@dataclass(frozen=True)
class _Again:
    """Time to replace the member of a slot."""

    slot: int


class _Slot:
    """A place in the pool; members come and go in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.member: Address[Any] | None = None
        self.ready = False
        """The member runs and has nothing to do."""
        self.given: tuple[Any, Address[Any] | None] | None = None
        self.mark = 0
        self.deaths = 0
        self.leaving = False
        self.queue: deque[tuple[Any, Address[Any] | None]] = deque()


class Pool(Actor):
    """``system.spawn(Pool, Worker, size=8)``: what is sent to the pool is handled by one of its members.

    Args:
        actor: the class of the members, or a `Template` that also says how they are spawned (``isolation=``, ``requires=``, ...); what
            ``spawn`` itself is given concerns the pool.
        args: of the members' constructor; further keyword arguments likewise.
        size: how many.
        routing: ``"least-loaded"``: whoever is free next; ``"round-robin"``: one after the other; ``"hash"``: the same member for the
            same key, in order; ``"broadcast"``: all of them (the first answer ends an ask).
        key: for ``"hash"``: gives the key of a message; None: the message itself. Keys are told apart by their ``repr``.
        places: requirements, for one member after the other in turn: ``[{"host": "h1"}, {"host": "h2"}]`` is a pool over two systems.
        spread: whether members go to all processes of the pool's system in turn, instead of staying in that of the pool.

    Raises:
        InvalidArgument: ``routing`` or ``size`` make no sense (`SpawnFailed` for the spawner).
    """

    def __init__(
        self,
        actor: type[Actor] | str | Template,
        *args: Any,
        size: int = 4,
        routing: str = "least-loaded",
        key: Callable[[Any], Any] | None = None,
        places: Sequence[Mapping[str, Any]] = (),
        spread: bool = False,
        **kwargs: Any,
    ) -> None:
        if routing not in ROUTING:
            raise InvalidArgument(f"there is no routing {routing!r}", hint=f"give one of {', '.join(ROUTING)}")
        if size < 1:
            raise InvalidArgument(f"a pool of {size} members", hint="at least 1")
        self._template = Template.of(actor, args, kwargs)
        self._routing, self._key = routing, key
        self._places, self._spread = tuple(places), spread
        self._waiting: deque[tuple[Any, Address[Any] | None]] = deque()
        """Messages for whoever is free next."""
        self._free: deque[_Slot] = deque()
        """Those that are ready, and have been longest."""
        self._turn = 0
        self._marks = 0
        self._slots: list[_Slot] = []
        self._by_member: dict[Address[Any], _Slot] = {}
        self._resize(size)

    # --- messages ---------------------------------------------------------------------------------------------------------

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        """Route one message."""
        if type(message) is Marked:
            self._marked(message, sender)
        elif type(message) is _Again:
            self._replace(message.slot)
        elif type(message) is Resize:
            if message.size < 1:
                raise InvalidArgument(
                    f"a pool of {message.size} members", hint="at least 1; stop the pool to have none"
                )
            self._resize(message.size)
            if type(sender) is ReplyAddress:
                self.send(sender, None)
        else:
            self._cell.answered = sender
            self._route((message, sender))

    def _route(self, item: tuple[Any, Address[Any] | None]) -> None:
        routing, slots = self._routing, self._slots
        if routing == "least-loaded":
            self._waiting.append(item)
            self._serve_waiting()
        elif routing == "broadcast":
            for slot in slots:
                self._put(slot, item)
        elif routing == "round-robin":
            self._turn = (self._turn + 1) % len(slots)
            self._put(slots[self._turn - 1], item)
        else:
            key = repr(item[0] if self._key is None else self._key(item[0])).encode()
            # The highest of all: when the pool grows or shrinks only the keys of the slots that come or go move.
            self._put(max(slots, key=lambda slot: zlib.crc32(b"%d:%s" % (slot.number * 2654435761, key))), item)

    def _put(self, slot: _Slot, item: tuple[Any, Address[Any] | None]) -> None:
        slot.queue.append(item)
        self._serve(slot)

    def _serve(self, slot: _Slot) -> None:
        if slot.ready and slot.queue:
            self._give(slot, slot.queue.popleft())

    def _serve_waiting(self) -> None:
        while self._waiting and self._free:
            slot = self._free.popleft()
            if slot.ready and not slot.leaving:
                self._give(slot, self._waiting.popleft())

    def _give(self, slot: _Slot, item: tuple[Any, Address[Any] | None]) -> None:
        runtime, member = self._cell.runtime, slot.member
        assert member is not None
        slot.given, slot.ready = item, False
        message, sender = item
        try:
            runtime.route(member, message, sender)
        except Exception as error:  # it can't be pickled, or the member's mailbox is full: the pool goes on
            slot.given = None
            self.log.warning("the pool can't hand on a %s: %s", type(message).__name__, error)
            runtime.dead_letter(member, message, sender, "refused")
            if type(sender) is ReplyAddress:
                runtime.route(sender, error, self.address, FAILURE)
        self._ask_for_mark(slot)

    # --- members ----------------------------------------------------------------------------------------------------------

    def _ask_for_mark(self, slot: _Slot) -> None:
        """Hear of it when the member has finished what it was given."""
        self._marks += 1
        slot.mark = self._marks
        assert slot.member is not None
        self._cell.runtime.route(slot.member, Mark(self.address, self._marks), self.address, SIGNAL)

    def _marked(self, marked: Marked, member: Address[Any] | None) -> None:
        slot = self._by_member.get(member) if member is not None else None
        if slot is None or slot.mark != marked.number:
            return
        if slot.given is not None:
            slot.deaths = 0
        slot.given = None
        if slot.leaving:
            self._dismiss(slot)
            return
        slot.ready = True
        if self._routing == "least-loaded":
            self._free.append(slot)
            self._serve_waiting()
        else:
            self._serve(slot)

    def _hire(self, slot: _Slot) -> None:
        how, cell, runtime = self._template, self._cell, self._cell.runtime
        requires = how.requires
        if self._places:
            requires = {**requires, **self._places[slot.number % len(self._places)]}
        place = runtime.number
        if self._spread and how.isolation == "shared":
            own = runtime.view.systems.get(runtime.system)
            processes = own.processes if own is not None else ()
            place = processes[slot.number % len(processes)].number if processes else place
        if place == runtime.number:
            slot.member = self.spawn(
                how.actor_class,
                *how.args,
                requires=requires,
                supervision=how.supervision,
                isolation=how.isolation,
                mailbox=how.mailbox,
                **how.kwargs,
            )
        else:
            options = requires, how.supervision, how.isolation, how.mailbox
            spec = Spec.of(how.actor_class, how.args, how.kwargs, None, *options)
            check_spec(spec)
            if cell.children is None:
                cell.children = {}
            slot.member = spawning.elsewhere(runtime, spec, cell.address, None, cell.children, runtime.system, place)
        self._by_member[slot.member] = slot
        self._ask_for_mark(slot)

    def _replace(self, number: int) -> None:
        slot = next((slot for slot in self._slots if slot.number == number), None)
        if slot is not None and slot.member is None:
            self._hire(slot)

    @on
    def _exited(self, notice: ChildExited) -> None:
        slot = self._by_member.pop(notice.child, None)
        if slot is None:
            return
        given, slot.given = slot.given, None
        slot.member, slot.ready = None, False
        if given is not None and notice.reason not in _OUTCOME_TOLD:
            self._lost(notice, *given)
        if slot.leaving:
            return
        delay = _BACKOFF[min(slot.deaths, len(_BACKOFF) - 1)]
        slot.deaths += 1
        if delay:
            self.log.warning(
                "a member of the pool ended (%s %s); the next in %g s", notice.reason, notice.detail, delay
            )
            self.after(delay, _Again(slot.number), keep=True)
        else:
            self._hire(slot)

    def _lost(self, notice: ChildExited, message: Any, sender: Address[Any] | None) -> None:
        runtime = self._cell.runtime
        if type(sender) is ReplyAddress:
            runtime.route(sender, gone(notice.child, notice.reason, outcome_unknown=True), self.address, FAILURE)
        runtime.dead_letter(notice.child, message, sender if type(sender) is not ReplyAddress else None, notice.reason)

    # --- size -------------------------------------------------------------------------------------------------------------

    def _resize(self, size: int) -> None:
        for number in range(len(self._slots), size):
            slot = _Slot(number)
            self._slots.append(slot)
            self._hire(slot)
        gone_slots, self._slots = self._slots[size:], self._slots[:size]
        self._turn %= size
        for slot in gone_slots:
            slot.leaving = True
            if slot.ready:
                self._dismiss(slot)
        if self._routing != "broadcast":
            for slot in gone_slots:
                while slot.queue:
                    self._route(slot.queue.popleft())

    def _dismiss(self, slot: _Slot) -> None:
        slot.ready = False
        if slot.member is not None:
            self._cell.runtime.route(slot.member, Stop(), self.address, SIGNAL)

    def stopping(self, reason: str) -> None:
        """What waits is not handled any more."""
        for queue in (self._waiting, *(slot.queue for slot in self._slots)):
            for message, sender in queue:
                self._cell.runtime.undeliverable(self.address, message, sender, reason)
