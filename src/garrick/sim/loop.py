"""`StepLoop`: asyncio's event loop, whose callbacks are events of a kernel.

Owns callbacks, and the identity of tasks and futures: names are counted per loop and hashes are serial numbers, so that sets of them are
in the same order in every run. Must not know actors. Real I/O is not offered. Invariants:

* One callback is one event in the kernel's order; times are virtual.
* While a callback waits (it called ``Reply.result()`` or ``time.sleep``), no other one of this loop runs, as on a real loop.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

from garrick.errors import NotSimulated
from garrick.runtime.ask import Slot
from garrick.runtime.fanout import Gathering
from garrick.runtime.whereabouts import Countdown
from garrick.sim.clock import LocalClock, VirtualClock
from garrick.sim.fences import refusal
from garrick.sim.gate import Gate
from garrick.sim.hands import Crew, Stall
from garrick.sim.kernel import Due

T = TypeVar("T")


class StepTask(asyncio.Task[Any]):
    """A task with a name and a hash that do not depend on the process."""

    def __init__(
        self, coroutine: Any, *, loop: StepLoop, name: str | None = None, context: Context | None = None
    ) -> None:
        self.serial = loop.next_serial()
        super().__init__(coroutine, loop=loop, name=name or f"task-{self.serial}", context=context)

    def set_name(self, value: object) -> None:
        """See `asyncio.Task`. Some versions of asyncio set a name that nobody has given."""
        if value is not None:
            super().set_name(value)

    def __hash__(self) -> int:
        return self.serial


class StepFuture(asyncio.Future[Any]):
    """As StepTask."""

    def __init__(self, *, loop: StepLoop) -> None:
        self.serial = loop.next_serial()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.serial


class _Callbacks(deque[Any]):
    """The callbacks that are due; a `garrick.sim.kernel.Channel`. Takes the place of a plain deque in asyncio's base class."""

    __slots__ = ("_loop", "_put", "line")

    def __init__(self, loop: StepLoop, put: Callable[[Any], None], label: str) -> None:
        super().__init__()
        self._loop = loop
        self._put = put
        self.line = ("callback", label)
        """See `garrick.sim.order`: the callbacks of one loop keep their order."""

    def append(self, handle: Any) -> None:
        self._loop.note(handle)
        super().append(handle)
        self._put(self)

    def step(self) -> None:
        gate = self._loop.gate
        if not (gate.closed and gate.stops(self)):
            self._loop.step(self)

    def run(self) -> None:
        self._loop.step(self)


class _TimerDue(Due):
    __slots__ = ("_handle", "work")

    def __init__(self, handle: asyncio.TimerHandle, action: Callable[[], object], label: str, *, work: bool) -> None:
        super().__init__(action, ("timer", label))
        self._handle = handle
        self.work = work  # type: ignore[misc]

    def dead(self) -> bool:
        return self._handle.cancelled()


class StepLoop(asyncio.BaseEventLoop, Stall):
    """See the module.

    Args:
        crew: of the world.
        label: what its steps are called in the trace.
        clock: of its system; None: the true time.
        gate: of its system; None: it runs always.
    """

    def __init__(
        self, crew: Crew, label: str, clock: VirtualClock | LocalClock | None = None, gate: Gate | None = None
    ) -> None:
        super().__init__()
        self._crew = crew
        self._kernel = crew.kernel
        self._clock = clock or crew.kernel.clock
        self.gate = gate or Gate(crew.kernel)
        self._label = label
        self._serial = 0
        self._stalled = False
        self._put_off = 0
        self._ready = _Callbacks(self, self._kernel.put, label)
        self.set_task_factory(_make_task)

    def next_serial(self) -> int:
        """Of a task or future."""
        self._serial += 1
        return self._serial

    # --- stepped by the kernel ---------------------------------------------------------------------------------------------

    def step(self, callbacks: deque[Any]) -> None:
        """Run one callback."""
        if not callbacks or self.dead:
            return
        if self._stalled:
            self._put_off += 1
            return
        handle = callbacks.popleft()
        if handle.cancelled():
            return
        kernel = self._kernel
        kernel.cause = kernel.story.cause_of(handle, 0)
        kernel.happen((kernel.clock.ns, self._label, 0, _name_of(handle)), user=self.runtime is not None)
        hand = self._crew.running
        assert hand is not None
        outer, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook)  # type: ignore[attr-defined]
        hand.stall = self
        try:
            handle._run()
        except SystemExit as error:
            # On a real loop it would end the loop's thread; here that is the program's.
            self.call_exception_handler({"message": "SystemExit in a task", "exception": error})
        finally:
            hand.stall = None
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(outer)

    def note(self, handle: Any) -> None:
        """It is due now, because of what happens now."""
        self._kernel.story.sent(handle, self._kernel.cause)

    def stall(self) -> None:
        """See Stall."""
        self._stalled = True

    def go_on(self) -> None:
        """See Stall."""
        self._stalled = False
        for _ in range(self._put_off):
            self._kernel.put(self._ready)
        self._put_off = 0

    # --- the end -------------------------------------------------------------------------------------------------------------

    def cancel_all(self, ended: Callable[[], object]) -> None:
        """Cancel all tasks, and call ``ended`` when none is left."""
        left = set(asyncio.all_tasks(self))

        def one_less(task: asyncio.Task[Any]) -> None:
            left.discard(task)
            if not left:
                ended()

        for task in sorted(left, key=_serial_of):
            task.add_done_callback(one_less)
            task.cancel()
        if not left:
            ended()

    def forget(self) -> None:
        """Tasks that are still there will never run: a crash has no last words."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _put_away(task.get_coro())
        if self.runtime is not None and self.runtime.async_lane is not None:
            for _, coroutine, *_ in self.runtime.async_lane._due:
                _put_away(coroutine)

    # --- what asyncio's base class leaves open ---------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds."""
        return self._clock.now()

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See `asyncio.loop.call_at`."""
        self._check_closed()  # type: ignore[attr-defined]
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        # An ask that a coroutine waits for has its end there; what is no system's is machinery.
        waits = isinstance(getattr(callback, "__self__", None), (Countdown, Slot, Gathering))
        work = self.runtime is not None and not waits
        due = _TimerDue(handle, lambda: self._ready.append(handle), self._label, work=work)
        self._kernel.at(self._clock.instant(when), due)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """See `asyncio.loop.create_future`."""
        return StepFuture(loop=self)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run ``func`` as an event of its own; there are no other threads, but it may wait without stopping the loop."""
        future: asyncio.Future[T] = self.create_future()
        self._kernel.put(_Job(self, future, func, args))
        return future

    async def _make_subprocess_transport(self, *_: Any, **__: Any) -> Any:
        raise refusal("subprocess.Popen.__init__")

    def add_signal_handler(self, *_: Any) -> None:  # type: ignore[override]
        """Not offered: signals come when they come."""
        raise NotSimulated("signals can't be repeated in a simulated world", hint="send the actor a message")

    def add_reader(self, *_: Any) -> None:  # type: ignore[override]
        """Not offered: there is no real I/O."""
        raise refusal("select.select")

    add_writer = add_reader  # type: ignore[assignment]

    def run_forever(self) -> None:
        """Not offered: the kernel steps this loop."""
        raise RuntimeError("a simulated loop is stepped by its world")

    def run_until_complete(self, future: Any) -> Any:
        """Not offered: the kernel steps this loop."""
        raise RuntimeError("a simulated loop is stepped by its world")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass  # the kernel looks when the time has come

    def _write_to_self(self) -> None:
        pass  # nobody sleeps


class _Job:
    """A function that asyncio wanted on a thread."""

    __slots__ = ("_args", "_func", "_future", "_loop")

    def __init__(
        self, loop: StepLoop, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        self._loop = loop
        self._future = future
        self._func = func
        self._args = args

    def step(self) -> None:
        """See Channel."""
        gate = self._loop.gate
        if not (gate.closed and gate.stops(self)):
            self.run()

    def run(self) -> None:
        """See Gated."""
        if self._loop.dead or self._future.cancelled():
            return
        try:
            result = self._func(*self._args)
        except BaseException as error:
            self._loop.call_soon_threadsafe(self._settle, None, error)
        else:
            self._loop.call_soon_threadsafe(self._settle, result, None)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(result)
        elif isinstance(error, StopIteration):
            self._future.set_exception(RuntimeError("a function in an executor raised StopIteration"))
        else:
            self._future.set_exception(error)


def _put_away(coroutine: Any) -> None:
    """If it has never begun it never will, and nothing of it runs now: but Python would complain of it, and of those that it was given."""
    if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        given = list(inspect.getcoroutinelocals(coroutine).values())
        coroutine.close()
        for each in given:
            _put_away(each)


def _make_task(loop: Any, coroutine: Any, **options: Any) -> asyncio.Future[Any]:
    name, context = options.get("name"), options.get("context")
    return StepTask(coroutine, loop=loop, name=name, context=context)


def _name_of(handle: Any) -> str:
    callback = handle._callback
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return owner.get_name()
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))


def _serial_of(task: asyncio.Task[Any]) -> int:
    return task.serial if isinstance(task, StepTask) else 0
