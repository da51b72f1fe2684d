"""`CpuLane`: the steps of long CPU burners, one at a time, because more threads would only take turns at the interpreter's lock.

Owns who runs the lane. One at a time holds only while the step burns: as soon as it waits (for an answer, or anywhere else in user code)
another thread takes the lane over, or burners that ask one another would wait for ever. A thread that has lost the lane finishes its
step and leaves.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from garrick.runtime.classes import WAITING_SHARE
from garrick.runtime.pool import Executor, Pool, StepEnded, run_step

LOOK_SECONDS = 0.02
"""How long a step must have gone without using the processor to count as waiting: long beside a turn at the interpreter's lock."""


class Runner:
    """One thread's turn at the lane, and what it does."""

    __slots__ = ("cell", "clock", "cpu", "seen", "since", "step", "thread")

    def __init__(self) -> None:
        self.thread = 0
        self.clock = 0
        self.step = 0
        """Counts its steps, so that a look can tell one from the next."""
        self.cell: Any = None
        self.seen = -1
        self.since = self.cpu = 0.0


class CpuLane(Executor):
    """See the module.

    Args:
        pool: gives the threads.
        after: told the wall time of each step.
    """

    def __init__(self, pool: Pool, after: StepEnded) -> None:
        self._pool = pool
        self._after = after
        self._lock = threading.Lock()
        self._jobs: deque[tuple[Any, ...]] = deque()
        self._runner: Runner | None = None

    @property
    def active(self) -> bool:
        """Whether a step is under way."""
        return self._runner is not None

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> None:
        """See Executor."""
        with self._lock:
            self._jobs.append((cell, call, context, done, self._after))
            if self._runner is None:
                self._hire()

    def relieve(self, thread: int) -> None:
        """This thread begins to wait: if it runs the lane, another one goes on with what is in line."""
        runner = self._runner
        if runner is not None and runner.thread == thread:
            self._release(runner)

    def look(self) -> tuple[Any, float, float] | None:
        """The monitor's: has the present step stopped burning? Then ``(cell, wall, cpu)`` in seconds, and the lane is free of it."""
        runner = self._runner
        if runner is None or runner.thread == 0:
            return None
        now, cpu, step = time.monotonic(), thread_cpu(runner.clock), runner.step
        if runner.seen != step:
            runner.seen, runner.since, runner.cpu = step, now, cpu
            return None
        wall, used = now - runner.since, cpu - runner.cpu
        if wall < LOOK_SECONDS:
            return None
        runner.seen = -1  # the next look begins anew
        cell = runner.cell
        if used >= WAITING_SHARE * wall or runner.step != step or not self._release(runner):
            return None
        return cell, wall, used

    def _release(self, runner: Runner) -> bool:
        with self._lock:
            if self._runner is not runner:
                return False
            self._runner = None
            if self._jobs:
                self._hire()
        return True

    def _hire(self) -> None:
        runner = self._runner = Runner()
        try:
            self._pool.submit_now(lambda: self._run(runner))
        except RuntimeError:  # there are no more threads: behind what the pool has to do
            self._pool.submit(lambda: self._run(runner), CpuLane)

    def _run(self, runner: Runner) -> None:
        runner.clock = thread_clock()
        runner.thread = threading.get_ident()
        while True:
            with self._lock:
                if self._runner is not runner:
                    return
                if not self._jobs:
                    self._runner = None
                    return
                job = self._jobs.popleft()
                runner.cell = job[0]
                runner.step += 1
            run_step(*job)
            del job


def thread_clock() -> int:
    """The processor clock of the calling thread, for `thread_cpu`."""
    return time.pthread_getcpuclockid(threading.get_ident())


def thread_cpu(clock: int) -> float:
    """Seconds of processor time that the thread of ``clock`` has used; 0.0 when it has ended.

    Others must not ask for the clock by the thread's ident: the C library looks into the memory of that thread, and once it has ended
    and its stack is gone, the process crashes. A clock of a thread that has ended is refused by the kernel.
    """
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0
