"""The main thread, while it waits, stays open to signals."""

from __future__ import annotations

import _thread
import threading
import time
from typing import Any

import pytest

from garrick import Actor, ActorSystem

WAIT = 20.0


class Mute(Actor):
    """Answers nothing."""

    def receive(self, message: Any, sender: Any) -> None:
        pass


def test_a_signal_that_does_not_end_the_wait_is_seen_all_the_same() -> None:
    """One that arrives between the last look for signals and the wait is noted, and nothing more, as `interrupt_main` does."""
    timer = threading.Timer(0.2, _thread.interrupt_main)
    with ActorSystem("local") as system:
        mute = system.spawn(Mute)
        begun = time.monotonic()
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                system.ask(mute, "?", timeout=WAIT)
        finally:
            timer.join()
        assert time.monotonic() - begun < WAIT / 2
