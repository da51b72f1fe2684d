"""The end of a system."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from garrick import (
    ActorGone,
    ActorSystem,
    AskError,
    Backoff,
    GarrickError,
    InvalidArgument,
    Restart,
    SystemStopped,
)
from tests.conformance.actors import Answers, Consult, Echo, Gate, Get, Node, Parent, Pass, Raise, Wait
from tests.conformance.restarting_actors import Counter
from tests.conformance.waiting_actors import Blocker, Hangs

pytestmark = pytest.mark.one_system(
    "the convention lives longer than a test; the end of its systems has tests of its own"
)


@pytest.mark.over("local", "sim", "multiprocess")
def test_a_system_ends_with_its_block(base: str) -> None:
    with ActorSystem(base, name="conf-block") as system:
        echo = system.spawn(Echo)
        assert system.ask(echo, 1) == 1
    with pytest.raises(SystemStopped):
        system.ask(echo, 1)


def test_nothing_is_abandoned_when_all_is_well(system: ActorSystem) -> None:
    inbox = system.inbox()
    for number in range(3):
        system.ask(system.spawn(Node, inbox.address, f"{number}", 2), Get())
    assert system.stop() == []
    assert system.stop() == []


@pytest.mark.first_come("what different senders send is compared in one order")
def test_what_is_in_the_mailboxes_is_handled_before_the_end(system: ActorSystem) -> None:
    inbox = system.inbox()
    actor = system.spawn(Counter, inbox.address)
    for number in range(100):
        system.send(actor, f"{number}")
    system.ask(actor, Get())
    system.stop()
    # The inbox has ended with its system, but what it had received before can still be taken.
    got = [inbox.receive(1)[1] for _ in range(102)][2:]
    assert got == [f"{number}" for number in range(100)]


def test_everything_raises_system_stopped_afterwards(system: ActorSystem) -> None:
    inbox, echo = system.inbox(), system.spawn(Echo)
    system.stop()
    operations: list[Callable[[], object]] = [
        lambda: system.spawn(Echo),
        lambda: system.send(echo, 1),
        lambda: system.ask(echo, 1),
        lambda: system.stop_actor(echo),
        lambda: system.lookup("echo"),
        system.inbox,
        system.dead_letters,
        system.status,
        lambda: system.set_capability("a", 1),
        lambda: inbox.send(echo, 1),
        lambda: inbox.receive(1),
    ]
    for operation in operations:
        with pytest.raises(SystemStopped):
            operation()
    assert "stopped" in repr(system)


def test_a_handler_that_hangs_is_abandoned_by_name(system: ActorSystem, gate: Gate, simulated: bool) -> None:
    actor, neighbour = system.spawn(Blocker), system.spawn(Echo)
    system.ask(actor, 1)
    system.send(actor, Wait(gate))
    system.ask(neighbour, 1)
    abandoned = system.stop(grace=0.2)
    gate.open()  # lets the thread of `local` end
    if simulated:
        return  # the program goes on there only when the handler is over
    assert len(abandoned) == 1
    assert "Blocker" in abandoned[0]
    assert str(actor) in abandoned[0]


@pytest.mark.parametrize("what", ["anything", "an answer"])
def test_a_coroutine_that_waits_for_ever_is_abandoned_and_leaves_nothing(system: ActorSystem, what: str) -> None:
    inbox, silent = system.inbox(), system.inbox().address
    actor = system.spawn(Hangs, inbox.address)
    system.send(actor, what if what == "anything" else Pass(silent, "anyone?"))
    assert inbox.receive(10) == "waits"
    abandoned = system.stop(grace=0.3)
    assert len(abandoned) == 1
    assert "Hangs" in abandoned[0]


@pytest.mark.real_time("the program goes on there only when the handler is over")
def test_a_handler_that_waits_for_an_answer_is_abandoned_and_leaves_nothing(system: ActorSystem) -> None:
    inbox, silent = system.inbox(), system.inbox().address
    actor = system.spawn(Hangs, inbox.address)
    system.send(actor, Consult(silent, "anyone?", 10_000))
    assert inbox.receive(10) == "waits"
    abandoned = system.stop(grace=0.3)
    assert len(abandoned) == 1
    assert "Hangs" in abandoned[0]
    assert str(silent) in abandoned[0], "what it waits for"


@pytest.mark.real_time("sim is driven by one thread of the program at a time")
def test_an_ask_that_nobody_will_answer_ends_with_the_system(system: ActorSystem) -> None:
    actor = system.spawn(Answers)
    asked, outcome = threading.Event(), list[BaseException]()

    def ask() -> None:
        reply = system._runtime.ask(actor, 0.5, 20)  # an ask that the actor leaves open
        asked.set()
        try:
            reply.result()
        except GarrickError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait(10)
    system.ask(actor, 1)
    system.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(outcome[0], (ActorGone, SystemStopped, AskError))


@pytest.mark.real_time("sim is driven by one thread of the program at a time")
def test_a_waiting_inbox_is_woken_by_the_end(system: ActorSystem) -> None:
    inbox, outcome = system.inbox(), list[BaseException]()
    waits = threading.Event()

    def receive() -> None:
        waits.set()
        try:
            inbox.receive(20)
        except (GarrickError, TimeoutError) as error:
            outcome.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    waits.wait(10)
    system.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(outcome[0], SystemStopped)


def test_an_actor_in_its_back_off_does_not_delay_the_end(system: ActorSystem) -> None:
    inbox = system.inbox()
    actor = system.spawn(Counter, inbox.address, supervision=Restart(backoff=Backoff(first=10_000, limit=10_000)))
    system.send(actor, Raise(ValueError("boom")))
    while inbox.receive(10)[0] != "restarting":
        pass
    assert system.stop(grace=5) == []


def test_stop_of_a_system_with_work_under_way(system: ActorSystem) -> None:
    parent = system.spawn(Parent)
    for number in range(1000):
        system.send(parent, f"{number}")
    assert system.stop() == []


@pytest.mark.over("local", "sim", "multiprocess")
def test_an_unknown_base_or_option_is_refused(base: str) -> None:
    with pytest.raises(InvalidArgument, match="local"):
        ActorSystem("carrier pigeon")
    with pytest.raises(InvalidArgument, match="pigeons"):
        ActorSystem(base, name="conf-options", pigeons=3)
    with pytest.raises(InvalidArgument):
        ActorSystem(base, name="no/name")
