"""A convention for tests: a directory system in this process, others in processes of their own that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from garrick.engine.carrier import CarrierEvent, Reset, name_of
from garrick.engine.directory import Patience
from garrick.engine.feedcodec import decode_delta
from garrick.engine.identity import create_convention, issue, save_credentials
from garrick.engine.membership import Change, Delta, Joined, Left, Lost, Member
from garrick.engine.nats.engine import NatsEngine
from garrick.engine.nats.server import EmbeddedServer

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 20.0


class Watcher:
    """Collects changes of members, and waits for some."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.times: list[float] = []
        self.members: dict[str, Member] = {}
        self.news = asyncio.Event()

    def told(self, delta: Delta) -> None:
        now = asyncio.get_running_loop().time()
        for change in delta.changes:
            self.changes.append(change)
            self.times.append(now)
            if isinstance(change, Joined):
                self.members[name_of(change.member.system)] = change.member
            elif isinstance(change, Left | Lost):
                self.members.pop(name_of(change.system), None)
        self.news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def knows(self, *names: str) -> None:
        """These and nobody else."""
        await self.until(lambda: set(self.members) == set(names))

    async def sees(self, test: Callable[[Change], bool], start: int = 0) -> tuple[Change, float]:
        """The first change from `start` on that fits, and when it was told."""

        def found() -> int | None:
            return next((n for n in range(start, len(self.changes)) if test(self.changes[n])), None)

        await self.until(lambda: found() is not None)
        place = found()
        assert place is not None
        return self.changes[place], self.times[place]

    async def is_lost(self, system: str, start: int = 0) -> tuple[Lost, float]:
        change, at = await self.sees(lambda c: isinstance(c, Lost) and c.system == system, start)
        assert isinstance(change, Lost)
        return change, at


class Child(Watcher):
    """A member in a process of its own."""

    def __init__(self, system: str, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self.system = system
        self.process = process
        self.events: list[str] = []
        self.joined = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            kind, what = json.loads(line)
            if kind == "delta":
                self.told(decode_delta(json.dumps(what).encode()))
            elif kind == "event":
                self.events.append(what)
                self.news.set()
            elif kind == "joined":
                self.joined.set()
        self.joined.set()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"leave\n")
        await self.process.stdin.drain()
        await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reader
        if self.process.stdin is not None:
            self.process.stdin.close()


class Convention(Watcher):
    """The directory system `app@aa`, and the server that it runs."""

    def __init__(self, folder: Path, patience: Patience | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.keys = create_convention(folder / "keys", "test", ["tls://127.0.0.1:0"])
        self.credentials = issue(self.keys, "app", ["directory"])
        self.server = EmbeddedServer(self.credentials, folder / "server", listen="127.0.0.1:0")
        self.engine = NatsEngine(patience=patience)
        self.children: list[Child] = []
        self.frames: list[tuple[str, int, bytes]] = []
        self.events: list[CarrierEvent] = []

    async def __aenter__(self) -> Self:
        await self.engine.start(
            "app@aa",
            self.credentials,
            server=self.server,
            on_frame=self._on_frame,
            on_event=self._on_event,
            on_members=self.told,
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for child in self.children:
            await child.end()
        await self.engine.stop()

    def _on_frame(self, peer: str, lane: int, frame: bytes) -> None:
        self.frames.append((peer, lane, frame))
        self.news.set()

    def _on_event(self, event: CarrierEvent) -> None:
        self.events.append(event)
        self.news.set()

    async def child(self, system: str) -> Child:
        name = name_of(system)
        path = save_credentials(issue(self.keys, name).with_servers([self.server.url]), self.folder / f"{name}.json")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.conformance.carriers.child",
            str(path),
            system,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        child = Child(system, process)
        self.children.append(child)
        await asyncio.wait_for(child.joined.wait(), PATIENCE)
        assert process.returncode is None
        await self.until(lambda: name in self.members and self.members[name].system == system)
        return child

    async def resets(self, count: int) -> None:
        """The carrier was connected anew that many times."""
        await self.until(lambda: len([event for event in self.events if isinstance(event, Reset)]) >= count)

    async def echo(self, name: str, text: bytes) -> None:
        """A frame there and back."""
        before = len(self.frames)
        assert self.engine.send(name, 0, text)
        await self.until(lambda: (name, 0, text) in self.frames[before:])
