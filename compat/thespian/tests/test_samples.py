"""The article's own programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from houses import BASES, free_port

from garrick.node.rundir import base_directory

SAMPLES = Path(__file__).parent / "samples"


def run(name: str, *arguments: object, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", SAMPLES / name, *map(str, arguments), str(port)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        cwd="/",
        env={**os.environ, "TEST_PORT": str(port)},
    )


def left_over(port: int) -> list[str]:
    """Directories and processes of the programs that were run for this port."""
    names = [p.name for p in base_directory().iterdir() if p.name.endswith(f"-{port}")]
    return names + [str(p) for p in psutil.process_iter() if belongs_to(p, port)]


def belongs_to(process: psutil.Process, port: int) -> bool:
    try:
        return process.environ().get("TEST_PORT") == str(port)
    except psutil.Error:
        return False


@pytest.mark.parametrize("base", BASES)
def test_hello_world(base: str) -> None:
    port = free_port()
    done = run("hello_world.py", base, port=port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, world!\n" * 2, "")
    assert left_over(port) == []


@pytest.mark.parametrize("base", ["simpleSystemBase", "multiprocTCPBase"])
def test_capabilities(base: str) -> None:
    port = free_port()
    done = run("capabilities.py", base, port=port)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "with everything: 3 rows",
        "zone gone: NoCompatibleSystemForActor",
        "no database: NoCompatibleSystemForActor",
    ]
    assert left_over(port) == []


def test_the_system_of_a_port_outlives_its_program() -> None:
    port = free_port()
    first = run("leave_running.py", "start", port=port)
    assert (first.returncode, first.stdout) == (0, "1\n"), first.stderr
    second = run("leave_running.py", "use", port=port)
    assert (second.returncode, second.stdout) == (0, "2\n"), second.stderr
    third = run("leave_running.py", "end", port=port)
    assert (third.returncode, third.stdout) == (0, "3\n"), third.stderr
    assert left_over(port) == []


def test_without_a_guard_the_program_is_told() -> None:
    port = free_port()
    done = run("unguarded.py", port=port)
    assert done.returncode == 1
    assert "GAR-3004" in done.stderr
    assert left_over(port) == []


@pytest.mark.parametrize("base", ["multiprocTCPBase", "multiprocQueueBase"])
def test_what_actors_print_is_shown_by_their_program(base: str) -> None:
    port = free_port()
    done = run("printing.py", base, port=port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "to output: hello\n", "to errors: hello\n")
    assert left_over(port) == []
