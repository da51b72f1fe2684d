# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Six workloads of the Savina suite in Thespian: `savina` tells what they are and their parameters.

An actor gets no constructor arguments there, so a first message tells it what it has to know.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

from measured import Job, Measured, emit, expect, job_from_arguments, timed
from savina import WRITES_OF_100, Draw, arithmetic
from use_thespian import capabilities_of

from thespian.actors import Actor, ActorExitRequest, ActorSystem, ChildActorExited

TIMEOUT = 50


class RingMember(Actor):
    """Hands a number on to the next, one less, until it is nothing."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, int):
            if message:
                self.send(self.following, message - 1)
            else:
                self.send(self.origin, message)
        elif isinstance(message, tuple):
            self.following, self.origin = message
            self.send(sender, "ready")


class Ring(Actor):
    """Makes a ring and lets a number go round in it."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.hops, self.left = sender, message["operations"], message["actors"]
            self.members = [self.createActor(RingMember) for _ in range(self.left)]
            for index, member in enumerate(self.members):
                self.send(member, (self.members[(index + 1) % len(self.members)], self.myAddress))
        elif message == "ready":
            self.left -= 1
            if not self.left:
                self.send(self.members[0], self.hops)
        elif isinstance(message, int):
            self.send(self.origin, self.hops - message)


class Counter(Actor):
    """Counts, and tells when asked."""

    def __init__(self) -> None:
        self.count = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.count += 1
        elif message == "how many?":
            self.send(sender, self.count)


class Producer(Actor):
    """Sends a counter all that it has to count, then asks it."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin = sender
            counter = self.createActor(Counter)
            for index in range(message["operations"]):
                self.send(counter, ("increment", index))
            self.send(counter, "how many?")
        elif isinstance(message, int):
            self.send(self.origin, message)


class Forked(Actor):
    """Handles one message and ends."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, int):
            arithmetic(message)
            self.send(self.myAddress, ActorExitRequest())


class Forks(Actor):
    """Makes actors with one message each, and waits for the end of all."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.expected, self.ended = sender, message["operations"], 0
            for index in range(self.expected):
                self.send(self.createActor(Forked), index)
        elif isinstance(message, ChildActorExited):
            self.ended += 1
            if self.ended == self.expected:
                self.send(self.origin, self.ended)


class ThroughputMember(Actor):
    """Handles a number of messages, then tells."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, int):
            arithmetic(message)
            self.left -= 1
            if not self.left:
                self.send(self.origin, self.messages)
        elif isinstance(message, dict):
            self.left = self.messages = message["messages"]
            self.origin = sender


class Group(Actor):
    """Makes actors, and adds up what they tell at the end."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.left, self.total = sender, message["actors"], 0
            self.begin(message["operations"] // self.left, self.left)
        elif isinstance(message, int):
            self.left -= 1
            self.total += message
            if not self.left:
                self.send(self.origin, self.total)

    def begin(self, each: int, actors: int) -> None:
        raise NotImplementedError


class Throughput(Group):
    """Sends to its members in turn."""

    def begin(self, each: int, actors: int) -> None:
        members = [self.createActor(ThroughputMember) for _ in range(actors)]
        for member in members:
            self.send(member, {"messages": each})
        for index in range(each):
            for member in members:
                self.send(member, index)


class BigMember(Actor):
    """Pings others by lot, one at a time, and answers their pings."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "ping":
            self.send(sender, "pong")
        elif message == "pong":
            self.left -= 1
            if self.left:
                self.send(self.others[self.draw.below(len(self.others))], "ping")
            else:
                self.send(self.origin, self.pings)
        elif isinstance(message, tuple):
            number, self.others, self.pings = message
            self.draw, self.left, self.origin = Draw(number), self.pings, sender
            self.send(self.others[self.draw.below(len(self.others))], "ping")


class Big(Group):
    """All of its members ping one another."""

    def begin(self, each: int, actors: int) -> None:
        members = [self.createActor(BigMember) for _ in range(actors)]
        for number, member in enumerate(members):
            self.send(member, (number, members, each))


class Store(Actor):
    """Has a dictionary, which others read and write."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            kind, key, given = message
            if kind == "write":
                self.values[key] = given
                self.send(sender, given)
            else:
                self.send(sender, self.values.get(key, 0))


class StoreWorker(Actor):
    """Reads and writes, each when the answer to the one before has come."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.draw, self.store, self.requests = Draw(message["number"]), message["store"], message["requests"]
            self.origin, self.index, self.right = sender, 0, 0
        elif isinstance(message, int):
            self.right += message == self.index if self.write else message >= 0
            self.index += 1
        else:
            return
        if self.index == self.requests:
            self.send(self.origin, self.right)
            return
        key = self.draw.below(1000)
        self.write = self.draw.below(100) < WRITES_OF_100
        self.send(self.store, ("write", key, self.index) if self.write else ("read", key, None))


class Dictionary(Group):
    """One dictionary, and workers that use it."""

    def begin(self, each: int, actors: int) -> None:
        store = self.createActor(Store)
        for number in range(actors):
            self.send(self.createActor(StoreWorker), {"number": number, "store": store, "requests": each})


WORKLOADS = {
    "thread ring": Ring,
    "counting": Producer,
    "fork-join create": Forks,
    "fork-join throughput": Throughput,
    "big": Big,
    "concurrent dictionary": Dictionary,
}


def run(system: Any, job: Job) -> Measured:
    def work(operations: int) -> None:
        top = system.createActor(WORKLOADS[job.workload])
        expect(system.ask(top, {"operations": operations, "actors": job.batch}, TIMEOUT), operations)

    return Measured(timed(work, job))


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    system = ActorSystem(job.base, capabilities_of(job))
    try:
        found = run(system, job)
    finally:
        system.shutdown()
    emit(job, found.seconds, version=version("thespian"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
