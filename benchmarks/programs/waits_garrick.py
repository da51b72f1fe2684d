"""Handlers that block, in Garrick: so many sleep at the same time, while the program goes on asking another actor.

The batch is for how many milliseconds each sleeps.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from measured import Job, Measured, Pings, clock, emit, expect, job_from_arguments

from garrick import Actor, ActorSystem, __version__

TIMEOUT = 50
CLASSES = 50


class Echo(Actor):
    """Answers with the question."""

    def receive(self, message: Any, sender: Any) -> None:
        self.send(sender, message)


class Sleeper(Actor):
    """Sleeps for so many seconds, then tells."""

    def receive(self, message: float, sender: Any) -> None:
        time.sleep(message)
        self.send(sender, "awake")


SLEEPERS = [type(f"Sleeper{number}", (Sleeper,), {"__module__": __name__}) for number in range(CLASSES)]
globals().update({sleeper.__name__: sleeper for sleeper in SLEEPERS})  # a worker finds classes by their names


def sleep(system: ActorSystem, job: Job, classes: list[type[Actor]]) -> Measured:
    echo = system.spawn(Echo)
    sleepers = [system.spawn(classes[index % len(classes)]) for index in range(job.operations)]

    def ping(number: int) -> None:
        expect(system.ask(echo, number, timeout=TIMEOUT), number)

    with system.inbox() as inbox, Pings(ping) as pings:
        begun = clock()
        for sleeper in sleepers:
            inbox.send(sleeper, job.batch / 1000)
        for _ in sleepers:
            expect(inbox.receive(timeout=TIMEOUT), "awake")
        ended = clock()
    return Measured(ended - begun, {"done": ended - begun, **pings.between(begun, ended)})


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    with ActorSystem(job.base) if job.base == "local" else ActorSystem(job.base, workers=1) as system:
        found = sleep(system, job, {"one class": [Sleeper], "many classes": list(SLEEPERS)}[job.workload])
    expect(threading.active_count(), 1)
    emit(job, found.seconds, figures=found.figures, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
