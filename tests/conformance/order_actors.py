"""Targets of all kinds that remember the order of what they get, and who makes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from garrick import Actor, Address, Request, on
from tests.conformance.actors import Get, Pass

TURN = 500
"""The message at which the stashing ones change their mind."""


@dataclass(frozen=True)
class Introduce(Request[Address[Any]]):
    """Make an actor, and let ``relay`` send to it at once."""

    relay: Address[Any]
    actor_class: type[Actor]
    options: dict[str, Any] = field(default_factory=dict)


class Introducer(Actor):
    """Sends nothing itself."""

    @on
    def introduce(self, message: Introduce) -> Address[Any]:
        target = self.spawn(message.actor_class, **message.options)
        self.send(message.relay, Pass(target, "relayed", 1000))
        return target


class InOrder(Actor):
    """Remembers the numbers."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    @on
    def get(self, message: Get) -> list[int]:
        return list(self.seen)

    @on
    def number(self, message: tuple[Any, int]) -> None:
        self.seen.append(message[1])


class Stashing(InOrder):
    """Puts the first half aside."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = False

    @on
    def number(self, message: tuple[Any, int]) -> None:
        if message[1] == TURN:
            self.opened = True
            self.unstash_all()
        elif not self.opened:
            self.stash()
            return
        self.seen.append(message[1])


class AsyncStashing(Stashing):
    """The same with coroutines."""

    @on
    async def number(self, message: tuple[Any, int]) -> None:  # type: ignore[override]
        Stashing.number(self, message)


class Becoming(InOrder):
    """Changes its behaviour with each message."""

    def __init__(self) -> None:
        super().__init__()
        self.become(self.even)

    def even(self, message: Any, sender: Address[Any] | None) -> Any:
        if not isinstance(message, tuple):
            return self.receive(message, sender)
        assert message[1] % 2 == 0
        self.seen.append(message[1])
        self.become(self.odd)
        return None

    async def odd(self, message: Any, sender: Address[Any] | None) -> Any:
        if isinstance(message, Get):
            return list(self.seen)
        assert message[1] % 2 == 1
        self.seen.append(message[1])
        self.become(self.even)
        return None


class Interleaving(InOrder, reentrant=True):
    """Remembers when handlers begin, which then take their time; each seventh is synchronous."""

    @on
    async def number(self, message: tuple[Any, int]) -> None:  # type: ignore[override]
        self.seen.append(message[1])
        await asyncio.sleep(0)
        await asyncio.sleep(0.001 * (message[1] % 3))


class Mixing(Actor, reentrant=True):
    """The same, with a plain function for some of the numbers."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> Any:
        if isinstance(message, Get):
            self.reply(list(self.seen))
            return None
        if message[1] % 50 == 7:
            self.seen.append(message[1])
            return None
        return self.slowly(message[1])

    async def slowly(self, number: int) -> None:
        self.seen.append(number)
        await asyncio.sleep(0.001)
