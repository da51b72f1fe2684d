"""`Gathering`: one question to many actors, as one thing to wait for.

Owns the order in which the answers arrived, and one deadline for all. Each ask is a `Slot` of its own, so what holds for one holds for each
of them: a slow or dead target costs its own outcome and no other. Completion may come from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.errors import GarrickError, NotAnAddress
from garrick.runtime import deadlock, whereabouts
from garrick.runtime.ask import Slot
from garrick.runtime.once import Once, finisher

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

Outcome = tuple[Address[Any], Any]


class Gathering:
    """See the module. Stands among `Cell.waits` as a `Slot` does.

    Args:
        runtime: of the asker.
        targets: whom to ask; may be empty, and may name one actor several times.
        message: the question.
        timeout: seconds for all of them.
        asker: the asking cell; None for a program.
    """

    __slots__ = (
        "_arrived",
        "_lock",
        "_wanted",
        "_waiter",
        "asker",
        "awaited",
        "deadline",
        "runtime",
        "slots",
        "timeout",
    )

    def __init__(
        self, runtime: Runtime, targets: Iterable[Address[Any]], message: Any, timeout: float, asker: Cell | None
    ) -> None:
        self.runtime = runtime
        self.timeout = timeout
        self.deadline = runtime.clock.now() + timeout
        self.asker = asker
        self.awaited = False
        """See Slot."""
        self._arrived: list[int] = []
        self._lock = threading.Lock()
        self._waiter: Once | None = None
        self._wanted = 0
        everybody = list(targets)
        for target in everybody:  # before anything is sent
            if not isinstance(target, Address):
                raise NotAnAddress(f"{target!r} is no Address", hint="use what spawn(...) returned")
        self.slots = [Slot(runtime, target, timeout, asker) for target in everybody]
        for index, slot in enumerate(self.slots):
            try:
                runtime.send_question(slot, message)
            except GarrickError as error:  # it can't go there; the others get it
                slot.complete(None, error)
            slot.on_done(partial(self._one, index))

    def _one(self, index: int) -> None:
        with self._lock:
            self._arrived.append(index)
            waiter = self._waiter if len(self._arrived) >= self._wanted else None
        if waiter is not None:
            waiter.finish()

    # --- as one wait among others -----------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether all have ended."""
        return len(self._arrived) == len(self.slots)

    def open(self) -> list[Slot]:
        """The asks that have not ended."""
        return [slot for slot in self.slots if not slot.done]

    @property
    def target(self) -> Address[Any]:
        """One of those whose answer is missing."""
        return next((slot.target for slot in self.slots if not slot.done), self.runtime.address)

    def cancel(self) -> None:
        """Give up those that have not ended."""
        for slot in self.open():
            slot.cancel()

    def gone(self, reason: str, *, outcome_unknown: bool = False) -> None:
        """Nobody will answer any more."""
        for slot in self.open():
            slot.gone(reason, outcome_unknown=outcome_unknown)

    def _expire(self) -> None:
        late = self.open()
        for slot in late:
            slot.expire(brief=len(late) > whereabouts.PROBES)

    def probe(self) -> None:
        """The time is nearly over: ask where the questions are, if they are few."""
        for slot in self.open()[: whereabouts.PROBES]:
            if whereabouts.is_elsewhere(slot):
                slot.probe()

    def outcomes(self) -> list[Any]:
        """What has become of each, in the order of the targets."""
        return [slot.settled() for slot in self.slots]

    # --- waiting ------------------------------------------------------------------------------------------------------------

    def wait(self) -> list[Any]:
        """Block until all have ended."""
        self._enter()
        try:
            self._wait_for(len(self.slots))
        finally:
            self._leave()
        return self.outcomes()

    def each(self) -> Iterator[Outcome]:
        """Block for one after the other, as they end."""
        self._enter()
        try:
            for number in range(len(self.slots)):
                self._wait_for(number + 1)
                slot = self.slots[self._arrived[number]]
                yield slot.target, slot.settled()
        finally:
            self._leave()
            self.cancel()  # who leaves the loop early wants no more

    async def wait_async(self) -> list[Any]:
        """As `wait`, on the running event loop."""
        self.awaited = True
        self._enter()
        try:
            await self._await(len(self.slots))
        finally:
            self._leave()
        return self.outcomes()

    async def each_async(self) -> AsyncIterator[Outcome]:
        """As `each`, on the running event loop."""
        self.awaited = True
        self._enter()
        try:
            for number in range(len(self.slots)):
                await self._await(number + 1)
                slot = self.slots[self._arrived[number]]
                yield slot.target, slot.settled()
        finally:
            self._leave()
            self.cancel()  # who leaves the loop early wants no more

    def _need(self, wanted: int) -> Once | None:
        """Something to wait for, unless so many have ended."""
        with self._lock:
            if len(self._arrived) >= wanted:
                return None
            self._wanted, self._waiter = wanted, Once()
            return self._waiter

    def _wait_for(self, wanted: int) -> None:
        waiter = self._need(wanted)
        if waiter is None:
            return
        wait, before_end = self.runtime.scheduler.wait, self.deadline - whereabouts.margin(self.timeout)
        if self.runtime.clock.now() < before_end:
            if wait(waiter, before_end):
                return
            self.probe()
        if not wait(waiter, self.deadline):
            self._expire()

    async def _await(self, wanted: int) -> None:
        waiter = self._need(wanted)
        if waiter is None:
            return
        import asyncio  # late: programs without async handlers never load it

        loop = asyncio.get_running_loop()
        future = loop.create_future()
        timer = whereabouts.Countdown(loop, self, self._expire)
        waiter.on_done(finisher(loop, future))
        try:
            await future
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            timer.cancel()

    def _enter(self) -> None:
        if self.done:
            return
        if self.asker is None:
            self.runtime.waiting.add(self)
        else:
            self.asker.begin_wait(self)
            for slot in deadlock.cycles(self, self.asker):
                slot.complete(None, deadlock.error(slot, self.asker))
        if self.runtime.abandoned:
            self.gone("system stopped", outcome_unknown=True)

    def _leave(self) -> None:
        if self.asker is None:
            self.runtime.waiting.discard(self)
        else:
            self.asker.end_wait(self)
