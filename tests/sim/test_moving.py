"""Actors that wait for a system that fits, and those that move to another one: in virtual time, with faults, in many orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, AskTimeout, InvalidArgument, NoCapableSystem, ProbeNow, Restart
from garrick.sim.kernel import Due
from garrick.sim.world import World

from .moving_actors import Bystander, Keeper, Neighbour, Store

SEEDS = range(6)


@pytest.fixture(params=SEEDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with World(request.param, "fifo" if request.param == 0 else "random") as world:
        yield world


def places(system: ActorSystem, keeper: Any) -> list[str]:
    return [system.ask(store, "where", timeout=20) for store in system.ask(keeper, "stores")]


def until(world: World, condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        world.run(0.1)
    pytest.fail("it did not come about")


def test_one_system_loses_its_database(world: World) -> None:
    one = world.system("one")
    two, three = world.system("two", {"db": True}), world.system("three", {"db": True})
    keeper, bystanders = one.spawn(Keeper), [system.spawn(Bystander) for system in (one, two, three)]
    until(world, lambda: len(one._runtime.view.systems) == 3)
    one.ask(keeper, 6)
    assert set(places(one, keeper)) == {"two", "three"}  # spread
    two.set_capability("db", None)
    until(world, lambda: len(one.ask(keeper, "told")) == 3)
    assert places(one, keeper) == ["three"] * 6
    assert {(what, reason) for what, reason, _ in one.ask(keeper, "told")} == {("moved", "capability lost")}
    for system, bystander in zip((one, two, three), bystanders, strict=True):
        assert system.ask(bystander, "notices") == 0
    three.set_capability("db", None)  # nobody has one now: they wait, with a reason, and keep what they are sent
    until(world, lambda: len(one.ask(keeper, "told")) == 9)
    assert all("no system" in detail or "moved before" in detail for _, _, detail in one.ask(keeper, "told")[3:])
    for number in range(5):
        one.ask(keeper, (number,))
    two.set_capability("db", True)
    until(world, lambda: len(one.ask(keeper, "told")) == 15)
    assert places(one, keeper) == ["two"] * 6
    for store in one.ask(keeper, "stores"):
        assert one.ask(store, "all") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("how", ["crash", "leave"])
def test_a_system_that_is_gone(world: World, how: str) -> None:
    one = world.system("one")
    two = world.system("two", {"db": True})
    keeper = one.spawn(Keeper)
    until(world, lambda: len(one._runtime.view.systems) == 2)
    one.ask(keeper, 2)
    assert places(one, keeper) == ["two"] * 2
    if how == "crash":
        world.crash(two)
    else:
        two.stop()
    until(world, lambda: len(one.ask(keeper, "told")) == 2)
    reason = "system lost" if how == "crash" else "system left"
    assert {told[:2] for told in one.ask(keeper, "told")} == {("moved", reason)}
    world.system("three", {"db": True})
    until(world, lambda: len(one.ask(keeper, "told")) == 4)
    assert places(one, keeper) == ["three"] * 2


def test_a_child_that_waits_for_its_first_place(world: World) -> None:
    one = world.system("one")
    keeper = one.spawn(Keeper)
    early = one.ask(keeper, True)
    for number in range(10):
        one.send(early, number)
    question = one._runtime.ask(early, "where", 20)
    world.run(3)
    assert one.ask(keeper, "told") == []
    world.system("two", {"db": True})
    assert question.result() == "two"
    for number in range(10, 20):
        one.send(early, number)  # the first address goes on to lead there
    assert one.ask(early, "all") == list(range(20))
    [(what, reason, _)] = one.ask(keeper, "told")
    assert (what, reason) == ("moved", "placed")
    [store] = one.ask(keeper, "stores")
    assert store != early
    assert store.system.startswith("two")
    one.stop_actor(early)
    until(world, lambda: len(one.ask(keeper, "told")) == 2)
    assert one.ask(keeper, "told")[1][:2] == ("exited", "stopped")


def test_a_place_at_home_keeps_the_address(world: World) -> None:
    one = world.system("one")
    keeper = one.spawn(Keeper)
    store = one.ask(keeper, True)
    one.send(store, 1)
    one.set_capability("db", True)
    assert one.ask(store, "all", timeout=5) == [1]
    assert one.ask(keeper, "told") == []


def test_one_that_waits_can_be_stopped(world: World) -> None:
    one = world.system("one")
    keeper = one.spawn(Keeper)
    store = one.ask(keeper, True)
    question = one._runtime.ask(store, "where", 20)
    one.ask(keeper, "stop")
    with pytest.raises(ActorGone, match="stopped"):
        question.result()
    until(world, lambda: one.ask(keeper, "told") == [("exited", "stopped", "")])
    world.system("two", {"db": True})
    world.run(3)
    assert one.ask(keeper, "stores") == []


def test_an_ask_that_was_handed_over_fails_with_the_system_it_went_to(world: World) -> None:
    one, other = world.system("one"), world.system("other")
    keeper = one.spawn(Keeper)
    store = one.ask(keeper, True)
    question = other._runtime.ask(store, "no answer", 60)
    world.run(1)
    world.crash(world.system("two", {"db": True}), silent=True)
    began = world.now
    with pytest.raises(ActorGone):
        question.result()
    assert world.now - began < 8


def test_moving_to_and_fro_has_a_limit(world: World) -> None:
    one = world.system("one")
    hosts = [world.system(name, {"db": True}) for name in ("two", "three")]
    keeper = one.spawn(Keeper)
    until(world, lambda: len(one._runtime.view.systems) == 3)
    one.ask(keeper, 1)
    for _ in range(20):
        if not one.ask(keeper, "stores"):
            break
        for host in hosts:
            host.set_capability("db", None)
            world.run(0.3)
            host.set_capability("db", True)
            world.run(0.3)
    told = one.ask(keeper, "told")
    assert told[-1][:2] == ("exited", "capability lost")
    assert "3 times within 60 s" in told[-1][2]
    assert [t for t in told if t[0] == "exited"] == told[-1:]


def test_the_program_waits_for_a_place(world: World) -> None:
    one = world.system("one")
    with pytest.raises(NoCapableSystem):
        one.spawn(Store)
    with pytest.raises(AskTimeout):
        one.spawn(Store, pending=True, timeout=2)
    with pytest.raises(InvalidArgument):
        one.spawn(Store, supervision=Restart(relocate=True))
    two = world.system("two")
    world._kernel.at(world._kernel.clock.ns + 10**9, Due(lambda: two.set_capability("db", True)))
    store = one.spawn(Store, pending=True, timeout=20)
    assert store.system.startswith("two")
    world.run(1)
    assert not any(actor["class"].endswith("Store") for actor in one.status()["actors"])


def test_a_probe_makes_and_takes_a_capability(world: World) -> None:
    found: list[Any] = [True]
    one, two = world.system("one"), world.system("two")
    prober = two.probe("db", lambda: found[-1], every=1)
    store = one.spawn(Store, pending=True, timeout=10)
    assert store.system.startswith("two")
    found.append(None)
    world.run(2)
    with pytest.raises(ActorGone, match="capability lost"):
        one.ask(store, "where")
    found.append(3)
    assert two.ask(prober, ProbeNow()) == 3
    world.run(0.5)
    assert two.capabilities["db"] == 3
    with pytest.raises(InvalidArgument):
        two.probe("db", lambda: 1, every=0)


def test_a_drained_system_is_left_by_those_that_can_move(world: World) -> None:
    one = world.system("one")
    two, three = world.system("two", {"db": True}), world.system("three", {"db": True})
    keeper = one.spawn(Keeper)
    until(world, lambda: len(one._runtime.view.systems) == 3)
    one.ask(keeper, 4)
    fixed = two.spawn(Store)
    drain(world, "two", active=True)
    until(world, lambda: len(one.ask(keeper, "told")) == 2)
    assert places(one, keeper) == ["three"] * 4
    # "refused": its spawn was still under way.
    assert {told[1] for told in one.ask(keeper, "told")} <= {"system left", "refused"}
    assert two.ask(fixed, "where") == "two"
    three.set_capability("db", None)
    world.run(5)
    assert len(one.ask(keeper, "told")) == 6  # they wait: the drained one is no place
    drain(world, "two", active=False)
    until(world, lambda: places(one, keeper) == ["two"] * 4)


def test_an_actor_hears_of_the_other_systems(world: World) -> None:
    one, two = world.system("one"), world.system("two", {"db": True})
    until(world, lambda: len(one._runtime.view.systems) == 2)
    neighbour = one.spawn(Neighbour)
    world.run(1)
    assert one.ask(neighbour, "told") == [("joined", "two", {"db": True})]
    world.system("three")
    world.run(1)
    two.set_capability("db", None)
    world.run(1)
    world.crash("three")
    world.run(8)
    two.stop()
    world.run(1)
    assert one.ask(neighbour, "told")[1:] == [
        ("joined", "three", {}),
        ("changed", "two", {}),
        ("gone", "three", None),
        ("gone", "two", None),
    ]


def drain(world: World, name: str, *, active: bool) -> None:
    """What the command does."""
    node = world._nodes[name]
    admin = node.admin
    node.runtime.post(lambda _: admin.apply(admin.machine.drain(admin.clock.now(), active=active)), None)


def test_remote_children_end_with_the_system_of_their_parent(world: World) -> None:
    one, two = world.system("one"), world.system("two", {"db": True})
    keeper = one.spawn(Keeper)
    until(world, lambda: len(one._runtime.view.systems) == 2)
    [store] = one.ask(keeper, 1)
    own = two.spawn(Store)
    assert one.ask(store, "where") == "two"
    world.crash(one, silent=True)
    began = world.now
    until(world, lambda: all(actor["address"] != str(store) for actor in two.status()["actors"]))
    assert world.now - began < 5.5
    assert two.ask(own, "where") == "two"


def test_a_healed_partition_kills_no_address(world: World) -> None:
    one, two = world.system("one"), world.system("two", {"db": True})
    until(world, lambda: len(one._runtime.view.systems) == 2)
    here, there = one.spawn(Bystander), two.spawn(Store)
    assert one.ask(there, "where") == "two"
    assert two.ask(here, "notices") == 0
    incarnation = two._runtime.system
    world.net.cut_off(two)
    with pytest.raises(ActorGone) as gone:
        one.ask(there, "where", timeout=20)
    assert gone.value.reason == "system lost"
    world.net.heal()
    until(world, lambda: len(one._runtime.view.systems) == 2)
    assert one.ask(there, "where") == "two"
    assert two.ask(here, "notices") == 0
    assert two._runtime.system == incarnation
