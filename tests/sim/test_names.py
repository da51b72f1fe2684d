"""Names of the convention in whole simulated conventions, under partitions, crashes, pauses and outages of the engine."""

from __future__ import annotations

import random
from typing import Any

import pytest

from garrick import Actor, ActorGone, ActorSystem, AskTimeout, ChildExited, NameTaken, on
from garrick.sim.world import World
from garrick.singleton import Singleton

from .actors import Echo


class Book:
    """What holders of one name did, in virtual time: written by the actors themselves, read by the test."""

    def __init__(self) -> None:
        self.acting: dict[Any, int] = {}
        self.newest = 0
        self.wrong: list[str] = []
        self.reasons: list[str] = []

    def begins(self, actor: Single) -> None:
        epoch = actor.epoch or 0
        if epoch <= self.newest:
            self.wrong.append(f"epoch {epoch} after {self.newest}")
        if self.acting:
            self.wrong.append(f"{actor.address} at {actor.now()} beside {self.acting}")
        self.newest = epoch
        self.acting[actor.address] = epoch

    def acts(self, actor: Single) -> None:
        if (actor.epoch or 0) < self.newest:
            self.wrong.append(f"{actor.address} acts under {actor.epoch} at {actor.now()}, after {self.newest} began")

    def gone(self, system: ActorSystem) -> None:
        """A system is killed, or stands still: its actors do nothing (more)."""
        for address in [a for a in self.acting if a.system == system._runtime.system]:
            del self.acting[address]


BOOKS: dict[str, Book] = {}


class Single(Actor):
    """Acts while it lives: every message, and a tick of its own."""

    def __init__(self, book: str) -> None:
        self.book = book

    def started(self) -> None:
        BOOKS[self.book].begins(self)
        self.every(0.1, "tick")

    def stopping(self, reason: str) -> None:
        BOOKS[self.book].acting.pop(self.address, None)
        BOOKS[self.book].reasons.append(reason)

    @on
    def act(self, message: str) -> int | None:
        BOOKS[self.book].acts(self)
        return self.epoch


def trial(seed: int) -> tuple[Book, int]:
    name = f"trial {seed}"
    book = BOOKS[name] = Book()
    rng = random.Random(seed)
    starts = 0
    with World(seed) as world:
        world.net.defaults(latency=("200us", "20ms"), drop=0.02)
        systems = {f"s{n}": world.system(f"s{n}") for n in range(4)}
        world.run(6)
        last = None
        for _ in range(25):
            victim = rng.choice(sorted(systems))
            match rng.choice(["nothing", "cut off", "crash", "pause", "outage", "outage"]):
                case "cut off":
                    world.net.cut_off(systems[victim])
                case "crash":
                    book.gone(systems[victim])
                    systems[victim] = world.restart(systems[victim])
                case "pause":
                    book.gone(systems[victim])
                    world.pause(systems[victim], f"{rng.randrange(1, 9)}s")
                case "outage":
                    world.engine.fail_over(lose_directory=rng.random() < 0.5)
            for _ in range(rng.randrange(1, 4)):
                here = systems[rng.choice(sorted(systems))]
                if last is not None:
                    here.send(last, "act")
                try:
                    last = here.spawn(Single, name, global_name="one", timeout=rng.uniform(0.5, 4.0))
                    starts += 1
                except (NameTaken, AskTimeout, ActorGone):
                    pass
                world.run(rng.uniform(0.0, 3.0))
            world.net.heal()
    return book, starts


@pytest.mark.parametrize("seed", range(10))
def test_never_two_holders_in_a_convention_full_of_faults(seed: int) -> None:
    book, starts = trial(seed)
    assert not book.wrong
    assert starts > 0


def test_who_is_cut_off_ends_before_another_begins() -> None:
    book = BOOKS["cut"] = Book()
    with World(5) as world:
        one, two = world.systems(2)
        echo = one.spawn(Echo)
        world.run(5)
        holder = one.spawn(Single, "cut", global_name="one")
        assert two.lookup("one", everywhere=True) == holder
        world.net.cut_off(one)
        began = world.now
        while True:
            try:
                heir = two.spawn(Single, "cut", global_name="one")
                break
            except NameTaken:
                world.run(0.2)
        assert book.reasons == ["name lost"]
        assert not book.wrong
        assert world.now - began < 7
        world.net.heal()
        world.run(5)
        assert one.ask(echo, 1) == (1, "s1")  # other actors went on
        assert one.lookup("one", everywhere=True) == heir
        assert one.ask(heir, "act") == book.newest


class Parent(Actor):
    """Tells how its named child ended."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.spawn(Single, "short cut", global_name="one")

    @on
    def ended(self, notice: ChildExited) -> None:
        self.ends.append(notice.reason)

    @on
    def told(self, message: str) -> list[str]:
        return self.ends


def test_a_short_cut_takes_no_name_away_and_a_long_one_is_told_to_the_parent() -> None:
    book = BOOKS["short cut"] = Book()
    with World(6) as world:
        one, two = world.systems(2)
        world.run(5)
        parent = one.spawn(Parent)
        world.run(1)
        for _ in range(3):
            world.net.cut_off(one)
            world.run(2)
            world.net.heal()
            world.run(2)
        world.engine.fail_over(lose_directory=True)
        world.run(12)
        assert one.ask(parent, "ended?") == []
        assert two.lookup("one", everywhere=True) is not None
        assert len(book.acting) == 1
        world.net.cut_off(one)
        world.run(6)
        assert one.ask(parent, "ended?") == ["name lost"]


class Ledger(Single):
    """Writes down what it was told."""

    def __init__(self, book: str, entries: list[int]) -> None:
        super().__init__(book)
        self.entries = entries

    @on
    def enter(self, message: int) -> int:
        BOOKS[self.book].acts(self)
        self.entries.append(message)
        return message


@pytest.mark.parametrize("seed", range(6))
def test_singletons_account_for_every_question_while_their_hosts_come_and_go(seed: int) -> None:
    name = f"singleton {seed}"
    book = BOOKS[name] = Book()
    rng = random.Random(seed)
    entries: list[int] = []
    answered: set[int] = set()
    with World(seed) as world:
        world.net.defaults(latency=("200us", "20ms"), drop=0.02)
        hosts = {f"h{n}": world.system(f"h{n}") for n in range(3)}
        ways = {host: system.spawn(Singleton, "ledger", Ledger, name, entries) for host, system in hosts.items()}
        for number in range(40):
            victim = rng.choice(sorted(hosts))
            match rng.choice(["nothing"] * 6 + ["cut off", "crash", "outage"]):
                case "cut off":
                    world.net.cut_off(hosts[victim])
                case "crash":
                    book.gone(hosts[victim])
                    hosts[victim] = world.restart(hosts[victim])
                    ways[victim] = hosts[victim].spawn(Singleton, "ledger", Ledger, name, entries)
                case "outage":
                    world.engine.fail_over(lose_directory=rng.random() < 0.5)
            asked = rng.choice(sorted(hosts))
            try:
                assert hosts[asked].ask(ways[asked], number, timeout=rng.uniform(1, 8)) == number
                answered.add(number)
            except (ActorGone, AskTimeout):
                pass  # reported
            if rng.random() < 0.3:
                world.net.heal()
            world.run(rng.uniform(0.0, 1.0))
    assert not book.wrong
    assert len(set(entries)) == len(entries), "handled once"
    assert answered <= set(entries)
    assert len(answered) > 15
