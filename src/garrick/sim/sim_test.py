"""`sim_test`: a test function that runs in worlds of many seeds.

Owns the decorator. The rest is `garrick.sim.explore`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from garrick.errors import InvalidArgument
from garrick.sim.explore import FOLDER, explore
from garrick.sim.policies import PORTFOLIO
from garrick.sim.world import World


def sim_test(
    *,
    seeds: int | Iterable[int] = 100,
    policy: str = PORTFOLIO,
    jobs: int = 1,
    isolate: bool = False,
    shrink: bool = True,
    check_determinism: float = 0.0,
    artefacts: str | Path | None = FOLDER,
    fences: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a test of a function whose first parameter (after ``self``) is a `World`: it is called with a new one for each seed.

    The test fails with the error of the lowest seed that fails; a note tells the seed, the smallest run that fails alike, and how to replay
    it. Other parameters remain (fixtures, for example). The function itself is the attribute ``scenario``.

    Args:
        seeds: how many, or which.
        policy: see `explore`, also for the others.
        jobs: processes.
        isolate: batches of seeds in processes of their own.
        shrink: look for the smallest run that fails alike.
        check_determinism: this part of the seeds runs twice.
        artefacts: directory of the file of a failure; None: none.
        fences: see `World`.

    Raises:
        InvalidArgument: the function has no parameter.
    """
    chosen = range(seeds) if isinstance(seeds, int) else tuple(seeds)

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        parameters = list(inspect.signature(function).parameters.values())
        at = int(bool(parameters) and parameters[0].name == "self")
        if len(parameters) <= at:
            raise InvalidArgument(f"{function.__qualname__} takes no world", hint="def test_it(world: World): ...")

        @functools.wraps(function)
        def test(*arguments: Any, **keywords: Any) -> None:
            def scenario(world: World) -> Any:
                return function(*arguments[:at], world, *arguments[at:], **keywords)

            functools.update_wrapper(scenario, function)
            explore(
                scenario,
                chosen,
                policy=policy,
                jobs=jobs,
                isolate=isolate,
                shrink=shrink,
                check_determinism=check_determinism,
                artefacts=artefacts,
                fences=fences,
            ).check()

        test.__signature__ = inspect.Signature([*parameters[:at], *parameters[at + 1 :]])  # type: ignore[attr-defined]
        test.scenario = function  # type: ignore[attr-defined]
        return test

    return decorate
