"""A handler that asks others on its own stack, again and again: it keeps the baton, and nobody has to wait for it for long."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, on
from garrick.runtime.baton import PATIENCE, Baton, Tenure
from garrick.runtime.poller import WakePoller

SECONDS = 10.0


class Echo(Actor):
    @on
    def number(self, message: int) -> int:
        return message


class Asker(Actor):
    """Asks until somebody else has been heard of; the answer is how often, or -1."""

    @on
    def ask_until(self, message: tuple[Address[int], threading.Event]) -> int:
        echo, heard = message
        deadline = time.monotonic() + SECONDS
        asked = 0
        while not heard.is_set():
            assert self.ask(echo, asked).result() == asked
            asked += 1
            if time.monotonic() > deadline:
                return -1
        return asked


class Ticking(Actor):
    """Sets what it is given, by a timer."""

    @on
    def arm(self, message: threading.Event) -> None:
        self.heard = message
        self.after(0.02, "now")

    @on
    def tick(self, _: str) -> None:
        self.heard.set()


@pytest.mark.parametrize("by_timer", [False, True])
def test_others_are_heard_meanwhile(by_timer: bool) -> None:
    with ActorSystem("local") as system:
        asker, echo, other = system.spawn(Asker), system.spawn(Echo), system.spawn(Ticking)
        heard = threading.Event()
        if by_timer:
            system.send(other, heard)
        asking = system._runtime.ask(asker, (echo, heard), SECONDS + 5)
        if not by_timer:
            time.sleep(0.02)
            system.send(other, heard)
        assert asking.result() > 0


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A monitor's looks at one step, by hand; True when it takes the baton."""
    tenure, step = Tenure(), object()
    tenure.envelope = step
    runtime: Any = SimpleNamespace(tenure=tenure, lane=[])
    baton = Baton(runtime, WakePoller())
    monkeypatch.setattr(baton, "_take", lambda *_: True)
    return lambda: baton._look(step)[1], tenure, runtime.lane


def test_a_step_that_asks_is_not_taken_while_nobody_waits(looks: Any) -> None:
    look, tenure, lane = looks
    for number in range(20):
        tenure.answered = number + 1
        lane[:] = [object()]  # its own question, another one each time
        assert not look()
    assert [look() for _ in range(PATIENCE)] == [True] * PATIENCE  # the last of them stays there: somebody waits


def test_a_step_that_has_stopped_asking_is_taken_after_a_while(looks: Any) -> None:
    look, tenure, _ = looks
    assert look()
    tenure.answered = 1
    assert [look() for _ in range(PATIENCE + 1)] == [False] * PATIENCE + [True]
