"""The directory of a system that was killed at some moment of its own removal."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from garrick.errors import SystemExists
from garrick.node.rundir import _PAUSE, RunDir, base_directory, remove_ended, remove_if_dead, running_systems


def test_what_is_left_when_its_remover_is_killed_before_the_last_step_is_swept(base: Path) -> None:
    left = base_directory() / "half-removed"
    left.mkdir(mode=0o700)  # content and lock are gone
    assert running_systems() == []
    assert not left.exists()
    left.mkdir(mode=0o700)
    assert remove_if_dead(left)


def test_a_sweep_never_spoils_a_directory_that_is_being_made(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept, real = [], os.open

    def opened(path: os.PathLike[str], *more: int) -> int:
        if Path(path).name == "lock":
            monkeypatch.setattr(os, "open", real)
            swept.append(remove_if_dead(Path(path).parent))  # between mkdir and lock
        return real(path, *more)

    base_directory()
    monkeypatch.setattr(os, "open", opened)
    made = RunDir.create("new")
    assert swept == [True]
    assert made.token()
    assert running_systems() == ["new"]
    made.remove()


def test_whoever_removes_a_system_that_has_ended_waits_for_a_process_that_ends_a_little_later(base: Path) -> None:
    ended = RunDir.create("ended")
    assert not remove_if_dead(ended.path)
    later = threading.Timer(10 * _PAUSE, ended.close)
    later.start()
    remove_ended(ended.path)
    assert not ended.path.exists()
    later.join()


def test_a_system_is_made_while_its_directory_is_being_swept(base: Path) -> None:
    swept = RunDir.create("new")
    later = threading.Timer(4 * _PAUSE, swept.remove)
    later.start()
    made = RunDir.create("new")
    later.join()
    assert made.token()
    with pytest.raises(SystemExists):
        RunDir.create("new")
    made.remove()


def test_a_directory_whose_making_is_interrupted_is_removed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: RunDir, _name: str, _content: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunDir, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            RunDir.create("new")
    assert list(base_directory().iterdir()) == []
    RunDir.create("new").remove()
