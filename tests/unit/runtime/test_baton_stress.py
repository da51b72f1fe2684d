"""The baton under forced thread switches: nothing lost, duplicated, reordered, or run twice at once."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address

pytestmark = pytest.mark.concurrency


@pytest.fixture
def switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Worker(Actor):
    """Takes numbered messages of several senders, sometimes blocks, sometimes asks."""

    def __init__(self, seed: int, report: list[str]) -> None:
        self.rng = random.Random(seed)
        self.report = report
        self.last: dict[Address[Any] | None, int] = {}
        self.inside = threading.Lock()
        self.handled = 0

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if not self.inside.acquire(blocking=False):
            self.report.append(f"two at once in {self.address}")
            return
        try:
            if message == "count":
                assert sender is not None
                self.send(sender, self.handled)
                return
            number, peers = message
            if self.last.get(sender, 0) + 1 != number:
                self.report.append(f"{sender} -> {self.address}: {number} after {self.last.get(sender, 0)}")
            self.last[sender] = number
            self.handled += 1
            draw = self.rng.random()
            if draw < 0.01:
                time.sleep(0.006)  # long enough for a hand-over: what the test is about
            elif draw < 0.02:
                deadline = time.perf_counter() + 0.006
                while time.perf_counter() < deadline:
                    pass
            elif draw < 0.05 and peers:
                self.ask(peers[0], "echo", timeout=20).result()
        finally:
            self.inside.release()


class Echo(Actor):
    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        assert sender is not None
        self.send(sender, message)


class Source(Actor):
    """Sends ``count`` numbered messages to each worker, round robin, a few at a time."""

    def __init__(self, workers: list[Address[Any]], echo: Address[Any], count: int) -> None:
        self.workers, self.echo, self.count, self.sent = workers, echo, count, 0

    def started(self) -> None:
        self.send(self.address, "go")

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "done?":
            assert sender is not None
            self.send(sender, self.sent == self.count)
            return
        for _ in range(min(20, self.count - self.sent)):
            self.sent += 1
            for worker in self.workers:
                self.send(worker, (self.sent, [self.echo]))
        if self.sent < self.count:
            self.send(self.address, "go")


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize("seed", range(4))
def test_blocked_handlers_neither_lose_nor_reorder_nor_overlap(seed: int) -> None:
    report: list[str] = []
    count, sources = 250, 3
    with ActorSystem("local") as system:
        workers = [system.spawn(Worker, seed * 100 + i, report) for i in range(5)]
        echo = system.spawn(Echo)
        senders = [system.spawn(Source, workers, echo, count) for _ in range(sources)]
        deadline = time.monotonic() + 60
        while not all(system.ask(s, "done?") for s in senders) and time.monotonic() < deadline:
            time.sleep(0.01)
        handled = [system.ask(w, "count", timeout=60) for w in workers]
        hand_overs = system._runtime.scheduler.hand_overs  # type: ignore[attr-defined]
    assert report == []
    assert handled == [count * sources] * len(workers)
    assert hand_overs > 20, "the test must force hand-overs, or it shows nothing"


def test_threads_end_with_the_system() -> None:
    before = set(threading.enumerate())
    with ActorSystem("local") as system:
        worker = system.spawn(Worker, 1, [])
        system.ask(worker, "count")
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()
