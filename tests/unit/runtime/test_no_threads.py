"""The operating system gives no more threads (a container's limit): nothing is lost, and all goes on when it does again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, HandlerFailed, SpawnFailed, on
from garrick.runtime.classes import CPU, POOL, ClassProfile

SECONDS = 20.0


class Limit:
    """Whether threads can be started."""

    reached = False


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Limit]:
    limit = Limit()
    start = threading.Thread.start

    def start_if_possible(self: threading.Thread) -> None:
        if limit.reached:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_if_possible)
    yield limit
    limit.reached = False


@pytest.fixture
def system(limit: Limit) -> Iterator[ActorSystem]:
    with ActorSystem("local") as system:
        yield system


class Sleeper(Actor):
    @on
    def sleep(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


class Learnt(Sleeper):
    """The same, of a class of its own."""


class Echo(Actor):
    @on
    async def later(self, message: str) -> str:
        return message

    @on
    def echo(self, message: int) -> int:
        return message


class Asks(Actor):
    @on
    def ask_for(self, message: Address[Any]) -> str:
        return self.ask(message, "answer", timeout=SECONDS).result()  # type: ignore[no-any-return]


def test_handlers_that_block_take_turns(system: ActorSystem, limit: Limit, caplog: pytest.LogCaptureFixture) -> None:
    echo = system.spawn(Echo)
    sleepers = [system.spawn(Sleeper) for _ in range(4)]
    limit.reached = True
    asks = [system._runtime.ask(sleeper, 0.05, SECONDS) for sleeper in sleepers]
    assert system.ask(echo, 1, timeout=SECONDS) == 1
    assert [reply.result() for reply in asks] == [0.05] * 4
    told = [record for record in caplog.records if "can't start new thread" in record.getMessage()]
    assert len(told) == 1
    limit.reached = False
    assert system.ask(sleepers[0], 0.05, timeout=SECONDS) == 0.05
    assert system.ask(echo, 2, timeout=SECONDS) == 2


@pytest.mark.parametrize("mode", [POOL, CPU])
def test_what_waits_for_a_thread_goes_on_when_there_are_some_again(
    system: ActorSystem, limit: Limit, mode: int
) -> None:
    baton: Any = system._runtime.scheduler
    profile = baton._profiles[Learnt] = ClassProfile()
    profile.mode = mode
    sleepers = [system.spawn(Learnt) for _ in range(3)]
    for thread in list(baton.pool._idle):
        baton.pool._idle.remove(thread)
        thread.give(None)
    limit.reached = True
    asks = [system._runtime.ask(sleeper, 0.01, SECONDS) for sleeper in sleepers]
    assert system.ask(system.spawn(Echo), 1, timeout=SECONDS) == 1
    limit.reached = False
    assert [reply.result() for reply in asks] == [0.01] * 3


def test_who_needs_a_thread_at_once_is_told(system: ActorSystem, limit: Limit) -> None:
    echo, asks = system.spawn(Echo), system.spawn(Asks)
    assert system.ask(echo, "first", timeout=SECONDS) == "first"  # the event loop has its thread
    limit.reached = True
    with pytest.raises(SpawnFailed, match="can't start new thread"):
        system.spawn(Echo, isolation="thread")
    with pytest.raises(HandlerFailed, match="can't start new thread"):
        system.ask(asks, echo, timeout=SECONDS)
    limit.reached = False
    assert system.ask(asks, echo, timeout=SECONDS) == "answer"
