"""One question to many: an outcome for each, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from garrick import ActorSystem, AskDeadlock, AsyncActorSystem, NotAnAddress
from garrick.address import Address
from tests.conformance.fanout_actors import AskAll, Gatherer, Numbered, Plain, Which, kinds

EXPECTED = [0, 1, "HandlerFailed", "ActorGone", "AskTimeout", 5]


def mixed(system: ActorSystem) -> tuple[Address[Any], ...]:
    """Two that answer, one that fails, one that has ended, one that stays silent, one that is slow."""
    dead = system.spawn(Plain, 3)
    system.stop_actor(dead)
    return (
        system.spawn(Plain, 0),
        system.spawn(Numbered, 1),
        system.spawn(Numbered, 2, 0.0, "fail"),
        dead,
        system.spawn(Numbered, 4, 0.0, "silent"),
        system.spawn(Numbered, 5, 0.25),
    )


def test_the_program_gets_an_outcome_for_each_in_order(system: ActorSystem) -> None:
    targets = mixed(system)
    assert kinds(system.ask_all(targets, Which(), timeout=0.8)) == EXPECTED
    assert system.ask_all([], Which()) == []
    assert system.ask_all([targets[1]] * 3, Which()) == [1, 1, 1]
    with pytest.raises(NotAnAddress):
        system.ask_all([targets[0], "nobody"], Which())  # type: ignore[list-item]


def test_the_program_gets_outcomes_as_they_come(system: ActorSystem) -> None:
    targets = mixed(system)
    found = list(system.ask_each(targets, Which(), timeout=0.8))
    assert sorted(target for target, _ in found) == sorted(targets)
    by_target = dict(found)
    assert kinds([by_target[target] for target in targets]) == EXPECTED
    assert [target for target, _ in found[-2:]] == [targets[5], targets[4]]  # the slow one, and what the time-out ended


@pytest.mark.parametrize("how", ["result", "await"])
def test_an_actor_gets_an_outcome_for_each_in_order(system: ActorSystem, how: str) -> None:
    gatherer = system.spawn(Gatherer)
    assert kinds(system.ask(gatherer, AskAll(mixed(system), Which(), how, 0.8))) == EXPECTED


@pytest.mark.parametrize("how", ["each", "async each"])
def test_an_actor_gets_outcomes_as_they_come_and_may_leave_early(system: ActorSystem, how: str) -> None:
    gatherer = system.spawn(Gatherer)
    targets = mixed(system)
    by_target = dict(system.ask(gatherer, AskAll(targets, Which(), how, 0.8)))
    assert kinds([by_target[target] for target in targets]) == EXPECTED
    slow = [system.spawn(Numbered, number, 30.0) for number in range(3)]
    quick = system.spawn(Numbered, 7)
    assert system.ask(gatherer, AskAll((*slow, quick), Which(), how, 60.0, most=1)) == [(quick, 7)]
    # The others have been told that nobody waits any more: they are free at once.
    assert kinds(system.ask_all(slow, "unhandled", timeout=10.0)) == ["ActorGone"] * 3


@pytest.mark.parametrize("how", ["result", "await"])
def test_who_waits_for_the_asker_is_an_outcome_too(system: ActorSystem, how: str) -> None:
    one = system.spawn(Gatherer)
    plain = system.spawn(Plain, 1)
    found = system.ask(one, AskAll((plain, one), Which(), how))
    assert found[0] == 1
    assert isinstance(found[1], AskDeadlock)


def test_ten_thousand_targets(system: ActorSystem, base: str) -> None:
    count = 10_000 if base in {"local", "multiprocess"} else 500
    targets = [system.spawn(Plain, number) for number in range(10)]
    everybody = targets * (count // 10)
    assert system.ask_all(everybody, Which(), timeout=60.0) == [
        number for _ in range(count // 10) for number in range(10)
    ]
    gatherer = system.spawn(Gatherer)
    found = system.ask(gatherer, AskAll(tuple(everybody), Which(), "each", 60.0), timeout=60.0)
    assert sum(outcome for _, outcome in found) == 45 * (count // 10)


@pytest.mark.over("local", "sim", "multiprocess")
def test_an_asyncio_program(base: str) -> None:
    async def program() -> None:
        async with AsyncActorSystem(base, name="conf-fanout") as system:
            targets = [await system.spawn(Numbered, number, number / 50) for number in range(3)]
            silent = await system.spawn(Numbered, 3, 0.0, "silent")
            assert kinds(await system.ask_all([*targets, silent], Which(), timeout=0.5)) == [0, 1, 2, "AskTimeout"]
            found = [(target, outcome) async for target, outcome in system.ask_each(targets, Which())]
            assert found == [(target, number) for number, target in enumerate(targets)]

    _run(program())


def _run(program: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(program, 30))
