"""A source that another host has: it is fetched once, checked here, and what waits for it goes on in order."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, NoCapableSystem, SpawnFailed, on
from garrick.engine.identity import create_convention, issue, save_credentials
from garrick.engine.nats.server import free_port
from garrick.errors import GarrickError, SourceMissing
from garrick.sources import fetching
from garrick.sources.authority import AUTHORITY, SourceOffered
from garrick.sources.build import build
from garrick.sources.keyring import Keyring
from garrick.sources.store import Store

from .making import made, signed_by, tree

NUMBERS = itertools.count()
PART = "h" + "0" * 16


class Host:
    """One that has a file, and says how often it was asked."""

    def __init__(self, data: bytes, *, fails_after: int | None = None, digest: str | None = None) -> None:
        self.data, self.asked, self.fails_after = data, 0, fails_after
        self.digest = digest or hashlib.sha256(data).hexdigest()

    def __call__(self, offset: int) -> Mapping[str, Any]:
        self.asked += 1
        if self.fails_after is not None and self.asked > self.fails_after:
            raise SourceMissing("it is gone")
        piece = self.data[offset : offset + fetching.CHUNK]
        return {"size": len(self.data), "digest": self.digest, "data": piece}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def later() -> float:
    return time.monotonic() + 20


DATA = os.urandom(4 * fetching.CHUNK + 17)


def test_what_has_come_is_not_fetched_again(store: Store) -> None:
    first, second = Host(DATA, fails_after=3), Host(DATA)
    assert fetching.fetch(PART, [first, second], store, later()) == DATA
    assert (first.asked, second.asked) == (4, 3)  # one look, and the two chunks that were missing
    fetching.forget(PART, store)
    assert list(store.directory.glob(".part*")) == []


def test_files_of_two_holders_are_not_mixed(store: Store) -> None:
    other = bytes(reversed(DATA))
    assert fetching.fetch(PART, [Host(other, fails_after=3), Host(DATA)], store, later()) == DATA


def test_who_lies_is_passed_over(store: Store) -> None:
    liar = Host(DATA, digest="0" * 64)
    assert fetching.fetch(PART, [lambda _: {}, liar, Host(DATA)], store, later()) == DATA
    with pytest.raises(SourceMissing, match="does not have it"):
        fetching.fetch(PART, [lambda _: {}], store, later())
    with pytest.raises(SourceMissing, match="damaged"):
        fetching.fetch(PART, [liar], store, later())
    with pytest.raises(SourceMissing, match="no bundle"):
        fetching.fetch(PART, [lambda _: {"size": 2**50, "digest": "0", "data": b""}], store, later())
    with pytest.raises(SourceMissing, match="in time"):
        fetching.fetch("h" + "1" * 16, [Host(DATA)], store, time.monotonic())


def test_one_process_of_a_host_at_a_time(store: Store) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        with fetching.alone(store, PART, later()):
            order.append("second")

    with fetching.alone(store, PART, later()):
        thread = threading.Thread(target=second)
        thread.start()
        with pytest.raises(SourceMissing, match="in time"), fetching.alone(store, PART, time.monotonic()):
            entered.set()
        order.append("first")
    thread.join(20)
    assert (order, entered.is_set()) == (["first", "second"], False)


# --- between systems -------------------------------------------------------------------------------------------------

SHOP = """
import dataclasses
from garrick import Actor, on


@dataclasses.dataclass
class Order:
    number: int


class Seller(Actor):
    def __init__(self):
        self.orders = []

    @on
    def order(self, order: Order) -> None:
        self.orders.append(order.number)

    @on
    def plain(self, number: int) -> None:
        self.orders.append(number)

    @on
    def which(self, word: str) -> list[int]:
        return self.orders
"""


TILL = """
from garrick import Actor, on
from shop.sellers import Order


class Till(Actor):
    @on
    def order(self, order: Order) -> int:
        return order.number + 1
"""


class Authority(Actor):
    @on
    def offered(self, message: SourceOffered) -> bool:
        return not message.name.startswith("bad")


class Clerk(Actor):
    """Takes what it gets, of whatever class."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "all":
            self.reply([getattr(each, "number", each) for each in self.got])
        else:
            self.got.append(message)


def bundle(ring: Keyring, folder: Path, name: str, key: str = "ann") -> bytes:
    data = made(folder / name, {"shop/__init__.py": "", "shop/sellers.py": SHOP}, name=name)
    return signed_by(data, key, ring.private(key))


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("GARRICK_HOME", str(tmp_path / "home"))
    keyring = Keyring()
    keyring.add(keyring.new("ann"), ["*"])
    return keyring


@pytest.fixture
def two(ring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ActorSystem, ActorSystem]]:
    """Two systems of a convention, each with a store of its own, as on two hosts."""
    tag = f"{os.getpid()}-{next(NUMBERS)}"
    address = f"127.0.0.1:{free_port()}"
    keys = create_convention(tmp_path / "keys", "sources", [f"tls://{address}"])

    def credentials(name: str, *roles: str) -> str:
        return str(save_credentials(issue(keys, name, list(roles)), tmp_path / f"{name}.json"))

    monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "there"))
    here_name, there_name = f"here-{tag}", f"there-{tag}"
    monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "here"))
    with ActorSystem(
        name=here_name, workers=1, credentials=credentials(here_name, "directory"), listen=address
    ) as here:
        monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "there"))
        there = ActorSystem(name=there_name, workers=2, credentials=credentials(there_name), capabilities={"far": True})
        monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "here"))
        with there:
            deadline = time.monotonic() + 30
            while True:
                try:
                    here.stop_actor(here.spawn(Clerk, requires={"far": True}))
                    break
                except NoCapableSystem:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield here, there


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_actors_and_messages_go_where_their_source_is_not(
    two: tuple[ActorSystem, ActorSystem], ring: Keyring, tmp_path: Path
) -> None:
    here, there = two
    tag = next(NUMBERS)  # what other tests have signed with other keys is another bundle
    far = {"far": True}
    source = here.load_source(bundle(ring, tmp_path, f"shop{tag}"), development=True)
    with pytest.raises((SpawnFailed, GarrickError), match="nobody here decides"):
        here.spawn("shop.sellers.Seller", source=source, requires=far)
    assert Store(tmp_path / "there").hashes() == []
    # It was refused a moment ago, and is not asked for again so soon: another one shows the rest.
    there.spawn(Authority, name=AUTHORITY)
    here.load_source(bundle(ring, tmp_path, f"bad{tag}"), development=True)
    good = here.load_source(bundle(ring, tmp_path, f"good{tag}"), development=True)
    order: Any = good.of("shop.sellers.Order")
    clerk = here.spawn(Clerk, requires=far)
    here.send(clerk, "first")
    for number in range(50):
        here.send(clerk, order(number) if number % 2 == 0 else number)
    sellers = [here.spawn("shop.sellers.Seller", source=good, requires=far) for _ in range(4)]
    assert here.ask(clerk, "all", timeout=30) == ["first", *range(50)]
    for seller in sellers:
        for number in range(10):
            here.send(seller, order(number) if number % 2 == 0 else number)
        assert here.ask(seller, "which", timeout=30) == list(range(10))
    assert Store(tmp_path / "there").hashes() == [good.hash]
    assert [row["name"] for row in there.sources()] == [f"good{tag}"]
    assert there.sources()[0]["uses"]["actors"] == 4
    with pytest.raises(GarrickError, match="not approved"):
        here.spawn("shop.sellers.Seller", source=f"bad{tag}@1.0", requires=far)
    again = there.load_source(bundle(ring, tmp_path, f"shop{tag}"))
    assert again.hash == source.hash
    seller = here.spawn("shop.sellers.Seller", source=source, requires=far)
    here.send(seller, source.of("shop.sellers.Order")(7))  # type: ignore[call-arg]
    assert here.ask(seller, "which", timeout=30) == [7]


@pytest.mark.processes
@pytest.mark.timeout(120)
def test_a_program_spawns_by_hash_what_only_another_system_has(
    two: tuple[ActorSystem, ActorSystem], ring: Keyring, tmp_path: Path
) -> None:
    here, there = two
    tag = next(NUMBERS)  # what other tests have signed with other keys is another bundle
    there.set_capability("remote_sources", "signed")
    source = here.load_source(bundle(ring, tmp_path, f"shop{tag}"), development=True)
    user = build([tree(tmp_path / "user", {"till.py": TILL})], f"user{tag}", "1.0", uses=[Store().bundle(source.hash)])
    using = here.load_source(signed_by(user, "ann", ring.private("ann")), development=True)
    maker = here.spawn(Maker, requires={"far": True})
    seller = here.ask(maker, using.hash, timeout=30)
    assert here.ask(seller, source.of("shop.sellers.Order")(3), timeout=30) == 4  # type: ignore[call-arg]
    assert Store(tmp_path / "there").hashes() == sorted([source.hash, using.hash])


class Maker(Actor):
    @on
    def make(self, digest: str) -> Address[Any]:
        return self.spawn("till.Till", source=digest)
