"""How actors end, in which order, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, ChildExited, SpawnFailed, Stop, Terminated
from garrick.inbox import Inbox
from tests.conformance.actors import (
    BringsUpLate,
    BrokenStop,
    Consult,
    Echo,
    End,
    Gate,
    Get,
    HasOrphans,
    Ignore,
    LastWords,
    Make,
    Node,
    Observe,
    Parent,
    Pass,
    Raise,
    Recorder,
    StopsItself,
    Wait,
)
from tests.conformance.restarting_actors import CatchAll, NoticeByReceive, Quitter

pytestmark = pytest.mark.concurrency


def receive_all(inbox: Inbox, system: ActorSystem) -> list[Any]:
    """Everything that is in the inbox once the system has come to rest."""
    settle(system)
    found = []
    while True:
        try:
            found.append(inbox.receive(0.05))
        except TimeoutError:
            return found


def settle(system: ActorSystem) -> None:
    """Let what is under way arrive: two hops through a fresh actor's process and back."""
    echo = system.spawn(Echo)
    for _ in range(3):
        system.ask(echo, None)
    system.stop_actor(echo)


def test_what_was_sent_before_the_stop_is_handled_and_what_comes_later_is_not(
    system: ActorSystem, inbox: Inbox, gate: Gate
) -> None:
    letters = system.dead_letters()
    target, stopper = system.spawn(Parent, inbox.address), system.spawn(Parent)
    reply = system._runtime.ask(target, Wait(gate), 10)
    system.ask(stopper, Pass(target, "before"))
    system.ask(stopper, End(target))
    system.ask(stopper, Pass(target, "after"))
    gate.open()
    assert reply.result() == "waited"
    letter = letters.receive(10)
    assert (letter.message, letter.target, letter.sender, letter.reason) == ("after", target, stopper, "stopped")


def test_stop_actor_waits_until_the_actor_has_ended(system: ActorSystem, inbox: Inbox) -> None:
    tree = system.spawn(Node, inbox.address, "t", 2)
    assert len(system.ask(tree, Get())) == 7
    system.stop_actor(tree)
    with pytest.raises(ActorGone):
        system.ask(tree, Get())
    assert len([inbox.receive(10) for _ in range(7)]) == 7


def test_stop_actor_of_an_ended_actor_returns(system: ActorSystem) -> None:
    echo = system.spawn(Echo)
    system.stop_actor(echo)
    system.stop_actor(echo)


@pytest.mark.first_come("what different senders send is compared in one order")
def test_children_end_before_their_parents(system: ActorSystem, inbox: Inbox) -> None:
    tree = system.spawn(Node, inbox.address, "t", 2)
    labels = system.ask(tree, Get())
    system.stop_actor(tree)
    ended = [inbox.receive(10) for _ in labels]
    assert {reason for _, reason in ended} == {"stopped"}
    order = [label for label, _ in ended]
    assert sorted(order) == sorted(labels)
    for label in labels:
        if label != "t":
            assert order.index(label) < order.index(label[:-1])


def test_a_failed_actor_takes_its_children_along(system: ActorSystem, inbox: Inbox) -> None:
    tree = system.spawn(Node, inbox.address, "t", 1, supervision=Stop())
    assert system.ask(tree, Get()) == ["t", "t0", "t1"]
    system.send(tree, Raise(ValueError("enough")))
    ended = dict(inbox.receive(10) for _ in range(3))
    assert ended == {"t0": "stopped", "t1": "stopped", "t": "failed"}


def test_an_actor_stops_itself_after_the_current_message(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    letters = system.dead_letters()
    actor = system.spawn(StopsItself, inbox.address)
    assert system.ask(actor, End()) == "done"
    assert inbox.receive(10) == "still handling"
    system.send(actor, "too late")
    assert letters.receive(10).reason == "stopped"


def test_a_parent_is_told_once_that_its_child_stopped(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Echo, options={"name": "one"}))
    assert system.ask(parent, Get()) == (child,)
    system.ask(parent, End(child))
    assert inbox.receive(10) == ChildExited(child, "stopped", "", None, "one")
    assert system.ask(parent, Get()) == ()
    assert receive_all(inbox, system) == []


def test_a_child_stopped_by_somebody_else_is_reported_too(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Echo))
    system.stop_actor(child)
    assert inbox.receive(10) == ChildExited(child, "stopped")


def test_a_parent_is_told_that_its_child_failed_and_why(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Parent, options={"supervision": Stop()}))
    system.send(child, Raise(KeyError("lost")))
    exited = inbox.receive(10)
    assert (exited.child, exited.reason) == (child, "failed")
    assert "KeyError" in exited.detail
    assert isinstance(exited.error, KeyError)
    assert receive_all(inbox, system) == []


def test_a_child_that_could_not_start_is_reported_and_its_messages_are_dead_letters(
    system: ActorSystem, inbox: Inbox
) -> None:
    letters = system.dead_letters()
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make("tests.conformance.restarting_actors.BrokenStart", ("constructor",)))
    exited = inbox.receive(10)
    assert (exited.child, exited.reason, type(exited.error)) == (child, "failed", LookupError)
    system.ask(parent, Pass(child, "hello?"))
    letter = letters.receive(10)
    assert (letter.message, letter.target, letter.reason) == ("hello?", child, "failed")


@pytest.mark.parametrize("in_started", [False, True])
def test_an_actor_that_fails_to_start_leaves_no_children(system: ActorSystem, inbox: Inbox, in_started: bool) -> None:
    with pytest.raises(SpawnFailed, match="not today"):
        system.spawn(HasOrphans, inbox.address, in_started=in_started)
    assert inbox.receive(10) == ("child", "stopped")


def test_a_child_spawned_while_its_parent_stops_ends_too(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(BringsUpLate, inbox.address)
    system.stop_actor(actor)
    assert inbox.receive(10) == ("late child", "stopped")


def test_a_watcher_is_told_once(system: ActorSystem, inbox: Inbox) -> None:
    watcher, target = system.spawn(Parent, inbox.address), system.spawn(Echo)
    system.ask(watcher, Observe(target))
    system.ask(watcher, Observe(target))
    system.stop_actor(target)
    assert inbox.receive(10) == Terminated(target, "stopped")
    assert receive_all(inbox, system) == []


def test_several_watchers_and_the_parent_are_told(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Parent, options={"supervision": Stop()}))
    inboxes = [system.inbox() for _ in range(3)]
    for each in inboxes:
        each.watch(child)
    system.ask(child, Get())
    settle(system)
    system.send(child, Raise(KeyError("lost")))
    for each in inboxes:
        told = each.receive(10)
        assert (type(told), told.actor, told.reason) == (Terminated, child, "failed")
        assert "KeyError" in told.detail
    assert inbox.receive(10).reason == "failed"


def test_a_parent_that_watches_its_child_gets_both_notices(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Echo))
    system.ask(parent, Observe(child))
    system.ask(parent, End(child))
    assert {type(inbox.receive(10)) for _ in range(2)} == {ChildExited, Terminated}
    assert receive_all(inbox, system) == []


def test_watching_an_ended_actor_brings_the_notice_at_once(system: ActorSystem, inbox: Inbox) -> None:
    target = system.spawn(Echo)
    system.stop_actor(target)
    watcher = system.spawn(Parent, inbox.address)
    system.ask(watcher, Observe(target))
    told = inbox.receive(10)
    assert (told.actor, told.reason) == (target, "stopped")


def test_watching_a_failed_actor_tells_how_it_ended(system: ActorSystem, inbox: Inbox) -> None:
    target = system.spawn(Parent, supervision=Stop())
    inbox.watch(target)
    system.send(target, Raise(ValueError("broken")))
    assert inbox.receive(10).reason == "failed"
    late = system.inbox()
    late.watch(target)
    assert late.receive(10).reason == "failed"


def test_watching_an_actor_that_was_refused(system: ActorSystem, inbox: Inbox) -> None:
    system.spawn(Echo, name="taken")
    parent = system.spawn(Parent)
    refused = system.ask(parent, Make(Echo, options={"name": "taken"}))
    inbox.watch(refused)
    told = inbox.receive(10)
    assert (told.actor, told.reason) == (refused, "refused")


def test_who_no_longer_watches_is_not_told(system: ActorSystem, inbox: Inbox) -> None:
    watcher, target = system.spawn(Parent, inbox.address), system.spawn(Echo)
    system.ask(watcher, Observe(target))
    system.ask(watcher, Ignore(target))
    assert system.ask(watcher, Consult(target, 1)) == 1  # behind it on the same way
    system.stop_actor(target)
    assert receive_all(inbox, system) == []
    system.ask(watcher, Observe(target))  # and can watch again
    assert inbox.receive(10).reason == "stopped"


def test_an_async_stopping_is_awaited(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(LastWords, inbox.address)
    system.stop_actor(actor)
    assert inbox.receive(10) == ("stopping", "stopped")


def test_a_failing_stopping_does_not_keep_the_actor(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(BrokenStop))
    system.stop_actor(child)
    assert inbox.receive(10) == ChildExited(child, "stopped")


def test_system_exit_ends_the_actor_and_nobody_else(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Quitter))
    neighbour = system.ask(parent, Make(Recorder))
    system.send(child, "leave")
    exited = inbox.receive(10)
    assert (exited.child, exited.reason) == (child, "failed")
    assert "SystemExit" in exited.detail
    assert system.ask(neighbour, Get()) == []
    assert system.ask(parent, Get()) == (neighbour,)


def test_system_exit_while_answering_an_ask_fails_the_ask(system: ActorSystem) -> None:
    actor = system.spawn(Quitter)
    with pytest.raises(Exception, match=r"SystemExit|failed"):
        system.ask(actor, "leave")
    with pytest.raises(ActorGone, match="failed"):
        system.ask(actor, "are you there?")


@pytest.mark.parametrize("actor_class", [NoticeByReceive, CatchAll])
def test_notices_never_reach_receive_or_a_catch_all(system: ActorSystem, actor_class: type) -> None:
    actor = system.spawn(actor_class)
    child = system.ask(actor, Make(Echo))
    system.stop_actor(child)
    settle(system)
    system.send(actor, 17)
    assert system.ask(actor, Get()) == ["int"]
