"""An ask ends exactly once: with its answer, or with an error that says what is known."""

from __future__ import annotations

import pytest

from garrick import ActorGone, ActorSystem, AskDeadlock, AskTimeout, HandlerFailed
from garrick.inbox import Inbox
from tests.conformance.actors import (
    Answers,
    AsyncPartner,
    Canceller,
    Chain,
    Consult,
    Deaf,
    Echo,
    Gate,
    Get,
    Parent,
    Partner,
    Raise,
    Recorder,
    StopsItself,
    Unpicklable,
    Wait,
)
from tests.conformance.waiting_actors import Async


def test_an_ask_in_a_sync_handler(system: ActorSystem) -> None:
    asker, echo = system.spawn(Parent), system.spawn(Echo)
    assert system.ask(asker, Consult(echo, "hello")) == "hello"
    assert system.ask(asker, Consult(echo, None)) is None


def test_a_chain_of_three_waits_in_sync_handlers(system: ActorSystem) -> None:
    last = system.spawn(Chain)
    middle = system.spawn(Chain, last)
    first = system.spawn(Chain, middle)
    top = system.spawn(Chain, first)
    for number in range(20):
        assert system.ask(top, number) == number + 3


def test_a_time_out_says_who_did_not_answer_and_what_it_did(system: ActorSystem) -> None:
    actor = system.spawn(Deaf)
    with pytest.raises(AskTimeout) as caught:
        system.ask(actor, "question", timeout=0.05)
    text = str(caught.value)
    assert "GAR-1001" in text
    assert str(actor) in text
    assert "0.05 s" in text
    assert isinstance(caught.value, TimeoutError)


def test_a_time_out_inside_an_actor(system: ActorSystem) -> None:
    asker, deaf = system.spawn(Parent), system.spawn(Deaf)
    assert isinstance(system.ask(asker, Consult(deaf, "question", timeout=0.05)), AskTimeout)
    asker = system.spawn(Async)
    assert isinstance(system.ask(asker, Consult(deaf, "question", timeout=0.05)), AskTimeout)


def test_a_late_answer_is_a_dead_letter(system: ActorSystem, gate: Gate) -> None:
    letters = system.dead_letters()
    actor = system.spawn(Parent)
    with pytest.raises(AskTimeout):
        system.ask(actor, Wait(gate), timeout=0.02)
    gate.open()
    letter = letters.receive(10)
    assert (letter.message, letter.reason, letter.sender) == ("waited", "late reply", actor)


def test_an_ask_to_an_ended_actor_fails_at_once_with_the_reason(system: ActorSystem) -> None:
    actor = system.spawn(Echo)
    system.stop_actor(actor)
    with pytest.raises(ActorGone, match="stopped") as caught:
        system.ask(actor, "anyone?", timeout=20)
    assert (caught.value.reason, caught.value.outcome_unknown) == ("stopped", False)


def test_an_ask_that_waits_in_the_mailbox_of_an_ending_actor_fails(
    system: ActorSystem, inbox: Inbox, gate: Gate
) -> None:
    actor = system.spawn(StopsItself, inbox.address)
    blocked = system.spawn(Parent)
    system.send(blocked, Wait(gate))
    first = system._runtime.ask(blocked, Get(), 20)
    system._runtime.ask(blocked, Consult(actor, "never asked"), 20)
    stopper = system.spawn(Parent)
    del stopper
    from tests.conformance.actors import End

    system.send(blocked, End())
    late = system._runtime.ask(blocked, Get(), 20)
    gate.open()
    assert first.result() == ()
    with pytest.raises(ActorGone, match="stopped"):
        late.result()


def test_a_failing_handler_fails_the_ask_with_its_traceback(system: ActorSystem) -> None:
    actor = system.spawn(Answers)
    with pytest.raises(HandlerFailed, match="KeyError") as caught:
        system.ask(actor, Raise(KeyError("shelf")))
    error = caught.value
    assert isinstance(error.error, KeyError)
    assert error.error.args == ("shelf",)
    assert "Answers" in str(error)
    assert "actors.py" in error.remote_traceback
    assert "raise message.error" in error.remote_traceback
    assert any("raise message.error" in note for note in error.__notes__)


def test_an_error_that_cannot_travel_is_reported_as_text(system: ActorSystem) -> None:
    actor = system.spawn(FailsWithUnpicklable)
    with pytest.raises(HandlerFailed, match="Unpicklable: glue") as caught:
        system.ask(actor, "question")
    assert caught.value.error is None
    assert "Unpicklable: glue" in caught.value.remote_traceback


def test_a_failure_reaches_an_asking_actor(system: ActorSystem) -> None:
    failing = system.spawn(Answers)
    for asker in (system.spawn(Parent), system.spawn(Async)):
        found = system.ask(asker, Consult(failing, Raise(ValueError("no"))))
        assert isinstance(found, HandlerFailed)
        assert isinstance(found.error, ValueError)


def test_a_cancelled_ask_raises_and_its_answer_is_a_dead_letter(system: ActorSystem) -> None:
    letters = system.dead_letters()
    echo, canceller = system.spawn(Echo), system.spawn(Canceller)
    assert system.ask(canceller, echo) == "False True AskCancelled"
    letter = letters.receive(10)
    assert (letter.message, letter.reason) == ("question", "late reply")


@pytest.mark.parametrize("actor_class", [Partner, AsyncPartner])
def test_two_actors_that_wait_for_each_other_are_told_at_once(system: ActorSystem, actor_class: type) -> None:
    parent = system.spawn(Parent)  # children of one parent share its process, where cycles are seen
    one, two = (system.ask(parent, _make(actor_class)) for _ in range(2))
    for actor, other in ((one, two), (two, one)):
        system.send(actor, other)
        with pytest.raises(ActorGone, match="unhandled"):
            system.ask(actor, "a question behind the message")
    with pytest.raises(HandlerFailed) as caught:
        system.ask(one, 5, timeout=10)
    assert _root(caught.value, AskDeadlock)
    assert system.ask(one, 0) == "end"
    assert system.ask(two, 0) == "end"


@pytest.mark.parametrize("actor_class", [Partner, AsyncPartner])
def test_a_cycle_over_several_processes_is_told_soon(system: ActorSystem, actor_class: type) -> None:
    actors = [system.spawn(actor_class) for _ in range(3)]  # top-level actors are spread
    for actor, following in zip(actors, [*actors[1:], actors[0]], strict=True):
        system.send(actor, following)
        with pytest.raises(ActorGone, match="unhandled"):
            system.ask(actor, "a question behind the message")
    with pytest.raises(HandlerFailed) as caught:
        system.ask(actors[0], 100, timeout=10)
    assert _root(caught.value, AskDeadlock)
    assert [system.ask(actor, 0) for actor in actors] == ["end"] * 3


def test_an_actor_that_asks_itself_is_told_at_once(system: ActorSystem) -> None:
    actor = system.spawn(Parent)
    found = system.ask(actor, Consult(actor, Get()))
    assert isinstance(found, AskDeadlock)
    assert str(actor) in str(found)


def test_several_askers_get_their_own_answers(system: ActorSystem) -> None:
    echo = system.spawn(Echo)
    replies = [system._runtime.ask(echo, number, 10) for number in range(100)]
    assert [reply.result() for reply in replies] == list(range(100))
    recorder = system.spawn(Recorder)
    assert system.ask(recorder, Get()) == []


def _make(actor_class: type) -> object:
    from tests.conformance.actors import Make

    return Make(actor_class)


def _root(error: BaseException | None, kind: type[BaseException]) -> bool:
    while isinstance(error, HandlerFailed):
        error = error.error
    return isinstance(error, kind)


class FailsWithUnpicklable(Echo):
    def receive(self, message: object, sender: object) -> None:
        raise Unpicklable("glue")
