# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""The workloads in Pykka, by its documented API alone (`ThreadingActor`, `start`, `tell`, `ask`, `stop_all`).

Every actor is a thread. A message carries no sender, so an actor that has to answer is given the other's reference first.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from threading import Event
from typing import Any

import pykka
from measured import Job, emit, expect, job_from_arguments, timed

TIMEOUT = 50


class Echo(pykka.ThreadingActor):
    """Answers every message with the same message: a `tell` to its partner, an `ask` with what it returns."""

    def __init__(self, partner: Any = None) -> None:
        super().__init__()
        self.partner = partner

    def on_receive(self, message: Any) -> Any:
        if self.partner is None:
            return message
        self.partner.tell(message)
        return None


class Pinger(pykka.ThreadingActor):
    """Plays ping-pong with a partner for a number of rounds, then sets the event it was given."""

    def on_receive(self, message: Any) -> None:
        if isinstance(message, tuple):
            self.left -= 1
            if self.left:
                self.partner.tell(message)
            else:
                self.done.set()
        elif isinstance(message, dict):
            self.partner, self.left, self.done = message["partner"], message["rounds"], message["done"]
            self.partner.tell(("ping", 1))


class Sink(pykka.ThreadingActor):
    """Counts what it handles; tells the sender after each batch, and sets the event at the end."""

    def on_receive(self, message: Any) -> None:
        if isinstance(message, tuple):
            self.seen += 1
            if self.seen == self.expected:
                self.done.set()
            elif self.seen % self.batch == 0:
                self.source.tell("more")
        elif isinstance(message, dict):
            self.seen, self.expected, self.batch = 0, message["expected"], message["batch"]
            self.source, self.done = message["source"], message["done"]


class Source(pykka.ThreadingActor):
    """Sends a number of small tuples to a sink, a batch whenever the sink asks for more."""

    def on_receive(self, message: Any) -> None:
        if isinstance(message, dict):
            self.sink, self.count, self.batch, self.sent = message["sink"], message["count"], message["batch"], 0
        upto = min(self.sent + self.batch, self.count)
        for index in range(self.sent, upto):
            self.sink.tell(("item", index))
        self.sent = upto


class Nursery(pykka.ThreadingActor):
    """Creates children, sends each one message, and sets the event when each of them has replied."""

    def on_receive(self, message: Any) -> None:
        if isinstance(message, tuple):
            self.left -= 1
            if not self.left:
                self.done.set()
        elif isinstance(message, dict):
            self.left, self.done = message["children"], message["done"]
            for _ in range(self.left):
                Echo.start(self.actor_ref).tell(("hello", 1))


def wait(event: Event) -> None:
    expect(event.wait(TIMEOUT), True)


def ping_pong(job: Job) -> float:
    pinger = Pinger.start()
    partner = Echo.start(pinger)

    def work(messages: int) -> None:
        done = Event()
        pinger.tell({"partner": partner, "rounds": messages // 2, "done": done})
        wait(done)

    return timed(work, job)


def flood(job: Job) -> float:
    source, sink = Source.start(), Sink.start()

    def work(messages: int) -> None:
        done = Event()
        sink.tell({"expected": messages, "batch": job.batch, "source": source, "done": done})
        source.tell({"sink": sink, "count": messages, "batch": job.batch})
        wait(done)

    return timed(work, job)


def flood_outside(job: Job) -> float:
    sink = Sink.start()

    def work(messages: int) -> None:
        done = Event()
        sink.tell({"expected": messages, "batch": messages, "source": None, "done": done})
        for index in range(messages):
            sink.tell(("item", index))
        wait(done)

    return timed(work, job)


def ask(job: Job) -> float:
    echo = Echo.start()

    def work(questions: int) -> None:
        for _ in range(questions):
            expect(echo.ask(("question", 1), timeout=TIMEOUT), ("question", 1))

    return timed(work, job)


def spawn(job: Job) -> float:
    def work(children: int) -> None:
        done = Event()
        Nursery.start().tell({"children": children, "done": done})
        wait(done)

    return timed(work, job)


WORKLOADS = {"ping-pong": ping_pong, "flood": flood, "flood-outside": flood_outside, "ask": ask, "spawn": spawn}


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    try:
        seconds = WORKLOADS[job.workload](job)
    finally:
        pykka.ActorRegistry.stop_all()
    emit(job, seconds, version=version("pykka"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
