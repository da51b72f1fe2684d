"""Troupes: an actor that hands its messages to workers of its own class, which it creates and dismisses as need be.

Owns the class decorator, and `_Manager`, which is what a decorated actor becomes by its first message. Invariants: a worker has one
piece of work at a time; what a worker has not finished when it ends is given to another one, and after `TRIES` times back to its sender.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from thespian._messages import (
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    PoisonMessage,
    WakeupMessage,
)

C = TypeVar("C", bound=type)

DISMISS_EXTRA_PERIOD = timedelta(seconds=2)
"""How long a worker beyond ``idle_count`` stays without work."""
TRIES = 3


class UpdateTroupeSettings:
    """Changes the numbers of workers; comes back with those that hold.

    Args:
        max_count: workers at most; None: as it is.
        idle_count: workers that stay without work; None: as it is.
    """

    def __init__(self, max_count: int | None = None, idle_count: int | None = None) -> None:
        assert max_count is None or max_count > 0, "a troupe has workers"
        assert idle_count is None or idle_count > 0, "a troupe keeps workers"
        self.max_count = max_count
        self.idle_count = idle_count


@dataclass
class _Work(ActorSystemMessage):
    """From the manager to a worker."""

    message: Any
    sender: Any
    tries: int = 0


class _Ready(ActorSystemMessage):
    """From a worker to the manager."""


class _Dismiss:
    """The payload of the manager's own wakeups."""


def troupe(max_count: int = 10, idle_count: int = 2) -> Callable[[C], C]:
    """Class decorator: messages are handled by several actors of the class at the same time.

    A worker whose work takes several messages sets ``self.troupe_work_in_progress`` to True, and to False when it is done.

    Args:
        max_count: workers at most.
        idle_count: workers that stay without work.
    """

    def mark(cls: C) -> C:
        wrapped: Any = cls.receiveMessage  # type: ignore[attr-defined]

        @wraps(wrapped)
        def receive(self: Any, message: Any, sender: Any) -> Any:
            state = self.__dict__
            if isinstance(message, _Work):
                state["_troupe_manager"] = sender
                result = wrapped(self, message.message, message.sender)
                if not getattr(self, "troupe_work_in_progress", False):
                    self.send(sender, _Ready())
                return result
            if "_troupe_manager" in state:
                working = getattr(self, "troupe_work_in_progress", False)
                result = wrapped(self, message, sender)
                if working and not self.troupe_work_in_progress:
                    self.send(state["_troupe_manager"], _Ready())
                return result
            manager = state.get("_troupe")
            if manager is None:
                if isinstance(message, ActorSystemMessage):
                    return wrapped(self, message, sender)
                manager = state["_troupe"] = _Manager(self, max_count, idle_count)
            manager.receive(message, sender)
            return None

        cls.receiveMessage = receive  # type: ignore[attr-defined]
        return cls

    return mark


class _Manager:
    """Who works, who waits, and what waits."""

    def __init__(self, actor: Any, max_count: int, idle_count: int) -> None:
        self.actor = actor
        self.max_count = max_count
        self.idle_count = idle_count
        self.busy: dict[Any, _Work] = {}
        self.idle: dict[Any, float] = {}
        """Since when; the one that has waited longest comes first."""
        self.leaving: set[Any] = set()
        self.waiting: deque[_Work] = deque()

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, _Ready):
            self._ready(sender)
        elif isinstance(message, ChildActorExited):
            self._ended(message.childAddress)
        elif isinstance(message, PoisonMessage):
            self._failed(message, sender)
        elif isinstance(message, WakeupMessage):
            self._dismiss()
        elif isinstance(message, UpdateTroupeSettings):
            self._set(message.max_count, message.idle_count)
            self.actor.send(sender, UpdateTroupeSettings(self.max_count, self.idle_count))
        elif isinstance(message, str) and message.startswith("troupe:"):
            self._command(message.removeprefix("troupe:"), sender)
        elif not isinstance(message, ActorSystemMessage):
            self.waiting.append(_Work(message, sender))
            self._assign()

    def _assign(self) -> None:
        while self.waiting:
            if self.idle:
                worker = next(iter(self.idle))
                del self.idle[worker]
            elif len(self.busy) < self.max_count:
                worker = self.actor.createActor(type(self.actor))
            else:
                return
            work = self.busy[worker] = self.waiting.popleft()
            self.actor.send(worker, work)

    def _ready(self, worker: Any) -> None:
        if self.busy.pop(worker, None) is None:
            return
        self.idle[worker] = time.monotonic()
        self._assign()
        if worker in self.idle and len(self.busy) + len(self.idle) > self.idle_count:
            self.actor.wakeupAfter(DISMISS_EXTRA_PERIOD, _Dismiss)

    def _dismiss(self) -> None:
        """Those that have waited long enough, and would be too many."""
        now, period = time.monotonic(), DISMISS_EXTRA_PERIOD.total_seconds()
        for worker, since in tuple(self.idle.items()):
            if len(self.busy) + len(self.idle) <= self.idle_count:
                return
            if now - since >= period:
                del self.idle[worker]
                self.leaving.add(worker)
                self.actor.send(worker, ActorExitRequest())

    def _ended(self, worker: Any) -> None:
        self.idle.pop(worker, None)
        self.leaving.discard(worker)
        work = self.busy.pop(worker, None)
        if work is not None:
            work.tries += 1
            if work.tries < TRIES:
                self.waiting.appendleft(work)
            else:
                self.actor.send(work.sender, PoisonMessage(work.message, f"{TRIES} workers ended while they had it"))
        self._assign()

    def _failed(self, poison: PoisonMessage, sender: Any) -> None:
        work = poison.poisonMessage
        if isinstance(work, _Work) and sender in self.busy:
            self.actor.send(work.sender, PoisonMessage(work.message, poison.details))
            self._ready(sender)

    def _set(self, max_count: int | None, idle_count: int | None) -> None:
        self.max_count = max_count or self.max_count
        self.idle_count = idle_count or self.idle_count
        self._assign()

    def _command(self, command: str, sender: Any) -> None:
        if command == "status?":
            workers = ", ".join(map(str, (*self.busy, *self.idle)))
            self.actor.send(sender, f"Idle={self.idle_count}, Max={self.max_count}, Troupers [{workers}]")
            return
        name, _, value = command.partition("=")
        setting = name.removeprefix("set_")
        if setting not in {"max_count", "idle_count"} or not name.startswith("set_"):
            self.actor.send(sender, f"Error: unknown troupe command {command!r}")
            return
        try:
            count = int(UpdateTroupeSettings(int(value)).max_count or 0)
        except (AssertionError, ValueError) as error:
            self.actor.send(sender, f"Error changing {setting}: {error}")
            return
        self._set(**{"max_count": None, "idle_count": None, setting: count})
        self.actor.send(sender, f"Set troupe {setting} to {count}")
