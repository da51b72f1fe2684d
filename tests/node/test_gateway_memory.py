"""Two admins and their gateways in one loop, over an engine in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from garrick.address import Address, ReplyAddress
from garrick.engine.directory import Patience
from garrick.engine.memory import MemoryNetwork
from garrick.engine.memory_engine import MemoryEngine
from garrick.errors import ActorGone
from garrick.node.returned import Returned
from garrick.runtime.signals import Lookup, ProcessLost, SetCapability, SystemLost
from garrick.wire.codec import loads
from garrick.wire.envelope import FAILURE, REPLY, SIGNAL, decode
from tests.node.gateway_house import FakeHouse

QUICKLY = Patience(closed=0.05, stale=0.05, settle=0.2, unseen=0.2, probe=0.05, publish=0.005)


def with_two(test: Callable[[FakeHouse, FakeHouse, MemoryNetwork], Awaitable[None]]) -> Callable[[], None]:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        convention = MemoryNetwork(loop.call_later, loop.time, patience=QUICKLY)
        a = FakeHouse("a@00000000aa", MemoryEngine(convention), capabilities={"db": True})
        b = FakeHouse("b@00000000bb", MemoryEngine(convention), capabilities={"host": "h2"})
        await a.gateway.start(True)
        await b.gateway.start(True)
        await a.until(lambda: b.system in a.gateway.members)
        await b.until(lambda: a.system in b.gateway.members)
        try:
            await test(a, b, convention)
        finally:
            await a.gateway.stop()
            await b.gateway.stop()

    def wrapped() -> None:
        asyncio.run(run())

    wrapped.__name__ = test.__name__
    return wrapped


def returned(house: FakeHouse, number: int) -> list[tuple[Any, str]]:
    """(message, reason) of what came back to a process."""
    return [(loads(decode(r.envelope, house.system)[3]), r.reason) for r in house.messages(number, Returned)]


@with_two
async def test_both_know_each_other_with_capabilities_and_processes(
    a: FakeHouse, b: FakeHouse, convention: Any
) -> None:
    await a.until(lambda: b.system in a.view(1))
    info = a.view(1)[b.system]
    assert info.capabilities == {"host": "h2"}
    assert [p.number for p in info.processes] == [1, 2]


async def meet(a: FakeHouse, b: FakeHouse) -> None:
    """Systems that have had nothing to do with each other are told nothing of each other's processes."""
    b.send(a.address(1), "pleased to meet you", b.address(1))
    await a.until(lambda: a.messages(1, str))


@with_two
async def test_messages_arrive_in_order_with_whole_addresses(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    for n in range(1000):
        a.send(b.address(2), n, a.address(1))
    await b.until(lambda: len(b.messages(2, int)) == 1000)
    assert b.messages(2, int) == list(range(1000))
    _, target, _, sender = b.got[2][-1]
    assert target == b.address(2)
    assert sender == a.address(1)
    assert sender is not None
    assert sender.process == 1


@with_two
async def test_frames_that_get_lost_are_sent_again(a: FakeHouse, b: FakeHouse, convention: MemoryNetwork) -> None:
    for n in range(200):
        if n % 40 == 20:
            convention.drop_next("a", "b")
            convention.drop_next("b", "a")
            convention.duplicate_next("a", "b", 3)
        a.send(b.address(1), n, a.address(1))
        b.send(a.address(1), n, b.address(1))
        await asyncio.sleep(0)
    await b.until(lambda: len(b.messages(1, int)) == 200)
    await a.until(lambda: len(a.messages(1, int)) == 200)
    assert b.messages(1, int) == a.messages(1, int) == list(range(200))


@with_two
async def test_a_capability_that_changes_is_known_elsewhere(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    now = asyncio.get_running_loop().time()
    b.apply(b.machine.handle(SetCapability("gpu", 2), b.address(1), now))
    await a.until(lambda: a.gateway.members[b.system].capabilities == {"host": "h2", "gpu": 2})


@with_two
async def test_an_ask_of_the_other_admin_is_answered(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    asker = ReplyAddress(a.system, 1, 1 << 40 | 7)
    a.send(Address(b.system, 0, 0), Lookup("control"), asker, SIGNAL)
    await a.until(lambda: any(target == asker for _, target, _, _ in a.got[1]))
    kind, _, message, _ = a.got[1][-1]
    assert (kind, message) == (REPLY, None)


@with_two
async def test_what_was_sent_to_a_dead_process_comes_back(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    await meet(a, b)
    client = b.machine.allot("client", 0.0)
    b.apply(b.machine.process_joined(client, "client", 0.0))
    b.die(client)
    await a.until(lambda: a.messages(1, ProcessLost))
    a.send(b.address(client), "hello", a.address(1))
    await a.until(lambda: returned(a, 1))
    assert returned(a, 1) == [("hello", "worker lost")]


@with_two
async def test_what_goes_to_a_process_that_never_was_comes_back(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    a.send(b.address(99), "hello", a.address(2))
    await a.until(lambda: returned(a, 2))
    assert returned(a, 2) == [("hello", "unknown")]


@with_two
async def test_a_lost_process_is_told_to_other_systems_with_its_admin_as_sender(
    a: FakeHouse, b: FakeHouse, convention: Any
) -> None:
    await meet(a, b)
    b.die(2)
    await a.until(lambda: a.messages(1, ProcessLost))
    (sender,) = [sender for _, _, message, sender in a.got[1] if isinstance(message, ProcessLost)]
    assert sender == Address(b.system, 0, 0)


@with_two
async def test_a_replaced_worker_gets_nothing_that_was_for_its_predecessor(
    a: FakeHouse, b: FakeHouse, convention: Any
) -> None:
    b.die(2)
    a.send(b.address(2), "for the dead", a.address(1))
    a.send(b.address(3), "for whoever is there", a.address(1))
    await b.until(lambda: b.messages(3, str))
    assert b.messages(3, str) == ["for whoever is there"]
    await a.until(lambda: returned(a, 1))
    assert returned(a, 1) == [("for the dead", "worker lost")]


@with_two
async def test_a_crash_is_told_before_the_unacknowledged_comes_back(
    a: FakeHouse, b: FakeHouse, convention: MemoryNetwork
) -> None:
    convention.partition(["a"], ["b"])
    asker = ReplyAddress(a.system, 1, 1 << 40 | 7)
    a.send(b.address(1), "first", a.address(1))
    a.send(b.address(1), "second", asker)
    await asyncio.sleep(0)
    convention.kill("b")
    await a.until(lambda: len(returned(a, 1)) == 2)
    assert returned(a, 1) == [("first", "system lost"), ("second", "system lost")]
    order = [type(message) for _, _, message, _ in a.got[1] if isinstance(message, (SystemLost, Returned))]
    assert order == [SystemLost, Returned, Returned]
    assert a.messages(2, SystemLost)[0].reason == "system lost"
    a.send(b.address(1), "later", a.address(2))
    assert returned(a, 2) == [("later", "system lost")]


@with_two
async def test_a_system_that_leaves_is_stopped_and_not_lost(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    b.send(a.address(1), "good-bye", b.address(1))
    await b.gateway.leave()
    await a.until(lambda: a.messages(1, SystemLost))
    assert a.messages(1, SystemLost)[0].reason == "stopped"
    assert a.messages(1, str) == ["good-bye"]


@with_two
async def test_an_address_that_is_faster_than_the_directory(
    a: FakeHouse, b: FakeHouse, convention: MemoryNetwork
) -> None:
    c = FakeHouse("c@00000000cc", MemoryEngine(convention))
    a.send(c.address(1), "early", a.address(1))
    await c.gateway.start(True)
    await c.until(lambda: c.messages(1, str))
    await c.gateway.stop()


@with_two
async def test_a_system_that_nobody_knows(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    a.send(Address("x@0000000000", 1, 1 << 40 | 1), "anybody?", a.address(1))
    await a.until(lambda: returned(a, 1))
    assert returned(a, 1) == [("anybody?", "system unknown")]


@with_two
async def test_what_nobody_sent_becomes_a_dead_letter_of_the_admin(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    a.send(b.address(99), "hello")
    await b.until(lambda: b.machine.core.letters.status()["total"])
    assert b.machine.core.letters.status()["by_reason"] == {"unknown": 1}


@with_two
async def test_a_new_incarnation_never_gets_what_was_for_the_old_one(
    a: FakeHouse, b: FakeHouse, convention: MemoryNetwork
) -> None:
    a.send(b.address(1), "one", a.address(1))
    await b.until(lambda: b.messages(1, str))
    convention.kill("b")
    again = FakeHouse("b@0000000bbb", MemoryEngine(convention))
    await again.gateway.start(True)
    await a.until(lambda: again.system in a.gateway.members)
    a.send(b.address(1), "two", a.address(1))
    a.send(again.address(1), "three", a.address(1))
    await again.until(lambda: again.messages(1, str))
    assert again.messages(1, str) == ["three"]
    assert returned(a, 1)[-1] == ("two", "system lost")  # the first one need not have been acknowledged
    await again.gateway.stop()


@with_two
async def test_a_system_that_was_declared_lost_takes_the_consequences_and_goes_on(
    a: FakeHouse, b: FakeHouse, convention: MemoryNetwork
) -> None:
    a.send(b.address(1), "before", a.address(1))
    await b.until(lambda: b.messages(1, str))
    convention.isolate("b")
    await a.until(lambda: a.messages(1, SystemLost))
    convention.reconnect("b")
    await b.until(lambda: b.messages(1, SystemLost))
    await a.until(lambda: a.messages(1, SystemLost))
    assert b.messages(1, SystemLost)[0].system == a.system
    await b.until(lambda: a.system in b.view(1))
    await a.until(lambda: b.system in a.view(1))
    a.send(b.address(1), "after", a.address(1))
    b.send(a.address(1), "also after", b.address(1))
    await b.until(lambda: b.messages(1, str) == ["before", "after"])
    await a.until(lambda: a.messages(1, str) == ["also after"])


@with_two
async def test_a_foreign_signal_can_not_command_an_admin(a: FakeHouse, b: FakeHouse, convention: Any) -> None:
    asker = ReplyAddress(a.system, 1, 1 << 40 | 9)
    a.send(Address(b.system, 0, 0), SetCapability("db", True), asker, SIGNAL)
    await a.until(lambda: any(kind == FAILURE for kind, *_ in a.got[1]))
    assert isinstance(a.got[1][-1][2], ActorGone)
    assert b.machine.core.capabilities == {"host": "h2"}
