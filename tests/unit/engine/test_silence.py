from __future__ import annotations

import asyncio

import pytest

from garrick.engine.nats import membership
from garrick.engine.silence import Silence


def test_patience_ends_and_grows() -> None:
    silence = Silence("h1@01")
    assert not silence.is_too_long(1e9)  # never connected
    silence.connected(0.0)
    assert not silence.is_too_long(9.9)
    assert silence.is_too_long(20.0)
    silence.disconnected()
    assert not silence.is_too_long(30.0)
    silence.connected(30.0)
    assert not silence.is_too_long(49.0)  # twice as long
    assert silence.is_too_long(70.0)


def test_a_beat_every_two_seconds_is_enough() -> None:
    silence = Silence("h1@01")
    silence.connected(0.0)
    for beat in range(2, 400, 2):
        assert not silence.is_too_long(float(beat))
        silence.heard(float(beat))
    assert silence.is_too_long(420.0)


def test_a_member_that_hears_nothing_looks_for_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "_LISTEN", 0.01)
    asked: list[str] = []

    async def run() -> None:
        feed = membership.MemberFeed("conv", "h1@01", lambda: None, _nobody, _nobody, _nobody, asked.append)
        feed._silence = Silence("h1@01", 0.05, 0.05)
        feed.up()
        async with asyncio.timeout(10):
            while not asked:  # noqa: ASYNC110 - it is told by a call, once
                await asyncio.sleep(0.01)
        feed.down()
        await feed.stop()

    asyncio.run(run())
    assert asked == ["nothing is heard of a directory"]


def _nobody(*_arguments: object) -> None: ...
