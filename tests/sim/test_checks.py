"""Checks of a world: each finds what it is for, at the right time, and changes nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorGone, ActorSystem, Address, AskTimeout, HandlerFailed, Stop, on
from garrick.errors import InvalidArgument, SimFailure
from garrick.sim import reached, sometimes
from garrick.sim.goals import counts
from garrick.sim.world import World, world_of
from garrick.sources.container import Limits, members, read
from garrick.sources.loading import load
from garrick.sources.manifest import parse
from garrick.sources.storage import Memory
from garrick.sources.unload import unload
from tests.sources.making import made

from .actors import Counter, Echo, Sleeper


class Holds(Actor):
    """Keeps numbers; told by other tests' predicates."""

    held: list[int]

    def __init__(self, held: list[int]) -> None:
        self.held = held

    @on
    def take(self, message: int) -> None:
        self.held.append(message)


class Fails(Actor):
    @on
    def fail(self, message: str) -> None:
        raise LookupError(message)


@pytest.fixture
def world() -> Iterator[World]:
    with World(1) as world:
        yield world


def failure_of(action: Callable[[], Any]) -> SimFailure:
    with pytest.raises(SimFailure) as failure:
        action()
    return failure.value


# --- always ----------------------------------------------------------------------------------------------------------------


def test_always_fails_in_the_step_that_breaks_it(world: World) -> None:
    held: list[int] = []
    system = world.system("one")
    holds = system.spawn(Holds, held)
    world.always("small", lambda: max(held, default=0) < 3)
    for number in range(6):
        system.send(holds, number)
    failure = failure_of(lambda: world.run(10))
    assert held == [0, 1, 2, 3]
    assert (failure.check, failure.kind) == ("small", "always")
    assert failure.step == world.step
    assert failure.now == world.now
    assert "Holds" in failure.tail[-1]
    assert world.failure is failure


def test_after_a_violation_nothing_more_is_checked_and_the_world_goes_on(world: World) -> None:
    held: list[int] = []
    system = world.system("one")
    holds = system.spawn(Holds, held)
    world.always("small", lambda: not held)
    system.send(holds, 1)
    failure_of(lambda: world.run(1))
    system.ask(holds, 2)
    assert held == [1, 2]


def test_a_violation_is_raised_by_whatever_the_program_waits_in(world: World) -> None:
    held: list[int] = []
    system = world.system("one")
    holds = system.spawn(Holds, held)
    world.always("none", lambda: not held)
    assert failure_of(lambda: system.ask(holds, 1)).check == "none"


def test_an_expensive_predicate_is_looked_at_less_often(world: World) -> None:
    looks: list[int] = []
    system = world.system("one")
    echo = system.spawn(Echo)

    def look() -> bool:
        looks.append(1)
        return True

    world.always("cheap", look, every=10)
    before = world.step
    for number in range(30):
        system.ask(echo, number)
    assert len(looks) == -(-(world.step - before) // 10)


def test_a_violation_while_the_programs_thread_waits_in_a_handler_ends_its_wait(world: World) -> None:
    system = world.system("one")
    counter, sleeper = system.spawn(Counter, 1.0), system.spawn(Sleeper)
    ticks = [0]

    def few() -> bool:
        ticks[0] = max(ticks[0], int(world.now))
        return ticks[0] < 20

    world.always("few", few)
    failure = failure_of(lambda: system.ask(sleeper, 1e6, timeout=2e6))
    assert failure.check == "few"
    assert world.now < 30
    assert system.ask(counter, "how many") >= 19


# --- eventually, leads_to -----------------------------------------------------------------------------------------------------


def test_eventually_is_content_in_time_and_fails_after_it(world: World) -> None:
    system = world.system("one")
    system.spawn(Counter, 1.0)
    began = world.now
    world.eventually("late enough", lambda: world.now >= began + 3, within="5s")
    world.run(10)
    world.eventually("never", lambda: False, within="5s")
    due = world.now + 5
    failure = failure_of(lambda: world.run(60))
    assert (failure.check, failure.kind) == ("never", "eventually")
    assert due < failure.now <= due + 1.1


def test_verify_lets_the_world_go_on_until_everything_has_come(world: World) -> None:
    system = world.system("one")
    system.spawn(Counter, 1.0)
    began = world.now
    world.eventually("soon", lambda: world.now >= began + 3, within="5s")
    world.verify()
    assert began + 3 <= world.now < began + 5
    world.eventually("never", lambda: False, within="5s")
    assert failure_of(world.verify).check == "never"


def test_verify_ends_also_where_nothing_happens_any_more() -> None:
    with ActorSystem("sim") as system:
        world = world_of(system)
        assert world is not None
        world.eventually("never", lambda: False, within="5s")
        assert failure_of(world.verify).now == pytest.approx(5, abs=0.001)


def test_leads_to_wants_an_effect_for_each_cause(world: World) -> None:
    system = world.system("one")
    held: list[int] = []
    holds = system.spawn(Holds, held)
    world.leads_to("odd -> even", lambda: held and held[-1] % 2, lambda: held and held[-1] % 2 == 0, within="2s")
    for number in (1, 2, 3):
        system.ask(holds, number)
        world.run(1)
    system.ask(holds, 4)
    world.run(10)
    system.ask(holds, 5)
    failure = failure_of(lambda: world.run(10))
    assert (failure.check, failure.kind) == ("odd -> even", "leads to")


# --- deadlock, livelock -------------------------------------------------------------------------------------------------------


class Awaits(Actor):
    """Waits for what nobody does."""

    async def receive(self, message: Any, sender: Any) -> None:
        await asyncio.get_running_loop().create_future()


class Passes(Actor):
    """Passes questions on, and waits for the answers."""

    def __init__(self, following: Address[Any]) -> None:
        self.following = following

    def receive(self, message: Any, sender: Any) -> None:
        self.reply(self.ask(self.following, message).result())


def test_a_deadlock_is_found_before_the_time_out() -> None:
    with ActorSystem("sim") as system:
        alone = world_of(system)
        assert alone is not None
        alone.no_deadlock()
        awaits = system.spawn(Awaits)
        failure = failure_of(lambda: system.ask(awaits, "x", timeout=100))
        assert failure.kind == "deadlock"
        assert failure.now < 5
        assert f"Awaits {awaits}" in str(failure)


def test_a_deadlock_between_systems_is_found_in_spite_of_their_heartbeats(world: World) -> None:
    first, second = world.systems(2)
    world.no_deadlock()
    awaits = second.spawn(Awaits)
    failure = failure_of(lambda: first.ask(awaits, "x", timeout=1e4))
    assert failure.kind == "deadlock"
    assert 60 <= failure.now < 100


def test_who_waits_for_a_timer_or_an_answer_that_comes_is_no_deadlock() -> None:
    with ActorSystem("sim") as system:
        world = world_of(system)
        assert world is not None
        world.strict()
        chain = system.spawn(Sleeper)
        for _ in range(3):
            chain = system.spawn(Passes, chain)
        assert system.ask(chain, 20.0)
        awaits = system.spawn(Awaits)
        system.send(awaits, "for ever, and nobody waits for it")
        world.run(1000)


def test_a_livelock_is_found_and_says_who_is_busy(world: World) -> None:
    class Spins(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            self.send(self.address, message)

    system = world.system("one")
    spins = system.spawn(Spins)
    world.no_livelock(500)
    system.send(spins, "again")
    failure = failure_of(lambda: world.run(1))
    assert failure.kind == "livelock"
    assert "Spins" in str(failure)


# --- failures, dead letters ---------------------------------------------------------------------------------------------------


def test_a_failure_that_nobody_hears_of_is_raised(world: World) -> None:
    system = world.system("one")
    fails = system.spawn(Fails)
    world.no_failures()
    system.send(fails, "unheard")
    failure = failure_of(lambda: world.run(1))
    assert failure.kind == "failure"
    assert failure.check.endswith("Fails: LookupError")
    assert "unheard" in str(failure)


def test_a_failure_that_the_asker_gets_or_that_is_expected_is_not(world: World) -> None:
    system = world.system("one")
    fails = system.spawn(Fails)
    world.no_failures(LookupError)
    system.send(fails, "expected")
    world.run(10)
    world.no_failures()
    with pytest.raises(HandlerFailed):
        system.ask(fails, "heard")


def test_a_dead_letter_that_nobody_expects_is_raised(world: World) -> None:
    system = world.system("one")
    gone = system.spawn(Echo)
    system.stop_actor(gone)
    world.no_dead_letters("unhandled")
    holds = system.spawn(Holds, [])
    system.send(holds, "it takes numbers")
    world.run(1)
    system.send(gone, "x")
    failure = failure_of(lambda: world.run(1))
    assert (failure.kind, failure.check) == ("dead letter", "str: stopped")


# --- leaks ----------------------------------------------------------------------------------------------------------------------


class Leaks(Actor):
    """Leaves things behind, as it is told."""

    @on
    def leave(self, message: str) -> Address[Any] | None:
        if message == "child":
            return self.spawn(Echo)
        if message == "ask":
            self.ask(self.spawn(Silent, name="silent"), "x", timeout=1e6)
        if message == "watch":
            child = self.spawn(Echo)
            self.watch(child)
            self.stop(child)
        return None


class Silent(Actor):
    def receive(self, message: Any, sender: Any) -> None:
        self.defer()


def test_nothing_is_left_over_when_all_have_ended(world: World) -> None:
    system = world.system("one")
    leaks = system.spawn(Leaks)
    for what in ("child", "ask", "watch"):
        system.ask(leaks, what)
    world.check_no_leaks(keep=[leaks])
    system.stop_actor(leaks)
    world.check_no_leaks()


def test_actors_and_asks_that_are_left_over_are_found(world: World) -> None:
    system = world.system("one")
    leaks = system.spawn(Leaks)
    child = system.ask(leaks, "child")
    failure = failure_of(world.check_no_leaks)
    assert failure.kind == "leak"
    assert f"actor Echo {child} of {leaks}" in str(failure)
    system.ask(leaks, "ask")
    assert "ask to" in str(failure_of(world.check_no_leaks))


def test_timers_of_ended_actors_are_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    system = world.system("one")
    counter = system.spawn(Counter, 1.0)
    from garrick.runtime.timers import Timer

    with monkeypatch.context() as bug:
        bug.setattr(Timer, "cancel", lambda self: None)
        system.stop_actor(counter)
    assert f"timer of Counter {counter}" in str(failure_of(world.check_no_leaks))


# --- goals and coverage ---------------------------------------------------------------------------------------------------------


def test_sources_that_are_held_or_outlive_their_unloading_are_found(world: World, tmp_path: Path) -> None:
    opened = read(made(tmp_path, {"leaky/__init__.py": "class Thing: pass"}, name="leaky"), Limits())
    manifest = parse(opened.text)
    loaded = load(Memory(manifest, members(manifest, opened.archive, Limits()), f"/@memory/{opened.hash}"))
    thing = [loaded.import_module("leaky").Thing]
    world.check_no_leaks()  # it is loaded, which is no leak
    loaded.acquire()
    assert "source <source leaky 1.0" in str(failure_of(world.check_no_leaks))
    with World(1) as later:
        later.check_no_leaks()  # that was somebody else
        loaded.release()
        gc.freeze()  # what keeps the class is looked for in what is younger
        try:
            assert unload(loaded).leaked
        finally:
            gc.unfreeze()
        assert "is unloaded, but Thing lives" in str(failure_of(later.check_no_leaks))
    thing.clear()
    gc.collect()
    with World(1) as last:
        last.check_no_leaks()


class Reaches(Actor):
    def receive(self, message: int, sender: Any) -> None:
        sometimes("big", message > 10)
        reached("here")
        self.reply(message)


def test_goals_are_counted_where_they_are_met(world: World) -> None:
    system = world.system("one")
    reaches = system.spawn(Reaches)
    for number in (1, 2, 11):
        system.ask(reaches, number)
    world.sometimes("never", condition=False)
    world.reached("the end")
    assert world.goals == {"big": 1, "here": 3, "never": 0, "the end": 1}


def test_goals_outside_of_worlds_only_count() -> None:
    before = counts["outside"]
    reached("outside")
    assert counts["outside"] == before + 1


def test_what_was_handled_is_covered_by_class_behaviour_and_message(world: World) -> None:
    class Doors(Actor):
        @on
        def open(self, message: str) -> str:
            self.become(self.opened)
            return "opening"

        def opened(self, message: Any, sender: Any) -> Any:
            return "open"

    system = world.system("one")
    doors = system.spawn(Doors)
    assert [system.ask(doors, m) for m in ("x", "x", 3)] == ["opening", "open", "open"]
    name = f"{__name__}.{Doors.__qualname__}"
    found = {key: count for key, count in world.coverage.items() if key[0] == name}
    assert found == {(name, "", "str"): 1, (name, "opened", "str"): 1, (name, "opened", "int"): 1}


# --- checks change nothing ------------------------------------------------------------------------------------------------------


def test_the_trace_is_the_same_with_and_without_checks() -> None:
    def run(*, checked: bool) -> str:
        with World(3) as world:
            if checked:
                world.always("yes", lambda: True)
                world.eventually("late", lambda: world.now > 5, within="1h")
                world.leads_to("x", lambda: True, lambda: True, within="1s")
                world.no_livelock()
                world.no_deadlock()
                world.no_dead_letters("late reply", "stopped")
                world.no_failures(Exception)
            first, second = world.systems(2)
            counter = second.spawn(Counter, 0.7)
            for _ in range(5):
                first.ask(counter, "how many")
                world.run(2)
            with pytest.raises(AskTimeout):
                first.ask(second.spawn(Silent), 1, timeout=3)
            world.crash("s2")
            with pytest.raises(ActorGone):
                first.ask(counter, "how many", timeout=60)
            return f"{world.trace.hash} {world.step}"

    assert run(checked=True) == run(checked=False)


# --- letting it happen --------------------------------------------------------------------------------------------------------


def test_steps_happen_one_by_one(world: World) -> None:
    held: list[int] = []
    system = world.system("one")
    holds = system.spawn(Holds, held)
    world.run_idle()
    for number in range(5):
        system.send(holds, number)
    assert held == []
    assert world.run_steps(2) == 2
    assert held == [0, 1]
    before = world.now
    world.run_idle()
    assert (held, world.now) == ([0, 1, 2, 3, 4], before)


def test_run_until_stops_where_the_condition_holds_and_demands_it(world: World) -> None:
    system = world.system("one")
    counter = system.spawn(Counter, 1.0)
    cell = system._runtime.cells[counter.serial]
    world.run_until(lambda: cell.actor.ticks == 7)
    assert system.ask(counter, "how many") == 7
    failure = failure_of(lambda: world.run_until(lambda: cell.actor.ticks == 6, timeout="10s"))
    assert failure.kind == "run_until"


def test_time_passes_as_it_is_written(world: World) -> None:
    began = world.now
    world.time_passes("1500ms")
    world.time_passes(1.5)
    assert world.now == pytest.approx(began + 3)


def test_a_handler_cannot_drive_its_world(world: World) -> None:
    class Drives(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            world.run_steps(1)

    system = world.system("one")
    with pytest.raises(HandlerFailed) as failure:
        system.ask(system.spawn(Drives), "x")
    assert isinstance(failure.value.error, InvalidArgument)


def test_a_failed_world_can_be_closed_and_leaves_no_thread() -> None:
    before = threading.active_count()

    class Stuck(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            time.sleep(1e6)

    with World() as world:
        system = world.system("one")
        system.spawn(Counter, 1.0)
        system.send(system.spawn(Stuck, supervision=Stop()), "x")
        world.always("short", lambda: world.now < 100)
        failure_of(lambda: world.run(1000))
    assert threading.active_count() == before
