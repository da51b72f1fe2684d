"""What a measurement is made of: contestants, sizes, workloads, budgets.

Owns: the shapes that the rest of the catalogue fills. Pure data; it starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["/s", "ms"]


@dataclass(frozen=True)
class Contestant:
    """One library on one of its bases, as a program to start."""

    key: str
    title: str
    program: str
    base: str = ""
    requirement: str = ""
    """What to install into its own virtual environment; empty: the environment that runs the benchmarks."""
    ours: bool = False
    floor: bool = False

    @property
    def environment(self) -> str:
        """Name of its virtual environment, empty for the running one."""
        return self.requirement.partition("==")[0]


@dataclass(frozen=True)
class Size:
    """How much one run does: timed operations, warm-up operations before them, and the batch of a flood (0: none)."""

    operations: int
    warm_up: int = 0
    batch: int = 1000

    def shortened(self, divisor: int) -> Size:
        """The size for a short run; the batch stays, as it is part of the shape."""
        if self.operations == 1:
            return self
        return Size(max(self.operations // divisor, 10), max(self.warm_up // divisor, 2), self.batch)


@dataclass(frozen=True)
class Workload:
    """One row: the same work by several contestants."""

    key: str
    program_key: str
    unit: Unit
    counts: str
    sizes: dict[str, Size]


@dataclass(frozen=True)
class Budget:
    """A promise about Garrick in one workload: a ratio to a contestant, or (without one) a figure of its own."""

    workload: str
    must: float
    aim: float
    against: str = ""
