"""One suite over every base: a test that takes ``system`` or ``start`` runs once for each base that exists."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem
from garrick.inbox import Inbox
from garrick.runtime.async_lane import _new_loop
from garrick.sim import sequential
from garrick.system import BASES
from tests.conformance import conventions, leftovers
from tests.conformance.actors import Gate

Start = Callable[..., ActorSystem]

SIMULATED = {"sim", "sim-convention", "sequential"}
"""Bases that are driven by the program's thread, the first two in virtual time."""
CONVENTIONS = {"convention", "sim-convention"}

_numbers = count(1)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "one_system(reason): makes no sense over two systems of a convention",
        "real_time(reason): makes no sense where the program's own thread runs the handlers",
        "over(*bases): only over these",
    ):
        config.addinivalue_line("markers", marker)


# What is not there yet is not in the list; nothing is skipped.
EXISTING = [*(base for base, module in BASES.items() if _exists(module)), "sequential", *sorted(CONVENTIONS)]
WITH_PROCESSES = {"multiprocess", "convention"}


def pytest_report_header() -> str:
    return f"bases of the conformance suite: {', '.join(EXISTING)}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "base" not in metafunc.fixturenames:
        return
    marked = metafunc.definition.get_closest_marker
    over = marked("over")
    bases = [
        base
        for base in EXISTING
        if (over is None or base in over.args)
        and not (marked("one_system") and base in CONVENTIONS)
        and not (marked("real_time") and base in SIMULATED)
        and not (
            "gate" in metafunc.fixturenames and base == "sequential"
        )  # nothing opens it while a handler waits there
    ]
    marks = {base: [pytest.mark.processes] if base in WITH_PROCESSES else [] for base in bases}
    metafunc.parametrize("base", [pytest.param(base, marks=marks[base]) for base in bases], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def _before_all_tests() -> None:
    leftovers.adopt_orphans()
    # What stays for the life of a process and is no leftover of a test: libuv's pipe for signals.
    _new_loop().close()


@pytest.fixture
def base(request: pytest.FixtureRequest) -> str:
    """The base that the test runs on."""
    found: str = request.param
    return found


@pytest.fixture
def simulated(base: str) -> bool:
    """Whether the program's own thread runs the handlers, in virtual time."""
    return base in SIMULATED


@pytest.fixture
def copies(base: str) -> bool:
    """Whether messages between the program and its actors are copied."""
    return base not in {"local", "sim", "sequential"}


@pytest.fixture(scope="session")
def _conventions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], conventions.Convention]]:
    """The real convention, started once: that takes longer than most tests."""
    made: list[conventions.Convention] = []

    def get() -> conventions.Convention:
        if not made:
            made.append(conventions.real(tmp_path_factory.mktemp("convention")))
        return made[0]

    yield get
    assert [text for convention in made for text in convention.stop()] == []


@pytest.fixture
def _shared(request: pytest.FixtureRequest) -> conventions.Convention | None:
    """The real convention, if the test is about it; up before anybody looks at what there is."""
    callspec = getattr(request.node, "callspec", None)
    if callspec is None or callspec.params.get("base") != "convention":
        return None
    found: conventions.Convention = request.getfixturevalue("_conventions")()
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(_shared: conventions.Convention | None) -> Iterator[None]:
    """After every test: no thread, process, descriptor or directory more than before."""
    before = leftovers.Belongings.now()
    yield
    left = leftovers.gone(before)
    assert left == [], "the test left something behind"


@pytest.fixture
def start(base: str, nothing_is_left: None, _shared: conventions.Convention | None, tmp_path: Path) -> Iterator[Start]:
    """Start a system of the base; what the test does not stop itself is stopped, and must end by itself."""
    systems: list[ActorSystem] = []

    def make(**options: Any) -> ActorSystem:
        if base == "convention" and not options:
            assert _shared is not None
            return _shared
        options.setdefault("name", f"conf-{os.getpid()}-{next(_numbers)}")
        if base == "multiprocess":
            options.setdefault("workers", 2)
        if base == "convention":
            folder = tmp_path / f"convention-{len(systems)}"
            folder.mkdir()
            options.pop("name")
            system: ActorSystem = conventions.real(folder, **options)
        elif base == "sim-convention":
            system = conventions.simulated(**options)
        elif base == "sequential":
            system = _sequential(**options)
        else:
            system = ActorSystem(base, **options)
        systems.append(system)
        return system

    yield make
    abandoned = [text for system in systems if system._stopped is None for text in system.stop()]
    assert abandoned == []
    if _shared is not None:
        _shared.clear()


def _sequential(*, name: str, capabilities: Mapping[str, Any] | None = None) -> ActorSystem:
    """The base under the facade; it has no name of its own among the bases."""
    system = ActorSystem.__new__(ActorSystem)
    system._adopt(sequential.start(name, capabilities or {}))
    return system


@pytest.fixture
def system(start: Start) -> ActorSystem:
    """A running system."""
    return start()


@pytest.fixture
def inbox(system: ActorSystem) -> Inbox:
    """An inbox of ``system``."""
    return system.inbox()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Something closed that handlers in any process can wait at with plain blocking calls."""
    return Gate(str(tmp_path / "open"))
