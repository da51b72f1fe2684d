"""The keeper of a connection, without a server: whatever connecting does, it is tried again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from garrick.engine.identity import create_convention, issue
from garrick.engine.nats.connection import Connection, Identity
from garrick.errors import EngineError


class Told:
    """Notes what the connection says."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.back = asyncio.Event()

    def connection_up(self, *, again: bool) -> None:
        self.words.append("again" if again else "up")
        if again:
            self.back.set()

    def connection_down(self, why: str) -> None:
        self.words.append("down")

    def connection_refused(self, subject: str, why: str) -> None:
        self.words.append("refused")

    def connection_slow(self, why: str) -> None:
        self.words.append("slow")


class Breaks(Connection):
    """Connects at once, breaks at once, then fails in a way that nobody has foreseen, and is all right from then on."""

    tries = 0

    async def _connect(self) -> None:
        self.tries += 1
        if self.tries == 2:
            raise RuntimeError("not one of the library's errors")

    async def _watch(self) -> None:
        if self.tries > 1:
            await asyncio.Event().wait()


def test_an_unforeseen_error_does_not_end_the_attempts_to_reconnect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> list[str]:
        told = Told()
        credentials = issue(create_convention(tmp_path / "keys", "conv", ["tls://127.0.0.1:1"]), "h1")
        connection = Breaks(credentials, Identity("jwt", lambda _: b""), "h1", "_I.h1", (), told)
        await connection.start(1.0)
        await asyncio.wait_for(told.back.wait(), 10)
        await connection.stop()
        return told.words

    assert asyncio.run(run()) == ["up", "down", "again"]
    assert "unexpected" in caplog.text


class Swallows(Connection):
    """Breaks in the moment in which it is told to stop, so that the cancellation gets lost; no server is there any more."""

    tries = 0

    async def _connect(self) -> None:
        self.tries += 1
        if self.tries > 1:
            raise EngineError("nobody is there")

    async def _watch(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def test_a_connection_that_breaks_while_it_is_stopped_stops(tmp_path: Path) -> None:
    async def run() -> None:
        credentials = issue(create_convention(tmp_path / "keys", "conv", ["tls://127.0.0.1:1"]), "h1")
        connection = Swallows(credentials, Identity("jwt", lambda _: b""), "h1", "_I.h1", (), Told())
        await connection.start(1.0)
        await asyncio.sleep(0)
        done, _ = await asyncio.wait({asyncio.create_task(connection.stop())}, timeout=10)
        assert done

    asyncio.run(run())
