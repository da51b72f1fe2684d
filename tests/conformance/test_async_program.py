"""`AsyncActorSystem`: the same for asyncio programs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from garrick import ActorGone, AsyncActorSystem, HandlerFailed, NameTaken, SystemStopped
from tests.conformance.actors import Answers, Consult, Echo, Get, Raise, Recorder
from tests.conformance.waiting_actors import Async

pytestmark = pytest.mark.over("local", "sim", "multiprocess")  # those that it starts by name


def run(program: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(program, 30))


@pytest.mark.over("local")
def test_a_system_that_was_not_entered_says_so(base: str) -> None:
    async def program() -> None:
        with pytest.raises(SystemStopped, match="has not been started") as caught:
            await AsyncActorSystem(base).status()
        assert "async with" in str(caught.value.hint)

    run(program())


def test_the_surface_is_awaited(base: str) -> None:
    async def program() -> None:
        async with AsyncActorSystem(base, name="conf-async") as system:
            echo = await system.spawn(Echo, name="echo")
            assert await system.ask(echo, "hello") == "hello"
            assert await system.lookup("echo") == echo
            recorder = await system.spawn(Recorder)
            system.send(recorder, 1)
            assert await system.ask(recorder, Get()) == [1]
            assert (await system.status())["system"].startswith("conf-async@")
            await system.stop_actor(echo)
            assert await system.lookup("echo") is None
            await system.stop_actor(another := await system.spawn(Recorder), drain=False)
            with pytest.raises(ActorGone):
                await system.ask(another, Get())
            with pytest.raises(NameTaken):
                for _ in range(2):
                    await system.spawn(Echo, name="twice")
            with pytest.raises(HandlerFailed, match="boom"):
                await system.ask(await system.spawn(Answers), Raise(ValueError("boom")))
        with pytest.raises(SystemStopped):
            await system.ask(recorder, Get())

    run(program())


def test_asks_run_side_by_side(base: str) -> None:
    async def program() -> None:
        async with AsyncActorSystem(base, name="conf-async") as system:
            actors = [await system.spawn(Async) for _ in range(5)]
            found = await asyncio.gather(*(system.ask(actor, number) for number, actor in enumerate(actors)))
            assert found == [0, 2, 4, 6, 8]
            asker = await system.spawn(Async)
            assert await system.ask(asker, Consult(actors[0], 4)) == 8

    run(program())


def test_a_cancelled_ask_leaves_the_system_usable(base: str) -> None:
    async def program() -> None:
        async with AsyncActorSystem(base, name="conf-async") as system:
            actor = await system.spawn(Answers)
            task = asyncio.create_task(system.ask(actor, 0.5))  # never answered
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await system.ask(actor, 1) == 2

    run(program())
