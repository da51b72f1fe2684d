"""What users of other actor libraries complain of most, as small programs that must just work.

They come from public issue lists: the death of a child goes unnoticed; names and actors that have ended leave something behind; a
fan-out of large messages makes the system deaf for a program that asks; many answers to one actor get stuck; twenty actors that send at
100 Hz freeze everything.
"""

from __future__ import annotations

import gc
import signal
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from garrick import ActorSystem, Address
from tests.conformance.complaint_actors import (
    Adopt,
    Agent,
    Churn,
    Churner,
    Coordinator,
    Die,
    Exits,
    FanOut,
    Guard,
    Parent,
    Pid,
    Poll,
    Progress,
    Registrar,
    Sink,
    Start,
    Ticker,
    Victim,
    Worker,
)

pytestmark = pytest.mark.over("local", "multiprocess")


def until(condition: Callable[[], Any], seconds: float) -> Any:
    """What the condition answers once it is true; a test must not wait for ever."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return found


def processes_of(system: ActorSystem, actors: list[Address[Any]]) -> list[psutil.Process]:
    """The processes that these actors run in, and this one."""
    return [psutil.Process(pid) for pid in {psutil.Process().pid, *(system.ask(a, Pid()) for a in actors)}]


def memory(processes: list[psutil.Process]) -> int:
    gc.collect()
    if tracemalloc.is_tracing():
        return tracemalloc.get_traced_memory()[0]
    return sum(process.memory_full_info().uss for process in processes)


DEATHS = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, 0]
"""0 stands for ``os._exit``."""


@pytest.mark.over("multiprocess")
@pytest.mark.parametrize("how", [*DEATHS, signal.SIGTERM])
def test_whatever_kills_a_child_its_parent_hears_of_it(system: ActorSystem, how: int) -> None:
    parent = system.spawn(Parent)
    child = system.ask(parent, Adopt("process"))
    pid = system.ask(child, Pid())
    system.send(child, Die(how))
    [(reason, detail)] = until(lambda: system.ask(parent, Exits()), 5)
    if how == signal.SIGTERM:  # a polite request: the actor ends as with stop()
        assert reason == "stopped"
    else:
        assert reason == "worker lost"
        assert detail
    # The parent goes on.
    assert system.ask(system.ask(parent, Adopt("process")), Pid()) != pid


@pytest.mark.over("multiprocess")
@pytest.mark.parametrize("how", DEATHS)
def test_whatever_kills_a_worker_watchers_elsewhere_hear_of_it(system: ActorSystem, how: int) -> None:
    watcher = system.spawn(Parent)
    here = system.ask(watcher, Pid())
    victim = next(v for v in (system.spawn(Victim) for _ in range(4)) if system.ask(v, Pid()) != here)
    assert system.ask(watcher, Guard(victim)) == victim
    system.send(victim, Die(how))
    [(reason, detail)] = until(lambda: system.ask(watcher, Exits()), 5)
    assert reason == "worker lost"
    assert detail
    # There are two workers again before long.
    until(lambda: len({system.ask(system.spawn(Victim), Pid()) for _ in range(4)}) == 2, 10)


@pytest.mark.over("local")  # between processes: tests/node/test_pressure.py
def test_names_and_actors_that_have_ended_leave_nothing_behind(system: ActorSystem) -> None:
    churner = system.spawn(Churner)
    where = [system.spawn(Victim) for _ in range(2)]
    processes = processes_of(system, where)
    assert system.ask(churner, Churn(15_000)) == 0
    if len(processes) == 1:
        tracemalloc.start()  # exact, but only within this process
    try:
        assert system.ask(churner, Churn(10_000)) == 0  # fills what remembers the last ten thousand that ended
        before = memory(processes)
        assert system.ask(churner, Churn(10_000)) == 0
        # 10,000 actors with a kilobyte each would be 10 MB; a table entry for each, one.
        assert memory(processes) - before < 700_000
    finally:
        tracemalloc.stop()
    assert system.lookup("again") is None


def test_a_fan_out_of_large_messages_leaves_the_system_open_for_others(system: ActorSystem) -> None:
    workers = tuple(system.spawn(Worker) for _ in range(60))
    coordinator, outsider = system.spawn(Coordinator), system.spawn(Victim)
    for _ in range(3):
        system.ask(outsider, Pid())
    system.send(coordinator, FanOut(workers, 100_000))
    asked = 0
    while system.ask(coordinator, Progress(), timeout=5) < 60:
        assert system.ask(outsider, Pid(), timeout=5) > 0
        asked += 1
        assert asked < 100_000


def test_a_thousand_answers_to_one_actor(system: ActorSystem) -> None:
    agents = tuple(system.spawn(Agent, number, wait=False) for number in range(1000))
    registrar = system.spawn(Registrar)
    system.send(registrar, Poll(agents))
    until(lambda: system.ask(registrar, Progress()) == 1000, 20)
    for _ in range(3):
        system.send(registrar, Poll(agents))
    until(lambda: system.ask(registrar, Progress()) == 4000, 20)


def test_twenty_actors_at_a_hundred_hertz(system: ActorSystem) -> None:
    sink, tickers = system.spawn(Sink), [system.spawn(Ticker) for _ in range(20)]
    for ticker in tickers:
        system.send(ticker, Start(sink, 100, 200))
    seen, deadline = 0, time.monotonic() + 30
    while seen < 20 * 200:  # it never freezes: each look finds more than the last
        last = seen
        while seen == last:
            seen = system.ask(sink, Progress(), timeout=5)
            assert time.monotonic() < deadline
        time.sleep(0.05)
    assert seen == 20 * 200
