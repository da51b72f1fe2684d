"""Actors that an operator looks at and works on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, on


@dataclass(frozen=True)
class Deposit:
    """A message with fields."""

    amount: int
    note: str = ""


class Account(Actor):
    """Counts; fails, sleeps and spawns on demand."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "fail":
            raise ValueError("no such account")
        if message == "sleep":
            time.sleep(60)
        elif isinstance(message, float):
            time.sleep(message)
        elif message == "child":
            self.send(sender, self.spawn(Account, name="child")) if sender is not None else None
        elif message == "pending":
            self.spawn(Account, name="pending", requires={"gpu": True}, pending=True)
        elif isinstance(message, tuple):
            self.ask(message[0], message[1], timeout=50).result()
        elif message == "large":
            self.send(sender, "x" * 1_000_000) if sender is not None else None
        elif message == "half":
            self.send(sender, "\ud800") if sender is not None else None
        elif message == "endless":
            endless: list[Any] = []
            endless.append(endless)
            self.send(sender, endless) if sender is not None else None
        elif message == "seen":
            assert sender is not None
            self.send(sender, list(self.seen))
        else:
            self.seen.append(message)
            if isinstance(message, Deposit) and sender is not None:
                self.send(sender, Deposit(sum(m.amount for m in self.seen if isinstance(m, Deposit)), "balance"))


class Picky(Actor):
    """Handles numbers, and nothing else."""

    @on
    def number(self, message: int) -> int:
        return message


class Napper(Actor):
    """Its handler is a coroutine that lasts."""

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        await asyncio.sleep(60)


class Broken(Actor):
    """Can't start."""

    def __init__(self) -> None:
        raise RuntimeError("broken from the start")


class Desk(Actor, reentrant=True):
    """Handles many messages at once; stashes texts."""

    async def receive(self, message: Any, sender: Address[Any] | None) -> None:
        await asyncio.sleep(60)


class Sorter(Actor):
    """Puts aside what it can't use now; changes its behaviour."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "close":
            self.become(self.closed)
        else:
            self.stash()

    def closed(self, message: Any, sender: Address[Any] | None) -> None:
        self.stash()
