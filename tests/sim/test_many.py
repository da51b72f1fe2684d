"""Large conventions: what a change costs does not grow with the number of those whom it does not concern."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from garrick.sim.fan import GROUPS, SINGLY
from garrick.sim.kernel import Kernel
from garrick.sim.net import ENGINE, Net
from garrick.sim.world import World

from .actors import Echo, Keeper

RACK = 40
"""Systems."""
WEATHER = {
    # To each system, so among 100 of them one in ten minutes of each kind.
    "kill_system": "1/1000min:1s..30s",
    "pause": "1/1000min:1s..5s",
    "cut_off": "1/1000min:1s..5s",
    # To each rack.
    "rack_cut": "1/300min:2s..10s",
    "rack_power": "1/600min:2s..10s",
}


def tables(world: World) -> list[Any]:
    return [node.membership._gateway._table for node in world._nodes.values()]  # type: ignore[union-attr]


def test_all_that_know_the_same_hold_it_once() -> None:
    with World(1) as world:
        world.net.defaults(latency=("200us", "5ms"), drop=0.01)
        world.systems(70)  # more than are told one by one
        storms: list[dict[str, Any]] = [
            {"kill_system": "1/20s:1s..5s"},
            {"cut_off": "1/30s:1s..5s", "pause": "1/30s:1s..5s"},
            {"engine": "1/20s"},
        ]
        for faults in storms:
            world.nemesis(spare=["s1"], **faults)
            world.run(30)
            world.quiet()
            world.run(10)
            assert len({id(table) for table in tables(world)}) == 1
            assert len(tables(world)[0].members) == 70


def test_joining_takes_each_system_the_same_number_of_steps() -> None:
    steps = []
    for count in (50, 300):
        with World(1) as world:
            world.systems(count)
            steps.append(world._kernel.steps / count)
    assert steps[1] <= steps[0] * 1.1


def test_who_is_told_of_an_end_are_those_who_had_to_do_with_it() -> None:
    with World(1) as world:
        first = world.system("first")
        stranger = world.system("stranger")
        world.system("second", {"db": True})
        keeper = first.spawn(Keeper)
        first.ask(keeper, 1)
        world.crash("second")
        world.run(10)
        assert next(note[1:] for note in first.ask(keeper, "told")) == ("ChildExited", "system lost")
        assert [gone["reason"] for gone in first.status()["lost_systems"]] == ["system lost"]
        assert stranger.status()["lost_systems"] == []
        assert {info["system"].partition("@")[0] for info in stranger.status()["systems"]} == {"first", "stranger"}
        assert stranger.ask(stranger.spawn(Echo), 1) == (1, "stranger")


def test_a_convention_without_news_costs_the_same_steps_whatever_its_size() -> None:
    steps = []
    for count in (SINGLY + 36, SINGLY + 236):
        with World(1) as world:
            world.systems(count)
            world.net.defaults(latency=("200us", "5ms"))
            world.run(10)
            before = world._kernel.steps
            world.run(20)
            steps.append(world._kernel.steps - before)
    assert steps[1] <= steps[0] * 1.1
    assert steps[1] <= 20 * GROUPS


@pytest.mark.parametrize("drop", [0.0, 0.001, 0.2, 1.0])
def test_what_is_told_to_many_gets_lost_as_often_as_it_should(drop: float) -> None:
    kernel = Kernel()
    net = Net(kernel, kernel.choices)
    net.defaults(latency=("1ms", "5ms"), drop=drop)
    names, got, last = [f"s{number}" for number in range(500)], Counter[str](), dict[str, int]()

    def arrive(name: str, number: int) -> None:
        assert number > last.get(name, -1), "overtaken"
        last[name] = number
        got[name] += 1

    for number in range(200):
        net.tell_all(names, lambda name, number=number: arrive(name, number))  # type: ignore[misc]
    while kernel.step():
        pass
    expected = 500 * 200 * (1 - drop)
    assert abs(got.total() - expected) <= 0.02 * 500 * 200 * (drop > 0)
    if drop < 1:
        assert len(got) == 500
        assert min(got.values()) >= 200 * (1 - drop) - 60 * (drop > 0)


def test_nobody_who_is_told_together_with_others_overtakes_what_comes_alone() -> None:
    kernel = Kernel()
    net = Net(kernel, kernel.choices)
    net.defaults(latency=("1ms", "500ms"))
    names, told = [f"s{number}" for number in range(SINGLY + 1)], dict[str, list[int]]()
    for number in range(0, 60, 3):
        net.tell("", "s7", lambda number=number: told.setdefault("s7", []).append(number))  # type: ignore[misc]
        while number % 2 and kernel.step():
            pass  # nothing is under way to it, so it is told together with others
        together = number % 2 == net.way(ENGINE, "s7").joins_fan()
        assert together
        net.tell_all(names, lambda name, number=number: told.setdefault(name, []).append(number + 1))  # type: ignore[misc]
        net.tell("", "s7", lambda number=number: told.setdefault("s7", []).append(number + 2))  # type: ignore[misc]
    while kernel.step():
        pass
    assert told["s7"] == list(range(60))
    assert all(numbers == list(range(1, 60, 3)) for name, numbers in told.items() if name != "s7")


def weather(count: int, minutes: int, rates: dict[str, str]) -> dict[str, Any]:
    """So many systems for so long; what happened, and what it took."""
    began = time.process_time()
    with World(1) as world:
        world.net.defaults(latency=("200us", "5ms"), drop=0.0001)
        first = world.systems(count, capabilities=lambda number: {"rack": number // RACK})[0]
        joined = time.process_time() - began
        nemesis = world.nemesis(spare=["s1"], **rates)  # type: ignore[arg-type]
        world.run(60 * minutes)
        assert len(world.quiet()) == count
        world.run(10)
        assert len({id(table) for table in tables(world)}) == 1
        assert len(tables(world)[0].members) == count
        assert len(first.status()["systems"]) == count
        status = Path("/proc/self/status").read_text()
        return {
            "joined": round(joined, 1),
            "seconds": round(time.process_time() - began, 1),
            "peak": int(status.partition("VmHWM:")[2].split()[0]) // 1024,
            "hits": nemesis.hits,
            "steps": world._kernel.steps,
        }


def test_a_convention_in_bad_weather_ends_whole() -> None:
    often = {kind: rate.replace("1/1000min", "1/20min").replace("00min", "min") for kind, rate in WEATHER.items()}
    hits = weather(200, 2, often)["hits"]
    assert hits.keys() == WEATHER.keys()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_five_thousand_systems_for_ten_minutes() -> None:
    took = weather(5000, 10, WEATHER)
    print(took)  # the figures of docs/explanation/simulation.md
    assert took["seconds"] <= 120
    assert took["peak"] <= 1024
