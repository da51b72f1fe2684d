"""The contract of `garrick.engine.carrier.Carrier`, over every carrier there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from garrick.engine.carrier import LANES, Cut, Reset, Verdict, Writable
from garrick.errors import InvalidArgument
from tests.conformance.carriers.kit import HUBS, Hub, Talker

Run = Callable[[Callable[[Hub], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=[pytest.param(n, marks=[pytest.mark.processes] if n == "nats" else []) for n in HUBS])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a conversation at a hub of each kind."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Hub]:
        hub = HUBS[request.param](tmp_path)
        try:
            await hub.open()
            yield hub
        finally:
            await hub.close()

    def do(conversation: Callable[[Hub], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with asyncio.timeout(40), opened() as hub:
                await conversation(hub)

        asyncio.run(whole())

    return do


def test_frames_arrive_whole(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b = await hub.start("a@01"), await hub.start("b@01")
        largest = a.carrier.caps.max_frame
        frames = [bytes([n % 251]) * size for n, size in enumerate([0, 1, 100, 4096, 65_537, largest])]
        for frame in frames:
            assert a.carrier.send("b", 0, frame)
        await b.heard(len(frames))
        assert b.frames == [("a", 0, frame) for frame in frames]
        with pytest.raises(InvalidArgument):
            a.carrier.send("b", 0, bytes(largest + 1))

    run(conversation)


def test_frames_of_one_lane_keep_their_order(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b, c = await hub.start("a@01"), await hub.start("b@01"), await hub.start("c@01")
        count = 2000
        for number in range(count):
            assert a.carrier.send("c", number % 3, b"a%d" % number)
            assert b.carrier.send("c", number % 3, b"b%d" % number)
        await c.heard(2 * count)
        for sender in ("a", "b"):
            for lane in range(3):
                numbers = [int(f[1:]) for peer, at, f in c.frames if (peer, at) == (sender, lane)]
                assert numbers == list(range(lane, count, 3))

    run(conversation)


def test_a_lane_that_does_not_exist(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a = await hub.start("a@01")
        for lane in (-1, LANES):
            with pytest.raises(InvalidArgument):
                a.carrier.send("b", lane, b"x")
            with pytest.raises(InvalidArgument):
                a.carrier.broadcast(lane, b"x")

    run(conversation)


def test_an_unknown_system(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b = await hub.start("a@01"), await hub.start("b@01")
        assert a.carrier.send("nobody", 0, b"x")  # lost without a sign
        assert a.carrier.send("b", 0, b"y")
        await b.heard(1)
        assert await a.carrier.probe("nobody", 2.0) is Verdict.NOBODY
        assert await a.carrier.probe("b", 2.0) is Verdict.REACHED
        await b.carrier.stop()
        assert await a.carrier.probe("b", 2.0) is Verdict.NOBODY
        assert a.events == []

    run(conversation)


def test_a_system_reaches_itself(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a = await hub.start("a@01")
        assert a.carrier.send("a", 1, b"note")
        await a.heard(1)
        assert a.frames == [("a", 1, b"note")]

    run(conversation)


def test_any_cast_and_broadcast(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a = await hub.start("a@01")
        b, c = await hub.start("b@01", "db"), await hub.start("c@01", "db", "web")
        for number in range(50):
            assert a.carrier.send_any("db", 2, b"%d" % number)
        assert a.carrier.send_any("web", 3, b"web")
        assert a.carrier.send_any("nobody", 3, b"lost")
        assert a.carrier.broadcast(4, b"all")
        await b.until(lambda: b.on_lane(4), "the broadcast")
        await c.until(lambda: c.on_lane(4), "the broadcast")
        await c.until(lambda: len(b.on_lane(2) + c.on_lane(2)) >= 50 and c.on_lane(3), "any-cast")
        assert sorted(int(f) for f in b.on_lane(2) + c.on_lane(2)) == list(range(50))  # each exactly one
        assert b.on_lane(2)
        assert c.on_lane(2)
        assert (b.on_lane(3), c.on_lane(3)) == ([], [b"web"])
        assert (b.on_lane(4), c.on_lane(4)) == ([b"all"], [b"all"])
        assert a.frames == []  # not to the one who sent it

    run(conversation)


def test_the_hub_is_killed_and_comes_back(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b = await hub.start("a@01"), await hub.start("b@01", "db")
        assert a.carrier.send("b", 0, b"before")
        await b.heard(1)
        await hub.kill()
        await a.saw(Cut)
        assert not a.carrier.send("b", 0, b"meanwhile")
        assert await a.carrier.probe("b", 0.2) is Verdict.SILENT
        await hub.revive()
        for end in (a, b):
            await end.saw(Reset)
            kinds = [type(event) for event in end.events]
            assert kinds.index(Cut) < kinds.index(Reset)
        await a.saw(Writable)
        assert Writable("b") in a.events
        assert a.carrier.send("b", 0, b"after")
        assert a.carrier.send_any("db", 1, b"role")
        await b.heard(3)
        assert b.frames[1:] == [("a", 0, b"after"), ("a", 1, b"role")]

    run(conversation)


def test_send_does_not_wait_and_says_when_it_is_full(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b = await hub.start("a@01"), await hub.start("b@01")
        frame = bytes(256 * 1024)
        sent = 0
        # One turn of the loop: nobody can take anything off the queue.
        while sent < 400 and a.carrier.send("b", 0, frame):
            sent += 1
        if sent < 400:
            assert sent * len(frame) >= a.carrier.caps.window_hint  # it takes at least one full window
            await a.saw(Writable)
            assert a.carrier.send("b", 0, frame)
            sent += 1
        await b.heard(sent)
        assert len(b.frames) == sent

    run(conversation)


def test_frames_for_several_systems_do_not_mix(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b, c = await hub.start("a@01"), await hub.start("b@01"), await hub.start("c@01")
        for number in range(200):
            assert a.carrier.send("b", 0, bytes(10_000))
            assert a.carrier.send("c", 0, b"%d" % number)
        await c.heard(200)
        await b.heard(200)
        assert [int(frame) for frame in c.on_lane(0)] == list(range(200))
        assert set(b.on_lane(0)) == {bytes(10_000)}

    run(conversation)


def test_stopping_lets_frames_leave_and_can_be_repeated(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b = await hub.start("a@01"), await hub.start("b@01")
        for number in range(500):
            assert a.carrier.send("b", 0, b"%d" % number)
        await a.carrier.stop(2.0)
        await a.carrier.stop(2.0)
        await b.heard(500)
        assert not a.carrier.send("b", 0, b"late")

    run(conversation)


def test_a_link_over_it_loses_repeats_and_reorders_nothing(run: Run) -> None:
    async def conversation(hub: Hub) -> None:
        a, b = Talker(await hub.start("a@01"), "b@01"), Talker(await hub.start("b@01"), "a@01")
        for part in range(3):
            for number in range(200):
                a.say(part * 200 + number)
                b.say(part * 200 + number)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            if part < 2:  # in the middle of it
                await hub.kill()
                await hub.revive()
        for talker in (a, b):
            await talker.end.until(lambda talker=talker: len(talker.heard) >= 600, "everything")  # type: ignore[misc]
            assert talker.heard == list(range(600))
            assert talker.came_back == []
        a.peer.close("over")
        b.peer.close("over")

    run(conversation)
