"""`buggify`: places in Garrick's own code where a simulated run may take the rarer way.

Owns the hook. In production it is constant: False. A place is named, and takes a way that is right but slower or rarer than usual, so that
few seeds meet the races behind it. Who decides is set by the simulator while a world runs, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

_decide: Callable[[str], bool] | None = None


def buggify(name: str) -> bool:
    """Whether to take the rarer way at the place ``name``: False, but in a simulation that wants it."""
    return _decide is not None and _decide(name)


def set_decider(decide: Callable[[str], bool] | None) -> Callable[[str], bool] | None:
    """Who decides from now on; who did before."""
    global _decide
    before, _decide = _decide, decide
    return before
