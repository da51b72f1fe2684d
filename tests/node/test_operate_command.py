"""`garrick actor stop|restart|tell|ask` and `garrick deadletter`, on real systems."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem, AskTimeout
from garrick.cli import FAILED, NOT_FOUND, OK, REFUSED, TIMED_OUT, USAGE
from garrick.errors import SystemExists
from garrick.node.rundir import RunDir
from garrick.observe.client import request
from tests.node.conftest import wait_until
from tests.node.convention_actors import Where
from tests.node.operated_actors import Account, Deposit, Picky
from tests.node.test_actor_command import Command, garrick, system  # noqa: F401 - fixtures

pytestmark = pytest.mark.processes

DEPOSIT = "tests.node.operated_actors.Deposit"


def test_messages_are_data_or_made_in_the_process_of_the_actor(system: ActorSystem, garrick: Command) -> None:  # noqa: F811
    for isolation in ("shared", "process"):
        account = system.spawn(Account, name=isolation, isolation=isolation)
        garrick("actor", "tell", isolation, '{"plain": [1, 2.5, null]}')
        assert "a Deposit was sent" in garrick("actor", "tell", isolation, '{"amount": 3}', "--type", DEPOSIT)
        garrick("actor", "tell", isolation, '[4, "by place"]', "--type", DEPOSIT)
        assert system.ask(account, "seen", timeout=5) == [
            {"plain": [1, 2.5, None]},
            Deposit(3),
            Deposit(4, "by place"),
        ]
        answer = garrick("actor", "ask", isolation, '{"amount": 1}', "--type", DEPOSIT)
        assert json.loads(answer) == {"amount": 8, "note": "balance"}
        assert garrick.json("actor", "ask", isolation, '"seen"')["type"] == "list"


def test_what_can_t_be_sent_is_said_before(system: ActorSystem, garrick: Command) -> None:  # noqa: F811
    account = system.spawn(Account, name="account")
    for arguments, text in (
        (["not json"], "hint: a text needs quotes of its own: '\"not json\"'"),
        (["{}", "--type", DEPOSIT], "missing 1 required positional argument: 'amount'"),
        (["[" * 100_000], "the message is nested too deeply"),
        (["{}", "--type", "no_such_module.Class"], "can't import 'no_such_module'"),
        (["{}", "--type", "tests.node.operated_actors.Nothing"], "there is no class"),
    ):
        garrick("actor", "tell", "account", *arguments, code=USAGE)
        assert text in garrick.err
    assert system.ask(account, "seen", timeout=5) == []


def test_an_ask_ends_with_its_answer_its_failure_or_its_time(system: ActorSystem, garrick: Command) -> None:  # noqa: F811
    system.spawn(Account, name="account")
    garrick("actor", "ask", "account", '"fail"', code=FAILED)
    assert "GAR-1003 Account failed on str: ValueError: no such account" in garrick.err
    garrick("actor", "ask", "account", "1", "--timeout", "0.2", code=TIMED_OUT)
    assert "GAR-1001 no answer" in garrick.err
    assert garrick("actor", "ask", "account", '"half"') == "\\ud800\n"
    assert garrick("actor", "ask", "account", '"endless"') == "[[[[[[[...]]]]]]]\n"
    assert garrick.json("actor", "ask", "account", '"large"')["answer"] == "x" * 1_000_000
    garrick("actor", "ask", "nobody", "1", code=NOT_FOUND)
    assert "GAR-2006 No actor is known by 'nobody'" in garrick.err
    for seconds in ("0", "-1", "nan", "inf"):
        garrick("actor", "ask", "account", "1", "--timeout", seconds, code=USAGE)
    system.spawn(Picky, name="picky")
    garrick("actor", "ask", "picky", "{}", code=FAILED)
    assert "can't answer: unhandled\nhint: no handler of the target takes this type" in garrick.err


def test_a_restart_makes_a_new_instance_before_what_waits(system: ActorSystem, garrick: Command) -> None:  # noqa: F811
    account = system.spawn(Account, name="account")
    system.send(account, 1)
    garrick("actor", "restart", "account")
    assert system.ask(account, "seen", timeout=5) == []
    for _ in range(5):  # it is no failure: no limit counts it
        garrick("actor", "restart", "account")
    assert garrick.json("actor", "show", "account")["state"] == "running"
    assert garrick.json("actor", "show", "account")["failures"] == []


def test_actors_are_stopped(system: ActorSystem, garrick: Command) -> None:  # noqa: F811
    for name in ("one", "two", "three"):
        system.spawn(Account, name=name)
    system.spawn(Account, name="own", isolation="process")
    assert "has ended" in garrick("actor", "stop", "one")
    assert "has ended" in garrick("actor", "stop", "own")
    garrick("actor", "stop", "one", code=NOT_FOUND)
    assert "ago (stopped)" in garrick.err
    garrick("actor", "stop", "two", "three", code=REFUSED)
    assert "this would stop 2 actors" in garrick.err
    assert system.lookup("two") is not None
    garrick("actor", "stop", "two", "three", "--yes")
    assert garrick.json("actor", "ls", code=NOT_FOUND)["rows"] == []


@pytest.mark.parametrize("isolation", ["shared", "process"])
def test_a_stop_waits_for_the_handler_but_not_for_ever(system: ActorSystem, garrick: Command, isolation: str) -> None:  # noqa: F811
    blocked = system.spawn(Account, name="blocked", isolation=isolation)
    system.send(blocked, "sleep")
    wait_until(lambda: garrick.json("actor", "show", "blocked")["state"] == "busy")
    garrick("actor", "stop", "blocked", "--at-once", "--timeout", "0.2", code=TIMED_OUT)
    assert "has not ended within 0.2 s" in garrick.err
    with pytest.raises(AskTimeout):
        system.ask(blocked, "seen", timeout=0.1)
    system.stop(0.0)


def test_who_did_what_is_in_the_audit_log() -> None:
    name = f"audit-{os.getpid()}"
    program = (
        f"import time\nfrom garrick import ActorSystem\nfrom tests.node.operated_actors import Account\n"
        f"with ActorSystem(name={name!r}, workers=1) as system:\n"
        "    system.spawn(Account, name='account')\n    print('ready', flush=True)\n    input()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__':\n{_indented(program)}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    told = subprocess.run(
        [sys.executable, "-m", "garrick.cli", "actor", "tell", "account", '"secret"'],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told.returncode == OK, told.stderr
    _, logged = child.communicate("\n", timeout=30)
    (line,) = [line for line in logged.splitlines() if "actor.tell" in line]
    assert f"by user {os.getuid()}, process " in line
    assert "secret" not in logged


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_dead_letters_are_listed_shown_and_replayed(system: ActorSystem, garrick: Command, tmp_path: Path) -> None:  # noqa: F811
    gone, heir = system.spawn(Account, name="gone"), system.spawn(Account, name="heir")
    system.stop_actor(gone)
    system.send(gone, Deposit(7))
    system.send(gone, "x" * 5000)
    wait_until(lambda: garrick.json("deadletter", "ls", code=_any(garrick))["kept"] == 2)
    listed = garrick.json("deadletter", "ls")
    assert listed["by_reason"] == {"stopped": 2}
    assert {(g["reason"], g["message"], g["target_class"]) for g in listed["groups"]} == {
        ("stopped", "Deposit", "tests.node.operated_actors.Account"),
        ("stopped", "str", "tests.node.operated_actors.Account"),
    }
    numbers = {letter["message"]: letter["letter"] for letter in listed["letters"]}
    assert numbers["Deposit"] in garrick("deadletter", "ls")
    assert "2 dead letters since the start: 2 stopped" in garrick.err
    shown = garrick("deadletter", "show", numbers["Deposit"])
    assert "Deposit: Deposit(amount=7, note='')" in shown
    assert "hint" in shown
    assert len(garrick.json("deadletter", "show", numbers["str"])["text"]) < 3000
    garrick("deadletter", "replay", numbers["Deposit"], code=NOT_FOUND)
    assert "hint: send the message to another actor with --to" in garrick.err
    garrick("deadletter", "replay", numbers["Deposit"], numbers["str"], "--to", "heir", code=REFUSED)
    assert "was sent to" in garrick("deadletter", "replay", numbers["Deposit"], "--to", "heir")
    # The letter comes from the process that kept it, the question from the program: nothing orders the two.
    wait_until(lambda: system.ask(heir, "seen", timeout=5) == [Deposit(7)])
    assert garrick.json("deadletter", "show", numbers["Deposit"])["replayed"] == 1
    garrick("deadletter", "ls", "--reason", "unhandled", code=NOT_FOUND)
    assert "no dead letter with reason 'unhandled' is kept" in garrick.err
    garrick("deadletter", "show", "99.1", code=NOT_FOUND)
    assert "GAR-1302 letter 99.1 is of a process 99 that this system has never had" in garrick.err
    garrick("deadletter", "show", numbers["str"] + "0", code=NOT_FOUND)
    for limit in ("0", "-3"):
        garrick("deadletter", "ls", "--limit", limit, code=USAGE)
    garrick("deadletter", "show", "x", code=USAGE)


def _any(garrick: Command) -> int:  # noqa: F811
    from garrick.cli import main

    return main(["deadletter", "ls"])


def test_letters_go_with_their_process_but_not_their_number(system: ActorSystem, garrick: Command) -> None:  # noqa: F811
    first = system.spawn(Where, name="first")
    _, worker, _ = system.ask(first, "where?", timeout=5)
    second = system.spawn(Where)
    while system.ask(second, "where?", timeout=5)[1] != worker:
        second = system.spawn(Where)
    system.stop_actor(second)
    system.send(second, "lost")
    wait_until(lambda: garrick.json("deadletter", "ls", code=_any(garrick))["kept"] == 1)
    (letter,) = garrick.json("deadletter", "ls")["letters"]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: garrick.json("deadletter", "ls", code=_any(garrick))["kept"] == 0)
    assert garrick.json("deadletter", "ls")["by_reason"] == {"stopped": 1}
    garrick("deadletter", "replay", letter["letter"], code=NOT_FOUND)
    assert f"letter {letter['letter']} went with its process" in garrick.err


def test_a_change_of_the_socket_that_makes_no_sense_changes_nothing(system: ActorSystem) -> None:  # noqa: F811
    from garrick.errors import ManagementError

    path = RunDir.find(system.name).path
    for method, params in (("actor.stop", {}), ("actor.tell", {"address": "x"}), ("deadletter.replay", {"letter": 3})):
        with pytest.raises(ManagementError):
            request(path, method, params)


def test_the_number_of_letters_outlives_a_process_that_nobody_asked(system: ActorSystem) -> None:  # noqa: F811
    child = system.spawn(Where, name="kept")
    _, worker, _ = system.ask(child, "where?", timeout=5)
    system.stop_actor(child)
    for _ in range(3):
        system.send(child, "lost")
    time.sleep(2.0)  # a process tells by itself, once a second; nothing shows from outside that it has
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: _status(system)["lost_processes"])
    assert _status(system)["dead_letters"]["by_reason"] == {"stopped": 3}


def _status(system: ActorSystem) -> Any:  # noqa: F811
    return request(RunDir.find(system.name).path, "status")


def test_a_local_system_can_be_looked_at_when_it_wants_to(garrick: Command) -> None:  # noqa: F811
    name = f"inside-{os.getpid()}"
    with ActorSystem("local", name=name):
        garrick("actor", "ls", "-s", name, code=NOT_FOUND)  # nothing listens unless it was asked for
    with ActorSystem("local", name=name, management=True) as inside:
        account = inside.spawn(Account, name="account")
        inside.send(account, "fail")
        assert garrick.json("status", name)["systems"][0]["processes"][0]["pid"] == os.getpid()
        assert [row["name"] for row in garrick.json("actor", "ls", "-s", name)["rows"]] == ["account"]
        assert json.loads(garrick("actor", "ask", "account", '{"amount": 5}', "--type", DEPOSIT))["amount"] == 5
        garrick("actor", "ls", "--limit", "0", code=USAGE)
        inside.send(account, 1.5)
        wait_until(lambda: garrick.json("actor", "show", "account")["state"] == "busy")
        assert "time.sleep(message)" in garrick("actor", "show", "account")
        with pytest.raises(SystemExists):
            ActorSystem("local", name=name, management=True)
    RunDir.create(name).remove()  # free again
