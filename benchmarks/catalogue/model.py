"""What a measurement is made of: contestants, sizes, workloads, budgets.

Owns: the shapes that the rest of the catalogue fills. Pure data; it starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["/s", "ms", "µs", "bytes", "MiB"]
"""Of a rate more is better, of everything else less."""


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
    guard: bool = True
    """Takes part in the short form too. The guard stands on these: it is a failure when one of them is not to be had."""
    least_python: str = ""
    """The first Python that it runs on, if that is later than Garrick's; it gets that one where the session's is older."""

    @property
    def environment(self) -> str:
        """Name of its virtual environment, empty for the running one."""
        return self.requirement.partition("==")[0]


@dataclass(frozen=True)
class Size:
    """How much one run does: timed operations, warm-up operations before them, and the batch of a flood (0: none).

    In workloads that are no flood the batch is the second parameter, which the workload's sentence names: how many
    actors make the ring, how many questions are under way at once.
    """

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
    """One row: the same work by several contestants.

    Rows that read different figures of the same run share it.
    """

    key: str
    program_key: str
    unit: Unit
    counts: str
    sizes: dict[str, Size]
    group: str = "use"
    """Which of a library's programs does it: `use_garrick.py`, `savina_garrick.py`; the floors have one program."""
    figure: str = ""
    """Which figure of the run is shown; empty: the operations and the seconds that they took."""
    short: bool = True
    """Whether it is in the short form."""


@dataclass(frozen=True)
class Budget:
    """A promise about Garrick in one workload: a figure of its own, a ratio to a contestant, or a share of another row."""

    workload: str
    must: float
    """What has to be reached; 0 where there is only an aim (to a contestant)."""
    aim: float
    against: str = ""
    """A contestant: Garrick has to be so many times better."""
    beside: str = ""
    """Another workload: Garrick's figure may be at most so many times the one it has there."""
