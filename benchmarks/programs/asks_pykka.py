# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Questions in Pykka: `ask` returns a future, whose `get` blocks the asking actor's thread, or the program's.

There is nothing asynchronous in it, so the row of awaited questions holds the same blocking ones.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import pykka
from measured import Job, Measured, clock, emit, expect, job_from_arguments, latencies, timed

TIMEOUT = 50


class Echo(pykka.ThreadingActor):
    """Answers with the question."""

    def on_receive(self, message: Any) -> Any:
        return message


class Asker(pykka.ThreadingActor):
    """Asks a number of questions, one by one, and answers how many were answered rightly."""

    def on_receive(self, message: Any) -> int:
        target, count = message
        right = 0
        for index in range(count):
            right += target.ask(("question", index), timeout=TIMEOUT) == ("question", index)
        return right


def inside(job: Job) -> Measured:
    asker, echo = Asker.start(), Echo.start()

    def work(questions: int) -> None:
        expect(asker.ask((echo, questions), timeout=TIMEOUT), questions)

    return Measured(timed(work, job))


def outside(job: Job) -> Measured:
    echo = Echo.start()
    samples: list[float] = []

    def work(questions: int) -> None:
        samples.clear()
        for index in range(questions):
            begun = clock()
            answer = echo.ask(("question", index), timeout=TIMEOUT)
            samples.append(clock() - begun)
            expect(answer, ("question", index))

    return Measured(timed(work, job), latencies(samples))


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    try:
        found = {"sync": inside, "async": inside, "latency": outside}[job.workload](job)
    finally:
        pykka.ActorRegistry.stop_all()
    emit(job, found.seconds, figures=found.figures, version=version("pykka"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
