"""Actors that don't answer in time, each for its own reason."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from garrick import Actor, on


@dataclass(frozen=True)
class Nap:
    """Sleep for so many seconds: in a blocking handler or not."""

    seconds: float
    blocking: bool = False


class Napping(Actor):
    """Sleeps on request."""

    @on(cancellable=True)
    def nap(self, message: Nap) -> Any:
        if not message.blocking:
            return self._later(message)
        time.sleep(message.seconds)
        return "slept"

    async def _later(self, message: Nap) -> str:
        await asyncio.sleep(message.seconds)
        return "slept"

    @on
    def count(self, _: int) -> None:
        """Takes its place in the mailbox."""


class SlowToStart(Napping):
    async def started(self) -> None:
        await asyncio.sleep(1.0)


class SlowToStop(Napping):
    async def stopping(self, reason: str) -> None:
        await asyncio.sleep(1.0)


class Stasher(Actor):
    """Puts everything aside."""

    def receive(self, message: Any, sender: Any) -> None:
        self.stash()
