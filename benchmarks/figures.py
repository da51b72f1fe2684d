"""From single runs to a judgement: medians, spreads, ratios, regressions and budgets.

Owns: the arithmetic. Pure functions over numbers; knows no process, file or clock.
A ratio always says how many times better Garrick is than the other: rates are divided by the other's, times the other way
round. It is the ratio of the two medians; the lowest and highest ratio of the single rounds tell how far to trust it.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.catalogue import Budget, Unit

SHORT_FLOOR = 0.5
"""A short run fails below half of the recorded ratio: shared machines are that noisy."""
FULL_FLOOR = 0.8
"""A full run calls it a regression below four fifths of the recorded ratio."""


@dataclass(frozen=True)
class Summary:
    """The runs of one contestant in one workload."""

    median: float
    lowest: float
    highest: float
    runs: int

    @property
    def spread(self) -> float:
        """Distance between the extremes as a share of the median."""
        return (self.highest - self.lowest) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Ratio:
    """How many times better Garrick is than one other contestant."""

    value: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Finding:
    """One comparison with what is recorded."""

    workload: str
    against: str
    measured: float
    recorded: float
    floor: float

    @property
    def regressed(self) -> bool:
        return self.measured < self.recorded * self.floor


SCALES: dict[Unit, float] = {"/s": 1, "ms": 1e3, "µs": 1e6, "bytes": 1, "MiB": 2**-20}
"""How many of a unit make one second, or one byte: programs report nothing else."""


def value_of(unit: Unit, operations: int, seconds: float) -> float:
    """One run as a figure in its unit: operations per second, or the time for one operation."""
    if seconds <= 0 or operations <= 0:
        raise ValueError(f"a run takes time and does work, this one: {operations} operations in {seconds} s")
    return operations / seconds if unit == "/s" else scaled(unit, seconds / operations)


def scaled(unit: Unit, figure: float) -> float:
    """A figure that the program has made itself, in seconds, bytes or per second, in the unit of its row."""
    if figure <= 0:
        raise ValueError(f"a figure is above nothing, this one: {figure}")
    return figure * SCALES[unit]


def summarise(values: Sequence[float]) -> Summary:
    """Median and extremes of the runs; at least one is needed."""
    if not values:
        raise ValueError("no run to summarise")
    return Summary(statistics.median(values), min(values), max(values), len(values))


def _better(unit: Unit, mine: float, other: float) -> float:
    return mine / other if unit == "/s" else other / mine


def ratio(unit: Unit, mine: Sequence[float | None], others: Sequence[float | None]) -> Ratio | None:
    """Compare two contestants round by round; a round in which one of them failed is None and gives no single ratio."""
    own = [value for value in mine if value is not None]
    their = [value for value in others if value is not None]
    if not own or not their:
        return None
    value = _better(unit, statistics.median(own), statistics.median(their))
    rounds = [
        _better(unit, one, two) for one, two in zip(mine, others, strict=False) if one is not None and two is not None
    ] or [value]
    return Ratio(value, min(rounds), max(rounds))


def compare(
    measured: Mapping[str, Mapping[str, float]], recorded: Mapping[str, Mapping[str, float]], floor: float
) -> list[Finding]:
    """Every ratio that was both measured and recorded, with the share of the recorded one that it has to reach."""
    return [
        Finding(workload, against, value, recorded[workload][against], floor)
        for workload, ratios in measured.items()
        for against, value in ratios.items()
        if against in recorded.get(workload, {})
    ]


def missing(
    measured: Mapping[str, Mapping[str, float]],
    recorded: Mapping[str, Mapping[str, float]],
    absent: Collection[str] = (),
) -> list[str]:
    """Recorded ratios, of workloads that were run, for which this run has no figure, except to who is `absent` by plan."""
    return [
        f"{workload}: against {against}"
        for workload, ratios in recorded.items()
        if workload in measured
        for against in ratios
        if against not in measured[workload] and against not in absent
    ]


def keeps(
    budget: Budget, unit: Unit, own: float | None, against: float | None, beside: float | None = None
) -> tuple[bool, bool] | None:
    """Whether a budget's must and its aim are kept, or None without a figure.

    Args:
        budget: The promise.
        unit: The workload's unit; a time has to stay below, a rate and a ratio have to reach.
        own: Garrick's median.
        against: Garrick's ratio to the budget's contestant.
        beside: Garrick's median in the budget's other workload.
    """
    if budget.against:
        return None if against is None else (against >= budget.must, against >= budget.aim)
    if own is None:
        return None
    if budget.beside:
        return None if not beside else (own / beside <= budget.must, own / beside <= budget.aim)
    if unit != "/s":
        return own <= budget.must, own <= budget.aim
    return own >= budget.must, own >= budget.aim
