"""`Solo`: the scheduler of a dedicated process. Its handlers run on the main thread; one other thread serves the links.

Owns the lane's main loop there. There is no monitor: a handler that blocks keeps this process's other actors waiting, and nobody
else. Only when a handler *says* that it waits (``.result()``, a full link) a helper takes the lane over until it has finished, or
it would wait for its own children for ever. Invariant: one thread at a time runs the lane; the main thread gets it back as soon as
it is free.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from garrick.observe.here import HERE
from garrick.ports import Poller, Waitable
from garrick.runtime import slow
from garrick.runtime.baton import SERVICE_EVERY, Tenure, _block
from garrick.runtime.fairness import spread
from garrick.runtime.pool import OwnThread, Pool
from garrick.runtime.signals import Inspect, SourcesAre, StatusWanted, SubscribeDeadLetters
from garrick.runtime.slow import Running

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime


class Solo:
    """See the module; a `garrick.ports.Scheduler`. `run` is the main thread's part."""

    def __init__(self, runtime: Runtime, poller: Poller, *, name: str = "garrick") -> None:
        self.runtime = runtime
        runtime.scheduler = self
        # The thread of the links answers them, while a handler keeps the main thread.
        runtime.answers_at_once = frozenset({StatusWanted, Inspect, SourcesAre, SubscribeDeadLetters})
        self.poller = poller
        self.pool = Pool(name)
        self._stopping = False
        self._main_wants = False
        """The main thread has nothing else to do and waits for the lane."""
        self._back = threading.Semaphore(0)
        self._gate = threading.Lock()
        """Open when the holder has been woken."""
        self._gate.acquire()
        self._seen: Any = None
        """The step of the main thread at the last look; a reference, so that no other can have its identity."""
        self._step: Running | None = None
        self._links = threading.Thread(target=self._serve_links, name=f"{name}-links", daemon=True)

    # --- Scheduler -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """See `garrick.ports.Scheduler`: here only the links begin; the lane does with `run`."""
        self._links.start()

    def wake(self) -> None:
        """See `garrick.ports.Scheduler`."""
        self.runtime.idle = False
        self._open()

    def wait(self, ready: Waitable, deadline: float | None) -> bool:
        """See `garrick.ports.Scheduler`."""
        tenure = self.runtime.tenure
        if tenure.thread == threading.get_ident() and tenure.envelope is not None and not ready.done:
            tenure.lost = tenure.taken = True
            tenure.envelope[0].hold()
            self.pool.submit_now(self._help)
        return _block(ready, deadline, self.runtime.clock.now)

    def may_wait(self) -> bool:
        """See `garrick.ports.Scheduler`."""
        tenure, me = self.runtime.tenure, threading.get_ident()
        return me != self._links.ident and (me != tenure.thread or tenure.envelope is not None)

    def place(self, cell: Cell) -> None:
        """See `garrick.ports.Scheduler`."""
        if cell.spec.isolation == "thread":
            cell.executor = OwnThread(f"{self.pool.name}-actor")
            cell.pinned = True
            if cell.queue is None:
                cell.queue = deque()

    def lost_baton(self, tenure: Tenure) -> bool:
        """See `garrick.ports.Scheduler`."""
        return tenure.taken

    def stop(self, timeout: float) -> bool:
        """See `garrick.ports.Scheduler`; `run` returns."""
        self._stopping = True
        self.wake()
        self.poller.wake()
        self._links.join(timeout)
        return not self._links.is_alive()

    # --- the lane ------------------------------------------------------------------------------------------------------

    def run(self, ended: threading.Event) -> None:
        """Run the lane on this thread until ``ended`` is set."""
        while not ended.is_set():
            self._run(self._tenure(), ended)
            if ended.is_set():
                return
            # The lane went to a helper while a handler of this thread waited.
            self._main_wants = True
            self._open()
            self._back.acquire()

    def drain(self) -> None:
        """After `run` and `stop`: run what is in the lane now; nobody else does any more."""
        drained = threading.Event()
        self.runtime.post(lambda _: drained.set(), None)
        self._run(self._tenure(), drained)

    def _tenure(self) -> Tenure:
        tenure = Tenure()
        tenure.thread = threading.get_ident()
        self.runtime.tenure = HERE.tenure = tenure
        return tenure

    def _help(self) -> None:
        self._run(self._tenure(), None)

    def _run(self, _tenure: Tenure, ended: threading.Event | None) -> None:
        """Run envelopes until the lane is lost, the main thread wants it back (a helper), or the process ends (main thread)."""
        runtime = self.runtime
        lane, control = runtime.lane, runtime.control
        left = SERVICE_EVERY
        while True:
            if ended is None:
                if self._main_wants:
                    self._main_wants = False
                    self._back.release()
                    return
            elif ended.is_set():
                return
            if not lane:
                self._rest()
                continue
            envelope = lane.popleft()
            cell = envelope[0]
            if cell is control:
                if envelope[1](envelope[2]):
                    return
            elif cell.queue is not None:
                runtime.enqueue(cell, envelope)
            elif runtime.run_message(cell, envelope):
                return
            left -= 1
            if not left:
                left = SERVICE_EVERY
                if runtime.timers:
                    runtime.fire_timers()
                if len(lane) > runtime.spread_at:
                    spread(runtime)

    def _rest(self) -> None:
        """Nothing to run: fire timers, then sleep."""
        runtime = self.runtime
        timeout = -1.0
        due = runtime.timers.next_due
        if due is not None:
            timeout = due - runtime.clock.now()
            if timeout <= 0:
                runtime.fire_timers()
                return
        runtime.idle = True
        # Appended, or asked for, before `idle` was seen: nobody will open the gate.
        if not runtime.lane and not self._main_wants and not self._stopping:
            self._gate.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))
        runtime.idle = False

    def _open(self) -> None:
        try:
            self._gate.release()
        except RuntimeError:
            pass  # it is open

    def _serve_links(self) -> None:
        while not self._stopping:
            self.poller.poll(None)
            self._look()  # the admin's pings see to it that it comes to this

    def _look(self) -> None:
        """Tell of handlers that run for too long, on the main thread or on that of an actor."""
        now = time.monotonic()
        tenure = self.runtime.tenure
        envelope = tenure.envelope
        if envelope is None:
            self._seen = self._step = None
        elif envelope is not self._seen:
            self._seen, self._step = envelope, Running(envelope[0], tenure.thread, now)
        running = list(self.runtime.running.values())
        slow.look(running if self._step is None else [self._step, *running], now)
