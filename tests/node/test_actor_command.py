"""`garrick actor` of real systems: what it finds, shows and explains."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem, Bounded, Restart, SpawnFailed
from garrick.cli import NOT_FOUND, OK, TIMED_OUT, USAGE, main
from garrick.engine.identity import create_convention, issue, save_credentials
from garrick.errors import ManagementError
from garrick.node.rundir import RunDir
from garrick.observe.client import request
from garrick.observe.references import natural
from tests.node.conftest import wait_until
from tests.node.convention_actors import Where
from tests.node.operated_actors import Account, Broken, Desk, Napper, Sorter

pytestmark = pytest.mark.processes


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem(name=f"operated-{os.getpid()}", workers=2) as system:
        yield system


class Command:
    """Runs `garrick` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.err = ""

    def __call__(self, *arguments: str, code: int = OK) -> str:
        self.capsys.readouterr()
        ended = main(list(arguments))
        told = self.capsys.readouterr()
        self.err = told.err
        assert ended == code, told.out + told.err
        return told.out

    def json(self, *arguments: str, code: int = OK) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(*arguments, "-o", "json", code=code))
        assert found["schema"] == 1
        return found


@pytest.fixture
def garrick(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_actors_are_listed_with_the_failed_ones(system: ActorSystem, garrick: Command) -> None:
    for number in range(3):
        system.spawn(Account, name=f"account-{number}")
    with pytest.raises(SpawnFailed):
        system.spawn(Broken, name="broken")
    listed = garrick.json("actor", "ls", "--class", "Account")
    assert sorted(row["name"] for row in listed["rows"]) == ["account-0", "account-1", "account-2"]
    assert (listed["matched"], listed["failed"], listed["unanswered"]) == (3, [], [])
    table = garrick("actor", "ls", "--name", "account-*", "--limit", "2", "--sort", "name")
    assert "account-1" in table
    assert "account-2" not in table
    assert "... and 1 more" in table
    failed = garrick("actor", "ls", "--failed")
    assert "RuntimeError: broken from the start" in failed
    assert "account-1" not in failed
    garrick("actor", "ls", "--class", "Nobody", "--state", "busy", code=NOT_FOUND)
    assert "no living actor matches class=Nobody state=busy: searched 3 actors in 3 processes; 0 failed" in garrick.err


def test_the_command_runs_as_a_program(system: ActorSystem) -> None:
    system.spawn(Account, name="account")
    program = [sys.executable, "-m", "garrick.cli", "actor"]
    ended = subprocess.run([*program, "ls"], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (OK, "")
    assert ended.stdout.splitlines()[0].split() == [
        *["address", "name", "class", "state", "process", "mailbox", "waits", "for"]
    ]
    ended = subprocess.run([*program, "why", "nobody"], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (NOT_FOUND, "")
    assert "No actor is known by 'nobody'" in ended.stderr


def test_the_tree_goes_over_processes(system: ActorSystem, garrick: Command) -> None:
    top = system.spawn(Account, name="top", isolation="process")
    child = system.ask(top, "child", timeout=10)
    assert system.ask(child, "seen", timeout=10) == []
    lines = garrick("actor", "tree").splitlines()
    assert f"Account 'top'  {str(top).partition('/')[2]}" in lines
    assert f"└─ Account 'child'  {str(child).partition('/')[2]}" in lines
    assert garrick("actor", "tree", "child") == f"Account 'child'  {str(child).partition('/')[2]}\n"
    assert [row["name"] for row in garrick.json("actor", "tree", "top")["rows"]] == ["top", "child"]


def test_a_blocked_handler_is_shown_with_its_stack_and_what_waits(system: ActorSystem, garrick: Command) -> None:
    def waiting(name: str) -> int:
        return int(garrick.json("actor", "show", name)["mailbox"])

    for isolation in ("shared", "process", "thread"):
        blocked = system.spawn(Account, name=isolation, isolation=isolation)
        system.send(blocked, "sleep")
        for number in range(3):
            system.send(blocked, number)
        wait_until(lambda name=isolation: waiting(name) == 3)  # type: ignore[misc]
        facts = garrick.json("actor", "show", isolation)
        assert (facts["state"], facts["mailbox_types"], facts["isolation"]) == ("busy", {"int": 3}, isolation)
        assert facts["doing"]["message"] == "str"
        assert "time.sleep(60)" in facts["doing"]["stack"]
        assert "time.sleep(60)" in garrick("actor", "show", isolation)
        assert "operated_actors.py" in garrick("actor", "why", isolation)
    napper = system.spawn(Napper, name="napper")
    system.send(napper, 1.5)
    wait_until(lambda: garrick.json("actor", "show", "napper")["state"] == "busy")
    assert "await asyncio.sleep(60)" in garrick.json("actor", "show", "napper")["doing"]["stack"]
    system.stop(0.0)


def test_waits_are_followed_over_processes(system: ActorSystem, garrick: Command) -> None:
    asker, asked = system.spawn(Account, name="asker", isolation="process"), system.spawn(Account, name="asked")
    system.send(asker, (asked, "sleep"))
    wait_until(lambda: garrick.json("actor", "show", "asker")["waits"])
    wait_until(lambda: garrick.json("actor", "show", "asked")["state"] == "busy")
    text = garrick("actor", "why", "asker")
    assert "is alive and waits for an answer" in text
    assert "Account 'asked'" in text
    assert "a handler of it is running" in text
    system.stop(0.0)


def test_why_an_actor_is_dead(system: ActorSystem, garrick: Command) -> None:
    stopped, failing = system.spawn(Account, name="stopped"), system.spawn(Account, name="failing")
    system.stop_actor(stopped)
    assert "(stopped): it was stopped, or stopped itself" in garrick("actor", "why", "stopped")
    with pytest.raises(SpawnFailed):
        system.spawn(Broken, name="broken")
    text = garrick("actor", "why", "broken")
    assert "Broken 'broken'" in text
    assert "(failed): it failed: RuntimeError: broken from the start" in text
    assert "in __init__" in garrick("actor", "show", "broken")
    system.send(failing, "fail")
    wait_until(lambda: garrick.json("actor", "show", "failing")["failures"])
    (failure,) = garrick.json("actor", "show", "failing")["failures"]
    assert (failure["message"], failure["error"]) == ("str", "ValueError: no such account")
    assert 'raise ValueError("no such account")' in failure["traceback"]
    garrick("actor", "why", "failling", code=NOT_FOUND)
    assert "Close names: failing" in garrick.err


def test_why_an_actor_is_dead_whose_process_was_killed(system: ActorSystem, garrick: Command) -> None:
    actor = system.spawn(Where, name="lost", isolation="process")
    _, pid, _ = system.ask(actor, "where?", timeout=10)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: garrick.json("actor", "ls", "--failed", code=main(["actor", "ls", "--failed"]))["failed"])
    for reference in ("lost", str(actor), str(actor).partition("/")[2]):
        text = garrick("actor", "why", reference)
        assert "(worker lost): its process was lost" in text
        assert "its process was lost: killed by SIGKILL." in text
    assert "worker lost" in garrick("actor", "ls", "--failed")


def test_a_part_of_a_name_or_address_is_enough_if_only_one_has_it(system: ActorSystem, garrick: Command) -> None:
    first = system.spawn(Account, name="alpha-1")
    system.spawn(Account, name="alpha-2")
    assert garrick.json("actor", "show", str(first).rpartition("/")[2])["name"] == "alpha-1"
    assert garrick.json("actor", "show", str(first))["name"] == "alpha-1"
    garrick("actor", "show", "alpha", code=USAGE)
    assert "'alpha' fits 2 actors" in garrick.err
    assert "alpha-1" in garrick.err
    garrick("actor", "show", f"{system.name}@0000000000/1/1.1", code=USAGE)
    assert "an earlier start of this system" in garrick.err
    garrick("actor", "show", "1/1.999999", code=NOT_FOUND)


def test_two_systems_have_to_be_told_apart(system: ActorSystem, garrick: Command) -> None:
    with ActorSystem(name=f"other-{os.getpid()}", workers=1) as other:
        mine, theirs = system.spawn(Account), other.spawn(Account, name="theirs")
        garrick("actor", "ls", code=USAGE)
        assert f"several systems are running: {system.name}, {other.name}" in garrick.err
        assert "hint: say which one is meant with --system" in garrick.err
        assert len(garrick.json("actor", "ls", "-s", system.name)["rows"]) == 1
        assert garrick.json("actor", "show", str(theirs))["name"] == "theirs"
        assert garrick.json("actor", "show", str(mine))["name"] is None


def test_many_actors_are_listed_in_pages(system: ActorSystem, garrick: Command) -> None:
    for _ in range(3000):
        system.spawn(Account, wait=False)
    wait_until(lambda: garrick.json("actor", "ls", "--limit", "1", "--class", "Account")["matched"] == 3000)
    listed = garrick.json("actor", "ls", "--sort", "address", "--limit", "7")
    assert len(listed["rows"]) == 7
    assert len(garrick.json("actor", "ls", "--limit", "3000")["rows"]) == 3000  # half a megabyte from one process
    addresses = [row["address"] for row in listed["rows"]]
    assert addresses == sorted(addresses, key=natural)


def test_an_actor_that_waits_for_a_place_says_for_what(system: ActorSystem, garrick: Command) -> None:
    parent = system.spawn(Account, name="parent", isolation="process")
    system.send(parent, "pending")
    wait_until(lambda: system.ask(parent, "seen", timeout=5) == [])
    place = "GAR-2107 no system can run Account (requires gpu)"
    assert f"has not started: it waits for a place: {place}" in garrick("actor", "why", "pending")
    assert f"waits for  a place: {place}" in garrick("actor", "show", "pending")
    listed = garrick("actor", "ls", "--state", "pending").splitlines()[1].split()
    assert (listed[1], listed[3], listed[-2:]) == ("pending", "pending", ["a", "place"])
    assert [row["name"] for row in garrick.json("actor", "ls", "--state", "pending")["rows"]] == ["pending"]
    assert "Account 'pending'" in garrick("actor", "tree").splitlines()[-1]
    (shown,) = [line for line in garrick("status", system.name).splitlines() if "pending" in line]
    assert shown.split()[-2:] == ["a", "place"]
    garrick("actor", "restart", "pending", code=USAGE)
    assert "can't be restarted: it waits for a place" in garrick.err
    garrick("actor", "ask", "pending", "1", "--timeout", "0.2", code=TIMED_OUT)
    assert re.search(rf"the actor waits for a place.*: {re.escape(place)}", garrick.err)
    assert "has ended" in garrick("actor", "stop", "pending")


def test_nonsense_is_refused(system: ActorSystem, garrick: Command) -> None:
    garrick("actor", "ls", "--sort", "colour", code=USAGE)
    garrick("actor", "ls", "--state", "colour", code=USAGE)
    garrick("actor", "ls", "--limit", "0", code=USAGE)
    garrick("status", "--timeout", "0", code=USAGE)
    for nonsense in ({"limit": 0}, {"sort": "colour"}, {"state": "colour"}):
        with pytest.raises(ManagementError) as refused:
            request(RunDir.find(system.name).path, "actor.list", nonsense)
        assert (refused.value.code, bool(refused.value.hint)) == ("GAR-5001", True)
    garrick("actor", "show", "", code=NOT_FOUND)


def test_what_else_keeps_messages_waiting_is_shown(system: ActorSystem, garrick: Command) -> None:
    desk, sorter = system.spawn(Desk, name="desk"), system.spawn(Sorter, name="sorter", mailbox=Bounded(10))
    for number in range(3):
        system.send(desk, number)
        system.send(sorter, number)
    system.send(sorter, "close")
    wait_until(lambda: garrick.json("actor", "show", "desk")["under_way"] == 3)
    facts = garrick.json("actor", "show", "desk")
    assert (facts["state"], facts["doing"]["message"]) == ("busy", "int")
    assert "await asyncio.sleep(60)" in facts["doing"]["stack"]
    wait_until(lambda: garrick.json("actor", "show", "sorter")["behaviour"] == "closed")
    text = garrick("actor", "show", "sorter")
    assert "0 of at most 10 waiting" in text
    assert "3 put aside" in text
    garrick("actor", "restart", "desk", "sorter", "--yes")
    wait_until(lambda: garrick.json("actor", "show", "desk")["under_way"] == 0)
    wait_until(lambda: garrick.json("actor", "show", "sorter")["behaviour"] is None)


def test_an_actor_that_was_made_again_elsewhere_is_found_there(system: ActorSystem, garrick: Command) -> None:
    actor = system.spawn(Where, name="survivor", supervision=Restart(on_loss=True))
    _, pid, _ = system.ask(actor, "where?", timeout=10)
    first = garrick.json("actor", "show", "survivor")
    os.kill(pid, signal.SIGKILL)

    def made_again() -> bool:
        told = request(RunDir.find(system.name).path, "actor.show", {"address": str(actor)})
        return bool(told["state"] == "running" and told["host"]["pid"] != pid)

    wait_until(made_again)
    again = garrick.json("actor", "show", "survivor")
    assert (again["address"], again["state"]) == (first["address"], "running")
    assert again["host"]["pid"] != pid
    assert garrick.json("actor", "show", str(actor))["host"]["pid"] == again["host"]["pid"]
    garrick("actor", "stop", "survivor")


def test_every_system_of_a_convention_is_operated_by_its_own_name(garrick: Command, tmp_path: Path) -> None:
    pytest.importorskip("nats")
    keys = create_convention(tmp_path / "keys", "shop", [f"tls://127.0.0.1:{_free_port()}"])
    for name, roles in (("one", ["directory"]), ("two", [])):
        save_credentials(issue(keys, name, roles=roles), tmp_path / f"{name}.json")
    with (
        ActorSystem(name="one", workers=1, credentials=str(tmp_path / "one.json")) as one,
        ActorSystem(name="two", workers=1, credentials=str(tmp_path / "two.json"), capabilities={"gpu": True}) as two,
    ):
        asker = one.spawn(Account, name="asker")
        wait_until(lambda: any(s["system"].startswith("two@") for s in one.status()["systems"]), 20.0)
        asked = one.spawn(Account, name="asked", requires={"gpu": True})
        one.send(asker, (asked, "sleep"))
        assert asked.system.partition("@")[0] == two.name
        wait_until(lambda: garrick.json("actor", "show", str(asked))["state"] == "busy")
        assert [row["name"] for row in garrick.json("actor", "ls", "-s", "two")["rows"]] == ["asked"]
        assert [row["name"] for row in garrick.json("actor", "ls", "-s", "one")["rows"]] == ["asker"]
        assert f"for an answer of {asked} and gives up" in garrick("actor", "why", "asker", "-s", "one")
        assert f"  {asked}\n" in garrick("actor", "ls", "-s", "one")
        garrick("actor", "show", str(asked), "-s", "one", code=USAGE)
        assert "hint: ask the system 'two'" in garrick.err
        two.stop(0.0)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
