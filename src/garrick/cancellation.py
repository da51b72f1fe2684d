"""Questions that nobody wants an answer to any more, as their handlers see it: ``@on(cancellable=True)``.

Owns what is done around a cancellable handler. The cell keeps which questions are given up; it is told by `garrick.runtime.cancelling`.
Invariants: handlers that did not opt in pay nothing; after the end of its handler a cancellation reaches nobody, least of all the next
message of the same actor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any

from garrick.address import ReplyAddress
from garrick.errors import AskCancelled


def guard(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The handler, which is not called for a question that was given up, and interrupted when it is given up meanwhile."""

    @functools.wraps(handler)
    def guarded(actor: Any, message: Any) -> Any:
        cell = actor._cell
        question = cell.sender
        if type(question) is not ReplyAddress:
            return handler(actor, message)
        # First become known as interruptible, then look: who gives a question up does it the other way round.
        interruptible = cell.runtime.interruptible
        interruptible[question] = cell.interrupt_waits
        try:
            if cell.given_up(question):
                return None
            result = handler(actor, message)
        except AskCancelled:
            if not cell.given_up(question):
                raise
            return None
        finally:
            interruptible.pop(question, None)
        return _interruptible(cell, question, result) if type(result) is CoroutineType else result

    return guarded


async def _interruptible(cell: Any, question: ReplyAddress, coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # late: programs without async handlers never load it

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    running, interrupted = True, False

    def interrupt() -> None:
        nonlocal interrupted
        if running and not interrupted:
            interrupted = True
            task.cancel()

    def interrupt_soon() -> None:
        try:
            loop.call_soon_threadsafe(interrupt)
        except RuntimeError:
            pass  # the loop has been closed: its system ended

    cell.runtime.interruptible[question] = interrupt_soon
    try:
        if cell.given_up(question):
            coroutine.close()
            return None
        return await coroutine
    except asyncio.CancelledError:
        if not interrupted or task.cancelling() > 1:
            raise
        return None
    finally:
        running = False
        cell.runtime.interruptible.pop(question, None)
        if interrupted:
            task.uncancel()
