"""What nobody handles becomes a dead letter with a reason; an ask among them fails with the same reason."""

from __future__ import annotations

import pytest

from garrick import ActorGone, ActorSystem, Address, DeadLetter, Stop
from garrick.inbox import Inbox
from tests.conformance.actors import Answers, Echo, Parent, Pass, Raise, Recorder
from tests.conformance.dispatch_actors import Animal, Dispatcher


def test_a_message_to_a_stopped_actor(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target, sender = system.spawn(Recorder), system.spawn(Parent)
    system.stop_actor(target)
    system.ask(sender, Pass(target, "hello?"))
    assert letters.receive(10) == DeadLetter("hello?", target, sender, "stopped")
    system.send(target, "anyone?")
    assert letters.receive(10) == DeadLetter("anyone?", target, None, "stopped")


def test_a_message_to_a_failed_actor(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    target = system.spawn(Parent, supervision=Stop())
    inbox.watch(target)
    system.send(target, Raise(ValueError("broken")))
    assert inbox.receive(10).reason == "failed"
    system.send(target, "hello?")
    assert letters.receive(10).reason == "failed"


def test_a_message_that_no_handler_takes(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    target = system.spawn(Dispatcher)
    inbox.send(target, "a text")
    assert letters.receive(10) == DeadLetter("a text", target, inbox.address, "unhandled")


def test_an_ask_that_no_handler_takes_fails_at_once(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target = system.spawn(Dispatcher)
    with pytest.raises(ActorGone, match="unhandled") as caught:
        system.ask(target, "a text", timeout=20)
    assert caught.value.reason == "unhandled"
    letter = letters.receive(10)
    assert (letter.message, letter.reason) == ("a text", "unhandled")
    assert system.ask(target, Animal()) == "animal"


def test_an_ask_to_an_ended_actor_is_a_dead_letter_too(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target = system.spawn(Echo)
    system.stop_actor(target)
    with pytest.raises(ActorGone):
        system.ask(target, "question")
    letter = letters.receive(10)
    assert (letter.message, letter.target, letter.reason) == ("question", target, "stopped")
    assert isinstance(letter.sender, Address)


def test_a_message_to_a_name_that_was_refused(system: ActorSystem, inbox: Inbox) -> None:
    from tests.conformance.actors import Make

    letters = system.dead_letters()
    system.spawn(Echo, name="taken")
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Echo, options={"name": "taken"}))
    assert inbox.receive(10).reason == "refused"
    system.ask(parent, Pass(child, "hello?"))
    letter = letters.receive(10)
    assert (letter.message, letter.reason) == ("hello?", "refused")


def test_an_answer_to_an_ask_that_has_ended(system: ActorSystem) -> None:
    letters = system.dead_letters()
    target = system.spawn(Answers)
    reply = system._runtime.ask(target, 0.5, 10)
    system.ask(target, b"one")
    assert reply.result() == b"one"
    system.ask(target, b"two")
    letter = letters.receive(10)
    assert (letter.message, letter.sender, letter.reason) == (b"two", target, "late reply")


def test_every_subscriber_gets_every_letter_from_then_on(system: ActorSystem) -> None:
    target = system.spawn(Recorder)
    system.stop_actor(target)
    system.send(target, "before anybody listened")
    first = system.dead_letters()
    system.ask(system.spawn(Echo), None)
    system.send(target, 1)
    while first.receive(10).message != 1:
        pass  # the letter from before may still have been on its way
    second = system.dead_letters()
    system.send(target, 2)
    assert (first.receive(10).message, second.receive(10).message) == (2, 2)
    first.close()
    system.send(target, 3)
    assert second.receive(10).message == 3


@pytest.mark.first_come("what different senders send is compared in one order")
def test_a_closed_inbox_is_dead_to_its_senders(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    target = system.spawn(Parent)
    inbox.close()
    system.ask(target, Pass(inbox.address, "too late"))
    letter = letters.receive(10)
    assert (letter.message, letter.target, letter.reason) == ("too late", inbox.address, "stopped")


def test_the_status_counts_dead_letters_by_reason(system: ActorSystem) -> None:
    letters = system.dead_letters()
    before = system.status()["dead_letters"]["by_reason"]
    target = system.spawn(Dispatcher)
    for _ in range(3):
        system.send(target, "a text")
        letters.receive(10)
    system.stop_actor(target)
    system.send(target, "a text")
    letters.receive(10)
    found = system.status()["dead_letters"]
    new = {reason: number - before.get(reason, 0) for reason, number in found["by_reason"].items()}
    assert (new["unhandled"], new["stopped"]) == (3, 1)
