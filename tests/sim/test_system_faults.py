"""Faults of whole systems: crash, restart, pause, slowness, clocks, and the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from garrick import Actor, ActorGone, ActorSystem, Address, AskTimeout, Bounded, MailboxFull, SpawnFailed, on
from garrick.errors import InvalidArgument
from garrick.sim import explore
from garrick.sim.clock import EPOCH, LocalClock, VirtualClock
from garrick.sim.world import World

from .actors import Counter, Echo
from .fault_actors import Collects, Notes, Sends, Spawns


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=3) as world:
        yield world


def pair(world: World) -> tuple[ActorSystem, ActorSystem]:
    return world.system("one"), world.system("two", {"role": "worker"})


def lost(notes: list[Any]) -> list[float]:
    return [at for at, what, reason in notes if (what, reason) == ("ChildExited", "system lost")]


# --- crash and restart ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("silent", "low", "high"), [(False, 0.9, 1.5), (True, 2.9, 5.0)])
def test_a_crash_is_noticed_by_reset_or_by_silence(world: World, silent: bool, low: float, high: float) -> None:
    one, two = pair(world)
    notes = one.spawn(Notes, "worker")
    one.ask(notes, "told")
    began = world.now
    world.crash(two, silent=silent)
    world.run(10)
    [at] = lost(one.ask(notes, "told"))
    assert low <= at - began <= high


def test_how_a_crash_is_noticed_is_a_choice() -> None:
    found = set()
    for seed in range(8):
        with World(seed=seed) as world:
            one, two = pair(world)
            notes = one.spawn(Notes, "worker")
            one.ask(notes, "told")
            began = world.now
            world.crash(two)
            world.run(10)
            found.add(lost(one.ask(notes, "told"))[0] - began > 2)
    assert found == {False, True}


def test_a_restarted_system_is_a_new_incarnation_without_its_actors(world: World) -> None:
    one, two = pair(world)
    notes = one.spawn(Notes, "worker")
    child = one.ask(notes, "child")
    again = world.restart(two)
    assert again.name == "two"
    world.run(10)
    with pytest.raises(ActorGone):
        one.ask(child, "numbers")
    assert len(lost(one.ask(notes, "told"))) == 1
    fresh = one.ask(one.spawn(Notes, "worker"), "child")  # it has the capabilities of its former life
    assert fresh.system != child.system
    assert fresh.system.partition("@")[0] == "two"
    assert one.ask(fresh, "numbers") == []
    with pytest.raises(InvalidArgument):
        world.restart("three")


def test_frames_of_an_earlier_life_reach_nobody(world: World) -> None:
    one, two = pair(world)
    collects = one.spawn(Collects)
    two.send(two.spawn(Sends, collects, 0.001), 1000)
    world.net.link(two, one, one_way=True).set(latency="400ms")
    world.run(1)
    before = one.ask(collects, "numbers")
    assert world.net.link(two, one).in_flight > 10
    world.restart(two)
    world.run(10)
    numbers = one.ask(collects, "numbers")
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= len(before)


def test_a_crash_has_no_last_words_even_in_what_waits() -> None:
    said: list[str] = []

    class Waits(Actor):
        async def receive(self, message: Any, sender: Any) -> None:
            try:
                await asyncio.sleep(1)
            finally:
                said.append("finally")

        def stopping(self, reason: str) -> None:
            said.append("stopping")

    with World() as world:
        one, two = world.systems(2)
        two.send(two.spawn(Waits), "go")
        world.run(0.5)
        world.crash(two, silent=True)
        world.run(20)
        assert said == []
        assert one.ask(one.spawn(Echo), 1) == (1, "s1")


# --- pause and slowness --------------------------------------------------------------------------------------------------------


def test_nothing_of_a_paused_system_happens(world: World) -> None:
    one, two = pair(world)
    counter = two.spawn(Counter, 0.1)
    world.run(1)
    world.pause(two, "2s")
    world.run(1.9)
    began = world.now
    ticks = two.ask(counter, "how many", timeout=30)
    assert world.now - began == pytest.approx(0.1, abs=0.01)
    assert 8 <= ticks <= 12
    assert one.ask(counter, "how many") <= ticks + 1


def test_a_handler_that_waits_stands_still_too(world: World) -> None:
    woke: list[float] = []

    class Naps(Actor):
        def receive(self, message: float, sender: Any) -> None:
            time.sleep(message)
            woke.append(world.now)

    class NapsAsync(Actor):
        async def receive(self, message: float, sender: Any) -> None:
            await asyncio.sleep(message)
            woke.append(world.now)

    two = pair(world)[1]
    # With a thread of its own, or the program would wait for it before it pauses the system.
    for target in (two.spawn(Naps, isolation="thread"), two.spawn(NapsAsync)):
        two.send(target, 1.0)
    world.run(0.5)
    began = world.now
    world.pause(two, "3s")
    world.run(10)
    assert [at - began for at in woke] == [pytest.approx(3, abs=0.01)] * 2


def test_a_short_pause_is_suspected_and_nothing_is_lost(world: World) -> None:
    one, two = pair(world)
    notes = one.spawn(Notes, "worker")
    child = one.ask(notes, "child")
    one.send(one.spawn(Sends, child, 0.01), 200)
    world.run(0.5)
    world.pause(two, "2s")
    world.run(1.9)
    with pytest.raises(AskTimeout):
        one.ask(child, "numbers", timeout=0.05)
    world.run(10)
    assert one.ask(child, "numbers") == list(range(200))
    assert one.ask(notes, "told") == []


def test_a_long_pause_is_buried_and_the_system_comes_back(world: World) -> None:
    one, two = pair(world)
    notes = one.spawn(Notes, "worker")
    child = one.ask(notes, "child")
    began = world.now
    world.pause(two, "20s")
    world.run(19)
    [at] = lost(one.ask(notes, "told"))
    assert 2.5 <= at - began <= 5
    world.run(10)
    # It learned that it had been given up: what hung on the others has ended, and it takes part again.
    with pytest.raises(ActorGone):
        one.ask(child, "numbers")
    assert one.ask(one.ask(one.spawn(Notes, "worker"), "child"), "numbers") == []


def test_a_slow_system_takes_time(world: World) -> None:
    two = pair(world)[1]
    collects = two.spawn(Collects)
    world.slow(two, 20)  # 1 ms each
    began = world.now
    for number in range(100):
        two.send(collects, number)
    assert two.ask(collects, "numbers") == list(range(100))
    assert 0.1 <= world.now - began <= 0.12
    world.slow(two, 0)
    began = world.now
    two.ask(collects, "numbers")
    assert world.now == began
    with pytest.raises(InvalidArgument):
        world.slow(two, -1)


# --- clocks --------------------------------------------------------------------------------------------------------------------


def test_a_clock_that_drifts() -> None:
    true = VirtualClock()
    clock = LocalClock(true)
    for drift in (0, 100, -200, 300_000, -300_000, 0):
        clock.set_drift(drift)
        before = clock.now()
        for seconds in (0.001, 1 / 3, 7.0, 86_400.0):
            due = clock.instant(before + seconds)
            true.ns = due
            assert clock.now() >= before + seconds
            true.ns = due - 2
            assert clock.now() < before + seconds
            true.ns = due
    assert clock.wall() == pytest.approx(EPOCH + clock.now())


def test_timers_go_by_the_clock_of_their_system(world: World) -> None:
    one, two = pair(world)
    counters = [system.spawn(Counter, 1.0) for system in (one, two)]
    world.drift(two, 100_000)
    world.run(100)
    assert [one.ask(counter, "?") for counter in counters] == [pytest.approx(100, abs=1), pytest.approx(110, abs=1)]
    with pytest.raises(InvalidArgument):
        world.drift(two, -600_000)


def test_an_ask_ends_by_the_clock_of_the_asker(world: World) -> None:
    class Silent(Actor):
        @on
        def ask_me(self, message: str) -> None:
            self.defer()

    one, two = pair(world)
    silent = two.spawn(Silent)
    world.drift(one, 250_000)
    began = world.now
    with pytest.raises(AskTimeout):
        one.ask(silent, "?", timeout=10)
    assert world.now - began == pytest.approx(8, abs=0.01)


def test_a_jump_of_the_wall_clock_moves_no_timer(world: World) -> None:
    one, two = pair(world)
    counter = two.spawn(Counter, 1.0)
    wall = two._runtime.clock.wall()
    world.set_clock(two, "1h")
    assert two._runtime.clock.wall() == pytest.approx(wall + 3600)
    assert one._runtime.clock.wall() == pytest.approx(wall)
    world.set_clock(two, -7200)
    world.run(10)
    assert two.ask(counter, "?") == pytest.approx(10, abs=1)
    assert two._runtime.clock.wall() == pytest.approx(wall - 3600 + 10, abs=0.5)


# --- the engine ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lose_directory", [False, True])
def test_an_outage_of_the_engine_loses_nothing(world: World, lose_directory: bool) -> None:
    one, two = pair(world)
    notes = one.spawn(Notes, "worker")
    child = one.ask(notes, "child")
    one.send(one.spawn(Sends, child, 0.01), 300)
    world.net.defaults(latency=("1ms", "20ms"))
    world.run(1)
    world.engine.stop()
    assert not world.engine.running
    world.run(1)
    with pytest.raises(AskTimeout):
        one.ask(child, "numbers", timeout=1)
    world.run(30)
    world.engine.start(lose_directory=lose_directory)
    world.run(20)
    assert one.ask(child, "numbers") == list(range(300))
    assert one.ask(notes, "told") == []
    assert two.ask(one.spawn(Echo), 1) == (1, "one")


def test_a_fail_over_in_the_middle_of_a_stream(world: World) -> None:
    one, two = pair(world)
    collects: Address[Any] = two.spawn(Collects)
    one.send(one.spawn(Sends, collects, 0.01), 500)
    world.net.defaults(latency=("1ms", "20ms"))
    for _ in range(4):
        world.run(1)
        world.engine.fail_over()
    world.run(10)
    assert two.ask(collects, "numbers") == list(range(500))


def test_a_system_that_starts_during_an_outage_joins_afterwards(world: World) -> None:
    one = world.system("one")
    world.engine.stop()
    two = world.system("two", {"role": "worker"})
    world.run(5)
    assert two.ask(two.spawn(Echo), 1) == (1, "two")
    world.engine.start()
    world.run(10)
    assert one.ask(one.spawn(Notes, "worker"), "told") == []


# --- mailboxes and spawns ------------------------------------------------------------------------------------------------------


def test_full_mailboxes_refuse_what_their_overflow_says(world: World) -> None:
    one, two = pair(world)
    bounded, free = two.spawn(Echo, mailbox=Bounded(100)), two.spawn(Echo)
    letters, inbox = two.dead_letters(), one.inbox()
    failing = two.spawn(Echo, mailbox=Bounded(100, overflow="fail"))
    world.fill_mailboxes(two, "5s")
    with pytest.raises(MailboxFull):
        one.ask(bounded, 1)
    one.ask(free, 1)
    inbox.send(failing, 3)
    assert isinstance(inbox.receive(1).error, MailboxFull)
    one.send(bounded, 2)
    assert [letters.receive(1).reason for _ in range(2)] == ["mailbox full"] * 2
    world.run(5)
    one.ask(bounded, 3, timeout=1)


def test_spawns_fail_as_long_as_no_process_can_be_started(world: World) -> None:
    one, two = pair(world)
    parent, inbox = two.spawn(Spawns), two.inbox()
    restarts = two.spawn(Echo)
    world.fail_spawns(two, "5s")
    with pytest.raises(SpawnFailed, match="no process could be started for Echo"):
        two.spawn(Echo)
    with pytest.raises(SpawnFailed):
        one.spawn(Echo, requires={"role": "worker"})
    two.ask(parent, Echo)
    world.run(0.1)
    assert two.ask(parent, "tell") == [("refused", "SpawnFailed")]
    two.ask(restarts, 1)
    two.inbox()
    assert one.ask(one.spawn(Echo), 1)
    world.run(5)
    assert two.ask(two.spawn(Echo), 1)
    inbox.close()


def test_quiet_ends_full_mailboxes_and_failing_spawns(world: World) -> None:
    one, _ = pair(world)
    bounded = one.spawn(Echo, mailbox=Bounded(1))
    world.fill_mailboxes(one, "1h")
    world.fail_spawns(one, "1h")
    world.quiet()
    one.ask(bounded, 1)
    one.spawn(Echo)


def test_scripted_faults_that_do_not_matter_are_left_out() -> None:
    def scenario(world: World) -> None:
        one, two = pair(world)
        echo = two.spawn(Echo)
        world.pause(one, "1s")
        world.slow(two, 3)
        cut = world.net.cut_off(two)
        world.net.heal(cut)
        world.drift(one, 100)
        world.engine.fail_over()
        world.run(3)
        world.pause(two, "1s")
        world.set_clock(two, "1h")
        world.crash(two)
        with pytest.raises(ActorGone):
            one.ask(echo, 1, timeout=10)
        raise ValueError("it is gone")

    report = explore(scenario, [1], artefacts=None)
    assert report.story == "order of arrival and no faults, except: the scenario's crash 1 of two"
    assert report.shrunk is not None
    assert list(report.shrunk.overrides) == [("script.crash", ("two", 1))]
