"""Torture of determinism: worlds full of faults in any order, whose traces must be equal in every process.

Also the program that other processes run: ``python -m tests.sim.torture KIND FIRST COUNT [noise]`` prints a line per seed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from typing import Any

from garrick import Actor, ActorGone, Address, AskTimeout, Notice, on
from garrick.errors import GarrickError
from garrick.sim.runs import Plan, run
from garrick.sim.world import World


class Node(Actor):
    """Has children, timers and friends elsewhere; asks, waits, fails and restarts."""

    def __init__(self, depth: int = 0) -> None:
        self.friends: list[Address[Any]] = []
        self.seen: list[str] = []
        self.kids = [self.spawn(Node, depth - 1) for _ in range(2)] if depth else []
        self.every(0.7, "tick")

    @on
    def meet(self, message: list[Address[Any]]) -> int:
        self.friends = [friend for friend in message if friend != self.address]
        for kid in self.kids:
            self.send(kid, message)
        for friend in self.friends:
            self.watch(friend)
        return len(message)

    @on
    def tick(self, message: str) -> None:
        self.seen.append(message)
        if self.friends:
            self.send(self.friends[self.random.randrange(len(self.friends))], len(self.seen))
        if self.random.random() < 0.1:
            raise ValueError(message)

    @on
    def number(self, message: int) -> int:
        if message % 3 == 0 and self.friends:
            try:
                return self.ask(self.friends[message % len(self.friends)], message + 1, timeout=0.5).result()  # type: ignore[no-any-return]
            except (AskTimeout, ActorGone, GarrickError):
                return -1
        return message

    @on
    def notice(self, message: Notice) -> None:
        self.seen.append(type(message).__name__)


class AsyncNode(Node):
    """The same in coroutines."""

    @on
    async def number(self, message: int) -> int:  # type: ignore[override]
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(asyncio.sleep(self.random.random() / 10))
        if message % 3 == 0 and self.friends:
            try:
                async with asyncio.timeout(0.4):
                    return await self.ask(self.friends[message % len(self.friends)], message + 1)  # type: ignore[no-any-return]
            except (TimeoutError, GarrickError):
                return -1
        return message


def _drive(world: World, kind: type[Node]) -> None:
    world.net.defaults(latency=("100us", "20ms"), drop=0.02, duplicate=0.01, delay=0.02, reorder=0.02)
    systems = world.systems(3)
    nodes = [system.spawn(kind, number % 2) for number, system in enumerate(systems)]
    for system, node in zip(systems, nodes, strict=True):
        system.send(node, nodes)
    world.nemesis(kill_system="1/10s", pause="1/5s", cut_off="1/5s", clock_jump="1/10s")
    for number in range(6):
        world.run(0.5)
        for node in nodes:
            try:
                systems[0].ask(node, number, timeout=0.3)
            except GarrickError:
                pass
    world.quiet()
    world.run(5)


def processes(world: World) -> None:
    """Systems with workers: their processes die, stand still and are slow, and children come and go in processes of their own."""
    systems = world.systems(2, workers=2)
    nodes = [system.spawn(kind, number % 2) for number, system in enumerate(systems) for kind in (Node, AsyncNode)]
    for node in nodes:
        systems[0].send(node, nodes)
    for system in systems:
        world.delay_sockets(system, (0, "2ms"))
    world.nemesis(
        kill_process="1/3s", pause_process="1/3s", slow_process="1/5s", kill_system="1/20s", spawn_failure="1/20s"
    )
    for number in range(6):
        world.run(0.5)
        for node in nodes:
            try:
                systems[0].ask(node, number, timeout=0.3)
            except GarrickError:
                pass
        try:
            nodes.append(systems[0].spawn(Node, isolation="process", timeout=1))
        except GarrickError:
            pass
    world.quiet()
    world.run(5)


def waiting(world: World) -> None:
    """Synchronous actors only."""
    _drive(world, Node)


def coroutines(world: World) -> None:
    """Async actors."""
    _drive(world, AsyncNode)


KINDS = {"sync": waiting, "async": coroutines, "processes": processes}


def line(kind: str, seed: int) -> str:
    """What must be equal: the trace, the steps, the failure."""
    outcome = run(KINDS[kind], Plan(seed, "portfolio"))
    return f"{seed} {outcome.policy} {outcome.trace} {outcome.steps} {outcome.failure}"


def main(kind: str, first: int, count: int, noise: bool) -> None:
    """Print a line per seed; with noise, objects of any size stand where others would be."""
    logging.disable()
    kept: list[Any] = []
    draw = random.Random()
    for seed in range(first, first + count):
        if noise:
            kept += [object() for _ in range(draw.randrange(1000))]
            kept += [bytes(draw.randrange(500)) for _ in range(100)]
            del kept[: draw.randrange(len(kept))]
        print(line(kind, seed))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "noise" in sys.argv)
