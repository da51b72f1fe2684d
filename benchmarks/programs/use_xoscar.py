# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""The workloads in xoscar, by its documented API alone (`create_actor_pool`, `create_actor`, a call, `tell`).

BASE is `local` (the actors in the pool's main process, where this program's coroutines run too) or `processes` (two
sub-processes of the pool; the two actors in different ones). An actor is an object whose methods are called, and a call
waits for what it returns; a `tell` does not. A message carries no sender.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from importlib.metadata import version
from typing import Any

import xoscar as xo
from measured import Job, clock, emit, expect, job_from_arguments
from xoscar.backends.allocate_strategy import ProcessIndex


class Echo(xo.Actor):
    """Answers every call with its own argument."""

    async def echo(self, message: Any) -> Any:
        return message

    async def pid(self) -> int:
        return os.getpid()


class Pinger(xo.Actor):
    """Plays ping-pong with a partner for a number of rounds."""

    async def play(self, partner: Any, rounds: int) -> str:
        message = ("ping", 1)
        for _ in range(rounds):
            message = await partner.echo(message)
        return "done"

    async def pid(self) -> int:
        return os.getpid()


class Sink(xo.Actor):
    """Counts what it is told, and says how many it has seen when it is asked."""

    seen = 0

    async def item(self, message: Any) -> None:
        if isinstance(message, tuple):
            self.seen += 1

    async def count(self) -> int:
        return self.seen

    async def pid(self) -> int:
        return os.getpid()


class Source(xo.Actor):
    """Sends a number of small tuples to a sink; after each batch it asks how many have arrived."""

    async def flood(self, sink: Any, count: int, batch: int) -> int:
        before = seen = await sink.count()
        for start in range(0, count, batch):
            for index in range(start, min(start + batch, count)):
                await sink.item.tell(("item", index))
            seen = await sink.count()
        return seen - before

    async def pid(self) -> int:
        return os.getpid()


class Nursery(xo.Actor):
    """Creates children, calls each once, and returns when each of them has answered."""

    async def raise_children(self, children: int) -> str:
        for _ in range(children):
            child = await xo.create_actor(Echo, address=self.address)
            expect(await child.echo(("hello", 1)), ("hello", 1))
        return "done"


class Pool:
    """Where the actors of this run are made."""

    def __init__(self, pool: Any, base: str) -> None:
        self.address = pool.external_address
        self.base = base
        self.made = 0

    async def create(self, kind: type[xo.Actor]) -> Any:
        """One more actor: in the main process, or in the next of the sub-processes."""
        place = 0 if self.base == "local" else self.made % 2 + 1
        self.made += 1
        return await xo.create_actor(kind, address=self.address, allocate_strategy=ProcessIndex(place))


async def check_processes(job: Job, *actors: Any) -> None:
    """Across processes the two actors must really be in two processes, neither of them this one."""
    pids = {await actor.pid() for actor in actors}
    expect(len(pids | {os.getpid()}), len(actors) + 1 if job.base != "local" else 1)


async def timed(work: Any, job: Job) -> float:
    if job.warm_up:
        await work(job.warm_up)
    begun = clock()
    await work(job.operations)
    return clock() - begun


async def ping_pong(pool: Pool, job: Job) -> float:
    pinger, partner = await pool.create(Pinger), await pool.create(Echo)
    await check_processes(job, pinger, partner)

    async def work(messages: int) -> None:
        expect(await pinger.play(partner, messages // 2), "done")

    return await timed(work, job)


async def flood(pool: Pool, job: Job) -> float:
    source, sink = await pool.create(Source), await pool.create(Sink)
    await check_processes(job, source, sink)

    async def work(messages: int) -> None:
        expect(await source.flood(sink, messages, job.batch), messages)

    return await timed(work, job)


async def ask(pool: Pool, job: Job) -> float:
    echo = await pool.create(Echo)
    await check_processes(job, echo)

    async def work(questions: int) -> None:
        for _ in range(questions):
            expect(await echo.echo(("question", 1)), ("question", 1))

    return await timed(work, job)


async def spawn(pool: Pool, job: Job) -> float:
    async def work(children: int) -> None:
        nursery = await pool.create(Nursery)
        expect(await nursery.raise_children(children), "done")

    return await timed(work, job)


WORKLOADS = {"ping-pong": ping_pong, "flood": flood, "ask": ask, "spawn": spawn}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    begun = clock()
    processes = 0 if job.base == "local" else 2
    pool = await xo.create_actor_pool(address=f"127.0.0.1:{free_port()}", n_process=processes)
    seconds = clock() - begun
    async with pool:
        if job.workload != "start":
            seconds = await WORKLOADS[job.workload](Pool(pool, job.base), job)
    emit(job, seconds, version=version("xoscar"), python=sys.version.split()[0])


if __name__ == "__main__":
    asyncio.run(main())
