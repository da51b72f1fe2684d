"""Gateways of systems in processes of their own over the real engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from garrick.address import Address
from garrick.engine.identity import ConventionKeys, create_convention, issue, save_credentials
from garrick.engine.nats.engine import NatsEngine
from garrick.engine.nats.server import EmbeddedServer
from garrick.node.returned import Returned
from garrick.runtime.signals import SystemLost
from tests.node.gateway_house import FakeHouse

pytestmark = [pytest.mark.processes, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


class Convention:
    """A directory system in this process and children that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: ConventionKeys
        self.house: FakeHouse
        self.children: dict[str, asyncio.subprocess.Process] = {}
        self.server: EmbeddedServer

    async def start(self) -> None:
        self.keys = create_convention(self.folder / "keys", "test", ["tls://127.0.0.1:0"])
        credentials = issue(self.keys, "a", ["directory"])
        self.server = EmbeddedServer(credentials, self.folder / "server", listen="127.0.0.1:0")
        self.house = FakeHouse("a@00000000aa", NatsEngine(), hold=0.5)
        await self.house.gateway.start(credentials, server=self.server)

    async def child(self, system: str) -> None:
        name = system.partition("@")[0]
        credentials = issue(self.keys, name).with_servers([self.server.url])
        path = save_credentials(credentials, self.folder / f"{name}.json")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.node.gateway_child",
            str(path),
            system,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        self.children[system] = process
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 10)
        assert line == b"joined\n"
        await self.house.until(lambda: system in self.house.gateway.members)

    async def kill(self, system: str) -> None:
        process = self.children.pop(system)
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        for system in list(self.children):
            await self.kill(system)
        if hasattr(self, "house"):
            await self.house.gateway.stop()


@asynccontextmanager
async def convention_in(folder: Path) -> AsyncIterator[Convention]:
    convention = Convention(folder)
    try:
        await convention.start()
        yield convention
    finally:
        await convention.stop()


Test = Callable[[Convention], Coroutine[Any, Any, None]]


def with_convention(test: Test) -> Callable[[Path], None]:
    async def run(folder: Path) -> None:
        async with convention_in(folder) as convention:
            await test(convention)

    def wrapped(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path))

    wrapped.__name__ = test.__name__
    return wrapped


@with_convention
async def test_messages_go_there_and_back_in_order(convention: Convention) -> None:
    await convention.child("b@00000000bb")
    house = convention.house
    target: Address[Any] = Address("b@00000000bb", 1, 1 << 40 | 1)
    for n in range(2000):
        house.send(target, n, house.address(1))
    await house.until(lambda: len(house.messages(1, tuple)) == 2000, timeout=20)
    assert house.messages(1, tuple) == [("echo", n) for n in range(2000)]
    assert house.view(1)["b@00000000bb"].capabilities == {"host": "b"}


@with_convention
async def test_a_killed_system_is_known_within_seconds_and_the_others_go_on(convention: Convention) -> None:
    await convention.child("b@00000000bb")
    await convention.child("c@00000000cc")
    house, loop = convention.house, asyncio.get_running_loop()
    for system in ("b@00000000bb", "c@00000000cc"):
        house.send(Address(system, 1, 1 << 40 | 1), "hello", house.address(1))
    await house.until(lambda: len(house.messages(1, tuple)) == 2)
    began = loop.time()
    await convention.kill("b@00000000bb")
    for n in range(10):
        house.send(Address("b@00000000bb", 1, 1 << 40 | 1), n, house.address(2))
    await house.until(lambda: house.messages(1, SystemLost), timeout=10)
    took = loop.time() - began
    print(f"loss known after {took:.2f} s")
    assert took < 5
    assert house.messages(1, SystemLost)[0].system == "b@00000000bb"
    await house.until(lambda: len(house.messages(2, Returned)) == 10)
    house.send(Address("c@00000000cc", 1, 1 << 40 | 1), "still there?", house.address(1))
    await house.until(lambda: ("echo", "still there?") in house.messages(1, tuple))


@with_convention
async def test_a_killed_system_comes_back_as_a_new_incarnation(convention: Convention) -> None:
    await convention.child("b@00000000b1")
    house = convention.house
    house.send(Address("b@00000000b1", 1, 1 << 40 | 1), "hello", house.address(1))  # of strangers nobody is told
    await house.until(lambda: house.messages(1, tuple))
    await convention.kill("b@00000000b1")
    await convention.child("b@00000000b2")
    await house.until(lambda: house.messages(1, SystemLost))
    house.send(Address("b@00000000b2", 1, 1 << 40 | 1), "new", house.address(1))
    house.send(Address("b@00000000b1", 1, 1 << 40 | 1), "old", house.address(1))
    await house.until(lambda: house.messages(1, tuple)[1:] and house.messages(1, Returned))
    assert house.messages(1, tuple) == [("echo", "hello"), ("echo", "new")]
    assert [r.reason for r in house.messages(1, Returned)] == ["system lost"]
