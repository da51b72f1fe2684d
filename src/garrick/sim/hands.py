"""`Crew`: the threads of a world, of which exactly one runs at any moment.

A program drives a world by waiting for something (`Crew.wait`): its own thread then steps the kernel, so that handlers run on it, under
its debugger. A handler that waits can't give its stack away, so its thread is *parked* and another one steps the kernel; when what it
waits for has come, its turn to go on is an event in the kernel's order like any other. Hence::

    running ──wait()──► parked ──its event──► running ──step over──► running, or idle if the program's thread is free again

Owns the threads and who runs. Must not know what is stepped. Invariants:

* Control passes only by `_switch`: one gate is opened, then the own one is waited at. Nothing is touched between the two.
* Whoever switches to a parked thread is idle from then on, with the kernel's loop on top of its stack: so a thread that parks always
  finds one that can step the kernel, or starts one.
* The program's thread steps the kernel whenever it is free; its wait ends only there. If it is parked itself, in a handler, then the
  program's wait lasts until that handler is over. With ``own_thread`` it only waits, and another one steps the kernel, so that handlers
  that wait never hold up the program.
* One program thread drives at a time; others wait for their turn.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from garrick.buggify import set_decider
from garrick.errors import InvalidArgument, SimFailure
from garrick.runtime.ask import Slot
from garrick.runtime.once import Once
from garrick.sim.fences import BURIED, COLLECT_STEPS, HandThread, fenced
from garrick.sim.kernel import Due, Idle, Kernel
from garrick.sim.rng import SeededRandom

if TYPE_CHECKING:
    from garrick.ports import Waitable
    from garrick.runtime.cell import Cell
    from garrick.sim.clock import LocalClock, VirtualClock
    from garrick.sim.debugging import Breaks
    from garrick.sim.runtime import SimRuntime

log = logging.getLogger("garrick")


class Abandoned(BaseException):
    """The world has ended, or the system has crashed, while a handler waited: unwinds its thread.

    No Exception, so that handlers don't take it for theirs.
    """


class Stall:
    """Something that can't be stepped while a thread is parked inside of it (an event loop)."""

    dead = False
    """Its system has crashed: nothing runs any more."""
    runtime: SimRuntime | None = None
    """Whose code it runs."""

    def stall(self) -> None:
        """A step of it waits."""

    def go_on(self) -> None:
        """That step goes on."""


class Hand:
    """One thread that may run."""

    __slots__ = ("abandoned", "cell", "failed", "gate", "ident", "idle", "stall", "thread")

    def __init__(self, thread: threading.Thread | None) -> None:
        self.thread = thread
        """None for a program's thread."""
        self.ident = threading.get_ident() if thread is None else 0
        self.gate = threading.Lock()
        self.gate.acquire()
        self.idle = False
        """The program's thread: whether it only waits for its turn to step the kernel."""
        self.cell: Cell | None = None
        """Whose step it runs."""
        self.stall: Stall | None = None
        self.abandoned = False
        self.failed = False
        """The program's thread: the world has failed, and it leaves the handler that it waits in."""

    @property
    def runtime(self) -> SimRuntime | None:
        """Whose code it runs; None for code that is nobody's."""
        if self.cell is not None:
            return self.cell.runtime  # type: ignore[return-value]
        return self.stall.runtime if self.stall is not None else None

    @property
    def dead(self) -> bool:
        """Whether it runs a step of a system that has crashed."""
        runtime = self.runtime
        return runtime is not None and runtime.dead


class _Parked:
    """A thread that waits in user code; also the event that lets it go on."""

    __slots__ = ("_cause", "_crew", "_woken", "endless", "hand")

    def __init__(self, crew: Crew, hand: Hand, endless: bool) -> None:
        self._crew = crew
        self._woken = False
        self._cause = 0
        self.hand = hand
        self.endless = endless

    def wake(self) -> None:
        """Its turn comes after what is ready now."""
        if not self._woken:
            self._woken = True
            self._cause = self._crew.kernel.cause
            self._crew.kernel.put(self)

    def step(self) -> None:
        """See `garrick.sim.kernel.Channel`."""
        runtime = self.hand.runtime
        if runtime is None or not (runtime.gate.closed and runtime.gate.stops(self)):
            self.run()

    def run(self) -> None:
        """See `garrick.sim.gate.Gated`."""
        # A crash has no last words: what waited then never goes on, unless the program itself waits below it on that stack.
        if not self._crew.closed and (self.hand.thread is None or not self.hand.dead):
            self._crew.kernel.cause = self._cause
            self._crew.lend(self.hand)


class Crew:
    """See the module.

    Args:
        kernel: what is stepped.
        seed: of what code draws that belongs to no actor.
        fences: whether code that is stepped meets those of `garrick.sim.fences`.
        own_thread: whether the kernel is stepped by a thread of the crew, and never by the program's.
    """

    def __init__(self, kernel: Kernel, seed: int = 0, *, fences: bool = True, own_thread: bool = False) -> None:
        self.kernel = kernel
        self.random = SeededRandom(seed, "world")
        self.story = kernel.story
        self.look: Callable[[], None] | None = None
        """Called after each step, for `garrick.sim.checks`."""
        self.breaks: Breaks | None = None
        self._fences = fences
        self._own_thread = own_thread
        self._still = False
        """With a thread of its own: nothing is left that could happen."""
        self._collect_at = COLLECT_STEPS
        self.buried = 0
        """Systems that have ended since all garbage was collected."""
        self.closed = False
        self.decide: Callable[[str], bool] | None = None
        """What `garrick.buggify` says while the world runs."""
        self.running: Hand | None = None
        self._root: Hand | None = None
        self._until: Callable[[], bool] = _never
        self._turn = threading.Lock()
        self._idle: list[Hand] = []
        self._parked: dict[Hand, _Parked] = {}
        self._own: list[OwnHand] = []
        self._made = 0
        self._failure: BaseException | None = None
        self._afterwards: list[Callable[[], object]] = []

    # --- for everybody ---------------------------------------------------------------------------------------------------

    def inside(self) -> bool:
        """Whether the current thread runs a step of the kernel."""
        running = self.running
        return running is not None and running.ident == threading.get_ident()

    def wait(self, ready: Waitable, deadline: float | None, clock: VirtualClock | LocalClock | None = None) -> bool:
        """See `garrick.ports.Scheduler.wait`; ``clock`` is the one that shows ``deadline``, None: the true time.

        From the program: drive the world until then. From a step: let the others go on until then. Without a deadline this ends, with
        False, when nothing is left that could happen.
        """
        if ready.done:
            return True
        end = None if deadline is None else (clock or self.kernel.clock).instant(deadline)
        if self.inside():
            return self._park(ready, end)
        self._drive_until(ready, end)
        return ready.done

    def drive(self, until: Callable[[], Any], end: int | None) -> None:
        """From the program: let the world go on until ``until()`` is true between two steps, or it is ``end``, or nothing is left to do.

        Raises:
            InvalidArgument: called from a step of the world itself.
        """
        if self.inside():
            raise InvalidArgument("a handler can't drive its own world", hint="call this from the program")
        over = Once()
        due = None if end is None else self.kernel.at(end, Idle(over.finish))
        self._session(lambda: over.done or bool(until()))
        if due is not None:
            due.cancel()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass."""
        self.wait(Once(), self.kernel.clock.now() + seconds)

    def afterwards(self, action: Callable[[], object]) -> None:
        """Call ``action`` on the program's thread when the world is not driven; at once if it is not."""
        if self.inside():
            self._afterwards.append(action)
        else:
            action()

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in the program, as soon as its thread is free."""
        self._failure = self._failure or error

    def close(self, timeout: float) -> list[str]:
        """End all threads: those that are parked are unwound. From the program.

        Args:
            timeout: real seconds for each thread to leave user code.

        Returns:
            The names of the threads that did not.
        """
        with self._turn:
            self.closed = True
            threads = []
            for hand in [*self._parked, *self._idle, *(own.hand for own in self._own)]:
                if hand.thread is not None and hand.thread.is_alive():
                    hand.abandoned = True
                    self.running = hand
                    hand.gate.release()
                    hand.thread.join(timeout)
                    threads.append(hand.thread)
            self.running = None
            self._idle.clear()
            self._parked.clear()
        return [thread.name for thread in threads if thread.is_alive()]

    # --- the program's thread ----------------------------------------------------------------------------------------------

    def _give_up(self, ready: Waitable, at: int, otherwise: Callable[[], None]) -> None:
        # An ask ends at its deadline, and not when the thread that waits gets to see it: an answer that comes between is late.
        if isinstance(ready, Slot):
            end = ready.runtime.clock.instant(ready.deadline)  # type: ignore[attr-defined]
            if at >= end:
                ready.expire()
            else:
                ready.probe()
                self.kernel.at(end, Idle(ready.expire))
        otherwise()

    def _drive_until(self, ready: Waitable, end: int | None) -> None:
        over = Once()
        due = None
        if end is not None:
            due = self.kernel.at(end, Idle(lambda: self._give_up(ready, end, over.finish)))
        self._session(lambda: ready.done or over.done)
        if due is not None:
            due.cancel()

    def _session(self, until: Callable[[], bool]) -> None:
        with self._turn:
            if self.closed:
                return
            before = set_decider(self.decide)
            self._root = self.running = hand = Hand(None)
            self._until = until
            try:
                with self._fenced():
                    if self._own_thread:
                        self._stand_by(hand)
                    else:
                        self._drive(hand)
            finally:
                self._root = self.running = None
                self._until = _never
                self.kernel.cause = 0  # what comes now is the program's
                set_decider(before)
        while self._afterwards:
            self._afterwards.pop(0)()

    def _fenced(self) -> AbstractContextManager[None]:
        """What code of the world meets meanwhile when it reaches for the outside."""
        return fenced(self) if self._fences else nullcontext()

    # --- stepping ------------------------------------------------------------------------------------------------------------

    def _stand_by(self, root: Hand) -> None:
        """The program's thread: another one steps the kernel until this one has what it waits for."""
        self._still = False
        while True:
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            if self._still or self._until():
                return
            root.idle = True
            self._switch(root, self._next())

    def _drive(self, hand: Hand) -> None:
        kernel = self.kernel
        while True:
            root = self._root
            if hand is root:
                failure, self._failure = self._failure, None
                if failure is not None:
                    raise failure
                if self._until():
                    return
            elif self.closed or root is None:
                return
            elif root.idle and (not self._own_thread or self._failure or self._still or self._until()):
                root.idle = False
                self._idle.append(hand)
                self._switch(hand, root)
                continue
            try:
                if self.breaks is not None:
                    self.breaks.before()
                more = kernel.step()
                if self.look is not None:
                    self.look()
                if self.breaks is not None:
                    self.breaks.after()
            except BaseException as error:
                if hand is self._root:
                    raise
                if not isinstance(error, SimFailure):
                    log.critical("internal error in a step of the world", exc_info=True)
                self.fail(error)
                self._free_root(error)
                continue
            if kernel.steps >= self._collect_at:
                self._collect()
            if not more:
                if hand is root:
                    return
                self._still = True
                self._free_root()

    def _collect(self) -> None:
        self._collect_at = self.kernel.steps + COLLECT_STEPS
        if not self._fences:
            return
        if self.buried > BURIED:  # what a dead system was made of is too old to be found otherwise
            self.buried = 0
            gc.collect()
        else:
            gc.collect(1)

    def _free_root(self, failure: BaseException | None = None) -> None:
        """The program's thread waits in a handler: its wait fails, since nothing can happen any more, or since the world has failed."""
        for parked in self._parked.values():
            if parked.hand is self._root:
                parked.hand.failed = failure is not None
                parked.wake()

    def lend(self, hand: Hand) -> None:
        """Let another thread go on; returns when this one is needed to step the kernel again."""
        me = self._me()
        if me is self._root:
            me.idle = True
        else:
            self._idle.append(me)
        self._switch(me, hand)

    def _park(self, ready: Waitable, end: int | None) -> bool:
        if self.closed:
            raise Abandoned
        me = self._me()
        parked = _Parked(self, me, end is None)
        due = None
        if end is not None:
            kind = (
                Due if isinstance(ready, Once) else Idle
            )  # a sleep ends because somebody wants it, a question's time-out does not
            due = self.kernel.at(end, kind(lambda: self._give_up(ready, end, parked.wake)))
        ready.on_done(parked.wake)
        cell, stall = me.cell, me.stall
        held = cell is not None and not cell.busy
        if held and cell is not None:
            cell.hold()
        if stall is not None:
            stall.stall()
        self._parked[me] = parked
        self._switch(me, self._next())
        if me.abandoned:
            raise Abandoned
        del self._parked[me]
        if me.dead or me.failed:
            raise Abandoned
        if due is not None:
            due.cancel()
        if stall is not None:
            stall.go_on()
        if held and cell is not None:
            cell.runtime.unbusy(cell)
        return ready.done

    def _me(self) -> Hand:
        me = self.running
        assert me is not None
        return me

    def _switch(self, me: Hand, other: Hand) -> None:
        self.running = other
        other.gate.release()
        interrupt = None
        while True:
            try:
                me.gate.acquire()
                break
            except KeyboardInterrupt as error:  # it is not our turn: two threads would run
                if self._own_thread:
                    self.fail(error)
                else:
                    interrupt = error
        if interrupt is not None:
            raise interrupt

    def _next(self) -> Hand:
        """A thread that can step the kernel."""
        root = self._root
        if root is not None and root.idle and not self._own_thread:
            root.idle = False
            return root
        if self._idle:
            return self._idle.pop()
        hand = Hand(HandThread(target=lambda: self._help(hand), name=self._name("helper"), daemon=True))
        self._start(hand)
        return hand

    def _start(self, hand: Hand) -> None:
        assert hand.thread is not None
        hand.thread.start()
        hand.ident = hand.thread.ident or 0

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"garrick-sim-{kind}-{self._made}"

    def _help(self, hand: Hand) -> None:
        hand.gate.acquire()
        self._drive(hand)

    # --- threads of single actors ------------------------------------------------------------------------------------------

    def own_hand(self) -> OwnHand:
        """A thread that runs the steps of one actor and nothing else."""
        own = OwnHand(self, self._name("actor"))
        self._own.append(own)
        return own

    def pass_on(self) -> None:
        """The thread of one actor has finished its step: somebody steps the kernel."""
        other = self._next()
        self.running = other
        other.gate.release()


class OwnHand:
    """A thread for one actor (``isolation="thread"``)."""

    def __init__(self, crew: Crew, name: str) -> None:
        self._crew = crew
        self._job: Callable[[], None] | None = None
        self.hand = Hand(HandThread(target=self._work, name=name, daemon=True))
        crew._start(self.hand)

    def run(self, job: Callable[[], None]) -> None:
        """Run ``job`` there; a step of the kernel, which ends when the job ends or waits."""
        self._job = job
        self._crew.lend(self.hand)

    def end(self) -> None:
        """It has nothing more to do."""
        thread = self.hand.thread
        assert thread is not None
        if thread.is_alive() and not self.hand.abandoned:
            self.hand.abandoned = True
            self._crew._own.remove(self)
            self.hand.gate.release()
            thread.join()

    def _work(self) -> None:
        while True:
            self.hand.gate.acquire()
            job, self._job = self._job, None
            if job is None:
                return
            job()
            del job
            if self._crew.closed:
                return
            self._crew.pass_on()


def _never() -> bool:
    return False


__all__ = ["Abandoned", "Crew", "Hand", "OwnHand", "Stall"]
