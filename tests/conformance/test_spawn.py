"""Actors are made by class or by name, with arguments, under unique names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrick import ActorSystem, BadActorClass, ChildExited, InvalidArgument, NameTaken, SpawnFailed
from garrick.inbox import Inbox
from tests.conformance.actors import Arguments, Echo, Get, Make, NotAnActor, Parent, Recorder
from tests.conformance.restarting_actors import BrokenStart


def test_positional_and_keyword_arguments_reach_the_constructor(system: ActorSystem) -> None:
    actor = system.spawn(Arguments, 1, "two", three=[3])
    assert system.ask(actor, Get()) == ((1, "two"), {"three": [3]})


def test_a_child_gets_its_arguments_too(system: ActorSystem) -> None:
    parent = system.spawn(Parent)
    child = system.ask(parent, Make(Arguments, (1, 2)))
    assert system.ask(child, Get()) == ((1, 2), {})


def test_a_class_can_be_given_by_its_name(system: ActorSystem) -> None:
    actor = system.spawn("tests.conformance.actors.Arguments", "by name")
    assert system.ask(actor, Get()) == (("by name",), {})
    parent = system.spawn(Parent)
    child = system.ask(parent, Make("tests.conformance.actors.Echo"))
    assert system.ask(child, "hello") == "hello"


@pytest.mark.parametrize("wrong", [NotAnActor, NotAnActor(), 17, None, "Echo", ""])
def test_what_is_no_actor_class_is_refused_at_once(system: ActorSystem, wrong: object) -> None:
    with pytest.raises(BadActorClass):
        system.spawn(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "tests.conformance.actors.Missing",
        "tests.conformance.nowhere.Echo",
        "tests.conformance.actors.NotAnActor",
    ],
)
def test_a_name_that_leads_to_no_actor_class_is_refused(system: ActorSystem, inbox: Inbox, name: str) -> None:
    with pytest.raises(BadActorClass, match=name.replace(".", r"\.")):
        system.spawn(name)
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(name))
    exited = inbox.receive(10)
    assert isinstance(exited, ChildExited)
    assert exited.child == child
    assert exited.reason in {"failed", "refused"}
    assert name in exited.detail


def test_an_unknown_isolation_is_refused(system: ActorSystem) -> None:
    with pytest.raises(InvalidArgument):
        system.spawn(Echo, isolation="padded cell")


def test_wrong_arguments_fail_the_start_with_the_cause(system: ActorSystem) -> None:
    with pytest.raises(SpawnFailed, match="TypeError"):
        system.spawn(Recorder, "one too many")


def test_without_wait_the_address_comes_at_once(system: ActorSystem) -> None:
    actor = system.spawn(Echo, wait=False)
    assert system.ask(actor, 1) == 1
    system.spawn(BrokenStart, "constructor", wait=False)


def test_a_name_finds_its_actor(system: ActorSystem) -> None:
    assert system.lookup("echo") is None
    actor = system.spawn(Echo, name="echo")
    assert system.lookup("echo") == actor
    assert system.ask(system.lookup("echo"), "hello") == "hello"  # type: ignore[arg-type]


def test_a_name_belongs_to_one_actor(system: ActorSystem, inbox: Inbox) -> None:
    first = system.spawn(Echo, name="only")
    with pytest.raises(NameTaken, match="only"):
        system.spawn(Recorder, name="only")
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Recorder, options={"name": "only"}))
    exited = inbox.receive(10)
    assert (exited.child, exited.reason, exited.name) == (child, "refused", "only")
    assert "NameTaken" in exited.detail
    assert system.lookup("only") == first


def test_a_name_is_free_after_the_end_of_its_actor(system: ActorSystem) -> None:
    first = system.spawn(Echo, name="mine")
    system.stop_actor(first)
    assert system.lookup("mine") is None
    second = system.spawn(Recorder, name="mine")
    assert second != first
    assert system.lookup("mine") == second


def test_the_name_of_a_failed_start_is_free(system: ActorSystem) -> None:
    with pytest.raises(SpawnFailed):
        system.spawn(BrokenStart, "constructor", name="again")
    assert system.lookup("again") is None
    system.spawn(Echo, name="again")


@pytest.mark.one_system("the convention is shared by the tests")
def test_several_systems_live_in_one_program(start: Callable[..., ActorSystem]) -> None:
    one, two = start(), start()
    echo_one, echo_two = one.spawn(Echo, name="echo"), two.spawn(Echo, name="echo")
    assert echo_one != echo_two
    assert (one.ask(echo_one, 1), two.ask(echo_two, 2)) == (1, 2)
