"""Systems for the tests, each on a port of its own, and the check that nothing of it is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from houses import BASES, Start, free_port, gone, processes_of

from garrick.node.rundir import base_directory
from thespian.actors import ActorSystem


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A system on the simple base configures the logging of the program that starts it, here that of all tests."""
    loggers = [logging.root, logging.getLogger("garrick")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts systems; ends them, and sees that nothing is left."""
    systems: list[ActorSystem] = []

    def make(base: str, capabilities: dict[str, Any] | None = None, **more: Any) -> ActorSystem:
        capabilities = {"Admin Port": free_port(), **(capabilities or {})}
        more = {"logDefs": False, "transientUnique": True, **more}
        system = ActorSystem(base, capabilities, **more)
        systems.append(system)
        return system

    yield make
    left: list[psutil.Process] = []
    for system in systems:
        running: Any = system._systemBase
        directory = base_directory() / running.system.name if running is not None else None
        processes = processes_of(system)
        begun = time.monotonic()
        system.shutdown()
        assert time.monotonic() - begun < 10
        left += gone(processes)
        assert directory is None or not directory.exists()
    assert not left


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["simpleSystemBase", "multiprocTCPBase"])
def some_base(request: pytest.FixtureRequest) -> str:
    """One of each kind, for what the process bases do alike."""
    return str(request.param)


@pytest.fixture
def asys(some_base: str, start: Start) -> ActorSystem:
    return start(some_base)
