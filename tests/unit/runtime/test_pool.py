"""The threads of a runtime."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from garrick.runtime.pool import SPARE, OwnThread, Pool

pytestmark = pytest.mark.concurrency

WAIT = 10.0


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool("test-pool", limit=2)
    yield pool
    assert pool.close(WAIT) == []
    assert not [t for t in threading.enumerate() if t.name == "test-pool"]


class Blocks:
    """A job that waits until it is released."""

    def __init__(self) -> None:
        self.began, self.go, self.thread = threading.Event(), threading.Event(), 0

    def __call__(self) -> None:
        self.thread = threading.get_ident()
        self.began.set()
        assert self.go.wait(WAIT)


def test_jobs_run_on_other_threads_and_reuse_them(pool: Pool) -> None:
    ran: queue.Queue[int] = queue.Queue()
    idle = threading.Event()
    threads = set()
    for _ in range(20):
        pool.submit(lambda: ran.put(threading.get_ident()))
        threads.add(ran.get(timeout=WAIT))
        idle.wait(0.001)
    assert threading.get_ident() not in threads
    assert len(threads) <= 2


def test_beyond_the_limit_jobs_wait_their_turn(pool: Pool) -> None:
    blocking = [Blocks() for _ in range(2)]
    for job in blocking:
        pool.submit(job)
        assert job.began.wait(WAIT)
    order: queue.Queue[int] = queue.Queue()
    for number in range(3):
        pool.submit(lambda number=number: order.put(number))  # type: ignore[misc]
    assert order.empty()
    blocking[0].go.set()
    assert [order.get(timeout=WAIT) for _ in range(3)] == [0, 1, 2]
    blocking[1].go.set()


def test_a_group_of_which_nothing_runs_need_not_wait(pool: Pool) -> None:
    blocking = [Blocks() for _ in range(2)]
    for job in blocking:
        pool.submit(job, "slow")
        assert job.began.wait(WAIT)
    for number in range(10):
        blocking.append(Blocks())
        pool.submit(blocking[-1], "slow")
        ran: queue.Queue[int] = queue.Queue()
        pool.submit(lambda number=number, ran=ran: ran.put(number), "quick")  # type: ignore[misc]
        assert ran.get(timeout=WAIT) == number
    assert len(pool._threads) <= 3
    for job in blocking:
        job.go.set()


def test_what_waits_of_a_group_goes_on_while_others_block(pool: Pool) -> None:
    blocking = [Blocks() for _ in range(2)]
    for job in blocking:
        pool.submit(job, "slow")
        assert job.began.wait(WAIT)
    first, order = Blocks(), queue.Queue[int]()
    pool.submit(first, "quick")
    assert first.began.wait(WAIT)
    for number in range(5):
        pool.submit(lambda number=number: order.put(number), "quick")  # type: ignore[misc]
    assert order.empty()
    first.go.set()
    assert [order.get(timeout=WAIT) for _ in range(5)] == list(range(5))
    for job in blocking:
        job.go.set()


def test_the_last_thread_of_a_group_stays_with_it_while_others_wait_too(pool: Pool) -> None:
    slow, first = Blocks(), Blocks()
    pool.submit(slow, "slow")
    assert slow.began.wait(WAIT)
    pool.submit(first, "quick")  # within the limit
    assert first.began.wait(WAIT)
    blocking = [Blocks() for _ in range(3)]
    for job in blocking:
        pool.submit(job, "slow")
    order = queue.Queue[int]()
    for number in range(5):
        pool.submit(lambda number=number: order.put(number), "quick")  # type: ignore[misc]
    first.go.set()
    assert [order.get(timeout=WAIT) for _ in range(5)] == list(range(5))
    for job in (slow, *blocking):
        job.go.set()


def test_groups_take_turns_and_the_limit_holds_again() -> None:
    pool, gate = Pool("test-turns", limit=1), Blocks()
    pool.submit(gate, "a")
    assert gate.began.wait(WAIT)
    other = Blocks()
    pool.submit(other, "b")
    assert other.began.wait(WAIT)
    order: queue.Queue[str] = queue.Queue()
    for group in "aaabb":
        pool.submit(lambda group=group: order.put(group), group)  # type: ignore[misc]
    gate.go.set()
    assert [order.get(timeout=WAIT) for _ in range(3)] == ["a"] * 3  # b has its own thread, which blocks
    other.go.set()
    assert [order.get(timeout=WAIT) for _ in range(2)] == ["b"] * 2
    assert pool.close(WAIT) == []


def test_submit_now_knows_no_limit(pool: Pool) -> None:
    blocking = [Blocks() for _ in range(5)]
    for job in blocking:
        pool.submit_now(job)
    assert all(job.began.wait(WAIT) for job in blocking)
    assert len({job.thread for job in blocking}) == 5
    for job in blocking:
        job.go.set()


def test_threads_that_wait_for_an_answer_do_not_count(pool: Pool) -> None:
    began, answer = threading.Semaphore(0), threading.Event()

    def asks() -> None:
        pool.exempt(+1)
        began.release()
        assert answer.wait(WAIT)
        pool.exempt(-1)

    for _ in range(2):
        pool.submit(asks)
    assert began.acquire(timeout=WAIT)
    assert began.acquire(timeout=WAIT)
    pool.submit(answer.set)  # what both wait for
    assert answer.wait(WAIT)


def test_a_thread_of_the_program_that_waits_makes_no_room(pool: Pool) -> None:
    blocking = [Blocks() for _ in range(2)]
    for job in blocking:
        pool.submit(job)
        assert job.began.wait(WAIT)
    ran = threading.Event()
    pool.submit(ran.set)
    pool.exempt(+1)
    assert not ran.wait(0.05)
    pool.exempt(-1)
    for job in blocking:
        job.go.set()
    assert ran.wait(WAIT)


def test_after_a_burst_few_threads_stay() -> None:
    pool = Pool("test-burst")
    blocking = [Blocks() for _ in range(SPARE + 20)]
    for job in blocking:
        pool.submit(job)
        assert job.began.wait(WAIT)
    for job in blocking:
        job.go.set()
    deadline = time.monotonic() + WAIT
    while len(pool._threads) > SPARE and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(pool._threads) == SPARE
    assert pool.close(WAIT) == []


def test_close_names_the_threads_that_are_still_in_user_code() -> None:
    pool, job = Pool("test-stuck"), Blocks()
    pool.submit(job)
    assert job.began.wait(WAIT)
    assert pool.close(0.01) == ["test-stuck"]
    job.go.set()
    assert pool.close(WAIT) == []


class FakeCell:
    """As much of a cell as a step touches."""

    def __init__(self) -> None:
        self.done: queue.Queue[Any] = queue.Queue()
        outer = self

        class Clock:
            @staticmethod
            def now() -> float:
                return 0.0

        class Runtime:
            clock = Clock
            released = "released"
            running: ClassVar[dict[int, Any]] = {}

            @staticmethod
            def on_step() -> None:
                """Nobody looks."""

            @staticmethod
            def post(_action: Any, argument: Any) -> None:
                outer.done.put(argument)

        self.runtime = Runtime


def test_an_own_thread_runs_everything_in_order_on_one_thread() -> None:
    own, cell = OwnThread("test-own"), FakeCell()
    for number in range(10):
        own.submit(cell, lambda _cell, context: (context, threading.get_ident()), number, "done")
    results = [cell.done.get(timeout=WAIT) for _ in range(10)]
    assert [result[3][0] for result in results] == list(range(10))
    assert {result[3][1] for result in results} == {own.thread.ident if own.thread else 0}
    own.retire(cell)
    assert own.thread is not None
    own.thread.join(WAIT)
    assert not own.thread.is_alive()


def test_what_a_step_raises_comes_back_as_its_outcome() -> None:
    own, cell = OwnThread("test-own"), FakeCell()

    def fails(_cell: Any, context: Any) -> None:
        raise SystemExit(context)

    own.submit(cell, fails, 3, "done")
    _, done, context, result, error = cell.done.get(timeout=WAIT)
    assert (done, context, result) == ("done", 3, None)
    assert isinstance(error, SystemExit)
    own.close()
