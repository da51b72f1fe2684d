"""Handlers that run for too long, and the report of them (GAR-2201).

Owns what is known of a step that runs elsewhere than in the turn of the baton's holder, and when and how it is told. Must not know who
runs steps or who looks. Invariants: a step is told once; one that waits for an answer is not told, since whom it waits for is.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any, Protocol

from garrick.actor import Actor
from garrick.runtime.reports import class_name

log = logging.getLogger("garrick.runtime")


class Step(Protocol):
    """A step under way: the actor's cell, the thread, since when (monotonic seconds), and whether it was told."""

    cell: Any
    thread: int
    since: float
    reported: bool


class Running:
    """A `Step`."""

    __slots__ = ("cell", "reported", "since", "thread")

    def __init__(self, cell: Any, thread: int, since: float) -> None:
        self.cell = cell
        self.thread = thread
        self.since = since
        self.reported = False


def limit(cell: Any) -> float:
    """Seconds after which a handler of this actor is told; endless for classes that don't want it."""
    cls = type(cell.actor) if cell is not None and cell.actor is not None else Actor
    seconds: Any = cls.slow_handler
    if isinstance(seconds, (int, float)):
        return seconds
    return float("inf") if seconds is None else Actor.slow_handler or 1.0  # a method of that name says nothing


def look(steps: Iterable[Step], now: float) -> None:
    """Tell of those that have run for too long."""
    for step in steps:
        cell = step.cell
        if step.reported or cell.waits or now - step.since < limit(cell):
            continue
        step.reported = True
        log.warning(
            "slow handler: %s %s has been running for %.1f s; other actors go on (garrick explain GAR-2201). Where it is:\n%s",
            class_name(cell),
            cell.address,
            now - step.since,
            stack(step.thread),
        )


def loop_stalled(thread: int, cell: Any, seconds: float) -> None:
    """Tell that the event loop of the process does not turn, because of a handler of this actor (None: of other code)."""
    who = "the program's own code" if cell is None else f"{class_name(cell)} {cell.address}"
    log.warning(
        "slow handler: %s has blocked the event loop for %.1f s; no async handler of this process goes on "
        "(garrick explain GAR-2201). Where it is:\n%s",
        who,
        seconds,
        stack(thread),
    )


def stack(thread: int) -> str:
    """Where a thread of this process is: its innermost frames."""
    frame = sys._current_frames().get(thread)
    return "".join(traceback.format_stack(frame)[-6:]) if frame is not None else "(no stack)"
