"""One suite over every base: a test that takes ``system`` or ``start`` runs once for each base that exists."""

from __future__ import annotations

import importlib.util
import os
import zlib
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
from tests.conformance.shared import Shared, SharedProcesses

Start = Callable[..., ActorSystem]

SIMULATED = {"sim", "sim-convention", "sim-processes", "sequential"}
"""Bases that are driven by the program's thread, all but the last in virtual time."""
CONVENTIONS = {"convention", "sim-convention"}
RANDOM = {
    "sim": "sim-random",
    "sim-convention": "sim-convention-random",
    "sim-processes": "sim-processes-random",
}
"""Simulated bases once more, with the events in a random order: each test has a seed of its own, the same in every run."""
ORIGINALS = {again: base for base, again in RANDOM.items()}
SAMPLE = 4
"""One in so many tests of the convention in a random order is no soak test, and half as many of simulated processes."""

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
        "alone(reason): needs processes that no other test has used",
        "first_come(reason): counts on messages of different senders arriving in the order in which they were sent",
    ):
        config.addinivalue_line("markers", marker)


# What is not there yet is not in the list; nothing is skipped.
EXISTING = [
    *(base for base, module in BASES.items() if _exists(module)),
    "sequential",
    *sorted(CONVENTIONS),
    "sim-processes",
]
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
    if not marked("first_come"):
        bases += [RANDOM[base] for base in bases if base in RANDOM]
    marks = {base: [pytest.mark.processes] if base in WITH_PROCESSES else [] for base in bases}
    sample = zlib.crc32(metafunc.definition.nodeid.encode())
    if "gate" not in metafunc.fixturenames and sample % SAMPLE:
        marks[RANDOM["sim-convention"]] = [pytest.mark.soak]
    for base, turn in (("sim-processes", 0), (RANDOM["sim-processes"], SAMPLE)):
        if sample % (2 * SAMPLE) != turn:
            marks[base] = [pytest.mark.soak]
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
    return ORIGINALS.get(found, found)


@pytest.fixture
def seed_of_order(request: pytest.FixtureRequest) -> int | None:
    """In which order things happen on a simulated base; None: in that of arrival."""
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and callspec.params.get("base") in ORIGINALS:
        return zlib.crc32(request.node.nodeid.encode()) + conventions.SEED
    return conventions.SEED if conventions.POLICY else None


@pytest.fixture
def simulated(base: str) -> bool:
    """Whether the program's own thread runs the handlers, in virtual time."""
    return base in SIMULATED


@pytest.fixture
def copies(base: str) -> bool:
    """Whether messages between the program and its actors are copied."""
    return base not in {"local", "sim", "sequential"}


@pytest.fixture(scope="session")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Shared]]:
    """The real convention and a multiprocess system, each started once: that takes longer than most tests."""
    made: dict[str, Shared] = {}

    def get(base: str) -> Shared:
        if base not in made or made[base]._stopped is not None:  # a test may end it, or find it spoilt
            made[base] = (
                SharedProcesses() if base == "multiprocess" else conventions.real(tmp_path_factory.mktemp("convention"))
            )
        return made[base]

    yield get
    assert [text for system in made.values() for text in system.stop()] == []


def _may_share(node: pytest.Item, base: str) -> bool:
    """Whether a test takes a system that others have used and will use."""
    if base == "convention":
        return True
    # What is fit for the convention, which always is shared, does not disturb other systems either.
    over = node.get_closest_marker("over")
    fit = over is None or "convention" in over.args
    return base == "multiprocess" and fit and not any(map(node.get_closest_marker, ("one_system", "alone")))


@pytest.fixture
def _shared(request: pytest.FixtureRequest) -> Shared | None:
    """The system that the test shares with others; up before anybody looks at what there is."""
    callspec = getattr(request.node, "callspec", None)
    base = None if callspec is None else callspec.params.get("base")
    if base is None or not _may_share(request.node, base):
        return None
    found: Shared = request.getfixturevalue("_started")(base)
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(_shared: Shared | None) -> Iterator[None]:
    """After every test: no thread, process, descriptor or directory more than before."""
    before = leftovers.Belongings.now()
    yield
    left = leftovers.gone(before, pools=() if _shared is None else _shared.pools)
    assert left == [], "the test left something behind"


@pytest.fixture
def start(
    base: str, nothing_is_left: None, _shared: Shared | None, seed_of_order: int | None, tmp_path: Path
) -> Iterator[Start]:
    """Start a system of the base; what the test does not stop itself is stopped, and must end by itself."""
    systems: list[ActorSystem] = []

    def make(**options: Any) -> ActorSystem:
        if _shared is not None and not options:
            return _shared
        given = dict(options)
        options.setdefault("name", f"conf-{os.getpid()}-{next(_numbers)}")
        if base == "multiprocess":
            options.setdefault("workers", 2)
        if base == "convention":
            folder = tmp_path / f"convention-{len(systems)}"
            folder.mkdir()
            options.pop("name")
            system: ActorSystem = conventions.real(folder, **options)
        elif base == "sim-convention":
            order: dict[str, Any] = (
                {} if seed_of_order is None else {"seed": seed_of_order, "policy": conventions.POLICY or "random"}
            )
            system = conventions.simulated(**order, **options)
        elif base == "sim-processes":
            spread: dict[str, Any] = {}
            if seed_of_order is not None:
                spread = {"seed": seed_of_order, "policy": conventions.POLICY or "random"}
            system = conventions.processes(**{"name": f"sim-{len(systems) + 1}", **spread, **given})
        elif base == "sequential":
            system = _sequential(**options)
        elif base == "sim" and seed_of_order is not None:
            system = conventions.explored(**{"seed": seed_of_order, **options, "name": f"sim-{len(systems) + 1}"})
        else:
            system = ActorSystem(base, **options)
        systems.append(system)
        return system

    yield make
    abandoned = [text for system in systems if system._stopped is None for text in system.stop()]
    assert abandoned == []
    if _shared is not None and _shared._stopped is None:
        try:
            _shared.clear()
        except BaseException:
            _shared.stop()  # the next test is not to suffer from this one
            raise


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
