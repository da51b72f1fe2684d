"""Three directory systems on three servers: the one that keeps the list of members is killed, together with its server, under load."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pytest

from garrick import ActorSystem
from garrick.cli.target import choose
from garrick.engine.nats.server import free_port
from garrick.errors import ActorGone
from tests.node.convention_actors import Parent
from tests.node.systems import Systems, spawn_on, until

pytestmark = [pytest.mark.processes, pytest.mark.slow]

DIRECTORIES = ("d1", "d2", "d3")


@pytest.fixture
def systems(tmp_path: Path) -> Iterator[Systems]:
    addresses = [f"127.0.0.1:{free_port()}" for _ in DIRECTORIES]
    routes = [f"127.0.0.1:{free_port()}" for _ in DIRECTORIES]
    made = Systems(tmp_path, [f"tls://{address}" for address in addresses], routes)
    made.places = dict(zip(DIRECTORIES, zip(addresses, routes, strict=True), strict=True))
    try:
        with ThreadPoolExecutor(len(DIRECTORIES)) as pool:  # each waits for most of the others
            list(pool.map(made.start_directory, DIRECTORIES))
        made.start("h1")
        yield made
    finally:
        made.stop()


def test_the_directory_is_killed(systems: Systems) -> None:
    with ActorSystem.attach(systems.name("h1")) as h1:
        first = keeper(systems, "h1")
        second = next(name for name in DIRECTORIES if name != first)
        there = {name: spawn_on(h1, systems.name(name), 30) for name in (first, second)}
        parent = h1.spawn(Parent)
        for name in (first, second):
            h1.ask(parent, {"host": systems.name(name)}, timeout=30)
        with h1.dead_letters() as letters, h1.inbox() as inbox, Load(h1, there[second]) as load:
            systems.kill(first)
            for number in range(100):
                inbox.send(there[first], number)
            with pytest.raises(ActorGone):
                h1.ask(there[first], "where?", timeout=60)
            found = {letters.receive(30).message for _ in range(100)}
            assert found == set(range(100))  # all of them are reported
            until(lambda: len(h1.ask(parent, "what?", timeout=10)) >= 2, 30)
        # Nothing else was lost: no other actor, and nothing of what others said to one another.
        assert sorted(h1.ask(parent, "what?", timeout=10)) == [("child", "system lost"), ("watched", "system lost")]
        assert h1.ask(there[second], "all", timeout=30) == list(range(load.sent))
        # Another one has taken over: the list goes on, with new members and the dead one in a new life.
        assert keeper(systems, "h1") not in {first, ""}
        systems.start("h2")
        spawn_on(h1, systems.name("h2"), 30)
        systems.start_directory(first)
        again = spawn_on(h1, systems.name(first), 30)
        assert again.system != there[first].system
        assert keeper(systems, first) == keeper(systems, "h1")


def keeper(systems: Systems, asked: str) -> str:
    """The one of the directory systems that keeps the list, as a system knows it."""
    found = choose(systems.name(asked), 10).ask("node.list")["directory"].partition("@")[0]
    return next((name for name in DIRECTORIES if systems.name(name) == found), "")


class Load:
    """Numbers sent to an actor, one after the other, as long as the block lasts."""

    def __init__(self, system: ActorSystem, target: Any) -> None:
        self._system = system
        self._target = target
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def _run(self) -> None:
        while not self._over.is_set():
            self._system.send(self._target, self.sent)
            self.sent += 1
            time.sleep(0.005)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
