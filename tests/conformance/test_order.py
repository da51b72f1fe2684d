"""Messages from A to B are handled in the order in which A sent them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, Address
from garrick.inbox import Inbox
from tests.conformance.actors import (
    Burst,
    Consult,
    Echo,
    Gate,
    Get,
    Hasty,
    Make,
    Parent,
    Pass,
    Recorder,
    SlowStart,
    Wait,
)
from tests.conformance.waiting_actors import Async

pytestmark = pytest.mark.concurrency

COUNT = 1000
NUMBERS = list(range(COUNT))


def await_seen(system: ActorSystem, target: Address[Any], count: int) -> list[Any]:
    """What the target has got, once it is ``count`` messages; the program's asks have no order with them."""
    seen: list[Any] = []
    with system.inbox() as nothing:
        for _ in range(2000):
            seen = system.ask(target, Get())
            if len(seen) >= count:
                return seen
            with contextlib.suppress(TimeoutError):
                nothing.receive(0.001)  # who asks without a pause may keep others from their turn
    pytest.fail(f"only {len(seen)} messages came")


def test_a_thousand_messages_between_two_actors(system: ActorSystem) -> None:
    target, source = system.spawn(Recorder), system.spawn(Burst)
    system.ask(source, Pass(target, "a", COUNT))
    assert await_seen(system, target, COUNT) == [("a", number) for number in NUMBERS]


def test_a_thousand_messages_from_the_program(system: ActorSystem) -> None:
    target = system.spawn(Recorder)
    for number in NUMBERS:
        system.send(target, number)
    assert system.ask(target, Get()) == NUMBERS


def test_several_senders_keep_their_own_order(system: ActorSystem) -> None:
    target = system.spawn(Recorder)
    sources = [system.spawn(Burst) for _ in range(4)]
    replies = [system._runtime.ask(s, Pass(target, i, COUNT), 30) for i, s in enumerate(sources)]
    for reply in replies:
        reply.result()
    seen = await_seen(system, target, 4 * COUNT)
    for i in range(4):
        assert [number for source, number in seen if source == i] == NUMBERS


def test_messages_to_an_actor_that_is_still_being_created(system: ActorSystem, gate: Gate) -> None:
    source = system.spawn(Burst)
    target = system.ask(source, Make(SlowStart, (gate,)))
    for number in range(COUNT, COUNT + 10):
        system.send(target, (None, number))
    gate.open()
    seen = await_seen(system, target, COUNT + 10)
    # Two senders: each in order.
    assert [number for _, number in seen if number < COUNT] == NUMBERS
    assert [number for _, number in seen if number >= COUNT] == list(range(COUNT, COUNT + 10))


def test_messages_of_the_program_to_an_actor_that_it_did_not_wait_for(system: ActorSystem, gate: Gate) -> None:
    target = system.spawn(SlowStart, gate, wait=False)
    for number in NUMBERS:
        system.send(target, number)
    gate.open()
    assert system.ask(target, Get()) == NUMBERS


def test_an_address_out_of_a_message_can_be_used_at_once(system: ActorSystem) -> None:
    # The creator tells the address to a relay in another place, which sends at once.
    creator, relay = system.spawn(Burst), system.spawn(Burst)
    target = system.ask(creator, Consult(relay, "relayed"))
    seen = await_seen(system, target, COUNT)
    assert seen == [("relayed", number) for number in NUMBERS]


def test_order_holds_while_the_target_blocks(system: ActorSystem, gate: Gate) -> None:
    target, source = system.spawn(Recorder), system.spawn(Burst)
    system.send(target, Wait(gate))
    system.ask(source, Pass(target, "a", COUNT))
    assert system.ask(system.spawn(Echo), 1) == 1
    gate.open()
    seen = await_seen(system, target, COUNT)
    assert [number for _, number in seen] == NUMBERS


def test_an_async_actor_handles_in_order_one_at_a_time(system: ActorSystem) -> None:
    target = system.spawn(Async)
    for number in range(200):
        system.send(target, number)
    assert system.ask(target, Get()) == (1, list(range(200)))


@pytest.mark.parametrize("times", [1, 50])
def test_messages_and_asks_of_one_sender_do_not_overtake_each_other(system: ActorSystem, times: int) -> None:
    target = system.spawn(Recorder)
    for number in range(times):
        system.send(target, number)
        assert system.ask(target, Get()) == list(range(number + 1))


def test_a_child_and_its_parent_talk_in_order(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Echo))
    for number in range(100):
        inbox.send(child, number)
    assert [inbox.receive(10) for _ in range(100)] == list(range(100))


def test_an_ask_right_behind_a_spawn_a_send_or_a_stop_does_not_overtake_it(system: ActorSystem) -> None:
    actor = system.spawn(Hasty)
    for _ in range(20):
        assert system.ask(actor, "spawn") == []
        assert system.ask(actor, "send") == [1]
        assert isinstance(system.ask(actor, "stop"), ActorGone)
