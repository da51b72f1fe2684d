"""Clock, randomness, kernel and loop by themselves."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick.runtime.once import Once
from garrick.sim.clock import SECOND, VirtualClock, instant
from garrick.sim.hands import Crew
from garrick.sim.kernel import Due, Kernel
from garrick.sim.loop import StepLoop
from garrick.sim.rng import SeededIds, SeededRandom


@given(st.floats(min_value=0, max_value=1e9))
def test_what_is_due_really_is_due(seconds: float) -> None:
    clock = VirtualClock()
    clock.ns = instant(seconds)
    assert clock.now() >= seconds
    assert clock.ns - seconds * SECOND <= 200  # the distance of neighbouring floats up there


def test_streams_are_independent() -> None:
    one, two = SeededRandom(1, "a"), SeededRandom(1, "a")
    one.stream("x").random()
    assert one.stream("y").random() == two.stream("y").random()
    assert one.stream("x").random() != two.stream("x").random()
    assert SeededRandom(2, "a").stream("x").random() != SeededRandom(1, "a").stream("x").random()


def test_incarnations() -> None:
    ids = SeededIds(1)
    found = [ids.incarnation(name) for name in ("a", "a", "b")]
    assert len(set(found)) == 3
    assert all(len(i) == 10 and int(i, 16) >= 0 for i in found)
    assert SeededIds(1).incarnation("a") == found[0]


def test_order_of_arrival_and_jumps_of_time() -> None:
    kernel, seen = Kernel(), []

    def note(what: str) -> Due:
        return Due(lambda: seen.append((what, kernel.clock.ns)))

    kernel.at(20, note("later"))
    kernel.at(10, note("b"))
    kernel.at(10, note("c"))
    cancelled = kernel.at(5, note("never"))
    kernel.put(note("a"))
    cancelled.cancel()
    while kernel.step():
        pass
    assert seen == [("a", 0), ("b", 10), ("c", 10), ("later", 20)]
    kernel.at(3, note("in the past"))
    assert kernel.step()
    assert seen[-1] == ("in the past", 20)
    assert not kernel.step()


class Rig:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.crew = Crew(self.kernel)
        self.loop = StepLoop(self.crew, "loop")

    def run(self, coroutine: Any) -> Any:
        over = Once()
        task = self.loop.create_task(coroutine)
        task.add_done_callback(lambda _: over.finish())
        assert self.crew.wait(over, 1e6)
        return task.result()

    def close(self) -> None:
        assert self.crew.close(1) == []
        self.loop.close()


@pytest.fixture
def rig() -> Any:
    rig = Rig()
    yield rig
    rig.close()


def test_time_of_the_loop(rig: Rig) -> None:
    async def main() -> float:
        async with asyncio.timeout(3600):
            await asyncio.sleep(1800)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 10)
        return asyncio.get_running_loop().time()

    assert rig.run(main()) == pytest.approx(1810)


def test_tasks_in_sets_are_in_order(rig: Rig) -> None:
    ended: list[str] = []

    async def one() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            task = asyncio.current_task()
            assert task is not None
            ended.append(task.get_name())

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(one())
            await asyncio.sleep(1)
            raise ValueError

    with pytest.raises(ExceptionGroup):
        rig.run(main())
    assert ended == sorted(ended, key=lambda name: int(name.partition("-")[2]))
    assert len(ended) == 8


def test_a_blocking_callback_stops_only_its_loop(rig: Rig) -> None:
    other = StepLoop(rig.crew, "other")
    order: list[tuple[str, float]] = []

    async def blocks() -> None:
        time.sleep(5)  # noqa: ASYNC251 - it must not, and the others have to live with it
        order.append(("blocked", rig.loop.time()))

    async def beside() -> None:
        await asyncio.sleep(1)
        order.append(("beside", rig.loop.time()))

    async def main() -> None:
        await asyncio.gather(blocks(), beside())

    task = other.create_task(beside())
    rig.run(main())
    assert task.done()
    assert order == [("beside", 1.0), ("blocked", 5.0), ("beside", 6.0)]
    other.close()


def test_executors_are_events(rig: Rig) -> None:
    def work(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def fails() -> None:
        raise LookupError("x")

    async def main() -> tuple[list[float], float]:
        done = await asyncio.gather(*(asyncio.to_thread(work, s) for s in (3.0, 1.0, 2.0)))
        with pytest.raises(LookupError):
            await asyncio.to_thread(fails)
        return done, asyncio.get_running_loop().time()

    assert rig.run(main()) == ([3.0, 1.0, 2.0], 3.0)


def test_errors_of_callbacks_reach_the_handler(rig: Rig) -> None:
    found: list[dict[str, Any]] = []
    rig.loop.set_exception_handler(lambda _, context: found.append(context))

    def exits() -> None:
        raise SystemExit(3)

    rig.loop.call_soon(exits)
    rig.loop.call_soon(lambda: 1 // 0)
    rig.crew.sleep(0)
    assert [type(context["exception"]) for context in found] == [SystemExit, ZeroDivisionError]


def test_the_loop_is_not_run_by_hand(rig: Rig) -> None:
    with pytest.raises(RuntimeError):
        rig.loop.run_forever()
