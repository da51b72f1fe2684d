"""`Lane`: what every message of a process touches.

Owns nothing but these few fields. `Actor.send` appends and reads ``idle``; the holder of the baton takes, and says in its tenure what it
runs. They are slots because `Runtime`, which adds everything else, has so many attributes that CPython would look each of them up in a
hash table (from 30 on instances no longer share their keys).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell


class NobodysTenure:
    """Stands in for a holder's tenure while nobody runs the lane, and in schedulers that never take it over."""

    __slots__ = ("envelope", "lost")

    def __init__(self) -> None:
        self.envelope: Any = None
        self.lost = False


class Lane:
    """See the module.

    Attributes:
        lane: the FIFO of envelopes ``(cell, message, sender)``.
        append: its method.
        idle: whether the holder sleeps, or is about to: whoever appends wakes it.
        tenure: the present holder's turn (`garrick.runtime.baton.Tenure`).
        control: the cell in whose envelopes the message is a function of the runtime, and the sender its argument. Its queue is never
            None, so that the hot path tells it from an actor by the check it makes anyway.
        spread_at: the length of the lane from which on actors take turns (`garrick.runtime.fairness`).
    """

    __slots__ = ("append", "control", "idle", "lane", "spread_at", "tenure")

    lane: deque[Any]
    append: Callable[[Any], None]
    idle: bool
    tenure: Any
    control: Cell
    spread_at: int
