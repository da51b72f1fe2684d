"""Actors of the scenarios. They keep what they see in lists that the scenario reads; nothing is asked for, so nothing is disturbed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, ChildExited, Escalate, Notice, Terminated, on


class Boom(Exception):
    """A failure that the scenario wants."""


@dataclass(frozen=True)
class Numbered:
    """The n-th message of a source; ``nap``: how long its handler sleeps."""

    source: int
    number: int
    nap: float = 0.0


class Source(Actor):
    """Sends numbered messages, some at once and some a while later."""

    def __init__(self, target: Address[Any], source: int) -> None:
        self.target = target
        self.source = source
        self.number = 0

    @on
    def send_some(self, message: int) -> None:
        for _ in range(message):
            self.number += 1
            nap = self.random.choice([0.0, 0.0, 0.0, 0.01])
            self.send(self.target, Numbered(self.source, self.number, nap))


class Sink(Actor):
    """Notes what it gets, and sleeps over some of it."""

    def __init__(self, seen: list[Numbered]) -> None:
        self.seen = seen

    @on
    def take(self, message: Numbered) -> None:
        self.seen.append(message)
        if message.nap:
            time.sleep(message.nap)


class FarSink(Sink):
    """One that is spawned in another system; what it sees is found by its class."""

    def __init__(self) -> None:
        super().__init__([])


class Phoenix(Actor):
    """Fails when it is told to; every instance has a number, and whatever belongs to an instance carries it."""

    def __init__(self, log: list[tuple[str, int, Any]]) -> None:
        self.notes = log
        self.instance = 1 + sum(what == "made" for what, _, _ in log)
        self.note("made")
        self.every(0.3, ("tick", self.instance))
        self.opened = False

    def note(self, what: str, value: Any = None) -> None:
        self.notes.append((what, self.instance, value))

    def restarting(self, error: BaseException) -> None:
        self.note("restarting")

    @on
    def tick(self, message: tuple) -> None:  # type: ignore[type-arg]
        self.note("tick", message[1])

    @on
    def fail(self, message: str) -> None:
        raise Boom(message)

    @on
    def number(self, message: int) -> None:
        if message % 3 == 0 and self.instance < 3:
            self.note("stashed", message)
            self.stash()
        else:
            self.note("number", message)


class Child(Actor):
    """Fails when it is told to, and leaves the decision to its parent."""

    def __init__(self, log: list[tuple[str, Any]]) -> None:
        self.notes = log

    @on
    def handle(self, message: str) -> None:
        if message == "fail":
            raise Boom(message)
        self.notes.append((message, self.address))

    def stopping(self, reason: str) -> None:
        self.notes.append(("end", self.address))


class Boss(Actor):
    """Has children, and notes how they end."""

    def __init__(self, log: list[tuple[str, Any]]) -> None:
        self.notes = log
        self.kids: list[Address[Any]] = []

    @on
    def spawn_some(self, message: int) -> list[Address[Any]]:
        self.kids += [self.spawn(Child, self.notes, supervision=Escalate()) for _ in range(message)]
        return self.kids

    @on
    def exited(self, message: ChildExited) -> None:
        self.notes.append(("exited", message.child))

    def stopping(self, reason: str) -> None:
        self.notes.append(("end", self.address))


class Watcher(Actor):
    """Watches, stops watching and watches again, and notes what it is told."""

    def __init__(self, log: list[tuple[str, Any]]) -> None:
        self.notes = log

    @on
    def again(self, message: list) -> None:  # type: ignore[type-arg]
        for target in message:
            self.watch(target)
            if self.random.randrange(2):
                self.unwatch(target)
                self.watch(target)

    @on
    def ended(self, message: Notice) -> None:
        if isinstance(message, Terminated):
            self.notes.append(("terminated", message.actor))


class Ear(Actor):
    """Watches, and keeps what it is sent and told, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, Any]] = []

    @on
    def begin(self, message: list) -> None:  # type: ignore[type-arg]
        for target in message:
            self.watch(target)

    @on
    def number(self, message: Numbered) -> None:
        self.heard.append((self.sender, message.number))

    @on
    def ended(self, message: Terminated) -> None:
        self.heard.append((message.actor, message.reason))

    @on
    def tell(self, message: str) -> str:
        return message


class Named(Actor):
    """Holds a name for a while."""

    def receive(self, message: Any, sender: Any) -> None:
        self.reply(message)


class Claims(Actor):
    """Has a child of a certain name, and makes a new one as soon as it hears that the last one has ended."""

    def __init__(self, name: str, log: list[tuple[str, str]]) -> None:
        self.wanted = name
        self.notes = log
        self.left = 0
        self.child: Address[Any] | None = None

    @on
    def begin(self, message: int) -> None:
        self.left = message
        self.make()

    def make(self) -> None:
        self.child = self.spawn(Named, name=self.wanted)
        self.after(self.random.random() * 0.1, "end it")

    @on
    def end(self, message: str) -> None:
        if self.child is not None:
            self.stop(self.child)

    @on
    def exited(self, message: ChildExited) -> None:
        if message.child != self.child:
            return
        self.notes.append((message.reason, message.detail))
        self.left -= 1
        self.child = None
        if self.left > 0:
            self.make()


class Mortal(Actor):
    """Answers a few questions and ends; what waits then is nobody's."""

    def __init__(self, life: int) -> None:
        self.life = life

    @on
    def ask_it(self, message: int) -> int:
        self.life -= 1
        if not self.life:
            self.stop()
        if message % 2:
            time.sleep(0.01)
        return message


class Asker(Actor):
    """Asks a number of times at once, and notes how each question ended and after how long."""

    def __init__(self, target: Address[Any], log: list[tuple[str, float]]) -> None:
        self.target = target
        self.notes = log

    @on
    async def ask_some(self, message: int) -> None:
        began = self.now()
        replies = [self.ask(self.target, number, timeout=30) for number in range(message)]
        for reply in replies:
            try:
                await reply
                outcome = "answer"
            except Exception as error:
                outcome = type(error).__name__
            self.notes.append((outcome, self.now() - began))


def by_source(seen: Iterable[Numbered]) -> dict[int, list[int]]:
    """The numbers of each source, in the order in which they came."""
    found: dict[int, list[int]] = {}
    for message in seen:
        found.setdefault(message.source, []).append(message.number)
    return found
