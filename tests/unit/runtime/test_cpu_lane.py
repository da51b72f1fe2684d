"""Long burners run one at a time, and hold each other up only while they burn."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, on
from garrick.runtime.baton import Baton
from garrick.runtime.classes import CPU, ClassProfile
from garrick.runtime.cpu_lane import CpuLane, thread_clock, thread_cpu
from garrick.runtime.pool import Pool

pytestmark = pytest.mark.concurrency

WAIT = 10.0


class Burner(Actor):
    """Burns, asks another one, or waits for an event."""

    def __init__(self, peer: Address[Any] | None = None, event: threading.Event | None = None) -> None:
        self.peer = peer
        self.event = event

    @on
    def work(self, message: str) -> str:
        if message == "burn":
            end = time.thread_time() + 0.03
            while time.thread_time() < end:
                pass
        elif message == "ask":
            assert self.peer is not None
            return f"asked: {self.ask(self.peer, 'hello', timeout=WAIT).result()}"
        elif message == "wait":
            assert self.event is not None
            return f"waited: {self.event.wait(WAIT)}"
        return message


class Other(Burner):
    """Another class of the same kind."""


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    """A system that has learnt that both classes burn: how it learns that is ``test_classes.py``'s."""
    with ActorSystem("local") as system:
        scheduler = system._runtime.scheduler
        assert isinstance(scheduler, Baton)
        for actor_class in (Burner, Other):
            profile = scheduler._profiles[actor_class] = ClassProfile()
            profile.mode = CPU
        yield system


def test_burners_that_ask_one_another_don_t_wait_for_ever(system: ActorSystem) -> None:
    asked = system.spawn(Other)
    asker = system.spawn(Burner, asked)
    assert system.ask(asker, "ask", timeout=WAIT / 2) == "asked: hello"


def test_a_burner_that_waits_holds_up_no_other(system: ActorSystem) -> None:
    event = threading.Event()
    waiter = system.spawn(Burner, None, event)
    other = system.spawn(Other)
    with system.inbox() as inbox:
        inbox.send(waiter, "wait")
        assert system.ask(other, "hello", timeout=WAIT / 2) == "hello"
        assert system.ask(system.spawn(Other), "burn", timeout=WAIT / 2) == "burn"
        assert not event.is_set()
        event.set()


class Cell:
    """As much of a cell as a lane needs; what its steps brought is in ``done``."""

    def __init__(self) -> None:
        self.done: queue.Queue[Any] = queue.Queue()
        self.runtime = self
        self.clock = self
        self.running: dict[int, Any] = {}

    def on_step(self) -> None:
        """Nobody looks."""

    def now(self) -> float:
        return 0.0

    def released(self, step: Any) -> None:
        raise AssertionError

    def post(self, _action: Any, step: Any) -> None:
        self.done.put(step)


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("test-lane")
    yield pool
    assert pool.close(WAIT) == []


def test_steps_run_one_at_a_time_and_in_order(pool: Pool) -> None:
    lane, cell = CpuLane(pool, lambda _cell, _wall: None), Cell()
    inside = threading.Lock()

    def step(_cell: Any, number: int) -> int:
        assert inside.acquire(blocking=False), "two at once"
        time.sleep(0)
        inside.release()
        return number

    for number in range(50):
        lane.submit(cell, step, number, "done")
    outcomes = [cell.done.get(timeout=WAIT) for _ in range(50)]
    assert [(result, error) for _, _, _, result, error in outcomes] == [(number, None) for number in range(50)]


def test_a_step_that_waits_is_seen_and_frees_the_lane(pool: Pool) -> None:
    lane, waiting, other = CpuLane(pool, lambda _cell, _wall: None), Cell(), Cell()
    event = threading.Event()
    lane.submit(waiting, lambda _cell, _context: event.wait(WAIT), None, "done")
    lane.submit(other, lambda _cell, _context: "next", None, "done")
    deadline = time.monotonic() + WAIT
    while (seen := lane.look()) is None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert seen is not None
    assert seen[0] is waiting
    assert other.done.get(timeout=WAIT)[3] == "next"
    event.set()
    assert waiting.done.get(timeout=WAIT)[3] is True


def test_who_does_not_run_the_lane_can_not_free_it(pool: Pool) -> None:
    lane, cell = CpuLane(pool, lambda _cell, _wall: None), Cell()
    begun, event = threading.Event(), threading.Event()

    def step(_cell: Any, _context: Any) -> None:
        begun.set()
        event.wait(WAIT)

    lane.submit(cell, step, None, "done")
    assert begun.wait(WAIT)
    lane.relieve(threading.get_ident())
    assert lane.active
    event.set()
    cell.done.get(timeout=WAIT)


def test_the_clock_of_a_thread_that_has_ended_is_harmless() -> None:
    clocks: list[int] = []
    for _ in range(50):  # more than the C library keeps stacks for
        thread = threading.Thread(target=lambda: clocks.append(thread_clock()))
        thread.start()
        thread.join(WAIT)
    deadline = time.monotonic() + WAIT  # the kernel's part of a thread ends a little after Python's
    while any(map(thread_cpu, clocks)) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not any(map(thread_cpu, clocks))
    assert thread_cpu(thread_clock()) > 0
