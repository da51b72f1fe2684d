"""Two hosts with a network of their own: a name for the directory, a cable that is cut, and addresses that change."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem
from tests.node.convention_actors import Parent
from tests.node.namespaces import TwoHosts, why_not
from tests.node.systems import Systems, spawn_on

pytestmark = [pytest.mark.processes, pytest.mark.slow]


def test_a_cut_cable_and_addresses_that_change(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    with TwoHosts() as hosts:
        systems = Systems(tmp_path, ["tls://engine.test:4222"])
        try:
            systems.start("app", "--listen", "0.0.0.0:4222", roles=["directory"], within=hosts.on(hosts.near, []))
            systems.start("h1", within=hosts.on(hosts.far, []))
            with ActorSystem.attach(systems.name("app")) as app:
                _lose_and_find(hosts, systems, app)
        finally:
            systems.stop()


def _lose_and_find(hosts: TwoHosts, systems: Systems, app: ActorSystem) -> None:
    h1 = systems.name("h1")
    there = spawn_on(app, h1)
    first, _, _ = app.ask(there, "where?", timeout=10)
    parent = app.spawn(Parent)
    app.ask(parent, {"host": h1}, timeout=10)

    hosts.unplug()
    took, late = _seconds_until(lambda: len(app.ask(parent, "what?", timeout=10)) == 2)
    assert took < 5 + late
    assert sorted(app.ask(parent, "what?", timeout=10)) == [("child", "system lost"), ("watched", "system lost")]

    # The far host is back with another address, and the near one has moved too: only its name is the same.
    hosts.move(hosts.far, "10.231.0.2", "10.231.0.12")
    hosts.move(hosts.near, "10.231.0.1", "10.231.0.11")
    hosts.names("10.231.0.11")
    hosts.plug()
    again = spawn_on(app, h1, 30)
    assert app.ask(again, "where?", timeout=10)[0] == first
    assert (
        app.ask(there, "where?", timeout=10)[0] == first
    )  # its incarnation is the same, so all its addresses are valid


def _seconds_until(condition: Any) -> tuple[float, float]:
    """How long it took, and how much of that this process did not run, which says how loaded the machine is."""
    began = now = time.monotonic()
    late = 0.0
    while not condition():
        assert now < began + 30
        time.sleep(0.02)
        before, now = now, time.monotonic()
        late += max(0.0, now - before - 0.05)
    return time.monotonic() - began, late
