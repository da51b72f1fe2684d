# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Handlers that block, in Thespian's multiprocTCPBase: every actor has a process of its own, so they block nobody else.

The batch is for how many milliseconds each sleeps. A program can wait for one thing at a time, so there is no ping beside.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from typing import Any

from measured import Job, Measured, clock, emit, expect, job_from_arguments
from use_thespian import capabilities_of

from thespian.actors import Actor, ActorSystem

TIMEOUT = 50


class Sleeper(Actor):
    """Sleeps for so many seconds, then tells."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, float):
            time.sleep(message)
            self.send(sender, "awake")


def sleep(system: Any, job: Job) -> Measured:
    sleepers = [system.createActor(Sleeper) for _ in range(job.operations)]
    for sleeper in sleepers:  # each has started before the clock does
        expect(system.ask(sleeper, 0.0, TIMEOUT), "awake")
    begun = clock()
    for sleeper in sleepers:
        system.tell(sleeper, job.batch / 1000)
    for _ in sleepers:
        expect(system.listen(TIMEOUT), "awake")
    seconds = clock() - begun
    return Measured(seconds, {"done": seconds})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    system = ActorSystem(job.base, capabilities_of(job))
    try:
        found = {"one class": sleep}[job.workload](system, job)
    finally:
        system.shutdown()
    emit(job, found.seconds, figures=found.figures, version=version("thespian"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
