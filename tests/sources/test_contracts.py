"""A bundle of messages that other bundles use: both versions of the code that uses it mean the same classes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import ActorSystem
from garrick.errors import BuildFailed, SourceInUse, SourceMissing
from garrick.sources.build import build
from garrick.sources.container import Limits, read
from garrick.sources.keyring import Keyring
from garrick.sources.manifest import parse
from garrick.sources.store import Store

from .making import signed_by, tree

NUMBERS = itertools.count()
CONTRACTS = """
import dataclasses


@dataclasses.dataclass(frozen=True)
class Order:
    number: int
"""
SHOP = """
import importlib

import contracts
from contracts import orders
from contracts.orders import Order
from garrick import Actor, Migratable, on

assert contracts.orders is orders is importlib.import_module("contracts.orders")


class Seller(Migratable, Actor):
    def __init__(self):
        self.numbers = []

    @on
    def order(self, order: Order) -> object:
        self.numbers.append(order.number)
        return (VERSION, Order(order.number + 1))

    @on
    def pass_on(self, target: tuple) -> object:
        self.send(target[0], Order(target[1]))

    def export_state(self):
        return self.numbers

    def import_state(self, version, state):
        self.numbers = state
"""


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("GARRICK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "store"))
    keyring = Keyring()
    keyring.add(keyring.new("ann"), ["*"])
    return keyring


@pytest.fixture(params=["sim", "multiprocess"])
def system(request: pytest.FixtureRequest, ring: Keyring) -> Iterator[ActorSystem]:
    with ActorSystem(request.param) as system:
        yield system


def signed(ring: Keyring, data: bytes) -> bytes:
    return signed_by(data, "ann", ring.private("ann"))


def bundles(ring: Keyring, folder: Path) -> tuple[str, bytes, list[bytes]]:
    """The name of the second, the contracts, and two versions of what uses them."""
    tag = f"x{next(NUMBERS)}"
    files = {"contracts/__init__.py": "", "contracts/orders.py": CONTRACTS}
    contracts = build([tree(folder / "contracts", files)], f"contracts-{tag}", "1.0")
    shops = []
    for version in ("1.0", "2.0"):
        text = f"VERSION = {version!r}\n{SHOP}"
        root = tree(folder / version, {"shop.py": text})
        shops.append(build([root], f"shop-{tag}", version, uses=[contracts]))
    return f"shop-{tag}", signed(ring, contracts), [signed(ring, data) for data in shops]


def test_messages_of_a_contract_cross_versions(system: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    name, contracts, (first, second) = bundles(ring, tmp_path)
    with pytest.raises(SourceMissing, match="uses 'contracts'"):
        system.load_source(first, development=True)
    assert Store().hashes() == []
    contract = system.load_source(contracts, development=True)
    order: Any = contract.of("contracts.orders.Order")
    system.activate_source(system.load_source(first, development=True))
    old = system.spawn("shop.Seller", source=name)
    assert system.ask(old, order(5), timeout=20) == ("1.0", order(6))
    system.activate_source(system.load_source(second, development=True))
    new = system.spawn("shop.Seller", source=name)
    assert system.ask(new, order(7), timeout=20) == ("2.0", order(8))
    system.ask(old, (new, 9), timeout=20)
    with pytest.raises(SourceInUse, match="sources"):
        system.unload_source(contract)
    assert system.drain_source(f"{name}@1.0", wait=True, timeout=20)["state"] == "drained"
    assert system.unload_source(f"{name}@1.0", timeout=20)["state"] == "unloaded"
    assert system.ask(old, order(1), timeout=20) == ("2.0", order(2))
    for seller in (old, new):
        system.stop_actor(seller)
    del order
    assert system.unload_source(f"{name}@2.0", force=True, timeout=20)["state"] == "unloaded"
    assert system.unload_source(contract, timeout=20)["state"] == "unloaded"


def test_what_it_uses_is_part_of_its_identity(tmp_path: Path) -> None:
    root = tree(tmp_path / "shop", {"shop.py": "import contracts\n"})
    contracts = [
        build([tree(tmp_path / n, {"contracts.py": f"N = {n!r}\n"})], "contracts", "1.0") for n in ("one", "two")
    ]
    plain, one, two = (
        parse(read(build([root], "shop", "1.0", uses=each), Limits()).text)
        for each in ((), contracts[:1], contracts[1:])
    )
    assert len({plain.hash, one.hash, two.hash}) == 3
    assert "uses" not in plain.text()
    assert [top for top, _ in one.uses] == ["contracts"]
    with pytest.raises(BuildFailed, match="two of the bundles"):
        build([root], "shop", "1.0", uses=contracts)
    own = tree(tmp_path / "own", {"contracts.py": "", "shop.py": ""})
    with pytest.raises(BuildFailed, match="is in it, and in another bundle"):
        build([own], "shop", "1.0", uses=contracts[:1])
