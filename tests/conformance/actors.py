"""The actors and messages of the conformance suite; in a module of their own, so that every process can import them.

What an actor has seen is asked of it, or it tells an observer (the address of an inbox); nothing is shared with the test.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from garrick import (
    Actor,
    Address,
    AskError,
    ChildExited,
    GarrickError,
    Poisoned,
    Request,
    Terminated,
    on,
)


class Gate:
    """A file that is there or not: handlers of any process can wait at it with plain blocking calls. Picklable.

    In worlds whose handlers run on the program's thread the ten seconds are virtual and soon over, since it goes on only when the
    handler has ended. So a test may rely on the order of things, but not on the gate having been open.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> None:
        Path(self.path).touch()

    def wait(self) -> bool:
        """Block in ``time.sleep`` until it is open, at most ten seconds; whether it is open."""
        for _ in range(2000):
            if os.path.exists(self.path):
                return True
            time.sleep(0.005)
        return False

    def burn(self) -> bool:
        """The same with the processor instead of a sleep."""
        deadline = time.perf_counter() + 10
        while time.perf_counter() < deadline:
            if os.path.exists(self.path):
                return True
        return False


# --- messages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Get(Request[Any]):
    """What have you got? ``what`` names it where there is more than one thing."""

    what: str = ""


@dataclass(frozen=True)
class Make(Request[Address[Any]]):
    """Spawn a child; the answer is its address."""

    actor_class: Any
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """Stop ``target``, or yourself."""

    target: Address[Any] | None = None


@dataclass(frozen=True)
class Observe:
    """Watch ``target``."""

    target: Address[Any]


@dataclass(frozen=True)
class Ignore:
    """No longer watch ``target``."""

    target: Address[Any]


@dataclass(frozen=True)
class Pass:
    """Send ``message`` to ``target``, ``times`` times."""

    target: Address[Any]
    message: Any
    times: int = 1


@dataclass(frozen=True)
class Consult:
    """Ask ``target`` and answer with what comes."""

    target: Address[Any]
    message: Any
    timeout: float = 10.0


@dataclass(frozen=True)
class Raise:
    """Let the handler fail with ``error``."""

    error: BaseException


@dataclass(frozen=True)
class Wait:
    """Block at ``gate``."""

    gate: Gate


class Unpicklable(Exception):
    """An error that can't leave its process."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class Unprintable(Exception):
    """An error that can't even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


# --- plain actors ----------------------------------------------------------------------------------------------------


class Echo(Actor):
    """Overrides ``receive``: answers with the message."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if sender is not None:
            self.send(sender, message)


class Deaf(Actor):
    """Overrides ``receive`` and never answers."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        pass


class Recorder(Actor):
    """Keeps what it gets, in order."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @on
    def get(self, message: Get) -> list[Any]:
        return list(self.seen)

    @on
    def wait(self, message: Wait) -> None:
        message.gate.wait()

    @on
    def anything(self, message: object) -> None:
        self.seen.append(message)


class SenderRecorder(Actor):
    """Keeps who sent what it got; itself a receiver by ``receive``."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Any]] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, Get):
            assert sender is not None
            self.send(sender, list(self.seen))
        else:
            assert sender is self.sender
            self.seen.append((message, sender))


class Arguments(Actor):
    """Answers with the arguments of its constructor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.arguments = (args, kwargs)

    @on
    def get(self, message: Get) -> Any:
        return self.arguments


class NotAnActor:
    """A class that spawn must refuse."""


class Parent(Actor):
    """Does what it is told with its children, and tells its observer the notices that it gets."""

    def __init__(self, observer: Address[Any] | None = None) -> None:
        self.observer = observer
        self.received: list[Any] = []

    @on
    def make(self, message: Make) -> Address[Any]:
        return self.spawn(message.actor_class, *message.args, **message.options)

    @on
    def end(self, message: End) -> None:
        self.stop(message.target)

    @on
    def observe(self, message: Observe) -> None:
        self.watch(message.target)

    @on
    def ignore(self, message: Ignore) -> None:
        self.unwatch(message.target)

    @on
    def forward(self, message: Pass) -> None:
        for _ in range(message.times):
            self.send(message.target, message.message)

    @on
    def consult(self, message: Consult) -> Any:
        try:
            return self.ask(message.target, message.message, timeout=message.timeout).result()
        except AskError as error:
            return error

    @on
    def boom(self, message: Raise) -> None:
        raise message.error

    @on
    def wait(self, message: Wait) -> str:
        message.gate.wait()
        return "waited"

    @on
    def get(self, message: Get) -> Any:
        return self.received if message.what == "received" else self.children

    @on
    def text(self, message: str) -> None:
        self.received.append(message)

    @on
    def child_exited(self, notice: ChildExited) -> None:
        self.tell(notice)

    @on
    def terminated(self, notice: Terminated) -> None:
        self.tell(notice)

    @on
    def poisoned(self, notice: Poisoned) -> None:
        self.tell(notice)

    def tell(self, what: Any) -> None:
        if self.observer is not None:
            self.send(self.observer, what)


# --- asks and replies ------------------------------------------------------------------------------------------------


class Answers(Actor):
    """The ways to answer an ask from ``@on`` handlers."""

    def __init__(self) -> None:
        self.open: Address[Any] | None = None

    @on
    def returns(self, message: int) -> int:
        return message + 1

    @on
    def returns_none(self, message: None) -> None:
        return None

    @on
    def replies_itself(self, message: str) -> str:
        self.reply(message.upper())
        return "this is not the answer"

    @on
    def leaves_open(self, message: float) -> None:
        self.open = self.defer()

    @on
    def answers_the_open_one(self, message: bytes) -> str:
        assert self.open is not None
        self.send(self.open, message)
        return "sent"

    @on
    def hands_over(self, message: Pass) -> None:
        self.send(message.target, (self.defer(), message.message))

    @on
    def fails(self, message: Raise) -> None:
        raise message.error


class Deputy(Actor):
    """Answers asks that others were asked."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        origin, value = message
        self.send(origin, ("deputy", value))


class LaterByReceive(Actor):
    """Overrides ``receive``, leaves asks open and answers them at the next message."""

    def __init__(self) -> None:
        self.waiting: list[Address[Any]] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "now":
            for number, origin in enumerate(self.waiting):
                self.send(origin, number)
        else:
            assert sender is not None
            self.waiting.append(sender)


class Twice(Actor):
    """Answers an ask two times."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        assert sender is not None
        self.send(sender, "first")
        self.send(sender, "second")


class Chain(Actor):
    """Waits with ``.result()`` for the next of a chain and adds one."""

    def __init__(self, following: Address[Any] | None = None) -> None:
        self.following = following

    @on
    def number(self, message: int) -> int:
        if self.following is None:
            return message
        found: int = self.ask(self.following, message, timeout=10).result()
        return found + 1


class Partner(Actor):
    """One of two that ask each other."""

    def __init__(self) -> None:
        self.other: Address[Any] | None = None

    @on
    def meet(self, message: Address[Any]) -> None:
        self.other = message

    @on
    def ping(self, message: int) -> Any:
        if message == 0:
            return "end"
        assert self.other is not None
        return self.ask(self.other, message - 1, timeout=20).result()


class AsyncPartner(Partner):
    """The same with ``await``."""

    @on
    async def ping(self, message: int) -> Any:
        if message == 0:
            return "end"
        assert self.other is not None
        return await self.ask(self.other, message - 1, timeout=20)


class Canceller(Actor):
    """Cancels an ask, then waits for it."""

    @on
    def run(self, message: Address[Any]) -> str:
        reply = self.ask(message, "question", timeout=10)
        before = reply.done
        reply.cancel()
        try:
            reply.result()
        except GarrickError as error:
            return f"{before} {reply.done} {type(error).__name__}"
        return "an answer"


# --- order -----------------------------------------------------------------------------------------------------------


class Burst(Actor):
    """Sends ``count`` numbers to a target when told to; can also create its target and send at once."""

    @on
    def to(self, message: Pass) -> None:
        for number in range(message.times):
            self.send(message.target, (message.message, number))

    @on
    def to_new(self, message: Make) -> Address[Any]:
        target = self.spawn(message.actor_class, *message.args, **message.options)
        for number in range(1000):
            self.send(target, (None, number))
        return target

    @on
    def new_one_by_way_of(self, message: Consult) -> Address[Any]:
        """Create an actor, tell its address to ``message.target`` and send nothing oneself."""
        target = self.spawn(Recorder)
        self.send(message.target, Pass(target, message.message, 1000))
        return target


class Hasty(Actor):
    """Asks right behind something else."""

    @on
    def run(self, message: str) -> Any:
        child = self.spawn(Recorder)
        if message != "spawn":
            assert self.ask(child, Get()).result() == []
        if message == "send":
            self.send(child, 1)
        if message == "stop":
            self.stop(child)
        try:
            return self.ask(child, Get()).result()
        except AskError as error:
            return error


class SlowStart(Recorder):
    """Takes its time to be created."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.opened = gate.wait()


# --- ends ------------------------------------------------------------------------------------------------------------


class Node(Actor):
    """A tree of actors that tell the observer when they stop."""

    def __init__(self, observer: Address[Any], label: str, depth: int = 0, width: int = 2) -> None:
        self.observer, self.label = observer, label
        for number in range(width if depth else 0):
            self.spawn(Node, observer, f"{label}{number}", depth - 1, width)

    def stopping(self, reason: str) -> None:
        self.send(self.observer, (self.label, reason))

    @on
    def get(self, message: Get) -> list[Any]:
        """All labels below and here, so that the asker knows that the whole tree is there."""
        found = [self.label]
        for child in self.children:
            found += self.ask(child, message).result()
        return found

    @on
    def boom(self, message: Raise) -> None:
        raise message.error


class LastWords(Actor):
    """Tells the observer from an async ``stopping``."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    async def stopping(self, reason: str) -> None:
        await asyncio.sleep(0)
        self.send(self.observer, ("stopping", reason))


class BrokenStop(Actor):
    def stopping(self, reason: str) -> None:
        raise ValueError("I will not go")


class StopsItself(Actor):
    """Ends after the message that makes it end."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    @on
    def end(self, message: End) -> str:
        self.stop()
        self.send(self.observer, "still handling")
        return "done"

    @on
    def other(self, message: str) -> None:
        self.send(self.observer, message)


class HasOrphans(Actor):
    """Fails to start after it has spawned a child."""

    def __init__(self, observer: Address[Any], *, in_started: bool) -> None:
        self.spawn(Node, observer, "child")
        self.in_started = in_started
        if not in_started:
            raise ValueError("not today")

    def started(self) -> None:
        if self.in_started:
            raise ValueError("not today either")


class BringsUpLate(Actor):
    """Spawns a child while it stops."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer

    def stopping(self, reason: str) -> None:
        self.spawn(Node, self.observer, "late child")


# --- timers ----------------------------------------------------------------------------------------------------------


class Clockwork(Actor):
    """Timers of all kinds; tells its observer what they bring, with the time since it was made."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer
        self.born = self.now()
        self.timer: Any = None
        self.ticks = self.before = 0

    @on
    def start(self, message: tuple) -> None:  # type: ignore[type-arg]
        kind, delay, what = message
        self.timer = self.after(delay, what) if kind == "after" else self.every(delay, what)

    @on
    def cancel(self, message: None) -> None:
        self.timer.cancel()

    @on
    def busy(self, message: float) -> int:
        """Sleep; the answer is the number of ticks so far."""
        time.sleep(message)
        return self.ticks

    @on
    def tick(self, message: str) -> None:
        self.ticks += 1
        self.send(self.observer, (message, self.now() - self.born, self.sender == self.address))

    @on
    def how_many_wait(self, message: bytes) -> None:
        """Sleep for many periods; then tell how many ticks waited meanwhile: those before a message of its own."""
        if message == b"begin":
            time.sleep(0.2)
            self.before = self.ticks
            self.send(self.address, b"end")
        else:
            self.send(self.observer, ("waited", self.ticks - self.before))

    @on
    def wrong(self, message: int) -> str:
        try:
            self.after(-1, "never")
        except GarrickError as error:
            return type(error).__name__
        return "accepted"
