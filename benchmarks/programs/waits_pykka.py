# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Handlers that block, in Pykka: every actor has a thread of its own, so they block nobody else.

The batch is for how many milliseconds each sleeps.
"""

from __future__ import annotations

import queue
import sys
import time
from importlib.metadata import version
from typing import Any

import pykka
from measured import Job, Measured, Pings, clock, emit, expect, job_from_arguments

TIMEOUT = 50


class Echo(pykka.ThreadingActor):
    """Answers with the question."""

    def on_receive(self, message: Any) -> Any:
        return message


class Sleeper(pykka.ThreadingActor):
    """Sleeps for so many seconds, then tells."""

    def on_receive(self, message: Any) -> None:
        seconds, awake = message
        time.sleep(seconds)
        awake.put("awake")


def sleep(job: Job) -> Measured:
    echo = Echo.start()
    sleepers = [Sleeper.start() for _ in range(job.operations)]
    awake: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ping(number: int) -> None:
        expect(echo.ask(number, timeout=TIMEOUT), number)

    with Pings(ping) as pings:
        begun = clock()
        for sleeper in sleepers:
            sleeper.tell((job.batch / 1000, awake))
        for _ in sleepers:
            expect(awake.get(timeout=TIMEOUT), "awake")
        ended = clock()
    return Measured(ended - begun, {"done": ended - begun, **pings.between(begun, ended)})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    try:
        found = {"one class": sleep}[job.workload](job)
    finally:
        pykka.ActorRegistry.stop_all()
    emit(job, found.seconds, figures=found.figures, version=version("pykka"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
