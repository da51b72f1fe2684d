"""Support for tests of actors with pytest: ``from thespian.test import *`` gives a fixture ``asys``, a system on each base in turn.

Owns systems that last for a test, each on a port of its own. Fixtures that need a convention of two systems (``asys_pair``) are absent.
"""

from __future__ import annotations

import logging
import socket
import time
import unittest
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from thespian._system import ActorSystem

__all__ = [
    "ActorSystemTestCase",
    "LocallyManagedActorSystem",
    "actor_system_unsupported",
    "asys",
    "asys2",
    "delay_for_next_of_kin_notification",
    "get_free_admin_port",
    "inTestDelay",
    "simpleActorTestLogging",
    "unstable_test",
]

BASES = ("simpleSystemBase", "multiprocQueueBase", "multiprocUDPBase", "multiprocTCPBase")


def simpleActorTestLogging() -> dict[str, Any]:
    """``logDefs`` for a test: warnings and errors go to the error output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"errors": {"class": "logging.StreamHandler", "level": logging.WARNING}},
        "root": {"handlers": ["errors"], "level": logging.WARNING},
    }


def get_free_admin_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _started(base: str, capabilities: dict[str, Any] | None = None) -> Any:
    port = get_free_admin_port()
    system: Any = ActorSystem(
        base, {"Admin Port": port, **(capabilities or {})}, simpleActorTestLogging(), transientUnique=True
    )
    system.base_name = base
    system.port_num = port
    return system


@pytest.fixture(params=BASES)
def asys(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A system, with its ``base_name`` and ``port_num``; it ends with the test."""
    system = _started(request.param)
    try:
        yield system
    finally:
        system.shutdown()


@pytest.fixture
def asys2(asys: Any) -> Iterator[Any]:
    """Another system on the same base, which knows nothing of the first."""
    system = _started(asys.base_name)
    try:
        yield system
    finally:
        system.shutdown()


def actor_system_unsupported(asys: Any, *unsupported_bases: str) -> None:
    """Skip the test on these bases."""
    if asys.base_name in unsupported_bases:
        pytest.skip(f"not supported by {asys.base_name}")


def unstable_test(asys: Any, *unstable_bases: str) -> None:
    """Skip the test on bases where it does not always pass."""
    if asys.base_name in unstable_bases:
        pytest.skip(f"unstable on {asys.base_name}")


def inTestDelay(period: timedelta) -> None:
    """Wait."""
    time.sleep(period.total_seconds())


def delay_for_next_of_kin_notification(system: Any) -> None:
    """Wait until parents have heard of ends of their children: at once on ``simpleSystemBase``, within a second elsewhere."""
    if system.base_name != "simpleSystemBase":
        time.sleep(1.0)


class LocallyManagedActorSystem(unittest.TestCase):
    """A test case that starts the system it wants."""

    system: Any = None

    def setSystemBase(
        self, newBase: str = "simpleSystemBase", systemCapabilities: dict[str, Any] | None = None
    ) -> None:
        """Start a system, and make it the one that ``ActorSystem()`` gives."""
        ActorSystem.systemBase = None
        self.system = ActorSystem(
            newBase, {"Admin Port": get_free_admin_port(), **(systemCapabilities or {})}, simpleActorTestLogging()
        )

    def tearDown(self) -> None:
        """End it."""
        if self.system is not None:
            self.system.shutdown()
            self.system = None


class ActorSystemTestCase(LocallyManagedActorSystem):
    """A test case whose tests find a system with ``ActorSystem()``; ``testbase`` names its base."""

    testbase = "simpleSystemBase"

    def setUp(self) -> None:
        """Start it."""
        self.setSystemBase(self.testbase)
