"""`system.load_source`: signatures, then the authority, then actors of two versions beside each other in one system."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, BadActorClass, GarrickError, on
from garrick.errors import BundleRefused, SourceDenied
from garrick.sources.authority import AUTHORITY, SourceOffered
from garrick.sources.keyring import Keyring
from garrick.sources.store import Store

from .making import made, signed_by

NUMBERS = itertools.count()
BANK = """
from garrick import Actor


class Teller(Actor):
    def receive(self, message, sender):
        from bank.words import VERSION

        if isinstance(message, tuple):
            other, question = message
            self.send(other, question + f" from {VERSION}")
        elif message == "child":
            self.send(sender, self.ask(self.spawn(Teller), "who", timeout=20).result())
        elif message == "who":
            self.send(sender, VERSION)
        else:
            self.send(self.listener, (VERSION, message))

    def __init__(self, listener=None):
        self.listener = listener
"""


class Authority(Actor):
    """Approves what is called as it was told; is silent about `silent`."""

    def __init__(self, approved: str) -> None:
        self.approved = approved

    @on
    def offered(self, message: SourceOffered) -> Any:
        if message.name.startswith("silent"):
            return self.defer()
        return message.name.startswith(self.approved) or "not on my list"


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("GARRICK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GARRICK_SOURCES", str(tmp_path / "store"))
    keyring = Keyring()
    keyring.add(keyring.new("ann"), ["*"])
    return keyring


def bundle(ring: Keyring, folder: Path, version: str, name: str = "bank") -> bytes:
    files = {"bank/__init__.py": "", "bank/tellers.py": BANK, "bank/words.py": f"VERSION = {version!r}\n"}
    return signed_by(made(folder / version, files, name=name, version=version), "ann", ring.private("ann"))


@pytest.fixture(params=["sim", "local", "multiprocess"])
def system(request: pytest.FixtureRequest, ring: Keyring) -> Iterator[ActorSystem]:
    with ActorSystem(request.param) as system:
        yield system


def test_two_versions_talk_to_one_another(system: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    name = f"bank{next(NUMBERS)}"
    old, new = (system.load_source(bundle(ring, tmp_path, each, name), development=True) for each in ("1.0", "2.0"))
    inbox = system.inbox()
    tellers: list[Address[Any]] = [
        system.spawn("bank.tellers.Teller", inbox.address, source=each) for each in (old, new)
    ]
    assert [system.ask(each, "who", timeout=20) for each in tellers] == ["1.0", "2.0"]
    assert [system.ask(each, "child", timeout=20) for each in tellers] == ["1.0", "2.0"]
    system.send(tellers[0], (tellers[1], "hello"))
    assert inbox.receive(timeout=20) == ("2.0", "hello from 1.0")
    system.send(tellers[1], (tellers[0], "welcome"))
    assert inbox.receive(timeout=20) == ("1.0", "welcome from 2.0")
    assert (old.version, new.version, old.name) == ("1.0", "2.0", name)
    assert Store().hashes() == sorted([old.hash, new.hash])
    with pytest.raises(BadActorClass):
        system.spawn("bank.tellers.Nobody", source=old)
    with pytest.raises(BundleRefused, match="older than"):
        system.load_source(bundle(ring, tmp_path, "1.5", name), development=True)


@pytest.mark.processes
def test_a_process_of_its_own_finds_the_source(ring: Keyring, tmp_path: Path) -> None:
    with ActorSystem("multiprocess") as system:
        source = system.load_source(bundle(ring, tmp_path, "1.0", f"bank{next(NUMBERS)}"), development=True)
        teller = system.spawn("bank.tellers.Teller", source=source, isolation="process")
        assert system.ask(teller, "who", timeout=20) == "1.0"


@pytest.fixture
def local(ring: Keyring) -> Iterator[ActorSystem]:
    with ActorSystem("local") as system:
        yield system


def test_nobody_decides_and_nothing_is_loaded(local: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    good = bundle(ring, tmp_path, "1.0")
    with pytest.raises(SourceDenied, match="nobody here decides"):
        local.load_source(good)
    with pytest.raises(BundleRefused):
        local.load_source(made(tmp_path / "x"), development=True)
    other = Keyring(tmp_path / "other")
    theirs = other.new("eve")
    ring.add(theirs, ["*"])
    foreign = signed_by(made(tmp_path / "y"), "eve", other.private("eve"))
    with pytest.raises(SourceDenied):
        local.load_source(foreign, development=True)
    assert Store().hashes() == []
    assert ring.trust().highest == {}


def test_the_authority_decides(local: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    local.spawn(Authority, "good", name=AUTHORITY)
    number = next(NUMBERS)
    found = local.load_source(bundle(ring, tmp_path, "1.0", f"good{number}"))
    assert local.ask(local.spawn("bank.tellers.Teller", source=found), "who") == "1.0"
    with pytest.raises(SourceDenied, match="not on my list"):
        local.load_source(bundle(ring, tmp_path, "1.0", f"bad{number}"), development=True)
    with pytest.raises(SourceDenied, match="did not answer"):
        local.load_source(bundle(ring, tmp_path, "1.0", f"silent{number}"), timeout=0.2)
    assert Store().hashes() == [found.hash]


def test_several_authorities_must_all_approve(local: ActorSystem, ring: Keyring, tmp_path: Path) -> None:
    local.spawn(Authority, "good", name="first")
    local.spawn(Authority, "goo", name="second")
    number = next(NUMBERS)
    both = ("first", "second")
    assert local.load_source(bundle(ring, tmp_path, "1.0", f"good{number}"), authorities=both).version == "1.0"
    with pytest.raises(SourceDenied, match="first said"):
        local.load_source(bundle(ring, tmp_path, "1.0", f"goose{number}"), authorities=both)
    with pytest.raises(SourceDenied, match="third did not answer"):
        local.load_source(bundle(ring, tmp_path, "1.0", f"good-{number}"), authorities=("first", "third"))


def test_refusals_are_errors_with_codes() -> None:
    assert issubclass(SourceDenied, GarrickError)
    assert SourceDenied.code == "GAR-7301"
