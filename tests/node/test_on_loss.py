"""`Restart(on_loss=True)`: an actor that is lost with its process is made again, with its address."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from garrick import (
    ActorGone,
    ActorSystem,
    Address,
    AskError,
    ChildExited,
    DeadLetter,
    NameTaken,
    Restart,
    Terminated,
    UnpicklableMessage,
)
from tests.node.actors import Victim
from tests.node.conftest import wait_until
from tests.node.loss_actors import AGAIN, Again, Do, End, Heard, House, Make

pytestmark = pytest.mark.processes

KILL = Do("kill_yourself")


def kill(system: ActorSystem, actor: Address[Any], harm: Do = KILL) -> None:
    """Let an actor end its process, and wait until that is known here."""
    with pytest.raises(ActorGone) as gone:
        system.ask(actor, harm, timeout=10)
    assert gone.value.reason == "worker lost"
    assert gone.value.outcome_unknown


def pid(system: ActorSystem, actor: Address[Any]) -> int:
    found: int = system.ask(actor, Do("pid"), timeout=10)
    return found


@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_a_top_level_actor_comes_back(tmp_path: Path, isolation: str) -> None:
    path = tmp_path / "made"
    with ActorSystem(name="a", workers=1) as system, system.inbox() as inbox:
        actor = system.spawn(Again, str(path), name="keeper", isolation=isolation, supervision=AGAIN)
        inbox.watch(actor)
        first, text = pid(system, actor), str(actor)
        assert system.ask(actor, "kept?", timeout=10) == "kept?"
        kill(system, actor)
        assert pid(system, actor) != first
        assert str(actor) == text
        assert system.ask(actor, Do("what_was_seen"), timeout=10) == [], "a new instance"
        assert system.lookup("keeper") == actor, "it keeps its name"
        with pytest.raises(NameTaken):
            system.spawn(Again, name="keeper")
        assert len(path.read_text().split()) == 2
        # Who watched it still does.
        system.stop_actor(actor)
        assert inbox.receive(10) == Terminated(actor, "stopped", "")
        assert system.lookup("keeper") is None
        assert len(path.read_text().split()) == 2


@pytest.mark.parametrize("harm", [KILL, Do("segfault"), Do("abort"), Do("exit_now", 0), Do("exit_on_a_thread", 3)])
def test_a_child_comes_back_however_its_process_died(harm: Do) -> None:
    with ActorSystem(name="a", workers=1) as system:
        house = system.spawn(House)
        child = system.ask(house, Make())
        first = pid(system, child)
        kill(system, child, harm)
        assert pid(system, child) != first
        assert system.ask(house, Heard()) == [], "its parent and watchers hear nothing: it goes on"
        system.send(house, End(child))
        wait_until(lambda: len(system.ask(house, Heard())) == 2)
        assert {(type(n), n.reason) for n in system.ask(house, Heard())} == {
            (ChildExited, "stopped"),
            (Terminated, "stopped"),
        }


def test_one_with_a_large_argument_comes_back() -> None:
    with ActorSystem(name="a", workers=1) as system:
        actor = system.spawn(Victim, bytes(1_000_000), supervision=AGAIN)
        first = pid(system, actor)
        system.status()  # its process has answered behind what it told the admin of the actor
        kill(system, actor)
        assert pid(system, actor) != first


@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_after_too_many_losses_it_has_ended(isolation: str) -> None:
    with ActorSystem(name="a", workers=2) as system, system.inbox() as inbox:
        actor = system.spawn(Again, name="keeper", isolation=isolation, supervision=AGAIN)
        inbox.watch(actor)
        for _ in range(3):
            pid(system, actor)
            kill(system, actor)
        notice = inbox.receive(10)
        assert isinstance(notice, Terminated)
        assert (notice.actor, notice.reason) == (actor, "worker lost")
        assert "SIGKILL" in notice.detail
        with pytest.raises(ActorGone) as gone:
            system.ask(actor, 1, timeout=10)
        assert gone.value.reason == "worker lost"
        assert system.lookup("keeper") is None
        tombstones = system.status()["tombstones"]
        assert [(t["address"], t["reason"]) for t in tombstones] == [(str(actor), "worker lost")]


def test_a_child_whose_parent_moved_on_ends() -> None:
    with ActorSystem(name="a", workers=1) as system, system.inbox() as inbox:
        parent = system.spawn(Again, supervision=AGAIN)
        child = system.ask(parent, Do("make_child"))
        pid(system, child)
        inbox.watch(child)
        kill(system, parent)
        assert inbox.receive(10) == Terminated(child, "parent lost", "")
        assert system.ask(parent, 1, timeout=10) == 1


def test_with_its_parent_it_ends() -> None:
    """A parent that is made again makes its children again: they must not come back beside that."""
    with ActorSystem(name="a", workers=1) as system, system.inbox() as inbox:
        house = system.spawn(House, supervision=AGAIN)
        child = system.ask(house, Make(isolation="shared"))
        pid(system, child)
        inbox.watch(child)
        kill(system, child)
        notice = inbox.receive(10)
        assert (notice.actor, notice.reason) == (child, "worker lost")
        assert system.ask(house, Heard(), timeout=10) == []
        with pytest.raises(ActorGone):
            system.ask(child, 1, timeout=10)


def test_an_actor_that_kills_its_process_at_the_start_does_so_a_few_times(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with ActorSystem(name="a", workers=1) as system:
        house = system.spawn(House)
        child = system.ask(house, Make((str(path), 1)))
        pid(system, child)
        kill(system, child)
        wait_until(lambda: len(system.ask(house, Heard())) == 2, 20)
        exited = next(n for n in system.ask(house, Heard()) if isinstance(n, ChildExited))
        assert (exited.child, exited.reason) == (child, "worker lost")
        assert "exit status 9" in exited.detail
        assert len(path.read_text().split()) == 3


def test_one_that_never_ran_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with ActorSystem(name="a", workers=1) as system, pytest.raises(ActorGone):
        system.spawn(Again, str(path), 0, supervision=AGAIN, timeout=10)
    assert len(path.read_text().split()) == 1


def test_one_that_dies_while_it_is_stopped_does_not_come_back() -> None:
    with ActorSystem(name="a", workers=1) as system:
        house = system.spawn(House)
        child = system.ask(house, Make(("", 1_000_000, "crash while stopping")))
        pid(system, child)
        system.send(house, End(child))
        wait_until(lambda: len(system.ask(house, Heard())) == 2)
        assert {n.reason for n in system.ask(house, Heard())} == {"worker lost"}


def test_its_parent_can_end_while_it_is_made_again() -> None:
    with ActorSystem(name="a", workers=1) as system:
        house = system.spawn(House)
        child = system.ask(house, Make())
        pid(system, child)
        system.send(child, KILL)
        system.stop_actor(house, timeout=20)
        with pytest.raises(ActorGone):
            system.ask(child, 1, timeout=10)


def test_what_comes_in_between_is_a_dead_letter_or_arrives() -> None:
    """Nothing is lost silently while an actor moves: each message is handled by the new instance, or reported."""
    with ActorSystem(name="a", workers=1) as system, system.dead_letters() as letters:
        actor = system.spawn(Again, isolation="process", supervision=AGAIN)
        pid(system, actor)
        system.send(actor, KILL)
        answers = []
        for _ in range(1000):
            with contextlib.suppress(AskError):
                answers.append(system.ask(actor, "x", timeout=10))
            if answers:
                break
        assert answers == ["x"]
        assert pid(system, actor)
        with contextlib.suppress(TimeoutError):
            while True:
                letter = letters.receive(0.1)
                assert isinstance(letter, DeadLetter)
                assert letter.reason == "worker lost"


def test_messages_of_others_find_it_in_its_new_place() -> None:
    with ActorSystem(name="a", workers=2) as system:
        actor = system.spawn(Again, supervision=AGAIN)
        house = system.spawn(House)
        other = system.ask(house, Make(kind="Sender", arguments=(actor,), supervision=None))
        assert system.ask(other, 1, timeout=10) == ("answered", 1)
        kill(system, actor)
        assert system.ask(actor, 2, timeout=10) == 2
        assert system.ask(other, 3, timeout=10) == ("answered", 3)
        late = system.ask(house, Make(kind="Sender", arguments=(actor,), supervision=None))
        assert system.ask(late, 4, timeout=10) == ("answered", 4), "a process that came later knows it too"
        guest = ActorSystem.attach("a")
        assert guest.ask(actor, 5, timeout=10) == 5
        guest.stop()


def test_arguments_that_can_not_travel_are_refused_at_the_start() -> None:
    with ActorSystem(name="a", workers=1) as system:
        house = system.spawn(House)
        child = system.ask(house, Make(kind="Locked", isolation="shared", supervision=None))
        exited = system.ask(child, "a child with a lock", timeout=10)
        assert (exited.reason, exited.detail.partition(":")[0]) == ("failed", UnpicklableMessage.__name__)


def test_the_system_ends_while_one_is_made_again() -> None:
    system = ActorSystem(name="a", workers=1)
    many = Restart(max=100, within=60, on_loss=True)
    actors = [system.spawn(Again, isolation="process", supervision=many) for _ in range(3)]
    for actor in actors:
        system.send(actor, KILL)
    threading.Event().wait(0.01)
    assert system.stop() == []
