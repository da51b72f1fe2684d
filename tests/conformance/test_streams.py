"""What an actor publishes reaches the programs that subscribed: in order, bounded, and with an end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from garrick import (
    ActorGone,
    ActorSystem,
    AsyncActorSystem,
    InvalidArgument,
    Lagged,
    NotAnAddress,
    Restart,
    Stop,
    SystemStopped,
)
from garrick.address import Address
from garrick.inbox import Inbox
from tests.conformance.stream_actors import Publish, PublishThis, Sink, Subscribers, Ticker


def left_of(system: ActorSystem, actor: Address[Any], count: int) -> None:
    for _ in range(500):
        if system.ask(actor, Subscribers())[1] == count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{system.ask(actor, Subscribers())[1]} have left, not {count}")


def test_events_come_in_order_to_every_subscriber(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker)
    system.ask(ticker, Publish(0))  # nobody is there
    with system.subscribe(ticker) as one, system.subscribe(ticker, "some") as two:
        assert system.ask(ticker, Publish(1, 500)) == 500
        for subscription in (one, two):
            assert [subscription.get(20) for _ in range(500)] == list(range(1, 501))
        assert system.ask(ticker, Subscribers()) == [[None, "some"], 0]
        with pytest.raises(TimeoutError, match="published nothing"):
            one.get(0.01)
    left_of(system, ticker, 2)
    assert [one.reason, two.reason] == ["closed", "closed"]
    system.ask(ticker, Publish(0))
    with pytest.raises(SystemStopped, match="closed"):
        one.get(1)
    assert list(two) == []


def test_an_actor_that_knows_nothing_of_streams_can_publish(system: ActorSystem) -> None:
    sink = system.spawn(Sink)
    with system.subscribe(sink) as subscription:
        for number in range(10):
            system.send(sink, number)
        assert [subscription.get(20) for _ in range(10)] == list(range(10))


def test_a_slow_reader_is_told_what_it_missed_and_costs_no_more_than_its_buffer(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker)
    with system.subscribe(ticker, buffer=8) as subscription:
        assert system.ask(ticker, Publish(0, 1000)) == 1000
        assert len(subscription._events) <= 8
        assert [subscription.get(20) for _ in range(9)] == [*range(8), Lagged(992)]
        system.ask(ticker, Publish(1000, 3))
        assert [subscription.get(20) for _ in range(3)] == [1000, 1001, 1002]


def test_a_reader_that_keeps_up_misses_nothing(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker)
    with system.subscribe(ticker, buffer=8) as subscription:
        for first in range(0, 400, 4):
            system.ask(ticker, Publish(first, 4))
            assert [subscription.get(20) for _ in range(4)] == list(range(first, first + 4))


def test_a_snapshot_for_one_subscriber_is_bounded_too(system: ActorSystem, inbox: Inbox) -> None:
    ticker = system.spawn(Ticker)
    with system.subscribe(ticker, 10, buffer=4) as subscription:
        assert system.ask(ticker, Subscribers()) == [[10], 0]
        with pytest.raises(TimeoutError):  # the time in which all of it comes
            inbox.receive(0.2)
        assert [subscription.get(20) for _ in range(5)] == [*(f"snapshot {n}" for n in range(4)), Lagged(6)]
        system.ask(ticker, Publish(1))
        assert subscription.get(20) == 1


def test_the_stream_ends_with_its_actor(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker)
    with system.subscribe(ticker, buffer=4) as iterated, system.subscribe(ticker) as got:
        system.ask(ticker, Publish(0, 6))
        system.stop_actor(ticker)
        assert list(iterated) == [0, 1, 2, 3, Lagged(2)]
        assert [got.get(20) for _ in range(6)] == list(range(6))
        with pytest.raises(ActorGone, match="stopped"):
            got.get(20)
        assert [iterated.reason, got.reason] == ["stopped", "stopped"]


def test_other_ends_are_errors(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker, supervision=Stop())
    with system.subscribe(ticker) as subscription:
        system.send(ticker, Publish(7))
        system.send(ticker, ValueError("now"))
        found: list[Any] = []
        with pytest.raises(ActorGone, match="failed") as caught:
            for event in subscription:
                found.append(event)  # noqa: PERF402 - the error must not take along what came before
        assert (found, caught.value.reason) == ([7], "failed")
    with system.subscribe(ticker) as too_late, pytest.raises(ActorGone, match="failed"):
        too_late.get(20)


def test_a_restart_of_the_actor_keeps_its_subscribers(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker, supervision=Restart(backoff=None))
    with system.subscribe(ticker) as subscription:
        system.ask(ticker, Publish(1))
        system.send(ticker, ValueError("now"))
        system.ask(ticker, Publish(2))
        assert [subscription.get(20), subscription.get(20)] == [1, 2]


def test_what_makes_no_sense_is_refused(system: ActorSystem, copies: bool) -> None:
    ticker = system.spawn(Ticker)
    with pytest.raises(NotAnAddress):
        system.subscribe("nobody")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="buffer"):
        system.subscribe(ticker, buffer=0)
    with system.subscribe(ticker):
        assert system.ask(ticker, PublishThis()) == ("UnpicklableMessage" if copies else "published")


def test_the_end_of_the_system_ends_the_stream(start: Any, base: str) -> None:
    if base == "convention":
        system = start(capabilities={"own": True})
    else:
        system = start()
    subscription = system.subscribe(system.spawn(Ticker))
    system.stop()
    with pytest.raises((SystemStopped, ActorGone)):
        subscription.get(5)
    subscription.close()


@pytest.mark.over("multiprocess")
def test_a_lost_process_ends_the_stream_or_interrupts_it(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker, isolation="process")
    again = system.spawn(Ticker, supervision=Restart(on_loss=True))
    with system.subscribe(ticker) as ended, system.subscribe(again) as interrupted:
        system.ask(again, Publish(1))
        assert interrupted.get(20) == 1
        pids = {process["number"]: process["pid"] for process in system.status()["processes"]}
        for actor in (ticker, again):
            os.kill(pids[actor.process], signal.SIGKILL)
        with pytest.raises(ActorGone, match="worker lost"):
            ended.get(20)
        assert interrupted.get(20) == Lagged(None)
        system.ask(again, Publish(2))
        assert interrupted.get(20) == 2


@pytest.mark.over("multiprocess")
def test_a_program_that_leaves_has_unsubscribed(system: ActorSystem) -> None:
    ticker = system.spawn(Ticker)
    other = ActorSystem.attach(system.name)
    try:
        subscription = other.subscribe(ticker)
        other.ask(ticker, Publish(1))
        assert subscription.get(20) == 1
    finally:
        other.stop()
    left_of(system, ticker, 1)


@pytest.mark.over("local", "sim", "multiprocess")
def test_an_asyncio_program(base: str) -> None:
    async def program() -> None:
        async with AsyncActorSystem(base, name="conf-streams") as system:
            ticker = await system.spawn(Ticker)
            async with system.subscribe(ticker, buffer=4) as events:
                await system.ask(ticker, Publish(0, 10))
                assert [await events.get() for _ in range(5)] == [0, 1, 2, 3, Lagged(6)]
                await system.ask(ticker, Publish(10, 2))
                await system.stop_actor(ticker)
                assert [event async for event in events] == [10, 11]
                assert events.reason == "stopped"
                with pytest.raises(ActorGone):
                    await events.get()

    _run(program())


def _run(program: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(program, 30))
