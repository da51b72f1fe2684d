"""Worlds of several systems, by the real admin, gateway and link."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from garrick import Actor, ActorGone, AskDeadlock, HandlerFailed, NoCapableSystem, Terminated, UnpicklableMessage, on
from garrick.errors import InvalidArgument, SystemExists
from garrick.sim.world import World

from .actors import Asks, Echo, Keeper, Sleeper


def test_an_actor_is_placed_where_its_requirements_are_met() -> None:
    with World() as world:
        first, _ = world.system("first"), world.system("second", {"db": True})
        assert first.ask(first.spawn(Keeper), 2) == [("hello", "second")] * 2
        with pytest.raises(NoCapableSystem):
            first.spawn(Echo, requires={"tape": True})


def test_many_systems() -> None:
    with World(seed=4) as world:
        systems = world.systems(20)
        with pytest.raises(SystemExists):
            world.system("s7")
        targets = [system.spawn(Echo) for system in systems]
        for number, target in enumerate(targets, 1):
            assert systems[0].ask(target, number) == (number, f"s{number}")


def test_a_crash_is_told_to_those_who_hang_on_it() -> None:
    with World() as world:
        first = world.system("first")
        world.system("second", {"db": True})
        keeper = first.spawn(Keeper)
        first.ask(keeper, 1)
        child = first.ask(keeper, b"")[0]
        crashed = world.now
        world.crash("second")
        with first.dead_letters() as letters:
            with pytest.raises(ActorGone) as gone:
                first.ask(child, "into the void")
            assert gone.value.outcome_unknown
            assert 0 < world.now - crashed <= 5
            assert letters.receive(1).reason == "system lost"
        assert [note[1:] for note in first.ask(keeper, "told")] == [
            ("ChildExited", "system lost"),
            ("Terminated", "system lost"),
        ]
        with pytest.raises(ActorGone):
            first.ask(child, "known to be gone")
        world.system("second", {"db": True})
        assert first.ask(keeper, 1) == [("hello", "second")]
        with pytest.raises(InvalidArgument):
            world.crash("third")


def test_a_system_that_leaves_says_so() -> None:
    with World() as world:
        first, second = world.system("first"), world.system("second", {"db": True})
        keeper = first.spawn(Keeper)
        first.ask(keeper, 1)
        second.stop()
        world.run(1)
        assert ("ChildExited", "stopped") in [note[1:] for note in first.ask(keeper, "told")]


def test_a_system_that_leaves_ends_the_children_of_others() -> None:
    with World() as world:
        first, second = world.system("first"), world.system("second", {"db": True})
        first.ask(first.spawn(Keeper), 1)
        assert second.stop() == []


def test_watchers_are_told_in_the_order_in_which_they_began() -> None:
    class Watches(Actor):
        def __init__(self) -> None:
            self.ended: list[int] = []

        @on
        def begin(self, message: int) -> None:
            self.watched = [self.spawn(Echo, requires={"db": True}) for _ in range(message)]
            for target in self.watched:
                self.watch(target)

        @on
        def told(self, message: Terminated) -> None:
            self.ended.append(self.watched.index(message.actor))

        @on
        def which(self, message: str) -> list[int]:
            return self.ended

    with World() as world:
        first, _ = world.system("first"), world.system("second", {"db": True})
        watches = first.spawn(Watches)
        first.ask(watches, 12)
        world.crash("second")
        world.run(5)
        assert first.ask(watches, "which") == list(range(12))


def test_a_cycle_over_two_systems_is_a_deadlock() -> None:
    with World() as world:
        first, second = world.systems(2)
        here = first.spawn(Asks)
        there = second.spawn(Asks, here)
        assert first.ask(here, there) == "known"
        began = world.now
        with pytest.raises(HandlerFailed) as failure:
            first.ask(here, "x")
        error: BaseException | None = failure.value
        while isinstance(error, HandlerFailed):
            error = error.error
        assert isinstance(error, AskDeadlock)
        assert world.now - began < 1


def test_a_message_that_cannot_leave_raises_where_it_is_sent() -> None:
    with World() as world:
        first, second = world.systems(2)
        target = second.spawn(Echo)
        with pytest.raises(UnpicklableMessage):
            first.send(target, {"lock": threading.Lock()})
        message = {"a": [1]}
        with first.inbox() as inbox:
            inbox.send(target, message)
            answer, _ = inbox.receive(5)
        assert answer == message
        assert answer is not message


class Shares(Actor):
    """Gives away what it keeps."""

    def __init__(self, kept: list[Any]) -> None:
        self.kept = kept

    @on
    def mine(self, message: str) -> list[Any]:
        return self.kept

    @on
    async def soon(self, message: bytes) -> list[Any]:
        return self.kept

    @on
    def lock(self, message: int) -> Any:
        return threading.Lock()

    @on
    def take(self, message: list) -> list[Any]:  # type: ignore[type-arg]
        message.append("taken")
        return self.kept


@pytest.mark.parametrize("fidelity", ["objects", "pickle"])
def test_what_actors_of_one_process_share(fidelity: str) -> None:
    shared = fidelity == "objects"
    with World() as world:
        system = world.system("one", fidelity=fidelity)
        kept: list[Any] = ["mine"]
        shares = system.spawn(Shares, kept)
        own = world.actor(shares).kept
        assert (own is kept) is shared
        for question in ("?", b"?"):
            assert (system.ask(shares, question) is own) is shared
        mine: list[Any] = []
        system.ask(shares, mine)
        assert mine == (["taken"] if shared else [])
        with pytest.raises(InvalidArgument):
            world.system("two", fidelity="frames")


def test_what_cannot_be_pickled_cannot_be_given_to_an_actor_that_copies() -> None:
    with World() as world:
        system = world.system("one", fidelity="pickle")
        shares = system.spawn(Shares, [])
        for attempt in (
            lambda: system.ask(shares, threading.Lock()),
            lambda: system.ask(shares, 1),
            lambda: system.spawn(Shares, threading.Lock()),
        ):
            with pytest.raises(UnpicklableMessage):
                attempt()
        again = world.restart("one")
        kept: list[Any] = []
        assert again.ask(again.spawn(Shares, kept), "?") is not kept


def test_a_crash_has_no_last_words() -> None:
    said = []

    class Talks(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            try:
                time.sleep(1)
            finally:
                said.append("sync")

        def stopping(self, reason: str) -> None:
            said.append("stopping")

    class TalksAsync(Actor):
        async def receive(self, message: Any, sender: Any) -> None:
            await asyncio.sleep(1)
            said.append("async")

    with World() as world:
        first, second = world.systems(2)
        for kind in (Talks, TalksAsync):
            first.send(second.spawn(kind), "go")
        world.run(0.5)
        # The program's own thread must not be the one that is parked in a handler of the system that crashes.
        world.crash("s2")
        world.run(10)
        assert first.ask(first.spawn(Sleeper), 1) > 10
    assert "async" not in said
    assert "stopping" not in said


def test_a_waiting_handler_of_one_system_does_not_stop_another() -> None:
    with World() as world:
        first, second = world.systems(2)
        slow = first._runtime.ask(first.spawn(Sleeper), 100.0, 200)
        assert second.ask(second.spawn(Echo), 1) == (1, "s2")
        assert slow.result() >= 100
