"""Restarts that fail themselves, and the hooks of an actor's life, failing and busy ones too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, Backoff, ChildExited, Restart, Resume, Stop, Supervision, Terminated
from garrick.inbox import Inbox
from tests.conformance.actors import End, Gate, Get, Make, Observe, Parent, Raise, Wait
from tests.conformance.supervision_actors import AsyncHooks, Attempts, BrokenHook, Flaky, Hooks, Member, WaitAloud

BOOM = Raise(ValueError("boom"))
PAUSE = Backoff(first=0.01, factor=1.0, limit=0.01, jitter=0)
QUICK = Restart(max=3, within=60, backoff=PAUSE)


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(tmp_path / "attempts")


def told_until(inbox: Inbox, last: Any) -> list[Any]:
    """What the inbox gets, up to what ``last`` says."""
    got: list[Any] = []
    while not got or not last(got[-1]):
        got.append(inbox.receive(10))
    return got


@pytest.mark.parametrize("where", ["constructor", "started", "async started"])
class TestFailingRestarts:
    @pytest.mark.first_come("what different senders send is compared in one order")
    def test_what_is_away_for_a_while_is_tried_again(
        self, system: ActorSystem, inbox: Inbox, attempts: Attempts, where: str
    ) -> None:
        actor = system.spawn(Flaky, inbox.address, attempts, range(2, 4), where, supervision=QUICK)
        watcher = system.inbox()
        watcher.watch(actor)
        system.send(actor, BOOM)
        assert system.ask(actor, Get()) == 4, "what was sent meanwhile is handled by the instance that could be made"
        system.stop_actor(actor)
        events = told_until(inbox, lambda event: event[0] == "stopping" and event[1] == 4)
        kinds = [event for event in events if event[0] in ("attempt", "restarting") or event[1] == 4]
        assert kinds == [
            ("attempt", 1),
            ("restarting", 1),  # the hooks of an instance that could not be made are not called
            ("attempt", 2),
            ("attempt", 3),
            ("attempt", 4),
            ("stopping", 4, "stopped"),
        ]
        assert watcher.receive(10).reason == "stopped"
        # Of the children those have gone on that a living instance knew; the others ended with what had made them.
        for number in range(1, 5):
            told = [event[1:] for event in events if event[0] == f"child {number}"]
            assert told == [("made",), ("started",), ("stopping", "stopped")]
        ends = [event for event in events if event[1] == "stopping" and event[0].startswith("child")]
        assert {label for label, *_ in ends[:2]} == {"child 2", "child 3"}

    @pytest.mark.first_come("what different senders send is compared in one order")
    def test_each_counts_within_the_limit(
        self, system: ActorSystem, inbox: Inbox, attempts: Attempts, where: str
    ) -> None:
        parent = system.spawn(Parent, inbox.address)
        arguments = (inbox.address, attempts, range(2, 100), where)
        child = system.ask(parent, Make(Flaky, arguments, {"supervision": QUICK}))
        assert system.ask(child, Get()) == 1
        system.send(child, BOOM)
        events = told_until(inbox, lambda event: isinstance(event, ChildExited) and event.child == child)
        assert [event[1] for event in events if isinstance(event, tuple) and event[0] == "attempt"] == [1, 2, 3, 4]
        assert not [event for event in events if isinstance(event, tuple) and event[:1] == ("stopping",)]
        exited = events[-1]
        assert (exited.reason, exited.detail) == ("failed", "LookupError: away")
        assert system.ask(parent, Get()) == ()

    def test_an_actor_that_cannot_be_made_again_can_be_stopped(
        self, system: ActorSystem, inbox: Inbox, attempts: Attempts, where: str
    ) -> None:
        never = Restart(max=100, backoff=Backoff(first=10_000, limit=10_000, jitter=0))
        actor = system.spawn(Flaky, inbox.address, attempts, range(2, 100), where, supervision=never)
        watcher = system.inbox()
        watcher.watch(actor)
        system.send(actor, BOOM)
        told_until(inbox, lambda event: event[0] == "restarting")
        system.stop_actor(actor, timeout=10)
        assert watcher.receive(10) == Terminated(actor, "failed", "LookupError: away")
        with pytest.raises(ActorGone, match="failed"):
            system.ask(actor, Get())


@pytest.mark.parametrize("where", ["constructor", "started"])
@pytest.mark.parametrize(
    ("policy", "made"),
    [
        ({ValueError: QUICK, LookupError: Stop()}, [1, 2]),
        ({ValueError: QUICK, LookupError: Resume()}, [1, 2, 3]),  # nothing is there to go on with: the default
        ({ValueError: QUICK, LookupError: Restart(max=2, backoff=None)}, [1, 2, 3]),
    ],
    ids=["stop", "resume", "restart"],
)
def test_the_exception_chooses_the_policy(
    system: ActorSystem, inbox: Inbox, attempts: Attempts, where: str, policy: Supervision, made: list[int]
) -> None:
    last = 3 if isinstance(policy, dict) and policy[LookupError] == Resume() else 100
    actor = system.spawn(Flaky, inbox.address, attempts, range(2, last), where, supervision=policy)
    inbox.watch(actor)
    system.send(actor, BOOM)
    if last == 3:
        assert system.ask(actor, Get()) == 3
        system.stop_actor(actor)
    events = told_until(inbox, lambda event: isinstance(event, Terminated))
    assert [event[1] for event in events[:-1] if event[0] == "attempt"] == made
    assert events[-1].reason == ("stopped" if last == 3 else "failed")


class TestHooks:
    @pytest.mark.parametrize("actor_class", [Hooks, AsyncHooks])
    def test_hooks_can_spawn_ask_and_send(self, system: ActorSystem, inbox: Inbox, actor_class: type) -> None:
        actor = system.spawn(actor_class, inbox.address, supervision=QUICK)
        system.send(actor, BOOM)
        life = ["constructor", "started", "restarting", "constructor", "started"]
        assert [inbox.receive(10) for _ in life] == life
        system.stop_actor(actor)
        assert inbox.receive(10) == "stopping"

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_failing_restarting_does_not_hinder_the_restart(
        self, system: ActorSystem, inbox: Inbox, asynchronous: bool
    ) -> None:
        actor = system.spawn(BrokenHook, inbox.address, "restarting", asynchronous=asynchronous, supervision=QUICK)
        system.send(actor, BOOM)
        life = ["made", "started", "restarting", "made", "started"]
        assert [inbox.receive(10)[1] for _ in life] == life
        assert system.ask(actor, 1) == 1

    @pytest.mark.parametrize("asynchronous", [False, True])
    @pytest.mark.parametrize("reason", ["stopped", "failed"])
    def test_a_failing_stopping_does_not_hinder_the_end(
        self, system: ActorSystem, inbox: Inbox, asynchronous: bool, reason: str
    ) -> None:
        actor = system.spawn(BrokenHook, inbox.address, "stopping", asynchronous=asynchronous, supervision=Stop())
        watcher = system.inbox()
        watcher.watch(actor)
        system.ask(actor, 1)
        if reason == "failed":
            system.send(actor, BOOM)
        else:
            system.stop_actor(actor)
        told = watcher.receive(10)
        assert (told.reason, "boom" in told.detail) == (reason, reason == "failed")


def test_a_restart_keeps_the_name(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Member, inbox.address, "actor", supervision=QUICK, name="kept")
    system.send(actor, BOOM)
    assert system.ask(actor, 1) == 1
    assert system.lookup("kept") == actor


def test_a_stop_that_waits_cuts_the_back_off_short(system: ActorSystem, inbox: Inbox, gate: Gate) -> None:
    never = Restart(backoff=Backoff(first=10_000, limit=10_000))
    actor = system.spawn(Member, inbox.address, "actor", supervision=never)
    stopper = system.spawn(Parent)
    told_until(inbox, lambda event: event[1] == "started")
    waiting = system._runtime.ask(actor, WaitAloud(gate), 30)
    system.send(actor, BOOM)
    system.send(actor, "before the stop")
    told_until(inbox, lambda event: event[1] == "waiting")  # or the stop, which is another's, might come first
    system.ask(stopper, End(actor))
    system.ask(stopper, Get())
    inbox.watch(actor)
    gate.open()
    waiting.result()
    events = told_until(inbox, lambda event: isinstance(event, Terminated))
    assert events[-1] == Terminated(actor, "stopped")


@pytest.mark.parametrize("policy", [Stop(), Restart(max=0)], ids=["stop", "limit"])
def test_a_parent_can_fail_while_the_end_of_its_child_waits_in_its_mailbox(
    system: ActorSystem, inbox: Inbox, gate: Gate, policy: Supervision
) -> None:
    parent = system.spawn(Member, inbox.address, "parent", supervision=policy)
    child, bystander = (system.ask(parent, Make(Parent)) for _ in range(2))
    watcher = system.inbox()
    watcher.watch(parent)
    waiting = system._runtime.ask(parent, Wait(gate), 30)
    system.send(parent, BOOM)  # fails as soon as the gate is open, before it hears of its child
    system.ask(bystander, Observe(child))
    system.stop_actor(child)
    gate.open()
    waiting.result()
    assert watcher.receive(10) == Terminated(parent, "failed", "ValueError: boom")


def test_stop_and_failure_at_once_are_one_end(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Parent, inbox.address)
    stopper = system.spawn(Parent)
    children = [system.ask(parent, Make(Parent, options={"supervision": Stop()})) for _ in range(20)]
    for child in children:
        inbox.watch(child)
    for child in children:
        system.send(stopper, End(child))
        system.send(child, BOOM)
    told = [inbox.receive(10) for _ in range(2 * len(children))]
    for kind, field in ((ChildExited, "child"), (Terminated, "actor")):
        assert sorted(getattr(notice, field) for notice in told if isinstance(notice, kind)) == sorted(children)
    assert {notice.reason for notice in told} <= {"stopped", "failed"}
    assert system.ask(parent, Get()) == ()
    with pytest.raises(TimeoutError):
        raise AssertionError(inbox.receive(0.1))
