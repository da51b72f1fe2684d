"""What happens to an actor whose handler raised."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import (
    ActorGone,
    ActorSystem,
    Backoff,
    HandlerFailed,
    Poisoned,
    Restart,
    Resume,
    SpawnFailed,
    Stop,
    Terminated,
)
from garrick.inbox import Inbox
from tests.conformance.actors import Echo, Gate, Get, Make, Observe, Parent, Pass, Raise, Unpicklable
from tests.conformance.restarting_actors import (
    AsyncCounter,
    BrokenRestart,
    BrokenStart,
    Counter,
    FailsOnNotice,
    Interrupts,
    InterruptsAsync,
    OnceOnly,
)
from tests.conformance.waiting_actors import Fails

QUICK = Restart(max=3, within=60, backoff=Backoff(first=0.01, factor=1.0, limit=0.01, jitter=0))
BOOM = Raise(ValueError("boom"))


def take(inbox: Inbox, count: int) -> list[Any]:
    return [inbox.receive(10) for _ in range(count)]


@pytest.mark.parametrize("actor_class", [Counter, AsyncCounter])
def test_by_default_a_failed_actor_is_restarted_with_new_state(
    system: ActorSystem, inbox: Inbox, actor_class: type
) -> None:
    actor = system.spawn(actor_class, inbox.address, 10)
    assert system.ask(actor, 5) == 15
    assert take(inbox, 2) == [("made", 10), ("started", 10)]
    system.send(actor, BOOM)
    assert system.ask(actor, 1) == 11
    assert take(inbox, 3) == [("restarting", 15, "boom"), ("made", 10), ("started", 10)]


def test_a_restart_waits_for_its_back_off(system: ActorSystem, inbox: Inbox) -> None:
    # Timed by a timer of another actor, so that it holds in virtual time too.
    slow = Restart(backoff=Backoff(first=0.3, jitter=0))
    actor = system.spawn(Counter, inbox.address, supervision=slow)
    clock = system.spawn(Counter, inbox.address)
    take(inbox, 4)
    system.send(actor, BOOM)
    assert inbox.receive(10) == ("restarting", 0, "boom")
    system.send(clock, (0.05, "earlier", False))
    assert take(inbox, 3) == [("got", "earlier"), ("made", 0), ("started", 0)]


def test_the_mailbox_survives_the_restart_in_order(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, supervision=QUICK)
    source = system.spawn(Parent)
    take(inbox, 2)
    system.send(actor, BOOM)
    for text in ("one", "two", "three"):
        system.send(actor, text)
    system.ask(source, Pass(actor, "four"))
    got = [item for item in take(inbox, 7) if item[0] == "got"]
    assert [text for _, text in got if text != "four"] == ["one", "two", "three"]
    assert ("got", "four") in got


def test_the_failed_message_is_not_handled_again(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, supervision=QUICK)
    system.send(actor, BOOM)
    system.send(actor, "after")
    assert take(inbox, 6)[-1] == ("got", "after")
    assert system.ask(actor, Get()) == 0


def test_children_watchers_and_watched_survive_a_restart(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, supervision=QUICK)
    child = system.ask(actor, Make(Echo))
    other = system.spawn(Echo)
    system.ask(actor, Observe(other))
    watcher = system.inbox()
    watcher.watch(actor)
    take(inbox, 2)
    system.send(actor, BOOM)
    take(inbox, 3)
    assert system.ask(actor, Get("children")) == (child,)
    assert system.ask(child, "still there?") == "still there?"
    system.stop_actor(other)
    assert inbox.receive(10) == Terminated(other, "stopped")
    system.stop_actor(actor)
    assert watcher.receive(10) == Terminated(actor, "stopped")


def test_a_restart_cancels_timers_unless_they_are_kept(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, supervision=QUICK)
    take(inbox, 2)
    system.send(actor, (0.1, "cancelled", False))
    system.send(actor, (0.2, "kept", True))
    system.send(actor, BOOM)
    assert take(inbox, 4) == [("restarting", 0, "boom"), ("made", 0), ("started", 0), ("got", "kept")]


@pytest.mark.first_come("what different senders send is compared in one order")
def test_after_too_many_restarts_the_actor_stops_as_failed(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Counter, (inbox.address,), {"supervision": QUICK}))
    take(inbox, 2)
    for _ in range(3):
        system.send(child, BOOM)
        assert take(inbox, 3) == [("restarting", 0, "boom"), ("made", 0), ("started", 0)]
    system.send(child, BOOM)
    assert inbox.receive(10) == ("stopping", "failed")
    exited = inbox.receive(10)
    assert (exited.child, exited.reason, type(exited.error)) == (child, "failed", ValueError)


def test_old_restarts_are_forgotten(system: ActorSystem, inbox: Inbox) -> None:
    policy = Restart(max=1, within=0.05, backoff=None)
    actor = system.spawn(Counter, inbox.address, supervision=policy)
    take(inbox, 2)
    for _ in range(3):
        system.send(actor, BOOM)
        assert take(inbox, 3) == [("restarting", 0, "boom"), ("made", 0), ("started", 0)]
        system.send(actor, (0.1, "later", False))
        assert inbox.receive(10) == ("got", "later")


def test_resume_keeps_the_state(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, supervision=Resume())
    system.send(actor, 5)
    for _ in range(10):
        system.send(actor, BOOM)
    assert system.ask(actor, 1) == 6
    assert take(inbox, 2) == [("made", 0), ("started", 0)]


def test_stop_ends_the_actor(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    actor = system.spawn(Counter, inbox.address, supervision=Stop())
    take(inbox, 2)
    system.send(actor, BOOM)
    system.send(actor, "after")
    assert inbox.receive(10) == ("stopping", "failed")
    assert letters.receive(10).reason == "failed"
    with pytest.raises(ActorGone, match="failed"):
        system.ask(actor, 1)


@pytest.mark.parametrize("actor_class", [Counter, AsyncCounter])
def test_a_failed_ask_by_default_resumes(system: ActorSystem, inbox: Inbox, actor_class: type) -> None:
    actor = system.spawn(actor_class, inbox.address)
    system.ask(actor, 5)
    for _ in range(10):
        with pytest.raises(HandlerFailed, match="boom"):
            system.ask(actor, BOOM)
    assert system.ask(actor, 1) == 6


def test_a_policy_given_at_spawn_applies_to_asks_too(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Counter, inbox.address, supervision=QUICK)
    system.ask(actor, 5)
    with pytest.raises(HandlerFailed, match="boom"):
        system.ask(actor, BOOM)
    assert system.ask(actor, 1) == 1
    actor = system.spawn(Counter, inbox.address, supervision=Stop())
    with pytest.raises(HandlerFailed, match="boom"):
        system.ask(actor, BOOM)
    with pytest.raises(ActorGone):
        system.ask(actor, 1)


def test_the_sender_is_told_of_the_poisoned_message(system: ActorSystem, inbox: Inbox) -> None:
    observer = system.inbox()
    sender, actor = system.spawn(Parent, observer.address), system.spawn(Counter, inbox.address, supervision=QUICK)
    system.ask(sender, Pass(actor, BOOM))
    poisoned = observer.receive(10)
    assert isinstance(poisoned, Poisoned)
    assert isinstance(poisoned.message, Raise)
    assert isinstance(poisoned.error, ValueError)
    assert poisoned.target == actor


def test_an_inbox_is_told_too(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Parent, supervision=Resume())
    inbox.send(actor, BOOM)
    poisoned = inbox.receive(10)
    assert (type(poisoned), poisoned.target) == (Poisoned, actor)


def test_a_poison_that_cannot_travel_is_reported_all_the_same(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(FailsUnpicklably, supervision=Resume())
    inbox.send(actor, "anything")
    poisoned = inbox.receive(10)
    assert (type(poisoned), poisoned.target) == (Poisoned, actor)
    assert "glue" in str(poisoned.error)


def test_a_failure_on_a_notice_restarts_and_poisons_nobody(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(FailsOnNotice, inbox.address, supervision=QUICK)
    assert inbox.receive(10) == "started"
    child = system.ask(actor, Make(Echo))
    system.stop_actor(child)
    assert inbox.receive(10) == "started"


@pytest.mark.parametrize("where", ["constructor", "started", "async started"])
def test_a_failing_start_is_raised_with_its_cause_and_not_retried(
    system: ActorSystem, inbox: Inbox, where: str
) -> None:
    with pytest.raises(SpawnFailed, match="LookupError: no such thing") as caught:
        system.spawn(BrokenStart, where)
    assert isinstance(caught.value.__cause__, LookupError) or any("LookupError" in n for n in caught.value.__notes__)
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(BrokenStart, (where,)))
    exited = inbox.receive(10)
    assert (exited.child, exited.reason, type(exited.error)) == (child, "failed", LookupError)


def test_an_actor_whose_constructor_fails_at_the_restart_ends_as_failed(
    system: ActorSystem, inbox: Inbox, gate: Gate
) -> None:
    actor = system.spawn(OnceOnly, gate, supervision=QUICK)
    inbox.watch(actor)
    system.send(actor, BOOM)
    told = inbox.receive(10)
    assert (told.actor, told.reason) == (actor, "failed")
    assert "not again" in told.detail


def test_a_failing_restarting_hook_does_not_hinder_the_restart(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(BrokenRestart, inbox.address, supervision=QUICK)
    system.send(actor, BOOM)
    assert take(inbox, 4) == [("made", 0), ("started", 0), ("made", 0), ("started", 0)]


def test_an_actor_that_waits_for_its_restart_can_be_stopped(system: ActorSystem, inbox: Inbox) -> None:
    never = Restart(backoff=Backoff(first=10_000, limit=10_000))
    actor = system.spawn(Counter, inbox.address, supervision=never)
    take(inbox, 2)
    system.send(actor, BOOM)
    assert inbox.receive(10) == ("restarting", 0, "boom")
    system.send(actor, "before the stop")
    system.stop_actor(actor, timeout=10)
    assert ("got", "before the stop") in take(inbox, 4)
    with pytest.raises(ActorGone, match="stopped"):
        system.ask(actor, 1)


def test_an_error_that_cannot_be_printed_is_reported_all_the_same(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Fails, supervision=Stop())
    with pytest.raises(HandlerFailed, match="Unprintable"):
        system.ask(actor, "fail")
    parent = system.spawn(Parent, inbox.address)
    child = system.ask(parent, Make(Fails, options={"supervision": Stop()}))
    neighbour = system.ask(parent, Make(Echo))
    system.send(child, "fail")
    exited = inbox.receive(10)
    assert (exited.child, exited.reason) == (child, "failed")
    assert "Unprintable" in exited.detail
    assert system.ask(neighbour, 1) == 1


def test_a_failure_after_the_answer_does_not_take_it_back(system: ActorSystem) -> None:
    actor = system.spawn(Fails, supervision=Resume())
    assert system.ask(actor, 5) == 5
    assert system.ask(actor, 6) == 6


def test_running_out_of_memory_is_an_ordinary_failure(system: ActorSystem) -> None:
    actor = system.spawn(Fails)
    with pytest.raises(HandlerFailed, match="MemoryError: no room"):
        system.ask(actor, 1.5)
    assert system.ask(actor, 5) == 5


@pytest.mark.real_time("where the program's thread runs the handlers it is Ctrl-C")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_keyboard_interrupt_of_a_handler_is_an_ordinary_failure(system: ActorSystem, asynchronous: bool) -> None:
    actor = system.spawn(InterruptsAsync if asynchronous else Interrupts)
    with pytest.raises(HandlerFailed, match="KeyboardInterrupt"):
        system.ask(actor, "now")
    assert system.ask(actor, 5) == 5


class FailsUnpicklably(Echo):
    def receive(self, message: Any, sender: Any) -> None:
        raise Unpicklable("glue")
