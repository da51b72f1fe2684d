"""Candidates for the directory's lease, in a store and a network that do whatever they like: never two lead, and in the end one does."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from garrick.engine.lease import (
    Candidate,
    Conflict,
    Effect,
    Entry,
    Event,
    Failed,
    Lead,
    LeaseTerms,
    Look,
    Read,
    Resign,
    StepDown,
    Tick,
    Write,
    Written,
)

TERMS = LeaseTerms()
ANSWER = 1.0
"""Local seconds until a question counts as failed."""


class Runner:
    """One system: its clock, its candidate, and its way to the store."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.rate = world.chance.uniform(*world.rates)
        self.offset = world.chance.uniform(-1e6, 1e6)
        self.candidate = Candidate(name, self.now())
        self.name = name
        self.stopped_until = 0.0
        self.cut_until = 0.0
        self.dead = False
        self.question = 0
        self.woken = 0
        self.feed(Tick())

    def now(self) -> float:
        return self.offset + self.rate * self.world.time

    def feed(self, event: Event, *, valid: Callable[[], bool] = lambda: True) -> None:
        if self.dead or not valid():
            return
        if self.world.time < self.stopped_until:
            self.world.at(self.stopped_until, lambda: self.feed(event, valid=valid))
            return
        for effect in self.candidate.handle(event, self.now()):
            self.do(effect)
        self.woken += 1
        number, wake = self.woken, self.candidate.next_wake()
        if wake != float("inf"):
            due = self.world.time + max(0.0, (wake - self.now()) / self.rate) + 1e-6
            self.world.at(due, lambda: self.feed(Tick(), valid=lambda: self.woken == number))

    def do(self, effect: Effect) -> None:
        world = self.world
        if isinstance(effect, Lead):
            world.leads(self, effect.term)
        elif isinstance(effect, StepDown):
            world.told.append((self.name, "down"))
        else:
            self.question += 1
            number = self.question
            world.at(world.time + world.delay(), lambda: self.arrive(effect, number))
            world.at(world.time + ANSWER / self.rate, lambda: self.answer(Failed(), number))

    def arrive(self, question: Look | Write, number: int) -> None:
        """At the store; a question is there although nobody waits for its answer any more."""
        world = self.world
        if world.time < self.cut_until or world.time < world.no_store_until:
            return
        answer: Event
        if isinstance(question, Look):
            answer = Read(world.entry)
        elif question.expected == world.entry.revision:
            world.entry = Entry(world.entry.revision + 1, question.holder, question.term)
            answer = Written(world.entry.revision)
        else:
            answer = Conflict()
        if world.chance.random() > world.loss and world.time >= self.cut_until:
            world.at(world.time + world.delay(), lambda: self.answer(answer, number))

    def answer(self, event: Event, number: int) -> None:
        def take() -> bool:
            return self.question == number

        self.feed(event, valid=lambda: take() and self._once(number))

    def _once(self, number: int) -> bool:
        self.question = number + 1
        return True


class World:
    def __init__(self, seed: int, rates: tuple[float, float] = (0.9, 1.1)) -> None:
        self.rates = rates
        self.chance = random.Random(seed)
        self.time = 0.0
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = itertools.count()
        self.entry = Entry(0)
        self.no_store_until = 0.0
        self.slow_until = 0.0
        self.loss = 0.05
        self.terms: list[int] = []
        self.told: list[tuple[str, str]] = []
        self.starts = itertools.count(1)
        self.runners: dict[str, Runner] = {}
        for name in "abc":
            self.start(name)

    def start(self, name: str) -> None:
        self.runners[name] = Runner(self, f"{name}@{next(self.starts):02}")

    def at(self, when: float, function: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (max(when, self.time), next(self.serial), function))

    def delay(self) -> float:
        return self.chance.uniform(0.0005, 1.5 if self.time < self.slow_until else 0.01)

    def leads(self, runner: Runner, term: int) -> None:
        assert all(term > earlier for earlier in self.terms), "a term was given twice"
        self.terms.append(term)
        self.told.append((runner.name, "leads"))
        self.check()

    def check(self) -> None:
        leading = [r.name for r in self.runners.values() if not r.dead and r.candidate.leads_at(r.now())]
        assert len(leading) <= 1, leading

    def run(self, seconds: float) -> None:
        end = self.time + seconds
        while self.agenda and self.agenda[0][0] <= end:
            self.time, _, function = heapq.heappop(self.agenda)
            function()
            self.check()
        self.time = end

    def harm(self) -> None:
        name = self.chance.choice("abc")
        runner, lasts = self.runners[name], self.chance.choice([0.3, 2.0, 6.0])
        if runner.dead:
            return
        match self.chance.choice(["cut", "stop", "kill", "store", "slow", "resign"]):
            case "cut":
                runner.cut_until = self.time + lasts
            case "stop":
                runner.stopped_until = self.time + lasts
            case "store":
                self.no_store_until = self.time + lasts
            case "slow":
                self.slow_until = self.time + lasts
            case kind:
                if kind == "resign":
                    runner.feed(Resign())
                    self.run(0.05)
                runner.dead = True
                self.at(self.time + lasts, lambda: self.start(name))


@pytest.mark.parametrize("part", range(4))
def test_never_two_and_in_the_end_one(part: int) -> None:
    takeovers = 0
    for seed in range(part * 25, part * 25 + 25):
        world = World(seed)
        world.run(6.0)
        for _ in range(12):
            world.harm()
            world.run(world.chance.choice([0.1, 1.0, 5.0]))
        world.loss = 0.0
        world.run(30.0)
        leading = [r.name for r in world.runners.values() if r.candidate.leads_at(r.now())]
        assert len(leading) == 1, seed
        assert world.entry.holder == leading[0]
        before = list(world.told)
        world.run(60.0)
        assert world.told == before, "nobody takes over from a holder who renews"
        takeovers += len(world.terms) - 1
    assert takeovers > 25


def test_clocks_that_run_twice_as_fast_are_noticed_by_this_test() -> None:
    with pytest.raises(AssertionError, match="@"):
        for seed in range(100):
            world = World(seed, rates=(0.5, 2.0))
            for _ in range(20):
                world.harm()
                world.run(world.chance.choice([0.1, 1.0, 5.0]))


def test_who_ends_in_order_makes_room_at_once() -> None:
    world = World(7)
    world.run(6.0)
    first = next(r for r in world.runners.values() if r.candidate.leads)
    first.feed(Resign())
    world.run(1.5)
    assert world.told[-2:] == [
        (first.name, "down"),
        (next(r.name for r in world.runners.values() if r.candidate.leads), "leads"),
    ]


def test_a_stopped_holder_stops_before_it_acts() -> None:
    candidate = Candidate("a@01", 0.0)
    candidate.handle(Tick(), 0.0)
    candidate.handle(Read(Entry(0)), 0.0)
    assert candidate.handle(Written(1), 0.1) == [Lead(1)]
    assert candidate.leads_at(2.9)
    assert not candidate.leads_at(3.1)
    assert StepDown("the lease could not be renewed in time") in candidate.handle(Tick(), 10.0)


def test_terms_begin_where_the_program_says() -> None:
    candidate = Candidate("a@01", 0.0)
    assert candidate.handle(Tick(), 0.0) == [Look()]
    assert candidate.handle(Read(Entry(0), least=1000), 0.0) == [Write(0, "a@01", 1000)]


def test_a_silent_holder_is_waited_for() -> None:
    candidate = Candidate("b@01", 0.0)
    candidate.handle(Tick(), 0.0)
    candidate.handle(Read(Entry(5, "a@01", 3)), 1.0)
    now = 1.0
    while True:
        now = candidate.next_wake()
        effects = candidate.handle(Tick(), now)
        if effects != [Look()]:
            break
        candidate.handle(Read(Entry(5, "a@01", 3)), now)
    assert effects == [Write(5, "b@01", 4)]
    assert 1.0 + TERMS.lease <= now <= 1.0 + TERMS.lease + TERMS.renew
