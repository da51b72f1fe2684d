"""``garrick sim``: from a scenario to the page of its smallest failure."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from garrick.cli import FAILED, OK, USAGE, main
from garrick.sim.artefact import Artefact

from . import test_explore

RACE = f"{os.path.relpath(test_explore.__file__)}::lost_update"
FINE = f"{os.path.relpath(test_explore.__file__)}::fine"


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """The file of a run that fails, not shrunk."""
    assert main(["sim", "run", RACE, "--seeds", "50", "--no-shrink", "--artefacts", str(tmp_path)]) == FAILED
    (path,) = tmp_path.iterdir()
    return path


def test_a_scenario_that_does_not_fail(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sim", "run", FINE, "--seeds", "3", "--artefacts", str(tmp_path)]) == OK
    assert capsys.readouterr().out == "3 runs, none failed\ngoal 'asked': met 3 times\n"
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_told(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["sim", "replay", str(failed), "--strict"]) == FAILED
    out = capsys.readouterr().out
    assert "fails: AssertionError: assert amount == 2" in out
    assert "came behind" in out


def test_many_runs_are_quiet_and_a_replay_is_not(failed: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.clear()
    assert main(["sim", "run", RACE, "--seeds", "3", "--artefacts", str(failed.parent / "more")]) in (OK, FAILED)
    assert caplog.messages == []
    main(["sim", "replay", str(failed)])
    assert any("the system ends" in message or "joined" in message for message in caplog.messages), caplog.messages


def test_shrinking(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["sim", "shrink", str(failed)]) == OK
    smallest = failed.with_name(f"{failed.stem}-shrunk.json")
    assert len(Artefact.load(smallest).overrides) <= 3
    assert f"{smallest}" in capsys.readouterr().out
    assert main(["sim", "replay", str(smallest), "--strict"]) == FAILED
    capsys.readouterr()
    assert main(["sim", "diff", str(smallest)]) == OK
    assert "is the first that differs" in capsys.readouterr().out


def test_two_runs_are_compared(failed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passing = tmp_path / "pass.json"
    assert main(["sim", "record", RACE, "-o", str(passing)]) == OK
    capsys.readouterr()
    assert main(["sim", "diff", str(failed), str(passing)]) == OK
    assert "+ 0." in capsys.readouterr().out
    assert main(["sim", "diff", str(passing), str(passing)]) == OK
    assert capsys.readouterr().out == "the runs are the same\n"
    assert main(["sim", "shrink", str(passing)]) == USAGE


def test_the_page_of_a_run(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["sim", "timeline", str(failed)]) == OK
    written = Path(capsys.readouterr().out.strip())
    text = written.read_text()
    assert text.startswith("<!doctype html>")
    assert "assert amount == 2" in text
    assert "Teller" in text
    assert text.count("<tr") == len(Artefact.load(failed).events) + 1
    assert "http" not in text


def test_a_wrong_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "run", "nowhere.py::x"]) == USAGE
    assert "nowhere.py" in capsys.readouterr().err
