# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Many idle actors in Pykka: each is a thread."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import pykka
from footprint import resident
from measured import Job, Measured, clock, emit, expect, job_from_arguments

TIMEOUT = 50


class Idle(pykka.ThreadingActor):
    """Answers with the question, and does nothing meanwhile."""

    def on_receive(self, message: Any) -> Any:
        return message


class Nursery(pykka.ThreadingActor):
    """Creates idle actors; the last one's answer says that all are there."""

    def on_receive(self, message: Any) -> int:
        for _ in range(message):
            last = Idle.start()
        last.ask("there", timeout=TIMEOUT)
        return len(pykka.ActorRegistry.get_by_class(Idle))


def idle(job: Job) -> Measured:
    nursery = Nursery.start()
    before, begun = resident(), clock()
    expect(nursery.ask(job.operations, timeout=TIMEOUT), job.operations)
    seconds = clock() - begun
    return Measured(seconds, {"memory": (resident() - before) / job.operations})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    try:
        found = {"idle": idle}[job.workload](job)
    finally:
        pykka.ActorRegistry.stop_all()
    emit(job, found.seconds, figures=found.figures, version=version("pykka"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
