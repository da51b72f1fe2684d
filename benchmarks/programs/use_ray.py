# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""The workloads in Ray, by its documented API alone (`ray.init`, `@ray.remote`, a method's `.remote()`, `ray.get`).

BASE is `processes`: every actor is a process, and this program is one more. A call gives a reference to its result, which
`ray.get` waits for; a message carries no sender. The dashboard is off, as no peer has one running here.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import ray
from measured import Job, clock, emit, expect, job_from_arguments, timed

TIMEOUT = 50


@ray.remote
class Echo:
    """Answers every call with its own argument."""

    def echo(self, message: Any) -> Any:
        return message

    def pid(self) -> int:
        return os.getpid()


@ray.remote
class Pinger:
    """Plays ping-pong with a partner for a number of rounds."""

    def play(self, partner: Any, rounds: int) -> str:
        message = ("ping", 1)
        for _ in range(rounds):
            message = ray.get(partner.echo.remote(message))
        return "done"

    def pid(self) -> int:
        return os.getpid()


@ray.remote
class Sink:
    """Counts what it is sent, and says how many it has seen when it is asked."""

    def __init__(self) -> None:
        self.seen = 0

    def item(self, message: Any) -> None:
        if isinstance(message, tuple):
            self.seen += 1

    def count(self) -> int:
        return self.seen

    def pid(self) -> int:
        return os.getpid()


@ray.remote
class Source:
    """Sends a number of small tuples to a sink; after each batch it asks how many have arrived."""

    def flood(self, sink: Any, count: int, batch: int) -> int:
        before = seen = ray.get(sink.count.remote())
        for start in range(0, count, batch):
            for index in range(start, min(start + batch, count)):
                sink.item.remote(("item", index))
            seen = ray.get(sink.count.remote())
        return seen - before

    def pid(self) -> int:
        return os.getpid()


@ray.remote
class Nursery:
    """Creates children, calls each once, and returns when each of them has answered."""

    def raise_children(self, children: int) -> str:
        self.alive = [Echo.remote() for _ in range(children)]
        expect(ray.get([child.echo.remote(("hello", 1)) for child in self.alive]), [("hello", 1)] * children)
        return "done"


def result(reference: Any) -> Any:
    return ray.get(reference, timeout=TIMEOUT)


def check_processes(*actors: Any) -> None:
    """The two actors must really be in two processes, neither of them this one."""
    pids = {result(actor.pid.remote()) for actor in actors}
    expect(len(pids | {os.getpid()}), len(actors) + 1)


def ping_pong(job: Job) -> float:
    pinger, partner = Pinger.remote(), Echo.remote()
    check_processes(pinger, partner)

    def work(messages: int) -> None:
        expect(result(pinger.play.remote(partner, messages // 2)), "done")

    return timed(work, job)


def flood(job: Job) -> float:
    source, sink = Source.remote(), Sink.remote()
    check_processes(source, sink)

    def work(messages: int) -> None:
        expect(result(source.flood.remote(sink, messages, job.batch)), messages)

    return timed(work, job)


def ask(job: Job) -> float:
    echo = Echo.remote()
    check_processes(echo)

    def work(questions: int) -> None:
        for _ in range(questions):
            expect(result(echo.echo.remote(("question", 1))), ("question", 1))

    return timed(work, job)


def spawn(job: Job) -> float:
    nursery = Nursery.remote()

    def work(children: int) -> None:
        expect(result(nursery.raise_children.remote(children)), "done")

    return timed(work, job)


WORKLOADS = {"ping-pong": ping_pong, "flood": flood, "ask": ask, "spawn": spawn}


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    begun = clock()
    ray.init(include_dashboard=False)
    seconds = clock() - begun
    try:
        if job.workload != "start":
            seconds = WORKLOADS[job.workload](job)
    finally:
        ray.shutdown()
    emit(job, seconds, version=ray.__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
