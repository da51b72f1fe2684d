"""The baton: one thread of a worker runs the lane, and a handler that blocks does not stop the others.

Owns the threads of a runtime. One thread, the *holder*, runs envelopes, timers and the poller (links). A monitor sees that one step
of user code has kept the holder too long and gives the baton to a spare thread, as Go's sysmon does for a blocked P. The rules that make
this safe:

1. One `Tenure` object per holder. A shared state word gave two holders and a dead worker in the prototype.
2. Take-over only while the holder is in *user* code (``tenure.envelope`` is set), never inside the runtime.
3. The holder writes "left user code" (``envelope = None``) and then reads ``lost``; the monitor writes ``lost`` and then reads
   ``envelope``. With the interpreter's lock one of the two sees the other; the rest is decided under the lock of this object.
4. A detached thread touches nothing: the result of its step goes back through the lane (`Runtime.released`).

What does not block pays two attribute stores and one load per message for all this.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from itertools import starmap
from types import CoroutineType
from typing import Any

from garrick.observe.here import HERE
from garrick.ports import Poller, Waitable
from garrick.runtime import slow, supervise
from garrick.runtime.cell import ENDED, Cell
from garrick.runtime.classes import CPU, INLINE, WAITING_SHARE, ClassProfile
from garrick.runtime.cpu_lane import CpuLane, thread_clock, thread_cpu
from garrick.runtime.fairness import BACKLOG, spread
from garrick.runtime.pool import Executor, OwnThread, Pool, PoolExecutor
from garrick.runtime.runtime import Runtime

log = logging.getLogger("garrick")

LOOK_BURST = 0.0005
"""Seconds between two looks of the monitor right after a hand-over: handlers that block come in crowds, each of them costs two looks,
and whatever waits behind them waits for all of these."""
BURST_LOOKS = 20
"""How many such looks follow a hand-over."""
LOOK_FAST = 0.001
"""Seconds between two looks after that, and from the first look at a step to the second one if the interpreter's lock was free: then
the step hardly burns."""
LOOK_SLOW = 0.004
"""Otherwise, while the holder is busy."""
FAST_LOOKS = 200
"""How many fast looks follow a hand-over, those of the burst among them."""
PATIENCE = 4
"""How many looks more a step gets that has asked another actor inline, while nobody waits for the baton."""
QUIET_LOOKS = 20
"""After so many looks at an idle holder the monitor sleeps until the holder wakes it."""
SERVICE_EVERY = 64
"""Messages between two looks at timers and links."""
LEARN_AFTER = 0.005
"""Seconds after which a step that was taken over and still waits shows that its class waits."""
LOOK_FOR_SIGNALS = 0.5
"""Seconds between two looks of the main thread at signals that did not end its wait."""
LOOK_AT_LOOP = 0.5
"""Seconds between two looks at an event loop or executors that have work, while the holder sleeps."""
LOOK_AT_EXECUTORS = 0.05
"""Seconds between two looks at the steps that executors run."""
INLINE_DEPTH = 20
"""How deep ``.result()`` runs the asked actor on the asker's stack."""


class Tenure:
    """One thread's turn as holder."""

    __slots__ = ("answered", "clock", "depth", "envelope", "lost", "taken", "thread")

    def __init__(self) -> None:
        self.envelope: Any = None
        """The step in user code; its first item is the cell."""
        self.lost = False
        self.taken = False
        self.thread = 0
        self.clock = 0
        """The processor clock of the thread."""
        self.depth = 0
        self.answered = 0
        """How many actors were asked inline: a step in which that goes on does not block."""


class _Detached:
    """A step that goes on without the baton."""

    __slots__ = ("cell", "clock", "cpu", "learnt", "reported", "since", "thread")

    def __init__(self, cell: Cell, thread: int, clock: int) -> None:
        self.cell = cell
        self.thread = thread
        self.clock = clock
        self.since = time.monotonic()
        self.cpu = thread_cpu(clock)
        self.learnt = False
        self.reported = False


class Baton:
    """The scheduler of workers and of ``local`` systems."""

    def __init__(self, runtime: Runtime, poller: Poller, *, name: str = "garrick") -> None:
        self.runtime = runtime
        runtime.scheduler = self
        self.poller = poller
        self._executors_next = 0.0
        runtime.on_step = self._step_elsewhere
        self.pool = Pool(name)
        self.hand_overs = 0
        self._threadless = False
        """Whether it has been told that the operating system gives no more threads."""
        self._answered = 0
        self._patience = 0
        self._first: Any = None
        self._serve_next = 0.0
        self._lock = threading.Lock()
        self._detached: dict[int, _Detached] = {}
        self._profiles: dict[type, ClassProfile] = {}
        self._waiters = PoolExecutor(self.pool, self._ran)
        self._burners = CpuLane(self.pool, self._ran)
        self._stopping = False
        self._ended = threading.Event()
        self._monitor_asleep = False
        self._monitor_wake = threading.Event()
        self._monitor = threading.Thread(target=self._watch, name=f"{name}-monitor", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether nobody runs the lane any more: it was stopped, or the runtime failed."""
        return self._ended.is_set()

    # --- Scheduler -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """See `garrick.ports.Scheduler`."""
        self._give_baton()
        self._monitor.start()

    def wake(self) -> None:
        """See `garrick.ports.Scheduler`."""
        self.runtime.idle = False
        self.poller.wake()

    def stop(self, timeout: float) -> bool:
        """See `garrick.ports.Scheduler`."""
        self._stopping = True
        self.wake()
        self._monitor_wake.set()
        actors = len(self.runtime.cells)
        while not (ended := self._ended.wait(timeout)):
            # A lane that only ends actors (hundreds of thousands take seconds) is in nobody's code: it gets the time as long as they
            # become fewer.
            before, actors = actors, len(self.runtime.cells)
            if actors >= before:
                break
        if self.runtime.async_lane is not None:
            ended = self.runtime.async_lane.close(timeout) and ended
        left = self.pool.close(timeout)
        self._monitor.join(timeout)
        self.poller.close()
        return ended and not left

    def place(self, cell: Cell) -> None:
        """Choose where the steps of a new actor run."""
        if cell.spec.isolation == "thread":
            self._pin(cell, OwnThread(f"{self.pool.name}-actor"))
            return
        profile = self._profiles.get(cell.spec.actor_class)
        if profile is not None and profile.mode != INLINE:
            self._pin(cell, self._burners if profile.mode == CPU else self._waiters)

    def wait(self, ready: Waitable, deadline: float | None) -> bool:
        """See `garrick.ports.Scheduler`."""
        tenure = self.runtime.tenure
        me = threading.get_ident()
        if tenure.thread == me and tenure.envelope is not None:
            if self._inline(tenure, ready):
                return True
            self._yield(tenure)
        self._burners.relieve(me)
        self.pool.exempt(+1)
        try:
            return _block(ready, deadline, self.runtime.clock.now)
        finally:
            self.pool.exempt(-1)

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Keep nothing that was learnt about classes for which this is true."""
        for cls in [cls for cls in self._profiles if gone(cls)]:
            self._profiles.pop(cls, None)

    def may_wait(self) -> bool:
        """See `garrick.ports.Scheduler`."""
        tenure = self.runtime.tenure
        return tenure.thread != threading.get_ident() or tenure.envelope is not None

    def lost_baton(self, tenure: Tenure) -> bool:
        """The holder has left user code and saw ``lost``: is the baton really gone?"""
        with self._lock:
            if not tenure.taken:
                tenure.lost = False
                return False
        self._reattach(threading.get_ident())
        return True

    # --- holding ----------------------------------------------------------------------------------------------------------

    def _give_baton(self) -> None:
        before = self.runtime.tenure
        tenure = self.runtime.tenure = Tenure()
        try:
            self.pool.submit_now(lambda: self._hold(tenure))
        except RuntimeError:  # the operating system has no more threads
            self.runtime.tenure = before
            raise

    def _hold(self, tenure: Tenure) -> None:
        tenure.clock = thread_clock()
        tenure.thread = threading.get_ident()
        HERE.tenure = tenure
        try:
            self._run(tenure)
        except BaseException:  # the runtime's own error: say so loudly, the worker can't go on
            log.critical("internal error of the runtime; its lane stops", exc_info=True)
            self._stopping = True
            self._ended.set()
            raise

    def _run(self, tenure: Tenure) -> None:
        # The hot path. Everything that is not needed for a plain message to a plain actor is behind one of four tests:
        # `queue`, `lost`, `result`, `pending`. `starmap` takes from the lane and counts to the next look at timers and links in C;
        # a loop that calls `pop` and counts by itself takes some per cent longer.
        runtime = self.runtime
        lane, pop, control = runtime.lane, runtime.lane.popleft, runtime.control
        turns = [()] * SERVICE_EVERY
        while True:
            try:
                for envelope in starmap(pop, turns):
                    cell, message, sender = envelope
                    if cell.queue is not None:
                        if cell is control:
                            if message(sender):
                                return
                        else:
                            runtime.enqueue(cell, envelope)
                        continue
                    cell.sender = sender
                    tenure.envelope = envelope
                    try:
                        result = cell.handle(message, sender)
                    except BaseException as error:
                        tenure.envelope = None
                        if tenure.lost and self.lost_baton(tenure):
                            runtime.post(runtime.released, (cell, supervise.handled, envelope, None, error))
                            return
                        if supervise.handled(runtime, cell, envelope, None, error):
                            return
                    else:
                        tenure.envelope = None
                        if tenure.lost and self.lost_baton(tenure):
                            runtime.post(runtime.released, (cell, supervise.handled, envelope, result, None))
                            return
                        if result is not None and type(result) is CoroutineType:
                            runtime.go_async(cell, result, envelope, supervise.handled)
                        elif cell.pending and supervise.handled(runtime, cell, envelope, None, None):
                            return
            except IndexError as error:
                if not _is_empty(error):
                    raise
                result = None  # the last answer is not kept alive while there is nothing to do
                if not self._rest():
                    return
                continue
            self.poller.busy()
            if runtime.timers:
                runtime.fire_timers()
            if len(lane) > runtime.spread_at:
                spread(runtime)

    def _rest(self) -> bool:
        """Nothing to run: serve timers and links, then sleep; False when the runtime stops."""
        runtime = self.runtime
        runtime.spread_at = BACKLOG
        if self._stopping:
            self._ended.set()
            return False
        timeout = None
        due = runtime.timers.next_due
        if due is not None:
            timeout = due - runtime.clock.now()
            if timeout <= 0:
                runtime.fire_timers()
                return True
        runtime.idle = True
        if runtime.lane or self._stopping:  # appended before `idle` was seen: nobody will wake us
            runtime.idle = False
            return True
        self.poller.poll(timeout)
        runtime.idle = False
        if self._monitor_asleep:
            self._monitor_wake.set()
        return True

    def _step_elsewhere(self) -> None:
        # The thread has made its step known; a monitor that goes to sleep says so first and looks for steps then.
        if self._monitor_asleep:
            self._monitor_wake.set()

    # --- giving the baton away ------------------------------------------------------------------------------------------------

    def _take(self, tenure: Tenure, seen: Any) -> bool:
        """Monitor: take the baton from ``tenure`` if it is still in the step ``seen``, and there is a thread to give it to."""
        with self._lock:
            tenure.lost = True
            if tenure.envelope is not seen or tenure.taken:
                tenure.lost = tenure.taken
                return False
            try:
                self._detach(tenure, seen[0])
            except RuntimeError as error:
                refused = error
            else:
                return True
        if not self._threadless:
            self._threadless = True
            self._tell(log.warning, "%s: a handler that blocks keeps the others of this process waiting", refused)
        return False

    def _yield(self, tenure: Tenure) -> None:
        """Holder, in user code that is about to wait: give the baton up at once, never wait for the monitor."""
        with self._lock:
            tenure.lost = True
            if not tenure.taken:
                self._detach(tenure, tenure.envelope[0])

    def _detach(self, tenure: Tenure, cell: Cell) -> None:
        held = cell.busy, cell.queue
        tenure.taken = True
        cell.hold()
        self._detached[tenure.thread] = _Detached(cell, tenure.thread, tenure.clock)
        self.hand_overs += 1
        try:
            self._give_baton()
        except RuntimeError:  # nothing has happened: the holder stays what it is
            self._detached.pop(tenure.thread, None)
            cell.busy, cell.queue = held
            tenure.taken = tenure.lost = False
            raise

    def _reattach(self, thread: int) -> None:
        """A detached thread has left user code: learn from it."""
        record = self._detached.pop(thread, None)
        if record is None:
            return
        wall = time.monotonic() - record.since
        if wall < 0.0005 or record.cell.executor is not None or record.cell.state == ENDED:
            return
        profile = self._profile(record.cell)
        if profile.detached(wall, thread_cpu(record.clock) - record.cpu):
            self._change_mode(record.cell)

    def _profile(self, cell: Cell) -> ClassProfile:
        key = cell.spec.actor_class
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._profiles[key] = ClassProfile()
        return profile

    def _ran(self, cell: Cell, wall: float) -> None:
        """A step ran on the pool or the CPU lane."""
        if self._profile(cell).ran(wall):
            self._change_mode(cell)

    def _change_mode(self, cell: Cell) -> None:
        # In front of what waits: behind it would be the very handlers that block, each of which takes the monitor two looks.
        # Nobody's messages are overtaken by that, since only the place where they are handled changes.
        runtime = self.runtime
        runtime.lane.appendleft((runtime.control, self._mode_changed, cell.spec.actor_class))
        if runtime.idle:
            runtime.wake()

    def _mode_changed(self, actor_class: Any) -> None:
        """Holder: move all actors of a class to where its handlers run now."""
        profile = self._profiles.get(actor_class)
        if profile is None:
            return
        mode = profile.mode
        executor = None if mode == INLINE else self._burners if mode == CPU else self._waiters
        for cell in list(self.runtime.cells.values()):
            settled = cell.executor is not None and cell.executor.settled
            if cell.spec.actor_class is actor_class and cell.spec.isolation == "shared" and not settled:
                if executor is not None:
                    self._pin(cell, executor)
                else:
                    cell.executor = None
                    cell.pinned = False
                    if not cell.busy:
                        self.runtime.unbusy(cell)

    def _pin(self, cell: Cell, executor: Executor) -> None:
        cell.executor = executor
        cell.pinned = True
        if cell.queue is None:
            cell.queue = deque()

    # --- inline asks ------------------------------------------------------------------------------------------------------------

    def _inline(self, tenure: Tenure, ready: Any) -> bool:
        """Run the asked actor on this stack when nothing else waits for it; True when the answer is here.

        A hop to another thread and back costs 40 us; this costs one.
        """
        runtime = self.runtime
        target = ready.target._cell if ready.target is not None else None
        if target is None or target.runtime is not runtime or target.queue is not None or tenure.depth >= INLINE_DEPTH:
            return bool(ready.done)
        lane = runtime.lane
        if len(lane) > 16:
            return bool(ready.done)
        found = None
        control = runtime.control
        try:
            for envelope in lane:
                if envelope[0] is control and found is None:
                    return bool(ready.done)  # it may be the start or the stop of the target, which come first
                if envelope[0] is target:
                    if found is not None or envelope[2] is not ready.address:
                        return bool(ready.done)
                    found = envelope
        except RuntimeError:  # another thread appended meanwhile
            return bool(ready.done)
        if found is None:
            return bool(ready.done)
        saved = tenure.envelope
        outer = saved[0]
        with self._lock:
            if tenure.taken:
                return bool(ready.done)
            tenure.lost = False
            outer.hold()  # if the inner step is taken over, nobody may run the outer actor
            lane.remove(found)
            tenure.envelope = None
        tenure.answered += 1
        tenure.depth += 1
        lost = runtime.run_message(target, found)
        tenure.depth -= 1
        if not lost:
            self._serve()
            self._resume(tenure, saved)
        else:
            tenure.envelope = saved  # the monitor looks at another tenure now, the log at this one
            if not ready.done:
                # The outer step goes on without the baton, like the inner one before it.
                me = threading.get_ident()
                self._detached[me] = _Detached(outer, me, thread_clock())
        return bool(ready.done)

    def _serve(self) -> None:
        """Holder, between two steps: a handler that asks and asks keeps the baton, so links and timers get their turn here."""
        now = time.monotonic()
        if now >= self._serve_next:
            self._serve_next = now + LOOK_FAST
            self.poller.busy()
            self.runtime.fire_timers()

    def _resume(self, tenure: Tenure, saved: Any) -> None:
        # Free the actor first: once the step can be seen, the monitor may take the baton, and we must not touch anything any more.
        outer = saved[0]
        outer.busy = False
        if not outer.queue and not outer.pinned:
            outer.queue = None
        tenure.envelope = saved

    # --- the monitor -------------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        runtime = self.runtime
        fast = quiet = 0
        seen: Any = None
        prompt = False
        hand_overs = 0
        while not self._stopping:
            if fast:
                pause = LOOK_BURST if fast > FAST_LOOKS - BURST_LOOKS else LOOK_FAST
                fast -= 1
            else:
                pause = LOOK_FAST if seen is not None and prompt else LOOK_SLOW
            began = time.monotonic()
            time.sleep(pause)
            prompt = time.monotonic() - began < pause + LOOK_FAST
            if hand_overs != self.hand_overs:
                hand_overs, fast = self.hand_overs, FAST_LOOKS
            if self._detached:
                self._look_at_detached()
            if self._burners.active:
                self._look_at_burners()
            if runtime.running:
                self._look_at_executors()
            if self.pool.starved:
                self.pool.retry()
            if runtime.async_lane is not None:
                self._look_at_loop()
            seen, taken = self._look(seen)
            if taken:
                fast = FAST_LOOKS
            if seen is not None or taken or not runtime.idle:
                quiet = 0
                continue
            quiet += 1
            if quiet > QUIET_LOOKS and not self._detached and not self._burners.active:
                self._sleep()
                quiet = 0
        self._monitor_asleep = False

    def _look(self, seen: Any) -> tuple[Any, bool]:
        """Look at the holder: what it is doing, to be compared at the next look, and whether it has lost the baton."""
        tenure = self.runtime.tenure
        envelope = tenure.envelope
        if tenure.answered != self._answered:
            self._answered, self._patience = tenure.answered, PATIENCE
        kept_waiting = self._kept_waiting()
        # The same object twice (we hold a reference, so its identity can't be reused): one step lasted from look to look.
        if envelope is None or envelope is not seen:
            return envelope, False
        if self._patience and not kept_waiting:
            self._patience -= 1
            return envelope, False  # without the baton each of its asks would cost two changes of threads
        return None, self._take(tenure, envelope)

    def _kept_waiting(self) -> bool:
        """Whether something is in the lane that was there at the last look; the step's own question comes and goes."""
        before = self._first
        try:
            self._first = self.runtime.lane[0]
        except IndexError:
            self._first = None  # each look forgets: what it remembers would be kept alive with its message
        return self._first is not None and self._first is before

    def _learn(self, record: _Detached, now: float) -> None:
        # Not only when it returns: of a thousand handlers that block for a minute, each would get a thread from the baton.
        record.learnt = True
        cell = record.cell
        wall, cpu = now - record.since, thread_cpu(record.clock) - record.cpu
        if cpu < WAITING_SHARE * wall and not cell.waits and cell.executor is None and cell.state != ENDED:
            if self._profile(cell).detached(wall, cpu):
                self._change_mode(cell)

    def _look_at_burners(self) -> None:
        waiting = self._burners.look()
        if waiting is not None:
            cell, wall, cpu = waiting
            if self._profile(cell).detached(wall, cpu):
                self._change_mode(cell)

    def _look_at_loop(self) -> None:
        stalled = self.runtime.async_lane.stalled(time.monotonic())
        if stalled is not None:
            self._tell(slow.loop_stalled, *stalled)

    def _sleep(self) -> None:
        self._monitor_wake.clear()
        self._monitor_asleep = True
        if self.runtime.idle and not self._stopping:
            lane = self.runtime.async_lane
            # The loop turns while the holder sleeps, and executors work, so they are looked at now and then.
            busy = self.runtime.running or (lane is not None and lane.active) or self.pool.starved
            self._monitor_wake.wait(LOOK_AT_LOOP if busy else None)
        self._monitor_asleep = False

    def _look_at_detached(self) -> None:
        now = time.monotonic()
        for record in list(self._detached.values()):
            if not record.learnt and now - record.since >= LEARN_AFTER:
                self._learn(record, now)
        self._tell(slow.look, list(self._detached.values()), now)

    def _look_at_executors(self) -> None:
        now = time.monotonic()
        if now >= self._executors_next:
            self._executors_next = now + LOOK_AT_EXECUTORS
            self._tell(slow.look, list(self.runtime.running.values()), now)

    @staticmethod
    def _tell(report: Callable[..., None], *arguments: Any) -> None:
        # Reports pass through code of the program (its filters and handlers of logs), which may raise anything; whatever it does must not
        # end the monitor: without it, one handler that blocks would stop all.
        try:
            report(*arguments)
        except Exception:
            traceback.print_exc()


def _is_empty(error: IndexError) -> bool:
    """Whether the lane said that it is empty. An error of the runtime's own code comes out of a frame below the loop."""
    below = error.__traceback__.tb_next if error.__traceback__ is not None else None
    return below is None or below.tb_frame.f_code.co_name == "popleft"


def _block(ready: Waitable, deadline: float | None, now: Any) -> bool:
    """Wait on the current thread, without looking at the runtime."""
    gate = threading.Lock()
    gate.acquire()
    opened = threading.Lock()

    def open_gate() -> None:
        if opened.acquire(blocking=False):
            gate.release()

    ready.on_done(open_gate)
    # The main thread looks up now and then: a signal that arrives between CPython's last look for signals and the wait in the operating
    # system does not end that wait, and Ctrl-C would do nothing.
    slice_ = LOOK_FOR_SIGNALS if threading.get_ident() == threading.main_thread().ident else threading.TIMEOUT_MAX
    while True:
        left = threading.TIMEOUT_MAX if deadline is None else max(0.0, deadline - now())
        if gate.acquire(timeout=min(left, slice_)) or left <= slice_:
            return ready.done
