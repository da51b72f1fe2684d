"""Every test of this folder leaves nothing behind: no process, descriptor, thread, or run directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PATIENCE = 5.0


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for something that happens outside of this process and can't be awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def processes_of(base: Path) -> list[psutil.Process]:
    """All living processes whose systems are below ``base`` (they inherit the environment), except for this one."""
    mark = f"XDG_RUNTIME_DIR={base}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            alive = process.status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.NoSuchProcess):
            continue
        if process.pid != os.getpid() and alive and mark in environment.split(b"\0"):
            found.append(process)
    return found


def descriptors() -> dict[int, str]:
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private place for the run directories of one test."""
    base = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    before, threads = descriptors(), set(threading.enumerate())
    try:
        yield base
        try:
            wait_until(lambda: not processes_of(base))
            wait_until(lambda: set(threading.enumerate()) <= threads)
            wait_until(lambda: not list((base / "garrick").glob("*")))
        except AssertionError:
            left = [(p.pid, p.name(), p.cmdline()) for p in processes_of(base)]
            raise AssertionError(
                f"left: {left}, {set(threading.enumerate()) - threads}, {list(base.rglob('*'))}"
            ) from None
        open_still = {fd: what for fd, what in descriptors().items() if before.get(fd) != what}
        assert not open_still, "descriptors are left"
    finally:
        for process in processes_of(base):
            process.kill()
        shutil.rmtree(base, ignore_errors=True)
