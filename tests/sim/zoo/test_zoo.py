"""Every planted bug is found within a bounded number of seeds, and the real code passes all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from garrick.sim.world import World

from .bugs import BUGS, Bug

SEEDS = 20
"""Within which each bug must be found, and all of which the real code must pass."""
SCENARIOS = list(dict.fromkeys(bug.scenario for bug in BUGS))


def hunt(scenario: Callable[[World], None], seeds: range) -> tuple[int, Exception] | None:
    """The first seed with which the scenario fails, and how."""
    for seed in seeds:
        with World(seed, "portfolio") as world:
            try:
                scenario(world)
            except Exception as error:
                return seed, error
    return None


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_real_code_passes(scenario: Callable[[World], None]) -> None:
    assert hunt(scenario, range(SEEDS)) is None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    assert getattr(bug.owner, bug.function) is not bug.instead
    monkeypatch.setattr(bug.owner, bug.function, bug.instead)
    found = hunt(bug.scenario, range(SEEDS))
    assert found is not None, f"{bug.name} was not found with {SEEDS} seeds"


def test_the_zoo_is_large_enough() -> None:
    assert len({bug.name for bug in BUGS}) >= 15
