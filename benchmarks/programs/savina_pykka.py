# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false
"""Six workloads of the Savina suite in Pykka: `savina` tells what they are and their parameters.

Every actor is a thread. A message carries no sender, so whoever wants an answer puts its own reference into the message.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from queue import SimpleQueue
from typing import Any

import pykka
from measured import Job, Measured, emit, expect, job_from_arguments, timed
from savina import WRITES_OF_100, Draw, arithmetic

TIMEOUT = 50


class RingMember(pykka.ThreadingActor):
    """Hands a number on to the next, one less, until it is nothing."""

    def on_receive(self, message: Any) -> None:
        if isinstance(message, int):
            if message:
                self.following.tell(message - 1)
            else:
                self.done.put(message)
        else:
            self.following, self.done = message


class Counter(pykka.ThreadingActor):
    """Counts, and tells when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_receive(self, message: Any) -> None:
        if message[0] == "increment":
            self.count += 1
        else:
            message[1].put(self.count)


class Producer(pykka.ThreadingActor):
    """Sends a counter all that it has to count, then asks it."""

    def on_receive(self, message: Any) -> None:
        count, done = message
        counter = Counter.start()
        for index in range(count):
            counter.tell(("increment", index))
        counter.tell(("how many?", done))


class Forked(pykka.ThreadingActor):
    """Handles one message and ends."""

    def __init__(self, ended: SimpleQueue) -> None:
        super().__init__()
        self.ended = ended

    def on_receive(self, message: Any) -> None:
        arithmetic(message)
        self.stop()

    def on_stop(self) -> None:
        self.ended.put(1)


class Forks(pykka.ThreadingActor):
    """Makes actors with one message each."""

    def on_receive(self, message: Any) -> None:
        count, ended = message
        for index in range(count):
            Forked.start(ended).tell(index)


class ThroughputMember(pykka.ThreadingActor):
    """Handles a number of messages, then tells."""

    def __init__(self, messages: int, done: SimpleQueue) -> None:
        super().__init__()
        self.left = self.messages = messages
        self.done = done

    def on_receive(self, message: Any) -> None:
        arithmetic(message)
        self.left -= 1
        if not self.left:
            self.done.put(self.messages)


class Throughput(pykka.ThreadingActor):
    """Sends to its members in turn."""

    def on_receive(self, message: Any) -> None:
        each, actors, done = message
        members = [ThroughputMember.start(each, done) for _ in range(actors)]
        for index in range(each):
            for member in members:
                member.tell(index)


class BigMember(pykka.ThreadingActor):
    """Pings others by lot, one at a time, and answers their pings."""

    def on_receive(self, message: Any) -> None:
        kind, given = message
        if kind == "ping":
            given.tell(("pong", None))
        elif kind == "pong":
            self.left -= 1
            if self.left:
                self.ping()
            else:
                self.done.put(self.pings)
        else:
            number, self.others, self.pings, self.done = given
            self.draw, self.left = Draw(number), self.pings
            self.ping()

    def ping(self) -> None:
        self.others[self.draw.below(len(self.others))].tell(("ping", self.actor_ref))


class Store(pykka.ThreadingActor):
    """Has a dictionary, which others read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[int, int] = {}

    def on_receive(self, message: Any) -> None:
        kind, key, given, sender = message
        if kind == "write":
            self.values[key] = given
            sender.tell(given)
        else:
            sender.tell(self.values.get(key, 0))


class StoreWorker(pykka.ThreadingActor):
    """Reads and writes, each when the answer to the one before has come."""

    def __init__(self, number: int, store: Any, requests: int, done: SimpleQueue) -> None:
        super().__init__()
        self.draw, self.store, self.requests, self.done = Draw(number), store, requests, done
        self.index = self.right = 0
        self.write = False

    def on_receive(self, message: Any) -> None:
        if message != "begin":
            self.right += message == self.index if self.write else message >= 0
            self.index += 1
        if self.index == self.requests:
            self.done.put(self.right)
            return
        key = self.draw.below(1000)
        self.write = self.draw.below(100) < WRITES_OF_100
        order = ("write", key, self.index) if self.write else ("read", key, None)
        self.store.tell((*order, self.actor_ref))


def thread_ring(hops: int, actors: int, done: SimpleQueue) -> int:
    members = [RingMember.start() for _ in range(actors)]
    for index, member in enumerate(members):
        member.tell((members[(index + 1) % actors], done))
    members[0].tell(hops)
    return hops - done.get(timeout=TIMEOUT)


def counting(messages: int, _: int, done: SimpleQueue) -> int:
    Producer.start().tell((messages, done))
    return done.get(timeout=TIMEOUT)


def fork_join_create(actors: int, _: int, done: SimpleQueue) -> int:
    Forks.start().tell((actors, done))
    return sum(done.get(timeout=TIMEOUT) for _ in range(actors))


def fork_join_throughput(messages: int, actors: int, done: SimpleQueue) -> int:
    Throughput.start().tell((messages // actors, actors, done))
    return sum(done.get(timeout=TIMEOUT) for _ in range(actors))


def big(pings: int, actors: int, done: SimpleQueue) -> int:
    members = [BigMember.start() for _ in range(actors)]
    for number, member in enumerate(members):
        member.tell(("begin", (number, members, pings // actors, done)))
    return sum(done.get(timeout=TIMEOUT) for _ in range(actors))


def concurrent_dictionary(requests: int, actors: int, done: SimpleQueue) -> int:
    store = Store.start()
    for number in range(actors):
        StoreWorker.start(number, store, requests // actors, done).tell("begin")
    return sum(done.get(timeout=TIMEOUT) for _ in range(actors))


WORKLOADS = {
    "thread ring": thread_ring,
    "counting": counting,
    "fork-join create": fork_join_create,
    "fork-join throughput": fork_join_throughput,
    "big": big,
    "concurrent dictionary": concurrent_dictionary,
}


def run(job: Job) -> Measured:
    def work(operations: int) -> None:
        expect(WORKLOADS[job.workload](operations, job.batch, SimpleQueue()), operations)

    return Measured(timed(work, job))


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    try:
        found = run(job)
    finally:
        pykka.ActorRegistry.stop_all()
    emit(job, found.seconds, version=version("pykka"), python=sys.version.split()[0])


if __name__ == "__main__":
    main()
