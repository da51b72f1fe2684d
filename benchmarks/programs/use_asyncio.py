"""The workloads with asyncio alone: a task and an `asyncio.Queue` for each actor, all in one event loop.

There are no actors: a message is put into a queue with `put_nowait`, as it is unbounded, and carries its sender's queue
where somebody wants an answer; an answer to a question is the result of a future. Whatever a task raises is lost.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from measured import Job, clock, emit, expect, job_from_arguments

TIMEOUT = 50

Queue = asyncio.Queue[Any]
Work = Callable[[int], Awaitable[None]]


class Tasks:
    """Tasks that are kept alive, each with a queue of its own."""

    def __init__(self) -> None:
        self.running: list[asyncio.Task[None]] = []

    def start(self, behaviour: Callable[[Queue], Awaitable[None]]) -> Queue:
        queue: Queue = asyncio.Queue()
        self.running.append(asyncio.ensure_future(behaviour(queue)))  # type: ignore[arg-type]
        return queue

    async def stop(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)


async def echo(inbox: Queue) -> None:
    """Answers every message with the same message: into the sender's queue, or as the result of a future."""
    while True:
        message, sender = await inbox.get()
        if isinstance(sender, asyncio.Future):
            sender.set_result(message)
        else:
            sender.put_nowait((message, inbox))


async def pinger(inbox: Queue) -> None:
    """Plays ping-pong with a partner for a number of rounds, then tells whoever asked for it."""
    while True:
        order, done = await inbox.get()
        partner, left = order["partner"], order["rounds"]
        partner.put_nowait((("ping", 1), inbox))
        while left:
            message, _ = await inbox.get()
            if isinstance(message, tuple):
                left -= 1
                if left:
                    partner.put_nowait((message, inbox))
        done.set_result("done")


async def sink(inbox: Queue) -> None:
    """Counts what it handles; tells the sender after each batch, and at the end how many it has seen."""
    while True:
        order, origin = await inbox.get()
        seen, expected, batch = 0, order["expected"], order["batch"]
        origin.put_nowait(("more", inbox))
        while seen < expected:
            message, _ = await inbox.get()
            if isinstance(message, tuple):
                seen += 1
                if seen == expected:
                    origin.put_nowait((seen, inbox))
                elif seen % batch == 0:
                    origin.put_nowait(("more", inbox))


async def source(inbox: Queue) -> None:
    """Sends a number of small tuples to a sink, a batch whenever the sink asks for more."""
    while True:
        order, done = await inbox.get()
        target, count, batch, sent = order["sink"], order["count"], order["batch"], 0
        target.put_nowait(({"expected": count, "batch": batch}, inbox))
        while True:
            message, _ = await inbox.get()
            if isinstance(message, int):
                done.set_result(message)
                break
            upto = min(sent + batch, count)
            for index in range(sent, upto):
                target.put_nowait((("item", index), None))
            sent = upto


async def ask(queue: Queue, message: Any) -> Any:
    future = asyncio.get_running_loop().create_future()
    queue.put_nowait((message, future))
    return await asyncio.wait_for(future, TIMEOUT)


def ping_pong(tasks: Tasks, _: Job) -> Work:
    first, partner = tasks.start(pinger), tasks.start(echo)

    async def work(messages: int) -> None:
        expect(await ask(first, {"partner": partner, "rounds": messages // 2}), "done")

    return work


def flood(tasks: Tasks, job: Job) -> Work:
    origin, target = tasks.start(source), tasks.start(sink)

    async def work(messages: int) -> None:
        expect(await ask(origin, {"sink": target, "count": messages, "batch": job.batch}), messages)

    return work


def flood_outside(tasks: Tasks, _: Job) -> Work:
    target = tasks.start(sink)

    async def work(messages: int) -> None:
        inbox: Queue = asyncio.Queue()
        target.put_nowait(({"expected": messages, "batch": messages}, inbox))
        expect((await inbox.get())[0], "more")
        for index in range(messages):
            target.put_nowait((("item", index), None))
        expect((await inbox.get())[0], messages)

    return work


def questions(tasks: Tasks, _: Job) -> Work:
    target = tasks.start(echo)

    async def work(count: int) -> None:
        for _ in range(count):
            expect(await ask(target, ("question", 1)), ("question", 1))

    return work


def spawn(tasks: Tasks, _: Job) -> Work:
    async def work(children: int) -> None:
        inbox: Queue = asyncio.Queue()
        for _ in range(children):
            tasks.start(echo).put_nowait((("hello", 1), inbox))
        for _ in range(children):
            expect((await inbox.get())[0], ("hello", 1))

    return work


WORKLOADS = {"ping-pong": ping_pong, "flood": flood, "flood-outside": flood_outside, "ask": questions, "spawn": spawn}


async def measure(job: Job) -> float:
    tasks = Tasks()
    try:
        work = WORKLOADS[job.workload](tasks, job)
        if job.warm_up:
            await work(job.warm_up)
        begun = clock()
        await work(job.operations)
        return clock() - begun
    finally:
        await tasks.stop()


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    seconds = asyncio.run(measure(job))
    emit(job, seconds, version=sys.version.split()[0], python=sys.version.split()[0])


if __name__ == "__main__":
    main()
