"""A pending ask ends exactly once."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import pytest

from garrick.address import Address, ReplyAddress
from garrick.errors import ActorGone, AskCancelled, AskTimeout
from garrick.reply import Reply
from garrick.runtime import cancelling, whereabouts
from garrick.runtime.ask import Slot
from garrick.runtime.signals import Found

pytestmark = pytest.mark.concurrency


class FakeScheduler:
    """Says that the time is over."""

    def __init__(self) -> None:
        self.before_it: Any = lambda: None

    def wait(self, ready: Any, deadline: float | None) -> bool:
        self.before_it()
        return bool(ready.done)


class FakeClock:
    """Stands still."""

    def now(self) -> float:
        return 100.0


class FakeRuntime:
    """As much of a runtime as an ask touches."""

    def __init__(self) -> None:
        self.system, self.number, self.clock = "s@0", 1, FakeClock()
        self.slots: dict[int, Slot] = {}
        self.waiting: set[Slot] = set()
        self.abandoned = False
        self.cells: dict[int, Any] = {}
        self.tombstones: dict[int, str] = {}
        self.outbound = object()
        self.told: list[tuple[Any, Any]] = []
        self.scheduler = FakeScheduler()
        self._serial = 0

    def route(self, target: Any, message: Any, _sender: Any, _kind: int) -> None:
        self.told.append((target, message))

    def next_serial(self) -> int:
        self._serial += 1
        return self._serial


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


def slot_of(runtime: Any, timeout: float = 5.0) -> Slot:
    return Slot(runtime, Address("s@0", 1, 77), timeout, None)


def test_the_first_completion_wins(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    assert slot.complete("first")
    assert not slot.complete("second")
    assert not slot.gone("stopped")
    slot.cancel()
    slot.expire()
    assert slot.wait() == "first"
    assert Reply[Any](slot).done


def test_a_failure_is_raised(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    slot.gone("worker lost", outcome_unknown=True)
    with pytest.raises(ActorGone, match="not known") as caught:
        slot.wait()
    assert (caught.value.reason, caught.value.outcome_unknown) == ("worker lost", True)


def test_a_cancelled_ask_says_so(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    Reply[Any](slot).cancel()
    with pytest.raises(AskCancelled):
        slot.wait()


def test_the_deadline_counts_from_the_send(runtime: FakeRuntime) -> None:
    assert slot_of(runtime, 5.0).deadline == 105.0


def test_waiting_in_vain_is_a_time_out(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime, 5.0)
    with pytest.raises(AskTimeout, match=r"within 5 s; its process has never heard of"):
        slot.wait()
    runtime.tombstones[77] = "failed"
    with pytest.raises(AskTimeout, match=r"within 5 s; the actor has ended \(failed\)"):
        slot_of(runtime, 5.0).wait()
    assert runtime.waiting == set()


def test_another_process_is_asked_shortly_before_the_end(runtime: FakeRuntime) -> None:
    elsewhere = Slot(runtime, Address("s@0", 2, 77), 5.0, None)  # type: ignore[arg-type]
    with pytest.raises(AskTimeout, match=r"process 2 of s@0 did not say within 0\.25 s"):
        elsewhere.wait()
    assert [type(signal).__name__ for _, signal in runtime.told] == ["Probe", "Cancel"]
    said = Slot(runtime, Address("s@0", 2, 77), 5.0, None)  # type: ignore[arg-type]
    said.expose()
    whereabouts.probe(said)
    whereabouts.found(runtime, Found(said.address.serial, "it sleeps"))  # type: ignore[arg-type]
    with pytest.raises(AskTimeout, match=r"within 5 s; it sleeps"):
        said.wait()


def test_an_answer_at_the_last_moment_is_an_answer(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    runtime.scheduler.before_it = lambda: slot.complete("just so")
    assert slot.wait() == "just so"


def test_who_begins_to_wait_for_an_abandoned_runtime_is_told(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    runtime.abandoned = True
    with pytest.raises(ActorGone, match="system stopped"):
        slot.wait()


def test_callbacks_are_called_once_also_when_they_come_late(runtime: FakeRuntime) -> None:
    slot, called = slot_of(runtime), list[str]()
    slot.on_done(lambda: called.append("early"))
    slot.complete(1)
    slot.complete(2)
    slot.on_done(lambda: called.append("late"))
    assert called == ["early", "late"]


def test_the_reply_address_gets_a_number_when_it_leaves_the_process(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    assert (slot.address.serial, runtime.slots) == (0, {})
    copy = pickle.loads(pickle.dumps(slot.address))
    assert runtime.slots == {1: slot}
    assert type(copy) is ReplyAddress
    assert (copy.system, copy.process, copy.serial, copy.slot) == ("s@0", 1, 1, None)
    slot.complete("done")
    assert runtime.slots == {}


def test_an_ask_that_is_over_is_not_registered_any_more(runtime: FakeRuntime) -> None:
    slot = slot_of(runtime)
    slot.complete("done")
    pickle.dumps(slot.address)
    assert runtime.slots == {}


def test_of_many_threads_that_complete_one_wins(runtime: FakeRuntime) -> None:
    for _ in range(50):
        slot, won, barrier = slot_of(runtime), list[int](), threading.Barrier(4)

        def complete(number: int, slot: Slot = slot, won: list[int] = won, barrier: Any = barrier) -> None:
            barrier.wait(10)
            if slot.complete(number):
                won.append(number)

        threads = [threading.Thread(target=complete, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [slot.wait()]


def test_awaiting(runtime: FakeRuntime) -> None:
    async def program() -> None:
        slot = slot_of(runtime)
        asyncio.get_running_loop().call_soon(slot.complete, "answer")
        assert await Reply[Any](slot) == "answer"
        slot = slot_of(runtime, 0.01)
        with pytest.raises(AskTimeout):
            await Reply[Any](slot)
        slot = slot_of(runtime)
        task = asyncio.ensure_future(slot.wait_async())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(AskCancelled):
            slot.outcome()
        assert runtime.waiting == set()

    asyncio.run(program())


def test_the_target_of_an_ask_given_up_is_told_and_that_of_an_answered_one_is_not(runtime: FakeRuntime) -> None:
    answered, cancelled, late = (slot_of(runtime) for _ in range(3))
    answered.complete("answer")
    answered.cancel()
    answered.expire()
    cancelled.cancel()
    late.expire()
    assert [signal.question for _, signal in runtime.told] == [cancelled.address, late.address]
    assert [slot.is_given_up() for slot in (answered, cancelled, late)] == [False, True, True]


def test_what_is_remembered_of_questions_given_up_elsewhere_is_bounded() -> None:
    runtime: Any = FakeRuntime()
    runtime.given_up, runtime.interruptible = {}, {}
    for serial in range(1, cancelling.REMEMBERED + 11):
        cancelling.arrived(runtime, ReplyAddress("other@0", 2, serial))
    assert len(runtime.given_up) == cancelling.REMEMBERED
    assert ReplyAddress("other@0", 2, 10) not in runtime.given_up
    assert ReplyAddress("other@0", 2, 11) in runtime.given_up
