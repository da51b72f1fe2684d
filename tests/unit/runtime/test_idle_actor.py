"""What an actor costs that does nothing: counted in bytes, by what the interpreter has allocated for it."""

from __future__ import annotations

import gc
import time
import tracemalloc
from typing import Any

from garrick import Actor, ActorSystem, Address
from garrick.runtime.signals import NOTHING, Spec

ACTORS = 2000
AIM = 750
"""Bytes."""


class Idle(Actor):
    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        pass


class Idler(Idle):
    pass


class Crowd(Actor):
    """Makes so many idle actors and answers."""

    def receive(self, message: int, sender: Address[Any] | None) -> None:
        for _ in range(message):
            self.spawn(Idle)
        self.reply(message)


def test_an_idle_actor_stays_within_its_budget() -> None:
    with ActorSystem("local") as system:
        crowd = system.spawn(Crowd)
        system.ask(crowd, 100)  # what is made once
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            system.ask(crowd, ACTORS, timeout=60)
            system.ask(crowd, 0)  # behind their starts
            deadline = time.monotonic() + 20
            while True:
                gc.collect()
                each = (tracemalloc.get_traced_memory()[0] - before) / ACTORS
                # Under backlog actors take turns, and some may start behind the second answer.
                if each <= AIM or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        finally:
            tracemalloc.stop()
    assert 0 < each <= AIM


def test_actors_without_arguments_share_their_spec() -> None:
    plain = Spec.of(Idle, (), {}, None, None, None, "shared", None)
    assert plain == Spec(Idle)
    assert Spec.of(Idle, (), {}, None, {}, None, "shared", None) is plain
    assert Spec.of(Idler, (), {}, None, None, None, "shared", None) == Spec(Idler)
    assert Spec.of(Idle, (1,), {"a": 2}, "name", {"gpu": 1}, None, "thread", None) == Spec(
        Idle, (1,), {"a": 2}, "name", {"gpu": 1}, None, "thread"
    )
    assert not NOTHING
