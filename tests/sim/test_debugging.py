"""A debugger in a world: it stops where it should, and the run is the same; and questions about what happened."""

from __future__ import annotations

import io
import pdb  # noqa: T100 - a real debugger, driven by a script
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from garrick import Actor, ActorSystem, on
from garrick.errors import InvalidArgument
from garrick.sim.world import World, world_of

from .actors import Counter, Echo


@dataclass(frozen=True)
class Assign:
    shard: int


class Owner(Actor):
    def __init__(self) -> None:
        self.shards: list[int] = []

    @on
    def assign(self, message: Assign) -> int:
        self.shards.append(message.shard)
        return len(self.shards)

    @on
    def ask_other(self, message: str) -> Any:
        return message


class Async(Actor):
    async def receive(self, message: int, sender: Any) -> None:
        doubled = 2 * message
        self.reply(doubled)


class Boss(Actor):
    """Passes on what it gets."""

    @on
    def pass_on(self, message: int) -> None:
        self.send(self.spawn(Echo), message)
        self.after(5, "later")

    @on
    def later(self, message: str) -> None:
        self.send(self.spawn(Counter, 100.0), "from the timer")


class Script:
    """What a person types into the debugger, and what it prints."""

    def __init__(self, world: World, *commands: str) -> None:
        self.out = io.StringIO()
        self.stops = 0
        world.breaks.make = self._make
        self._commands = commands

    def _make(self) -> pdb.Pdb:
        self.stops += 1
        return pdb.Pdb(stdin=io.StringIO("\n".join([*self._commands, "continue", ""])), stdout=self.out, nosigint=True)

    @property
    def text(self) -> str:
        return self.out.getvalue()


@pytest.fixture(autouse=True)
def _no_trace_left() -> Iterator[None]:
    before = sys.gettrace()
    yield
    assert sys.gettrace() is before


@pytest.fixture
def world() -> Iterator[World]:
    with World(1) as world:
        yield world


def test_a_breakpoint_on_a_message_stops_in_the_handlers_frame(world: World) -> None:
    system = world.system("one")
    owner = system.spawn(Owner)
    script = Script(world, "p ('in', message.shard, self.shards)", "where")
    world.break_on(actor="Owner", message=Assign, when=lambda e: e.msg.shard == 7)
    assert [system.ask(owner, Assign(shard)) for shard in (1, 7, 8)] == [1, 2, 3]
    assert script.stops == 1
    assert "('in', 7, [1])" in script.text
    assert "assign()" in script.text
    assert "test_a_breakpoint_on_a_message_stops_in_the_handlers_frame" in script.text, "the program is below"


def test_a_breakpoint_may_be_on_a_class_an_address_or_a_name(world: World) -> None:
    system = world.system("one")
    first, second, third = system.spawn(Owner), system.spawn(Owner, name="second"), system.spawn(Echo)
    script = Script(world)
    world.break_on(actor=first)
    world.break_on(actor="second")
    world.break_on(actor=Echo)
    for target in (first, second, third, first):
        system.ask(target, "x")
    assert script.stops == 4
    world.breaks.clear()
    system.ask(first, "x")
    assert script.stops == 4


def test_a_breakpoint_stops_in_coroutines_too(world: World) -> None:
    system = world.system("one")
    doubles = system.spawn(Async)
    script = Script(world, "p ('in', message)", "next", "p ('doubled', doubled)")
    world.break_on(actor=Async)
    assert system.ask(doubles, 4) == 8
    assert script.stops == 1
    assert "('in', 4)" in script.text
    assert "('doubled', 8)" in script.text


def test_a_breakpoint_at_a_step_stops_in_what_it_runs() -> None:
    def run(at: int | None) -> tuple[int, str, str]:
        with World(1) as world:
            system = world.system("one")
            owner = system.spawn(Owner)
            script = Script(world, "p ('in', message.shard)")
            if at is not None:
                world.break_at(at)
            for shard in range(3):
                system.ask(owner, Assign(shard))
            step = next(e.step for e in reversed(world.events(owner)) if e.what == "Assign")
            return step, world.trace.hash, script.text

    step, trace, _ = run(None)
    assert run(step)[1] == trace, "it is the same run"
    assert "('in', 2)" in run(step)[2]


def test_a_breakpoint_at_a_step_that_runs_nobodys_code_stops_behind_it(world: World) -> None:
    script = Script(world)
    world.break_at(world.step + 1)
    world.run(1)
    assert script.stops == 1
    assert "step without user code" in script.text


def test_a_breakpoint_on_a_condition_stops_once_when_it_becomes_true(world: World) -> None:
    system = world.system("one")
    owner = system.spawn(Owner)
    actor = system._runtime.cells[owner.serial].actor
    script = Script(world, "p ('step', self._crew.kernel.steps)")
    world.break_when(lambda: len(actor.shards) >= 2)
    for shard in range(4):
        system.ask(owner, Assign(shard))
    assert script.stops == 1
    assert "the condition has become true" in script.text


def test_a_person_who_quits_ends_the_program(world: World) -> None:
    import bdb

    system = world.system("one")
    owner = system.spawn(Owner)
    Script(world, "quit")
    world.break_on(message=Assign)
    with pytest.raises(bdb.BdbQuit):
        system.ask(owner, Assign(1))


def test_breakpoint_in_a_handler_of_base_sim_is_in_the_programs_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def hook() -> None:
        frame: Any = sys._getframe(1)
        while frame is not None:
            seen.append(frame.f_code.co_name)
            frame = frame.f_back

    class Stops(Actor):
        def receive(self, message: Any, sender: Any) -> None:
            breakpoint()  # noqa: T100
            self.reply(message)

    monkeypatch.setattr(sys, "breakpointhook", hook)
    with ActorSystem("sim") as system:
        assert system.ask(system.spawn(Stops), 1) == 1
    assert seen[0] == "receive"
    assert "test_breakpoint_in_a_handler_of_base_sim_is_in_the_programs_thread" in seen


def test_lines_of_handlers_are_covered(world: World) -> None:
    """What coverage tools do: they trace the thread that they were started on."""
    lines: set[int] = set()
    wanted = {Owner.assign.__code__, Async.receive.__code__}

    def tracer(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code in wanted:
            lines.add(frame.f_lineno)
            return tracer
        return tracer if event == "call" else None

    system = world.system("one")
    owner, doubles = system.spawn(Owner), system.spawn(Async)
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        system.ask(owner, Assign(1))
        system.ask(doubles, 1)
    finally:
        sys.settrace(before)
    first, second = Owner.assign.__code__.co_firstlineno, Async.receive.__code__.co_firstlineno
    assert {first + 2, first + 3, second + 1, second + 2} <= lines


# --- questions --------------------------------------------------------------------------------------------------------------


def test_inspect_tells_state_mailbox_attributes_and_events(world: World) -> None:
    system = world.system("one")
    owner = system.spawn(Owner)
    system.ask(owner, Assign(3))
    system.send(owner, "waits")
    found = world.inspect(owner)
    assert found["state"] == "running"
    assert found["attributes"] == {"shards": [3]}
    assert world.actor(owner).shards == [3]
    assert found["mailbox_types"] == {"str": 1}
    assert "Assign" in found["events"][-1]
    system.stop_actor(owner)
    assert world.inspect(owner)["state"] == "ended"
    assert world.actor(owner) is None


def test_why_gives_the_chain_of_causes(world: World) -> None:
    system = world.system("one")
    boss = system.spawn(Boss)
    system.ask(boss, 7)
    world.run(10)
    counter = next(e for e in reversed(world.events(last=200)) if "Counter" in str(e) and e.what == "str")
    chain = [event.what for event in world.why(counter)]
    assert chain[-1] == "str"
    assert chain[-2] == "str", "the timer's message to the boss"
    assert chain[-3] == "int", "what made the timer"
    assert "Boss" in str(world.why(counter))


def test_why_crosses_systems(world: World) -> None:
    first, second = world.systems(2)
    echo = second.spawn(Echo)

    class Sends(Actor):
        @on
        def go(self, message: bytes) -> None:
            self.send(echo, "over there")

    sends = first.spawn(Sends)
    first.ask(sends, b"go")
    world.run(1)
    chain = world.why(echo)
    assert chain[-1].system == second._runtime.system
    assert any(event.what == "bytes" and event.system == first._runtime.system for event in chain)
    assert any(event.machinery for event in chain)
    assert [line.rpartition(": ")[2] for line in str(chain).splitlines()] == ["bytes", "str"]


def test_what_the_program_does_has_no_cause(world: World) -> None:
    system = world.system("one")
    owner = system.spawn(Owner)
    for shard in range(3):
        system.ask(owner, Assign(shard))
    assert len(world.why(owner)) == 1


def test_why_says_when_nothing_is_known(world: World) -> None:
    with pytest.raises(InvalidArgument):
        world.why(10**9)


def test_the_world_of_a_system_can_be_found() -> None:
    with ActorSystem("sim") as system:
        assert isinstance(world_of(system), World)
    with ActorSystem("local") as system:
        assert world_of(system) is None
