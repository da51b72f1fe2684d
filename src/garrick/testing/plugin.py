"""The plugin for pytest: fixtures ``system``, ``world``, ``probe``, ``manual_clock``, the marker ``sim``, and what a failure tells.

Owns the connection with pytest. Must not be needed by anything else. Everything heavy is imported when it is used, since the plugin is
loaded into every run of pytest where Garrick is installed.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from garrick.sim.world import World
    from garrick.system import ActorSystem
    from garrick.testing.clock import ManualClock
    from garrick.testing.probe import Probe

SEEDS: Final = 20
"""Seeds of a test that is marked ``sim``, unless it or the command line says otherwise."""
BASES: Final = ("sim", "local", "multiprocess")

_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line."""
    group = parser.getgroup("garrick", "actors")
    group.addoption(
        "--garrick-base",
        choices=BASES,
        default="sim",
        help="the base of the fixture `system`; tests of simulated worlds are skipped on the others (default: %(default)s)",
    )
    group.addoption("--sim-seed", type=int, metavar="N", help="run simulated tests with this seed only")
    group.addoption("--sim-seeds", type=int, metavar="N", help="run tests that are marked `sim` with so many seeds")
    group.addoption(
        "--sim-artefacts",
        metavar="DIR",
        help="write what makes a failed run again, and its smallest form, into this directory",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Markers; and breakpoints of worlds stop in pytest's debugger."""
    config.addinivalue_line(
        "markers",
        f"sim(seeds={SEEDS}, policy='portfolio', goals=(), strict=True, workers=0, fidelity='objects'): run the test in simulated "
        "worlds of so many seeds, "
        "in the order of events that the policy gives; every goal must be met "
        "in one of them; strict: nobody may fail unheard, and nothing may get stuck; workers, fidelity: of its system",
    )
    config.addinivalue_line(
        "markers", "leaves(reason): the test leaves questions, timers or addresses behind on purpose"
    )


def pytest_sessionstart() -> None:
    """See pytest."""
    from garrick.sim import debugging

    debugging.make_debugger = _debugger


def pytest_unconfigure() -> None:
    """See pytest."""
    from garrick.sim import debugging

    debugging.make_debugger = debugging.plain_debugger


def _debugger() -> Any:
    """Pytest's own debugger, which stops the capturing of output."""
    from _pytest.debugging import pytestPDB

    return pytestPDB._init_pdb("set_trace")  # type: ignore[no-untyped-call]


# --- fixtures ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def garrick_base(request: pytest.FixtureRequest) -> str:
    """The base that the fixture ``system`` runs on."""
    return str(request.config.getoption("garrick_base"))


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A simulated world. What its checks still wait for comes before it ends, or the test fails."""
    from garrick.testing import cases

    if cases.explored(request.node):
        yield cases.PLACE
        return
    _only_simulated(request)
    with cases.new_world(request.config, request.node) as world:
        yield world
        if not _has_failed(request.node):
            world.verify()


@pytest.fixture
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """A system of the base that ``--garrick-base`` names: of the test's world, if it has one. Nothing may be left over at its end."""
    from garrick.sim.world import world_of
    from garrick.system import ActorSystem
    from garrick.testing import cases

    base: str = request.getfixturevalue("garrick_base")
    if cases.explored(request.node):
        yield cases.PLACE
        return
    if "world" in request.fixturenames:
        made: ActorSystem = request.getfixturevalue("world").system("test")
    elif base == "sim":
        made = ActorSystem("sim", seed=cases.first_seed(request.config))
    else:
        made = ActorSystem(base, name=f"test-{os.getpid()}-{next(_numbers)}")
    try:
        yield made
        world = world_of(made)
        if world is not None and not _has_failed(request.node) and not request.node.get_closest_marker("leaves"):
            cases.check_leaks(world, made)
    finally:
        abandoned = made.stop()
    if abandoned and not _has_failed(request.node):
        pytest.fail("these actors did not end: " + "; ".join(abandoned))


@pytest.fixture
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """A `garrick.testing.Probe` in the test's ``system``."""
    from garrick.testing import cases
    from garrick.testing.probe import Probe

    system = request.getfixturevalue("system")
    if system is cases.PLACE:
        yield cases.PLACE
        return
    with Probe(system) as probe:
        yield probe


@pytest.fixture
def manual_clock(request: pytest.FixtureRequest) -> ManualClock:
    """A `garrick.testing.ManualClock`: the time of the test's ``system`` passes when the test says so."""
    from garrick.testing import cases
    from garrick.testing.clock import ManualClock

    _only_simulated(request)
    system = request.getfixturevalue("system")
    return cases.PLACE if system is cases.PLACE else ManualClock(system)


def _only_simulated(request: pytest.FixtureRequest) -> None:
    base = request.config.getoption("garrick_base")
    if base != "sim":
        pytest.skip(f"base {base} lives in real time")


# --- running and reporting --------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that is marked ``sim`` runs once for each seed."""
    from garrick.testing import cases

    if not cases.explored(pyfuncitem):
        return None
    if pyfuncitem.config.getoption("garrick_base") != "sim":
        pytest.skip(f"base {pyfuncitem.config.getoption('garrick_base')} lives in real time")
    cases.explore(pyfuncitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells of its systems."""
    found = yield
    if call.when == "call":
        item.stash[_failed] = found.failed
        if found.failed and isinstance(item, pytest.Function):
            from garrick.testing import cases

            found.sections += cases.sections(item)
    return found


_failed: Final = pytest.StashKey[bool]()


def _has_failed(item: Any) -> bool:
    return bool(item.stash.get(_failed, False))
