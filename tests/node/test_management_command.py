"""`garrick status` of real systems, and the exit codes of the command line."""

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

from garrick import ActorSystem
from garrick.cli import FAILED, NOT_FOUND, OK, TIMED_OUT, UNHEALTHY, USAGE, main
from garrick.cli.status import problems, watch
from garrick.node.rundir import RunDir
from garrick.observe.why import duration
from tests.node.convention_actors import Where

pytestmark = pytest.mark.processes


@pytest.fixture
def name() -> str:
    return f"status-{os.getpid()}"


def status_of(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["status", name, "-o", "json"]) == OK
    (system,) = json.loads(capsys.readouterr().out)["systems"]
    assert isinstance(system, dict)
    return system


def test_status_shows_processes_actors_mailboxes_and_dead_letters(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ActorSystem(name=name, workers=1, capabilities={"db": True}) as system:
        first = system.spawn(Where, name="first")
        _, worker, _ = system.ask(first, "where?", timeout=5)
        told = status_of(name, capsys)
        assert told["system"].startswith(f"{name}@")
        assert told["state"] == "running"
        assert told["capabilities"]["db"] is True
        (process,) = [p for p in told["processes"] if p["role"] == "worker"]
        assert process["pid"] == worker
        assert process["answered"]
        assert "first" in told["names"]
        (actor,) = [a for a in told["actors"] if a["name"] == "first"]
        assert actor["class"].endswith("Where")
        assert actor["mailbox"] == 0
        capsys.readouterr()
        assert main(["status"]) == OK
        table = capsys.readouterr().out
        for expected in (name, "processes", "worker", "actors", "first", "Where"):
            assert expected in table


def test_dead_letters_are_shown_with_their_reasons(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ActorSystem(name=name, workers=1) as system:
        actor = system.spawn(Where)
        _, worker, _ = system.ask(actor, "where?", timeout=5)
        os.kill(worker, signal.SIGKILL)
        until(lambda: any(p["state"] == "up" and p["role"] == "worker" for p in status_of(name, capsys)["processes"]))
        until(lambda: status_of(name, capsys)["lost_processes"])
        system.send(actor, "too late")
        until(lambda: status_of(name, capsys)["dead_letters"]["total"])
        letters = status_of(name, capsys)["dead_letters"]
        assert letters["by_reason"] == {"worker lost": 1}
        assert letters["newest"][-1]["letter"]["message"] == "str"
        capsys.readouterr()
        main(["status", name])
        assert "worker lost" in capsys.readouterr().out


def test_a_process_that_hangs_is_a_problem(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ActorSystem(name=name, workers=1) as system:
        _, worker, _ = system.ask(system.spawn(Where), "where?", timeout=5)
        os.kill(worker, signal.SIGSTOP)
        try:
            assert main(["status", name]) == UNHEALTHY
            assert "it is stopped" in capsys.readouterr().out
        finally:
            os.kill(worker, signal.SIGCONT)


def test_a_system_whose_admin_hangs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ActorSystem(name=name, workers=1):
        admin = int((RunDir.find(name).path / "pid").read_text())
        os.kill(admin, signal.SIGSTOP)
        try:
            assert main(["status", name, "--timeout", "0.2"]) == TIMED_OUT
            assert main(["status", "--timeout", "0.2"]) == UNHEALTHY
            assert "no answer" in capsys.readouterr().out
        finally:
            os.kill(admin, signal.SIGCONT)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["status", "no-such-system"], NOT_FOUND, "GAR-3003 no system named 'no-such-system'"),
        (["status", "../x"], USAGE, "GAR-5001"),
        (["status", "--nonsense"], USAGE, "nonsense"),
        (["nonsense"], USAGE, "nonsense"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    told = capsys.readouterr()
    assert text in told.out + told.err


def test_no_system_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["status"]) == NOT_FOUND
    assert f"looked in {tmp_path}" in capsys.readouterr().err
    assert main(["status", "-o", "json"]) == NOT_FOUND
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "systems": []}


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == OK
    assert capsys.readouterr().out.startswith("garrick ")
    assert main([]) == OK
    assert "status" in capsys.readouterr().out


def test_no_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("garrick.cli.demo.entry_points", lambda group: [])
    assert main(["demo"]) == FAILED
    told = capsys.readouterr().err
    assert "GAR-5003" in told
    assert "hint: pip install garrick-provision" in told


def test_the_demo_gets_its_arguments_and_gives_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "x"

        def load(self) -> Any:
            return lambda arguments: 0 if arguments == ["--hosts", "2"] else 1

    monkeypatch.setattr("garrick.cli.demo.entry_points", lambda group: [Point()])
    assert main(["demo", "--hosts", "2"]) == 0
    assert main(["demo"]) == 1


def test_without_the_packages_of_the_extra_the_hint_says_so() -> None:
    program = "import sys; sys.modules['cyclopts'] = None\nfrom garrick.cli import main; sys.exit(main(['status']))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == FAILED
    assert "pip install 'garrick[cli]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_counts_as_a_problem() -> None:
    assert problems({"problem": "gone"}) == ["gone"]
    process = {"role": "worker", "number": 3, "state": "waiting", "pid": None, "answered": False}
    assert "waits to be started again" in problems({"processes": [process]})[0]
    assert problems({"processes": [{**process, "state": "starting"}]}) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (59.4, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (100_000, "1 d 3 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def until(condition: Any, timeout: float = 8.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_status_can_be_watched(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ActorSystem(name=name, workers=1) as system:
        system.spawn(Where, name="first")
        assert watch(name, "table", 5.0, 0.01, rounds=3) == OK
        assert capsys.readouterr().out.count(f"system {name}@") == 3
        program = [sys.executable, "-m", "garrick.cli", "status", name, "--watch", "--interval", "0.1"]
        watching = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        assert name in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == OK
        watching.stdout.close()
