"""Cancellation on its way to the handler: an ask that was given up tells its target.

Owns what a runtime knows of questions given up elsewhere (those from the same process are known by their `Slot`). The memory is bounded:
of more than `REMEMBERED` given up at once, the oldest are handled as if they were wanted, which at most once allows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.address import Address, ReplyAddress
from garrick.runtime.signals import Cancel
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.ask import Slot
    from garrick.runtime.runtime import Runtime

REMEMBERED = 10_000
"""Questions of other processes that are known to be given up."""


def tell(slot: Slot) -> None:
    """The asker has given ``slot`` up: tell its target; any thread."""
    runtime, target = slot.runtime, slot.target
    if target.serial == 0 or runtime.abandoned:
        return  # an admin answers at once or never
    cell = target._cell
    if cell is not None:
        # In this process: what has not begun, or did not opt in, reads the slot when it wants to know.
        arrived(cell.runtime, slot.address)
    if cell is None or cell.runtime is not runtime:
        runtime.route(target, Cancel(slot.address), None, SIGNAL)


def arrived(runtime: Runtime, question: ReplyAddress) -> None:
    """A question was given up: remember it, and interrupt its handler if that runs and opted in; any thread."""
    given_up = runtime.given_up
    if question.slot is None:
        given_up[question] = None
        while len(given_up) > REMEMBERED:
            given_up.pop(next(iter(given_up)), None)
    interrupt = runtime.interruptible.get(question)
    if interrupt is not None:
        interrupt()


def askers_lost(runtime: Runtime, hit: Callable[[Address[Any]], bool]) -> None:
    """Processes with askers are gone; holder only."""
    for cell in list(runtime.cells.values()):
        waiting = [item[2] for item in cell.queue or () if item[0] is cell]
        for question in (*cell.senders(), *waiting):
            if type(question) is ReplyAddress and question.slot is None and hit(question):
                arrived(runtime, question)
