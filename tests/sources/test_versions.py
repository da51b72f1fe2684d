"""Versions of one source in a running system: current, ramping, draining, drained, and back; actors that go over to the next version."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, AskTimeout, InvalidArgument, on
from garrick.cli import FAILED, NOT_FOUND, OK, main
from garrick.errors import SourceInUse, SourceMissing, SourceRetired
from garrick.sources.admission import Source
from garrick.sources.authority import AUTHORITY, SourceOffered
from garrick.sources.keyring import Keyring
from garrick.sources.roster import share
from garrick.sources.store import Store

from .making import made, signed_by

NUMBERS = itertools.count()
SHOP = """
from garrick import Actor, Migratable, SourceDraining, on


class Plain(Actor):
    def receive(self, message, sender):
        if message == "stop":
            self.stop()
        self.reply(VERSION)


class Told(Actor):
    def __init__(self, listener):
        self.listener = listener

    @on
    def draining(self, notice: SourceDraining):
        self.send(self.listener, (VERSION, notice.seconds is not None))
        self.stop()

    @on
    def who(self, question: str) -> str:
        return VERSION


class Fresh(Actor):
    on_drain = "restart"

    def __init__(self, word):
        self.word, self.count = word, 0

    def receive(self, message, sender):
        self.count += 1
        self.reply((VERSION, self.word, self.count))


class Account(Migratable, Actor):
    def __init__(self, balance):
        self.balance, self.busy, self.child = balance, False, self.spawn(Plain)
        self.after(100.0, "tick")

    @on
    def add(self, amount: int) -> tuple[str, int]:
        self.balance += amount
        return VERSION, self.balance

    @on
    def other(self, word: str) -> object:
        if word in ("busy", "free"):
            self.busy = word == "busy"
        elif word == "tick":
            self.balance += 1000
        return self.child if word == "child" else VERSION

    def can_migrate(self):
        return not self.busy

    def export_state(self):
        return {"balance": self.balance, "child": self.child}

    def import_state(self, version, state):
        if BROKEN:
            raise ValueError("on purpose")
        self.balance, self.child, self.busy = state["balance"], state["child"], False
"""


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("GARRICK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "store"))
    keyring = Keyring()
    keyring.add(keyring.new("ann"), ["*"])
    return keyring


class Shop:
    """Versions of one source, loaded when they are asked for."""

    def __init__(self, system: ActorSystem, ring: Keyring, folder: Path) -> None:
        self.system, self.name = system, f"versions{next(NUMBERS)}"
        self._ring, self._folder = ring, folder

    def bundle(self, version: str, *, broken: bool = False) -> bytes:
        text = f"VERSION, BROKEN = {version!r}, {broken}\n{SHOP}"
        data = made(
            self._folder / version, {"shop/__init__.py": "", "shop/a.py": text}, name=self.name, version=version
        )
        return signed_by(data, "ann", self._ring.private("ann"))

    def load(self, version: str, *, broken: bool = False) -> Source:
        return self.system.load_source(self.bundle(version, broken=broken), development=True)

    def spawn(self, cls: str, *args: Any, **options: Any) -> Address[Any]:
        return self.system.spawn(f"shop.a.{cls}", *args, source=self.name, **options)

    def states(self) -> dict[str, str]:
        return {row["version"]: row["state"] for row in self.system.sources()}


@pytest.fixture
def shop(ring: Keyring, tmp_path: Path) -> Iterator[Shop]:
    with ActorSystem("sim") as system:
        yield Shop(system, ring, tmp_path)


def ask(shop: Shop, target: Address[Any], message: Any = "who") -> Any:
    return shop.system.ask(target, message, timeout=20)


def test_a_name_means_its_current_version(shop: Shop) -> None:
    old = shop.load("1.0")
    with pytest.raises(SourceMissing, match="no version of"):
        shop.spawn("Plain")
    with pytest.raises(SourceMissing, match="no source 'nothing'"):
        shop.system.spawn("shop.a.Plain", source="nothing")
    assert shop.system.activate_source(old)["state"] == "current"
    first = shop.spawn("Plain")
    new = shop.load("2.0")
    shop.system.activate_source(f"{shop.name}@2.0")
    assert [ask(shop, each) for each in (first, shop.spawn("Plain"))] == ["1.0", "2.0"]
    assert shop.states() == {"1.0": "inactive", "2.0": "current"}
    assert shop.system.rollback_source(shop.name)["version"] == "1.0"
    assert ask(shop, shop.spawn("Plain")) == "1.0"
    assert shop.system.rollback_source(shop.name)["version"] == "2.0"
    for source in (new.hash, f"{shop.name}@2.0", new):
        assert ask(shop, shop.system.spawn("shop.a.Plain", source=source)) == "2.0"


class Maker(Actor):
    @on
    def make(self, name: str) -> Address[Any]:
        return self.spawn("shop.a.Plain", source=name)


@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_actors_spawn_from_the_current_version_in_every_process(base: str, ring: Keyring, tmp_path: Path) -> None:
    with ActorSystem(base) as system:
        shop = Shop(system, ring, tmp_path)
        makers = [system.spawn(Maker) for _ in range(4)]
        for version in ("1.0", "2.0"):
            system.activate_source(shop.load(version))
            made = [system.ask(maker, shop.name, timeout=20) for maker in makers]
            assert [ask(shop, each) for each in made] == [version] * 4


def test_a_ramp_is_stable_by_its_key(shop: Shop) -> None:
    shop.system.activate_source(shop.load("1.0"))
    new = shop.load("2.0")
    with pytest.raises(InvalidArgument, match="no share"):
        shop.system.ramp_source(new, 101)
    keys = [f"customer {number}" for number in range(40)]
    before: set[str] = set()
    for percent in (30, 60):
        assert shop.system.ramp_source(new, percent)["percent"] == percent
        got = {key for key in keys if ask(shop, shop.spawn("Plain", source_key=key)) == "2.0"}
        assert got == {key for key in keys if share(shop.name, key) < percent}
        assert before < got < set(keys)
        before = got
    assert len({ask(shop, shop.spawn("Plain")) for _ in range(40)}) == 2
    shop.system.ramp_source(new, 0)
    assert shop.states() == {"1.0": "current", "2.0": "inactive"}
    with pytest.raises(InvalidArgument, match="is current"):
        shop.system.ramp_source(f"{shop.name}@1.0", 5)


def test_a_version_drains_when_its_actors_have_ended(shop: Shop) -> None:
    old = shop.load("1.0")
    shop.system.activate_source(old)
    plain, inbox = shop.spawn("Plain"), shop.system.inbox()
    told = shop.spawn("Told", inbox.address)
    with pytest.raises(SourceInUse, match="is current"):
        shop.system.drain_source(old)
    shop.system.activate_source(shop.load("2.0"))
    shop.system.drain_source(old, deadline=60)
    assert inbox.receive(timeout=20) == ("1.0", True)
    with pytest.raises(SourceRetired, match="draining"):
        shop.system.spawn("shop.a.Plain", source=old)
    assert ask(shop, shop.spawn("Plain")) == "2.0"
    with pytest.raises(AskTimeout):
        shop.system.drain_source(old, wait=True, timeout=5)
    assert (ask(shop, plain), shop.states()["1.0"]) == ("1.0", "draining")
    ask(shop, plain, "stop")
    assert shop.system.drain_source(old, wait=True, timeout=20)["state"] == "drained"
    assert told != plain
    assert shop.system.unload_source(old)["state"] == "unloaded"
    assert ask(shop, shop.spawn("Plain")) == "2.0"
    with pytest.raises(SourceMissing, match="no version"):
        shop.system.rollback_source(shop.name)


def test_the_deadline_tells_or_ends(shop: Shop) -> None:
    old = shop.load("1.0")
    shop.system.activate_source(old)
    plains = [shop.spawn("Plain") for _ in range(3)]
    shop.system.activate_source(shop.load("2.0"))
    found = shop.system.drain_source(old, deadline=10, wait=True)
    assert (found["state"], found["uses"]) == ("draining", {"actors": 3})
    assert [ask(shop, each) for each in plains] == ["1.0"] * 3
    assert shop.system.drain_source(old, deadline=10, force=True, wait=True)["state"] == "drained"
    assert shop.states() == {"1.0": "drained", "2.0": "current"}


def test_actors_go_over_with_their_address(shop: Shop) -> None:
    old = shop.load("1.0")
    shop.system.activate_source(old)
    fresh, account, busy = shop.spawn("Fresh", "word"), shop.spawn("Account", 5), shop.spawn("Account", 7)
    assert ask(shop, fresh) == ("1.0", "word", 1)
    assert [ask(shop, each, 1) for each in (account, busy)] == [("1.0", 6), ("1.0", 8)]
    child = ask(shop, account, "child")
    ask(shop, busy, "busy")
    shop.system.activate_source(shop.load("2.0"))
    with pytest.raises(AskTimeout):
        shop.system.drain_source(old, wait=True, timeout=5)
    assert ask(shop, fresh) == ("2.0", "word", 1)
    assert ask(shop, account, 1) == ("2.0", 7)
    assert ask(shop, busy, 1) == ("1.0", 9)
    assert (ask(shop, account, "child"), ask(shop, child)) == (child, "1.0")
    ask(shop, busy, "free")
    shop.system.drain_source(old, deadline=10, wait=True)
    assert ask(shop, busy, 1) == ("2.0", 10)
    for each in (child, ask(shop, busy, "child")):
        ask(shop, each, "stop")
    assert shop.system.drain_source(old, wait=True)["state"] == "drained"
    assert shop.system.unload_source(old)["state"] == "unloaded"
    shop.system.ask(shop.spawn("Plain"), "who")
    shop.system._node.world.time_passes(100)  # type: ignore[attr-defined]
    assert [ask(shop, each, 1) for each in (account, busy)] == [("2.0", 1008), ("2.0", 1011)]


def test_who_fails_to_go_over_stays_as_it_was_and_a_rollback_brings_the_others_back(shop: Shop) -> None:
    old = shop.load("1.0")
    shop.system.activate_source(old)
    account, fresh = shop.spawn("Account", 5), shop.spawn("Fresh", "word")
    new = shop.load("2.0", broken=True)
    shop.system.activate_source(new)
    found = shop.system.drain_source(old, deadline=5, wait=True)
    assert found["uses"] == {"actors": 2}
    assert (ask(shop, account, 1), ask(shop, fresh)) == (("1.0", 6), ("2.0", "word", 1))
    shop.system.rollback_source(shop.name)
    assert shop.states() == {"1.0": "current", "2.0": "inactive"}
    assert shop.system.drain_source(new, wait=True)["state"] == "drained"
    assert (ask(shop, account, 1), ask(shop, fresh)) == (("1.0", 7), ("1.0", "word", 1))
    assert shop.system.unload_source(new)["state"] == "unloaded"


LAST = 10


class Client(Actor):
    """Asks an account again and again, until the second version has answered some times."""

    def __init__(self, account: Address[Any], listener: Address[Any]) -> None:
        self.account, self.listener = account, listener
        self.got: Counter[str] = Counter()
        self.last = 0
        self.after(0.01, "go")

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "go":
            version, balance = await self.ask(self.account, 1, timeout=20)
            assert balance == self.last + 1
            self.last = balance
            self.got[version] += 1
            if self.got["2.0"] < LAST:
                self.after(0.01, "go")
            else:
                self.send(self.listener, "done")
        else:
            self.reply((self.last, dict(self.got)))


@pytest.mark.parametrize("base", ["sim", "multiprocess"])
def test_a_second_version_comes_in_the_middle_of_the_traffic(base: str, ring: Keyring, tmp_path: Path) -> None:
    """Nothing is lost, nothing is handled twice, the first version goes away wholly."""
    with ActorSystem(base) as system:
        shop = Shop(system, ring, tmp_path)
        old = shop.load("1.0")
        system.activate_source(old)
        alone = {"isolation": "process"} if base == "multiprocess" else {}
        accounts = [shop.spawn("Account", 0, **(alone if number == 0 else {})) for number in range(8)]
        children = [ask(shop, each, "child") for each in accounts]
        inbox = system.inbox()
        clients = [system.spawn(Client, each, inbox.address) for each in accounts]
        system.activate_source(shop.load("2.0"))
        system.drain_source(old)
        for child in children:
            ask(shop, child, "stop")
        assert system.drain_source(old, wait=True, timeout=20)["state"] == "drained"
        assert system.unload_source(old, timeout=20)["state"] == "unloaded"
        assert [inbox.receive(timeout=30) for _ in clients] == ["done"] * 8
        results = [ask(shop, each) for each in clients]
        assert all(sum(got.values()) == last and got["2.0"] == LAST for last, got in results)
        assert [ask(shop, each, 1) for each in accounts] == [("2.0", last + 1) for last, _ in results]
        assert system.status()["dead_letters"]["total"] == 0


def test_from_the_command_line(ring: Keyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"deploys-{os.getpid()}"
    with ActorSystem("local", name=name, management=True) as system:
        shop = Shop(system, ring, tmp_path)
        old, new = shop.load("1.0"), shop.load("2.0")

        def run(*words: str) -> tuple[int, str]:
            code = main(["source", *words, "--system", name])
            found = capsys.readouterr()
            return code, found.out + found.err

        assert run("activate", old.hash[:8]) == (OK, f"{shop.name}@1.0 ({old.hash[:8]}) is current\n")
        plain = shop.spawn("Plain", name="ann")
        assert run("ramp", f"{shop.name}@2.0", "25")[1].endswith("is ramping 25 %\n")
        assert run("drain", f"{shop.name}@1.0")[0] == FAILED
        assert run("activate", new.hash)[0] == OK
        assert run("drain", f"{shop.name}@1.0", "--deadline", "100")[1].endswith("is draining\n")
        deadline = time.monotonic() + 30
        while "on_drain is 'finish'" not in run("why", f"{shop.name}@1.0")[1]:
            assert time.monotonic() < deadline
        assert "deadline: in" in run("why", f"{shop.name}@1.0")[1]
        system.stop_actor(plain)
        assert run("drain", f"{shop.name}@1.0", "--wait")[1].endswith("is drained\n")
        assert run("rollback", shop.name)[1].endswith("1.0 (" + old.hash[:8] + ") is current\n")
        assert run("rollback", "nothing")[0] in (FAILED, NOT_FOUND)


class Authority(Actor):
    @on
    def offered(self, message: SourceOffered) -> Any:
        return message.version == "1.0" or "not this one"


@pytest.mark.parametrize("base", ["local", "multiprocess"])
def test_a_bundle_is_loaded_from_the_command_line(
    base: str, ring: Keyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"loads-{base}-{os.getpid()}"
    options: dict[str, Any] = {"management": True} if base == "local" else {"workers": 1}
    with ActorSystem(base, name=name, **options) as system:
        shop = Shop(system, ring, tmp_path)

        def run(version: str, *words: str) -> tuple[int, str]:
            file = tmp_path / f"{version}.srcb"
            file.write_bytes(shop.bundle(version))
            code = main(["source", "load", str(file), "--system", name, *words])
            found = capsys.readouterr()
            return code, found.out + found.err

        code, said = run("1.0")
        assert (code, "nobody here decides" in said) == (FAILED, True)
        assert Store().hashes() == []
        assert run("0.9", "--development")[0] == OK
        system.activate_source(f"{shop.name}@0.9")
        assert ask(shop, shop.spawn("Plain")) == "0.9"
        system.spawn(Authority, name=AUTHORITY)
        code, said = run("1.0")
        assert (code, f"{shop.name}@1.0 (" in said, said.endswith("is inactive\n")) == (OK, True, True)
        code, said = run("1.1", "--development")
        assert (code, "not this one" in said) == (FAILED, True)
        assert len(Store().hashes()) == 2
        assert shop.states() == {"0.9": "current", "1.0": "inactive"}
