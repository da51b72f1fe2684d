"""How the plugin runs tests in simulated worlds, over many seeds, and what it tells when one fails.

Owns the worlds of marked tests. Must not know fixtures: it fills the arguments of a test that are named as they are.
"""

from __future__ import annotations

import functools
import os
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from garrick import sim
from garrick.errors import InvalidArgument, SimFailure
from garrick.sim import goals, leaks
from garrick.sim.world import World, world_of
from garrick.system import ActorSystem
from garrick.testing.clock import ManualClock
from garrick.testing.probe import Probe
from garrick.testing.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE: Final[Any] = object()
"""Stands for what is made anew for each seed."""
SYSTEM: Final[dict[str, Any]] = {"workers": 0, "fidelity": "objects"}
"""Of the system of a marked test, unless its marker says otherwise; see `World.system`."""
OWN: Final = ("world", "system", "probe", "manual_clock")
_told: Final = pytest.StashKey[list[tuple[str, str]]]()
_seed: Final = pytest.StashKey[int]()


def explored(item: Any) -> bool:
    """Whether the test runs in worlds of many seeds."""
    return item.get_closest_marker("sim") is not None


def first_seed(config: pytest.Config) -> int:
    """The seed of tests that run once."""
    seed: int | None = config.getoption("sim_seed")
    return seed or 0


@contextmanager
def new_world(config: pytest.Config, item: Any) -> Iterator[World]:
    """The world of a test that runs once."""
    item.stash[_seed] = first_seed(config)
    with World(first_seed(config)) as world:
        yield world


def explore(item: pytest.Function) -> None:
    """Run a test that is marked ``sim`` with all of its seeds."""
    from garrick.testing.plugin import SEEDS

    marker = item.get_closest_marker("sim")
    assert marker is not None
    defaults = {"seeds": SEEDS, "policy": "portfolio", "goals": (), "strict": True, **SYSTEM}
    options = {**defaults, **marker.kwargs}
    unknown = set(options) - set(defaults)
    if marker.args or unknown:
        raise InvalidArgument(
            f"marker sim has no {', '.join(sorted(unknown)) or 'positional arguments'}",
            hint="@pytest.mark.sim(seeds=20, policy='portfolio', goals=(), strict=True, workers=0, fidelity='objects')",
        )
    config = item.config
    only: int | None = config.getoption("sim_seed")
    seeds = range(config.getoption("sim_seeds") or options["seeds"]) if only is None else [only]

    def scenario(world: World) -> None:
        _once(item, world, strict=options["strict"], **{name: options[name] for name in SYSTEM})

    functools.update_wrapper(scenario, item.obj)
    found = sim.explore(scenario, seeds, policy=options["policy"], artefacts=config.getoption("sim_artefacts"))
    if found.seed is not None:
        item.stash[_seed] = found.seed
    found.check()
    missed = [goal for goal in options["goals"] if not found.goals[goal]]
    if missed and only is None:
        raise SimFailure(
            f"no run of {len(seeds)} has met {', '.join(map(repr, missed))}",
            check=missed[0],
            kind="goal",
            hint="more seeds, faults that lead there, or a goal that can be met",
        )


def _once(item: pytest.Function, world: World, *, strict: bool, **options: Any) -> None:
    arguments = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    outside = goals.counts.copy()
    if strict:
        world.strict()
    system: ActorSystem | None = None
    try:
        if any(name in arguments for name in OWN if name != "world"):
            system = world.system("test", **options)
            arguments |= {"system": system, "probe": Probe(system), "manual_clock": ManualClock(world)}
        arguments["world"] = world
        item.obj(**{name: arguments[name] for name in item._fixtureinfo.argnames})
        world.verify()
        if system is not None and not item.get_closest_marker("leaves"):
            check_leaks(world, system)
    except BaseException:
        if _told not in item.stash:  # what comes later are the attempts to make it smaller
            item.stash[_told] = [("actors", _text(world))]
        raise
    finally:
        world.goals.update(goals.counts - outside)  # those that the test itself has met


def check_leaks(world: World, system: ActorSystem) -> None:
    """A test may leave its top-level actors, and what belongs to them, to the end of the system; nothing else."""
    nodes = [node for node in world._nodes.values() if node.runtime is system._runtime]
    cells = [cell for node in nodes for runtime in node.runtimes() for cell in runtime.cells.values()]
    tops = [cell.address for cell in cells if cell.parent == system._runtime.admin]
    found = leaks.leaks(nodes, tops, world._sources)
    if found:
        pytest.fail("the test left something behind: " + "; ".join(found))


# --- when one has failed ------------------------------------------------------------------------------------------------------


def sections(item: pytest.Function) -> list[tuple[str, str]]:
    """What the report of a failed test gets."""
    told = item.stash.get(_told, None)
    if told is not None:
        return [*told, ("to run it again", _command(item))]
    for name in ("world", "system"):
        subject = item.funcargs.get(name)
        if isinstance(subject, (World, ActorSystem)):
            return _sections(item, subject)
    return []


def _sections(item: pytest.Function, subject: World | ActorSystem) -> list[tuple[str, str]]:
    found = [("actors", _text(subject))]
    if isinstance(subject, World) or world_of(subject) is not None:
        found.append(("to run it again", _command(item)))
    return found


def _text(subject: World | ActorSystem) -> str:
    try:
        return report(subject)
    except Exception as error:
        return f"could not be told: {error!r}"


def _command(item: pytest.Function) -> str:
    hashing = os.environ.get("PYTHONHASHSEED")
    before = f"PYTHONHASHSEED={hashing} " if hashing else ""
    return f"{before}pytest {shlex.quote(item.nodeid)} --sim-seed={item.stash.get(_seed, first_seed(item.config))}"
