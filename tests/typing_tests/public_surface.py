"""What type checkers make of the public surface. Never run: `make typecheck` reads it.

``assert_type`` says what must be inferred; each ``type: ignore`` says what must be refused, since an ignore without need is an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, assert_type

from garrick import (
    Actor,
    ActorSystem,
    Address,
    AsyncActorSystem,
    AsyncSubscription,
    Backoff,
    Bounded,
    ChildExited,
    ChildMoved,
    Escalate,
    GarrickError,
    Inbox,
    Replies,
    Reply,
    Request,
    Restart,
    Resume,
    Stop,
    Subscription,
    on,
    requires,
)
from garrick.sources.admission import Source


@dataclass(frozen=True)
class Deposit(Request[int]):
    amount: int


@dataclass(frozen=True)
class Names(Request[list[str]]):
    pass


class Plain:
    """A message that is no request."""


@requires("db", zone="active")
class Account(Actor):
    def __init__(self, owner: str) -> None:
        self.owner, self.balance = owner, 0

    @on
    def deposit(self, message: Deposit) -> int:
        self.balance += message.amount
        return self.balance

    @on
    async def names(self, message: Names) -> list[str]:
        other = self.spawn(Account, "ben")
        assert_type(other, Address[Any])
        assert_type(self.ask(other, Deposit(1)), Reply[int])
        assert_type(self.ask(other, Deposit(1), timeout=2.0).result(), int)
        assert_type(self.ask_all([other], Deposit(1)), Replies[int | GarrickError])
        assert_type(await self.ask_all([other], Deposit(1)), list[int | GarrickError])
        async for _target, _outcome in self.ask_all([other], Deposit(1), timeout=2.0):
            assert_type(_target, Address[Any])
            assert_type(_outcome, int | GarrickError)
        assert_type(await self.ask(other, Names()), list[str])
        assert_type(await self.ask(other, Plain()), Any)
        assert_type(await self.offer(other, Plain(), timeout=2.0), None)
        assert_type(await self.lookup("ben"), Address[Any] | None)
        assert_type(await self.lookup("ben", everywhere=True), Address[Any] | None)
        assert_type(self.epoch, int | None)
        return [self.owner]

    @on(cancellable=True)
    def long(self, message: Plain) -> None:
        assert_type(self.cancelled, bool)

    @on
    def exited(self, notice: ChildExited) -> None:
        assert_type(notice.child, Address[Any])
        assert_type(notice.reason, str)
        assert_type(notice.error, BaseException | None)

    @on
    def moved(self, notice: ChildMoved) -> None:
        assert_type(notice.child, Address[Any])
        assert_type(notice.address, Address[Any])
        assert_type(self.spawn(Actor, supervision=Restart(relocate=True), pending=True), Address[Any])

    def facts(self) -> None:
        assert_type(self.address, Address[Any])
        assert_type(self.parent, Address[Any])
        assert_type(self.children, tuple[Address[Any], ...])
        assert_type(self.name, str | None)
        assert_type(self.sender, Address[Any] | None)
        assert_type(self.now(), float)
        assert_type(self.random.random(), float)
        assert_type(self.defer(), Address[Any])

    def behaves(self, message: object, sender: Address[Any] | None) -> None:
        self.stash()
        self.unstash_all()
        self.become(self.behaves)
        self.become(None)
        self.become(self.facts)  # type: ignore[arg-type]

    def refused(self) -> None:
        self.send("nobody", 1)  # type: ignore[arg-type]
        self.spawn(Plain)  # type: ignore[arg-type]
        self.spawn(Account, "ann", supervision="restart")  # type: ignore[arg-type]
        self.spawn(Account, "ann", isolation=1)  # type: ignore[arg-type]
        self.after("soon", 1)  # type: ignore[arg-type]
        self.stop(drain=False)
        self.watch(None)  # type: ignore[arg-type]


def program() -> None:
    with ActorSystem("local", capabilities={"db": True}, logging={"version": 1}) as system:
        assert_type(system, ActorSystem)
        ActorSystem(logging="file")  # type: ignore[arg-type]
        account = system.spawn(
            Account, "ann", name="ann", requires={"db": True}, supervision=Restart(backoff=Backoff(first=0.5))
        )
        system.spawn("package.module.Class", 1, key=2, supervision=Resume())
        system.spawn(Account, "ann", supervision=Stop(), wait=False)
        system.spawn(Account, "ann", mailbox=Bounded(1000, overflow="fail"))
        system.spawn(Account, "ann", mailbox=1000)  # type: ignore[arg-type]
        Bounded(1000, overflow="block")  # type: ignore[arg-type]
        system.spawn(Account, "ann", supervision={LookupError: Escalate(), ValueError: Restart(all_for_one=True)})
        system.spawn(Account, "ann", supervision={"LookupError": Resume()})  # type: ignore[dict-item]
        system.stop_actor(account, drain=False)
        assert_type(account, Address[Any])
        assert_type(system.ask(account, Deposit(1)), int)
        assert_type(system.ask(account, Names(), timeout=1), list[str])
        assert_type(system.ask(account, Plain()), Any)
        assert_type(system.ask_all([account], Deposit(1)), list[int | GarrickError])
        assert_type(system.ask_each([account], Deposit(1)), Iterator[tuple[Address[Any], int | GarrickError]])
        assert_type(system.lookup("ann"), Address[Any] | None)
        assert_type(system.load_source("bank.srcb", authorities=["audit"], timeout=1), Source)
        system.spawn("bank.Teller", source=system.load_source(b"", development=True))
        system.spawn("bank.Teller", source="bank", source_key="customer 7")
        assert_type(system.sources(), list[dict[str, Any]])
        assert_type(system.unload_source("bank@1.0", force=True), dict[str, Any])
        assert_type(system.activate_source("bank@1.0"), dict[str, Any])
        assert_type(system.ramp_source("bank@2.0", 10), dict[str, Any])
        assert_type(system.drain_source("bank@1.0", deadline=60, force=True, wait=True), dict[str, Any])
        assert_type(system.rollback_source("bank"), dict[str, Any])
        assert_type(system.inbox(), Inbox)
        assert_type(system.subscribe(account, "all", buffer=10), Subscription)
        system.subscribe("account")  # type: ignore[arg-type]
        assert_type(system.inbox().receive_from(1), tuple[Any, Address[Any] | None])
        assert_type(system.stop(), list[str])
        system.ask("nobody", 1)  # type: ignore[call-overload]
        system.send(account)  # type: ignore[call-arg]


async def async_program() -> None:
    async with AsyncActorSystem("local") as system:
        account = await system.spawn(Account, "ann")
        assert_type(account, Address[Any])
        assert_type(await system.ask(account, Deposit(1)), int)
        assert_type(await system.ask(account, Names()), list[str])
        assert_type(await system.ask(account, Plain()), Any)
        assert_type(await system.ask_all([account], Deposit(1)), list[int | GarrickError])
        assert_type(system.ask_each([account], Deposit(1)), AsyncIterator[tuple[Address[Any], int | GarrickError]])
        assert_type(await system.offer(account, Plain()), None)
        assert_type(await system.lookup("ann"), Address[Any] | None)
        assert_type(await system.load_source("bank.srcb"), Source)
        assert_type(await system.sources(), list[dict[str, Any]])
        assert_type(await system.unload_source("bank@1.0"), dict[str, Any])
        assert_type(await system.activate_source("bank@1.0"), dict[str, Any])
        assert_type(await system.ramp_source("bank@2.0", 10), dict[str, Any])
        assert_type(await system.drain_source("bank@1.0", wait=True), dict[str, Any])
        assert_type(await system.rollback_source("bank"), dict[str, Any])
        assert_type(system.subscribe(account), AsyncSubscription)
        async for _event in system.subscribe(account):
            assert_type(_event, Any)
        assert_type(await system.stop(), list[str])


def address_of_a_message_type(everything: Address[object], text: Address[str]) -> None:
    """Who takes more may stand where less is taken: an address is contravariant."""
    _narrow: Address[str] = everything
    _wide: Address[object] = text  # type: ignore[assignment]
