"""What a test could leave behind: threads, processes, descriptors, directories, import hooks."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36

WAIT = 5.0
"""Seconds in which everything that a system started must be gone; it is gone at once unless the machine is overloaded."""


def adopt_orphans() -> None:
    """Become the parent of what our descendants leave behind, so that an orphan is seen as a child."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


@dataclass(frozen=True)
class Belongings:
    """What this process has at one moment."""

    threads: frozenset[threading.Thread]
    processes: frozenset[int]
    descriptors: frozenset[tuple[int, str]]
    directories: frozenset[str]
    finders: tuple[object, ...]

    @classmethod
    def now(cls) -> Belongings:
        return cls(
            frozenset(threading.enumerate()),
            _processes(),
            _descriptors(),
            _directories(),
            tuple(sys.meta_path),
        )

    def added_since(self, before: Belongings) -> list[str]:
        """What there is now and was not there before, as text."""
        return [
            *(f"thread {thread.name}" for thread in self.threads - before.threads),
            *(f"process {_describe(pid)}" for pid in self.processes - before.processes),
            *(f"descriptor {number} {target}" for number, target in self.descriptors - before.descriptors),
            *(f"directory {name}" for name in self.directories - before.directories),
            *(f"import hook {finder!r}" for finder in self.finders if finder not in before.finders),
        ]


def gone(
    before: Belongings, look: Callable[[], Belongings] = Belongings.now, *, pools: Collection[str] = ()
) -> list[str]:
    """Wait until nothing is there that was not there ``before``; what still is after `WAIT` seconds.

    Args:
        before: what there was.
        look: says what there is.
        pools: names of the pools of systems that live on; they may keep more idle threads than before.
    """
    deadline = time.monotonic() + WAIT
    while (left := _added(before, look(), pools)) and time.monotonic() < deadline:
        time.sleep(0.005)  # nothing to wait on: these things are gone when they are gone
    return left


def _added(before: Belongings, now: Belongings, pools: Collection[str]) -> list[str]:
    return [line for line in now.added_since(before) if line.removeprefix("thread ") not in pools]


def _processes() -> frozenset[int]:
    living = set()
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                if child.ppid() == os.getpid():
                    os.waitpid(child.pid, os.WNOHANG)  # an adopted orphan that has ended; nobody else will reap it
                continue
        except (psutil.NoSuchProcess, ChildProcessError):
            continue
        living.add(child.pid)
    return frozenset(living)


def _describe(pid: int) -> str:
    try:
        return f"{pid} {' '.join(psutil.Process(pid).cmdline())[:200]}"
    except psutil.Error:
        return str(pid)


def _descriptors() -> frozenset[tuple[int, str]]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return frozenset(found)


def _directories() -> frozenset[str]:
    parents = [Path(tempfile.gettempdir()), Path(f"/tmp/garrick-{os.getuid()}")]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        parents.append(Path(runtime) / "garrick")
    # Other programs of this user may run systems of their own at the same time: ours carry our pid in their name.
    mine = str(os.getpid())
    return frozenset(
        str(path) for parent in parents if parent.is_dir() for path in parent.iterdir() if mine in path.name.split("-")
    )
