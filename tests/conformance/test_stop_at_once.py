"""``stop(target, drain=False)``: what waits in the mailbox is not handled any more."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem, Address, AskTimeout, Backoff, Restart, Terminated
from garrick.address import control
from garrick.inbox import Inbox
from garrick.runtime.signals import StatusWanted
from garrick.wire.envelope import SIGNAL
from tests.conformance.actors import Gate, Get, Make, Raise
from tests.conformance.families import Family, over_processes
from tests.conformance.supervision_actors import AsyncMember, EndNow, FloodAndEnd, Lingering, Member, WaitAloud


def letters_of(letters: Inbox, target: Address[Any], count: int) -> list[Any]:
    """Of the next so many dead letters to ``target`` the message and the reason, sorted."""
    found: list[Any] = []
    while len(found) < count:
        letter = letters.receive(10)
        if letter.target == target:
            found.append((letter.message, letter.reason))
    return sorted(found)


def arrived(system: ActorSystem, target: Address[Any]) -> None:
    """What the program has sent to the target's process is there."""
    system._runtime.ask(control(target.system, target.process), StatusWanted(), 10, kind=SIGNAL).result()


class StoppingAtOnce:
    apart: bool

    @pytest.mark.parametrize("actor_class", [Member, AsyncMember])
    def test_a_program_stops_an_actor_that_is_busy(self, system: ActorSystem, gate: Gate, actor_class: type) -> None:
        family = Family(system, apart=self.apart, actor_class=actor_class)
        child, letters = family.child("child", None), system.dead_letters()
        waiting = system._runtime.ask(child, WaitAloud(gate), 30)
        family.told(child=["waiting"])
        for text in ("one", "three", "two"):
            system.send(child, text)
        with contextlib.suppress(AskTimeout):  # it is told all the same; in virtual time nobody has to wait
            system.stop_actor(child, timeout=0.05, drain=False)
        arrived(system, child)
        gate.open()
        assert waiting.result() == "waited"
        family.told(child=[("stopping", "stopped")], boss=[("exited", child, "stopped")])
        assert letters_of(letters, child, 3) == [("one", "stopped"), ("three", "stopped"), ("two", "stopped")]

    def test_an_idle_actor_ends(self, system: ActorSystem) -> None:
        family = Family(system, apart=self.apart)
        child = family.child("child", None)
        system.stop_actor(child, drain=False)
        family.told(child=[("stopping", "stopped")], boss=[("exited", child, "stopped")])
        system.stop_actor(child, drain=False)

    def test_it_ends_in_its_back_off_without_being_made_again(self, system: ActorSystem) -> None:
        family = Family(system, apart=self.apart)
        child = family.child("child", Restart(backoff=Backoff(first=10_000, limit=10_000)))
        letters = system.dead_letters()
        system.send(child, Raise(ValueError("boom")))
        family.told(child=[("restarting", "ValueError: boom")])
        system.send(child, "never handled")
        system.stop_actor(child, timeout=10, drain=False)
        family.told(boss=[("exited", child, "stopped")])
        assert letters_of(letters, child, 1) == [("never handled", "stopped")]
        family.nothing_more()


class TestTogether(StoppingAtOnce):
    apart = False

    @pytest.mark.first_come("what different senders send is compared in one order")
    def test_an_actor_stops_another_one_before_it_handles_what_it_was_sent(
        self, system: ActorSystem, simulated: bool
    ) -> None:
        family = Family(system, apart=False)
        child, letters = family.child("child", None), system.dead_letters()
        system.send(family.boss, FloodAndEnd(child, 50))
        events = [family.inbox.receive(10)]
        while events[-1][1] != "exited":
            events.append(family.inbox.receive(10))
        handled = [event[2] for event in events if event[1] == "got"]
        # Where a handler can be overtaken by another thread, the child may have begun before it is stopped.
        assert not (simulated and handled)
        assert handled == [str(number) for number in range(len(handled))]
        dead = [str(number) for number in range(len(handled), 50)]
        assert letters_of(letters, child, len(dead)) == sorted((text, "stopped") for text in dead)
        assert sorted(event[:2] for event in events if event[1] != "got") == [("boss", "exited"), ("child", "stopping")]

    @pytest.mark.real_time("the grandchild has to be busy until the program lets it go on")
    def test_its_children_end_at_once_too(self, system: ActorSystem, gate: Gate) -> None:
        family = Family(system, apart=False)
        child = family.child("child", None)
        grandchild = family.child("grandchild", None, of=child)
        watcher, letters = system.inbox(), system.dead_letters()
        watcher.watch(child)
        waiting = system._runtime.ask(grandchild, WaitAloud(gate), 30)
        family.told(grandchild=["waiting"])
        system.send(grandchild, "never handled")
        system.ask(child, Get())
        system.ask(family.boss, EndNow(child))
        arrived(system, child)
        gate.open()
        assert waiting.result() == "waited"
        assert watcher.receive(10) == Terminated(child, "stopped")
        assert letters_of(letters, grandchild, 1) == [("never handled", "stopped")]

    def test_an_actor_that_stops_itself(self, system: ActorSystem) -> None:
        family = Family(system, apart=False)
        child = system.ask(family.boss, Make(Member, (family.inbox.address, "child")))
        system.send(child, EndNow(None))
        family.told(child=["made", "started", ("stopping", "stopped")], boss=[("exited", child, "stopped")])

    def test_it_ends_when_its_restarting_hook_has_ended(self, system: ActorSystem, tmp_path: Path) -> None:
        family = Family(system, apart=False)
        start, restart = Gate(str(tmp_path / "start")), Gate(str(tmp_path / "restart"))
        start.open()
        arguments = (family.inbox.address, "child", start, restart)
        child = system.ask(family.boss, Make(Lingering, arguments, {"supervision": Restart(backoff=None)}))
        family.told(child=["made", "started"])
        system.send(child, Raise(ValueError("boom")))
        family.told(child=[("restarting", "ValueError: boom")])
        with contextlib.suppress(AskTimeout):
            system.stop_actor(child, timeout=0.1, drain=False)
        restart.open()
        family.told(boss=[("exited", child, "stopped")])
        family.nothing_more()

    def test_it_ends_when_it_has_started(self, system: ActorSystem, tmp_path: Path) -> None:
        family = Family(system, apart=False)
        start = Gate(str(tmp_path / "start"))
        child = system.ask(family.boss, Make(Lingering, (family.inbox.address, "child", start, start)))
        family.told(child=["made"])
        letters = system.dead_letters()
        system.send(child, "never handled")
        with contextlib.suppress(AskTimeout):
            system.stop_actor(child, timeout=0.1, drain=False)
        start.open()
        family.told(child=["started", ("stopping", "stopped")], boss=[("exited", child, "stopped")])
        assert letters_of(letters, child, 1) == [("never handled", "stopped")]


@over_processes
class TestApart(StoppingAtOnce):
    apart = True
