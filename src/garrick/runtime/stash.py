"""Messages that an actor has put aside, and the behaviour that takes the place of its handlers.

Owns what `Cell.pending` means beside a stop. Invariants:

* A message is stashed, and stashed ones come back, when the step ends in which that was asked for: on the holder of the baton, which knows
  the message and owns the queue. A step that fails has stashed nothing.
* A message is in the queue, in the stash or in its handler, never in two of them. What leaves the stash goes in front of the queue, in
  the order of arrival.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from garrick.address import Address, ReplyAddress
from garrick.errors import InvalidArgument, MailboxFull

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

LOOK: Final = 1
"""`Cell.pending`: look closer when the present step ends."""
STASH: Final = 2
"""The message of the present step is to be stashed."""
NOTICE: Final = 4
"""The present step handles a notice, which is no message."""

Behaviour = Callable[[Any, "Address[Any] | None"], Any]


class Stash:
    """The messages that one actor has put aside. ``release`` of them come back when the present step ends."""

    __slots__ = ("aside", "release")

    def __init__(self) -> None:
        self.aside: list[Any] = []
        self.release = 0


# --- asked for in a handler, on whatever thread it runs ------------------------------------------------------------------


def put_aside(cell: Cell) -> None:
    """See `garrick.actor.Actor.stash`."""
    if not cell.handling or cell.pending & NOTICE:
        raise InvalidArgument(
            "there is no message to stash",
            hint="call self.stash() while a message is handled: in no hook, in no notice's handler",
        )
    if cell.pending & STASH:
        raise InvalidArgument("this message is stashed already", hint="call self.stash() once for a message")
    stash = _stash_of(cell)
    if cell.mailbox is not None and len(stash.aside) >= cell.mailbox.bound.limit:
        raise MailboxFull(
            f"the stash of {cell.address} is full: {len(stash.aside)} messages",
            hint="it holds as many messages as the bounded mailbox; unstash or answer some of them",
        )
    cell.pending |= LOOK | STASH
    cell.answered = cell.sender  # what the handler returns is no answer


def bring_back(cell: Cell) -> None:
    """See `garrick.actor.Actor.unstash_all`."""
    stash = cell.stash
    if stash is None:
        return
    if not cell.handling:
        raise InvalidArgument(
            "stashed messages can be brought back only while the actor handles something",
            hint="call self.unstash_all() in a handler",
        )
    stash.release = len(stash.aside) + (1 if cell.pending & STASH else 0)
    cell.pending |= LOOK


def become(cell: Cell, behaviour: Behaviour | None) -> None:
    """See `garrick.actor.Actor.become`."""
    if behaviour is not None:
        try:
            inspect.signature(behaviour).bind(None, None)
        except (TypeError, ValueError):
            raise InvalidArgument(
                f"{behaviour!r} is no behaviour", hint="give a method that takes (message, sender), such as self.open"
            ) from None
    cell.behaviour = behaviour
    cell.pending |= LOOK  # so that what is handled next takes the new way
    if cell.actor is not None:
        install(cell)


def install(cell: Cell) -> None:
    """Let messages go to the behaviour of an actor, or to its ``receive`` when it has none."""
    behaviour = cell.behaviour
    if behaviour is None:
        handle = cell.actor.receive
    else:
        handle = _answering(cell, behaviour) if cell.replies else behaviour
    mailbox = cell.mailbox
    if mailbox is not None:
        mailbox.own, handle = handle, mailbox.handle
    if cell.spec.global_name is not None:
        handle = _while_leased(cell, handle)
    cell.handle = handle


def _while_leased(cell: Cell, handle: Behaviour) -> Behaviour:
    """Nothing is handled under a name that may belong to another one by now: a process that was stopped notices it only here."""
    runtime = cell.runtime

    def handle_if_leased(message: Any, sender: Address[Any] | None) -> Any:
        until = runtime.lease_until
        if until is None or runtime.clock.now() < until:
            return handle(message, sender)
        cell.answered = sender
        runtime.undeliverable(cell.address, message, sender, "name lost")
        return None

    return handle_if_leased


def _answering(cell: Cell, behaviour: Behaviour) -> Behaviour:
    """As ``receive`` of an actor with ``@on`` handlers: what is returned is the answer."""

    def handle(message: Any, sender: Address[Any] | None) -> Any:
        result = behaviour(message, sender)
        if type(sender) is ReplyAddress and type(result) is not CoroutineType:
            cell.answer(sender, result)
            return None
        return result

    return handle


def _stash_of(cell: Cell) -> Stash:
    if cell.stash is None:
        cell.stash = Stash()
    return cell.stash


# --- when the step ends, on the holder -------------------------------------------------------------------------------------


def settle(runtime: Runtime, cell: Cell, envelope: Any) -> None:
    """A step has ended in which something was asked for."""
    flags, cell.pending = cell.pending, 0
    stash = cell.stash
    if stash is None:
        return
    if flags & STASH:
        stash.aside.append((cell, envelope[1], envelope[2]))
    _release(runtime, cell, stash)


def spoil(runtime: Runtime, cell: Cell, envelope: Any) -> None:
    """The step failed: its message is not stashed."""
    flags, cell.pending = cell.pending, 0
    if flags & STASH and cell.answered is envelope[2]:
        cell.answered = None
    if cell.stash is not None:
        _release(runtime, cell, cell.stash)


def restore(runtime: Runtime, cell: Cell) -> None:
    """A new instance begins: it gets what the old one had put aside."""
    stash, cell.stash = cell.stash, None
    if stash is not None:
        stash.release = len(stash.aside)
        _release(runtime, cell, stash)


def _release(runtime: Runtime, cell: Cell, stash: Stash) -> None:
    count, stash.release = stash.release, 0
    back = stash.aside[:count]
    if not back:
        return
    del stash.aside[:count]
    if any(item[2] is cell.answered for item in back):
        cell.answered = None  # its answer is still to come
    if cell.mailbox is not None:
        cell.mailbox.add(len(back))
    if cell.queue is None:
        cell.queue = deque()
    cell.queue.extendleft(reversed(back))
    if not (cell.busy or cell.scheduled):
        cell.scheduled = True
        runtime.append((runtime.control, runtime.run_queue, cell))
