"""`Escalate`: a failure becomes the parent's own."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, AskDeadlock, Escalate, HandlerFailed, Restart, Resume, Stop, Terminated, on
from garrick.inbox import Inbox
from tests.conformance.actors import Consult, End, Gate, Get, Make, Pass, Raise, Unpicklable, Wait
from tests.conformance.families import AT_ONCE, QUICK, Family, over_processes
from tests.conformance.supervision_actors import (
    AsyncMember,
    Attempts,
    ConsultAtGate,
    Flaky,
    Member,
    RaiseAtGate,
    ReentrantMember,
    WaitAloud,
)

BOOM = Raise(ValueError("boom"))
RENEWED = [("restarting", "ValueError: boom"), "made", "started"]


class Escalating:
    apart: bool

    def family(self, system: ActorSystem, policy: Any, actor_class: type = Member) -> Family:
        return Family(system, apart=self.apart, policy=policy, actor_class=actor_class)

    def test_the_parent_resumes_and_so_does_the_child(self, system: ActorSystem) -> None:
        family = self.family(system, Resume())
        child = family.child("child", Escalate())
        for _ in range(5):
            system.send(child, BOOM)
        assert system.ask(child, 1) == 6
        family.nothing_more()

    @pytest.mark.parametrize("policy", [QUICK, AT_ONCE, None], ids=["quick", "at once", "default"])
    def test_the_parent_restarts_and_then_the_child(self, system: ActorSystem, policy: Restart | None) -> None:
        family = self.family(system, policy)
        child = family.child("child", Escalate())
        system.send(child, BOOM)
        system.send(child, "mailbox kept")
        family.told(boss=RENEWED, child=[*RENEWED, ("got", "mailbox kept")])
        assert system.ask(family.boss, Get("children")) == (child,)
        assert system.ask(child, 1) == 1

    @pytest.mark.parametrize("actor_class", [AsyncMember, ReentrantMember])
    def test_coroutines_escalate_too(self, system: ActorSystem, actor_class: type) -> None:
        family = self.family(system, QUICK, actor_class)
        child = family.child("child", Escalate())
        system.send(child, BOOM)
        family.told(boss=RENEWED, child=RENEWED)
        assert system.ask(child, 1) == 1

    def test_who_asked_hears_of_the_failure(self, system: ActorSystem) -> None:
        family = self.family(system, QUICK)
        child = family.child("child", Escalate())
        with pytest.raises(HandlerFailed, match="boom"):
            system.ask(child, BOOM)
        family.told(boss=RENEWED, child=RENEWED)

    def test_what_a_reentrant_child_does_meanwhile_goes_on_when_the_parent_resumes(
        self, system: ActorSystem, gate: Gate
    ) -> None:
        family = self.family(system, Resume(), ReentrantMember)
        child = family.child("child", Escalate())
        waiting = system._runtime.ask(child, WaitAloud(gate), 30)
        family.told(child=["waiting"])
        system.send(child, BOOM)
        assert system.ask(child, 1) == 6
        gate.open()
        assert waiting.result() == "waited"
        assert system.ask(child, 1) == 7
        system.stop_actor(child)

    def test_the_parent_stops_and_the_child_with_it(self, system: ActorSystem) -> None:
        family = self.family(system, Stop())
        child, sibling = family.child("child", Escalate()), family.child("sibling", None)
        letters, watcher = system.dead_letters(), system.inbox()
        watcher.watch(child)
        system.ask(child, Get())
        system.send(child, BOOM)
        system.send(child, "never handled")
        family.told(boss=[("stopping", "failed")], child=[("stopping", "failed")], sibling=[("stopping", "stopped")])
        assert watcher.receive(10) == Terminated(child, "failed", "ValueError: boom")
        letter = letters.receive(10)
        assert (letter.message, letter.reason) == ("never handled", "failed")
        with pytest.raises(ActorGone, match="failed"):
            system.ask(family.boss, 1)
        for actor in (child, sibling):
            with pytest.raises(ActorGone):
                system.ask(actor, 1)

    def test_the_limit_of_the_parent_counts(self, system: ActorSystem) -> None:
        family = self.family(system, Restart(max=1, backoff=None))
        child = family.child("child", Escalate())
        system.send(child, BOOM)
        family.told(boss=RENEWED, child=RENEWED)
        system.send(child, BOOM)
        family.told(boss=[("stopping", "failed")], child=[("stopping", "failed")])

    def test_the_parent_chooses_by_the_exception(self, system: ActorSystem) -> None:
        family = self.family(system, {LookupError: Resume(), Exception: AT_ONCE})
        child = family.child("child", Escalate())
        system.send(child, Raise(KeyError("boom")))
        assert system.ask(child, 1) == 6
        system.send(child, BOOM)
        family.told(boss=RENEWED, child=RENEWED)

    def test_an_error_that_cannot_travel_escalates_all_the_same(self, system: ActorSystem) -> None:
        family = self.family(system, AT_ONCE, Gluing)
        child = family.child("child", Escalate())
        system.send(child, "glue")
        for _ in range(6):
            what = family.inbox.receive(10)
            assert what[1] != "restarting" or "glue" in what[2]
        assert system.ask(child, 1) == 1

    def test_a_failure_goes_up_as_far_as_it_must(self, system: ActorSystem) -> None:
        family = self.family(system, AT_ONCE)
        middle = family.child("middle", Escalate())
        family.options = {}
        child = family.child("child", Escalate(), of=middle)
        system.send(child, BOOM)
        family.told(boss=RENEWED, middle=RENEWED, child=RENEWED)
        system.send(middle, BOOM)  # the middle one's own failure is not the child's
        family.told(boss=RENEWED, middle=RENEWED)
        assert system.ask(child, 1) == 1

    def test_what_resumes_resumes_all_the_way_down(self, system: ActorSystem) -> None:
        family = self.family(system, Resume())
        middle = family.child("middle", Escalate())
        family.options = {}
        child = family.child("child", Escalate(), of=middle)
        system.send(child, BOOM)
        assert system.ask(child, 1) == 6
        assert system.ask(middle, 1) == 6
        family.nothing_more()

    def test_while_the_parent_is_blocked_the_child_waits(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, AT_ONCE)
        child = family.child("child", Escalate())
        waiting = system._runtime.ask(family.boss, Wait(gate), 30)
        system.send(child, BOOM)
        system.send(child, "later")
        gate.open()
        assert waiting.result() == "waited"
        family.told(boss=RENEWED, child=[*RENEWED, ("got", "later")])

    @pytest.mark.first_come("what different senders send is compared in one order")
    def test_a_parent_that_ends_first_takes_the_child_along(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, Resume())
        child = family.child("child", Escalate())
        stopper = system.spawn(Member, system.inbox().address, "stopper")
        waiting = system._runtime.ask(family.boss, Wait(gate), 30)
        system.ask(stopper, End(family.boss))
        system.ask(stopper, Get())
        system.send(child, BOOM)
        gate.open()
        waiting.result()
        # Whether it had failed before it was told to end is a matter of time; that both end is not.
        ended = {family.inbox.receive(10) for _ in range(2)}
        assert {label for label, *_ in ended} == {"boss", "child"}
        with pytest.raises(ActorGone):
            system.ask(child, 1)

    @pytest.mark.first_come("what different senders send is compared in one order")
    def test_a_suspended_child_can_be_stopped(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, Resume())
        child = family.child("child", Escalate())
        waiting = system._runtime.ask(family.boss, Wait(gate), 30)
        with pytest.raises(HandlerFailed):
            system.ask(child, BOOM)
        system.stop_actor(child, timeout=10)
        gate.open()
        waiting.result()
        assert [family.inbox.receive(10)[:2] for _ in range(2)] == [("child", "stopping"), ("boss", "exited")]
        family.nothing_more()

    def test_without_an_instance_there_is_nothing_to_resume(self, system: ActorSystem, tmp_path: Any) -> None:
        family = self.family(system, {ValueError: AT_ONCE, LookupError: Resume()})
        flaky = (family.inbox.address, Attempts(tmp_path / "attempts"), range(2, 100), "constructor")
        family.inbox.watch(child := self.spawn_flaky(system, family, flaky))
        system.send(child, BOOM)
        while not isinstance(told := family.inbox.receive(10), Terminated):
            pass
        assert (told.actor, told.reason, told.detail) == (child, "failed", "LookupError: away")

    def spawn_flaky(self, system: ActorSystem, family: Family, arguments: Any) -> Any:
        child = system.ask(family.boss, Make(Flaky, arguments, {"supervision": Escalate(), **family.options}))
        assert system.ask(child, Get()) == 1
        return child

    def test_who_asks_its_child_that_waits_for_it_is_told_so(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, AT_ONCE)
        child = family.child("child", Escalate())
        system.send(child, RaiseAtGate(gate, BOOM.error))
        family.told(child=["waiting"])
        asking = system._runtime.ask(family.boss, Consult(child, 1, timeout=60), 30)
        gate.open()
        error = asking.result()
        if not isinstance(error, AskDeadlock):
            # The child failed before the boss asked: the boss restarted then, and the child has answered after that.
            assert error == 1
        family.told(boss=RENEWED, child=RENEWED)
        assert system.ask(child, 1) >= 1


class TestTogether(Escalating):
    apart = False

    @pytest.mark.real_time("the boss has to be busy until the program lets it go on")
    def test_who_asks_a_child_that_is_suspended_is_told_so(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, AT_ONCE)
        child, bystander = family.child("child", Escalate()), family.child("bystander", None)
        asking = system._runtime.ask(family.boss, ConsultAtGate(gate, Consult(child, 1, timeout=60)), 30)
        with pytest.raises(HandlerFailed):
            system.ask(child, BOOM)
        system.ask(bystander, 0)  # behind the escalation in the same process
        gate.open()
        assert isinstance(asking.result(), AskDeadlock)
        family.told(boss=RENEWED, child=RENEWED)

    @pytest.mark.real_time("the boss has to be busy until the program lets it go on")
    def test_children_that_failed_of_one_cause_count_once(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, Restart(max=1, backoff=None))
        one, two, bystander = (family.child(name, Escalate()) for name in ("one", "two", "bystander"))
        waiting = system._runtime.ask(family.boss, Wait(gate), 30)
        for child in (one, two):
            with pytest.raises(HandlerFailed):
                system.ask(child, BOOM)
        system.ask(bystander, 0)  # behind the escalations in the same process
        gate.open()
        waiting.result()
        family.told(boss=RENEWED, one=RENEWED, two=RENEWED)
        family.nothing_more()


@over_processes
class TestApart(Escalating):
    apart = True

    @pytest.mark.over("multiprocess")
    def test_a_suspended_child_ends_when_the_process_of_its_parent_is_killed(
        self, system: ActorSystem, gate: Gate
    ) -> None:
        family = self.family(system, None)
        middle = family.child("middle", None)
        child = family.child("child", Escalate(), of=middle)
        watcher = system.inbox()
        watcher.watch(child)
        process = system.ask(middle, Get("process"))
        waiting = system._runtime.ask(middle, Wait(gate), 30)
        with pytest.raises(HandlerFailed):
            system.ask(child, BOOM)
        os.kill(process, signal.SIGKILL)
        assert watcher.receive(10) == Terminated(child, "parent lost")
        with pytest.raises(ActorGone):
            waiting.result()


@pytest.mark.over("local")
class TestOnThreads(Escalating):
    """Actors with threads of their own."""

    apart = False

    def family(self, system: ActorSystem, policy: Any, actor_class: type = Member) -> Family:
        family = super().family(system, policy, actor_class)
        family.options["isolation"] = "thread"
        return family


def test_at_the_top_the_actor_stops_and_says_why(system: ActorSystem, inbox: Inbox) -> None:
    actor = system.spawn(Member, inbox.address, "top", supervision=Escalate())
    watcher = system.inbox()
    watcher.watch(actor)
    system.ask(actor, Get())
    system.send(actor, BOOM)
    assert watcher.receive(10) == Terminated(actor, "failed", "ValueError: boom")
    with pytest.raises(ActorGone, match="failed"):
        system.ask(actor, 1)


@pytest.mark.over("local", "sim", "sequential")
def test_at_the_top_it_is_an_error_in_the_log(
    system: ActorSystem, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    actor = system.spawn(Member, inbox.address, "top", supervision=Escalate())
    inbox.watch(actor)
    system.send(actor, Pass(actor, BOOM))
    while not isinstance(inbox.receive(10), Terminated):
        pass
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [("nobody is above it: ValueError: boom" in text, str(actor) in text) for text in errors] == [(True, True)]


class Gluing(Member):
    @on
    def text(self, message: str) -> None:
        raise Unpicklable("glue")
