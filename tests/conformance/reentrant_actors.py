"""Reentrant actors, and others of the same shape that are not."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, Poisoned, Request, on
from tests.conformance.actors import Get


@dataclass(frozen=True)
class Nap(Request[Any]):
    """Await ``seconds``, then answer with the sender's view of itself."""

    seconds: float
    label: Any = None


@dataclass(frozen=True)
class Ring(Request[Any]):
    """Ask ``via``, which asks this actor again."""

    via: Address[Any]
    depth: int = 0


@dataclass(frozen=True)
class Blocking(Request[Any]):
    """Sleep in a synchronous handler."""

    seconds: float
    label: Any = None


@dataclass(frozen=True)
class Later(Request[Any]):
    """Be answered by a message that comes later."""

    label: Any


@dataclass(frozen=True)
class Fail(Request[Any]):
    """Fail after a while, or at once."""

    seconds: float


@dataclass(frozen=True)
class Quit:
    """Stop yourself, and go on for a while."""

    seconds: float


class Interleaved(Actor, reentrant=True):
    """Async and synchronous handlers, which say when they begin and end and whether another one ran in parallel."""

    def __init__(self, observer: Address[Any] | None = None) -> None:
        self.observer = observer
        self.events: list[Any] = []
        self.inside: set[int] = set()
        self.parallel = False
        self.free = asyncio.Event()
        self.aside: list[Any] = []

    def piece(self, seconds: float = 0.0) -> None:
        """A piece of code that no other thread may enter meanwhile."""
        me = threading.get_ident()
        self.inside.add(me)
        if seconds:
            time.sleep(seconds)
        self.parallel |= len(self.inside) > 1
        self.inside.discard(me)

    def restarting(self, error: BaseException) -> None:
        if self.observer is not None:
            self.send(self.observer, ("restarting", list(self.events)))

    def stopping(self, reason: str) -> None:
        if self.observer is not None:
            self.send(self.observer, ("stopping", list(self.events)))

    @on
    async def nap(self, message: Nap) -> Any:
        sender = self.sender
        self.events.append(("begin", message.label))
        self.piece()
        try:
            end = self.now() + message.seconds
            while self.now() < end:
                await asyncio.sleep(message.seconds / 4)
                self.piece()
        except asyncio.CancelledError:
            self.events.append(("cancelled", message.label))
            raise
        self.events.append(("end", message.label))
        assert self.sender is sender
        return message.label

    @on
    def blocking(self, message: Blocking) -> Any:
        self.events.append(("begin", message.label))
        self.piece(message.seconds)
        self.events.append(("end", message.label))
        return message.label

    @on
    async def ring(self, message: Ring) -> Any:
        if message.depth == 0:
            return ["bottom"]
        return [message.depth, *await self.ask(message.via, Ring(self.address, message.depth - 1), timeout=10)]

    @on
    async def later(self, message: Later) -> None:
        origin = self.defer()
        await self.free.wait()
        self.send(origin, ("later", message.label))

    @on
    async def replies(self, message: bytes) -> str:
        await asyncio.sleep(0.01)
        self.reply(message)
        return "this is no answer"

    @on
    def release(self, message: str) -> None:
        self.free.set()

    @on
    async def fail(self, message: Fail) -> None:
        if message.seconds:
            await asyncio.sleep(message.seconds)
        raise RuntimeError("failed flight")

    @on
    async def quit(self, message: Quit) -> None:
        self.stop()
        await asyncio.sleep(message.seconds)
        self.events.append(("end", "quit"))

    @on
    async def keep(self, message: int) -> Any:
        if message not in self.aside:
            self.aside.append(message)
            self.stash()
            await asyncio.sleep(0.01)
            return "no answer"
        return ("again", message)

    @on
    async def bring(self, message: float) -> None:
        self.unstash_all()

    @on
    def get(self, message: Get) -> Any:
        return self.parallel if message.what == "parallel" else list(self.events)

    @on
    async def came_back(self, notice: Poisoned) -> None:
        self.events.append(("poisoned", notice.message))


class LastWords(Actor, reentrant=True):
    """Stops itself when it is cancelled, and takes its time to end."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    @on
    async def wait(self, message: Nap) -> None:
        try:
            await asyncio.sleep(message.seconds)
        except asyncio.CancelledError:
            self.stop()

    @on
    async def fail(self, message: Fail) -> None:
        raise RuntimeError("failed flight")

    async def restarting(self, error: BaseException) -> None:
        self.send(self.observer, "restarting")

    async def stopping(self, reason: str) -> None:
        self.send(self.observer, "stopping")
        await asyncio.sleep(0.05)
        self.send(self.observer, "stopped")


class Relay(Actor):
    """Asks back."""

    @on
    async def ring(self, message: Ring) -> Any:
        return await self.ask(message.via, Ring(self.address, message.depth), timeout=10)


class Blocker(Actor):
    """Asks back and blocks for the answer."""

    @on
    def ring(self, message: Ring) -> Any:
        return self.ask(message.via, Ring(self.address, 0), timeout=10).result()


class ByReceive(Actor, reentrant=True):
    """Overrides ``receive``."""

    def __init__(self) -> None:
        self.open = 0
        self.most = 0

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.05)
        self.open -= 1
        assert sender is self.sender
        if sender is not None:
            self.send(sender, (message, self.most))


class Inherits(ByReceive):
    """Reentrant by its base class."""


class NotAnyMore(ByReceive, reentrant=False):
    """One at a time."""
