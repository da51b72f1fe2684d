"""A real `Baton` and `Runtime` whose threads the conductor moves: what tests of forced thread switches are made of.

Owns the parts that replace locks, events, threads and the poller by the conductor's, so that blocking means to give the turn away. Scenes,
and which lines are watched, are up to the tests.
"""

from __future__ import annotations

import inspect
import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from garrick import Actor, Address
from garrick.runtime import baton as baton_module
from garrick.runtime import fairness as fairness_module
from garrick.runtime import runtime as runtime_module
from garrick.runtime.baton import Baton
from garrick.runtime.cell import RUNNING, Cell
from garrick.runtime.runtime import Runtime
from garrick.runtime.signals import Spec
from tests.unit.runtime import conductor as conductor_module
from tests.unit.runtime.conductor import Conductor, Outcome, Switch, pairs

WATCHED = frozenset({baton_module.__file__, runtime_module.__file__, fairness_module.__file__, __file__})
IGNORED = frozenset({"__init__", "_watch", "new_cell", "popleft", "poll", "wake", "next_serial", "noted", "stop"})

PATIENCE = baton_module.PATIENCE

Scene = Callable[["Stage"], dict[str, Callable[[], object]]]


class Lane(deque[Any]):
    """Only the holder may take from the lane."""

    stage: Stage

    def popleft(self) -> Any:
        if self.stage.runtime.tenure.thread != threading.get_ident():
            self.stage.conductor.violation("a thread that is not the holder takes from the lane")
        return super().popleft()


class Taking(Actor):
    """Notes what it handles; what a message does is up to the message."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.inside = False
        self.got: list[Any] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if self.inside:
            self.stage.conductor.violation(f"two at once: {message}")
        self.inside = True
        number, act = message if isinstance(message, tuple) else (message, None)
        if act is not None:
            act(self)
        if sender is not None and act is None:
            self.send(sender, number)
        self.got.append(number)
        self.inside = False


class Stage:
    """A runtime with three actors, ``a``, ``b`` and ``c``, in one run of the conductor."""

    def __init__(self, baton_class: type[Baton], conductor: Conductor) -> None:
        self.conductor = conductor
        self.woken = conductor_module.Event(conductor)
        ids = iter(range(1, 99))
        ports: dict[str, Any] = {
            "clock": SimpleNamespace(now=lambda: 0.0, wall=lambda: 0.0),
            "random": SimpleNamespace(stream=random.Random),
            "outbound": SimpleNamespace(post=lambda *_: None),
            "placement": lambda *_: ("s@0", 1),
        }
        self.runtime = Runtime(system="s@0", number=1, **ports)
        lane = Lane()
        lane.stage = self
        self.runtime.lane = lane
        self.runtime.append = lane.append
        self.baton = baton_class(self.runtime, self)
        self.baton.pool = SimpleNamespace(  # type: ignore[assignment]
            name="pool",
            starved=False,
            submit=self._submit,
            submit_now=self._submit,
            exempt=lambda _: None,
            close=lambda _: [],
        )
        for executor in (self.baton._waiters, self.baton._burners):
            executor._pool = self.baton.pool
        self._spare = (f"spare-{next(ids)}" for _ in range(90))
        self.a, self.b, self.c = self._actor(), self._actor(), self._actor()
        self.expected: dict[str, list[Any]] = {}
        self.stops = False

    def _submit(self, job: Callable[[], None], _group: Any = None) -> None:
        first = not any(player.name == "holder" for player in self.conductor.players)
        self.conductor.player("holder" if first else next(self._spare), job)

    def _actor(self) -> Cell:
        runtime = self.runtime
        address: Address[Any] = Address("s@0", 1, runtime.next_serial())
        cell = runtime.new_cell(address, Spec(Taking), runtime.address)
        actor = Taking(self)
        actor._cell, actor.address = cell, address
        cell.actor, cell.handle, cell.state = actor, actor.receive, RUNNING
        return cell

    # --- the poller ---------------------------------------------------------------------------------------------------

    def poll(self, timeout: float | None) -> None:
        self.woken.wait()
        self.woken.clear()

    def wake(self) -> None:
        self.woken.set()

    def busy(self) -> None:
        pass

    def close(self) -> None:
        pass

    def stop(self) -> None:
        """End its threads, when nothing is left to do."""
        self.baton.stop(1.0)

    # --- what scenes are made of -----------------------------------------------------------------------------------------

    def put(self, cell: Cell, *messages: Any) -> None:
        """Into the lane before anybody runs."""
        for message in messages:
            self.runtime.append((cell, message, None))

    def send(self, cell: Cell, *messages: Any) -> None:
        """As a thread of the program does."""
        for message in messages:
            self.runtime.route(cell.address, message, None)

    def check(self) -> None:
        """Nobody can go on: is everything done?"""
        if self.stops:
            return
        for name, wanted in self.expected.items():
            got = getattr(self, name).actor.got
            if got != wanted:
                self.conductor.violation(f"{name} handled {got} instead of {wanted}")
        if self.runtime.lane:
            self.conductor.violation("the lane is not empty, and nobody runs it")


class Theatre:
    """Makes runs of one scene.

    Args:
        scene: puts messages into a stage, and says what other threads do.
        baton_class: of the scheduler.
        stage_class: of the stage.
        watched: files at each line of which the turn may change, besides the one of the scene.
        learn: makes each take-over show that the class waits, so that its actors move to the pool.
        fine: change turns at every instruction.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        baton_class: type[Baton] = Baton,
        stage_class: type[Stage] = Stage,
        watched: frozenset[str] = WATCHED,
        learn: bool = False,
        fine: bool = False,
    ) -> None:
        self.scene = scene
        self.baton_class = baton_class
        self.stage_class = stage_class
        self.watched = watched | {inspect.getfile(scene)}
        self.learn = learn
        self.fine = fine

    def run(self, plan: list[Switch]) -> Outcome:
        conductor = Conductor(plan, self.watched, IGNORED, fine=self.fine)
        ticks = iter(range(10_000))
        baton_module.threading = SimpleNamespace(  # type: ignore[assignment, attr-defined]
            # Threads of other tests' systems may still be about: they get the real things.
            Lock=lambda: conductor_module.Lock(conductor) if conductor.mine() else threading.Lock(),
            Event=lambda: conductor_module.Event(conductor) if conductor.mine() else threading.Event(),
            Thread=lambda **_: SimpleNamespace(start=lambda: None, join=lambda _: None),
            get_ident=threading.get_ident,
            main_thread=threading.main_thread,
            TIMEOUT_MAX=threading.TIMEOUT_MAX,
        )
        baton_module.time = SimpleNamespace(  # type: ignore[assignment, attr-defined]
            sleep=conductor.nap, monotonic=lambda: float(next(ticks)) if self.learn else 0.0
        )
        try:
            self._act(conductor)
        finally:
            baton_module.threading = threading  # type: ignore[attr-defined]
            baton_module.time = time  # type: ignore[attr-defined]
            conductor.close()
        return conductor.outcome

    def _act(self, conductor: Conductor) -> None:
        stage = self.stage_class(self.baton_class, conductor)
        others = self.scene(stage)
        stage.baton._give_baton()
        conductor.player("monitor", stage.baton._watch)
        for name, call in others.items():
            conductor.player(name, call)
        if not conductor.play():
            conductor.violation("stuck in something that the conductor does not know")
            return
        stage.check()
        if not stage.stops:
            conductor.player("stopper", stage.stop)
            conductor.play()
        left = [player.name for player in conductor.players if not player.over]
        if left:
            conductor.violation(f"does not end: {', '.join(left)}")


def one_processor() -> Iterator[None]:
    """One thread runs at a time anyway; to wake it on another processor would take longer than what it does."""
    before = sorted(os.sched_getaffinity(0))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    os.sched_setaffinity(0, {before[worker % len(before)]})
    yield
    os.sched_setaffinity(0, before)


def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(baton_module, "QUIET_LOOKS", 1)
    monkeypatch.setattr(
        baton_module, "PATIENCE", 0
    )  # more can happen so, and in fewer steps; see below for the default
    monkeypatch.setattr(conductor_module, "NAPS", conductor_module.NAPS + PATIENCE)
    monkeypatch.setattr(baton_module, "thread_cpu", lambda _thread: 0.0)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def explore(theatre: Theatre, threads: list[tuple[str, str]], stride: int) -> tuple[int, list[str]]:
    """How many runs, and what the first bad one did; ``threads`` says which pairs of them change with one another."""
    naps = 2 + baton_module.PATIENCE  # so the monitor looks often enough to take the baton at any place
    runs = 0
    for leaver, follower in threads:
        before = runs
        for plan, outcome in pairs(leaver, follower, theatre.run, stride=stride, naps=naps):
            runs += 1
            if outcome.violations:
                return runs, [*outcome.violations, f"plan: {plan}"]
        if runs - before < 2:
            return runs, [f"{leaver} never stops where {follower} can go on: such a pair explores nothing"]
    return runs, []
