"""What can be done with a `Reply`: in any handler, any number of times, with asyncio's own tools, from any thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from garrick import ActorSystem, AskTimeout, AsyncActorSystem
from tests.conformance.actors import Deaf, Echo, Get
from tests.conformance.late_actors import Nap, Napping
from tests.conformance.reply_actors import Keep, Keeper, Use


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("result", ["slept", "slept", True]),
        ("twice", ["slept", "slept", True]),
        ("gather", ["slept", "slept"]),
        ("wait_for", "slept"),
        ("group", ["slept", "slept"]),
        ("shield", [False, "slept"]),
    ],
)
def test_a_reply_is_used_in_another_handler(system: ActorSystem, how: str, expected: Any) -> None:
    keeper, napping = system.spawn(Keeper), system.spawn(Napping)
    system.ask(keeper, Keep(napping, Nap(0.3)))
    assert system.ask(keeper, Use(how)) == expected


# Where the program's thread runs the handlers there is no other one that could wait beside it.
@pytest.mark.real_time("a foreign thread needs threads")
def test_a_foreign_thread_waits_for_a_reply(system: ActorSystem) -> None:
    keeper, napping = system.spawn(Keeper), system.spawn(Napping)
    system.ask(keeper, Keep(napping, Nap(0.1)))
    assert system.ask(keeper, Use("foreign thread")) == ["slept"]


def test_done_says_whether_the_answer_is_here(system: ActorSystem) -> None:
    keeper = system.spawn(Keeper)
    system.ask(keeper, Keep(system.spawn(Deaf), "question"))
    assert system.ask(keeper, Get()) is False
    system.ask(keeper, Keep(system.spawn(Echo), "question"))
    system.ask(keeper, Use("result"))
    assert system.ask(keeper, Get()) is True


def test_a_reply_that_was_not_waited_for_is_late_all_the_same(system: ActorSystem) -> None:
    keeper, deaf = system.spawn(Keeper), system.spawn(Deaf)
    system.ask(keeper, Keep(deaf, "question", 0.05))
    assert system.ask(keeper, Use("result")) == ["AskTimeout", "AskTimeout", True]


@pytest.mark.over("local", "sim", "multiprocess")
def test_asyncio_tools_in_a_program(base: str) -> None:
    async def program() -> None:
        async with AsyncActorSystem(base, name="conf-reply") as system:
            actors = [await system.spawn(Napping) for _ in range(3)]
            assert await asyncio.gather(*(system.ask(actor, Nap(0.01)) for actor in actors)) == ["slept"] * 3
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(system.ask(actor, Nap(0.01))) for actor in actors]
            assert [task.result() for task in tasks] == ["slept"] * 3
            if base != "sim":  # whose time is not the caller's
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(system.ask(actors[0], Nap(0.5)), 0.02)
            with pytest.raises(AskTimeout):
                await system.ask(actors[1], Nap(0.5), timeout=0.02)
            assert await system.ask(actors[2], Nap(0.01)) == "slept"

    _run(program())


def _run(program: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(program, 30))
