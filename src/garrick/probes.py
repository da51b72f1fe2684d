"""`Prober`: keeps one capability of its system true by looking: the actor behind `ActorSystem.probe`.

Owns when it looks, and what silence means. Must not know who uses the capability. Invariant: a probe that raises, or does not end in time,
has found nothing; at most one look is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from garrick.actor import Actor
from garrick.handlers import on
from garrick.messages import ProbeNow
from garrick.runtime.signals import SetCapability
from garrick.wire.envelope import SIGNAL


@dataclass(frozen=True)
class _Due:
    """Time to look."""


class Prober(Actor):
    """See the module.

    Args:
        key: of the capability.
        function: gives its value; runs on a thread of its own, since it may wait.
        every: seconds between two looks.
        timeout: seconds that one look may take.
    """

    slow_handler = None

    def __init__(self, key: str, function: Callable[[], Any], every: float, timeout: float) -> None:
        self.key = key
        self.function = function
        self.pause = every
        self.patience = timeout
        self._look: asyncio.Future[Any] | None = None
        self._failed = False

    async def started(self) -> None:
        """Whoever started it finds the capability known."""
        await self._update()
        self.every(self.pause, _Due())

    @on
    async def due(self, _message: _Due) -> None:
        """One look."""
        await self._update()

    @on
    async def now_please(self, _message: ProbeNow) -> Any:
        """One look, for somebody who wants to know."""
        return await self._update()

    async def _update(self) -> Any:
        value = await self._find()
        runtime = self._live().runtime
        if runtime.capabilities.get(self.key) != value:
            runtime.route(runtime.admin, SetCapability(self.key, value), self.address, SIGNAL)
        return value

    async def _find(self) -> Any:
        if self._look is not None and not self._look.done():
            return None  # the last one still hangs
        self._look = asyncio.ensure_future(asyncio.to_thread(self.function))
        try:
            # Not cancelled when it is late: its thread could not be stopped anyway.
            value = await asyncio.wait_for(asyncio.shield(self._look), self.patience)
        except Exception as error:
            if not self._failed:
                self.log.warning(
                    "the probe for capability %r found nothing: %s: %s", self.key, type(error).__name__, error
                )
            self._failed = True
            return None
        self._failed = False
        return value if value is not False else None
