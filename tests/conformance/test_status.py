"""The status is plain data that says who is there, what waits where, and what was lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from garrick import ActorSystem
from garrick.inbox import Inbox
from tests.conformance.actors import Consult, Echo, Gate, Make, Parent, Wait
from tests.conformance.dispatch_actors import Dispatcher
from tests.conformance.waiting_actors import Blocker


def actors(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The actors of all processes by address."""
    return {actor["address"]: actor for actor in status["actors"]}


def test_the_status_names_system_and_capabilities(system: ActorSystem) -> None:
    found = system.status()
    json.dumps(found)  # plain data
    assert found["system"].startswith(f"{system.name}@")


def test_every_actor_is_there_with_class_name_state_and_parent(system: ActorSystem) -> None:
    parent = system.spawn(Parent, name="top")
    child = system.ask(parent, Make(Echo))
    found = actors(system.status())
    top, below = found[str(parent)], found[str(child)]
    assert (top["class"], top["name"], top["state"]) == ("tests.conformance.actors.Parent", "top", "running")
    assert (below["class"], below["name"], below["parent"]) == ("tests.conformance.actors.Echo", None, str(parent))
    system.stop_actor(parent)
    left = actors(system.status())
    assert str(parent) not in left
    assert str(child) not in left


@pytest.mark.real_time("the program goes on there only when the handlers are over")
def test_what_waits_and_for_whom(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    asker, blocked = system.spawn(Parent), system.spawn(Blocker)
    inbox.send(asker, Consult(blocked, Wait(gate)))
    waits = status_when(system, lambda found: found[str(asker)]["waits_for"] and found[str(blocked)]["busy"])
    assert waits[str(asker)]["waits_for"] == str(blocked)
    for number in range(3):
        inbox.send(blocked, number)
        inbox.send(asker, str(number))
    status_when(system, lambda found: found[str(asker)]["mailbox"] == 3 and found[str(blocked)]["mailbox"] == 3)
    gate.open()
    assert [inbox.receive(20) for _ in range(3)] == [0, 1, 2]


def status_when(system: ActorSystem, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The actors of the first status that shows it."""
    found: dict[str, Any] = {}
    for _ in range(1000):
        found = actors(system.status())
        if holds(found):
            return found
    pytest.fail(f"the status never shows it: {found}")


def test_dead_letters_with_reasons(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target = system.spawn(Dispatcher)
    system.send(target, "a text")
    letters.receive(10)
    found = system.status()["dead_letters"]
    assert found["by_reason"]["unhandled"] >= 1
    (newest,) = [entry["letter"] for entry in found["newest"] if entry["letter"]["target"] == str(target)]
    assert (newest["reason"], newest["message"]) == ("unhandled", "str")
