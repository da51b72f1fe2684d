"""`Bounded`: what a program says about the mailbox of an actor. Owns only data; `garrick.runtime.mailbox` enforces it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from garrick.errors import InvalidArgument

Overflow = Literal["dead-letter", "fail"]
OVERFLOWS: Final = get_args(Overflow)


@dataclass(frozen=True)
class Bounded:
    """At most ``limit`` messages may wait for the actor; give it as ``mailbox=`` to ``spawn``.

    The message that is being handled does not count, nor do notices and ticks of timers. An ask for which there is no room fails with
    `MailboxFull`.

    Attributes:
        limit: messages, at least 1.
        overflow: what becomes of a plain message for which there is no room. ``"dead-letter"``: a dead letter (``mailbox full``).
            ``"fail"``: ``send`` raises `MailboxFull` if the actor is in the same process; else its sender gets
            ``Poisoned(message, MailboxFull(...))``, or, if that is no actor, it becomes a dead letter.

    Raises:
        InvalidArgument: there is no such limit or overflow.
    """

    limit: int
    overflow: Overflow = "dead-letter"

    def __post_init__(self) -> None:
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < 1:
            raise InvalidArgument(f"limit={self.limit!r} is no bound", hint="give a number of messages, at least 1")
        if self.overflow not in OVERFLOWS:
            raise InvalidArgument(f"overflow={self.overflow!r} is not possible", hint="give 'dead-letter' or 'fail'")
