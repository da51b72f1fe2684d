"""Actors that fail, at every place where an actor can, and what their supervisors see."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from garrick import (
    Actor,
    Address,
    ChildExited,
    Poisoned,
    Terminated,
    on,
)
from tests.conformance.actors import Gate, Get, Make, Observe, Raise


class Counter(Actor):
    """State that a restart loses; tells its observer every step of its life."""

    def __init__(self, observer: Address[Any], first: int = 0) -> None:
        self.observer, self.count = observer, first
        self.send(observer, ("made", first))

    def started(self) -> None:
        self.send(self.observer, ("started", self.count))

    def restarting(self, error: BaseException) -> None:
        self.send(self.observer, ("restarting", self.count, str(error)))

    def stopping(self, reason: str) -> None:
        self.send(self.observer, ("stopping", reason))

    @on
    def add(self, message: int) -> int:
        self.count += message
        return self.count

    @on
    def get(self, message: Get) -> Any:
        return self.children if message.what == "children" else self.count

    @on
    def make(self, message: Make) -> Address[Any]:
        return self.spawn(message.actor_class, *message.args, **message.options)

    @on
    def observe(self, message: Observe) -> None:
        self.watch(message.target)

    @on
    def remind(self, message: tuple) -> None:  # type: ignore[type-arg]
        delay, what, keep = message
        self.after(delay, what, keep=keep)

    @on
    def text(self, message: str) -> None:
        self.send(self.observer, ("got", message))

    @on
    def boom(self, message: Raise) -> None:
        raise message.error

    @on
    def terminated(self, notice: Terminated) -> None:
        self.send(self.observer, notice)


class AsyncCounter(Counter):
    """The hooks and the failing handler as coroutines."""

    async def started(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.send(self.observer, ("started", self.count))

    async def restarting(self, error: BaseException) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.send(self.observer, ("restarting", self.count, str(error)))

    async def stopping(self, reason: str) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.send(self.observer, ("stopping", reason))

    @on
    async def boom(self, message: Raise) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        raise message.error


class BrokenStart(Actor):
    """Fails in its constructor or in a hook."""

    def __init__(self, where: str) -> None:
        self.where = where
        if where == "constructor":
            raise LookupError("no such thing")

    def started(self) -> Any:
        if self.where == "started":
            raise LookupError("no such thing")
        return self.later() if self.where == "async started" else None

    async def later(self) -> None:
        await asyncio.sleep(0)
        raise LookupError("no such thing")


class OnceOnly(Actor):
    """Its constructor fails the second time (the gate tells)."""

    def __init__(self, gate: Gate) -> None:
        if os.path.exists(gate.path):
            raise LookupError("not again")
        gate.open()

    @on
    def boom(self, message: Raise) -> None:
        raise message.error


class BrokenRestart(Counter):
    def restarting(self, error: BaseException) -> None:
        raise ValueError("the hook itself fails")


class Quitter(Actor):
    @on
    def quit(self, message: str) -> None:
        raise SystemExit(3)


class FailsOnNotice(Actor):
    """A notice makes it fail."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    def started(self) -> None:
        self.send(self.observer, "started")

    @on
    def make(self, message: Make) -> Address[Any]:
        return self.spawn(message.actor_class, *message.args, **message.options)

    @on
    def child_exited(self, notice: ChildExited) -> None:
        raise ValueError("a child died")

    @on
    def poisoned(self, notice: Poisoned) -> None:
        self.send(self.observer, "poisoned")


class CatchAll(Actor):
    """Overrides nothing and names no notice: only ``object``."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @on
    def make(self, message: Make) -> Address[Any]:
        child = self.spawn(message.actor_class, *message.args, **message.options)
        self.watch(child)
        return child

    @on
    def get(self, message: Get) -> list[str]:
        return self.seen

    @on
    def anything(self, message: object) -> None:
        self.seen.append(type(message).__name__)


class NoticeByReceive(Actor):
    """Overrides ``receive`` and has children: no notice may come there."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, Make):
            child = self.spawn(message.actor_class, *message.args, **message.options)
            self.watch(child)
            self.send(sender, child)  # type: ignore[arg-type]
        elif isinstance(message, Get):
            self.send(sender, self.seen)  # type: ignore[arg-type]
        else:
            self.seen.append(type(message).__name__)


class Interrupts(Actor):
    """As if somebody had pressed Ctrl-C in a handler."""

    @on
    def interrupt(self, message: str) -> None:
        raise KeyboardInterrupt

    @on
    def echo(self, message: int) -> int:
        return message


class InterruptsAsync(Interrupts):
    """The same in a coroutine."""

    @on
    async def interrupt(self, message: str) -> None:  # type: ignore[override]
        raise KeyboardInterrupt
