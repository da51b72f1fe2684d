"""A handler may block: nobody else waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import ActorSystem
from garrick.inbox import Inbox
from tests.conformance.actors import Chain, Consult, Echo, Gate, Get, Make, Parent, Recorder, Wait
from tests.conformance.waiting_actors import BlockedStart, Blocker

pytestmark = pytest.mark.concurrency


def siblings(system: ActorSystem, *actor_classes: type, args: tuple[Any, ...] = ()) -> list[Any]:
    """Actors in one process: children of one parent."""
    parent = system.spawn(Parent)
    return [system.ask(parent, Make(actor_class, args)) for actor_class in actor_classes]


def test_others_of_the_process_answer_while_one_sleeps(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    blocked, neighbour = siblings(system, Blocker, Echo)
    inbox.send(blocked, Wait(gate))
    for number in range(50):
        inbox.send(neighbour, number)
    assert [inbox.receive(10) for _ in range(50)] == list(range(50))
    gate.open()
    assert inbox.receive(20) == "waited"


def test_many_may_sleep_at_the_same_time(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    *blocked, neighbour = siblings(system, *[Blocker] * 20, Echo)
    for each in blocked:
        inbox.send(each, Wait(gate))
    inbox.send(neighbour, "meanwhile")
    assert inbox.receive(10) == "meanwhile"
    gate.open()
    assert [inbox.receive(20) for _ in blocked] == ["waited"] * 20


def test_messages_wait_their_turn_behind_a_sleeping_handler(system: ActorSystem, gate: Gate) -> None:
    (actor,) = siblings(system, Recorder)
    system.send(actor, 1)
    system.send(actor, Wait(gate))
    system.send(actor, 2)
    gate.open()
    assert system.ask(actor, Get()) == [1, 2]


def test_an_actor_may_block_while_it_is_made(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    parent = system.spawn(Parent)
    blocked = system.ask(parent, Make(BlockedStart, (gate,)))
    neighbour = system.ask(parent, Make(Echo))
    inbox.send(neighbour, "meanwhile")
    assert inbox.receive(10) == "meanwhile"
    gate.open()
    assert len(system.ask(blocked, Get())) == 2


@pytest.mark.parametrize("calls", [1, 30])
def test_chains_of_waiting_handlers_in_one_process(system: ActorSystem, calls: int) -> None:
    parent = system.spawn(Parent)
    last = system.ask(parent, Make(Chain))
    for _ in range(3):
        last = system.ask(parent, Make(Chain, (last,)))
    replies = [system._runtime.ask(last, number, 20) for number in range(calls)]
    assert [reply.result() for reply in replies] == [number + 3 for number in range(calls)]


def test_waiting_for_an_answer_lets_the_asked_one_block(system: ActorSystem, gate: Gate) -> None:
    asker, blocked = siblings(system, Parent, Blocker)
    reply = system._runtime.ask(asker, Consult(blocked, Wait(gate)), 20)
    gate.open()
    assert reply.result() == "waited"


def test_a_chain_longer_than_the_stack_of_inline_asks(system: ActorSystem) -> None:
    parent = system.spawn(Parent)
    last = system.ask(parent, Make(Chain))
    for _ in range(40):
        last = system.ask(parent, Make(Chain, (last,)))
    assert system.ask(last, 0, timeout=20) == 40


@pytest.mark.real_time("sim is sequential by its nature")
def test_others_answer_while_one_burns(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    burning, neighbour = siblings(system, Blocker, Echo)
    inbox.send(burning, Make(None, (gate,)))
    for number in range(20):
        inbox.send(neighbour, number)
    assert [inbox.receive(10) for _ in range(20)] == list(range(20))
    gate.open()
    assert inbox.receive(20) == "burnt"
