"""Actors of the tests of supervision: they tell an observer every step of their lives, under a label."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrick import Actor, Address, AskError, ChildExited, Poisoned, Terminated, on
from tests.conformance.actors import Consult, Echo, End, Gate, Get, Ignore, Make, Observe, Pass, Raise, Wait


@dataclass(frozen=True)
class EndNow:
    """Stop ``target`` (None: yourself) without waiting for what is in its mailbox."""

    target: Address[Any] | None


@dataclass(frozen=True)
class WaitAloud:
    """Say that you wait, then block at ``gate``."""

    gate: Gate


@dataclass(frozen=True)
class RaiseAtGate:
    """Block at ``gate``, then fail with ``error``."""

    gate: Gate
    error: BaseException


@dataclass(frozen=True)
class FloodAndEnd:
    """Send ``count`` messages to ``target`` and then stop it at once."""

    target: Address[Any]
    count: int


@dataclass(frozen=True)
class ConsultAtGate:
    """Block at ``gate``, then ask as told."""

    gate: Gate
    consult: Consult


class Attempts:
    """Counts in a file, so that it survives instances and processes. Picklable."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def next(self) -> int:
        """The number of this call, from 1."""
        with self.path.open("a+b") as file:
            file.write(b".")
            file.flush()
            return file.tell()


class Member(Actor):
    """Tells its observer ``(label, event, ...)``."""

    def __init__(self, observer: Address[Any], label: str, count: int = 0) -> None:
        self.observer, self.label, self.count = observer, label, count
        self.tell("made")

    def tell(self, *what: Any) -> None:
        self.send(self.observer, (self.label, *what))

    def started(self) -> Any:
        self.tell("started")

    def restarting(self, error: BaseException) -> Any:
        self.tell("restarting", f"{type(error).__name__}: {error}")

    def stopping(self, reason: str) -> Any:
        self.tell("stopping", reason)

    @on
    def add(self, message: int) -> int:
        self.count += message
        return self.count

    @on
    def text(self, message: str) -> None:
        self.tell("got", message)

    @on
    def get(self, message: Get) -> Any:
        if message.what == "process":
            return os.getpid()
        return self.children if message.what == "children" else self.count

    @on
    def make(self, message: Make) -> Address[Any]:
        return self.spawn(message.actor_class, *message.args, **message.options)

    @on
    def forward(self, message: Pass) -> None:
        self.send(message.target, message.message)

    @on
    def observe(self, message: Observe) -> None:
        self.watch(message.target)

    @on
    def ignore(self, message: Ignore) -> None:
        self.unwatch(message.target)

    @on
    def flood_and_end(self, message: FloodAndEnd) -> None:
        for number in range(message.count):
            self.send(message.target, str(number))
        self.stop(message.target, drain=False)

    @on
    def end(self, message: End) -> None:
        self.stop(message.target)

    @on
    def end_now(self, message: EndNow) -> None:
        self.stop(message.target, drain=False)

    @on
    def wait(self, message: Wait) -> Any:
        message.gate.wait()
        return "waited"

    @on
    def consult(self, message: Consult) -> Any:
        try:
            return self.ask(message.target, message.message, timeout=message.timeout).result()
        except AskError as error:
            return error

    @on
    def consult_at_gate(self, message: ConsultAtGate) -> Any:
        message.gate.wait()
        return self.consult(message.consult)

    @on
    def wait_aloud(self, message: WaitAloud) -> Any:
        self.tell("waiting")
        return self.wait(Wait(message.gate))

    @on
    def boom(self, message: Raise) -> Any:
        raise message.error

    @on
    def boom_at_gate(self, message: RaiseAtGate) -> None:
        self.tell("waiting")
        message.gate.wait()
        raise message.error

    @on
    def child_exited(self, notice: ChildExited) -> None:
        self.tell("exited", notice.child, notice.reason)

    @on
    def terminated(self, notice: Terminated) -> None:
        self.tell("terminated", notice.actor, notice.reason)

    @on
    def poisoned(self, notice: Poisoned) -> None:
        pass


class AsyncMember(Member):
    """The same with coroutines."""

    async def started(self) -> None:
        await asyncio.sleep(0)
        self.tell("started")

    async def restarting(self, error: BaseException) -> None:
        await asyncio.sleep(0)
        self.tell("restarting", f"{type(error).__name__}: {error}")

    async def stopping(self, reason: str) -> None:
        await asyncio.sleep(0)
        self.tell("stopping", reason)

    @on
    async def wait(self, message: Wait) -> str:
        for _ in range(2000):
            if Path(message.gate.path).exists():  # noqa: ASYNC240 - what it costs is what the test is about
                break
            await asyncio.sleep(0.005)
        return "waited"

    @on
    async def boom(self, message: Raise) -> None:
        await asyncio.sleep(0)
        raise message.error


class ReentrantMember(AsyncMember, reentrant=True):
    """Handles several messages at a time."""


class Flaky(Actor):
    """Some of its instances can't be made: the ``bad`` ones, counted from 1, fail ``where``."""

    def __init__(self, observer: Address[Any], attempts: Attempts, bad: range, where: str) -> None:
        self.observer, self.where, self.number = observer, where, attempts.next()
        self.bad = self.number in bad
        self.send(observer, ("attempt", self.number))
        self.spawn(Member, observer, f"child {self.number}")
        if self.bad and where == "constructor":
            raise LookupError("away")

    def started(self) -> Any:
        if self.bad and self.where == "started":
            raise LookupError("away")
        return self.later() if self.where == "async started" else None

    async def later(self) -> None:
        await asyncio.sleep(0)
        if self.bad:
            raise LookupError("away")

    def restarting(self, error: BaseException) -> None:
        self.send(self.observer, ("restarting", self.number))

    def stopping(self, reason: str) -> None:
        self.send(self.observer, ("stopping", self.number, reason))

    @on
    def get(self, message: Get) -> int:
        return self.number

    @on
    def boom(self, message: Raise) -> None:
        raise message.error


class BrokenHook(Member):
    """One of its hooks fails, later if ``asynchronous``."""

    def __init__(self, observer: Address[Any], hook: str, *, asynchronous: bool) -> None:
        self.hook, self.asynchronous = hook, asynchronous
        super().__init__(observer, "actor")

    def restarting(self, error: BaseException) -> Any:
        super().restarting(error)
        return self.fail() if self.hook == "restarting" else None

    def stopping(self, reason: str) -> Any:
        super().stopping(reason)
        return self.fail() if self.hook == "stopping" else None

    def fail(self) -> Any:
        if self.asynchronous:
            return self.fail_later()
        raise ValueError("the hook itself fails")

    async def fail_later(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("the hook itself fails")


class Hooks(Actor):
    """Uses all operations in every hook: spawns a child, asks it, and sends what it says."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer
        self.use("constructor")

    def use(self, hook: str) -> None:
        self.send(self.observer, self.ask(self.spawn(Echo), hook, timeout=10).result())

    def started(self) -> Any:
        self.use("started")

    def restarting(self, error: BaseException) -> Any:
        self.use("restarting")

    def stopping(self, reason: str) -> Any:
        self.use("stopping")

    @on
    def boom(self, message: Raise) -> None:
        raise message.error


class AsyncHooks(Hooks):
    """The same in coroutines."""

    async def later(self, hook: str) -> None:
        self.send(self.observer, await self.ask(self.spawn(Echo), hook, timeout=10))

    def started(self) -> Any:
        return self.later("started")

    def restarting(self, error: BaseException) -> Any:
        return self.later("restarting")

    def stopping(self, reason: str) -> Any:
        return self.later("stopping")


class Lingering(AsyncMember):
    """Its hooks wait: ``started`` of the first instance and ``restarting``, each at a gate of its own."""

    def __init__(self, observer: Address[Any], label: str, start: Gate, restart: Gate) -> None:
        self.gates = {"started": start, "restarting": restart}
        super().__init__(observer, label)

    async def started(self) -> None:
        await self.wait(Wait(self.gates["started"]))
        await super().started()

    async def restarting(self, error: BaseException) -> None:
        await super().restarting(error)
        await self.wait(Wait(self.gates["restarting"]))


class SelfWatcher(Actor):
    @on
    def get(self, message: Get) -> str:
        try:
            self.watch(self.address)
        except ValueError as error:
            return str(error)
        return "accepted"
