"""More actors of the conformance suite: those that wait, that tell facts of themselves, or that cross processes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from typing import Any

from garrick import (
    Actor,
    Address,
    AskError,
    CapabilityLost,
    GarrickError,
    on,
    requires,
)
from tests.conformance.actors import Consult, Echo, End, Gate, Get, Make, NotAnActor, Pass, Raise, Unprintable, Wait

# --- async and blocking ----------------------------------------------------------------------------------------------


class Async(Actor):
    """Async handlers."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.order: list[Any] = []

    @on
    async def number(self, message: int) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        await asyncio.sleep(0.001 if message % 10 == 0 else 0)
        self.order.append(message)
        self.inside -= 1
        return message * 2

    @on
    async def consult(self, message: Consult) -> Any:
        try:
            return await self.ask(message.target, message.message, timeout=message.timeout)
        except AskError as error:
            return error

    @on
    async def gather(self, message: list) -> list[Any]:  # type: ignore[type-arg]
        return list(await asyncio.gather(*(self.ask(target, number) for number, target in enumerate(message))))

    @on
    async def boom(self, message: Raise) -> None:
        await asyncio.sleep(0)
        raise message.error

    @on
    async def nothing(self, message: None) -> None:
        await asyncio.sleep(0)

    @on
    async def blocking(self, message: Wait) -> bool:
        return message.gate.wait()

    @on
    async def late(self, message: str) -> str:
        origin = self.defer()
        await asyncio.sleep(0)
        self.send(origin, message.upper())
        return "this is not the answer"

    @on
    def get(self, message: Get) -> Any:
        return (self.most, self.order)


class Report(Actor):
    """Awaits what it is told to ask and tells its observer."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    @on
    async def consult(self, message: Consult) -> None:
        self.send(self.observer, await self.ask(message.target, message.message, timeout=message.timeout))


class BlockingAsync(Actor):
    """A coroutine that blocks; answers by ``reply``, also to an inbox."""

    @on
    async def wait(self, message: Wait) -> None:
        message.gate.wait()
        self.reply("waited")


class Hangs(Actor):
    """Waits for ever, in one way or another; tells its observer when it begins."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    @on
    async def awaits(self, message: str) -> None:
        self.send(self.observer, "waits")
        await asyncio.Event().wait()

    @on
    def asks(self, message: Consult) -> None:
        reply = self.ask(message.target, message.message, timeout=message.timeout)
        self.send(self.observer, "waits")
        reply.result()

    @on
    async def awaits_an_answer(self, message: Pass) -> None:
        reply = self.ask(message.target, message.message, timeout=10_000)
        self.send(self.observer, "waits")
        await reply


class Fails(Actor):
    """Fails with what can't be said or sent."""

    @on
    def run(self, message: str) -> None:
        raise Unprintable

    @on
    def after_its_answer(self, message: int) -> None:
        self.reply(message)
        raise ValueError("too late")

    @on
    def out_of_memory(self, message: float) -> None:
        raise MemoryError("no room")


class AsyncReceive(Actor):
    """An async ``receive``."""

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        await asyncio.sleep(0)
        if sender is not None:
            self.send(sender, message)


class Blocker(Actor):
    """Handlers that block or burn until a gate opens; answers by ``reply``, also to an inbox."""

    @on
    def wait(self, message: Wait) -> None:
        message.gate.wait()
        self.answer("waited")

    @on
    def burn(self, message: Make) -> None:
        message.args[0].burn()
        self.answer("burnt")

    @on
    def number(self, message: int) -> None:
        self.answer(message)

    def answer(self, what: Any) -> None:
        if self.sender is not None:
            self.reply(what)


class BlockedStart(Actor):
    """Blocks while it is made and in its hooks."""

    def __init__(self, gate: Gate) -> None:
        self.opened = [gate.wait()]
        self.gate = gate

    def started(self) -> None:
        self.opened.append(self.gate.wait())

    @on
    def get(self, message: Get) -> list[bool]:
        return self.opened


class Threaded(Actor):
    """Notes the thread of every step of its life."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer
        self.threads = [threading.get_ident()]
        self.after(0.001, "tick")

    def started(self) -> None:
        self.threads.append(threading.get_ident())

    @on
    def get(self, message: Get) -> list[int]:
        self.threads.append(threading.get_ident())
        return self.threads

    @on
    def tick(self, message: str) -> None:
        self.threads.append(threading.get_ident())
        self.send(self.observer, "ticked")

    @on
    def consult(self, message: Consult) -> Any:
        return self.ask(message.target, message.message).result()

    def stopping(self, reason: str) -> None:
        self.send(self.observer, [*self.threads, threading.get_ident()])


class RestartsOnThread(Actor):
    """Tells its observer the thread that it is made on."""

    def __init__(self, observer: Address[Any]) -> None:
        self.send(observer, threading.get_ident())

    @on
    def boom(self, message: Raise) -> None:
        raise message.error


class Pid(Actor):
    """Which process is it in?"""

    @on
    def get(self, message: Get) -> int:
        return os.getpid()

    @on
    def make(self, message: Make) -> Address[Any]:
        return self.spawn(message.actor_class, *message.args, **message.options)


class Dies(Actor):
    """Takes its process along."""

    @on
    def die(self, message: End) -> None:
        os._exit(7)


# --- addresses and facts ---------------------------------------------------------------------------------------------


class Directory(Actor):
    """Keeps addresses as keys."""

    def __init__(self) -> None:
        self.known: dict[Address[Any], str] = {}

    @on
    def put(self, message: tuple) -> None:  # type: ignore[type-arg]
        address, label = message
        self.known[address] = label

    @on
    def find(self, message: Address[Any]) -> str | None:
        return self.known.get(message)

    @on
    def get(self, message: Get) -> list[Address[Any]]:
        return sorted(self.known)


class Facts(Actor):
    """What an actor knows of itself."""

    def __init__(self) -> None:
        self.at_birth = (self.address, self.parent, self.name, self.now(), len(self.children))

    @on
    def get(self, message: Get) -> Any:
        if message.what == "random":
            return [self.random.random() for _ in range(3)]
        if message.what == "log":
            self.log.warning("from an actor")
            return self.log.extra
        if message.what == "capabilities":
            return dict(self.capabilities)
        if message.what == "lookup":
            return self.lookup("facts").result()
        if message.what == "repr":
            return repr(self)
        return {
            "at birth": self.at_birth,
            "address": self.address,
            "parent": self.parent,
            "name": self.name,
            "children": self.children,
            "now": self.now(),
            "sender": self.sender is not None,
        }

    @on
    def make(self, message: Make) -> Address[Any]:
        return self.spawn(message.actor_class, *message.args, **message.options)


class Misuse(Actor):
    """Uses operations wrongly and says what that raised."""

    @on
    def run(self, message: str) -> str:
        attempts: dict[str, Any] = {
            "send": lambda: self.send("somewhere", 1),  # type: ignore[arg-type]
            "ask": lambda: self.ask("somewhere", 1),  # type: ignore[call-overload]
            "stop": lambda: self.stop("somewhere"),  # type: ignore[arg-type]
            "watch": lambda: self.watch("somewhere"),  # type: ignore[arg-type]
            "spawn": lambda: self.spawn(NotAnActor),  # type: ignore[arg-type]
            "spawn by name": lambda: self.spawn("Echo"),
            "isolation": lambda: self.spawn(Echo, isolation="none"),
            "every": lambda: self.every(0, "tick"),
            "called": lambda: Echo().send(self.address, 1),
            "called address": lambda: Echo().parent,
        }
        try:
            attempts[message]()
        except GarrickError as error:
            return f"{type(error).__name__} {error.code}"
        return "accepted"

    @on
    def reply_to_nobody(self, message: int) -> None:
        self.reply(message)


# --- capabilities ----------------------------------------------------------------------------------------------------


@requires("db", zone="active")
class NeedsDatabase(Actor):
    def __init__(self, observer: Address[Any] | None = None) -> None:
        self.observer = observer

    @on
    def get(self, message: Get) -> str:
        return "database"

    @on
    def lost(self, notice: CapabilityLost) -> None:
        if self.observer is not None:
            self.send(self.observer, notice)

    def stopping(self, reason: str) -> None:
        if self.observer is not None:
            self.send(self.observer, ("stopping", reason))


class ChecksItself(Actor):
    @staticmethod
    def can_run_on(capabilities: Mapping[str, Any]) -> bool:
        return int(capabilities.get("cores", 0)) >= 4

    @on
    def get(self, message: Get) -> str:
        return "enough"


# --- between processes -----------------------------------------------------------------------------------------------


class Payload:
    """Carries whatever it is given in an attribute."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Exploding:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _explode, ()


def _explode() -> None:
    raise ValueError("not here")


class Exhausted:
    """As `Exploding`, with the error that ends iterations, which must not end the reading of what comes behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _exhaust, ()


def _exhaust() -> None:
    raise StopIteration


class Mutator(Actor):
    """Changes what it is sent."""

    def __init__(self) -> None:
        self.first: Any = None

    @on
    def change(self, message: list) -> int:  # type: ignore[type-arg]
        message.append("changed")
        shared = self.first is not None and self.first[0] is message[0]
        self.first = message
        return int(shared)


class AnswersLock(Actor):
    """Its answer can't leave the process."""

    @on
    def get(self, message: Get) -> Any:
        return [threading.Lock()]


class SendsLock(Actor):
    """Sends what can't leave the process and says what that raised."""

    @on
    def run(self, message: Address[Any]) -> Any:
        try:
            self.send(message, {"key": [1, threading.Lock()]})
        except GarrickError as error:
            return (type(error).__name__, getattr(error, "path", None))
        return None
