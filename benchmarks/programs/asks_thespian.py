# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Questions in Thespian: only a program can ask and wait; actors send and receive."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

from measured import Job, Measured, clock, emit, expect, job_from_arguments, latencies, timed
from use_thespian import capabilities_of

from thespian.actors import Actor, ActorSystem

TIMEOUT = 50


class Echo(Actor):
    """Answers with the question."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.send(sender, message)


def outside(system: Any, job: Job) -> Measured:
    echo = system.createActor(Echo)
    samples: list[float] = []

    def work(questions: int) -> None:
        samples.clear()
        for index in range(questions):
            begun = clock()
            answer = system.ask(echo, ("question", index), TIMEOUT)
            samples.append(clock() - begun)
            expect(answer, ("question", index))

    return Measured(timed(work, job), latencies(samples))


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    system = ActorSystem(job.base, capabilities_of(job))
    try:
        found = {"latency": outside}[job.workload](system, job)
    finally:
        system.shutdown()
    emit(job, found.seconds, figures=found.figures, version=version("thespian"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
