"""`Singleton`: keeps one actor alive in the whole convention, and gives every system an address for it.

Owns the claim of a ``global_name`` for its system and the way to whoever holds it. Must not know who decides that. Spawn one in every
system that may host the actor: one of them does, and when it ends the next takes over. Invariant: messages are handed on to one holder at a
time; what was handed on to a holder that ends is a dead letter, or its ask fails.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import AskError
from garrick.handlers import on
from garrick.messages import ChildExited, Terminated
from garrick.runtime.signals import Mark, Marked
from garrick.template import Template
from garrick.wire.envelope import SIGNAL

__all__ = ["Singleton"]


@dataclass(frozen=True)
class _Again:
    """Try to hold the name."""


class Singleton(Actor):
    """``system.spawn(Singleton, "ledger", Ledger)`` in each system: one `Ledger` runs, and all of them lead to it.

    Args:
        global_name: that the actor holds in the convention.
        actor: its class, or a `Template` that also says how it is spawned; a `Singleton` in a system that it does not fit only
            leads to it.
        args: of its constructor; further keyword arguments likewise.
        buffer: so many messages wait while nobody holds the name; older ones are dead letters (``nobody holds the name``).
        retry: seconds between two attempts to hold it.
    """

    def __init__(
        self,
        global_name: str,
        actor: type[Actor] | str | Template,
        *args: Any,
        buffer: int = 1000,
        retry: float = 0.5,
        **kwargs: Any,
    ) -> None:
        self._template = Template.of(actor, args, kwargs)
        self._name, self._buffer, self._retry = global_name, buffer, retry
        self._child: Address[Any] | None = None
        self._holder: Address[Any] | None = None
        self._waiting: deque[tuple[Any, Address[Any] | None]] = deque()
        self._try()

    def _try(self) -> None:
        how = self._template
        self._child = self.spawn(
            how.actor_class,
            *how.args,
            global_name=self._name,
            requires=how.requires,
            supervision=how.supervision,
            isolation=how.isolation,
            mailbox=how.mailbox,
            **how.kwargs,
        )
        # Answered only when it runs, and so holds the name.
        self._cell.runtime.route(self._child, Mark(self.address, 0), self.address, SIGNAL)

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        """Hand one message on, or keep it until somebody holds the name."""
        if type(message) is Marked:
            if sender == self._child and sender is not None:
                self._found(sender)
        elif type(message) is _Again:
            if self._child is None and self._holder is None:
                self._try()
        elif self._holder is not None:
            self._cell.answered = sender
            self._cell.runtime.route(self._holder, message, sender)
        else:
            self._cell.answered = sender
            self._waiting.append((message, sender))
            if len(self._waiting) > self._buffer:
                self._bury(*self._waiting.popleft(), "nobody holds the name")

    def _found(self, holder: Address[Any]) -> None:
        self._holder = holder
        while self._waiting:
            message, sender = self._waiting.popleft()
            self._cell.runtime.route(holder, message, sender)

    def _bury(self, message: Any, sender: Address[Any] | None, reason: str) -> None:
        self._cell.runtime.undeliverable(self.address, message, sender, reason)

    @on
    async def _exited(self, notice: ChildExited) -> None:
        if notice.child != self._child:
            return
        self._child = self._holder = None
        if notice.reason == "refused":
            try:
                holder = await self.lookup(self._name, timeout=10.0, everywhere=True)
            except AskError:
                holder = None
            if holder is not None:
                self.watch(holder)
                self._found(holder)
                return
        self.after(self._retry, _Again(), keep=True)

    @on
    def _ended(self, notice: Terminated) -> None:
        if notice.actor == self._holder:
            self._holder = None
            self.after(self._retry, _Again(), keep=True)

    def stopping(self, reason: str) -> None:
        """What waits is not handled any more."""
        for message, sender in self._waiting:
            self._bury(message, sender, reason)
