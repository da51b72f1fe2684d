"""What happens to messages on their way: the same everywhere, or clear."""

from __future__ import annotations

import threading

import pytest

from garrick import ActorSystem, HandlerFailed, Poisoned, UnpicklableMessage
from garrick.inbox import Inbox
from tests.conformance.actors import Echo, Get, Make, Parent, Recorder
from tests.conformance.waiting_actors import AnswersLock, Exhausted, Exploding, Mutator, Payload, SendsLock


def test_messages_are_copied_each_by_itself_between_processes(system: ActorSystem, copies: bool) -> None:
    target = system.spawn(Mutator)
    message = [["inner"]]
    shared = [system.ask(target, message), system.ask(target, message)]
    if copies:
        assert (message, shared) == ([["inner"]], [0, 0])
    else:  # by reference: the program sees what it should not do
        assert (message, shared) == ([["inner"], "changed", "changed"], [0, 1])


def test_large_messages_travel(system: ActorSystem) -> None:
    echo = system.spawn(Echo)
    for size in (1_000, 100_000, 5_000_000):
        message = {"bytes": bytes(size), "text": "x" * size}
        assert system.ask(echo, message) == message


@pytest.mark.over("multiprocess", "convention", "sim-convention")
class TestUnpicklable:
    def test_a_message_that_cannot_travel_names_the_part(self, system: ActorSystem, inbox: Inbox) -> None:
        target = system.spawn(Recorder)
        lock = threading.Lock()
        for send in (system.send, system.ask, inbox.send):
            with pytest.raises(UnpicklableMessage, match="lock") as caught:
                send(target, {"key": [1, Payload(lock)]})
            assert caught.value.path == "message['key'][1].inner"
        assert system.ask(target, Get()) == []

    def test_an_actor_gets_that_error_in_send(self, system: ActorSystem, inbox: Inbox) -> None:
        sender = system.spawn(SendsLock)
        assert system.ask(sender, inbox.address) == ("UnpicklableMessage", "message['key'][1]")

    def test_within_one_process_nothing_is_pickled(self, system: ActorSystem) -> None:
        parent = system.spawn(Parent)
        sender = system.ask(parent, Make(SendsLock))
        neighbour = system.ask(parent, Make(Recorder))
        assert system.ask(sender, neighbour) is None

    def test_an_answer_that_cannot_travel_fails_the_ask(self, system: ActorSystem) -> None:
        with pytest.raises((UnpicklableMessage, HandlerFailed), match="lock"):
            system.ask(system.spawn(AnswersLock), Get())

    def test_a_message_that_cannot_be_read_there_fails_the_ask(self, system: ActorSystem) -> None:
        echo = system.spawn(Echo)
        with pytest.raises(Exception, match="not here"):
            system.ask(echo, Exploding(), timeout=5)
        assert system.ask(echo, "still there?") == "still there?"

    def test_arguments_that_cannot_travel_are_refused(self, system: ActorSystem) -> None:
        with pytest.raises(UnpicklableMessage):
            system.spawn(Parent, threading.Lock())
        with pytest.raises(UnpicklableMessage):
            system.spawn(type("Local", (Echo,), {}))

    @pytest.mark.parametrize("broken", [Exploding, Exhausted])
    def test_what_cannot_be_read_in_a_flood_costs_nothing_around_it(
        self, system: ActorSystem, inbox: Inbox, broken: type
    ) -> None:
        target = system.spawn(Recorder)
        bad = (0, 1, 70, 150, 400, 998, 999)
        for i in range(1000):
            inbox.send(target, broken() if i in bad else i)
        assert system.ask(target, Get()) == [i for i in range(1000) if i not in bad]
        for _ in bad:
            assert isinstance(inbox.receive(timeout=5), Poisoned)
