"""Every order of events with few deviations from that of arrival: a bounded proof for small scenarios.

Owns the enumeration. A deviation lets one later event overtake one that would happen now. Invariant: no order is run twice: deviations are
added behind the last one only, or once more to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from garrick.sim.choices import Label
from garrick.sim.runs import Outcome, Plan, Scenario, run


def outcomes(scenario: Scenario, plan: Plan, most: int) -> Iterator[Outcome]:
    """Run all of them, those with fewer deviations first.

    Args:
        scenario: what is run.
        plan: the seed, and all but the order.
        most: deviations.
    """
    level: list[tuple[dict[Label, int], Label | None]] = [({}, None)]
    for depth in range(most + 1):
        following: list[tuple[dict[Label, int], Label | None]] = []
        for deviations, last in level:
            outcome = run(scenario, replace(plan, overrides=deviations, record=True))
            if depth < most:
                following += [
                    ({**deviations, label: deviations.get(label, 0) + 1}, label)
                    for label in _from(outcome.contested, last)
                ]
            yield outcome
        level = following


def _from(contested: list[Label], last: Label | None) -> list[Label]:
    if last is None:
        return contested
    # An event that all others have overtaken is not contested any more when it happens.
    return contested[contested.index(last) :] if last in contested else []
