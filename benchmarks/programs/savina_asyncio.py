"""Six workloads of the Savina suite in plain asyncio: what an actor does there, a task with a queue of its own does here.

The parameters are those of `savina_garrick.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Self

from measured import Job, Measured, clock, emit, expect, job_from_arguments
from savina import WRITES_OF_100, Draw, arithmetic

Mailbox = asyncio.Queue[Any]


async def ring_member(mailbox: Mailbox, following: Mailbox, done: asyncio.Future[int]) -> None:
    while True:
        hops = await mailbox.get()
        if hops == 0:
            done.set_result(hops)
        else:
            following.put_nowait(hops - 1)


async def thread_ring(hops: int, members: int) -> None:
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    boxes: list[Mailbox] = [asyncio.Queue() for _ in range(members)]
    async with Tasks() as tasks:
        for index in range(members):
            tasks.start(ring_member(boxes[index], boxes[(index + 1) % members], done))
        boxes[0].put_nowait(hops)
        expect(await done, 0)


async def counter(mailbox: Mailbox) -> None:
    count = 0
    while True:
        message = await mailbox.get()
        if type(message) is tuple:
            count += 1
        else:
            message.set_result(count)


async def counting(messages: int, _: int) -> None:
    mailbox: Mailbox = asyncio.Queue()
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with Tasks() as tasks:
        tasks.start(counter(mailbox))
        for index in range(messages):
            mailbox.put_nowait(("increment", index))
        mailbox.put_nowait(answer)
        expect(await answer, messages)


async def forked(mailbox: Mailbox) -> None:
    arithmetic(await mailbox.get())


async def fork_join_create(actors: int, _: int) -> None:
    tasks = []
    for index in range(actors):
        mailbox: Mailbox = asyncio.Queue()
        tasks.append(asyncio.create_task(forked(mailbox)))
        mailbox.put_nowait(index)
    await asyncio.gather(*tasks)
    expect(sum(task.done() for task in tasks), actors)


async def throughput_member(mailbox: Mailbox, messages: int) -> int:
    for _ in range(messages):
        arithmetic(await mailbox.get())
    return messages


async def fork_join_throughput(messages: int, actors: int) -> None:
    each = messages // actors
    boxes: list[Mailbox] = [asyncio.Queue() for _ in range(actors)]
    tasks = [asyncio.create_task(throughput_member(mailbox, each)) for mailbox in boxes]
    for index in range(each):
        for mailbox in boxes:
            mailbox.put_nowait(index)
    expect(sum(await asyncio.gather(*tasks)), each * actors)


async def big_member(number: int, boxes: list[Mailbox], pings: int, finished: Mailbox) -> None:
    mailbox, draw, left = boxes[number], Draw(number), pings
    boxes[draw.below(len(boxes))].put_nowait(("ping", number))
    while True:
        kind, sender = await mailbox.get()
        if kind == "ping":
            boxes[sender].put_nowait(("pong", number))
        else:
            left -= 1
            if left:
                boxes[draw.below(len(boxes))].put_nowait(("ping", number))
            else:
                finished.put_nowait(pings)


async def big(pings: int, actors: int) -> None:
    each = pings // actors
    boxes: list[Mailbox] = [asyncio.Queue() for _ in range(actors)]
    finished: Mailbox = asyncio.Queue()
    async with Tasks() as tasks:
        for number in range(actors):
            tasks.start(big_member(number, boxes, each, finished))
        expect(sum([await finished.get() for _ in range(actors)]), each * actors)


async def dictionary(mailbox: Mailbox) -> None:
    values: dict[int, int] = {}
    while True:
        kind, key, given, reply_to = await mailbox.get()
        if kind == "write":
            values[key] = given
            reply_to.put_nowait(given)
        else:
            reply_to.put_nowait(values.get(key, 0))


async def dictionary_worker(number: int, store: Mailbox, requests: int) -> int:
    mailbox: Mailbox = asyncio.Queue()
    draw, right = Draw(number), 0
    for index in range(requests):
        key = draw.below(1000)
        write = draw.below(100) < WRITES_OF_100
        store.put_nowait(("write", key, index, mailbox) if write else ("read", key, None, mailbox))
        answer = await mailbox.get()
        right += answer == index if write else answer >= 0
    return right


async def concurrent_dictionary(requests: int, actors: int) -> None:
    each = requests // actors
    store: Mailbox = asyncio.Queue()
    async with Tasks() as tasks:
        tasks.start(dictionary(store))
        right = await asyncio.gather(*(dictionary_worker(number, store, each) for number in range(actors)))
        expect(sum(right), each * actors)


class Tasks:
    """Tasks that run for ever, until the work is done."""

    async def __aenter__(self) -> Self:
        self.tasks: list[asyncio.Task[None]] = []
        return self

    def start(self, work: Any) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


WORKLOADS: dict[str, Callable[[int, int], Awaitable[None]]] = {
    "thread ring": thread_ring,
    "counting": counting,
    "fork-join create": fork_join_create,
    "fork-join throughput": fork_join_throughput,
    "big": big,
    "concurrent dictionary": concurrent_dictionary,
}


async def run(job: Job) -> Measured:
    work = WORKLOADS[job.workload]
    if job.warm_up:
        await work(job.warm_up, job.batch)
    begun = clock()
    await work(job.operations, job.batch)
    return Measured(clock() - begun)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    found = asyncio.run(run(job))
    python = sys.version.split()[0]
    emit(job, found.seconds, version=python, python=python)


if __name__ == "__main__":
    main()
