"""``sometimes`` and ``reached``: what a suite wants to have seen in some run, said where it happens, in actor code as well.

Owns the counters outside of worlds. In production both only count; in a simulated world the goal belongs to that world.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from garrick.sim import fences

counts: Counter[str] = Counter()
"""How often each goal was met outside of any world; those that were asked for and never met are there with 0."""


def sometimes(name: str, condition: Any = True) -> None:
    """Count the goal ``name`` if ``condition`` is true."""
    crew = fences.inside()
    goals = counts if crew is None else crew.story.goals
    goals[name] += bool(condition)


def reached(name: str) -> None:
    """Count the goal ``name``: this line was reached."""
    sometimes(name)
