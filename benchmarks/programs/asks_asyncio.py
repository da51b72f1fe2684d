"""Questions in plain asyncio: a task takes them from its queue and sets the future that came along."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from measured import Job, Measured, clock, emit, expect, job_from_arguments

Question = tuple[Any, asyncio.Future[Any]]


async def echo(mailbox: asyncio.Queue[Question]) -> None:
    """Answer with the question, for ever."""
    while True:
        question, answer = await mailbox.get()
        answer.set_result(question)


async def ask(mailbox: asyncio.Queue[Question], questions: int) -> None:
    loop = asyncio.get_running_loop()
    right = 0
    for index in range(questions):
        answer: asyncio.Future[Any] = loop.create_future()
        mailbox.put_nowait((("question", index), answer))
        right += await answer == ("question", index)
    expect(right, questions)


async def awaited(job: Job) -> Measured:
    mailbox: asyncio.Queue[Question] = asyncio.Queue()
    task = asyncio.create_task(echo(mailbox))
    await ask(mailbox, job.warm_up)
    begun = clock()
    await ask(mailbox, job.operations)
    seconds = clock() - begun
    task.cancel()
    return Measured(seconds)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    found = asyncio.run({"async": awaited}[job.workload](job))
    python = sys.version.split()[0]
    emit(job, found.seconds, version=python, python=python)


if __name__ == "__main__":
    main()
