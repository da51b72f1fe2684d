"""`system.unload_source`: refused while anything of a version is in use, and afterwards nothing of it is left in any process."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address
from garrick.cli import FAILED, OK, main
from garrick.errors import SourceInUse, SourceLeaked, SourceMissing, SourceRetired
from garrick.sources.keyring import Keyring

from .making import made, signed_by

NUMBERS = itertools.count()
SHOP = """
import dataclasses
from garrick import Actor, on


@dataclasses.dataclass
class Order:
    number: int


class Seller(Actor):
    @on
    def order(self, order: Order) -> str:
        return f"sold {order.number} by {VERSION}"

    @on
    def who(self, word: str) -> object:
        if word == "child":
            return self.spawn(Clerk)
        if word == "order":
            return Order(5)
        if word == "later":
            self.after(1000.0, Order(1))
        if word == "fail":
            raise Wrong("on purpose")
        return VERSION


class Clerk(Seller):
    pass


class Wrong(Exception):
    pass
"""


class Holder(Actor):
    """Holds what it is told to."""

    held: Any = None

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "loaded":
            self.reply(sorted(name for name in sys.modules if name.startswith("garrick.loaded.h")))
        elif message == "drop":
            self.held = None
        elif isinstance(message, tuple):
            self.held = message[1]


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("GARRICK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "store"))
    keyring = Keyring()
    keyring.add(keyring.new("ann"), ["*"])
    return keyring


def bundle(ring: Keyring, folder: Path, version: str, name: str, text: str = SHOP) -> bytes:
    files = {"shop/__init__.py": "", "shop/sellers.py": f"VERSION = {version!r}\n{text}"}
    return signed_by(made(folder / name / version, files, name=name, version=version), "ann", ring.private("ann"))


@pytest.fixture(params=["sim", "local", "multiprocess"])
def system(request: pytest.FixtureRequest, ring: Keyring) -> Iterator[ActorSystem]:
    with ActorSystem(request.param) as system:
        yield system


def uses(system: ActorSystem, name: str) -> dict[str, int]:
    return next(row["uses"] for row in system.sources() if row["name"] == name)


def test_nothing_is_left_of_a_version(system: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    name = f"shop{next(NUMBERS)}"
    old, new = (system.load_source(bundle(ring, tmp_path, each, name), development=True) for each in ("1.0", "2.0"))
    part = old.loaded.prefix
    holder = system.spawn(Holder)
    sellers = [system.spawn("shop.sellers.Seller", source=each) for each in (old, new)]
    letters = system.dead_letters()
    assert [system.ask(each, "who", timeout=20) for each in sellers] == ["1.0", "2.0"]
    assert system.ask(sellers[0], "later", timeout=20) == "1.0"
    with pytest.raises(Exception, match="on purpose"):
        system.ask(sellers[0], "fail", timeout=20)
    system.send(holder, ("address", sellers[0]))
    child = system.ask(sellers[0], "child", timeout=20)
    assert system.ask(child, "who", timeout=20) == "1.0"
    with pytest.raises(SourceInUse, match=r"2 actors.*Seller"):
        system.unload_source(old)
    assert system.ask(sellers[0], "who", timeout=20) == "1.0"
    system.stop_actor(sellers[0])
    system.send(sellers[0], "too late")
    assert letters.receive(timeout=20).message == "too late"
    found = system.unload_source(old, timeout=20)
    assert (found["state"], found["complaints"]) == ("unloaded", [])
    for process in (sorted(sys.modules), system.ask(holder, "loaded", timeout=20)):
        assert [module for module in process if module.startswith(part)] == []
    assert system.ask(sellers[1], "who", timeout=20) == "2.0"
    assert [row["state"] for row in system.sources()] == ["unloaded", "inactive"]
    with pytest.raises(SourceRetired, match="is unloaded"):
        system.spawn("shop.sellers.Seller", source=old)
    with pytest.raises(SourceMissing, match="already"):
        system.unload_source(f"{name}@1.0")


def test_what_keeps_it_is_told(system: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    name = f"shop{next(NUMBERS)}"
    source = system.load_source(bundle(ring, tmp_path, "1.0", name), development=True)
    holder = system.spawn(Holder)
    seller = system.spawn("shop.sellers.Seller", source=source)
    system.send(holder, ("keep", system.ask(seller, "order", timeout=20)))
    system.stop_actor(seller)
    system.ask(holder, "loaded", timeout=20)
    with pytest.raises(
        SourceLeaked, match=r"(?s)still live: shop.sellers.Order.*Holder -> shop.sellers.Order"
    ) as error:
        system.unload_source(source, timeout=20)
    assert "in process" in str(error.value)
    system.send(holder, "drop")
    system.ask(holder, "loaded", timeout=20)
    again = system.load_source(bundle(ring, tmp_path, "1.0", name), development=True)
    assert system.ask(system.spawn("shop.sellers.Seller", source=again), "who", timeout=20) == "1.0"


def test_a_message_that_waits_counts(ring: Keyring, tmp_path: Path) -> None:
    with ActorSystem("sim") as system:
        source = system.load_source(bundle(ring, tmp_path, "1.0", f"shop{next(NUMBERS)}"), development=True)
        holder = system.spawn(Lingers)
        system.send(holder, 3.0)
        system.send(holder, source.of("shop.sellers.Order")(1))  # type: ignore[call-arg]
        with pytest.raises(SourceInUse, match="1 messages"):
            system.unload_source(source)
        system.ask(holder, 0.0)
        assert system.unload_source(source)["state"] == "unloaded"


class Lingers(Actor):
    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, float):
            time.sleep(message)
            self.reply(message) if sender is not None else None


@pytest.mark.parametrize("base", ["sim", "multiprocess"])
def test_by_force(base: str, ring: Keyring, tmp_path: Path) -> None:
    with ActorSystem(base) as system:
        source = system.load_source(bundle(ring, tmp_path, "1.0", f"shop{next(NUMBERS)}"), development=True)
        sellers = [system.spawn("shop.sellers.Seller", source=source) for _ in range(4)]
        assert system.ask_all(sellers, "who", timeout=20) == ["1.0"] * 4
        assert uses(system, source.name) == {"actors": 4}
        assert system.unload_source(source, force=True, timeout=20)["state"] == "unloaded"
        again = system.load_source(bundle(ring, tmp_path, "1.0", source.name), development=True)
        assert system.ask(system.spawn("shop.sellers.Seller", source=again), "who", timeout=20) == "1.0"


def test_from_the_command_line(ring: Keyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system_name = f"versions-{os.getpid()}"
    with ActorSystem("local", name=system_name, management=True) as system:
        name = f"shop{next(NUMBERS)}"
        source = system.load_source(bundle(ring, tmp_path, "1.0", name), development=True)
        seller = system.spawn("shop.sellers.Seller", name="ann", source=f"{name}@1.0")
        assert main(["source", "ls", "--system", system_name]) == OK
        listed = capsys.readouterr().out
        assert all(word in listed for word in (name, "1.0", source.hash[:8], "inactive", "1 actors", "Seller"))
        assert main(["source", "unload", f"{name}@1.0", "--system", system_name]) == FAILED
        assert "1 actors" in capsys.readouterr().err
        assert main(["source", "why", source.hash[:8], "--system", system_name]) == OK
        why = capsys.readouterr().out
        assert "ann" in why
        assert "it is in use" in why
        system.stop_actor(seller)
        assert main(["source", "unload", f"{name}@1.0", "--system", system_name]) == OK
        assert "is out of 1 processes" in capsys.readouterr().out
