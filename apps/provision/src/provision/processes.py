"""Operating-system processes that cannot be mistaken for one another.

A number alone names different processes over time. An ``Identity`` is the number, the time of its start and the boot of the
machine, so it can be written to disk and used after any restart. Waiting and signalling go through a pidfd. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for ever."""

    pid: int
    start: int
    """Clock ticks between the boot of the machine and the start of the process."""
    machine_boot: str


@cache
def _machine_boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the program's name, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()


def identity(pid: int) -> Identity:
    """Who this number is at the moment.

    Raises:
        ProcessLookupError: nobody.
    """
    try:
        return Identity(pid, int(_stat(pid)[19]), _machine_boot())
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None


def alive(process: Identity) -> bool:
    """Whether it runs; one that has ended and only waits to be reaped does not, and is reaped if it is our child."""
    try:
        fields = _stat(process.pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    if int(fields[19]) != process.start or process.machine_boot != _machine_boot():
        return False
    if fields[0] in {"Z", "X"}:
        _reap(process.pid)
        return False
    return True


def end(process: Identity, *, grace: float) -> None:
    """Ask it to end, and kill it when it has not after ``grace`` seconds; returns when it has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if not alive(process):
            return
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if grace > 0:
            _signal(descriptor, signal.SIGTERM)
            if poll.poll(grace * 1000):
                return
        _signal(descriptor, signal.SIGKILL)
        poll.poll()
    finally:
        os.close(descriptor)
        alive(process)  # reaps


def _signal(descriptor: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was quicker
        signal.pidfd_send_signal(descriptor, number)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # another process started it, and reaps it
        os.waitpid(pid, os.WNOHANG)
