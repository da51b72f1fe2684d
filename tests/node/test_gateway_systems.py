"""Whole systems in one convention over the real engine: spawn elsewhere by capability, ask, watch, and the loss of a host."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem, ProbeNow
from garrick.cli import main as command
from garrick.engine.identity import issue
from garrick.engine.nats.server import EmbeddedServer, free_port
from garrick.errors import ActorGone, NameTaken, NoCapableSystem
from tests.node.convention_actors import Parent, Where
from tests.node.placement_actors import Database, Proxy, asks
from tests.node.systems import Systems, spawn_on, until
from tests.sim.moving_actors import Bystander, Keeper

pytestmark = [pytest.mark.processes, pytest.mark.slow]


@pytest.fixture
def systems(tmp_path: Path) -> Iterator[Systems]:
    address = f"127.0.0.1:{free_port()}"
    made = Systems(tmp_path, [f"tls://{address}"])
    try:
        made.start("app", "--listen", address, roles=["directory"])
        made.start("h1")
        made.start("h2")
        yield made
    finally:
        made.stop()


def test_actors_on_other_systems(systems: Systems) -> None:
    with ActorSystem.attach(systems.name("app")) as app:
        there = spawn_on(app, systems.name("h1"))
        system, _, _ = app.ask(there, "where?", timeout=5)
        assert system.startswith(systems.name("h1") + "@")
        for n in range(500):
            app.send(there, n)
        assert app.ask(there, "all", timeout=10) == list(range(500))
        with pytest.raises(NoCapableSystem, match="which lacks host="):
            app.spawn(Where, requires={"host": "nowhere"})


def test_a_directory_system_that_only_joins(tmp_path: Path) -> None:
    """The servers are somebody else's: told where they are, it starts none of its own."""

    async def run() -> None:
        systems = Systems(tmp_path, ["tls://engine.test:4222"])  # a name that nobody can resolve
        served = issue(systems.keys, "servers", ["directory"])
        server = EmbeddedServer(served, tmp_path / "server", listen="127.0.0.1:0")
        await server.start()
        try:
            await asyncio.to_thread(systems.start, "app", "--join", server.url, roles=["directory"])
            await asyncio.to_thread(systems.start, "h1", "--join", server.url)
        finally:
            await asyncio.to_thread(systems.stop)
            await server.stop()

    asyncio.run(run())


def test_the_loss_of_a_host(systems: Systems, capsys: pytest.CaptureFixture[str]) -> None:
    with ActorSystem.attach(systems.name("app")) as app:
        h1, h2 = spawn_on(app, systems.name("h1")), spawn_on(app, systems.name("h2"))
        _, worker, _ = app.ask(h2, "where?", timeout=5)
        parent = app.spawn(Parent)
        child = app.ask(parent, {"host": systems.name("h2")}, timeout=5)
        assert app.ask(child, "where?", timeout=5)[0].startswith(systems.name("h2"))
        began = time.monotonic()
        systems.kill("h2")
        with pytest.raises(ActorGone) as gone:
            app.ask(child, "are you there?", timeout=20)
        took = time.monotonic() - began
        print(f"an ask failed after {took:.2f} s: {gone.value}")
        assert took < 5
        until(lambda: len(app.ask(parent, "what?", timeout=5)) == 2)
        assert sorted(app.ask(parent, "what?", timeout=5)) == [("child", "system lost"), ("watched", "system lost")]
        with pytest.raises(ActorGone) as later:
            app.ask(child, "and now?", timeout=20)
        assert later.value.reason == "system lost"
        assert app.ask(h1, "where?", timeout=5)[0].startswith(systems.name("h1"))
        until(lambda: not alive(worker))  # nothing of a system outlives its admin
        assert command(["status", systems.name("app"), "-o", "json"]) == 0
        assert '"reason": "system lost"' in capsys.readouterr().out
        systems.start("h2")
        again = spawn_on(app, systems.name("h2"))
        assert app.ask(again, "where?", timeout=5)[0] != app.ask(h1, "where?", timeout=5)[0]


def test_a_worker_of_another_host_dies(systems: Systems) -> None:
    with ActorSystem.attach(systems.name("app")) as app:
        parent = app.spawn(Parent)
        spawn_on(app, systems.name("h1"))
        child = app.ask(parent, {"host": systems.name("h1")}, timeout=5)
        _, worker, _ = app.ask(child, "where?", timeout=5)
        began = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        until(lambda: len(app.ask(parent, "what?", timeout=5)) == 2)
        assert time.monotonic() - began < 1.5
        assert sorted(app.ask(parent, "what?", timeout=5)) == [("child", "worker lost"), ("watched", "worker lost")]
        with pytest.raises(ActorGone) as gone:
            app.ask(child, "are you there?", timeout=20)
        assert gone.value.reason == "worker lost"
        again = app.ask(parent, {"host": systems.name("h1")}, timeout=5)
        assert app.ask(again, "where?", timeout=5)[1] != worker


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_name_of_the_convention_moves_when_its_host_is_killed(systems: Systems) -> None:
    with ActorSystem.attach(systems.name("h1")) as h1, ActorSystem.attach(systems.name("h2")) as h2:
        first = h1.spawn(Where, global_name="one", timeout=15)
        assert h2.lookup("one", everywhere=True) == first
        with pytest.raises(NameTaken):
            h2.spawn(Where, global_name="one", timeout=15)
        systems.kill("h1")
        end = time.monotonic() + 20
        while True:
            try:
                second = h2.spawn(Where, global_name="one", timeout=15)
                break
            except NameTaken:
                assert time.monotonic() < end
                time.sleep(0.05)
        with ActorSystem.attach(systems.name("app")) as app:
            assert app.lookup("one", everywhere=True) == second
            systems.start("h1")
            h2.stop_actor(second)
            until(lambda: app.lookup("one", everywhere=True) is None)


def test_a_host_that_loses_its_database(systems: Systems, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database()
    ways = {name: Proxy(database.port) for name in ("h1", "h2")}
    hosts = {name: ActorSystem.attach(systems.name(name)) for name in ways}
    app = ActorSystem.attach(systems.name("app"))
    try:
        probers = {
            name: host.probe("db", functools.partial(asks, ways[name].port), every=0.1) for name, host in hosts.items()
        }
        bystanders = {name: host.spawn(Bystander) for name, host in hosts.items()}
        keeper = app.spawn(Keeper)
        app.ask(keeper, True, timeout=5)  # its first place is wherever there is one soon
        until(lambda: len(known(app, "db")) == 2, 30)
        app.ask(keeper, 3, timeout=5)
        victim = "h1" if systems.name("h1") in places(app, keeper)[1:] else "h2"
        other = "h2" if victim == "h1" else "h1"

        ways[victim].cut = True
        assert hosts[victim].ask(probers[victim], ProbeNow(), timeout=10) is None
        until(lambda: set(places(app, keeper)[1:]) == {systems.name(other)}, 30)
        assert [told for told in app.ask(keeper, "told", timeout=5) if told[:2] == ("moved", "capability lost")]
        for name, host in hosts.items():
            assert host.ask(bystanders[name], "notices", timeout=5) == 0

        ways[victim].cut = False
        until(lambda: len(known(app, "db")) == 2, 30)
        assert command(["node", "drain", systems.name(other)]) == 0
        until(lambda: set(places(app, keeper)[1:]) == {systems.name(victim)}, 30)
        assert command(["node", "ls", "--system", systems.name("app")]) == 0
        assert "takes no actors" in capsys.readouterr().out
        assert command(["node", "show", systems.name(victim), "--system", systems.name("app")]) == 0
        assert "db = True" in capsys.readouterr().out
        assert command(["node", "ping", systems.name(other), "--system", systems.name("app")]) == 0
        assert command(["node", "ping", "nowhere", "--system", systems.name("app")]) == 3
        assert command(["node", "drain", systems.name(other), "--undo"]) == 0
    finally:
        for system in (app, *hosts.values()):
            system.stop()
        for server in (*ways.values(), database):
            server.close()


def known(system: ActorSystem, key: str) -> list[str]:
    """The other systems that have a capability, as one knows them."""
    return [other["system"] for other in system.status()["systems"] if other["capabilities"].get(key)]


def places(system: ActorSystem, keeper: Any) -> list[str]:
    """Where the stores are, as soon as they all answer."""
    try:
        return [system.ask(store, "where", timeout=5) for store in system.ask(keeper, "stores", timeout=5)]
    except ActorGone:
        return []
