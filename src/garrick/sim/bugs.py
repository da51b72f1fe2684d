"""`Bugs`: the decisions behind `garrick.buggify` in a world.

Owns them, in two phases: a place is active for the whole run, or never; an active one fires now and then. Both are choices.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from garrick.sim.choices import Choices

ACTIVE = 250_000
"""Per million: places that are active in a run."""
FIRES = 250_000
"""Per million: how often an active one fires."""


class Bugs:
    """See the module."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._active: dict[str, bool] = {}
        self._passes: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        """How often each place has fired."""

    def decide(self, name: str) -> bool:
        """See `garrick.buggify.buggify`."""
        active = self._active.get(name)
        if active is None:
            active = self._active[name] = self._choices.chance("buggify.active", (name,), ACTIVE)
        if not active:
            return False
        self._passes[name] += 1
        fires = self._choices.chance("buggify", (name, self._passes[name]), FIRES)
        self.fired[name] += fires
        return fires
