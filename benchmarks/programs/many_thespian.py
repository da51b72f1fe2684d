# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Many actors in Thespian: idle ones in the program's process (simpleSystemBase), or a process each (multiprocTCPBase)."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Any

from footprint import proportional, resident
from measured import Job, Measured, clock, emit, expect, job_from_arguments
from use_thespian import capabilities_of

from thespian.actors import Actor, ActorSystem

TIMEOUT = 50


class Idle(Actor):
    """Answers with its process, and does nothing meanwhile."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "which?":
            self.send(sender, os.getpid())


class Nursery(Actor):
    """Creates idle children; the last one's answer says that all are there."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.made = sender, message["children"]
            for _ in range(self.made):
                last = self.createActor(Idle)
            self.send(last, "which?")
        elif isinstance(message, int):
            self.send(self.origin, self.made)


class Founder(Actor):
    """Creates children, asks each for its process, and tells all when the last has answered."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.left, self.pids = sender, message["children"], set()
            for _ in range(self.left):
                self.send(self.createActor(Idle), "which?")
        elif isinstance(message, int):
            self.left -= 1
            self.pids.add(message)
            if not self.left:
                self.send(self.origin, self.pids)


def idle(system: Any, job: Job) -> Measured:
    nursery = system.createActor(Nursery)
    before, begun = resident(), clock()
    expect(system.ask(nursery, {"children": job.operations}, TIMEOUT), job.operations)
    seconds = clock() - begun
    return Measured(seconds, {"memory": (resident() - before) / job.operations})


def processes(system: Any, job: Job) -> Measured:
    founder = system.createActor(Founder)
    begun = clock()
    pids = system.ask(founder, {"children": job.operations}, TIMEOUT)
    seconds = clock() - begun
    expect(len(pids), job.operations)
    return Measured(seconds, {"memory": sum(map(proportional, pids)) / len(pids)})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    system = ActorSystem(job.base, capabilities_of(job))
    try:
        found = {"idle": idle, "processes": processes}[job.workload](system, job)
    finally:
        system.shutdown()
    emit(job, found.seconds, figures=found.figures, version=version("thespian"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
