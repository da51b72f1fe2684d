"""Every planted bug is found within a bounded number of seeds and made small, and the real code passes all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrick.sim import World, explore

from .bugs import BUGS, Bug

SEEDS = 20
"""Within which each bug must be found, and all of which the real code must pass."""
SHRINKING = 100
"""Runs that it may take to make a failure small."""
SMALL = 5
"""Deviations from the simplest run that a small failure may have, or a tenth of those that it had: some bugs need more than one."""
SCENARIOS = list(dict.fromkeys(bug.scenario for bug in BUGS))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_real_code_passes(scenario: Callable[[World], None]) -> None:
    explore(scenario, range(SEEDS), artefacts=None, shrink=False).check()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_and_made_small(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    assert getattr(bug.owner, bug.function) is not bug.instead
    monkeypatch.setattr(bug.owner, bug.function, bug.instead)
    report = explore(bug.scenario, range(SEEDS), artefacts=None, shrink_runs=SHRINKING)
    assert not report.ok, f"{bug.name} was not found with {SEEDS} seeds"
    assert not report.unstable
    smallest = report.shrunk or report.failed
    assert smallest is not None
    assert report.failed is not None
    assert len(smallest.overrides) <= max(SMALL, len(report.failed.overrides) // 10), report.story


def test_the_zoo_is_large_enough() -> None:
    assert len({bug.name for bug in BUGS}) >= 15
