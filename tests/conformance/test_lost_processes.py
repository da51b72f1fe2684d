"""A process dies under its actors, here and on another system: who ends, who is told, and who is made again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrick import ActorGone, ActorSystem, Address, Terminated
from tests.conformance.loss_actors import AGAIN, Ends, Enquire, Heard, Keeper, Kill, Make, Mortal

pytestmark = pytest.mark.over("multiprocess", "convention")


@pytest.fixture
def system(start: Callable[..., ActorSystem]) -> ActorSystem:
    """One of the test's own: its processes die."""
    return start(capabilities={"own": True})


def kill(system: ActorSystem, actor: Address[object]) -> None:
    with pytest.raises(ActorGone) as gone:
        system.ask(actor, Kill(), timeout=20)
    assert gone.value.outcome_unknown


def test_who_is_lost_for_good_is_told_everywhere(system: ActorSystem) -> None:
    with system.inbox() as inbox:
        lost = system.spawn(Mortal)
        inbox.watch(lost)
        assert system.ask(lost, "?")[0] == 1
        kill(system, lost)
        notice = inbox.receive(20)
        assert (notice.actor, notice.reason, notice.detail) == (lost, "worker lost", "killed by SIGKILL")
        with pytest.raises(ActorGone):
            system.ask(lost, "?")


def test_a_top_level_actor_is_made_again_with_its_address(system: ActorSystem) -> None:
    with system.inbox() as inbox:
        actor = system.spawn(Mortal, 10, name="mortal", supervision=AGAIN)
        inbox.watch(actor)
        assert system.ask(actor, "?")[0] == 11
        pids = set()
        for _ in range(2):
            count, pid = system.ask(actor, "?", timeout=20)
            assert count in (11, 12)
            pids.add(pid)
            kill(system, actor)
        count, pid = system.ask(actor, "?", timeout=20)
        assert count == 11
        assert len({pid, *pids}) == 3
        assert system.lookup("mortal") == actor
        late = system.inbox()
        late.watch(actor)
        kill(system, actor)
        for each in (inbox, late):
            notice = each.receive(20)
            assert isinstance(notice, Terminated)
            assert (notice.actor, notice.reason) == (actor, "worker lost")
        assert system.lookup("mortal") is None


@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_a_child_is_made_again_unless_its_parent_is_lost_too(system: ActorSystem, isolation: str) -> None:
    keeper = system.spawn(Keeper)
    child = system.ask(keeper, Make(100, isolation))
    assert system.ask(keeper, Enquire(child))[0] == 101
    if isolation == "shared":
        kill(system, child)
        with pytest.raises(ActorGone):
            system.ask(keeper, Heard())
        with pytest.raises(ActorGone):
            system.ask(child, "?")
        return
    for _ in range(2):
        kill(system, child)
        assert system.ask(keeper, Enquire(child), timeout=20)[0] == 101
        assert system.ask(child, "?", timeout=20)[0] == 102
    assert system.ask(keeper, Heard()) == []
    system.stop_actor(child)
    for _ in range(1000):  # who stopped it and its parent are told on different ways
        if len(system.ask(keeper, Heard())) >= 2:
            break
    assert system.ask(keeper, Heard()) == ["exited: stopped", "terminated: stopped"]


@pytest.mark.parametrize("isolation", ["shared", "process"])
@pytest.mark.parametrize(("how", "reason"), [("fail", "failed"), ("stop", "stopped")])
@pytest.mark.over("multiprocess")
def test_who_asks_later_hears_how_it_ended(system: ActorSystem, isolation: str, how: str, reason: str) -> None:
    """Also when its process has ended with it."""
    with system.inbox() as inbox:
        actor = system.spawn(Ends, isolation=isolation)
        inbox.watch(actor)
        system.send(actor, how)
        assert inbox.receive(20).reason == reason
        for _ in range(3):  # its process is still ending, or has ended
            with pytest.raises(ActorGone) as gone:
                system.ask(actor, "?", timeout=20)
            assert gone.value.reason == reason
            pause(system)


def pause(system: ActorSystem) -> None:
    """A moment, in which a process may end."""
    system.status()
    with system.inbox() as inbox, pytest.raises(TimeoutError):
        inbox.receive(0.1)
