"""Systems with workers: the real admin, placement and links over simulated processes, and what can happen to a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from garrick import ActorGone, ActorSystem, Address, AskTimeout, Restart, SpawnFailed
from garrick.errors import InvalidArgument
from garrick.sim import explore
from garrick.sim.world import World

from .process_actors import Family, Hoards, Keeps, Streams


@pytest.fixture
def world() -> Iterator[World]:
    with World(5, own_thread=True) as world:
        yield world


@pytest.fixture
def bank(world: World) -> ActorSystem:
    return world.system("bank", workers=2)


def spread(system: ActorSystem, world: World, cls: type[Any] = Keeps) -> list[Address[Any]]:
    """An actor in each worker, in the order of their numbers."""
    found: dict[int, Address[Any]] = {}
    while len(found) < sum(role == "worker" for role in world.processes(system).values()):
        actor = system.spawn(cls)
        found.setdefault(actor.process, actor)
    return [found[number] for number in sorted(found)]


# --- what a system with workers is ---------------------------------------------------------------------------------------------


def test_actors_are_spread_and_messages_are_copied(world: World, bank: ActorSystem) -> None:
    one, two = spread(bank, world)
    assert list(world.processes(bank).values()) == ["worker", "worker"]
    assert {one.process, two.process} == set(world.processes(bank))
    mine: list[Any] = ["mine"]
    assert bank.ask(one, mine) == 1
    assert mine == ["mine"]
    assert bank.ask(one, "tell") == [["mine", "changed"]]
    family = bank.spawn(Family)
    assert bank.ask(family, {}).process == family.process, "children are near their parent"
    assert world.actor(one).kept == [["mine", "changed"]]
    assert world.inspect(two)["state"] == "running"


def test_a_process_of_its_own_comes_and_goes_with_its_actor(world: World, bank: ActorSystem) -> None:
    family = bank.spawn(Family)
    child = bank.ask(family, {"isolation": "process"})
    bank.ask(child, [1])
    assert world.processes(bank)[child.process] == "dedicated"
    bank.stop_actor(child)
    world.run(1)
    assert child.process not in world.processes(bank)
    assert {told[1:] for told in bank.ask(family, "tell")} == {("ChildExited", "stopped"), ("Terminated", "stopped")}
    with pytest.raises(ActorGone, match="stopped"):
        bank.ask(child, "tell")


def test_systems_with_workers_form_a_convention(world: World) -> None:
    one, two = world.systems(2, capabilities=lambda number: {f"at {number}": True}, workers=2)
    single = world.system("single")
    family = one.spawn(Family)
    far = one.ask(family, {"requires": {"at 2": True}})
    assert far.system == two._runtime.system
    for asker in (one, two, single):
        assert asker.ask(far, [1]) > 0
    world.kill_process(two, far.process)
    world.run(2)
    assert {told[1:] for told in one.ask(family, "tell")} == {
        ("ChildExited", "worker lost"),
        ("Terminated", "worker lost"),
    }
    assert single.ask(single.spawn(Keeps, requires={"at 2": True}), [1]) == 1


# --- processes that are lost -----------------------------------------------------------------------------------------------------


def test_a_killed_worker_is_told_to_all_and_replaced(world: World, bank: ActorSystem) -> None:
    family = bank.spawn(Family)
    other = next(actor for actor in spread(bank, world) if actor.process != family.process)
    hoards = bank.spawn(Hoards, [family, other])
    lost, rest = (family, other) if hoards.process == other.process else (other, family)
    before = world.processes(bank)
    world.kill_process(bank, lost.process)
    with pytest.raises(ActorGone, match="worker lost"):
        bank.ask(lost, "tell")
    world.run(0.5)
    assert bank.ask(hoards, "tell") == [(lost, "worker lost")]
    assert bank.ask(rest, "tell") is not None
    after = world.processes(bank)
    assert len(after) == 2
    assert lost.process not in after
    assert set(after) - set(before)


def test_workers_that_die_again_and_again_are_replaced_with_back_off(world: World, bank: ActorSystem) -> None:
    down = []
    for _ in range(6):
        victim = max(world.processes(bank))
        world.kill_process(bank, victim)
        began = world.now
        world.run_until(lambda: len(world.processes(bank)) == 2, "30s")
        down.append(world.now - began)
    assert down[0] < 0.1
    assert all(pause > 0.1 * 2**number for number, pause in enumerate(down[1:]))


def test_an_actor_that_survives_its_process_keeps_its_address(world: World, bank: ActorSystem) -> None:
    one = bank.spawn(Keeps, "first", supervision=Restart(on_loss=True))
    bank.ask(one, [1])
    world.kill_process(bank, one.process)
    world.run(1)
    assert bank.ask(one, "tell") == ["first"]
    assert world.actor(one).kept == ["first"]


def test_what_a_process_had_written_comes_before_its_loss() -> None:
    def scenario(world: World) -> None:
        bank = world.system("bank", workers=2)
        sink, near = spread(bank, world)
        source = bank.spawn(Streams, sink, 50)
        while source.process == sink.process:
            source = bank.spawn(Streams, sink, 50)
        hoards = bank.spawn(Hoards, [source])
        while hoards.process != sink.process:
            hoards = bank.spawn(Hoards, [source])
        world.run(world.choices.between("test.when", (), 0, 60_000_000) / 1e9)
        world.kill_process(bank, source.process)
        world.run(1)
        kept = [number for number in world.actor(sink).kept if isinstance(number, int)]
        assert kept[-50:] == sorted(set(kept))[-50:], "in order"
        assert [reason for _, reason in world.actor(hoards).heard] == ["worker lost"]
        assert near is not None

    report = explore(scenario, range(30), policy="random", artefacts=None)
    assert report.ok, report


# --- processes that stand still, are slow, or can't be started -------------------------------------------------------------------


def test_a_paused_worker_stops_nobody_else_and_loses_nothing(world: World, bank: ActorSystem) -> None:
    one, two = spread(bank, world)
    world.pause(bank, "5s", process=one.process)
    for number in range(10):
        bank.send(one, number)
    assert bank.ask(two, [1]) == 1
    with pytest.raises(AskTimeout):
        bank.ask(one, [1], timeout=2)
    world.run(1)
    assert {bank.spawn(Keeps).process for _ in range(4)} == {two.process}, "nothing new where nothing moves"
    world.run(3)
    assert [kept for kept in bank.ask(one, "tell") if isinstance(kept, int)] == list(range(10))
    assert one.process in {bank.spawn(Keeps).process for _ in range(20)}


def test_a_slow_worker_takes_time(world: World, bank: ActorSystem) -> None:
    one, two = spread(bank, world)
    world.slow(bank, 200, process=one.process)
    times = []
    for actor in (one, two):
        began = world.now
        bank.ask(actor, [1])
        times.append(world.now - began)
    assert times[0] > 0.005
    assert times[1] == 0
    world.slow(bank, 0, process=one.process)
    world.run(1)
    began = world.now
    bank.ask(one, [1])
    assert world.now == began


def test_slow_sockets_delay_and_reorder_nothing(world: World, bank: ActorSystem) -> None:
    one, two = spread(bank, world)
    world.delay_sockets(bank, ("5ms", "50ms"))
    began = world.now
    bank.ask(one, [1])
    assert 0.01 <= world.now - began <= 0.1
    source = bank.spawn(Streams, one, 100)
    while source.process == one.process:
        source = bank.spawn(Streams, one, 100)
    world.run(2)
    assert [kept for kept in world.actor(one).kept if isinstance(kept, int)][:100] == list(range(100))
    assert two is not None


def test_no_process_can_be_started_for_a_while(world: World, bank: ActorSystem) -> None:
    family = bank.spawn(Family)
    world.fail_spawns(bank, "5s")
    with pytest.raises(ActorGone):
        bank.spawn(Keeps, isolation="process")
    bank.ask(family, {"isolation": "process"})
    world.run(0.5)
    told = bank.ask(family, "tell")
    assert {kind for _, kind, _ in told} == {"ChildExited", "Terminated"}
    victim = next(number for number in world.processes(bank) if number != family.process)
    world.kill_process(bank, victim)
    world.run(3)
    assert list(world.processes(bank)) == [family.process]
    assert bank.ask(bank.spawn(Keeps), [1]) == 1, "those that are there go on"
    world.run(10)
    assert len(world.processes(bank)) == 2


def test_a_crash_takes_all_processes_along(world: World) -> None:
    one, two = world.systems(2, capabilities=lambda number: {f"at {number}": True}, workers=2)
    family = one.spawn(Family)
    far = one.ask(family, {"requires": {"at 2": True}})
    world.crash(two)
    world.run(10)
    assert {reason for _, _, reason in one.ask(family, "tell")} == {"system lost"}
    again = world.restart("s2")
    assert list(world.processes(again).values()) == ["worker", "worker"]
    assert one.ask(one.ask(family, {"requires": {"at 2": True}}), [1]) == 1
    with pytest.raises(ActorGone):
        one.ask(far, "tell")


def test_what_makes_no_sense_is_refused(world: World, bank: ActorSystem) -> None:
    single = world.system("single")
    with pytest.raises(InvalidArgument, match="one process"):
        world.processes(single)
    with pytest.raises(InvalidArgument, match="no process 77"):
        world.kill_process(bank, 77)
    with pytest.raises(InvalidArgument):
        world.pause(bank, "1s", process=bank._runtime.number)
    with pytest.raises(InvalidArgument):
        world.system("other", workers=-1)


# --- at random -------------------------------------------------------------------------------------------------------------------


def storm(world: World) -> None:
    """Processes die, stand still and are slow; afterwards everybody has been told, and everything works."""
    systems = world.systems(2, workers=2)
    families = [system.spawn(Family, supervision=Restart(max=1000, on_loss=True)) for system in systems]
    world.nemesis(kill_process="1/3s", pause_process="1/3s", slow_process="1/5s", spawn_failure="1/20s", pause="1/20s")
    for _ in range(10):
        for system, family in zip(systems, families, strict=True):
            try:
                system.ask(family, {"isolation": "process"}, timeout=0.5)
                system.ask(family, {}, timeout=0.5)
            except (ActorGone, AskTimeout, SpawnFailed):
                pass
        world.run(1)
    world.quiet()
    world.run(20)
    for system, family in zip(systems, families, strict=True):
        assert sum(role == "worker" for role in world.processes(system).values()) == 2
        assert system.ask(system.spawn(Keeps), [1]) == 1
        child = system.ask(family, {})
        assert system.ask(child, [1]) == 1
        system.stop_actor(child)
        world.run(1)
        assert ("ChildExited", "stopped") in {told[1:] for told in system.ask(family, "tell")}


def test_a_storm_of_processes() -> None:
    report = explore(storm, range(4), check_determinism=0.5, artefacts=None)
    assert report.ok, report


@pytest.mark.soak
def test_many_storms_of_processes() -> None:
    report = explore(storm, range(300), check_determinism=0.1, artefacts=None)
    assert report.ok, report


def test_a_killed_process_that_matters_is_told() -> None:
    def scenario(world: World) -> None:
        bank = world.system("bank", workers=2)
        one, two = spread(bank, world)
        world.pause(bank, "1s", process=two.process)
        world.slow(bank, 3, process=one.process)
        world.delay_sockets(bank, "1ms")
        world.kill_process(bank, two.process)
        world.kill_process(bank, one.process)
        bank.ask(one, "tell")

    report = explore(scenario, [1], artefacts=None)
    assert report.story == "order of arrival and no faults, except: the scenario's killed process 2 of bank"
