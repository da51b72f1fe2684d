"""The workloads in Garrick, by its public API alone.

BASE is `local` (the actors inside this process) or `multiprocess` (two workers; the two actors in different ones).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from measured import Job, clock, emit, expect, job_from_arguments, timed

from garrick import Actor, ActorSystem, Address, __version__

TIMEOUT = 50


class Echo(Actor):
    """Answers every message with the same message."""

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.send(sender, message)
        elif message == "pid":
            self.send(sender, os.getpid())


class Pinger(Actor):
    """Plays ping-pong with a partner for a number of rounds, then tells whoever asked for it."""

    partner: Address[Any]
    origin: Address[Any]
    left: int

    def receive(self, message: Any, sender: Any) -> None:
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

    origin: Address[Any]
    seen: int
    expected: int
    batch: int

    def receive(self, message: Any, sender: Any) -> None:
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

    sink: Address[Any]
    origin: Address[Any]
    count: int
    batch: int
    sent: int

    def receive(self, message: Any, sender: Any) -> None:
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
    """Spawns children, sends each one message, and answers when each of them has replied."""

    origin: Address[Any]
    left: int

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.left -= 1
            if not self.left:
                self.send(self.origin, "done")
        elif isinstance(message, dict):
            self.left, self.origin = message["children"], sender
            for _ in range(self.left):
                self.send(self.spawn(Echo), ("hello", 1))


def pid_of(system: ActorSystem, actor: Address[Any]) -> int:
    """The process an actor lives in, by its own word."""
    return int(system.ask(actor, "pid", timeout=TIMEOUT))


def check_processes(system: ActorSystem, job: Job, *actors: Address[Any]) -> None:
    """Across processes the two actors must really be in two processes, neither of them this one."""
    pids = {pid_of(system, actor) for actor in actors}
    expect(len(pids | {os.getpid()}), len(actors) + 1 if job.base != "local" else 1)


def ping_pong(system: ActorSystem, job: Job) -> float:
    pinger, partner = system.spawn(Pinger), system.spawn(Echo)
    check_processes(system, job, pinger, partner)

    def work(messages: int) -> None:
        order = {"partner": partner, "rounds": messages // 2}
        expect(system.ask(pinger, order, timeout=TIMEOUT), "done")

    return timed(work, job)


def flood(system: ActorSystem, job: Job) -> float:
    source, sink = system.spawn(Source), system.spawn(Sink)
    check_processes(system, job, source, sink)

    def work(messages: int) -> None:
        order = {"sink": sink, "count": messages, "batch": job.batch}
        expect(system.ask(source, order, timeout=TIMEOUT), messages)

    return timed(work, job)


def flood_outside(system: ActorSystem, job: Job) -> float:
    sink = system.spawn(Sink)
    with system.inbox() as inbox:

        def work(messages: int) -> None:
            inbox.send(sink, {"expected": messages, "batch": messages})
            expect(inbox.receive(timeout=TIMEOUT), "more")
            for index in range(messages):
                inbox.send(sink, ("item", index))
            expect(inbox.receive(timeout=TIMEOUT), messages)

        return timed(work, job)


def ask(system: ActorSystem, job: Job) -> float:
    echo = system.spawn(Echo)
    check_processes(system, job, echo)

    def work(questions: int) -> None:
        for _ in range(questions):
            expect(system.ask(echo, ("question", 1), timeout=TIMEOUT), ("question", 1))

    return timed(work, job)


def spawn(system: ActorSystem, job: Job) -> float:
    def work(children: int) -> None:
        nursery = system.spawn(Nursery)
        expect(system.ask(nursery, {"children": children}, timeout=TIMEOUT), "done")

    return timed(work, job)


WORKLOADS = {"ping-pong": ping_pong, "flood": flood, "flood-outside": flood_outside, "ask": ask, "spawn": spawn}


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    begun = clock()
    system = ActorSystem(job.base) if job.base == "local" else ActorSystem(job.base, workers=2)
    seconds = clock() - begun
    with system:
        if job.workload != "start":
            seconds = WORKLOADS[job.workload](system, job)
    emit(job, seconds, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
