"""The directory of a system that was killed at some moment of its own removal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from garrick.node.rundir import RunDir, base_directory, remove_if_dead, running_systems


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
