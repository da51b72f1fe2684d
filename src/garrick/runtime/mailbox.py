"""What waits for one actor beyond the plain queue: the bound of its mailbox, and the warning about one without a bound.

Owns the count of a bounded mailbox. The address of such an actor never knows its cell, so every message for it takes the general way
(`Runtime.route`, `Runtime.deliver`), where it is counted; actors without a bound pay nothing. The count goes down when a handler begins:
`Mailbox.handle` stands before the actor's own. Any thread may send, so the count has a lock of its own.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from garrick.address import Address, ReplyAddress
from garrick.errors import MailboxFull
from garrick.messages import DeadLetter, Poisoned
from garrick.runtime.reports import class_name
from garrick.runtime.signals import Told
from garrick.wire.envelope import FAILURE, SIGNAL

if TYPE_CHECKING:
    from garrick.mailbox import Bounded
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

log = logging.getLogger("garrick")

HIGH_WATER: Final = 10_000
"""Messages in the queue of one actor from which on it is warned about; again only after there were less than half of them."""
FULL: Final = "mailbox full"


class Mailbox:
    """The bound of one actor's mailbox; see the module."""

    __slots__ = ("bound", "lock", "own", "waiting")

    def __init__(self, bound: Bounded) -> None:
        self.bound = bound
        self.lock = threading.Lock()
        self.waiting = 0
        """Messages that have been accepted and whose handlers have not begun."""
        self.own: Any = None
        """What handles them."""

    def take(self) -> bool:
        """Count one more message, if there is room."""
        with self.lock:
            if self.waiting >= self.bound.limit:
                return False
            self.waiting += 1
            return True

    def add(self, count: int) -> None:
        """Count messages that come in any case: what was accepted before, and ticks."""
        with self.lock:
            self.waiting += count

    def handle(self, message: Any, sender: Address[Any] | None) -> Any:
        """Let the actor handle a message, which no longer waits."""
        with self.lock:
            self.waiting -= 1
        return self.own(message, sender)


def admit(runtime: Runtime, cell: Cell, message: Any, sender: Address[Any] | None, *, at_once: bool) -> bool:
    """Whether there is room for one more message in a bounded mailbox; if not, whoever must know is told. Any thread.

    Args:
        runtime: of the actor.
        cell: of the actor.
        message: for it.
        sender: who sent it.
        at_once: whether the sender is the caller, who can be told by an exception.

    Raises:
        MailboxFull: there is none, the actor's overflow is ``"fail"``, and ``at_once``.
    """
    mailbox = cell.mailbox
    assert mailbox is not None
    if mailbox.take():
        return True
    if isinstance(message, DeadLetter):
        return False  # to somebody who subscribed to them
    limit, overflow = mailbox.bound.limit, mailbox.bound.overflow
    error = MailboxFull(
        f"the mailbox of {class_name(cell)} {cell.address} is full: {limit} messages wait",
        hint="send less at once, or wait for answers (ask) now and then",
    )
    asked = type(sender) is ReplyAddress
    if overflow == "dead-letter" or (sender is None and not at_once):
        runtime.dead_letter(cell.address, message, sender, FULL)
    elif not asked:
        if at_once:
            raise error
        assert sender is not None
        runtime.route(sender, Told(Poisoned(message, error, cell.address)), cell.address, SIGNAL)
    if asked:
        assert sender is not None
        runtime.route(sender, error, cell.address, FAILURE)
    return False


def swell(runtime: Runtime, cell: Cell) -> None:
    """More than `HIGH_WATER` messages wait in the queue of an actor: say so once; holder only."""
    if cell not in runtime.swollen:
        runtime.swollen.add(cell)
        log.warning(
            "high water: more than %d messages wait for %s %s, which does not keep up: %s",
            HIGH_WATER,
            class_name(cell),
            cell.address,
            cell.whereabouts(),
        )
