"""``@on``: the handler is chosen by the type of the message, the most specific first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, HandlerFailed
from garrick.inbox import Inbox
from tests.conformance.actors import Echo, Get, Make
from tests.conformance.dispatch_actors import (
    Animal,
    BadAnnotation,
    Box,
    Cat,
    Dispatcher,
    DispatcherWithRest,
    Dog,
    LaterDefined,
    Puppy,
    UsesLaterDefined,
)

CASES = [
    (Animal(), "animal"),
    (Cat(), "animal"),
    (Dog(), "dog"),
    (Puppy(), "dog"),
    (1, "number"),
    (range(3), "number"),
    (True, "number"),
    (["a"], "list"),
    ([1, 2], "list"),
    ({}, "mapping"),
    (OrderedDict(a=1), "mapping"),
    (Box(1), "box"),
    (None, "none"),
]


@pytest.mark.parametrize(("message", "handler"), CASES, ids=lambda value: type(value).__name__)
def test_the_most_specific_handler_takes_the_message(system: ActorSystem, message: Any, handler: str) -> None:
    assert system.ask(system.spawn(Dispatcher), message) == handler


@pytest.mark.parametrize("message", ["text", b"bytes", (1,), 1.5])
def test_what_no_handler_names_is_unhandled(system: ActorSystem, message: Any) -> None:
    with pytest.raises(ActorGone, match="unhandled"):
        system.ask(system.spawn(Dispatcher), message)


def test_a_catch_all_takes_the_rest_and_an_override_wins(system: ActorSystem) -> None:
    actor = system.spawn(DispatcherWithRest)
    asked = [Animal(), Dog(), Puppy(), 1, [], {}, Box(), None, "text", b"bytes", (1,)]
    expected = ["animal", "my dog", "my dog", "number", "list", "mapping", "box", "none", "rest", "rest", "rest"]
    assert [system.ask(actor, message) for message in asked] == expected


def test_an_annotation_may_name_a_class_that_is_defined_later(system: ActorSystem) -> None:
    assert system.ask(system.spawn(UsesLaterDefined), LaterDefined()) == "later"


def test_a_senseless_annotation_fails_the_message_and_not_the_process(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(BadAnnotation)
    with pytest.raises(HandlerFailed, match="NoSuchType"):
        system.ask(actor, 1)
    child = system.spawn(Echo)
    inbox.send(actor, Make(Echo))
    system.stop_actor(child)
    assert system.ask(system.spawn(Echo), "still there?") == "still there?"


def test_a_notice_for_an_actor_with_a_senseless_annotation(system: ActorSystem) -> None:
    actor = system.spawn("tests.conformance.dispatch_actors.BadAnnotationParent")
    neighbour = system.spawn(Echo)
    child = system.ask(actor, Get())
    system.stop_actor(child)
    assert system.ask(neighbour, "still there?") == "still there?"
