# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Many and large messages between two processes, in Thespian's multiprocTCPBase.

`dataclasses` and `64 KB` are floods in batches, as that of tuples. Actors can't ask and wait, so in `array` the sink's
answer is what the next array waits for.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

from items import MARKS, Array, array, item, weight
from measured import Job, Measured, emit, expect, job_from_arguments, timed
from use_thespian import capabilities_of

from thespian.actors import Actor, ActorSystem

TIMEOUT = 50


class Sink(Actor):
    """Weighs what it handles; tells the sender after each batch, and at the end how much it was in all."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Array):
            self.send(sender, message.signature())
        elif isinstance(message, dict):
            self.seen, self.total, self.origin = 0, 0, sender
            self.expected, self.batch = message["expected"], message["batch"]
            self.send(sender, "more")
        elif isinstance(message, tuple) or hasattr(message, "sensor"):
            self.seen += 1
            self.total += weight(message)
            if self.seen == self.expected:
                self.send(self.origin, self.total)
            elif self.seen % self.batch == 0:
                self.send(self.origin, "more")


class Source(Actor):
    """Sends a number of messages to a sink, a batch whenever the sink asks for more."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
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


class Carrier(Actor):
    """Sends another one an array, waits for the short answer, sends it again; tells how many arrived whole."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.sink, self.left, self.origin, self.whole = message["sink"], message["count"], sender, 0
            self.sent, self.signature = array(message["size"]), (message["size"], *MARKS)
            self.send(self.sink, self.sent)
        elif isinstance(message, tuple):
            self.whole += message == self.signature
            self.left -= 1
            if self.left:
                self.send(self.sink, self.sent)
            else:
                self.send(self.origin, self.whole)


def flood(system: Any, job: Job) -> Measured:
    source, sink = system.createActor(Source), system.createActor(Sink)

    def work(messages: int) -> None:
        order = {"kind": job.workload, "sink": sink, "count": messages, "batch": job.batch}
        expect(system.ask(source, order, TIMEOUT), sum(range(messages)))

    return Measured(timed(work, job))


def arrays(system: Any, job: Job) -> Measured:
    carrier, sink = system.createActor(Carrier), system.createActor(Sink)

    def work(transfers: int) -> None:
        expect(system.ask(carrier, {"sink": sink, "count": transfers, "size": job.batch * 2**20}, TIMEOUT), transfers)

    return Measured(timed(work, job))


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    system = ActorSystem(job.base, capabilities_of(job))
    try:
        found = {"dataclasses": flood, "64 KB": flood, "array": arrays}[job.workload](system, job)
    finally:
        system.shutdown()
    emit(job, found.seconds, figures=found.figures, version=version("thespian"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
