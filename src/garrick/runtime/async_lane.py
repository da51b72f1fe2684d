"""Async handlers of one runtime: ONE event loop, pinned to one thread for its life, started by the first coroutine.

Stepping one loop from changing threads breaks libraries that keep locks or thread locals across an ``await``, and a blocking async
handler would take the whole worker along; so it has a thread of its own. Hops between the lane and the loop are batched: one wake-up
carries everything that is due.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from garrick.address import ReplyAddress
from garrick.observe import here
from garrick.observe.here import OWNER
from garrick.runtime import reports, supervise
from garrick.runtime.slow import limit

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime

PING_SECONDS = 0.25
"""How often the monitor asks a loop that has work whether it still turns."""
ASYNC_BURST = 32
"""Messages that one task handles before its actor goes back to the lane."""


class AsyncLane:
    """Runs coroutines of held cells and posts them back as released."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.runtime = runtime
        self._due: deque[tuple[Cell, Coroutine[Any, Any, Any], Any, supervise.Done]] = deque()
        self._scheduled = False
        self._tasks: dict[asyncio.Task[None], Cell] = {}
        self._ident = 0
        self._asked_at: float | None = None
        """When the loop was asked to answer; None: it has answered."""
        self._ask_next = 0.0
        self._told = False
        self._thread: threading.Thread | None = None
        if loop is None:
            loop = _new_loop()
            self._thread = threading.Thread(target=self._run, name="garrick-async", daemon=True)
        self.loop = loop
        if self._thread is not None:
            self._thread.start()

    def submit(self, cell: Cell, coroutine: Coroutine[Any, Any, Any], context: Any, done: supervise.Done) -> None:
        """Run ``coroutine`` for a held cell; any thread."""
        self._due.append((cell, coroutine, context, done))
        if not self._scheduled:
            self._scheduled = True
            try:
                self.loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # closed: the system is ending
                self._due.clear()
                coroutine.close()

    @property
    def active(self) -> bool:
        """Whether a coroutine is under way."""
        return bool(self._tasks or self._due)

    def stalled(self, now: float) -> tuple[int, Cell | None, float] | None:
        """The monitor's: has the loop not turned for too long? Then, once, its thread, whose handler blocks it, and for how long.

        Args:
            now: seconds of a monotonic clock.
        """
        asked_at = self._asked_at
        if asked_at is None:
            if self.active and now >= self._ask_next:
                self._ask_next = now + PING_SECONDS
                self._told = False
                self._asked_at = now
                try:
                    self.loop.call_soon_threadsafe(self._turned)
                except RuntimeError:  # closed: the system is ending
                    self._asked_at = None
            return None
        if self._told:
            return None
        task = asyncio.current_task(self.loop)
        cell = self._tasks.get(task) if task is not None else None
        if now - asked_at < limit(cell):
            return None
        self._told = True
        return self._ident, cell, now - asked_at

    def _turned(self) -> None:
        self._asked_at = None

    def close(self, timeout: float) -> bool:
        """Cancel what still runs and end the thread; False when something did not end in time."""
        if self._thread is None:
            return not self._tasks
        self.loop.call_soon_threadsafe(self._cancel_all)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    async def abandon(self, timeout: float) -> None:
        """On the loop of the program: cancel what still runs there, and wait for at most ``timeout`` seconds."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def _cancel_all(self) -> None:
        for task in list(self._tasks):
            task.cancel()

        def stop_when_empty(_task: asyncio.Task[None] | None = None) -> None:
            if not self._tasks:
                self.loop.stop()

        for task in list(self._tasks):
            task.add_done_callback(stop_when_empty)
        stop_when_empty()

    def _drain(self) -> None:
        self._scheduled = False
        self._ident = threading.get_ident()
        due = self._due
        while due:
            cell, coroutine, context, done = due.popleft()
            if cell.context is None:
                cell.context = contextvars.copy_context()
                cell.context.run(OWNER.set, cell)
            task = self.loop.create_task(self._step(cell, coroutine, context, done), context=cell.context)
            self._tasks[task] = cell
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)

    async def _step(self, cell: Cell, coroutine: Coroutine[Any, Any, Any], context: Any, done: supervise.Done) -> None:
        runtime = self.runtime
        result: Any = None
        error: BaseException | None = None
        answered = False
        try:
            result = await coroutine
            if (
                done is supervise.handled_async
                and cell.behaviour is None
                and reports.is_coroutine_class(type(cell.actor))
            ):
                context, result, error = await self._burst(cell, context, result)
            if done is supervise.handled_async and error is None and not (cell.pending or cell.stop_asked):
                answered = self._answer(cell, context[2], result)
        except BaseException as raised:  # SystemExit and KeyboardInterrupt would end the loop
            error = raised
        runtime.append((runtime.control, runtime.released, (cell, done, context, result, error)))
        # First append, then look: what is put into the queue after this is put there by a holder that finds the step in the lane.
        if answered and not cell.queue:
            self.loop.call_soon(self._wake)
        else:
            self._wake()

    def _answer(self, cell: Cell, sender: Any, result: Any) -> bool:
        """An asker on this loop need not wait for the lane, where it will be seen that the answer has been given.

        True when the lane need not be woken for the end of this step: nothing waits for it, and whatever comes wakes the lane. If the
        asker asks again at once, one wake-up does for both.
        """
        if not cell.replies or type(sender) is not ReplyAddress:
            return False
        cell.answer(sender, result)
        return True

    def _wake(self) -> None:
        if self.runtime.idle:
            self.runtime.scheduler.wake()

    async def _burst(self, cell: Cell, envelope: Any, result: Any) -> tuple[Any, Any, BaseException | None]:
        """Handle what has come meanwhile without going back to the lane; returns the last envelope and its outcome."""
        queue = cell.queue
        for _ in range(ASYNC_BURST):
            if cell.stop_asked or cell.pending or not queue:
                break
            following = queue.popleft()
            if (
                following[0] is not cell
            ):  # what is not a message goes over the lane; the holder may have put it in front just now
                queue.appendleft(following)
                break
            # The last outcome is settled here, because only the new one goes back.
            if cell.replies and type(envelope[2]) is ReplyAddress:
                cell.answer(envelope[2], result)
            envelope = following
            cell.sender = envelope[2]
            cell.since = self.runtime.clock.now()
            try:
                result = cell.handle(envelope[1], envelope[2])
                if type(result) is CoroutineType:
                    result = await result
            except BaseException as error:
                return envelope, None, error
        return envelope, result, None


here.async_step(AsyncLane._step.__code__, "context")
here.async_step(AsyncLane._burst.__code__, "envelope")


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # the extra `fast`
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
