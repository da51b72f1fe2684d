"""Many actors in Garrick: idle ones in one process (BASE `local`), and such that have a process each (`multiprocess`)."""

from __future__ import annotations

import os
import sys
from typing import Any

from footprint import proportional, resident
from measured import Job, Measured, clock, emit, expect, job_from_arguments

from garrick import Actor, ActorSystem, Address, __version__

TIMEOUT = 100


class Idle(Actor):
    """Answers with the question, and does nothing meanwhile."""

    def receive(self, message: Any, sender: Any) -> None:
        self.send(sender, message)


class Nursery(Actor):
    """Creates idle children; the last one's answer says that all are there."""

    origin: Address[Any]

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, int):
            self.origin = sender
            for _ in range(message):
                last = self.spawn(Idle)
            self.send(last, "there")
        else:
            self.send(self.origin, len(self.children))


def idle(system: ActorSystem, job: Job) -> Measured:
    """What they cost, and that any of them answers."""
    nursery = system.spawn(Nursery)
    one = system.spawn(Idle)
    expect(system.ask(one, "ready", timeout=TIMEOUT), "ready")
    before, begun = resident(), clock()
    expect(system.ask(nursery, job.operations, timeout=TIMEOUT), job.operations)
    seconds = clock() - begun
    each = (resident() - before) / job.operations
    expect(system.ask(one, "still there", timeout=TIMEOUT), "still there")
    return Measured(seconds, {"memory": each})


class Lone(Actor):
    """Has a process of its own and says which."""

    def receive(self, message: Any, sender: Any) -> None:
        self.send(sender, os.getpid())


class Founder(Actor):
    """Creates children with processes of their own, asks each for it, and tells all when the last has answered."""

    origin: Address[Any]
    left: int
    pids: set[int]

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.left, self.pids = sender, message["children"], set()
            for _ in range(self.left):
                self.send(self.spawn(Lone, isolation="process"), "which?")
        else:
            self.left -= 1
            self.pids.add(message)
            if not self.left:
                self.send(self.origin, self.pids)


def processes(system: ActorSystem, job: Job) -> Measured:
    """All of them are alive at once."""
    expect(len(system.ask(system.spawn(Founder), {"children": max(job.warm_up, 1)}, timeout=TIMEOUT)) > 0, True)
    founder = system.spawn(Founder)
    begun = clock()
    pids = system.ask(founder, {"children": job.operations}, timeout=TIMEOUT)
    seconds = clock() - begun
    expect(len(pids), job.operations)
    expect(os.getpid() in pids, False)
    return Measured(seconds, {"memory": sum(map(proportional, pids)) / len(pids)})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    with ActorSystem(job.base) if job.base == "local" else ActorSystem(job.base, workers=1) as system:
        found = {"idle": idle, "processes": processes}[job.workload](system, job)
    emit(job, found.seconds, figures=found.figures, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
