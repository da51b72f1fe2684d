"""Upgrades of three systems under load, in random orders and with faults: nothing is lost or handled twice, and the old version goes away.

One world for each seed. Accounts of a source of a hundred modules live on all systems; clients ask them again and again, across a network
that delays, drops and duplicates. In the middle the second version comes; with odd seeds it is taken back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, ChildMoved, Restart, on
from garrick.sim.world import World
from garrick.sources.keyring import Keyring

from .making import made, signed_by

FAR = {"far": True}
PLACES: list[dict[str, Any]] = [{}, FAR, {"third": True}]
MODULES = 100
ACCOUNTS = """
from garrick import Actor, Migratable
from parts.m00 import total

assert total() == MODULES


class Account(Migratable, Actor):
    def __init__(self):
        self.done = []

    def receive(self, message, sender):
        if message == "all":
            self.reply(self.done)
        else:
            self.done.append(message)
            self.reply(VERSION)

    def can_migrate(self):
        return len(self.done) % 3 != 0

    def export_state(self):
        return self.done

    def import_state(self, version, state):
        self.done = list(state)


class Counter(Actor):
    on_drain = "restart"

    def receive(self, message, sender):
        self.reply(VERSION)
"""


class Listener(Actor):
    """Nobody."""


class Client(Actor):
    """Asks an account for one thing after the other."""

    def __init__(self, account: Address[Any], counter: Address[Any], times: int, listener: Address[Any]) -> None:
        self.account, self.counter, self.times, self.listener = account, counter, times, listener
        self.after(0.01, "go")

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        for number in range(self.times):
            await self.ask(self.account, number, timeout=300)
            await self.ask(self.counter, "who", timeout=300)
        self.send(self.listener, self.account)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Both versions, by their numbers, signed by a key of this user."""
    folder = tmp_path_factory.mktemp("upgrades")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GARRICK_HOME", str(folder / "home"))
        patch.setenv("GARRICK_SOURCES", str(folder / "store"))
        ring = Keyring()
        ring.add(ring.new("ann"), ["*"])
        yield {version: _bundle(ring, folder, version) for version in ("1.0", "2.0")}


def _bundle(ring: Keyring, folder: Path, version: str) -> bytes:
    files = {"accounts.py": f"VERSION, MODULES = {version!r}, {MODULES}\n{ACCOUNTS}", "parts/__init__.py": ""}
    for number in range(MODULES):
        last = number == MODULES - 1
        following = "0" if last else f"m{number + 1:02}.total()"
        imported = "" if last else f"from parts import m{number + 1:02}\n"
        files[f"parts/m{number:02}.py"] = f"{imported}def total():\n    return 1 + {following}  # {version}\n"
    data = made(folder / version, files, name="worlds", version=version)
    return signed_by(data, "ann", ring.private("ann"), rollback=True)


def deploy(systems: list[ActorSystem], bundle: bytes) -> None:
    for system in systems:
        system.activate_source(system.load_source(bundle, development=True))


def finish(systems: list[ActorSystem], version: str) -> None:
    """The version is drained everywhere, and leaves nothing."""
    for system in systems:
        assert system.drain_source(f"worlds@{version}", wait=True, timeout=600)["state"] == "drained"
    for system in systems:
        assert system.unload_source(f"worlds@{version}", timeout=60)["state"] == "unloaded"


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 100))])
def test_an_upgrade_in_the_middle_of_the_traffic(bundles: dict[str, bytes], seed: int) -> None:
    with World(seed, "random", own_thread=True) as world:
        world.net.defaults(latency=("200us", "5ms"), drop=0.01, duplicate=0.005)
        systems = [world.system("one"), world.system("two", FAR), world.system("three", {"third": True})]
        one, two, _ = systems
        for place in PLACES:  # they have found each other
            one.stop_actor(one.spawn(Listener, requires=place, pending=True))
        deploy(systems, bundles["1.0"])
        inbox, times = one.inbox(), 40
        accounts = [one.spawn("accounts.Account", source="worlds", requires=PLACES[n % 3]) for n in range(6)]
        counters = [one.spawn("accounts.Counter", source="worlds", requires=PLACES[n]) for n in range(3)]
        for number, account in enumerate(accounts):
            one.spawn(Client, account, counters[number % 3], times, inbox.address)
        world.time_passes("30ms")
        if seed % 3 == 0:
            world.pause(two, "500ms")
        deploy(systems, bundles["2.0"])
        if seed % 2:
            for system in systems:
                system.drain_source("worlds@1.0")
            world.time_passes("100ms")
            for system in systems:
                assert system.rollback_source("worlds")["version"] == "1.0"
        loser, winner = ("2.0", "1.0") if seed % 2 else ("1.0", "2.0")
        for system in systems:
            system.drain_source(f"worlds@{loser}")
        done = {inbox.receive(timeout=600) for _ in accounts}
        assert done == set(accounts)
        finish(systems, loser)
        for account in accounts:
            assert one.ask(account, "all", timeout=60) == list(range(times))
            assert one.ask(account, "last", timeout=60) == winner
        assert [system.status()["dead_letters"]["total"] for system in systems] == [0, 0, 0]
        for address in (*accounts, *counters):
            one.stop_actor(address)
        for system in systems:
            assert system.unload_source(f"worlds@{winner}", force=True, timeout=60)["state"] == "unloaded"


class Parent(Actor):
    """Has a child on another system, which is made again elsewhere when that is lost."""

    def __init__(self) -> None:
        self.child = self.spawn(
            "accounts.Account", source="worlds", requires=FAR, supervision=Restart(relocate=True), pending=True
        )

    @on
    def moved(self, notice: ChildMoved) -> None:
        self.child = notice.address

    @on
    def which(self, word: str) -> Address[Any]:
        return self.child


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 50))])
def test_a_system_is_lost_while_a_version_drains(bundles: dict[str, bytes], seed: int) -> None:
    """What is made again for it is of the next version, and the first one drains all the same."""
    with World(seed, "random", own_thread=True) as world:
        world.net.defaults(latency=("200us", "5ms"), drop=0.01, duplicate=0.005)
        one, two, three = (world.system("one"), world.system("two", FAR), world.system("three"))
        one.stop_actor(one.spawn(Listener, requires=FAR, pending=True))
        deploy([one, two, three], bundles["1.0"])
        parent = one.spawn(Parent)
        child = one.ask(parent, "which", timeout=60)
        if seed % 2:  # otherwise its account could go over before
            one.ask(child, 0, timeout=60)
        assert one.ask(child, "all", timeout=60) == ([0] if seed % 2 else [])
        deploy([one, two, three], bundles["2.0"])
        for system in (one, two, three):
            system.drain_source("worlds@1.0")
        world.time_passes("600ms" if seed % 2 else "1ms")
        world.crash(two)
        three.set_capability("far", True)
        again, deadline = child, 600
        while again == child or again.system != three._runtime.system:
            world.time_passes("100ms")
            deadline -= 1
            assert deadline
            again = one.ask(parent, "which", timeout=60)
        assert one.ask(again, "version", timeout=60) == "2.0"
        one.stop_actor(parent)
        finish([one, three], "1.0")
        for system in (one, three):
            assert system.unload_source("worlds@2.0", force=True, timeout=60)["state"] == "unloaded"
