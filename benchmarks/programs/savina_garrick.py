"""Six workloads of the Savina suite in Garrick: `savina` tells what they are and their parameters. BASE is `local`."""

from __future__ import annotations

import sys
from typing import Any

from measured import Job, Measured, emit, expect, job_from_arguments, timed
from savina import WRITES_OF_100, Draw, arithmetic

from garrick import Actor, ActorSystem, Address, ChildExited, __version__, on

TIMEOUT = 50


class RingMember(Actor):
    """Hands a number on to the next, one less, until it is nothing."""

    following: Address[Any]
    origin: Address[Any]

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, int):
            if message:
                self.send(self.following, message - 1)
            else:
                self.send(self.origin, message)
        else:
            self.following, self.origin = message
            self.send(sender, "ready")


class Ring(Actor):
    """Makes a ring and lets a number go round in it."""

    origin: Address[Any]
    left: int

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.hops, self.left = sender, message["operations"], message["actors"]
            self.members = [self.spawn(RingMember) for _ in range(self.left)]
            for index, member in enumerate(self.members):
                self.send(member, (self.members[(index + 1) % len(self.members)], self.address))
        elif message == "ready":
            self.left -= 1
            if not self.left:
                self.send(self.members[0], self.hops)
        else:
            self.send(self.origin, self.hops - message)


class Counter(Actor):
    """Counts, and tells when asked."""

    def __init__(self) -> None:
        self.count = 0

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, tuple):
            self.count += 1
        else:
            self.send(sender, self.count)


class Producer(Actor):
    """Sends a counter all that it has to count, then asks it."""

    origin: Address[Any]

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin = sender
            counter = self.spawn(Counter)
            for index in range(message["operations"]):
                self.send(counter, ("increment", index))
            self.send(counter, "how many?")
        else:
            self.send(self.origin, message)


class Forked(Actor):
    """Handles one message and ends."""

    def receive(self, message: Any, sender: Any) -> None:
        arithmetic(message)
        self.stop()


class Forks(Actor):
    """Makes actors with one message each, and waits for the end of all."""

    origin: Address[Any]
    expected: int
    ended: int

    def receive(self, message: Any, sender: Any) -> None:
        self.origin, self.expected, self.ended = sender, message["operations"], 0
        for index in range(self.expected):
            self.send(self.spawn(Forked), index)

    @on
    def child_exited(self, notice: ChildExited) -> None:
        self.ended += notice.reason == "stopped"
        if self.ended == self.expected:
            self.send(self.origin, self.ended)


class ThroughputMember(Actor):
    """Handles a number of messages, then tells."""

    def __init__(self, messages: int, origin: Address[Any]) -> None:
        self.left = self.messages = messages
        self.origin = origin

    def receive(self, message: Any, sender: Any) -> None:
        arithmetic(message)
        self.left -= 1
        if not self.left:
            self.send(self.origin, self.messages)


class Group(Actor):
    """Makes actors, and adds up what they tell at the end."""

    origin: Address[Any]
    members: list[Address[Any]]
    left: int
    total: int

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, dict):
            self.origin, self.left, self.total = sender, message["actors"], 0
            self.begin(message["operations"] // self.left, self.left)
        else:
            self.left -= 1
            self.total += message
            if not self.left:
                self.send(self.origin, self.total)

    def begin(self, each: int, actors: int) -> None:
        raise NotImplementedError


class Throughput(Group):
    """Sends to its members in turn."""

    def begin(self, each: int, actors: int) -> None:
        members = [self.spawn(ThroughputMember, each, self.address) for _ in range(actors)]
        for index in range(each):
            for member in members:
                self.send(member, index)


class BigMember(Actor):
    """Pings others by lot, one at a time, and answers their pings."""

    others: list[Address[Any]]
    origin: Address[Any]
    draw: Draw
    left: int
    pings: int

    def receive(self, message: Any, sender: Any) -> None:
        if message == "ping":
            self.send(sender, "pong")
        elif message == "pong":
            self.left -= 1
            if self.left:
                self.send(self.others[self.draw.below(len(self.others))], "ping")
            else:
                self.send(self.origin, self.pings)
        else:
            number, self.others, self.pings = message
            self.draw, self.left, self.origin = Draw(number), self.pings, sender
            self.send(self.others[self.draw.below(len(self.others))], "ping")


class Big(Group):
    """All of its members ping one another."""

    def begin(self, each: int, actors: int) -> None:
        members = [self.spawn(BigMember) for _ in range(actors)]
        for number, member in enumerate(members):
            self.send(member, (number, members, each))


class Store(Actor):
    """Has a dictionary, which others read and write."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}

    def receive(self, message: Any, sender: Any) -> None:
        kind, key, given = message
        if kind == "write":
            self.values[key] = given
            self.send(sender, given)
        else:
            self.send(sender, self.values.get(key, 0))


class StoreWorker(Actor):
    """Reads and writes, each when the answer to the one before has come."""

    def __init__(self, number: int, store: Address[Any], requests: int, origin: Address[Any]) -> None:
        self.store, self.requests, self.origin = store, requests, origin
        self.draw = Draw(number)
        self.index = self.right = 0
        self.write = False

    def receive(self, message: Any, sender: Any) -> None:
        if message != "begin":
            self.right += message == self.index if self.write else message >= 0
            self.index += 1
        if self.index == self.requests:
            self.send(self.origin, self.right)
            return
        key = self.draw.below(1000)
        self.write = self.draw.below(100) < WRITES_OF_100
        self.send(self.store, ("write", key, self.index) if self.write else ("read", key, None))


class Dictionary(Group):
    """One dictionary, and workers that use it."""

    def begin(self, each: int, actors: int) -> None:
        store = self.spawn(Store)
        for number in range(actors):
            self.send(self.spawn(StoreWorker, number, store, each, self.address), "begin")


WORKLOADS: dict[str, type[Actor]] = {
    "thread ring": Ring,
    "counting": Producer,
    "fork-join create": Forks,
    "fork-join throughput": Throughput,
    "big": Big,
    "concurrent dictionary": Dictionary,
}


def run(system: ActorSystem, job: Job) -> Measured:
    def work(operations: int) -> None:
        top = system.spawn(WORKLOADS[job.workload])
        order = {"operations": operations, "actors": job.batch}
        expect(system.ask(top, order, timeout=TIMEOUT), operations)

    return Measured(timed(work, job))


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    with ActorSystem(job.base) as system:
        found = run(system, job)
    emit(job, found.seconds, version=__version__, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
