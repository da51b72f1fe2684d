"""The heap of timers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from garrick.runtime.timers import Timer, TimerHeap


class FakeCell:
    """As much of a cell as a timer touches."""

    def __init__(self) -> None:
        self.timers: set[Timer] | None = set()


def test_an_empty_heap_has_nothing_due() -> None:
    heap = TimerHeap()
    assert heap.next_due is None
    assert heap.take_due(1e9) == []
    assert not heap


def test_items_come_out_by_time_and_then_in_the_order_of_arming() -> None:
    heap = TimerHeap()
    for due, item in [(2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b"), (3.0, "e")]:
        heap.arm(due, item)
    assert heap.next_due == 1.0
    assert heap.take_due(0.5) == []
    assert heap.take_due(2.0) == ["a", "b", "c", "d"]
    assert (heap.next_due, len(heap)) == (3.0, 1)


@given(st.lists(st.floats(0, 100)), st.floats(0, 100))
def test_exactly_what_is_due_is_taken(dues: list[float], now: float) -> None:
    heap = TimerHeap()
    for number, due in enumerate(dues):
        heap.arm(due, number)
    taken = heap.take_due(now)
    assert taken == sorted((n for n, due in enumerate(dues) if due <= now), key=lambda n: (dues[n], n))
    assert len(heap) == len(dues) - len(taken)


def test_items_need_no_order_of_their_own() -> None:
    heap = TimerHeap()
    for _ in range(3):
        heap.arm(1.0, object())
    assert len(heap.take_due(1.0)) == 3


def test_a_cancelled_timer_is_forgotten_by_its_actor() -> None:
    cell: Any = FakeCell()
    timer = Timer(cell, 1.0, "message", None, keep=False)
    cell.timers.add(timer)
    timer.cancel()
    timer.cancel()
    assert timer.cancelled
    assert cell.timers == set()
    cell.timers = None
    Timer(cell, 1.0, "message", None, keep=False).cancel()
