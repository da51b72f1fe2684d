"""The feed of members over the real engine, with members that are killed, stopped and brought back."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from garrick.engine.carrier import Cut, Down, Reset, Up
from garrick.engine.identity import issue
from garrick.engine.membership import Joined, Left, Lost, Suspected, Updated
from garrick.engine.nats.engine import NatsEngine
from garrick.errors import EngineError
from tests.conformance.carriers.convention import Convention

pytestmark = [pytest.mark.processes, pytest.mark.slow]


def now() -> float:
    return asyncio.get_running_loop().time()


def test_join_and_leave(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1 = await app.child("h1@01")
            assert app.members["h1"].capabilities == {"host": "h1"}
            assert app.members["h1"].processes == (1, 2)
            assert Up("h1") in app.events
            h2 = await app.child("h2@01")
            for child in (h1, h2):
                await child.knows("app", "h1", "h2")
            app.engine.announce({"db": True}, [1], 0.0)
            change, _ = await h1.sees(lambda c: isinstance(c, Updated) and c.member.system == "app@aa")
            assert isinstance(change, Updated)
            assert change.member.capabilities == {"db": True}
            await app.echo("h1", b"hello")
            start = now()
            await h1.leave()
            _, at = await app.sees(lambda c: c == Left("h1@01", 1))
            assert at - start < 1.0
            await h2.sees(lambda c: c == Left("h1@01", 1))
            await app.child("h1@02")
            assert not any(isinstance(change, Lost) for change in app.changes)

    asyncio.run(conversation())


def test_a_killed_member_is_known_to_all_within_two_seconds(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1, h2 = await app.child("h1@01"), await app.child("h2@01")
            start = now()
            h1.signal(signal.SIGKILL)
            lost, at = await app.is_lost("h1@01")
            _, at_h2 = await h2.is_lost("h1@01")
            assert lost.certain
            assert at - start < 2.0
            assert at_h2 - start < 2.5
            suspected, at = await app.sees(lambda c: isinstance(c, Suspected))
            assert isinstance(suspected, Suspected)
            assert suspected.system == "h1@01"
            assert at - start < 0.5
            await app.child("h1@02")  # and it is back at once
            await app.echo("h1", b"again")

    asyncio.run(conversation())


def test_a_stopped_member_is_lost_and_joins_again_with_a_new_session(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1, h2 = await app.child("h1@01"), await app.child("h2@01")
            start = now()
            h1.signal(signal.SIGSTOP)
            lost, at = await app.is_lost("h1@01")
            assert not lost.certain
            assert at - start < 5.0
            await h2.is_lost("h1@01")
            h1.signal(signal.SIGCONT)
            mine, _ = await h1.is_lost("h1@01")
            assert mine.session == 1
            for watcher in (app, h1, h2):
                _change, _ = await watcher.sees(
                    lambda c: isinstance(c, Joined) and c.member.system == "h1@01" and c.member.session == 2
                )
            await app.echo("h1", b"again")

    asyncio.run(conversation())


def test_a_short_stop_is_nothing(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1 = await app.child("h1@01")
            h1.signal(signal.SIGSTOP)
            assert app.engine.send("h1", 0, b"held")
            await asyncio.sleep(0.8)
            h1.signal(signal.SIGCONT)
            await app.until(lambda: app.frames == [("h1", 0, b"held")])
            assert not any(isinstance(change, Lost | Suspected) for change in app.changes)

    asyncio.run(conversation())


def test_a_killed_server_costs_nobody_its_membership(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1, h2 = await app.child("h1@01"), await app.child("h2@01")
            for _ in range(2):
                pid = app.server.pid
                resets = len([event for event in app.events if isinstance(event, Reset)])
                assert app.server._process is not None
                app.server._process.kill()
                await app.resets(resets + 1)
                assert app.server.pid != pid  # started again by itself, on the same port
                await h1.until(lambda: any("Reset" in event for event in h1.events))
                await app.until(lambda: app.engine.send("h1", 0, b"probe"))
                await asyncio.wait_for(_reaches(app, "h1"), 10)
            # Beyond the time that the directory gives everybody to come back.
            await asyncio.sleep(3.5)
            for watcher in (app, h1, h2):
                assert not any(isinstance(change, Lost | Left) for change in watcher.changes)
            assert any(isinstance(event, Cut) for event in app.events)

    asyncio.run(conversation())


async def _reaches(app: Convention, name: str) -> None:
    # The member reconnects on its own; until then frames get lost, as the contract says.
    while not app.frames:
        app.engine.send(name, 0, b"probe")
        await asyncio.sleep(0.05)
    app.frames.clear()


def test_a_member_that_dies_while_the_server_is_down(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1, _ = await app.child("h1@01"), await app.child("h2@01")
            start = now()
            assert app.server._process is not None
            app.server._process.kill()
            h1.signal(signal.SIGKILL)
            lost, at = await app.is_lost("h1@01")
            assert at - start < 5.0
            assert lost.why == "did not come back"
            assert set(app.members) == {"app", "h2"}

    asyncio.run(conversation())


def test_a_receiver_that_hangs_slows_nobody_else(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1, _ = await app.child("h1@01"), await app.child("h2@01")
            h1.signal(signal.SIGSTOP)
            frame = bytes(64 * 1024)
            for _ in range(60):  # a whole window, and no more: so the link does
                assert app.engine.send("h1", 1, frame)
            start = now()
            await app.echo("h2", b"quick")
            assert now() - start < 1.0
            h1.signal(signal.SIGCONT)
            await app.until(lambda: app.engine.send("h1", 0, b"count"))
            await app.until(lambda: ("h1", 0, b"60") in app.frames)

    asyncio.run(conversation())


def test_a_second_directory_is_refused(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            other = NatsEngine()
            credentials = issue(app.keys, "other", ["directory"]).with_servers([app.server.url])
            with pytest.raises(EngineError, match=r"already has a directory system: app@aa"):
                await other.start(
                    "other@01",
                    credentials,
                    on_frame=lambda *_: None,
                    on_event=lambda _: None,
                    on_members=lambda _: None,
                )
            await app.until(lambda: "other" not in app.members)

    asyncio.run(conversation())


def test_two_systems_of_one_name(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1 = await app.child("h1@01")
            twin = NatsEngine(join_timeout=1.0)
            credentials = issue(app.keys, "h1").with_servers([app.server.url])
            with pytest.raises(EngineError, match="accepted"):
                await twin.start(
                    "h1@02", credentials, on_frame=lambda *_: None, on_event=lambda _: None, on_members=lambda _: None
                )
            assert app.members["h1"].system == "h1@01"
            await h1.end()
            await app.child("h1@03")
            assert Down("h1", True, "replaced by h1@03") in app.events or any(
                isinstance(c, Lost) and c.system == "h1@01" for c in app.changes
            )

    asyncio.run(conversation())


def test_no_directory_no_joining(tmp_path: Path) -> None:
    async def conversation() -> None:
        app = Convention(tmp_path)
        await app.server.start()
        try:
            lonely = NatsEngine(join_timeout=0.5)
            credentials = issue(app.keys, "h1").with_servers([app.server.url])
            with pytest.raises(EngineError, match="directory"):
                await lonely.start(
                    "h1@01", credentials, on_frame=lambda *_: None, on_event=lambda _: None, on_members=lambda _: None
                )
        finally:
            await app.server.stop()

    asyncio.run(conversation())


def test_a_hung_server_is_noticed_and_does_no_harm(tmp_path: Path) -> None:
    async def conversation() -> None:
        async with Convention(tmp_path) as app:
            h1 = await app.child("h1@01")
            start = now()
            assert app.server._process is not None
            app.server._process.send_signal(signal.SIGSTOP)
            try:
                await app.until(lambda: any(isinstance(event, Cut) for event in app.events))
                assert now() - start < 4.5
                assert not app.engine.send("h1", 0, b"meanwhile")
            finally:
                app.server._process.send_signal(signal.SIGCONT)
            await app.resets(1)
            await asyncio.wait_for(_reaches(app, "h1"), 10)
            assert not any(isinstance(change, Lost) for change in app.changes + h1.changes)

    asyncio.run(conversation())
