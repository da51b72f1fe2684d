"""Many idle tasks in plain asyncio, each with a queue of its own."""

from __future__ import annotations

import asyncio
import sys

from footprint import resident
from measured import Job, Measured, clock, emit, expect, job_from_arguments

Mailbox = asyncio.Queue["asyncio.Future[str]"]


async def wait(mailbox: Mailbox) -> None:
    while True:
        (await mailbox.get()).set_result("there")


async def idle(job: Job) -> Measured:
    before, begun = resident(), clock()
    last: Mailbox = asyncio.Queue()
    tasks = [asyncio.create_task(wait(asyncio.Queue())) for _ in range(job.operations - 1)]
    tasks.append(asyncio.create_task(wait(last)))
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    last.put_nowait(answer)
    expect(await answer, "there")
    seconds = clock() - begun
    each = (resident() - before) / job.operations
    expect(sum(not task.done() for task in tasks), job.operations)
    for task in tasks:
        task.cancel()
    return Measured(seconds, {"memory": each})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    found = asyncio.run({"idle": idle}[job.workload](job))
    python = sys.version.split()[0]
    emit(job, found.seconds, figures=found.figures, version=python, python=python)


if __name__ == "__main__":
    main()
