"""What is remembered of an actor that has failed once, or whose children have: idle actors have none of it.

Owns only data; `garrick.runtime.supervise` and `garrick.runtime.groups` work with it on the holder of the baton.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from garrick.runtime.signals import Signal
from garrick.supervision import Intensity

if TYPE_CHECKING:
    from garrick.address import Address
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime
    from garrick.runtime.signals import GroupVerdict


class Group:
    """The children of one actor that restart together, as their parent knows them."""

    __slots__ = ("intensity", "told", "verdict")

    def __init__(self) -> None:
        self.intensity = Intensity()
        self.verdict: GroupVerdict | None = None
        """The last verdict."""
        self.told: frozenset[Address[Any]] = frozenset()
        """Who was sent that verdict; later children have never heard of one."""


class Failures:
    """The failures of one actor. ``group`` and ``escalated`` are about its children."""

    __slots__ = (
        "backoff",
        "decider",
        "due",
        "epoch",
        "error",
        "escalated",
        "group",
        "intensity",
        "kept",
        "until",
        "waiting",
    )

    def __init__(self) -> None:
        self.intensity = Intensity()
        self.waiting = False
        """Whether the actor is in its back-off now."""
        self.until = 0.0
        """When that is over, as far as nobody ends it earlier."""
        self.backoff = 0
        """Number of the last back-off, so that the timer of an earlier one ends no later one."""
        self.error: BaseException | None = None
        """Why it is suspended."""
        self.decider: Address[Any] | None = None
        """The parent that it waits for, while it is suspended because of `Escalate`."""
        self.kept: frozenset[Address[Any]] = frozenset()
        """The children from before the instance that is being made now."""
        self.epoch = 0
        """The last verdict over its group that it has heard of."""
        self.due: GroupVerdict | None = None
        """A verdict that waits for the end of the current message."""
        self.escalated: list[Address[Any]] = []
        """Suspended children whose failure is this actor's own now."""
        self.group: Group | None = None


def signals_in(runtime: Runtime, cell: Cell) -> Iterator[Signal]:
    """The signals that wait in the mailbox of an actor; holder only."""
    for item in cell.queue or ():
        signal = signal_of(runtime, item)
        if signal is not None:
            yield signal


def signal_of(runtime: Runtime, item: Any) -> Signal | None:
    """What of a mailbox is a signal: ``(runtime.control, action, (cell, signal))``."""
    if item[0] is runtime.control and type(item[2]) is tuple and len(item[2]) == 2 and isinstance(item[2][1], Signal):
        return item[2][1]
    return None


def failures_of(cell: Cell) -> Failures:
    """The record of a cell; made when there is none."""
    if cell.failures is None:
        cell.failures = Failures()
    return cell.failures
