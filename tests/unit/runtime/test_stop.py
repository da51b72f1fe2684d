"""The end of a runtime whose lane has long work left: it gets its time as long as actors end, and no longer."""

from __future__ import annotations

import random
import threading
import time
from types import SimpleNamespace
from typing import Any

from garrick.runtime.baton import Baton
from garrick.runtime.poller import WakePoller
from garrick.runtime.runtime import Runtime

SECONDS = 0.4


def running() -> Baton:
    """A baton without a system around it."""
    ports: dict[str, Any] = {
        "clock": SimpleNamespace(now=time.monotonic, wall=time.time),
        "random": SimpleNamespace(stream=random.Random),
        "outbound": SimpleNamespace(post=lambda *_: None),
        "placement": lambda *_: ("s@0", 1),
    }
    baton = Baton(Runtime(system="s@0", number=1, **ports), WakePoller(), name="stopping")
    baton.start()
    return baton


def test_stop_waits_as_long_as_actors_become_fewer() -> None:
    baton = running()
    runtime = baton.runtime
    runtime.cells.update({serial: SimpleNamespace() for serial in range(10)})  # type: ignore[misc]

    def end(_argument: None) -> None:
        """In the lane, as slowly as thousands end: one actor, then the next."""
        time.sleep(SECONDS / 4)
        runtime.cells.popitem()
        if runtime.cells:
            runtime.append((runtime.control, end, None))

    runtime.post(end, None)
    assert baton.stop(SECONDS)
    assert runtime.cells == {}


def test_stop_gives_up_when_nothing_moves() -> None:
    baton = running()
    begun, go_on = threading.Event(), threading.Event()

    def hang(_argument: None) -> None:
        begun.set()
        assert go_on.wait(30)

    baton.runtime.post(hang, None)
    assert begun.wait(30)
    assert not baton.stop(SECONDS / 4)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("stopping"):
            thread.join(30)
