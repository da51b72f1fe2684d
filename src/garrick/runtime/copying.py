"""Messages within one process are copied, as if each had crossed to another one: it shows who counts on sharing, and what can't travel.

Owns the places where that happens: the way into the lane, and the answer of an ask. Nothing of it is there unless it is asked for, so that
it costs nobody else anything. Arguments of constructors and timers' messages stay the actor's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from garrick.address import ReplyAddress
from garrick.errors import GarrickError, InvalidArgument
from garrick.runtime.ask import Slot
from garrick.runtime.signals import Event
from garrick.wire.codec import dumps, loads

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

_SIGNAL_PARTS = 3
"""A signal on its way to an actor: the cell, the signal, its sender."""


def copied(message: Any) -> Any:
    """What arrives of it.

    Raises:
        UnpicklableMessage: it can't be sent.
        UndecodableMessage: it can be sent, and not be received.
    """
    return loads(dumps(message))


def of_envelope(runtime: Runtime, envelope: Any) -> Any:
    """What goes into the lane in its place.

    Raises:
        UnpicklableMessage, UndecodableMessage: see `copied`.
    """
    cell, message, sender = envelope
    if cell is not runtime.control:
        try:
            return cell, copied(message), sender
        except GarrickError:
            if cell.mailbox is not None:
                cell.mailbox.add(-1)  # it had been let in
            raise
    if type(sender) is tuple and len(sender) == _SIGNAL_PARTS and type(sender[1]) is Event:
        return cell, message, (sender[0], Event(copied(sender[1].event)), sender[2])
    return envelope


class CopyingSlot(Slot):
    """A question whose answer is copied."""

    __slots__ = ()

    def complete(self, value: Any, failure: BaseException | None = None, *, given_up: bool = False) -> bool:
        """See Slot."""
        if failure is None and not self.done:
            try:
                value = copied(value)
            except GarrickError as error:
                value, failure = None, error
        return super().complete(value, failure, given_up=given_up)


ALWAYS: Final = "always"


def check(copy: str | None) -> bool:
    """Whether messages are to be copied.

    Raises:
        InvalidArgument: ``copy`` is neither None nor ``"always"``.
    """
    if copy not in (None, ALWAYS):
        raise InvalidArgument(f"copy={copy!r} is not possible", hint=f"give {ALWAYS!r}, or leave it out")
    return copy is not None


def copy_all(runtime: Runtime) -> None:
    """From now on each message, answer and published event of this process is copied; before it has actors."""
    put = runtime.append

    def append(envelope: Any) -> None:
        envelope = of_envelope(runtime, envelope)
        sender = envelope[2]
        if type(sender) is ReplyAddress and type(sender.slot) is Slot:
            sender.slot.__class__ = CopyingSlot
        put(envelope)

    runtime.append = append
