"""The baton's protocol, with a change of threads forced at every line of it: see ``conductor.py`` and docs/explanation/baton.md.

Real threads run the real `Baton` and `Runtime`; only locks, events and the poller are the conductor's, so that blocking means to give
the turn away. After every run: one holder, each message handled once, in order, never two at once, and nobody stuck.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from garrick.runtime import baton as baton_module
from garrick.runtime.baton import Baton, Tenure
from garrick.runtime.cell import Cell
from tests.unit.runtime import conductor as conductor_module
from tests.unit.runtime.stage import Stage, Taking, Theatre, explore, fast, one_processor

_one_processor = pytest.fixture(autouse=True)(one_processor)
_fast = pytest.fixture(autouse=True)(fast)

PATIENCE = baton_module.PATIENCE


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
    "blocked": [("holder", "monitor"), ("monitor", "spare-1")],
    "inline": [("holder", "monitor"), ("holder", "sender")],
    "asks": [("holder", "monitor"), ("holder", "sender")],
    "asks_and_blocks": [("holder", "monitor"), ("monitor", "sender")],
    "inline_blocked": [("holder", "monitor"), ("monitor", "spare-1")],
    "waits": [("holder", "monitor"), ("holder", "spare-1")],
    "sleep": [("holder", "sender"), ("sender", "holder"), ("holder", "monitor")],
    "end": [("holder", "stopper"), ("stopper", "monitor")],
}


@pytest.mark.parametrize("learn", [False, True], ids=["", "learning"])
@pytest.mark.parametrize("scene", [scene for scene in SCENES if not scene.startswith("asks")])
def test_any_two_threads_may_change_at_any_two_lines(scene: str, learn: bool) -> None:
    runs, bad = explore(Theatre(SCENES[scene], learn=learn), PAIRS[scene], stride=29)
    assert bad == []
    assert runs > 50, "there must be something to explore"


@pytest.mark.parametrize("learn", [False, True], ids=["", "learning"])
@pytest.mark.parametrize("scene", PATIENT)
def test_the_same_with_a_patient_monitor(monkeypatch: pytest.MonkeyPatch, scene: str, learn: bool) -> None:
    monkeypatch.setattr(baton_module, "PATIENCE", PATIENCE)
    runs, bad = explore(Theatre(SCENES[scene], learn=learn), PAIRS[scene], stride=89)
    assert bad == []
    assert runs > 50, "there must be something to explore"


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fine", [False, True], ids=["lines", "instructions"])
@pytest.mark.parametrize("learn", [False, True], ids=["", "learning"])
@pytest.mark.parametrize("scene", SCENES)
def test_every_pair_of_places(scene: str, learn: bool, fine: bool) -> None:
    _, bad = explore(Theatre(SCENES[scene], learn=learn, fine=fine), PAIRS[scene], stride=3 if fine else 1)
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
    _, bad = explore(Theatre(SCENES[scene], baton_class=baton_class), PAIRS[scene], stride=5)
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
    _, bad = explore(Theatre(SCENES[scene], baton_class=baton_class), PAIRS[scene], stride=5)
    assert bad != []
