"""`Topic`: one address whose messages go to all actors that have joined it, wherever they run.

Owns the list of subscribers. Must not know what is in a message. Invariant: a subscriber that has ended is on the list no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrick.actor import Actor
from garrick.address import Address, ReplyAddress
from garrick.handlers import on
from garrick.messages import Terminated

__all__ = ["Join", "Leave", "Topic"]


@dataclass(frozen=True)
class Join:
    """To a topic: ``subscriber`` (None: who sends this) gets every message from now on. An ask is answered when that is so."""

    subscriber: Address[Any] | None = None


@dataclass(frozen=True)
class Leave:
    """Undo `Join`."""

    subscriber: Address[Any] | None = None


class Topic(Actor):
    """``system.spawn(Topic, global_name="news")``: what is sent to it goes to all who have joined, with its sender.

    Nobody is waited for, and messages of one sender arrive in order. Whoever joins later gets nothing of what was before. The subscribers
    are in the topic's memory: who `watch`es it hears when it ends, and joins the next one.
    """

    def __init__(self) -> None:
        self._subscribers: dict[Address[Any], None] = {}

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        """Give one message to everybody."""
        if type(message) is Join or type(message) is Leave:
            asked = type(sender) is ReplyAddress
            subscriber = message.subscriber or (None if asked else sender)
            if subscriber is not None:
                self._change(subscriber, joins=type(message) is Join)
            if asked:
                self.reply(len(self._subscribers))
            return
        runtime = self._cell.runtime
        for subscriber in self._subscribers:
            runtime.route(subscriber, message, sender)

    def _change(self, subscriber: Address[Any], *, joins: bool) -> None:
        if joins and subscriber not in self._subscribers:
            self._subscribers[subscriber] = None
            self.watch(subscriber)
        elif not joins and subscriber in self._subscribers:
            del self._subscribers[subscriber]
            self.unwatch(subscriber)

    @on
    def _ended(self, notice: Terminated) -> None:
        self._subscribers.pop(notice.actor, None)
