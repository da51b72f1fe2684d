"""A handler that blocks is reported, once, with its class and where it is."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from garrick import Actor, ActorSystem, on
from garrick.runtime.baton import Baton

WAIT = 10.0


class Heard(logging.Handler):
    """Collects reports; a test can wait for the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[str] = []
        self.some = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("slow handler"):
            self.reports.append(text)
            self.some.release()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    logger = logging.getLogger("garrick")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem("local") as system:
        scheduler = system._runtime.scheduler
        assert isinstance(scheduler, Baton)
        scheduler.slow_handler = 0.05
        yield system


class Blocks(Actor):
    def __init__(self, event: threading.Event) -> None:
        self.event = event

    @on
    def block(self, message: str) -> bool:
        return self.event.wait(WAIT)


class BlocksTheLoop(Actor):
    def __init__(self, event: threading.Event) -> None:
        self.event = event

    @on
    async def block(self, message: str) -> bool:
        return self.event.wait(WAIT)


class Awaits(Actor):
    @on
    async def rest(self, message: float) -> float:
        await asyncio.sleep(message)
        return message


@pytest.mark.parametrize("actor_class", [Blocks, BlocksTheLoop])
def test_a_blocked_handler_is_reported_once_with_its_place(
    system: ActorSystem, heard: Heard, actor_class: type[Actor]
) -> None:
    event = threading.Event()
    actor = system.spawn(actor_class, event)
    with system.inbox() as inbox:
        inbox.send(actor, "block")
        assert heard.some.acquire(timeout=WAIT)
        assert not heard.some.acquire(timeout=0.3), "told again"
        event.set()
    assert system.ask(actor, "block", timeout=WAIT) is True
    [report] = heard.reports
    assert actor_class.__qualname__ in report
    assert str(actor) in report
    assert "self.event.wait(WAIT)" in report
    assert "garrick explain GAR-2201" in report


def test_the_next_block_of_the_loop_is_reported_again(system: ActorSystem, heard: Heard) -> None:
    for _ in range(2):
        event = threading.Event()
        actor = system.spawn(BlocksTheLoop, event)
        system.send(actor, "block")
        assert heard.some.acquire(timeout=WAIT)
        event.set()
        system.stop_actor(actor)
    assert len(heard.reports) == 2


def test_a_handler_that_awaits_is_not_reported(system: ActorSystem, heard: Heard) -> None:
    system._runtime.scheduler.slow_handler = 0.5  # type: ignore[attr-defined]  # shorter, and a busy machine would be told of
    actor = system.spawn(Awaits)
    assert system.ask(actor, 0.8, timeout=WAIT) == 0.8
    assert heard.reports == []
