"""Actors that exit by themselves: some time after their first message, or when no message has come for some time.

Owns two class decorators. The time is measured on the clock that never jumps, through ``wakeupAfter``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from thespian._messages import ActorExitRequest, ActorSystemMessage, WakeupMessage

C = TypeVar("C", bound=type)

DEFAULT = timedelta(seconds=10)


def transient(exit_delay: timedelta = DEFAULT) -> Callable[[C], C]:
    """Class decorator: the actor exits this long after its first message."""
    return _leaving(exit_delay, idle=False)


def transient_idle(exit_delay: timedelta = DEFAULT) -> Callable[[C], C]:
    """Class decorator: the actor exits when it has had no message of users for this long."""
    return _leaving(exit_delay, idle=True)


def _leaving(exit_delay: timedelta, *, idle: bool) -> Callable[[C], C]:
    if not isinstance(exit_delay, timedelta):
        raise TypeError(f"exit_delay is a timedelta, not {exit_delay!r}")
    whole = exit_delay.total_seconds()

    def mark(cls: C) -> C:
        wrapped: Any = cls.receiveMessage  # type: ignore[attr-defined]

        @wraps(wrapped)
        def receive(self: Any, message: Any, sender: Any) -> Any:
            now = time.monotonic()
            state = self.__dict__
            if isinstance(message, WakeupMessage) and message.payload is _Due:
                left = state["_transient_due"] - now
                if left > 0:
                    self.wakeupAfter(left, _Due)
                else:
                    self.send(self.myAddress, ActorExitRequest())
                return None
            if "_transient_due" not in state:
                if not isinstance(message, ActorExitRequest):
                    state["_transient_due"] = now + whole
                    self.wakeupAfter(whole, _Due)
            elif idle and not isinstance(message, ActorSystemMessage):
                state["_transient_due"] = now + whole
            return wrapped(self, message, sender)

        cls.receiveMessage = receive  # type: ignore[attr-defined]
        return cls

    return mark


class _Due:
    """The payload of the decorator's own wakeups, which the actor does not see."""
