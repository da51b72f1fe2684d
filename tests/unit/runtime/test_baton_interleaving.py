"""The baton's protocol, with a change of threads forced at every line of it: see ``conductor.py`` and docs/explanation/baton.md.

Real threads run the real `Baton` and `Runtime`; only locks, events and the poller are the conductor's, so that blocking means to give
the turn away. After every run: one holder, each message handled once, in order, never two at once, and nobody stuck.
"""

from __future__ import annotations

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
from garrick.runtime.baton import Baton, Tenure
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


# --- scenes ---------------------------------------------------------------------------------------------------------------


def takeover(stage: Stage) -> dict[str, Callable[[], object]]:
    """Handlers that are short, but may be taken over anywhere."""
    stage.put(stage.a, 1, 2)
    stage.put(stage.b, 1)
    stage.expected = {"a": [1, 2], "b": [1]}
    return {}


def blocked(stage: Stage) -> dict[str, Callable[[], object]]:
    """A handler that waits for the next one's, which the monitor alone can let run."""
    event = conductor_module.Event(stage.conductor)
    stage.put(stage.a, (1, lambda _: event.wait()), 2)
    stage.put(stage.b, (1, lambda _: event.set()), 2)
    stage.expected = {"a": [1, 2], "b": [1, 2]}
    return {}


def inline(stage: Stage) -> dict[str, Callable[[], object]]:
    """A handler that asks an idle actor, while others send to both."""
    stage.put(stage.a, (1, lambda actor: actor.ask(stage.b.address, 7).result()))
    stage.expected = {"a": [1, 2], "b": [7]}
    return {"sender": lambda: stage.send(stage.a, 2)}


def asks(stage: Stage) -> dict[str, Callable[[], object]]:
    """A handler that asks inline again and again, so it may keep the baton for some looks."""

    def act(actor: Taking) -> None:
        for number in (7, 8):
            actor.ask(stage.b.address, number).result()

    stage.put(stage.a, (1, act))
    stage.expected = {"a": [1, 2], "b": [7, 8]}
    return {"sender": lambda: stage.send(stage.a, 2)}


def asks_and_blocks(stage: Stage) -> dict[str, Callable[[], object]]:
    """The same, but then it waits for an actor that only another holder can let run."""
    event = conductor_module.Event(stage.conductor)

    def act(actor: Taking) -> None:
        actor.ask(stage.b.address, 7).result()
        event.wait()

    def send() -> None:
        stage.send(stage.c, (1, lambda _: event.set()))
        stage.send(stage.a, 2)

    stage.put(stage.a, (1, act))
    stage.expected = {"a": [1, 2], "b": [7], "c": [1]}
    return {"sender": send}


def inline_blocked(stage: Stage) -> dict[str, Callable[[], object]]:
    """The asked one blocks until the asker's next message is there, on another thread."""
    event = conductor_module.Event(stage.conductor)
    stage.put(stage.a, (1, lambda actor: actor.ask(stage.b.address, 7).result()), 2)
    stage.put(stage.b, (6, lambda _: event.wait()))
    stage.expected = {"a": [1, 2], "b": [6, 7]}
    return {"sender": event.set}


def waits(stage: Stage) -> dict[str, Callable[[], object]]:
    """A handler that asks one that has something waiting, so it gives the baton away by itself."""
    stage.put(stage.a, (1, lambda actor: actor.ask(stage.b.address, 7).result()), 2)
    stage.put(stage.b, 6)
    stage.expected = {"a": [1, 2], "b": [6, 7]}
    return {}


def sleep(stage: Stage) -> dict[str, Callable[[], object]]:
    """Nothing is there at first: messages come while holder and monitor fall asleep."""
    stage.expected = {"a": [1, 2]}
    return {"sender": lambda: stage.send(stage.a, 1, 2)}


def end(stage: Stage) -> dict[str, Callable[[], object]]:
    """The system is stopped at any moment."""
    stage.put(stage.a, 1)
    stage.stops = True
    return {"stopper": lambda: stage.baton.stop(1.0)}


SCENES = {
    scene.__name__: scene
    for scene in (takeover, blocked, inline, asks, asks_and_blocks, inline_blocked, waits, sleep, end)
}
PATIENT = ("inline", "asks", "asks_and_blocks")
"""Scenes with handlers that ask inline, which the monitor leaves the baton for some looks."""
PAIRS = {
    "takeover": [("holder", "monitor")],
    "blocked": [("holder", "monitor"), ("monitor", "holder")],
    "inline": [("holder", "monitor"), ("holder", "sender")],
    "asks": [("holder", "monitor"), ("holder", "sender")],
    "asks_and_blocks": [("holder", "monitor"), ("monitor", "sender")],
    "inline_blocked": [("holder", "monitor"), ("monitor", "spare-1")],
    "waits": [("holder", "monitor"), ("holder", "spare-1")],
    "sleep": [("holder", "sender"), ("sender", "holder"), ("holder", "monitor")],
    "end": [("holder", "stopper"), ("stopper", "holder"), ("stopper", "monitor")],
}


class Theatre:
    """Makes runs of one scene; ``learn`` makes each take-over show that the class waits, so that its actors move to the pool."""

    def __init__(
        self, scene: str, *, baton_class: type[Baton] = Baton, learn: bool = False, fine: bool = False
    ) -> None:
        self.scene = SCENES[scene]
        self.baton_class = baton_class
        self.learn = learn
        self.fine = fine

    def run(self, plan: list[Switch]) -> Outcome:
        conductor = Conductor(plan, WATCHED, IGNORED, fine=self.fine)
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
        stage = Stage(self.baton_class, conductor)
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
            conductor.player("stopper", lambda: stage.baton.stop(1.0))
            conductor.play()
        left = [player.name for player in conductor.players if not player.over]
        if left:
            conductor.violation(f"does not end: {', '.join(left)}")


@pytest.fixture(autouse=True)
def _one_processor() -> Iterator[None]:
    """One thread runs at a time anyway; to wake it on another processor would take longer than what it does."""
    before = sorted(os.sched_getaffinity(0))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    os.sched_setaffinity(0, {before[worker % len(before)]})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(baton_module, "QUIET_LOOKS", 1)
    monkeypatch.setattr(
        baton_module, "PATIENCE", 0
    )  # more can happen so, and in fewer steps; see below for the default
    monkeypatch.setattr(conductor_module, "NAPS", conductor_module.NAPS + PATIENCE)
    monkeypatch.setattr(baton_module, "thread_cpu", lambda _thread: 0.0)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def explore(theatre: Theatre, scene: str, stride: int) -> tuple[int, list[str]]:
    """How many runs, and what the first bad one did."""
    naps = 2 + baton_module.PATIENCE  # so the monitor looks often enough to take the baton at any place
    runs = 0
    for leaver, follower in PAIRS[scene]:
        for plan, outcome in pairs(leaver, follower, theatre.run, stride=stride, naps=naps):
            runs += 1
            if outcome.violations:
                return runs, [*outcome.violations, f"plan: {plan}"]
    return runs, []


@pytest.mark.parametrize("learn", [False, True], ids=["", "learning"])
@pytest.mark.parametrize("scene", [scene for scene in SCENES if not scene.startswith("asks")])
def test_any_two_threads_may_change_at_any_two_lines(scene: str, learn: bool) -> None:
    runs, bad = explore(Theatre(scene, learn=learn), scene, stride=29)
    assert bad == []
    assert runs > 50, "there must be something to explore"


@pytest.mark.parametrize("learn", [False, True], ids=["", "learning"])
@pytest.mark.parametrize("scene", PATIENT)
def test_the_same_with_a_patient_monitor(monkeypatch: pytest.MonkeyPatch, scene: str, learn: bool) -> None:
    monkeypatch.setattr(baton_module, "PATIENCE", PATIENCE)
    runs, bad = explore(Theatre(scene, learn=learn), scene, stride=89)
    assert bad == []
    assert runs > 50, "there must be something to explore"


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fine", [False, True], ids=["lines", "instructions"])
@pytest.mark.parametrize("learn", [False, True], ids=["", "learning"])
@pytest.mark.parametrize("scene", SCENES)
def test_every_pair_of_places(scene: str, learn: bool, fine: bool) -> None:
    _, bad = explore(Theatre(scene, learn=learn, fine=fine), scene, stride=3 if fine else 1)
    assert bad == []


# --- the test of the test -------------------------------------------------------------------------------------------------


class NoLock(Baton):
    def lost_baton(self, tenure: Tenure) -> bool:
        if not tenure.taken:
            tenure.lost = False
            return False
        self._reattach(threading.get_ident())
        return True


class ReadsFirst(Baton):
    def _take(self, tenure: Tenure, seen: Any) -> bool:
        with self._lock:
            if tenure.envelope is not seen or tenure.taken:
                return False
            tenure.lost = True
            self._detach(tenure, seen[0])
        return True


class TakesTwice(Baton):
    def _yield(self, tenure: Tenure) -> None:
        with self._lock:
            tenure.lost = True
            self._detach(tenure, tenure.envelope[0])


class ForgetsToHold(Baton):
    def _detach(self, tenure: Tenure, cell: Cell) -> None:
        tenure.taken = True
        self.hand_overs += 1
        self._give_baton()


class SleepsOn(Baton):
    def _rest(self) -> bool:
        if self._stopping:
            self._ended.set()
            return False
        if self.runtime.lane:
            return True
        self.runtime.idle = True
        self.poller.poll(None)
        self.runtime.idle = False
        return True


class ActsDetached(Baton):
    """As `Baton` did once: the outer step is visible to the monitor before its actor is free again."""

    def _resume(self, tenure: Tenure, saved: Any) -> None:
        outer = saved[0]
        tenure.envelope = saved
        outer.busy = False
        if not outer.queue and not outer.pinned:
            outer.queue = None


@pytest.mark.parametrize(
    ("baton_class", "scene"),
    [
        (NoLock, "takeover"),
        (ReadsFirst, "takeover"),
        (TakesTwice, "waits"),
        (ForgetsToHold, "takeover"),
        (SleepsOn, "sleep"),
        (ActsDetached, "inline"),
    ],
)
def test_a_planted_mistake_is_found(baton_class: type[Baton], scene: str) -> None:
    _, bad = explore(Theatre(scene, baton_class=baton_class), scene, stride=5)
    assert bad != []


class NeverTakes(Baton):
    """The patience with a step that asks inline has no end."""

    def _look(self, seen: Any) -> tuple[Any, bool]:
        return super()._look(seen if self.runtime.tenure.answered == 0 else None)


@pytest.mark.parametrize(("baton_class", "scene"), [(ActsDetached, "inline"), (NeverTakes, "asks_and_blocks")])
def test_it_is_found_with_a_patient_monitor(
    monkeypatch: pytest.MonkeyPatch, baton_class: type[Baton], scene: str
) -> None:
    monkeypatch.setattr(baton_module, "PATIENCE", PATIENCE)
    _, bad = explore(Theatre(scene, baton_class=baton_class), scene, stride=5)
    assert bad != []
