"""An async actor that has answered: its asker goes on at once, and nothing that comes for it has to wait for the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, on
from garrick.address import ReplyAddress
from garrick.runtime import supervise
from garrick.runtime.async_lane import AsyncLane

SECONDS = 20.0


class Echo(Actor):
    @on
    async def number(self, message: int) -> int:
        return message


class Keeping(Actor):
    """Asks, and then keeps the event loop until it is told to go on."""

    @on
    async def ask_and_keep(self, message: tuple[Address[int], threading.Event, threading.Event]) -> bool:
        echo, answered, go_on = message
        assert await self.ask(echo, 5) == 5
        answered.set()
        return go_on.wait(SECONDS)


def test_it_can_end_while_its_asker_keeps_the_loop() -> None:
    with ActorSystem("local") as system:
        keeping, echo = system.spawn(Keeping), system.spawn(Echo)
        answered, go_on = threading.Event(), threading.Event()
        asking = system._runtime.ask(keeping, (echo, answered, go_on), SECONDS + 5)
        assert answered.wait(SECONDS)
        try:
            system.stop_actor(echo, timeout=SECONDS / 2)
        finally:
            go_on.set()
        assert asking.result() is True


@pytest.mark.parametrize("more", [False, True])
def test_the_lane_is_woken_late_only_when_nothing_waits(more: bool) -> None:
    happened: list[str] = []

    async def handler() -> int:
        return 3

    async def run() -> None:
        runtime: Any = SimpleNamespace(
            idle=True,
            control=None,
            released=None,
            append=lambda _: happened.append("released"),
            scheduler=SimpleNamespace(wake=lambda: happened.append("wake")),
        )
        lane = AsyncLane(runtime, asyncio.get_running_loop())
        cell: Any = SimpleNamespace(
            context=contextvars.copy_context(),
            behaviour=object(),
            queue=deque(["a message"] if more else []),
            pending=0,
            stop_asked=None,
            replies=True,
            answer=lambda _, value: happened.append(f"answer {value}"),
        )
        lane.submit(cell, handler(), (cell, "question", ReplyAddress("s", 1, 0, None)), supervise.handled_async)
        for _ in range(5):
            asyncio.get_running_loop().call_soon(happened.append, "turn")
            await asyncio.sleep(0)

    asyncio.run(run())
    first = happened.index("answer 3")
    assert happened[first : first + 2] == ["answer 3", "released"]
    assert happened.count("wake") == 1
    assert (happened[first + 2] == "wake") is more
