"""Messages, senders, and the ways to answer."""

from __future__ import annotations

import pytest

from garrick import ActorSystem, Address, NotAnAddress
from garrick.inbox import Inbox
from tests.conformance.actors import (
    Answers,
    Consult,
    Deputy,
    Echo,
    Get,
    LaterByReceive,
    Parent,
    Pass,
    Recorder,
    SenderRecorder,
    Twice,
)
from tests.conformance.waiting_actors import AsyncReceive, Misuse


def test_a_sent_message_is_handled(system: ActorSystem) -> None:
    actor = system.spawn(Recorder)
    system.send(actor, "one")
    system.send(actor, ("two", 2))
    assert system.ask(actor, Get()) == ["one", ("two", 2)]


def test_the_sender_is_the_actor_that_sent(system: ActorSystem, inbox: Inbox) -> None:
    target = system.spawn(SenderRecorder)
    sender = system.spawn(Parent)
    system.ask(sender, Pass(target, "by an actor"))
    assert system.ask(sender, Consult(target, Get())) == [("by an actor", sender)]  # different senders have no order
    inbox.send(target, "by an inbox")
    system.send(target, "by the program")
    senders = dict(system.ask(target, Get()))
    assert senders == {"by an actor": sender, "by an inbox": inbox.address, "by the program": None}


def test_an_actor_answers_an_inbox(system: ActorSystem, inbox: Inbox) -> None:
    echo = system.spawn(Echo)
    inbox.send(echo, "hello")
    assert inbox.receive_from(10) == ("hello", echo)


@pytest.mark.parametrize("actor_class", [Echo, AsyncReceive])
def test_receive_answers_by_sending_to_the_sender(system: ActorSystem, actor_class: type) -> None:
    actor = system.spawn(actor_class)
    assert system.ask(actor, None) is None
    assert system.ask(actor, {"key": [1, 2]}) == {"key": [1, 2]}


def test_a_handler_answers_with_what_it_returns(system: ActorSystem) -> None:
    actor = system.spawn(Answers)
    assert system.ask(actor, 41) == 42
    assert system.ask(actor, None) is None


def test_reply_wins_over_what_is_returned(system: ActorSystem) -> None:
    actor = system.spawn(Answers)
    assert system.ask(actor, "loud") == "LOUD"
    assert system.ask(actor, 1) == 2


def test_a_deferred_ask_is_answered_by_a_later_handler(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Answers)
    asker = system.spawn(Parent, inbox.address)
    inbox.send(asker, Pass(actor, "nothing"))
    reply = system._runtime.ask(actor, 0.5, 10)
    assert system.ask(actor, b"the answer") == "sent"
    assert reply.result() == b"the answer"


def test_a_third_party_answers_the_ask(system: ActorSystem) -> None:
    actor, deputy = system.spawn(Answers), system.spawn(Deputy)
    assert system.ask(actor, Pass(deputy, 5)) == ("deputy", 5)


def test_receive_leaves_asks_open_and_answers_them_later(system: ActorSystem) -> None:
    actor = system.spawn(LaterByReceive)
    replies = [system._runtime.ask(actor, "question", 10) for _ in range(3)]
    system.send(actor, "now")
    assert [reply.result() for reply in replies] == [0, 1, 2]


def test_the_first_answer_ends_the_ask_and_the_second_is_a_dead_letter(system: ActorSystem) -> None:
    letters = system.dead_letters()
    actor = system.spawn(Twice)
    assert system.ask(actor, "question") == "first"
    letter = letters.receive(10)
    assert (letter.message, letter.reason) == ("second", "late reply")


def test_a_handler_called_by_a_plain_send_gives_no_answer(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Answers)
    inbox.send(actor, 41)
    inbox.send(actor, "loud")  # replies itself: that one does arrive
    assert inbox.receive(10) == "LOUD"


@pytest.mark.parametrize("operation", ["send", "ask", "stop", "watch"])
def test_an_operation_on_what_is_no_address_says_so(system: ActorSystem, operation: str) -> None:
    assert system.ask(system.spawn(Misuse), operation) == "NotAnAddress GAR-2004"


def test_the_program_too_needs_an_address(system: ActorSystem, inbox: Inbox) -> None:
    nowhere: Address[object] = "nowhere"  # type: ignore[assignment]
    for operation in (
        lambda: system.send(nowhere, 1),
        lambda: system.ask(nowhere, 1),
        lambda: system.stop_actor(nowhere),
        lambda: inbox.send(nowhere, 1),
        lambda: inbox.watch(nowhere),
    ):
        with pytest.raises(NotAnAddress):
            operation()


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("spawn", "BadActorClass GAR-2002"),
        ("spawn by name", "BadActorClass GAR-2002"),
        ("isolation", "InvalidArgument GAR-5001"),
        ("every", "InvalidArgument GAR-5001"),
        ("called", "NoActorContext GAR-2005"),
        ("called address", "NoActorContext GAR-2005"),
    ],
)
def test_a_misused_operation_raises_at_the_caller(system: ActorSystem, operation: str, error: str) -> None:
    assert system.ask(system.spawn(Misuse), operation) == error
