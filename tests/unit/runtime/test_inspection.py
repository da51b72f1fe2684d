"""Questions of an operator hold up nobody, and remember no more than they should."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from garrick import Actor, ActorSystem
from garrick.runtime.doing import doing
from garrick.runtime.history import ENDED_KEPT, FAILURES_KEPT, LETTERS_KEPT
from garrick.runtime.inspection import CHUNK, QUESTIONS, Steps, in_steps
from garrick.runtime.runtime import Runtime
from garrick.runtime.status import status


class Blocked(Actor):
    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, str):
            self.gate.wait(20)


class Idle(Actor):
    def __init__(self, held: Any = None) -> None:
        self.held = held

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, list):
            raise RuntimeError("fails with what its frame holds")  # noqa: TRY004


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem("local") as system:
        yield system


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def ask(runtime: Runtime, steps: Callable[[Callable[[Any], None]], Steps], between: Callable[[Any], None]) -> Any:
    """The answer to a question, asked while ``between`` is already behind it in the lane."""
    gate, answered = threading.Event(), threading.Event()
    answers: list[Any] = []

    def answer(value: Any) -> None:
        answers.append(value)
        answered.set()

    runtime.post(lambda _: gate.wait(20) and None, None)
    runtime.post(lambda _: in_steps(runtime, steps(answer)), None)
    runtime.post(between, None)
    gate.set()
    assert answered.wait(20)
    return answers[0]


def test_what_a_handler_works_on_is_not_what_came_last(system: ActorSystem) -> None:
    gate = threading.Event()
    actor = system.spawn(Blocked, gate)
    try:
        system.send(actor, "blocks")
        cell = system._runtime.cells[actor.serial]
        until(lambda: bool(cell.busy))  # another thread has the baton
        for number in range(3):
            system.send(actor, number)  # the last thing that it sees, before it rests
        until(lambda: len(cell.queue or ()) == 3)
        for _ in range(20):
            found = doing(cell)
            assert found is not None
            assert (found["message"], "gate.wait" in found["stack"]) == ("str", True)
    finally:
        gate.set()


QUESTION: dict[str, Callable[[Runtime, Callable[[Any], None]], Steps]] = {
    "list": lambda runtime, answer: QUESTIONS["list"](runtime, {"limit": 3, "sort": "address"}, answer),
    "find": lambda runtime, answer: QUESTIONS["find"](runtime, {"reference": "nobody"}, answer),
    "status": status,
}


@pytest.mark.parametrize("what", QUESTION)
def test_a_question_about_many_actors_lets_other_work_pass(system: ActorSystem, what: str) -> None:
    runtime = system._runtime
    for _ in range(3 * CHUNK):
        system.spawn(Idle, wait=False)
    until(lambda: len(runtime.cells) == 3 * CHUNK)
    order: list[str] = []

    def steps(answer: Callable[[Any], None]) -> Steps:
        def told(value: Any) -> None:
            order.append("answer")
            answer(value)

        return QUESTION[what](runtime, told)

    found = ask(runtime, steps, lambda _: order.append("other work"))
    assert order == ["other work", "answer"]
    if what == "list":
        assert (len(found["rows"]), found["matched"]) == (3, 3 * CHUNK)


def test_what_is_remembered_is_bounded_and_keeps_no_object_alive(system: ActorSystem) -> None:
    class Held(list):  # type: ignore[type-arg]
        pass

    runtime, history = system._runtime, system._runtime.history
    held = Held()
    gone, argument = weakref.ref(held), Held()
    gone_too = weakref.ref(argument)
    stopped = system.spawn(Idle, argument)
    system.stop_actor(stopped)
    del stopped, argument
    idle = system.spawn(Idle)
    system.send(idle, held)
    until(lambda: bool(history.failures))
    del held
    for _ in range(FAILURES_KEPT + 10):
        history.failed(idle._cell, 0.0, "list", ValueError())
    for _ in range(ENDED_KEPT + 10):
        system.spawn(Idle, wait=False)
        history.ended(idle._cell, 0.0, "stopped", "")
    history.ended(idle._cell, 1.0, "failed", "")
    for number in range(LETTERS_KEPT + 10):
        runtime.dead_letter(idle, number, None, "test")
    assert (len(history.failures), len(history.stopped), len(history.letters)) == (
        FAILURES_KEPT,
        ENDED_KEPT,
        LETTERS_KEPT,
    )
    assert [ended.reason for ended in history.lost] == ["failed"]
    until(lambda: gc.collect() >= 0 and gone() is None and gone_too() is None)
