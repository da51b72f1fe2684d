"""Thousands of handlers that block at the same time: a bounded number of threads, in turn, and nobody else waits."""

from __future__ import annotations

import threading
import time

import pytest

from garrick import Actor, ActorSystem, on
from garrick.runtime.baton import Baton

pytestmark = pytest.mark.concurrency

LIMIT = 40
ACTORS = 2_000
WAIT = 30.0


class Sleeper(Actor):
    """Blocks at a gate, then notes that it had its turn."""

    def __init__(self, number: int, gate: threading.Event, turns: list[int]) -> None:
        self.number, self.gate, self.turns = number, gate, turns

    @on
    def sleep(self, message: str) -> int:
        assert self.gate.wait(WAIT)
        time.sleep(0.001)  # many quick ones in a row would bring the class back to the baton
        self.turns.append(self.number)
        return self.number


class Quick(Actor):
    @on
    def answer(self, message: str) -> str:
        return message


def test_thousands_of_blocked_handlers_share_a_bounded_number_of_threads() -> None:
    gate = threading.Event()
    turns: list[int] = []
    with ActorSystem("local") as system:
        scheduler = system._runtime.scheduler
        assert isinstance(scheduler, Baton)
        scheduler.pool.limit = LIMIT
        before = threading.active_count()
        quick = system.spawn(Quick)
        sleepers = [system.spawn(Sleeper, number, gate, turns) for number in range(ACTORS)]
        system.send(sleepers[0], "one")
        deadline = time.monotonic() + WAIT
        while sleepers[0]._cell.executor is None and time.monotonic() < deadline:
            time.sleep(0.001)  # until it is learnt that they wait: while the first one still does
        replies = [system._runtime.ask(each, "more", WAIT) for each in sleepers for _ in range(2)]
        for _ in range(20):
            assert system.ask(quick, "meanwhile", timeout=WAIT) == "meanwhile"
        assert not turns
        assert threading.active_count() - before <= LIMIT + 5
        gate.set()
        assert [reply.result() for reply in replies] == [number for number in range(ACTORS) for _ in range(2)]
        assert threading.active_count() - before <= LIMIT + 5
    # First come, first served: nobody has a second turn before everybody has begun the first.
    fair = turns[: ACTORS - LIMIT]
    assert len(set(fair)) == len(fair)


def test_a_quick_class_that_was_thought_to_wait_is_not_kept_by_those_that_do() -> None:
    """On a busy machine a thread that gets no processor looks like one that waits, and its class goes to the pool."""
    gate = threading.Event()
    turns: list[int] = []
    with ActorSystem("local") as system:
        scheduler = system._runtime.scheduler
        assert isinstance(scheduler, Baton)
        scheduler.pool.limit = 4
        quick = [system.spawn(Quick) for _ in range(3)]
        sleepers = [system.spawn(Sleeper, number, gate, turns) for number in range(20)]
        for actor in (quick[0], sleepers[0]):
            scheduler._profile(actor._cell).detached(1.0, 0.0)
            scheduler._change_mode(actor._cell)
        replies = [system._runtime.ask(each, "more", WAIT) for each in sleepers]
        for _ in range(20):
            asked = [system._runtime.ask(each, "meanwhile", WAIT) for each in quick]
            assert [reply.result() for reply in asked] == ["meanwhile"] * 3
        assert not turns
        gate.set()
        assert [reply.result() for reply in replies] == list(range(20))
