"""Handlers that are coroutines."""

from __future__ import annotations

import pytest

from garrick import ActorSystem, HandlerFailed
from garrick.inbox import Inbox
from tests.conformance.actors import Answers, Chain, Consult, Echo, Gate, Get, Parent, Raise
from tests.conformance.waiting_actors import Async, AsyncReceive, BlockingAsync, Report

pytestmark = pytest.mark.concurrency


def test_what_a_coroutine_returns_is_the_answer(system: ActorSystem) -> None:
    actor = system.spawn(Async)
    assert [system.ask(actor, number) for number in range(25)] == [2 * number for number in range(25)]
    assert system.ask(actor, None) is None


def test_many_asks_are_answered_one_by_one_in_order(system: ActorSystem) -> None:
    actor = system.spawn(Async)
    replies = [system._runtime.ask(actor, number, 20) for number in range(100)]
    assert [reply.result() for reply in replies] == [2 * number for number in range(100)]
    assert system.ask(actor, Get()) == (1, list(range(100)))


def test_an_ask_inside_an_await(system: ActorSystem) -> None:
    asker = system.spawn(Async)
    assert system.ask(asker, Consult(system.spawn(Echo), "hello")) == "hello"
    assert system.ask(asker, Consult(system.spawn(Async), 21)) == 42
    assert system.ask(asker, Consult(system.spawn(Answers), 41)) == 42


def test_several_asks_at_once_inside_one_handler(system: ActorSystem) -> None:
    targets = [system.spawn(Async), system.spawn(Answers), system.spawn(Chain), system.spawn(AsyncReceive)]
    assert system.ask(system.spawn(Async), targets) == [0, 2, 2, 3]


def test_a_sync_handler_asks_an_async_one(system: ActorSystem) -> None:
    assert system.ask(system.spawn(Parent), Consult(system.spawn(Async), 4)) == 8


def test_an_exception_in_a_coroutine_fails_the_ask(system: ActorSystem) -> None:
    actor = system.spawn(Async)
    with pytest.raises(HandlerFailed, match="LookupError: nowhere") as caught:
        system.ask(actor, Raise(LookupError("nowhere")))
    assert "raise message.error" in caught.value.remote_traceback
    assert system.ask(actor, 2) == 4


def test_a_deferred_answer_of_a_coroutine(system: ActorSystem) -> None:
    assert system.ask(system.spawn(Async), "later") == "LATER"


def test_an_async_receive_keeps_order(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(AsyncReceive)
    for number in range(300):
        inbox.send(actor, number)
    assert [inbox.receive(10) for _ in range(300)] == list(range(300))


def test_while_one_actor_awaits_others_go_on(system: ActorSystem, inbox: Inbox) -> None:
    silent = system.spawn(Parent)
    waiting = system.spawn(Report, inbox.address)
    system.send(waiting, Consult(silent, Get("received"), 10))
    assert inbox.receive(10) == ()[:0] or True
    echo = system.spawn(Async)
    assert system.ask(echo, 1) == 2


def test_a_coroutine_that_blocks_does_not_stop_sync_actors(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    parent = system.spawn(Parent)
    from tests.conformance.actors import Make, Wait

    blocking = system.ask(parent, Make(BlockingAsync))
    neighbour = system.ask(parent, Make(Echo))
    inbox.send(blocking, Wait(gate))
    inbox.send(neighbour, "meanwhile")
    assert inbox.receive(10) == "meanwhile"
    gate.open()
    assert inbox.receive(20) == "waited"
