"""What users of this API have complained of, as the programs that they might have sent along."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import complaining
import pytest
from houses import Start

from thespian.actors import ActorSystem


def until(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return found


@pytest.mark.parametrize("how", complaining.SIGNALS)
def test_a_parent_hears_of_the_death_of_its_child(start: Start, how: str) -> None:
    asys = start("multiprocTCPBase")
    parent = asys.createActor(complaining.Parent)
    child = asys.ask(parent, "adopt", 5)
    pid = asys.ask(child, "pid", 5)
    os.kill(pid, complaining.SIGNALS[how])
    assert until(lambda: asys.ask(parent, "exited", 5), 5) == [str(child)]
    assert asys.ask(asys.ask(parent, "adopt", 5), "pid", 5) != pid


def test_a_fan_out_of_large_messages_leaves_the_system_open_for_others(asys: ActorSystem) -> None:
    coordinator, outsider = asys.createActor(complaining.Coordinator), asys.createActor(complaining.Child)
    asys.tell(coordinator, (60, 100_000))
    while asys.ask(coordinator, "progress", 10) < 60:
        assert asys.ask(outsider, "pid", 10)


def test_a_thousand_answers_to_one_actor(asys: ActorSystem) -> None:
    registrar = asys.createActor(complaining.Registrar)
    asys.tell(registrar, 1000)
    until(lambda: asys.ask(registrar, "progress", 10) == 1000, 30)


def test_twenty_actors_at_a_hundred_hertz(start: Start) -> None:
    asys = start("multiprocQueueBase")
    sink = asys.createActor(complaining.Sink)
    for ticker in [asys.createActor(complaining.Ticker) for _ in range(20)]:
        asys.tell(ticker, (sink, 0.01, 100))
    until(lambda: asys.ask(sink, "progress", 5) == (2000, 0), 30)
