# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""The workloads in Thespian, by its documented API alone (`createActor`, `tell`, `ask`, `send`, `shutdown`).

BASE is `simpleSystemBase` (everything in the calling thread), `multiprocTCPBase`, `multiprocQueueBase` or
`multiprocUDPBase` (a process for every actor).
An actor gets no constructor arguments there, so a first message tells it what it has to know.
"""

from __future__ import annotations

import os
import socket
import sys
from importlib.metadata import version
from typing import Any

from measured import Job, clock, emit, expect, job_from_arguments, timed

from thespian.actors import Actor, ActorSystem

TIMEOUT = 50
NETWORKED = {"multiprocTCPBase": socket.SOCK_STREAM, "multiprocUDPBase": socket.SOCK_DGRAM}


class Echo(Actor):
    """Answers every message with the same message."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.send(sender, message)
        elif message == "pid":
            self.send(sender, os.getpid())


class Pinger(Actor):
    """Plays ping-pong with a partner for a number of rounds, then tells whoever asked for it."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.left -= 1
            if self.left:
                self.send(self.partner, message)
            else:
                self.send(self.origin, "done")
        elif isinstance(message, dict):
            self.partner, self.left, self.origin = message["partner"], message["rounds"], sender
            self.send(self.partner, ("ping", 1))
        elif message == "pid":
            self.send(sender, os.getpid())


class Sink(Actor):
    """Counts what it handles; tells the sender after each batch, and at the end how many it has seen."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.seen += 1
            if self.seen == self.expected:
                self.send(self.origin, self.seen)
            elif self.seen % self.batch == 0:
                self.send(self.origin, "more")
        elif isinstance(message, dict):
            self.seen, self.expected, self.batch, self.origin = 0, message["expected"], message["batch"], sender
            self.send(sender, "more")
        elif message == "pid":
            self.send(sender, os.getpid())


class Source(Actor):
    """Sends a number of small tuples to a sink, a batch whenever the sink asks for more."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.sink, self.count, self.batch, self.origin = message["sink"], message["count"], message["batch"], sender
            self.sent = 0
            self.send(self.sink, {"expected": self.count, "batch": self.batch})
        elif message == "more":
            upto = min(self.sent + self.batch, self.count)
            for index in range(self.sent, upto):
                self.send(self.sink, ("item", index))
            self.sent = upto
        elif isinstance(message, int):
            self.send(self.origin, message)
        elif message == "pid":
            self.send(sender, os.getpid())


class Nursery(Actor):
    """Creates children, sends each one message, and answers when each of them has replied."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.left -= 1
            if not self.left:
                self.send(self.origin, "done")
        elif isinstance(message, dict):
            self.left, self.origin = message["children"], sender
            for _ in range(self.left):
                self.send(self.createActor(Echo), ("hello", 1))


def pid_of(system: Any, actor: Any) -> int:
    """The process an actor lives in, by its own word."""
    return int(system.ask(actor, "pid", TIMEOUT))


def check_processes(system: Any, job: Job, *actors: Any) -> None:
    """Across processes the two actors must really be in two processes, neither of them this one."""
    pids = {pid_of(system, actor) for actor in actors}
    expect(len(pids | {os.getpid()}), len(actors) + 1 if job.base != "simpleSystemBase" else 1)


def ping_pong(system: Any, job: Job) -> float:
    pinger, partner = system.createActor(Pinger), system.createActor(Echo)
    check_processes(system, job, pinger, partner)

    def work(messages: int) -> None:
        expect(system.ask(pinger, {"partner": partner, "rounds": messages // 2}, TIMEOUT), "done")

    return timed(work, job)


def flood(system: Any, job: Job) -> float:
    source, sink = system.createActor(Source), system.createActor(Sink)
    check_processes(system, job, source, sink)

    def work(messages: int) -> None:
        order = {"sink": sink, "count": messages, "batch": job.batch}
        expect(system.ask(source, order, TIMEOUT), messages)

    return timed(work, job)


def flood_outside(system: Any, job: Job) -> float:
    sink = system.createActor(Sink)

    def work(messages: int) -> None:
        expect(system.ask(sink, {"expected": messages, "batch": messages}, TIMEOUT), "more")
        for index in range(messages):
            system.tell(sink, ("item", index))
        expect(system.listen(TIMEOUT), messages)

    return timed(work, job)


def ask(system: Any, job: Job) -> float:
    echo = system.createActor(Echo)
    check_processes(system, job, echo)

    def work(questions: int) -> None:
        for _ in range(questions):
            expect(system.ask(echo, ("question", 1), TIMEOUT), ("question", 1))

    return timed(work, job)


def spawn(system: Any, job: Job) -> float:
    def work(children: int) -> None:
        nursery = system.createActor(Nursery)
        expect(system.ask(nursery, {"children": children}, TIMEOUT), "done")

    return timed(work, job)


def free_port(base: str) -> int:
    with socket.socket(type=NETWORKED[base]) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def capabilities_of(job: Job) -> dict[str, Any]:
    """What a system of the base is started with: a port of its own, where it needs one."""
    return {"Admin Port": free_port(job.base)} if job.base in NETWORKED else {}


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    capabilities = capabilities_of(job)
    begun = clock()
    system = ActorSystem(job.base, capabilities)
    ready = clock() - begun
    seconds = ready
    try:
        if job.workload != "start":
            workloads = {
                "ping-pong": ping_pong, "flood": flood, "flood-outside": flood_outside, "ask": ask, "spawn": spawn,
            }  # fmt: skip
            seconds = workloads[job.workload](system, job)
    finally:
        system.shutdown()
    emit(job, seconds, version=version("thespian"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
