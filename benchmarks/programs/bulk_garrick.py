"""Many and large messages between two processes, in Garrick. BASE is `multiprocess`.

`dataclasses` and `64 KB` are floods, as that of tuples; `array` asks with one large array at a time, whose size in
MiB is the batch.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from items import MARKS, Array, array, item, weight
from measured import Job, Measured, emit, expect, job_from_arguments, timed

from garrick import Actor, ActorSystem, Address, __version__

TIMEOUT = 50


class Lodger(Actor):
    """Says in which process it lives."""

    def receive(self, message: Any, sender: Any) -> None:
        if message == "pid":
            self.send(sender, os.getpid())


class Sink(Lodger):
    """Weighs what it handles; tells the sender after each batch, and at the end how much it was in all."""

    origin: Address[Any]
    seen: int
    total: int
    expected: int
    batch: int

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, Array):
            self.send(sender, message.signature())
        elif isinstance(message, dict):
            self.seen, self.total, self.origin = 0, 0, sender
            self.expected, self.batch = message["expected"], message["batch"]
            self.send(sender, "more")
        elif isinstance(message, str):
            super().receive(message, sender)
        else:
            self.seen += 1
            self.total += weight(message)
            if self.seen == self.expected:
                self.send(self.origin, self.total)
            elif self.seen % self.batch == 0:
                self.send(self.origin, "more")


class Source(Lodger):
    """Sends a number of messages to a sink, a batch whenever the sink asks for more."""

    sink: Address[Any]
    origin: Address[Any]
    kind: str
    count: int
    batch: int
    sent: int

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.sink, self.count, self.batch, self.origin = message["sink"], message["count"], message["batch"], sender
            self.kind, self.sent = message["kind"], 0
            self.send(self.sink, {"expected": self.count, "batch": self.batch})
        elif message == "more":
            upto = min(self.sent + self.batch, self.count)
            for index in range(self.sent, upto):
                self.send(self.sink, item(self.kind, index))
            self.sent = upto
        elif isinstance(message, int):
            self.send(self.origin, message)
        else:
            super().receive(message, sender)


class Carrier(Lodger):
    """Asks another with an array, waits for the short answer, asks again; tells how many arrived whole."""

    def receive(self, message: Any, sender: Any) -> None:
        if not isinstance(message, dict):
            super().receive(message, sender)
            return
        sent = array(message["size"])
        whole = 0
        for _ in range(message["count"]):
            whole += self.ask(message["sink"], sent).result() == (message["size"], *MARKS)
        self.send(sender, whole)


def flood(system: ActorSystem, job: Job) -> Measured:
    source, sink = apart(system, Source)

    def work(messages: int) -> None:
        order = {"kind": job.workload, "sink": sink, "count": messages, "batch": job.batch}
        expect(system.ask(source, order, timeout=TIMEOUT), sum(range(messages)))

    return Measured(timed(work, job))


def arrays(system: ActorSystem, job: Job) -> Measured:
    carrier, sink = apart(system, Carrier)

    def work(transfers: int) -> None:
        order = {"sink": sink, "count": transfers, "size": job.batch * 2**20}
        expect(system.ask(carrier, order, timeout=TIMEOUT), transfers)

    return Measured(timed(work, job))


def apart(system: ActorSystem, source_class: type[Actor]) -> tuple[Address[Any], Address[Any]]:
    """A source and a sink, in two processes, neither of them this one."""
    source, sink = system.spawn(source_class), system.spawn(Sink)
    pids = {system.ask(actor, "pid", timeout=TIMEOUT) for actor in (source, sink)}
    expect(len(pids | {os.getpid()}), 3)
    return source, sink


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    with ActorSystem(job.base, workers=2) as system:
        found = {"dataclasses": flood, "64 KB": flood, "array": arrays}[job.workload](system, job)
    emit(job, found.seconds, figures=found.figures, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
