"""Actors of `test_complaints`: small programs of the kind that people could not get to work elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, ChildExited, Request, Terminated, on


@dataclass(frozen=True)
class Pid(Request[int]):
    pass


@dataclass(frozen=True)
class Die:
    """Kill the own process with this signal, or leave it with ``os._exit`` (0)."""

    with_signal: int


class Victim(Actor):
    @on
    def pid(self, _: Pid) -> int:
        return os.getpid()

    @on
    def die(self, how: Die) -> None:
        if how.with_signal:
            os.kill(os.getpid(), how.with_signal)
        else:
            os._exit(7)


@dataclass(frozen=True)
class Adopt(Request[Address[Any]]):
    isolation: str


@dataclass(frozen=True)
class Guard(Request[Address[Any]]):
    target: Address[Any]


@dataclass(frozen=True)
class Exits(Request[list[tuple[str, str]]]):
    pass


class Parent(Victim):
    """Has children, watches others, and tells how they ended."""

    def __init__(self) -> None:
        self.exits: list[tuple[str, str]] = []

    @on
    def adopt(self, how: Adopt) -> Address[Any]:
        return self.spawn(Victim, isolation=how.isolation)

    @on
    def guard(self, whom: Guard) -> Address[Any]:
        self.watch(whom.target)
        return whom.target

    @on
    def ended(self, notice: ChildExited | Terminated) -> None:
        self.exits.append((notice.reason, notice.detail))

    @on
    def tell(self, _: Exits) -> list[tuple[str, str]]:
        return self.exits


@dataclass(frozen=True)
class Block:
    """A parcel of work; ``data`` is what makes it heavy."""

    number: int
    data: bytes


@dataclass(frozen=True)
class Done:
    number: int
    data: bytes


class Worker(Actor):
    @on
    def work(self, block: Block) -> None:
        self.reply(Done(block.number, block.data))


@dataclass(frozen=True)
class FanOut:
    workers: tuple[Address[Any], ...]
    size: int


@dataclass(frozen=True)
class Progress(Request[int]):
    pass


class Coordinator(Actor):
    """Hands parcels to workers, and tells an outsider how far they are."""

    def __init__(self) -> None:
        self.done: set[int] = set()

    @on
    def fan_out(self, order: FanOut) -> None:
        for number, worker in enumerate(order.workers):
            self.send(worker, Block(number, bytes(order.size)))

    @on
    def count(self, done: Done) -> None:
        assert done.number not in self.done
        self.done.add(done.number)

    @on
    def progress(self, _: Progress) -> int:
        return len(self.done)


@dataclass(frozen=True)
class Poll:
    """Ask all of them for their state at once, without waiting for any."""

    agents: tuple[Address[Any], ...]


@dataclass(frozen=True)
class State:
    number: int


class Agent(Actor):
    def __init__(self, number: int) -> None:
        self.number = number

    def receive(self, message: Any, sender: Any) -> None:
        self.send(sender, State(self.number))


class Registrar(Actor):
    def __init__(self) -> None:
        self.states: list[int] = []

    @on
    def poll(self, order: Poll) -> None:
        for agent in order.agents:
            self.send(agent, "state?")

    @on
    def state(self, state: State) -> None:
        self.states.append(state.number)

    @on
    def progress(self, _: Progress) -> int:
        return len(self.states)


@dataclass(frozen=True)
class Start:
    sink: Address[Any]
    hertz: float
    ticks: int


class Tick:
    pass


class Ticker(Actor):
    """Sends a numbered message on each tick of its timer."""

    @on
    def start(self, order: Start) -> None:
        self.order, self.sent = order, 0
        self.timer = self.every(1 / order.hertz, Tick())

    @on
    def tick(self, _: Tick) -> None:
        self.send(self.order.sink, (self.address, self.sent))
        self.sent += 1
        if self.sent == self.order.ticks:
            self.timer.cancel()


class Sink(Actor):
    """Counts what each of them sent; their numbers must come without gap."""

    def __init__(self) -> None:
        self.next: dict[Any, int] = {}

    @on
    def number(self, message: tuple[Any, ...]) -> None:
        sender, number = message
        assert number == self.next.get(sender, 0)
        self.next[sender] = number + 1

    @on
    def progress(self, _: Progress) -> int:
        return sum(self.next.values())


@dataclass(frozen=True)
class Churn(Request[int]):
    """Spawn and end this many children, one after the other, each under the same name."""

    rounds: int


class Named(Actor):
    def __init__(self, ballast: bytes) -> None:
        self.ballast = ballast


class Churner(Actor):
    def __init__(self) -> None:
        self.left = 0
        self.asker: Address[Any] | None = None
        self.refused = 0

    @on
    def churn(self, order: Churn) -> None:
        self.left, self.refused, self.asker = order.rounds, 0, self.defer()
        self.one()

    def one(self) -> None:
        self.stop(self.spawn(Named, bytes(1000), name="again"))

    @on
    def exited(self, notice: ChildExited) -> None:
        self.refused += notice.reason != "stopped"
        self.left -= 1
        if self.left:
            self.one()
        else:
            assert self.asker is not None
            self.send(self.asker, self.refused)
