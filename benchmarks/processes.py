"""Runs one benchmark program in a fresh process, for a bounded time, and leaves nothing of it behind.

Owns: starting, the time-out, and ending whatever the program started. Must not know: what is measured.
Invariant: when `run` returns, every process that descends from the program is gone. They are known by a mark in their
environment that is unique to the run, so that a daemon which left the process group is found and nobody else's is touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "GARRICK_BENCHMARK_RUN"
PATIENCE = 2.0
"""Seconds that processes get to end by themselves after their program has ended."""


@dataclass(frozen=True)
class Outcome:
    """How a program ended: what it printed, its exit status (None: timed out), and how many processes it left behind."""

    output: str
    errors: str
    status: int | None
    left_behind: int


class Ending:
    """Handles a signal that ends the harness: at once, except while a program is being started or ended.

    Between its birth and the moment in which it is known, nobody could end a program.
    """

    def __init__(self) -> None:
        self.held = False
        self.number = 0

    def __call__(self, number: int, _frame: object) -> None:
        self.number = number
        if not self.held:
            sys.exit(128 + number)

    def hold(self) -> None:
        """From now on a signal waits."""
        self.held = True

    def release(self) -> None:
        """What has waited has its effect now."""
        self.held = False
        if self.number:
            sys.exit(128 + self.number)


ENDING = Ending()


def run(
    command: Sequence[str], *, timeout: float, environment: Mapping[str, str], patience: float = PATIENCE
) -> Outcome:
    """Run `command` for at most `timeout` seconds in a process group and a temporary directory of its own."""
    mark = uuid.uuid4().hex
    with (
        tempfile.TemporaryDirectory(prefix="gb-", ignore_cleanup_errors=True) as scratch,
        # Files, not pipes: a daemon that inherited a pipe would keep the reader waiting.
        open(Path(scratch, "out"), "w+b") as output,
        open(Path(scratch, "err"), "w+b") as errors,
    ):
        process: subprocess.Popen[bytes] | None = None
        status: int | None = None
        left_behind = 0
        ENDING.hold()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={**environment, MARK: mark, "TMPDIR": scratch},
                cwd=scratch,
                start_new_session=True,
            )
            ENDING.release()
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(timeout)
                left_behind = _wait_for_end(mark, patience)
        finally:
            ENDING.hold()
            if process is not None:
                _kill(process, mark)
            ENDING.release()
        for stream in (output, errors):
            stream.seek(0)
        return Outcome(_text(output.read()), _text(errors.read()), status, left_behind)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def marked(mark: str) -> list[int]:
    """Processes of one run, by the mark in their environment (Linux; elsewhere only the process group is known)."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        # A process may end while it is looked at, and those of other users can't be read.
        with contextlib.suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def _wait_for_end(mark: str, patience: float) -> int:
    """Wait until no process of the run is alive; return how many still are after `patience` seconds."""
    deadline = time.monotonic() + patience
    while (alive := len(marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    """End what is left of a run. The group first, then by mark until a look finds none (a fork may slip past one look)."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for _ in range(100):
        alive = marked(mark)
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    raise RuntimeError(f"processes {marked(mark)} of a benchmark could not be ended")
