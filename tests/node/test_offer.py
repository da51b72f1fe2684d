"""``offer``: an async handler, or an asyncio program, waits for room on the way without holding up others."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil
import pytest

from garrick import ActorSystem, AsyncActorSystem, BackPressure
from garrick.node.outlink import LIMIT
from tests.node.actors import Counter, Do, Victim
from tests.node.conftest import wait_until
from tests.node.offer_actors import AsyncEcho, Offerer

pytestmark = pytest.mark.processes
MB = 1 << 20


def somewhere(system: ActorSystem, actor_class: Any, process: int, *, other: bool = False) -> Any:
    """An actor in that process, or in another one."""
    made = (system.spawn(actor_class) for _ in range(8))
    return next(actor for actor in made if (actor.process == process) is not other)


def test_who_offers_waits_and_nobody_else() -> None:
    with ActorSystem(name="a", workers=2) as system:
        counter = system.spawn(Counter)
        beside = somewhere(system, AsyncEcho, counter.process, other=True)
        made = (system.spawn(Offerer, counter, "x") for _ in range(8))
        offerer = next(actor for actor in made if actor.process == beside.process)
        worker = psutil.Process(system.ask(somewhere(system, Victim, counter.process), Do("pid")))
        worker.suspend()
        try:
            refused = system.ask(offerer, (100, MB, 0.2), timeout=30)
            assert LIMIT // MB <= refused < 40, "it waited, and then it was told"
            waiting = system._runtime.ask(offerer, (40, MB, 30.0), 60)
            assert system.ask(beside, 1, timeout=5) == 1, "the loop goes on"
            assert not waiting.done
            own = 2 * LIMIT // MB

            async def program() -> int:
                # From the program's own loop, over its own way.
                from garrick.runtime.offering import offer

                for number in range(own):
                    try:
                        await offer(system._runtime, counter, ("p", number, b"x" * MB), None, 0.2)
                    except BackPressure:
                        return number
                return own

            from_here = asyncio.run(program())
            assert LIMIT // MB <= from_here < own
        finally:
            worker.resume()
        assert waiting.result() == 40
        wait_until(lambda: system.ask(counter, "count")[0] == refused + 40 + from_here, 30)


def test_the_async_surface_offers() -> None:
    async def program() -> None:
        async with AsyncActorSystem(name="a", workers=1) as system:
            counter = await system.spawn(Counter)
            for number in range(40):
                await system.offer(counter, ("p", number, b"x" * MB))
            assert (await system.ask(counter, "count"))[0] == 40
            with pytest.raises(TypeError):
                await system.offer("nobody", 1)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="GAR-5001"):
                await system.offer(counter, 1, timeout=-1)

    asyncio.run(asyncio.wait_for(program(), 60))


def test_who_waits_for_a_process_that_dies_goes_on() -> None:
    with ActorSystem(name="a", workers=2) as system:
        counter = system.spawn(Counter)
        made = (system.spawn(Offerer, counter, "x") for _ in range(8))
        offerer = next(actor for actor in made if actor.process != counter.process)
        worker = psutil.Process(system.ask(somewhere(system, Victim, counter.process), Do("pid")))
        worker.suspend()
        waiting = system._runtime.ask(offerer, (60, MB, 30.0), 60)
        assert system.ask(somewhere(system, AsyncEcho, offerer.process), 1, timeout=10) == 1
        worker.kill()
        assert waiting.result() == 60
