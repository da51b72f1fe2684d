"""The same worlds in fresh processes: another seed of ``hash``, other objects in memory, another version of Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import torture

ROOT = Path(__file__).resolve().parents[2]
SHORT, LONG = 15, 10_000
PYTHONS = [path for path in os.environ.get("GARRICK_PYTHONS", "").split(os.pathsep) if path]
"""Other interpreters that have what Garrick needs, for `test_in_other_versions`."""


def elsewhere(
    kind: str, first: int, count: int, *options: str, python: str = sys.executable, hash_seed: str
) -> list[str]:
    """The lines of another process."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [python, "-m", "tests.sim.torture", kind, str(first), str(count), *options],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", torture.KINDS)
@pytest.mark.slow
def test_in_another_process(kind: str) -> None:
    lines = elsewhere(kind, 0, SHORT, "noise", hash_seed="random")
    assert lines == [torture.line(kind, seed) for seed in range(SHORT)]
    assert len({line.split()[2] for line in lines}) == SHORT
    assert all(line.endswith(" None") for line in lines)


@pytest.mark.parametrize("kind", torture.KINDS)
@pytest.mark.skipif(not PYTHONS, reason="GARRICK_PYTHONS names no other interpreters")
def test_in_other_versions(kind: str) -> None:
    here = [torture.line(kind, seed) for seed in range(SHORT)]
    for python in PYTHONS:
        assert elsewhere(kind, 0, SHORT, python=python, hash_seed="1") == here


@pytest.mark.parametrize("kind", torture.KINDS)
@pytest.mark.soak
def test_ten_thousand_seeds(kind: str) -> None:
    for first in range(0, LONG, 1000):
        one = elsewhere(kind, first, 1000, hash_seed="0")
        assert elsewhere(kind, first, 1000, "noise", hash_seed="random") == one
