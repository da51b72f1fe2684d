"""Actors with bounded mailboxes, stashes and behaviours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, MailboxFull, Poisoned, Request, on
from tests.conformance.actors import Gate, Get


@dataclass(frozen=True)
class Block(Request[None]):
    """Wait at ``gate``; first say so to ``observer``."""

    gate: Gate
    observer: Address[Any]


@dataclass(frozen=True)
class Flood:
    """Send the numbers below ``count`` to ``target``; answer with what did not go."""

    target: Address[Any]
    count: int


class Slow(Actor):
    """Keeps what it gets; can be made to wait."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @on
    def block(self, message: Block) -> None:
        self.send(message.observer, "blocked")
        message.gate.wait()

    @on
    def get(self, message: Get) -> list[Any]:
        return list(self.seen)

    @on
    def anything(self, message: object) -> None:
        self.seen.append(message)


class AsyncSlow(Actor):
    """As Slow, with a coroutine for plain messages."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @on
    def block(self, message: Block) -> None:
        self.send(message.observer, "blocked")
        message.gate.wait()

    @on
    async def get(self, message: Get) -> list[Any]:
        return list(self.seen)

    @on
    async def anything(self, message: object) -> None:
        self.seen.append(message)


class Sender(Actor):
    """Floods, and remembers what came back."""

    def __init__(self) -> None:
        self.raised: list[int] = []
        self.poisoned: list[Any] = []

    @on
    def make(self, message: type) -> Address[Any]:
        return self.spawn(message)

    @on
    def flood(self, message: Flood) -> list[int]:
        refused = []
        for number in range(message.count):
            try:
                self.send(message.target, number)
            except MailboxFull:
                refused.append(number)
        return refused

    @on
    def get(self, message: Get) -> list[Any]:
        return list(self.poisoned)

    @on
    def came_back(self, notice: Poisoned) -> None:
        assert isinstance(notice.error, MailboxFull)
        self.poisoned.append(notice.message)


class Offering(Actor):
    """Offers and sends by turns."""

    @on
    async def flood(self, message: Flood) -> list[int]:
        for number in range(message.count):
            if number % 2:
                self.send(message.target, number)
            else:
                await self.offer(message.target, number)
        return []


class Itself(Actor):
    """Its ticks come also when its mailbox is full."""

    def __init__(self, observer: Address[Any]) -> None:
        self.observer = observer
        self.timer = self.after(0.01, "tick")

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        self.send(self.observer, message)


class Door(Actor):
    """Lets in who knocks when it is open, and keeps them waiting until then."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @on
    def get(self, message: Get) -> list[Any]:
        return list(self.seen)

    @on
    def knock(self, message: int) -> str:
        self.stash()
        return "this is no answer"

    @on
    def open(self, message: str) -> None:
        self.seen.append(message)
        self.unstash_all()
        self.become(self.opened)

    @on
    def fail(self, message: BaseException) -> None:
        raise message

    @on
    def twice(self, message: bytes) -> str:
        self.stash()
        try:
            self.stash()
        except ValueError as error:
            self.defer()
            self.send(self.sender or self.address, str(error))
        return "twice"

    @on
    def in_vain(self, message: float) -> None:
        self.stash()
        raise RuntimeError("after stash")

    def opened(self, message: Any, sender: Address[Any] | None) -> Any:
        if isinstance(message, int):
            self.seen.append(message)
            return ("come in", message)
        if message == "close":
            self.unbecome()
            return "closed"
        return self.receive(message, sender)


class AsyncDoor(Actor):
    """The same with coroutines and an overridden ``receive``."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, Get):
            self.reply(list(self.seen))
        elif isinstance(message, int):
            self.stash()
        elif isinstance(message, BaseException):
            raise message
        else:
            self.seen.append(message)
            self.become(self.opened)
            self.unstash_all()

    async def opened(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, int):
            self.seen.append(message)
            if sender is not None:
                self.send(sender, ("come in", message))
        else:
            self.become(None)
            await self.receive(message, sender)


class Behaving(Actor):
    """Tries what is refused, and begins with a behaviour."""

    def __init__(self, error: str = "") -> None:
        self.told: list[Any] = []
        self.become(self.first)
        if error:
            raise RuntimeError(error)

    def started(self) -> None:
        try:
            self.stash()
        except ValueError as error:
            self.told.append(type(error).__name__)

    def first(self, message: Any, sender: Address[Any] | None) -> Any:
        if message == "second":
            self.become(self.second)
        elif message == "fail":
            raise RuntimeError("fail")
        return ("first", message, list(self.told))

    async def second(self, message: Any, sender: Address[Any] | None) -> Any:
        if message == "nonsense":
            try:
                self.become(self.started)  # type: ignore[arg-type]
            except ValueError as error:
                return type(error).__name__
        if message == "fail":
            raise RuntimeError("fail")
        if message == "base":
            self.unbecome()
        return ("second", message)

    @on
    def rest(self, message: object) -> Any:
        return ("rest", message)

    @on
    def notice(self, notice: Poisoned) -> None:
        try:
            self.stash()
        except ValueError as error:
            self.told.append(type(error).__name__)
