"""Faults of the network: the real link above it has to keep its promises, and each fault has to bite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from garrick import AskTimeout
from garrick.errors import InvalidArgument
from garrick.sim import explore
from garrick.sim.net import ENGINE
from garrick.sim.world import World
from garrick.wire.link import LinkStatistics

from .actors import Echo
from .fault_actors import Collects, Notes, Sends

COUNT = 100


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=3) as world:
        yield world


def stream(world: World, count: int = COUNT) -> Callable[[str], list[Any]]:
    """``s1`` sends numbers to an actor of ``s2``, one every 10 ms; what that actor knows."""
    one, two = world.systems(2)
    collects = two.spawn(Collects)
    one.send(one.spawn(Sends, collects, 0.01), count)
    return lambda what: two.ask(collects, what)


def statistics(world: World, name: str) -> LinkStatistics:
    node: Any = world._nodes[name]
    found: LinkStatistics = next(iter(node.membership._gateway._peers.values())).link.statistics()
    return found


@pytest.mark.parametrize(
    ("conditions", "counter"),
    [
        ({"drop": 0.2}, "resent"),
        ({"duplicate": 0.3}, "duplicates"),
        ({"reorder": 0.2}, "gaps"),
        ({"corrupt": 0.2}, "refused"),
        ({"drop": 0.1, "duplicate": 0.1, "reorder": 0.1, "corrupt": 0.1, "delay": 0.05}, "resent"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else value,
)
def test_each_message_arrives_once_and_in_order_whatever_the_network_does(
    world: World, conditions: dict[str, float], counter: str
) -> None:
    told = stream(world)
    world.net.link("s1", "s2").set(latency=("1ms", "5ms"), **conditions)
    world.run(60)
    assert told("numbers") == list(range(COUNT))
    counts = [getattr(statistics(world, name), counter) for name in ("s1", "s2")]
    assert sum(counts) > 0, "the fault did not happen"


def test_latency_is_that_of_the_direction() -> None:
    with World() as world:
        one, two = world.systems(2)
        echo = two.spawn(Echo)
        one.ask(echo, "the link is up")
        began = world.now
        one.ask(echo, "?")
        assert world.now - began < 0.001
        world.net.link("s1", "s2", one_way=True).set(latency="100ms")
        began = world.now
        one.ask(echo, "?")
        assert 0.1 <= world.now - began < 0.11
        world.net.defaults(latency=("20ms", "30ms"))
        began = world.now
        one.ask(echo, "?")
        assert 0.12 <= world.now - began < 0.14


def test_a_throttled_link_takes_its_time(world: World) -> None:
    one, two = world.systems(2)
    echo = two.spawn(Echo)
    one.ask(echo, "the link is up")
    world.net.link(one, two, one_way=True).set(bandwidth="100kB/s")
    began = world.now
    one.ask(echo, bytes(50_000))
    assert 0.5 <= world.now - began < 0.6


def test_what_is_held_comes_in_the_order_of_its_release(world: World) -> None:
    told = stream(world)
    world.run(0.5)
    gaps = statistics(world, "s2").gaps
    world.net.hold("s1", "s2")
    world.run(0.1)
    held = world.net.link("s1", "s2").in_flight
    assert held > 3
    with pytest.raises(InvalidArgument):
        world.net.release("s1", "s2", order=[0, held])
    assert world.net.release("s1", "s2", order=[held - 1]) == held
    world.run(10)
    assert statistics(world, "s2").gaps == gaps + 1
    assert told("numbers") == list(range(COUNT))


def test_messages_that_are_held_are_not_lost(world: World) -> None:
    told = stream(world)
    world.run(0.5)
    some = told("numbers")
    world.net.hold("s1", "s2")
    world.run(2)
    assert told("numbers") == some
    world.net.release("s1", "s2")
    world.run(10)
    assert told("numbers") == list(range(COUNT))


def test_ways_that_are_held_or_slow_for_nothing_are_left_out() -> None:
    def scenario(world: World) -> None:
        one, two = world.systems(2)
        world.net.defaults(latency=("1ms", "2ms"), bandwidth="1MB/s")
        echo = two.spawn(Echo)
        world.disk(one).fill(0)
        world.net.hold(two, one)
        one.send(echo, 1)
        world.run(0.1)
        world.net.release(two, one, order=[0])
        world.net.hold(one, two)
        with pytest.raises(AskTimeout):
            one.ask(echo, 1, timeout=0.5)
        raise ValueError("no answer")

    report = explore(scenario, [1], artefacts=None)
    assert report.story == "order of arrival and no faults, except: the scenario's hold 1 of s1 → s2"


def test_a_short_partition_delays_and_loses_nothing(world: World) -> None:
    told = stream(world)
    world.net.defaults(latency="30ms")
    world.run(0.5)
    world.net.partition(["s1"], ["s2"], engine=False)
    world.run(0.1)
    some = told("numbers")
    assert 0 < len(some) < COUNT
    world.run(2)
    assert told("numbers") == some
    world.net.heal()
    world.run(10)
    assert told("numbers") == list(range(COUNT))


def test_of_what_is_under_way_when_a_cut_lands_some_passes() -> None:
    passed: list[int] = []
    for seed in range(8):
        with World(seed=seed) as world:
            told = stream(world)
            world.net.defaults(latency="100ms")
            world.run(0.6)
            before = len(told("numbers"))
            world.net.partition(["s1"], ["s2"], engine=False)
            world.run(1)
            passed.append(len(told("numbers")) - before)
    assert min(passed) < max(passed) <= 10, passed


def test_one_way(world: World) -> None:
    one, two = world.systems(2)
    here, there = one.spawn(Collects), two.spawn(Collects)
    two.ask(here, "link")
    world.net.partition(["s1"], ["s2"], one_way=True)
    two.send(here, 1)
    one.send(there, 1)
    world.run(1)
    assert one.ask(here, "numbers") == [1]
    assert two.ask(there, "numbers") == []


def test_a_system_in_no_group_is_a_bridge(world: World) -> None:
    one, two, three = world.systems(3)
    world.net.partition([one], [two], engine=False)
    assert three.ask(one.spawn(Echo), 1) == (1, "s1")
    assert three.ask(two.spawn(Echo), 2) == (2, "s2")
    with pytest.raises(AskTimeout):
        one.ask(two.spawn(Echo), 3, timeout=5)


@pytest.mark.parametrize("reset", [False, True])
def test_who_loses_the_engine_is_lost_and_comes_back(world: World, reset: bool) -> None:
    one, two = world.system("one"), world.system("two", {"role": "worker"})
    notes = one.spawn(Notes, "worker")
    began = world.now
    world.net.partition(["one"], ["two"], reset=reset)
    world.run(10)
    told = one.ask(notes, "told")
    assert [what for _, *what in told] == [["ChildExited", "system lost"], ["Terminated", "system lost"]]
    assert (0.4 if reset else 2.5) <= told[0][0] - began <= (2.5 if reset else 5)
    world.net.heal()
    world.run(10)
    assert two.ask(one.spawn(Echo), "back") == ("back", "one")
    assert one.ask(one.spawn(Notes, "worker"), "told") == []  # it is placed there again


def test_the_feed_of_members_may_be_slow_and_lossy() -> None:
    with World(seed=5) as world:
        world.net.defaults(latency=("1ms", "20ms"))
        for name in ("s1", "s2", "s3", "s4"):
            world.net.link(name, ENGINE).set(latency=("10ms", "100ms"), drop=0.3, duplicate=0.3, reorder=0.3)
        systems = world.systems(4)
        world.run(20)
        for system in systems:
            echo = system.spawn(Echo)
            for other in systems:
                assert other.ask(echo, 1) == (1, system.name)


def test_what_is_not_understood_is_refused(world: World) -> None:
    for wrong in ({"latency": "5 parsecs"}, {"drop": 1.5}, {"bandwidth": "fast"}, {"latency": ("5ms", "1ms")}):
        with pytest.raises(InvalidArgument):
            world.net.defaults(**wrong)
