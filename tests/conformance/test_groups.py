"""``Restart(all_for_one=True)``: children that restart together."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from garrick import ActorSystem, Backoff, Escalate, InvalidArgument, Restart, Resume, Stop, Supervision
from garrick.inbox import Inbox
from tests.conformance.actors import Gate, Get, Make, Raise, Wait
from tests.conformance.families import Family, over_processes
from tests.conformance.restarting_actors import Counter
from tests.conformance.supervision_actors import (
    AsyncMember,
    Attempts,
    Flaky,
    Member,
    RaiseAtGate,
    ReentrantMember,
    WaitAloud,
)

BOOM = Raise(ValueError("boom"))
RENEWED = [("restarting", "ValueError: boom"), "made", "started"]
TOGETHER = Restart(max=3, within=60, backoff=Backoff(first=0.01, limit=0.01, jitter=0), all_for_one=True)
ONCE = Restart(max=1, within=60, backoff=None, all_for_one=True)


class Grouped:
    apart: bool

    def family(self, system: ActorSystem, actor_class: type = Member) -> Family:
        return Family(system, apart=self.apart, actor_class=actor_class)

    @pytest.mark.parametrize("actor_class", [Member, AsyncMember])
    def test_when_one_fails_all_of_the_group_restart(self, system: ActorSystem, actor_class: type) -> None:
        family = self.family(system, actor_class)
        one, two = family.child("one", TOGETHER), family.child("two", {ValueError: TOGETHER})
        other = family.child("other", Restart())
        for victim in (one, two, one):
            system.send(victim, BOOM)
            system.send(victim, "mailbox kept")
            told = {"one": RENEWED, "two": RENEWED}
            told["one" if victim is one else "two"] = [*RENEWED, ("got", "mailbox kept")]
            family.told(**told)
        assert [system.ask(actor, 1) for actor in (one, two, other)] == [1, 1, 6]
        assert system.ask(family.boss, Get("children")) == (one, two, other)
        family.nothing_more()

    def test_reentrant_members_leave_what_they_are_at(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system, ReentrantMember)
        one, two = family.child("one", TOGETHER), family.child("two", TOGETHER)
        system.send(two, WaitAloud(gate))
        family.told(two=["waiting"])
        system.send(one, BOOM)
        family.told(one=RENEWED, two=RENEWED)
        assert [system.ask(actor, 1) for actor in (one, two)] == [1, 1]
        gate.open()

    def test_at_the_limit_of_the_group_all_of_it_stop(self, system: ActorSystem) -> None:
        family = self.family(system)
        one, two = family.child("one", ONCE), family.child("two", ONCE)
        other = family.child("other", Resume())
        system.send(one, BOOM)
        family.told(one=RENEWED, two=RENEWED)
        system.send(two, BOOM)
        got = [family.inbox.receive(10) for _ in range(4)]
        assert sorted(item for item in got if item[0] != "boss") == [
            ("one", "stopping", "failed"),
            ("two", "stopping", "failed"),
        ]
        assert {item for item in got if item[0] == "boss"} == {
            ("boss", "exited", one, "failed"),
            ("boss", "exited", two, "failed"),
        }
        assert system.ask(other, 1) == 6
        assert system.ask(family.boss, Get("children")) == (other,)
        family.nothing_more()

    def test_the_back_off_is_waited_for_once(self, system: ActorSystem) -> None:
        slow = Restart(backoff=Backoff(first=0.4, jitter=0), all_for_one=True)
        family = self.family(system)
        one, _two = family.child("one", slow), family.child("two", slow)
        clock = system.spawn(Counter, family.inbox.address)
        assert [family.inbox.receive(10)[0] for _ in range(2)] == ["made", "started"]
        system.send(one, BOOM)
        family.told(one=RENEWED[:1], two=RENEWED[:1])
        system.send(clock, (0.05, "earlier", False))
        assert family.inbox.receive(10) == ("got", "earlier")
        family.told(one=RENEWED[1:], two=RENEWED[1:])
        family.nothing_more()

    def test_members_that_fail_at_once_restart_once(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system)
        members = [family.child(name, ONCE) for name in ("one", "two", "three")]
        for member in members:
            system.send(member, RaiseAtGate(gate, BOOM.error))
        family.told(one=["waiting"], two=["waiting"], three=["waiting"])
        gate.open()
        family.told(one=RENEWED, two=RENEWED, three=RENEWED)
        assert [system.ask(member, 1) for member in members] == [1, 1, 1]
        family.nothing_more()

    def test_a_blocked_parent_holds_up_nobody(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system)
        one, _two = family.child("one", TOGETHER), family.child("two", TOGETHER)
        waiting = system._runtime.ask(family.boss, Wait(gate), 30)
        system.send(one, BOOM)
        family.told(one=RENEWED, two=RENEWED)
        gate.open()
        assert waiting.result() == "waited"

    def test_a_later_member_belongs_to_the_group(self, system: ActorSystem) -> None:
        family = self.family(system)
        one = family.child("one", TOGETHER)
        system.send(one, BOOM)
        family.told(one=RENEWED)
        two = family.child("two", TOGETHER)
        system.send(two, BOOM)
        family.told(one=RENEWED, two=RENEWED)
        system.stop_actor(one)
        family.told(one=[("stopping", "stopped")], boss=[("exited", one, "stopped")])
        system.send(two, BOOM)
        family.told(two=RENEWED)

    def test_a_member_that_cannot_be_made_again_fails_for_all(self, system: ActorSystem, tmp_path: Any) -> None:
        family = self.family(system)
        family.child("one", TOGETHER)
        flaky = (family.inbox.address, Attempts(tmp_path / "attempts"), range(2, 3), "started")
        two = system.ask(family.boss, Make(Flaky, flaky, {"supervision": TOGETHER, **family.options}))
        assert system.ask(two, Get()) == 1
        system.send(two, BOOM)
        assert system.ask(two, Get()) == 3
        told = [family.inbox.receive(10) for _ in range(3)]
        while len(told) < 30:
            try:
                told.append(family.inbox.receive(0.2))
            except TimeoutError:
                break
        events = [what[1:] for what in told if what[0] == "one"]
        first = [("restarting", "ValueError: boom"), ("made",), ("started",)]
        second = [("restarting", "LookupError: away"), ("made",), ("started",)]
        # It may hear of the second failure while it is still being made again for the first: then it is as good as new.
        assert events in (first, [*first, *second])

    def test_the_group_ends_with_its_parent(self, system: ActorSystem) -> None:
        never = Restart(backoff=Backoff(first=10_000, limit=10_000), all_for_one=True)
        family = self.family(system)
        one, _two = family.child("one", never), family.child("two", never)
        system.send(one, BOOM)
        family.told(one=RENEWED[:1], two=RENEWED[:1])
        system.stop_actor(family.boss, timeout=10)
        family.told(
            one=[*RENEWED[1:], ("stopping", "stopped")],
            two=[*RENEWED[1:], ("stopping", "stopped")],
            boss=[("stopping", "stopped")],
        )


class TestTogether(Grouped):
    apart = False

    @pytest.mark.first_come("what different senders send is compared in one order")
    def test_a_sibling_finishes_its_message_and_no_other(self, system: ActorSystem, gate: Gate) -> None:
        family = self.family(system)
        one, two = family.child("one", TOGETHER), family.child("two", TOGETHER)
        waiting = system._runtime.ask(two, Wait(gate), 30)
        system.send(two, "next")
        system.send(one, BOOM)
        family.told(one=RENEWED)
        gate.open()
        assert waiting.result() == "waited"
        family.told(two=[*RENEWED, ("got", "next")])


@over_processes
class TestApart(Grouped):
    apart = True


@pytest.mark.over("local")
class TestOnThreads(Grouped):
    """Actors with threads of their own."""

    apart = False

    def family(self, system: ActorSystem, actor_class: type = Member) -> Family:
        family = super().family(system, actor_class)
        family.options["isolation"] = "thread"
        return family


def test_a_top_level_actor_has_no_group(system: ActorSystem, inbox: Inbox) -> None:
    policies: list[Supervision] = [TOGETHER, {ValueError: TOGETHER}]
    for policy in policies:
        with pytest.raises(InvalidArgument, match="no group") as caught:
            system.spawn(Member, inbox.address, "top", supervision=policy)
        assert "hint: " in caught.value.__notes__[0]


def test_a_policy_for_each_class_of_exceptions(system: ActorSystem, inbox: Inbox) -> None:
    policy: Supervision = {
        ConnectionError: Restart(backoff=None),
        ValueError: Resume(),
        UnicodeError: Restart(backoff=None),
        LookupError: Stop(),
    }
    actor = system.spawn(Member, inbox.address, "actor", supervision=policy)
    assert [inbox.receive(10) for _ in range(2)] == [("actor", "made"), ("actor", "started")]
    system.ask(actor, 5)
    system.send(actor, Raise(ValueError("resumed")))
    assert system.ask(actor, 1) == 6
    for error in (ConnectionResetError("restarted"), UnicodeError("nearer than ValueError")):
        system.send(actor, Raise(error))
        assert system.ask(actor, 1) == 1
        assert [inbox.receive(10)[1] for _ in range(3)] == ["restarting", "made", "started"]
    with pytest.raises(Exception, match="as without a policy"):
        system.ask(actor, Raise(OSError("as without a policy")))
    assert system.ask(actor, 1) == 2
    system.send(actor, Raise(OSError("as without a policy")))
    assert system.ask(actor, 1) == 1
    assert [inbox.receive(10)[1] for _ in range(3)] == ["restarting", "made", "started"]
    system.send(actor, Raise(KeyError("stopped")))
    assert inbox.receive(10) == ("actor", "stopping", "failed")


@pytest.mark.parametrize(
    "policy",
    [{ValueError: "restart"}, {"ValueError": Resume()}, {SystemExit: Resume()}, {int: Stop()}, Escalate, [Stop()]],
    ids=str,
)
def test_what_is_no_policy_is_refused_at_the_spawn(system: ActorSystem, inbox: Inbox, policy: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        system.spawn(Member, inbox.address, "actor", supervision=policy)
    assert "hint: " in caught.value.__notes__[0]
    parent = system.spawn(Member, inbox.address, "parent")
    with pytest.raises(Exception, match="GAR-5001"):
        system.ask(parent, Make(Member, (inbox.address, "child"), {"supervision": policy}))


class TestNobodyStaysSuspended:
    """Everything fails all the time, of all policies at once, and at the end everybody answers."""

    POLICIES: ClassVar[list[Supervision]] = [
        Restart(max=10_000, backoff=None, all_for_one=True),
        {
            ValueError: Escalate(),
            LookupError: Restart(max=10_000, backoff=None, all_for_one=True),
            OSError: Restart(max=10_000, backoff=None),
        },
        Escalate(),
        Restart(max=10_000, backoff=None),
    ]

    def storm(self, system: ActorSystem, *, apart: bool) -> Family:
        family = Family(
            system, apart=apart, policy={ValueError: Resume(), Exception: Restart(max=10_000, backoff=None)}
        )
        children = [family.child(f"child {number}", policy) for number, policy in enumerate(self.POLICIES)]
        others = [family.child(f"other {number}", policy) for number, policy in enumerate(self.POLICIES)]
        for _ in range(15):
            for child in (*children, *others):
                for error in (ValueError("boom"), KeyError("boom"), OSError("boom")):
                    system.send(child, Raise(error))
                system.send(child, 1)
        return family

    def calm(self, family: Family) -> None:
        system = family.system
        children = system.ask(family.boss, Get("children"))
        assert len(children) == 2 * len(self.POLICIES)
        for actor in (*children, family.boss):
            assert system.ask(actor, 1, timeout=30) >= 1

    def test_together(self, system: ActorSystem) -> None:
        self.calm(self.storm(system, apart=False))

    @over_processes
    def test_apart(self, system: ActorSystem) -> None:
        self.calm(self.storm(system, apart=True))

    def test_all_end_when_the_parent_ends_meanwhile(self, system: ActorSystem) -> None:
        family = self.storm(system, apart=False)
        system.stop_actor(family.boss, timeout=30)

    @over_processes
    def test_all_end_apart_when_the_parent_ends_meanwhile(self, system: ActorSystem) -> None:
        family = self.storm(system, apart=True)
        system.stop_actor(family.boss, timeout=30)
