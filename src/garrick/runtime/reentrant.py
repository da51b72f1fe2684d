"""Reentrant actors (``class X(Actor, reentrant=True)``): an async handler that awaits lets the next message begin.

Owns who of one actor may run. Its coroutines run on the event loop, each as a task of its own (`Flight`), and interleave there; everything
else of it (synchronous handlers, hooks) is a *step* that needs the turn. Invariants:

* Never do two threads run code of the actor at once. A step begins when the loop has given it the turn, between two pieces of coroutines;
  until it ends, coroutines that could go on wait (`Turns._in_turn`).
* Handlers begin in the order of arrival: a step waits until the coroutines before it have begun; what comes behind it waits for its end.
* While a step waits for its turn or runs, the cell is held; with flights alone it is not.
* A restart cancels the flights, and an end waits for them: nothing of the old instance runs beside what comes then.

`ReentrantCell` gives each handler its own ``sender`` and answer by a context variable.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import types
from collections import deque
from collections.abc import Callable, Generator
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from garrick.actor import Actor
from garrick.address import ReplyAddress
from garrick.errors import InvalidArgument
from garrick.runtime import supervise
from garrick.runtime.cell import ENDED, RUNNING, Cell
from garrick.runtime.pool import Executor
from garrick.runtime.stash import settle

if TYPE_CHECKING:
    from garrick.address import Address
    from garrick.runtime.ask import Slot
    from garrick.runtime.fanout import Gathering
    from garrick.runtime.runtime import Runtime

_present: contextvars.ContextVar[Flight | None] = contextvars.ContextVar("garrick_handler", default=None)
"""The handler that runs."""


class Flight:
    """One handler under way, or a hook; stands for its cell on the event loop, where only the holder may touch the cell."""

    __slots__ = (
        "_cancelled",
        "answered",
        "begun",
        "busy",
        "cell",
        "context",
        "envelope",
        "pending",
        "sender",
        "task",
        "turns",
    )

    state = ENDED
    """Nothing has to be done for the stand-in when it is released."""

    def __init__(self, turns: Turns, envelope: Any) -> None:
        self.turns = turns
        self.cell = turns.cell
        self.envelope = envelope
        self.sender = envelope[2] if type(envelope) is tuple and len(envelope) > 2 else None
        self.answered: Any = None
        self.pending = 0
        self.begun = False
        self.busy = False
        self.context: contextvars.Context | None = None
        self.task: asyncio.Task[Any] | None = None
        self._cancelled = False

    @property
    def actor(self) -> Any:
        """Whose handler it is."""
        return self.cell.actor

    @property
    def spec(self) -> Any:
        """Of the actor."""
        return self.cell.spec

    @property
    def address(self) -> Any:
        """Of the actor."""
        return self.cell.address

    def hold(self) -> None:
        """The stand-in has nothing to hold."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call ``function`` as code of this handler."""
        token = _present.set(self)
        try:
            return function(*arguments)
        finally:
            _present.reset(token)

    def begin(self) -> None:
        """On the loop: its first piece runs now.

        Raises:
            CancelledError: it was cancelled before.
        """
        self.task = asyncio.current_task()
        self.begun = True
        if self._cancelled:
            raise asyncio.CancelledError

    def cancel(self) -> None:
        """On the loop."""
        self._cancelled = True
        if self.task is not None:
            self.task.cancel()


def _by_handler(name: str) -> Any:
    """An attribute of the cell that each handler has for itself."""
    common = Cell.__dict__[name]

    def get(self: Cell) -> Any:
        flight = _present.get()
        return getattr(flight, name) if flight is not None and flight.cell is self else common.__get__(self)

    def put(self: Cell, value: Any) -> None:
        flight = _present.get()
        if flight is not None and flight.cell is self:
            setattr(flight, name, value)
        else:
            common.__set__(self, value)

    return property(get, put)


class ReentrantCell(Cell):
    """See the module. A plain cell becomes one when the class of its actor is known."""

    __slots__ = ()

    sender = _by_handler("sender")
    answered = _by_handler("answered")
    pending = _by_handler("pending")

    @property
    def handling(self) -> bool:
        """See Cell."""
        flight = _present.get()
        return self.state == RUNNING and flight is not None and flight.cell is self

    def senders(self) -> tuple[Address[Any] | None, ...]:
        """See Cell."""
        flights = self.executor.flights if self.executor is not None else ()
        return (self.sender, *(flight.sender for flight in list(flights)))

    def blocked_on(self) -> list[Slot | Gathering]:
        """See Cell: a coroutine that waits blocks nothing."""
        return [slot for slot in tuple(self.waits) if not slot.awaited]

    def interrupt_waits(self) -> None:
        """See Cell: of the synchronous handler."""
        for slot in self.blocked_on():
            slot.cancel()


class _Later:
    """A coroutine that a synchronous handler has returned."""

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine


class Turns(Executor):
    """See the module.

    Args:
        cell: of the actor.
        inner: where its steps run; None: where those of other actors do.
    """

    settled = True

    def __init__(self, cell: Cell, inner: Executor | None) -> None:
        self.cell = cell
        self.inner = inner
        self.flights: dict[Flight, None] = {}
        self._stepping = False
        """A step waits for its turn or runs."""
        self._taken = False
        """It has the turn: written and read on the loop."""
        self._halted: dict[asyncio.Future[None], None] = {}
        """What flights wait for that could go on while a step had the turn."""
        self._freed: dict[asyncio.Future[None], None] = {}
        """The same of those that go on now: before the next step each of them gets to, or a stream of steps would starve them."""
        self._late: list[tuple[Flight, BaseException]] = []
        """Flights that failed during a step."""
        self._then: Callable[[], bool] | None = None

    # --- the holder ------------------------------------------------------------------------------------------------------

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> bool:
        """See Executor."""
        flight = Flight(self, context)
        if done is supervise.handled and _is_async(cell, context):
            cell.busy = False
            try:
                result = flight.run(call, cell, context)
            except BaseException as error:
                return self._finish(flight, done, None, error)
            if type(result) is not CoroutineType:
                return self._finish(flight, done, result, None)
            self._fly(flight, result)
            return False
        self._stepping = True
        step = (call, flight, done)
        if not self.flights:
            return self._step(step)
        self._on_loop(self._give_turn, step)
        return False

    def retire(self, cell: Any) -> None:
        """See Executor."""
        if self.inner is not None:
            self.inner.retire(cell)

    def quiet(self, then: Callable[[], bool], *, cancel: bool) -> bool:
        """See Executor."""
        self._then = None  # what waited for the flights before is overruled
        for flight, error in self._late:
            self._finish(flight, supervise.handled, None, error)  # decided already, but who asked has to hear of it
        self._late.clear()
        if not self.flights:
            return then()
        self._then = then
        if cancel:
            for flight in self.flights:
                self._on_loop(flight.cancel)
        return False

    def _fly(self, flight: Flight, coroutine: Any) -> None:
        self.flights[flight] = None
        context = flight.context = contextvars.copy_context()
        context.run(_present.set, flight)
        # The lane handles a flight as it does a cell that is held.
        self.cell.runtime.start_async(flight, self._in_turn(flight, coroutine), flight.envelope, _landed)  # type: ignore[arg-type]

    def land(self, flight: Flight, result: Any, error: BaseException | None) -> bool:
        """A flight has ended."""
        del self.flights[flight]
        if error is None:
            if self._stepping:
                # Its answer can't wait, or the step might wait for it; whether the actor stops is looked at when the step ends.
                if self.cell.replies and type(flight.envelope[2]) is ReplyAddress:
                    flight.run(self.cell.answer, flight.envelope[2], result)
                if flight.pending:
                    flight.run(settle, self.cell.runtime, self.cell, flight.envelope)
                return False
            lost = self._finish(flight, supervise.handled_async, result, None)
        elif self._stepping:
            self._late.append((flight, error))
            return False
        else:
            lost = self._finish(flight, supervise.handled, None, error)
        if not lost and not self.flights and self._then is not None:
            then, self._then = self._then, None
            return then()
        return lost

    def _finish(self, flight: Flight, done: Any, result: Any, error: BaseException | None) -> bool:
        return bool(flight.run(done, self.cell.runtime, self.cell, flight.envelope, result, error))

    # --- steps -------------------------------------------------------------------------------------------------------------

    def _step(self, step: Any) -> bool:
        """Run a step that has the turn; on the holder."""
        cell = self.cell
        if self.inner is not None:
            # The cell keeps this executor: whoever moves the actors of a class meanwhile must see that this one is settled.
            cell.hold()
            return self.inner.submit(cell, self._call, step, self._stepped) is True
        cell.executor = None  # until the step has begun, which is at once: `_call` sees to it
        return cell.runtime.run_step(cell, self._call, step, self._stepped)

    def _call(self, cell: Cell, step: Any) -> Any:
        cell.executor = self
        call, flight, done = step
        result = flight.run(call, cell, flight.envelope)
        if done is supervise.handled and type(result) is CoroutineType:
            return _Later(result)
        return result

    def _stepped(self, runtime: Runtime, cell: Cell, step: Any, result: Any, error: BaseException | None) -> bool:
        _call, flight, done = step
        self._stepping = False
        cell.busy = False
        if self.flights:
            self._on_loop(self._take_back)
        else:
            self._take_back()
        if type(result) is _Later:
            self._fly(flight, result.coroutine)
            lost = False
        else:
            lost = self._finish(flight, done, result, error)
        while self._late and not lost and not self._stepping:
            failed, cause = self._late.pop(0)
            lost = self._finish(failed, supervise.handled, None, cause)
        if not lost and not cell.busy:
            runtime.unbusy(cell)
        return lost

    # --- the event loop ----------------------------------------------------------------------------------------------------

    def _on_loop(self, function: Callable[..., object], *arguments: Any) -> None:
        try:
            self.cell.runtime.async_lane.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # the loop has been closed: the system is ending

    def _give_turn(self, step: Any) -> None:
        if self._freed or not all(flight.begun for flight in list(self.flights)):
            asyncio.get_running_loop().call_soon(self._give_turn, step)
            return
        self._taken = True
        self.cell.runtime.post(self._step, step)

    def _take_back(self) -> None:
        self._taken = False
        self._freed |= self._halted
        self._halted.clear()
        for free in list(self._freed):
            if not free.done():
                free.set_result(None)

    @types.coroutine
    def _in_turn(self, flight: Flight, coroutine: Any) -> Generator[Any, Any, Any]:
        """Run a coroutine, whose pieces wait while a step has the turn."""
        resume: Any = coroutine.send
        value: Any = None
        try:
            flight.begin()
        except asyncio.CancelledError as error:
            resume, value = coroutine.throw, error
        while True:
            while self._taken:
                free = asyncio.get_running_loop().create_future()
                self._halted[free] = None
                try:
                    yield from free
                except BaseException as error:
                    resume, value = coroutine.throw, error
                    if isinstance(error, GeneratorExit):
                        break
                finally:
                    self._halted.pop(free, None)
                    self._freed.pop(free, None)
            try:
                awaited = resume(value)
            except StopIteration as stop:
                flight.begun = True
                return stop.value
            try:
                value = yield awaited
                resume = coroutine.send
            except BaseException as error:
                resume, value = coroutine.throw, error


def _landed(_runtime: Runtime, flight: Any, _context: Any, result: Any, error: BaseException | None) -> bool:
    return flight.turns.land(flight, result, error)  # type: ignore[no-any-return]


def _is_async(cell: Cell, envelope: Any) -> bool:
    """Whether the handler of a message or notice is a coroutine function: to call it runs nothing of it."""
    cls = type(cell.actor)
    handler: Any
    if len(envelope) > 3:
        handler = envelope[3]
    elif cell.behaviour is not None:
        handler = cell.behaviour
    elif cls.receive is not Actor.receive:
        handler = cls.receive
    else:
        try:
            handler = cls._handlers.find(type(envelope[1]))
        except InvalidArgument:
            return False
    return handler is not None and inspect.iscoroutinefunction(inspect.unwrap(handler))


def open_up(cell: Cell) -> None:
    """From now on the actor is reentrant; on the holder, before its first message."""
    if not isinstance(cell, ReentrantCell):
        cell.__class__ = ReentrantCell
        cell.executor = Turns(cell, cell.executor)
        cell.pinned = True
        if cell.queue is None:
            cell.queue = deque()
