"""A reentrant actor stays what it is while the steps of its class are moved to the pool and back."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from garrick import Actor, ActorSystem, Address, on
from garrick.runtime.classes import INLINE
from garrick.runtime.pool import PoolExecutor

SECONDS = 20.0


class SlowToMake(Actor, reentrant=True):
    """Its constructor blocks, so that its class is known to wait; its handlers do not."""

    def __init__(self) -> None:
        time.sleep(0.05)
        self.free = asyncio.Event()
        self.threads: set[int] = set()

    @on
    async def wait(self, message: str) -> str:
        await self.free.wait()
        return message

    @on
    def release(self, message: int) -> int:
        self.threads.add(threading.get_ident())
        self.free.set()
        return message


class ThinksAgain(PoolExecutor):
    """Between the submission of a step and its beginning the class goes back to the baton."""

    baton: Any = None

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> None:
        if cell.handle is not None:
            self.baton._profiles[SlowToMake].mode = INLINE
            self.baton._mode_changed(SlowToMake)
        super().submit(cell, call, context, done)


def _waits(system: ActorSystem) -> Address[Any]:
    """An actor of a class that has been learnt to wait."""
    baton: Any = system._runtime.scheduler
    for _ in range(50):
        system.spawn(SlowToMake)
        profile = baton._profiles.get(SlowToMake)
        if profile is not None and profile.mode != INLINE:
            break
    else:
        raise AssertionError("the class was not learnt to wait")
    again = ThinksAgain(baton.pool, lambda *_: None)
    again.baton = baton
    baton._waiters = again
    return system.spawn(SlowToMake)


def test_a_class_that_moves_while_a_step_is_on_its_way_to_the_pool() -> None:
    with ActorSystem("local") as system:
        actor = _waits(system)
        assert system.ask(actor, 1, timeout=SECONDS) == 1
        assert system.ask(actor, 2, timeout=SECONDS) == 2
        cell = actor._cell
        assert cell is not None
        assert (type(cell.executor).__name__, cell.pinned) == ("Turns", True)
