"""An ask that nobody waits for any more reaches its handler, if that one wants to know."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from garrick import ActorSystem, AskTimeout
from garrick.inbox import Inbox
from tests.conformance.actors import Get
from tests.conformance.cancel_actors import AskThen, Fickle, Forward, ManyAtOnce, Patient, Poll, Quick, Sleep, Work


def test_a_sync_handler_can_see_that_the_ask_has_timed_out(system: ActorSystem, inbox: Inbox) -> None:
    patient = system.spawn(Patient, inbox.address)
    with pytest.raises(AskTimeout):
        system.ask(patient, Poll(), timeout=0.05)
    assert inbox.receive(20) == "noticed"


def test_an_async_handler_that_opted_in_is_interrupted_and_that_is_no_failure(
    system: ActorSystem, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    letters = system.dead_letters()
    patient = system.spawn(Patient, inbox.address)
    with caplog.at_level(logging.WARNING, "garrick"), pytest.raises(AskTimeout):
        system.ask(patient, Work(), timeout=0.2)
    assert [inbox.receive(20), inbox.receive(20)] == ["begun", "interrupted"]
    assert system.ask(patient, Get()) == [Work()]  # the same instance: it was not restarted
    assert "failed on" not in caplog.text
    with pytest.raises(TimeoutError):
        letters.receive(0.05)  # there was no late answer


def test_what_a_handler_answers_in_spite_of_it_is_a_dead_letter(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    patient = system.spawn(Patient, inbox.address)
    with pytest.raises(AskTimeout):
        system.ask(patient, Work(stubborn=True), timeout=0.2)
    letter = letters.receive(20)
    assert (letter.message, letter.reason) == ("finished", "late reply")


def test_a_question_that_still_waits_is_dropped_if_its_handler_opted_in(system: ActorSystem, inbox: Inbox) -> None:
    patient = system.spawn(Patient, inbox.address)
    system.send(patient, Sleep(0.4))
    for message in (Work(0.01), Sleep(0.01)):
        with pytest.raises(AskTimeout):
            system.ask(patient, message, timeout=0.05)
    assert system.ask(patient, Get()) == [Sleep(0.4), Sleep(0.01)]  # who did not opt in handles it as always


def test_a_handler_that_is_asked_for_something_else_is_not_cancelled(system: ActorSystem, inbox: Inbox) -> None:
    patient = system.spawn(Patient, inbox.address)
    assert system.ask(patient, Sleep(0.01)) == "slept, cancelled: False"
    for number in range(30):
        asked = [system._runtime.ask(patient, Quick(number * 10 + i), 20) for i in range(10)]
        for gone in asked[::3]:
            gone.cancel()
        assert [reply.result() for reply in asked if not reply.done or reply not in asked[::3]] == [
            number * 10 + i for i in range(10) if i % 3
        ]
    assert system.ask(patient, Sleep(0.01)) == "slept, cancelled: False"


@pytest.mark.parametrize(
    ("then", "answer"), [("cancel", "AskCancelled"), ("time out", "timed out, done: True"), ("stop", "done")]
)
def test_an_asking_actor_gives_up(system: ActorSystem, inbox: Inbox, then: str, answer: str) -> None:
    patient, fickle = system.spawn(Patient, inbox.address), system.spawn(Fickle)
    assert system.ask(fickle, AskThen(patient, Work(), then)) == answer
    assert inbox.receive(20) == "begun"
    assert inbox.receive(20) == "interrupted"
    assert system.ask(patient, Get()) == [Work()]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_cancellation_goes_on_to_whom_the_handler_asked(system: ActorSystem, inbox: Inbox, asynchronous: bool) -> None:
    last = system.spawn(Patient, inbox.address)
    first = system.spawn(Patient, inbox.address)
    fickle = system.spawn(Fickle)
    assert system.ask(fickle, AskThen(first, Forward(last, Work(), asynchronous), "cancel")) == "AskCancelled"
    assert inbox.receive(20) == "begun"
    assert sorted(inbox.receive(20) for _ in range(2)) == ["forwarder interrupted", "interrupted"]
    assert system.ask(first, Get()) == []
    assert system.ask(last, Get()) == [Work()]


@pytest.mark.over("multiprocess")
def test_an_asker_that_dies_with_its_process_has_given_up(system: ActorSystem, inbox: Inbox) -> None:
    patient = system.spawn(Patient, inbox.address)
    fickle = system.spawn(Fickle, isolation="process")
    system.send(fickle, AskThen(patient, Work(), "wait"))
    assert inbox.receive(20) == "begun"
    os.kill(next(p["pid"] for p in system.status()["processes"] if p["number"] == fickle.process), signal.SIGKILL)
    assert inbox.receive(20) == "interrupted"
    assert system.ask(patient, Get()) == [Work()]


def test_of_the_questions_that_a_reentrant_actor_handles_only_the_one_given_up_is_interrupted(
    system: ActorSystem, inbox: Inbox
) -> None:
    patient = system.spawn(ManyAtOnce, inbox.address)
    given_up = system._runtime.ask(patient, Work(30.0), 20)
    wanted = [system._runtime.ask(patient, Work(0.3), 20), system._runtime.ask(patient, Sleep(0.3), 20)]
    assert [inbox.receive(20), inbox.receive(20)] == ["begun", "begun"]
    given_up.cancel()
    assert inbox.receive(20) == "interrupted"
    assert [reply.result() for reply in wanted] == ["finished", "slept, cancelled: False"]
