"""Orders of events: what a policy may change, and what it never does."""

from __future__ import annotations

from typing import Any

import pytest

from garrick import Actor, Address, InvalidArgument, on
from garrick.node.local import InProcessAdmin
from garrick.sim.choices import Choices
from garrick.sim.kernel import Due
from garrick.sim.membership import WorldMembership
from garrick.sim.order import Line, OpenKernel, Policy
from garrick.sim.policies import FIFO, Fifo, Overtaking, Pct, Starving, Uniform, chosen, policy_of
from garrick.sim.world import World

from .actors import Echo, scenario

POLICIES = ["random", "pct:1", "pct:4", "starve:second", "portfolio"]


class Numbers(Actor):
    """Keeps what it gets, by sender."""

    def __init__(self) -> None:
        self.got: dict[str, list[int]] = {}

    @on
    def number(self, message: int) -> int:
        self.got.setdefault(str(self.sender), []).append(message)
        return message

    @on
    def labelled(self, message: tuple[str, int]) -> None:
        self.got.setdefault(message[0], []).append(message[1])

    @on
    def tell(self, message: str) -> dict[str, list[int]]:
        return self.got


class Talker(Actor):
    """Makes an actor of its own, and sends to it and to the common one, plain and as questions."""

    def __init__(self, label: str, common: Address[Any]) -> None:
        self.label = label
        self.common = common

    @on
    def talk(self, message: int) -> list[int]:
        own = self.spawn(Numbers)
        for number in range(message):
            for target in (own, self.common):
                if number % 3:
                    self.send(target, (self.label, number))
                else:
                    self.ask(target, (self.label, number))
        return self.ask(own, "tell").result()[self.label]  # type: ignore[no-any-return]


class AsyncTalker(Talker):
    """The same between awaits."""

    @on
    async def talk(self, message: int) -> list[int]:  # type: ignore[override]
        own = self.spawn(Numbers)
        for number in range(message):
            self.send(own, (self.label, number))
            self.send(self.common, (self.label, number))
            if number == message // 2:
                await self.ask(self.common, "tell")
        got: dict[str, list[int]] = await self.ask(own, "tell")
        return got[self.label]


def talk(world: World) -> tuple[str, list[Any]]:
    """All pairs in one system and between two: what each receiver has got of each sender."""
    with world:
        first, second = world.system("first"), world.system("second")
        common = second.spawn(Numbers)
        talkers: list[Address[Any]] = []
        for number in range(6):
            system = (first, second)[number % 2]
            talkers.append(system.spawn((Talker, AsyncTalker)[number // 3], f"t{number}", common))
        replies = [first._runtime.ask(talker, 9, 100) for talker in talkers]
        own = [reply.result() for reply in replies]
        for number in range(9):
            first.send(common, ("program", number))
        while True:
            got = first.ask(common, "tell")
            if sum(map(len, got.values())) == 63:
                return world.trace.hash, [own, got]


def recorded(world: World) -> OpenKernel:
    kernel = world._kernel
    assert isinstance(kernel, OpenKernel)
    return kernel


@pytest.mark.parametrize("policy", [FIFO, *POLICIES])
@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_each_pair_holds(policy: str, seed: int) -> None:
    _, (own, got) = talk(World(seed, policy))
    assert own == [list(range(9))] * 6
    assert got == {label: list(range(9)) for label in got}


def test_the_policies_differ() -> None:
    assert len({talk(World(1, policy))[0] for policy in (FIFO, "random", "pct:2", "starve:first")}) == 4
    assert len({talk(World(seed, "random"))[0] for seed in range(3)}) == 3


@pytest.mark.parametrize("program", [talk, lambda world: scenario(7, world)])
def test_first_come_first_served_is_the_plain_order(program: Any) -> None:
    assert program(World(7, Fifo())) == program(World(7))


@pytest.mark.parametrize("policy", [*POLICIES, FIFO])
@pytest.mark.parametrize("program", [talk, lambda world: scenario(7, world)])
def test_a_run_is_made_again_from_what_was_overtaken(program: Any, policy: str) -> None:
    first = World(7, policy, record=True)
    outcome = program(first)
    overtaken = recorded(first).overtaken
    assert bool(overtaken) == (chosen(policy, 7) != FIFO)
    again = Overtaking(overtaken)
    assert program(World(7, again)) == outcome
    assert again.used == overtaken
    assert program(World(7, policy)) == outcome  # recording changes nothing


class _Event:
    """An event that says what it is."""

    def __init__(self, said: list[int], number: int, line: tuple[str, str]) -> None:
        self.said, self.number, self.line = said, number, line

    def step(self) -> None:
        self.said.append(self.number)


def order_of(policy: Policy, lines: list[tuple[str, str]]) -> list[int]:
    """In which order events happen that come at once."""
    kernel = OpenKernel(policy)
    said: list[int] = []
    for number, line in enumerate(lines):
        kernel.put(_Event(said, number, line))
    assert kernel.ready == len(set(lines))
    while kernel.step():
        pass
    return said


AB, AC, BC = ("a", "b"), ("a", "c"), ("b", "c")


def test_an_event_can_be_overtaken_a_number_of_times() -> None:
    lines = [AB, AC, BC, AB, AC]
    assert order_of(Overtaking({}), lines) == [0, 1, 2, 3, 4]
    assert order_of(Overtaking({("pick", ("a", "b", 1)): 1}), lines) == [1, 0, 2, 3, 4]
    # Its own line waits with it.
    assert order_of(Overtaking({("pick", ("a", "b", 1)): 9}), lines) == [1, 2, 4, 0, 3]
    assert order_of(Overtaking({("pick", ("a", "b", 2)): 1}), lines) == [0, 1, 2, 4, 3]
    # If all would wait the first one goes.
    assert order_of(Overtaking({("pick", (*line, 1)): 5 for line in (AB, AC, BC)}), lines) == [0, 3, 1, 4, 2]


def test_the_starved_one_waits_for_all_others() -> None:
    assert order_of(Starving("b"), [AB, AC, BC, AB]) == [1, 2, 0, 3]
    assert order_of(Starving("s1"), [("x", "s1#1"), ("x", "s10"), ("x", "s1")]) == [1, 0, 2]


def test_priorities_let_one_receiver_go_first() -> None:
    lines = [("x", f"r{number % 5}") for number in range(50)]
    found = {tuple(order_of(Pct(seed, 1), lines)[:10]) for seed in range(30)}
    assert {first[0] % 5 for first in found} == {0, 1, 2, 3, 4}
    assert all(len({number % 5 for number in first}) == 1 for first in found)
    deep = [order_of(Pct(seed, 5), lines)[:10] for seed in range(30)]
    assert any(len({number % 5 for number in first}) > 1 for first in deep)


def test_uniform_picks_reach_every_order() -> None:
    lines = [AB, AC, BC]
    assert len({tuple(order_of(Uniform(seed), lines)) for seed in range(100)}) == 6


def test_ties_between_timers_and_events_are_open() -> None:
    def run(seed: int) -> tuple[int, ...]:
        kernel = OpenKernel(Uniform(seed))
        said: list[int] = []
        for number in range(3):
            kernel.at(5, Due(lambda number=number: said.append(number)))  # type: ignore[misc]
        while kernel.step():
            pass
        return tuple(said)

    assert len({run(seed) for seed in range(100)}) == 6


def test_an_actor_that_sends_to_itself_for_ever_does_not_stop_time() -> None:
    class Busy(Actor):
        def receive(self, message: int, sender: Address[Any] | None) -> None:
            self.send(self.address, message + 1)

    for policy in ("random", "pct:2", "starve:alone"):
        with World(1, policy) as world:
            system = world.system("alone")
            busy = system.spawn(Busy)
            system.send(busy, 0)
            world.run(0.2)
            assert system.ask(system.spawn(Echo), 1)[0] == 1
            system.stop_actor(busy)


def test_a_line_without_a_receiver_waits() -> None:
    kernel = OpenKernel(Fifo())
    said: list[int] = []
    closed: list[Line] = []
    line = Line("a", "new", closed)
    kernel.arrive(line, _Event(said, 1, AB))
    kernel.put(_Event(said, 2, AC))
    assert kernel.step()
    assert said == [2]
    kernel.open(closed)
    assert kernel.step()
    assert said == [2, 1]


def test_names_of_policies() -> None:
    assert policy_of(FIFO, 1) is None
    assert isinstance(policy_of("pct:3", 1), Pct)
    names = [chosen("portfolio", seed) for seed in range(1000)]
    assert 500 < names.count("random") < 700
    assert 50 < names.count(FIFO) < 150
    assert {name for name in names if name[0] == "p"} == {"pct:2", "pct:3", "pct:4", "pct:5"}
    for wrong in ("", "pct", "pct:0", "starve:", "lifo"):
        with pytest.raises(InvalidArgument):
            policy_of(wrong, 1)


def test_a_recording_world_keeps_the_tape_too() -> None:
    world = World(3, record=True)
    world.close()
    assert world.choices.tape == []
    assert World(3, choices=Choices(3)).choices.tape is None


def test_a_system_takes_part_only_when_its_own_process_has_joined_its_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[object] = []
    early: list[str] = []

    def join(admin: InProcessAdmin, argument: None) -> None:
        real_join(admin, argument)
        joined.append(admin)

    def start(membership: WorldMembership) -> Any:
        if membership._node.admin not in joined:
            early.append(membership._node.name)
        return real_start(membership)

    real_join, real_start = InProcessAdmin._join, WorldMembership._start
    monkeypatch.setattr(InProcessAdmin, "_join", join)
    monkeypatch.setattr(WorldMembership, "_start", start)
    for seed in range(10):
        with World(seed, "random") as world:
            systems = world.systems(3)
            world.run(1)
            assert [len(system._runtime.view.systems) for system in systems] == [3, 3, 3]
    assert early == []
