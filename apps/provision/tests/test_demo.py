"""The demonstration as a user starts it: a program of its own, with few servers."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from waiting import wait_for

from provision.audit import audit
from provision.drivers.process import GUEST
from provision.journal import read
from provision.store import Store

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(150)]

HOSTS = ("h1", "h2", "h3")
SECONDS = 120


class Demo:
    """A run of it.

    Args:
        tmp_path: where it keeps its directory.
        arguments: its own.
        program: how it is called.
    """

    def __init__(self, tmp_path: Path, *arguments: str, program: tuple[str, ...] = ("-m", "provision.demo")) -> None:
        self.temporary = tmp_path / "tmp"
        self.temporary.mkdir()
        self.mark = secrets.token_hex(8)
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(self.temporary), "MARK_OF_THE_TEST": self.mark},
        )

    def read_until(self, text: str) -> str:
        """Its output up to a line that contains this."""
        output = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            output += line
            if text in line:
                return output
        pytest.fail(f"no {text!r} in\n{output}")

    def end(self) -> tuple[int, str]:
        """Its exit status and the rest of its output."""
        try:
            output, _ = self.process.communicate(timeout=SECONDS)
        finally:
            self.process.kill()
        return self.process.returncode, output

    def alive(self) -> list[str]:
        """Processes of its systems and the customers' servers, by the marks that the test itself has put on them."""
        found = []
        for process in psutil.process_iter():
            try:
                command = process.cmdline()
                ours = process.environ().get("MARK_OF_THE_TEST") == self.mark or (
                    GUEST in command and self.temporary.parent in Path(json.loads(command[-1])["directory"]).parents
                )
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(command))
            except psutil.Error:
                continue  # ended meanwhile
        return found


def test_it_keeps_what_it_promises_and_leaves_nothing_running(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    demo = Demo(tmp_path, "--servers", "5", "--keep", str(keep))
    code, output = demo.end()
    assert code == 0, output
    assert demo.alive() == []
    assert re.search(r"all 13 claims hold, after \d+ s", output)
    assert output.count("  ok  ") == 13
    assert "broken" not in output
    assert "kill -9 h2" in output
    assert "system lost h2" in output
    # What it says is what is there.
    with Store(keep / "provision.db") as store:
        failed = store.rows(
            "SELECT s.host, a.reason FROM action a JOIN server s ON s.id = a.server WHERE a.state = 'failed'"
        )
        assert {tuple(row) for row in failed} == {("h2", "system lost h2")}
        assert audit(store, {host: keep / host for host in HOSTS}) == []
        kinds = store.rows("SELECT DISTINCT type FROM action WHERE state = 'succeeded' ORDER BY type")
        assert [row[0] for row in kinds] == ["create", "delete", "password", "reboot"]
    agents = {host: sum(e.kind == "agent" for e in read(keep / host / "journal.jsonl")) for host in HOSTS}
    assert agents == {"h1": 1, "h2": 2, "h3": 1}


def test_a_broken_claim_is_told_and_fails_it(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    demo = Demo(tmp_path, "--servers", "3", "--keep", str(keep))
    demo.read_until("customers ask for")
    planted = {
        "kind": "begin",
        "at": 1.0,
        "exec_id": "x",
        "action_id": 999,
        "seq": 1,
        "server": "server-99",
        "what": "stop",
    }
    with (keep / "h1" / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(planted) + "\n")
    code, output = demo.end()
    assert code == 1, output
    assert "broken  nothing was done that nobody asked for" in output
    assert "effect without action: stop of server-99 on h1, action 999" in output
    assert "1 of 13 claims is broken" in output
    assert demo.alive() == []


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("customers ask for", signal.SIGINT),
        ("the application server runs", signal.SIGTERM),
        ("kill -9 h2", signal.SIGINT),
    ],
)
def test_told_to_end_it_ends_everything(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    demo = Demo(tmp_path, "demo", "--servers", "3", program=("-m", "garrick.cli"))
    demo.read_until(moment)
    assert demo.alive()
    demo.process.send_signal(number)
    code, output = demo.end()
    assert code == 128 + number, output
    assert output.splitlines()[-1] == f"ended by {number.name}: everything is being shut down"
    assert demo.alive() == []
    assert list(demo.temporary.iterdir()) == []


def test_killed_it_takes_everything_along(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--servers", "3")
    demo.read_until("customers ask for")
    assert any(GUEST in command for command in demo.alive())
    demo.process.kill()
    demo.end()
    wait_for(lambda: not demo.alive())


@pytest.mark.parametrize(
    "arguments", [("--servers", "2"), ("--servers", "many"), ("--keep", "."), ("--keep", "/proc/none"), ("--unknown",)]
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, output = Demo(tmp_path, *arguments).end()
    assert code == 2
    assert output
