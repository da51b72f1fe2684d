"""A check for folders of many fast tests: after each of them there is no thread, process or descriptor more than before.

Cheaper than `tests.conformance.leftovers`, which looks at more; for tests that share nothing with others.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from garrick.runtime.async_lane import _new_loop

WAIT = 10.0
"""Seconds in which everything must be gone; it is gone at once unless the machine is overloaded."""


def _children() -> set[str]:
    """Living children, those that were adopted included."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found |= {f"process {pid}" for pid in (task / "children").read_text().split() if _lives(pid)}
    return found


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _belongings() -> set[str]:
    found = {f"thread {thread.name} {thread.ident}" for thread in threading.enumerate()}
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            found.add(f"descriptor {entry} {os.readlink(f'/proc/self/fd/{entry}')}")
    return found | _children()


@pytest.fixture(scope="session", autouse=True)
def before_all_tests() -> None:
    """What stays for the life of a process and is no leftover of a test: libuv's pipe for signals."""
    _new_loop().close()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After every test: no thread, process or descriptor more than before."""
    before = _belongings()
    yield
    deadline = time.monotonic() + WAIT
    while (left := _belongings() - before) and time.monotonic() < deadline:
        time.sleep(0.005)  # nothing to wait on: these things are gone when they are gone
    assert sorted(left) == [], "the test left something behind"
