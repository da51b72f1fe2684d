"""The one handler of dead letters that a system has.

Owns `DeadLetterOffice`, a Garrick actor with a name, which subscribes to the dead letters of the system when the first handler asks for
them, and hands each on to the handler that asked last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import NameTaken
from garrick.handlers import on
from garrick.messages import DeadLetter, Terminated
from garrick.runtime.ask import Slot
from garrick.runtime.runtime import Runtime
from garrick.runtime.signals import Lookup, Spec, StatusWanted, SubscribeDeadLetters
from garrick.supervision import Resume
from garrick.wire.envelope import SIGNAL
from thespian._address import actor_address
from thespian._messages import ChildActorExited, DeadEnvelope
from thespian._status import INTERNAL

NAME = INTERNAL + "dead letters"
SECONDS = 10.0


@dataclass(frozen=True)
class Register:
    """``handler`` wants the letters, or no longer."""

    handler: Address[Any]
    start: bool


class DeadLetterOffice(Actor):
    """See the module."""

    def __init__(self) -> None:
        self._handler: Address[Any] | None = None

    def started(self) -> None:
        """When this is over, every process of the system knows the subscription."""
        runtime = self._cell.runtime
        runtime.dead_letter_listeners[self.address] = None
        runtime.route(runtime.admin, SubscribeDeadLetters(self.address), self.address, SIGNAL)
        # The admin asks every process for its status behind what it has told it of the subscription.
        runtime.ask(runtime.admin, StatusWanted(), SECONDS, self._cell, SIGNAL).result()

    @on
    def register(self, message: Register) -> None:
        """The last one wins; only who is the handler can end that."""
        if message.start:
            self._handler = message.handler
            self.watch(message.handler)
        elif self._handler == message.handler:
            self._handler = None

    @on
    def letter(self, letter: DeadLetter) -> None:
        """Hand it on."""
        handler, message = self._handler, letter.message
        hidden = isinstance(message, (DeadEnvelope, ChildActorExited)) or letter.reason == "unhandled"
        if handler is not None and not hidden and not type(message).__module__.startswith("thespian._host"):
            self.send(handler, DeadEnvelope(actor_address(letter.target), message))

    @on
    def gone(self, notice: Terminated) -> None:
        """The handler has exited."""
        if self._handler == notice.actor:
            self._handler = None


def dead_letter_office(runtime: Runtime, *, start: bool) -> Address[Any] | None:
    """The address of the office of this system; it is opened if need be and if ``start``, which takes a moment."""
    while True:
        found: Address[Any] | None = runtime.ask(runtime.admin, Lookup(NAME), SECONDS, kind=SIGNAL).result()
        if found is not None or not start:
            return found
        slot = Slot(runtime, runtime.admin, SECONDS, None)
        slot.target = runtime.spawn(
            Spec(DeadLetterOffice, name=NAME, supervision=Resume()), runtime.admin, notify=slot.address
        )
        try:
            slot.wait()
        except NameTaken:
            continue
        return slot.target


def handle_dead_letters(runtime: Runtime, office: Address[Any], handler: Address[Any], start: bool) -> None:
    """Register or deregister, and wait until that is so."""
    runtime.ask(office, Register(handler, start), SECONDS).result()
