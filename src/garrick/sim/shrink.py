"""`shrink`: from a failing run to one that fails in the same way with as few deviations as possible.

Owns the search. A deviation is a choice that is not 0: an event that others overtook, a fault, a delay. Must not know files. Invariants:

* Every candidate is smaller than what it comes from: fewer deviations, or equally many of a smaller sum. So the search ends.
* A candidate counts only if its failure is of the same kind. What is kept is what its run really did, not what was asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from garrick.sim.choices import Label
from garrick.sim.runs import Failure, Outcome, Plan, Scenario, run

RUNS: Final = 500
"""Runs that shrinking may take."""

Deviations = dict[Label, int]


class Shrinker:
    """One search.

    Args:
        scenario: what is run.
        failed: a run that was recorded, or had overrides.
        limit: of runs.
    """

    def __init__(self, scenario: Scenario, failed: Outcome, limit: int = RUNS) -> None:
        assert failed.failure is not None
        self._scenario = scenario
        self._plan: Plan = failed.plan
        self._failure: Failure = failed.failure
        self._left = limit
        self.runs = 0
        self.best = failed
        """The smallest run so far that fails alike; benign as soon as one was found."""

    def search(self) -> Outcome:
        """Make it as small as it gets within the limit."""
        if not self._try(self.best.made, always=True):
            return self.best  # it depends on something else, or what it does differs from time to time
        while self._left > 0 and self._pass():
            pass
        return self.best

    def _pass(self) -> bool:
        return self._some(self._without_kinds()) | self._blocks() | self._some(self._smaller())

    def _some(self, candidates: Iterable[Deviations]) -> bool:
        found = False
        for candidate in candidates:
            if self._left <= 0:
                break
            found |= self._try(candidate)
        return found

    # --- candidates ----------------------------------------------------------------------------------------------------------

    def _without_kinds(self) -> Iterator[Deviations]:
        """All of one kind at once, the kind with the most deviations first; then all but one kind."""
        for kind in _kinds(self.best.made):
            yield {label: value for label, value in self.best.made.items() if label[0] == kind}
        for kind in _kinds(self.best.made):
            yield {label: value for label, value in self.best.made.items() if label[0] != kind}

    def _blocks(self) -> bool:
        """Blocks of neighbours, halving the size of the block."""
        found = False
        size = (len(self.best.made) + 1) // 2
        while size:
            start = 0
            while start < len(self.best.made) and self._left > 0:
                labels = list(self.best.made)
                gone = set(labels[start : start + size])
                if self._try({label: value for label, value in self.best.made.items() if label not in gone}):
                    found = True
                else:
                    start += size
            size //= 2
        return found

    def _smaller(self) -> Iterator[Deviations]:
        """Single values, halved until it does not fail any more."""
        for label in list(self.best.made):
            low = 0
            while (value := self.best.made.get(label, 0)) > low + 1:
                middle = (low + value) // 2
                before = self.best
                yield {**before.made, label: middle}
                if self.best is before:
                    low = middle

    # --- trying --------------------------------------------------------------------------------------------------------------

    def _try(self, candidate: Deviations, *, always: bool = False) -> bool:
        if not always and _size(candidate) >= _size(self.best.made):
            return False
        self._left -= 1
        self.runs += 1
        outcome = run(self._scenario, self._plan.forced(candidate))
        outcome.error = outcome.error and outcome.error.with_traceback(None)
        if outcome.failure != self._failure or not (always or _size(outcome.made) < _size(self.best.made)):
            return False
        self.best = outcome
        return True


def _kinds(deviations: Deviations) -> list[str]:
    counts: dict[str, int] = {}
    for kind, _ in deviations:
        counts[kind] = counts.get(kind, 0) + 1
    return sorted(counts, key=lambda kind: (-counts[kind], kind))


def _size(deviations: Deviations) -> tuple[int, int]:
    return len(deviations), sum(deviations.values())


def neighbours(outcome: Outcome) -> Iterator[Deviations]:
    """The same with one deviation less, for each of them."""
    for label in islice(outcome.made, 50):
        yield {other: value for other, value in outcome.made.items() if other != label}
