"""`watch`: exactly one `Terminated` for each end that is watched, over processes too."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import ActorSystem, InvalidArgument, Stop
from garrick.inbox import Inbox
from tests.conformance.actors import End, Get, Ignore, Make, Observe, Parent, Raise
from tests.conformance.families import Family, over_processes
from tests.conformance.supervision_actors import Member, SelfWatcher


class Watching:
    apart: bool

    def pair(self, system: ActorSystem) -> tuple[Family, Any, Any]:
        """A watcher and its target; the watcher is the boss of both."""
        family = Family(system, apart=self.apart)
        return family, family.boss, family.child("target", Stop())

    def watch(self, system: ActorSystem, watcher: Any, target: Any, *how: type) -> None:
        for kind in how:
            system.send(watcher, kind(target))
        system.ask(watcher, Get())

    def ended(self, family: Family, target: Any, reason: str, *, watched: bool = True) -> None:
        boss = [("exited", target, reason), *([("terminated", target, reason)] if watched else [])]
        got = [family.inbox.receive(10) for _ in range(1 + len(boss))]
        assert sorted(got, key=str) == sorted(
            [("target", "stopping", reason), *(("boss", *what) for what in boss)], key=str
        )
        family.nothing_more()

    @pytest.mark.parametrize("how", [[Observe], [Observe, Observe], [Observe, Ignore, Observe]], ids=len)
    def test_one_end_is_told_once(self, system: ActorSystem, how: list[type]) -> None:
        family, watcher, target = self.pair(system)
        self.watch(system, watcher, target, *how)
        system.stop_actor(target)
        self.ended(family, target, "stopped")

    def test_a_failure_is_told_once(self, system: ActorSystem) -> None:
        family, watcher, target = self.pair(system)
        self.watch(system, watcher, target, Observe)
        system.send(target, Raise(ValueError("boom")))
        self.ended(family, target, "failed")

    def test_who_no_longer_watches_is_not_told(self, system: ActorSystem) -> None:
        family, watcher, target = self.pair(system)
        self.watch(system, watcher, target, Observe, Ignore)
        system.stop_actor(target)
        self.ended(family, target, "stopped", watched=False)

    def test_the_dead_are_told_of_at_once_and_every_time(self, system: ActorSystem) -> None:
        family, watcher, target = self.pair(system)
        system.stop_actor(target)
        self.ended(family, target, "stopped", watched=False)
        for _ in range(2):
            self.watch(system, watcher, target, Observe)
            label, event, actor, _reason = family.inbox.receive(10)
            assert (label, event, actor) == ("boss", "terminated", target)
        family.nothing_more()

    def test_watching_again_around_the_end(self, system: ActorSystem) -> None:
        family, watcher, target = self.pair(system)
        system.send(watcher, Observe(target))
        system.send(watcher, End(target))
        system.send(watcher, Ignore(target))
        system.send(watcher, Observe(target))
        system.ask(watcher, Get())
        got = [family.inbox.receive(10)[:2] for _ in range(3)]
        # Where threads run, the end may be told before the second watch, which then is one of the dead: told once for each.
        while (event := family.next(0.1)) is not None:
            got.append(event[:2])
        assert got.count(("boss", "terminated")) in {1, 2}
        assert sorted(set(got)) == [("boss", "exited"), ("boss", "terminated"), ("target", "stopping")]
        assert got.count(("boss", "exited")) == got.count(("target", "stopping")) == 1


class TestTogether(Watching):
    apart = False


@over_processes
class TestApart(Watching):
    apart = True


def test_nobody_can_watch_himself(system: ActorSystem, inbox: Inbox) -> None:
    assert "can't watch itself" in system.ask(system.spawn(SelfWatcher), Get())
    with pytest.raises(InvalidArgument, match="can't watch itself") as caught:
        inbox.watch(inbox.address)
    assert "stopping(reason)" in caught.value.__notes__[0]


def test_a_watcher_that_ended_is_told_nothing(system: ActorSystem, inbox: Inbox) -> None:
    letters = system.dead_letters()
    watcher, target = system.spawn(Member, inbox.address, "watcher"), system.spawn(Parent)
    system.ask(watcher, Observe(target))
    system.stop_actor(watcher)
    system.stop_actor(target)
    with pytest.raises(TimeoutError):
        raise AssertionError(letters.receive(0.1))


def test_parent_and_child_may_watch_each_other(system: ActorSystem, inbox: Inbox) -> None:
    parent = system.spawn(Member, inbox.address, "parent")
    child = system.ask(parent, Make(Member, (inbox.address, "child")))
    system.ask(parent, Observe(child))
    system.ask(child, Observe(parent))
    system.stop_actor(parent)
    with pytest.raises(Exception, match="stopped"):
        system.ask(child, Get())
