"""A handler that blocks is reported, once, with its class and where it is."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrick import Actor, ActorSystem, Address, on
from garrick.runtime import classes
from garrick.runtime.cpu_lane import CpuLane
from garrick.runtime.pool import PoolExecutor

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
        yield system


class Blocks(Actor):
    slow_handler = 0.05

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    @on
    def block(self, message: str) -> bool:
        return self.event.wait(WAIT)


class BlocksTheLoop(Actor):
    slow_handler = 0.05

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    @on
    async def block(self, message: str) -> bool:
        return self.event.wait(WAIT)


class BlocksTheLoopAmongOthers(BlocksTheLoop, reentrant=True):
    pass


class Awaits(Actor):
    slow_handler = 0.5  # shorter, and a busy machine would be told of

    @on
    async def rest(self, message: float) -> float:
        await asyncio.sleep(message)
        return message


@pytest.mark.parametrize("actor_class", [Blocks, BlocksTheLoop, BlocksTheLoopAmongOthers])
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
    actor = system.spawn(Awaits)
    assert system.ask(actor, 0.8, timeout=WAIT) == 0.8
    assert heard.reports == []


def wait_for(heard: Heard, cls: type[Actor]) -> str:
    assert heard.some.acquire(timeout=WAIT)
    assert cls.__qualname__ in heard.reports[-1]
    return heard.reports[-1]


class Sleeps(Actor):
    slow_handler = 0.2

    @on
    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return threading.current_thread().name


def test_a_handler_on_the_pool_is_reported_too(system: ActorSystem, heard: Heard) -> None:
    actor = system.spawn(Sleeps)
    while "pool" not in where(system, actor):  # until it is known that the class waits
        system.ask(actor, 0.02)
    assert heard.reports == []
    system.ask(actor, 0.9)
    assert "time.sleep(seconds)" in wait_for(heard, Sleeps)
    assert len(heard.reports) == 1


def where(system: ActorSystem, actor: Address[Any]) -> str:
    cell = actor._cell
    assert cell is not None
    return "pool" if isinstance(cell.executor, PoolExecutor) else "baton"


class Burns(Actor):
    slow_handler = 0.2

    @on
    def burn(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass


def test_a_handler_on_the_cpu_lane_is_reported_too(
    system: ActorSystem, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine with too much to do a burner gets so little of the processor that it looks like one that waits.
    monkeypatch.setattr(classes, "WAITING_SHARE", 0.0)
    actor = system.spawn(Burns)
    for _ in range(200):
        if isinstance(actor._cell.executor, CpuLane):
            break
        system.ask(actor, 0.05)
    else:
        pytest.fail("the class is never known to burn")
    known = len(heard.reports)
    system.ask(actor, 0.8)
    assert "in burn" in wait_for(heard, Burns)
    assert len(heard.reports) == known + 1


def test_a_handler_on_a_thread_of_its_own_is_reported_too(system: ActorSystem, heard: Heard) -> None:
    actor = system.spawn(Sleeps, isolation="thread")
    system.ask(actor, 0.9)
    assert "time.sleep(seconds)" in wait_for(heard, Sleeps)
    assert len(heard.reports) == 1


class Patient(Actor):
    slow_handler = None

    @on
    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Waits(Actor):
    slow_handler = 0.05

    def __init__(self, whom: Address[Any]) -> None:
        self.whom = whom

    @on
    def wait(self, seconds: float) -> None:
        self.ask(self.whom, seconds).result()


def test_a_class_may_do_without(system: ActorSystem, heard: Heard) -> None:
    for isolation in ("shared", "thread"):
        patient = system.spawn(Patient, isolation=isolation)
        # Nor is who waits for it told of.
        system.ask(system.spawn(Waits, patient, isolation=isolation), 1.3)
    assert heard.reports == []


@pytest.mark.processes
@pytest.mark.parametrize("isolation", ["shared", "thread", "process"])
def test_handlers_in_other_processes(isolation: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    logging_ = {
        "version": 1,
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(file)}},
        "root": {"handlers": ["file"], "level": "WARNING"},
    }
    with ActorSystem(workers=1, logging=logging_) as system:
        actor = system.spawn(Sleeps, isolation=isolation)
        for _ in range(2):
            system.ask(actor, 1.2)
    text = file.read_text()
    assert text.count("slow handler: Sleeps") == 2
    assert text.count("time.sleep(seconds)") == 2


def test_a_log_filter_that_raises_does_not_end_the_watch(system: ActorSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would take the baton from a handler that blocks any more."""

    def raises(_record: logging.LogRecord) -> bool:
        raise ValueError("a filter of the program's")

    def prints() -> None:
        told.append(traceback.format_exc())
        printed.set()

    told: list[str] = []
    printed, event = threading.Event(), threading.Event()
    monkeypatch.setattr(traceback, "print_exc", prints)
    logger = logging.getLogger("garrick.runtime")
    logger.addFilter(raises)
    try:
        with system.inbox() as inbox:
            inbox.send(system.spawn(Blocks, event), "block")
            assert printed.wait(WAIT)
            logger.removeFilter(raises)
            inbox.send(system.spawn(Sleeps), 0.3)  # a class that is not known to wait: the baton has to be taken
            assert system.ask(system.spawn(Quick), "hello", timeout=WAIT) == "hello"
            event.set()
    finally:
        logger.removeFilter(raises)
    assert "a filter of the program's" in told[0]


class Quick(Actor):
    @on
    def answer(self, message: str) -> str:
        return message
