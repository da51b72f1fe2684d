"""One suite over every base: a test that takes ``system`` or ``start`` runs once for each base that exists."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem
from garrick.inbox import Inbox
from garrick.runtime.async_lane import _new_loop
from garrick.system import BASES
from tests.conformance import leftovers
from tests.conformance.actors import Gate

Start = Callable[..., ActorSystem]

_numbers = count(1)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


EXISTING = [base for base, module in BASES.items() if _exists(module)]
PARAMETERS = [pytest.param(base, marks=[pytest.mark.processes] if base == "multiprocess" else []) for base in EXISTING]


def pytest_report_header() -> str:
    return f"bases of the conformance suite: {', '.join(EXISTING)}"


@pytest.fixture(scope="session", autouse=True)
def _before_all_tests() -> None:
    leftovers.adopt_orphans()
    # What stays for the life of a process and is no leftover of a test: libuv's pipe for signals.
    _new_loop().close()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After every test: no thread, process, descriptor or directory more than before."""
    before = leftovers.Belongings.now()
    yield
    left = leftovers.gone(before)
    assert left == [], "the test left something behind"


@pytest.fixture(params=PARAMETERS)
def base(request: pytest.FixtureRequest) -> str:
    """The base that the test runs on."""
    found: str = request.param
    return found


@pytest.fixture
def start(base: str, nothing_is_left: None) -> Iterator[Start]:
    """Start a system of the base; what the test does not stop itself is stopped, and must end by itself."""
    systems: list[ActorSystem] = []

    def make(**options: Any) -> ActorSystem:
        options.setdefault("name", f"conf-{os.getpid()}-{next(_numbers)}")
        if base == "multiprocess":
            options.setdefault("workers", 2)
        system = ActorSystem(base, **options)
        systems.append(system)
        return system

    yield make
    abandoned = [text for system in systems if system._stopped is None for text in system.stop()]
    assert abandoned == []


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
