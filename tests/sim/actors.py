"""Actors of these tests; also the program that is run in another process to compare traces."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from garrick import Actor, ActorSystem, Address, Notice, on
from garrick.sim.world import World


class Echo(Actor):
    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        self.reply((message, self.address.system.partition("@")[0]))


class Sleeper(Actor):
    """Sleeps as long as it is told, and replies when it woke."""

    def receive(self, message: float, sender: Address[Any] | None) -> None:
        time.sleep(message)
        if sender is not None:
            self.reply(self.now())


class Asks(Actor):
    """Asks the next one, which may be told later, and waits for the answer."""

    def __init__(self, following: Address[Any] | None = None) -> None:
        self.following = following

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, Address):
            self.following = message
            self.reply("known")
        elif self.following is None:
            self.reply([message])
        else:
            self.reply([*self.ask(self.following, message).result(), message])


class Naps(Actor):
    async def receive(self, message: list[float], sender: Address[Any] | None) -> None:
        await asyncio.gather(*(asyncio.sleep(seconds) for seconds in message))
        self.reply(self.now())


class Counter(Actor):
    """Counts ticks."""

    def __init__(self, period: float) -> None:
        self.ticks = 0
        self.every(period, "tick")

    @on
    def tick(self, message: str) -> int:
        if message == "tick":
            self.ticks += 1
        return self.ticks


class Keeper(Actor):
    """Keeps children elsewhere, and notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[float, str, str]] = []
        self.ours: list[Address[Any]] = []

    @on
    def keep(self, message: int) -> list[Any]:
        children = [self.spawn(Echo, requires={"db": True}) for _ in range(message)]
        for child in children:
            self.watch(child)
        self.ours += children
        return [self.ask(child, "hello").result() for child in children]

    @on
    def which(self, message: bytes) -> list[Address[Any]]:
        return self.ours

    @on
    def notice(self, message: Notice) -> None:
        self.notes.append((self.now(), type(message).__name__, getattr(message, "reason", "")))

    @on
    def told(self, message: str) -> list[tuple[float, str, str]]:
        return self.notes


class Dice(Actor):
    def receive(self, message: int, sender: Address[Any] | None) -> None:
        self.reply([self.random.randrange(1000) for _ in range(message)])


class Workers(Actor):
    """Asks async and waiting actors at once, and gathers what they say in the order in which it comes."""

    def __init__(self) -> None:
        self.order: list[Any] = []

    async def receive(self, message: int, sender: Address[Any] | None) -> None:
        naps = [self.spawn(Naps) for _ in range(message)]
        sleepers = [self.spawn(Sleeper) for _ in range(message)]

        async def one(kind: str, number: int, target: Address[Any], what: Any) -> None:
            self.order.append((kind, number, await self.ask(target, what)))

        async with asyncio.TaskGroup() as group:
            for number in range(message):
                group.create_task(one("nap", number, naps[number], [self.random.random(), 0.5]))
                group.create_task(one("sleep", number, sleepers[number], self.random.random()))
        self.reply(self.order)


def scenario(seed: int, given: World | None = None) -> tuple[str, list[Any]]:
    """A bit of everything: the hash of its trace, and what the program saw."""
    with given or World(seed=seed) as world:
        first = world.system("first")
        world.system("second", {"db": True})
        seen: list[Any] = [first.ask(first.spawn(Workers), 4)]
        keeper = first.spawn(Keeper)
        seen += [first.ask(keeper, 3), first.ask(first.spawn(Dice), 3)]
        world.crash("second")
        world.run(5)
        seen += [first.ask(keeper, "told"), world.now]
        return world.trace.hash, seen


def alone(seed: int) -> list[Any]:
    """The same on base ``sim``."""
    with ActorSystem("sim", seed=seed) as system:
        return [system.ask(system.spawn(Workers), 3), system.ask(system.spawn(Dice), 3)]


if __name__ == "__main__":
    print(scenario(7), alone(7))
