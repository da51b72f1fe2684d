"""The same seed gives the same run: twice here, in another process, with another seed of ``hash``."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from garrick.sim.trace import CHUNK, Trace

from .actors import alone, scenario

ROOT = Path(__file__).resolve().parents[2]


def test_twice_in_one_process() -> None:
    first = scenario(7)
    noise = [object() for _ in range(10_000)]  # identities and addresses of memory differ in the second run
    gc.collect()
    assert scenario(7) == first
    del noise


def test_another_seed_is_another_run() -> None:
    assert scenario(7)[0] != scenario(8)[0]
    assert alone(7) != alone(8)


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
@pytest.mark.slow
def test_in_another_process(hash_seed: str) -> None:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.sim.actors"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hashed, seen = scenario(7)
    # Modules have other names there, types have not; so the traces are equal.
    assert done.stdout.strip() == f"{(hashed, seen)} {alone(7)}"


def test_the_trace_is_hashed_in_pieces() -> None:
    small, large = Trace(), Trace(keep=3)
    entries = [(n, "s", n, "what") for n in range(CHUNK + 5)]
    for entry in entries:
        small.add(entry)
        large.add(entry)
        if entry[0] % 1000 == 0:
            assert large.hash
    assert small.hash == large.hash
    assert len(small) == len(large) == CHUNK + 5
    assert large.tail() == entries[-3:]
