"""Ctrl-C and SIGTERM at any moment: the program ends at once, as it should, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from garrick.node.rundir import running_systems

pytestmark = pytest.mark.processes

PROGRAM = Path(__file__).with_name("interrupted.py")
WAIT = 15.0
LONGEST = {"local": 0.15, "multiprocess": 1.2}
"""Seconds in which the program does all it does, about."""


def interrupt(base: str, moment: float, *signals: signal.Signals) -> None:
    """Run the program, send the signals to its process group ``moment`` s after it began, as a terminal does, and see it end."""
    mark = uuid.uuid4().hex
    program = subprocess.Popen(
        [sys.executable, str(PROGRAM), base],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "GARRICK_TEST_MARK": mark},
    )
    group = program.pid
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "begin\n"
        if base == "multiprocess" and moment >= LONGEST[base] / 2:
            assert _left(mark), "the mark must be seen, or nothing is shown"
        time.sleep(moment)
        for number in signals:
            if program.poll() is None:
                os.killpg(group, number)
                time.sleep(0.01)
        _, errors = program.communicate(timeout=WAIT)
    finally:
        if program.poll() is None:
            os.killpg(group, signal.SIGKILL)
            program.communicate()
    if signal.SIGTERM in signals:
        assert program.returncode == -signal.SIGTERM, errors
    else:
        assert program.returncode in {-signal.SIGINT, 130, 1}, errors
        assert "KeyboardInterrupt" in errors
    deadline = time.monotonic() + WAIT
    while (left := _left(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == []
    if signal.SIGTERM in signals:
        # It ends the program at once, and an admin that is only being started too: then the next look at this directory clears it.
        running_systems()
    assert not [path for path in Path(f"/tmp/garrick-{os.getuid()}").glob("*") if str(group) in path.name.split("-")]


def _left(mark: str) -> list[str]:
    """Processes that carry the mark of the program in their environment: it has started them, whatever became of it."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("GARRICK_TEST_MARK") == mark:
                left.append(f"{process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    return left


@pytest.mark.parametrize("base", ["local", "multiprocess"])
@pytest.mark.parametrize("part", [0, 2, 5, 8, 10])
def test_ctrl_c_at_any_moment(base: str, part: int) -> None:
    interrupt(base, LONGEST[base] * part / 10, signal.SIGINT)


@pytest.mark.parametrize("base", ["local", "multiprocess"])
@pytest.mark.parametrize("part", [1, 4, 9])
def test_ctrl_c_twice_in_a_row(base: str, part: int) -> None:
    interrupt(base, LONGEST[base] * part / 10, signal.SIGINT, signal.SIGINT)


@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_sigterm_ends_the_program_and_its_system(base: str) -> None:
    interrupt(base, LONGEST[base] / 2, signal.SIGTERM)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_ctrl_c_at_every_moment(base: str) -> None:
    for part in range(200):
        interrupt(base, LONGEST[base] * part / 200, signal.SIGINT)
