"""Who of a reentrant actor may run, with a change of threads forced at every line of it: see ``conductor.py``.

The real `Turns` and `AsyncLane` on a real asyncio loop, whose sleep is the conductor's. After every run: handlers began in order, no two
threads were in the actor's code at once, everybody was answered, and what has to end has ended.
"""

from __future__ import annotations

import asyncio
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from garrick import Actor, on
from garrick.runtime import async_lane as async_lane_module
from garrick.runtime import reentrant as reentrant_module
from garrick.runtime.ask import Slot
from garrick.runtime.async_lane import AsyncLane
from garrick.runtime.baton import Baton
from garrick.runtime.cell import ENDED, RUNNING, Cell
from garrick.runtime.reentrant import Flight, Turns, open_up
from garrick.runtime.signals import Spec, Stop
from garrick.supervision import Restart
from tests.unit.runtime import conductor as conductor_module
from tests.unit.runtime.conductor import Conductor
from tests.unit.runtime.stage import Stage, Theatre, explore, fast, one_processor

_one_processor = pytest.fixture(autouse=True)(one_processor)
_fast = pytest.fixture(autouse=True)(fast)

WATCHED = frozenset({reentrant_module.__file__, async_lane_module.__file__})
NAP, BLOCK, FAIL = "nap", "block", "fail"


class Loop(BaseEventLoop):
    """An event loop without I/O: it sleeps as long as the conductor wants."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._woken = conductor_module.Event(conductor)
        self._selector = SimpleNamespace(select=self._select)

    def _select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            self._woken.wait()
        self._woken.clear()
        return []

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        self._woken.set()


class Turning(Actor, reentrant=True):
    """Async handlers of three pieces, synchronous ones, and some that fail."""

    def __init__(self, stage: TurnStage) -> None:
        self.stage = stage
        self.inside = False
        self.begun: list[int] = []

    def piece(self, what: object) -> None:
        if self.inside:
            self.stage.conductor.violation(f"two at once: {what}")
        self.inside = True
        self.stage.conductor.step()
        self.inside = False

    @on
    async def number(self, message: tuple[int, str]) -> int:
        number, kind = message
        self.begun.append(number)
        self.piece(number)
        await asyncio.sleep(0)
        self.piece(number)
        if kind == FAIL:
            raise RuntimeError("on purpose")
        await asyncio.sleep(0)
        self.piece(number)
        return number

    @on
    def block(self, message: int) -> int:
        self.begun.append(message)
        self.piece(message)
        return message

    def restarting(self, error: BaseException) -> None:
        self.piece(error)

    async def stopping(self, reason: str) -> None:
        self.piece(reason)
        await asyncio.sleep(0)
        self.piece(reason)


class TurnStage(Stage):
    """One reentrant actor, and those who have asked it."""

    turns_class_of_all: type[Turns] = Turns

    def __init__(self, baton_class: type[Baton], conductor: Conductor) -> None:
        super().__init__(baton_class, conductor)
        runtime = self.runtime
        runtime.load_due = runtime.letters_due = True
        self.loop = Loop(conductor)
        runtime.async_lane = AsyncLane(runtime, self.loop)
        runtime.start_async = runtime.async_lane.submit
        self.cell = self._turning()
        self.asks: list[Slot] = []
        self.ends = False
        conductor.player("loop", self._run_loop)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def _turning(self) -> Cell:
        runtime = self.runtime
        address: Any = runtime.address.__class__("s@0", 1, runtime.next_serial())
        cell = runtime.new_cell(address, Spec(Turning, (self,), supervision=Restart(backoff=None)), runtime.address)
        actor = Turning(self)
        actor._cell, actor.address = cell, address
        cell.actor, cell.handle, cell.replies, cell.state = actor, actor.receive, True, RUNNING
        open_up(cell)
        cell.executor = self.turns_class_of_all(cell, None)
        return cell

    def ask(self, *kinds: str) -> None:
        """One question of each kind, numbered."""
        for kind in kinds:
            slot = Slot(self.runtime, self.cell.address, 30.0, None)
            number = len(self.asks)
            self.asks.append(slot)
            self.runtime.append((self.cell, number if kind == BLOCK else (number, kind), slot.address))

    def end(self) -> None:
        """Stop the actor behind what it has been asked."""
        self.ends = True
        self.runtime.post_signal(self.cell, Stop(), None)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.baton.stop(1.0)

    def check(self) -> None:
        """Nobody can go on: is everything done?"""
        complain = self.conductor.violation
        if open_asks := [number for number, slot in enumerate(self.asks) if not slot.done]:
            complain(f"nobody has answered {open_asks}")
        if self.cell.executor is not None and (left := len(self.cell.executor.flights)):
            complain(f"{left} handlers are still under way")
        if self.ends and self.cell.state != ENDED:
            complain(f"it has not ended: {self.cell.whereabouts()}")
        if not self.ends and (self.cell.busy or self.cell.state != RUNNING):
            complain(f"it is not at rest: {self.cell.whereabouts()}")
        if self.cell.actor is not None and sorted(self.cell.actor.begun) != self.cell.actor.begun:
            complain(f"not in order: {self.cell.actor.begun}")
        if self.runtime.lane:
            complain("the lane is not empty, and nobody runs it")


def mixed(stage: Any) -> dict[str, Callable[[], object]]:
    """Async and synchronous handlers, then the end."""
    stage.ask(NAP, NAP, BLOCK, NAP)
    stage.end()
    return {}


def fails(stage: Any) -> dict[str, Callable[[], object]]:
    """Some fail while a synchronous one waits for its turn, which restarts the actor."""
    stage.cell.spec.supervision = Restart(backoff=None, max=9)
    stage.ask(FAIL, NAP, FAIL, BLOCK, NAP)
    return {}


def fails_and_ends(stage: Any) -> dict[str, Callable[[], object]]:
    """The same with an end behind it, and one who asks meanwhile."""
    stage.ask(FAIL, BLOCK, NAP)
    stage.end()
    return {}


SCENES = [mixed, fails, fails_and_ends]
PAIRS = [("holder", "loop"), ("loop", "holder"), ("holder", "monitor")]
FEW = {mixed: PAIRS, fails: PAIRS[:1], fails_and_ends: PAIRS[1:2]}
"""What is tried every time."""


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_any_two_threads_may_change_at_any_two_lines(scene: Any) -> None:
    runs, bad = explore(Theatre(scene, stage_class=TurnStage, watched=WATCHED), FEW[scene], stride=211)
    assert bad == []
    assert runs > 100, "there must be something to explore"


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_every_pair_of_places(scene: Any, pair: tuple[str, str]) -> None:
    _, bad = explore(Theatre(scene, stage_class=TurnStage, watched=WATCHED), [pair], stride=11)
    assert bad == []


# --- the test of the test -------------------------------------------------------------------------------------------------


class TakesNoTurn(Turns):
    """A synchronous handler runs beside the coroutines."""

    def _give_turn(self, step: Any) -> None:
        self.cell.runtime.post(self._step, step)


class ForgetsWhoWaits(Turns):
    """Who waited for the end of a synchronous handler waits for ever."""

    def _take_back(self) -> None:
        self._taken = False
        self._halted.clear()


class ForgetsTheEnd(Turns):
    """The last handler has ended, and nobody looks what was to come then."""

    def land(self, flight: Flight, result: Any, error: BaseException | None) -> bool:
        then, self._then = self._then, None
        lost = super().land(flight, result, error)
        self._then = then if self.flights else None
        return lost


@pytest.mark.parametrize("turns_class", [TakesNoTurn, ForgetsWhoWaits, ForgetsTheEnd])
def test_a_planted_mistake_is_found(turns_class: type[Turns]) -> None:
    class Planted(TurnStage):
        turns_class_of_all = turns_class

    _, bad = explore(Theatre(mixed, stage_class=Planted, watched=WATCHED), PAIRS, stride=53)
    assert bad != []
