"""Programs of other frames than a plain script: their actors, and what runs in a child of `multiprocessing`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from garrick import Actor, ActorSystem, Address, on


class Doubler(Actor):
    """Answers twice the number."""

    @on
    def double(self, number: int) -> int:
        return 2 * number


class WhereAsync(Actor):
    """Says which thread and loop run its async handlers."""

    @on
    async def where(self, message: str) -> tuple[int, int]:
        await asyncio.sleep(0)
        return threading.get_ident(), id(asyncio.get_running_loop())


class Forever(Actor):
    """An async handler that never ends by itself."""

    @on
    async def wait(self, begun: asyncio.Event) -> None:
        begun.set()
        await asyncio.Event().wait()


def child(base: str, answers: Any) -> None:
    """Use Garrick in a process that `multiprocessing` has started."""
    with ActorSystem(base) as system:
        doubler: Address[Any] = system.spawn(Doubler)
        answers.put(system.ask(doubler, 21))
