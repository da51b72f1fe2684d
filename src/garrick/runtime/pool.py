"""Threads of one runtime: a pool that grows on demand, and the thread that belongs to one actor.

Threads are daemons, because a handler that never returns must not keep the program alive; `close` waits for the idle ones.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from garrick.observe.here import HERE
from garrick.runtime.slow import Running

THREADS = 512
"""How many handlers of one process may block at a time; the steps of further ones wait their turn: classes in turn, those of one class
first come first served. A class of which nothing runs need not wait, so that no class can keep another one from running."""
SPARE = 64
"""Idle threads that are kept for the next burst."""

BRANCHES = 2
"""How many threads a new one starts before its own job, while there is more to start: a burst doubles with each generation."""

Job = Callable[[], None]
Task = tuple[Any, Job]
"""A job and its group: the class of its actor; None for what does not count."""
StepEnded = Callable[[Any, float], None]
"""Told the cell and the wall time, in seconds, of a step that an executor has run."""


class Pool:
    """Runs jobs on idle threads; makes a new thread when none is idle and fewer than ``limit`` run.

    Beyond the limit jobs wait their turn: groups in turn, first come first served within one. A group of which nothing runs gets a
    thread beyond the limit, so there are at most ``limit`` threads and one for each group. `submit_now` has no limit: it is for the
    baton, which must always find a thread. Jobs must not raise.

    Starting a thread waits until the new thread has run, which takes milliseconds on a busy machine. `submit` is called by the holder of
    the baton, whom nothing may keep: it starts one thread, and those that a burst needs beyond it are started by new ones.
    """

    def __init__(self, name: str, limit: int = THREADS) -> None:
        self.name = name
        self.limit = limit
        self._lock = threading.Lock()
        self._idle: deque[_Thread] = deque()
        self._waiting: dict[Any, deque[Job]] = {}
        """By group, in the order of their turns."""
        self._running: dict[Any, int] = {}
        """How many threads each group has."""
        self._threads: set[_Thread] = set()
        self._exempt = 0
        self._growing = 0
        """How many new threads are at work that start others for what waits."""
        self._closed = False
        self.starved = False
        """Whether something waits because no thread could be started: somebody has to call `retry` now and then."""

    def submit(self, job: Job, group: Any = "") -> None:
        """Run ``job`` soon on some thread; jobs of one ``group`` share what the limit leaves them."""
        with self._lock:
            self._waiting.setdefault(group, deque()).append(job)
            if self._growing:
                return  # whoever grows looks at what waits
            while self._idle and (task := self._take(free=True)):
                self._idle.pop().give(task)
            self._begin_to_grow()

    def retry(self) -> None:
        """Try again to start a thread for what waits."""
        with self._lock:
            self.starved = False
            if not self._growing:
                self._begin_to_grow()

    def _begin_to_grow(self) -> None:
        if task := self._take(free=self._may_grow()):
            self._growing = 1
            if not self._new((task[0], partial(self._grow, task[1]))):
                self._growing = 0
                self._put_back(task)

    def submit_now(self, job: Job) -> None:
        """Run ``job`` at once, on a new thread if necessary.

        Raises:
            RuntimeError: no thread is idle, and the operating system gives no more.
        """
        with self._lock:
            if self._idle:
                self._idle.pop().give((None, job))
            elif not self._new((None, job)):
                raise RuntimeError("can't start new thread")

    def exempt(self, change: int) -> None:
        """This thread begins (+1) or ends (-1) to wait for an answer: it does not count, or the pool would deadlock.

        Threads that are not the pool's (the program's own) count neither way.
        """
        thread = threading.current_thread()
        if not isinstance(thread, _Thread) or thread._pool is not self:
            return
        with self._lock:
            self._exempt += change
            if change > 0 and not self._growing and (task := self._take(free=self._may_grow())) and not self._new(task):
                self._put_back(task)

    def close(self, timeout: float) -> list[str]:
        """End the idle threads, wait up to ``timeout`` s for the others; the names of those that are still in user code."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            for thread in self._idle:
                thread.give(None)
            self._idle.clear()
        deadline = time.monotonic() + timeout
        while self._growing and time.monotonic() < deadline:
            time.sleep(0.001)  # a thread is just being started
        with self._lock:
            threads = [t for t in self._threads if t is not threading.current_thread()]
        for thread in threads:
            thread.join(timeout)
            timeout = 0.0 if thread.is_alive() else timeout
        return [t.name for t in threads if t.is_alive()]

    def _may_grow(self) -> bool:
        return len(self._threads) - self._exempt < self.limit

    def _take(self, *, free: bool) -> Task | None:
        """What is next in line: that of a group of which nothing runs, else, when a thread is ``free``, any group's. With the lock held.

        Such a group comes first also when a thread is free: the thread that has just ended its last job is the one it counts on.
        """
        for group in self._waiting:
            if group not in self._running:
                break
        else:
            if not free or not self._waiting:
                return None
            group = next(iter(self._waiting))
        jobs = self._waiting.pop(group)
        job = jobs.popleft()
        if jobs:
            self._waiting[group] = jobs  # its next turn comes after everybody else's
        self._running[group] = self._running.get(group, 0) + 1
        return group, job

    def _ended(self, group: Any) -> None:
        if group is not None:
            self._running[group] -= 1
            if not self._running[group]:
                del self._running[group]

    def _grow(self, job: Job) -> None:
        """On a new thread: start a few others for what waits, which do the same, and then do the job."""
        started = 0
        while True:
            with self._lock:
                following = None
                if started < BRANCHES or self._growing == 1:
                    following = self._take(free=bool(self._idle) or self._may_grow())
                if following is None:
                    self._growing -= 1
                    break
                if self._idle:
                    self._idle.pop().give(following)
                    continue
                self._growing += 1
                thread = _Thread(self, (following[0], partial(self._grow, following[1])))
                self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:
                with self._lock:
                    self._threads.discard(thread)
                    self._put_back(following)
                    self._growing -= 2  # its own turn, and that of the one that was not to be
                break
            started += 1
        job()

    def _new(self, task: Task) -> bool:
        """Whether a new thread does it; the operating system may have no more of them."""
        thread = _Thread(self, task)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            return False
        return True

    def _put_back(self, task: Task) -> None:
        """There is no thread for it: it is next when one has ended its job, at the next `submit`, or at a `retry`."""
        self.starved = True
        group, job = task
        self._ended(group)
        self._waiting = {group: deque([job, *self._waiting.pop(group, ())]), **self._waiting}

    def _next(self, thread: _Thread, group: Any) -> bool:
        """The thread has finished a job of ``group``; False when it should end."""
        with self._lock:
            self._ended(group)
            beyond = len(self._threads) - self._exempt > self.limit
            if task := self._take(free=not beyond):
                thread.give(task)
            elif self._closed or beyond or len(self._idle) >= SPARE:
                self._threads.discard(thread)
                return False
            else:
                self._idle.append(thread)
            return True


class _Thread(threading.Thread):
    def __init__(self, pool: Pool, task: Task) -> None:
        super().__init__(name=pool.name, daemon=True)
        self._pool = pool
        self._task: Task | None = task
        self._go = threading.Lock()
        self._go.acquire()

    def give(self, task: Task | None) -> None:
        self._task = task
        self._go.release()

    def run(self) -> None:
        while True:
            task, self._task = self._task, None
            if task is None:
                break
            group, job = task
            job()
            del job, task
            if not self._pool._next(self, group):
                return
            del group
            self._go.acquire()
        with self._pool._lock:
            self._pool._threads.discard(self)


class Executor:
    """Where the steps of some actors run instead of on the baton: a thread pool, or one thread in order."""

    settled = False
    """Whether it stays with its actor wherever the steps of the actor's class run."""
    flights: Any = ()
    """Handlers of a reentrant actor that are under way beside its steps."""

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> bool | None:
        """Run ``call(cell, context)`` for a held cell, then post the step as released; True when the baton was lost."""
        raise NotImplementedError

    def quiet(self, then: Callable[[], bool], *, cancel: bool) -> bool:
        """Call ``then`` when no handler is under way; with ``cancel`` those that are get cancelled. On the holder."""
        del cancel
        return then()

    def retire(self, cell: Any) -> None:
        """The actor has ended."""


class PoolExecutor(Executor):
    """Steps of classes that wait (sleep, blocking I/O)."""

    def __init__(self, pool: Pool, after: StepEnded) -> None:
        self._pool = pool
        self._after = after

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> None:
        """See Executor."""
        self._pool.submit(lambda: run_step(cell, call, context, done, self._after), cell.spec.actor_class)


class OwnThread(Executor):
    """One thread for one actor, for life (``isolation="thread"``)."""

    def __init__(self, name: str) -> None:
        self._jobs: deque[tuple[Any, ...] | None] = deque()
        self._some = threading.Semaphore(0)
        self._name = name
        self.thread: threading.Thread | None = None

    def submit(self, cell: Any, call: Any, context: Any, done: Any) -> None:
        """See Executor."""
        if self.thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the operating system has no more of them: the step has failed
                cell.runtime.post(cell.runtime.released, (cell, done, context, None, error))
                return
            self.thread = thread
        self._jobs.append((cell, call, context, done, None))
        self._some.release()

    def retire(self, cell: Any) -> None:
        """See Executor."""
        self.close()

    def close(self) -> None:
        """End the thread after what it has to do."""
        self._jobs.append(None)
        self._some.release()

    def _run(self) -> None:
        while True:
            self._some.acquire()
            job = self._jobs.popleft()
            if job is None:
                return
            run_step(*job)
            del job


def run_step(cell: Any, call: Any, context: Any, done: Any, after: StepEnded | None) -> None:
    """Run one step of a held cell on the current thread; its outcome goes back through the lane."""
    runtime = cell.runtime
    clock = runtime.clock
    error: BaseException | None = None
    result = None
    began = clock.now()
    HERE.step = (cell, call, context)
    me = threading.get_ident()
    runtime.running[me] = Running(cell, me, time.monotonic())
    runtime.on_step()
    try:
        result = call(cell, context)
    except BaseException as raised:
        error = raised
    HERE.step = None
    runtime.running.pop(me, None)
    if after is not None:
        after(cell, clock.now() - began)
    runtime.post(runtime.released, (cell, done, context, result, error))
