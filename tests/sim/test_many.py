"""Large conventions: what a change costs does not grow with the number of those whom it does not concern."""

from __future__ import annotations

from typing import Any

from garrick.sim.world import World

from .actors import Echo, Keeper


def tables(world: World) -> list[Any]:
    return [node.membership._gateway._table for node in world._nodes.values()]  # type: ignore[union-attr]


def test_all_that_know_the_same_hold_it_once() -> None:
    with World(1) as world:
        world.net.defaults(latency=("200us", "5ms"), drop=0.01)
        world.systems(100)
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
            assert len(tables(world)[0].members) == 100


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
