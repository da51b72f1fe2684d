"""Actors and messages for one question to many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, GarrickError, Request, on


@dataclass(frozen=True)
class Which(Request[int]):
    """What is your number?"""


@dataclass(frozen=True)
class AskAll:
    """Ask all of these: ``how`` is ``result``, ``each``, ``await`` or ``async each``; ``most`` ends the loop early."""

    targets: tuple[Address[Any], ...]
    message: Any
    how: str
    timeout: float = 20.0
    most: int = 1_000_000


class Numbered(Actor):
    """Answers with its number after a while, fails, ends, or stays silent."""

    def __init__(self, number: int, delay: float = 0.0, manner: str = "") -> None:
        self.number, self.delay, self.manner = number, delay, manner

    @on(cancellable=True)
    async def which(self, _: Which) -> int:
        if self.manner == "silent":
            self.defer()
        elif self.manner == "fail":
            raise ValueError(self.number)
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.number


class Plain(Actor):
    """Answers at once, without an event loop."""

    def __init__(self, number: int) -> None:
        self.number = number

    @on
    def which(self, _: Which) -> int:
        return self.number


class Gatherer(Actor):
    """Asks many, in every way."""

    @on
    def ask_in(self, message: AskAll) -> Any:
        if message.how in ("await", "async each"):
            return self._later(message)
        replies = self.ask_all(message.targets, message.message, message.timeout)
        if message.how == "result":
            return replies.result()
        found = []
        for target, outcome in replies:
            found.append((target, outcome))
            if len(found) >= message.most:
                break
        return found

    async def _later(self, message: AskAll) -> Any:
        replies = self.ask_all(message.targets, message.message, message.timeout)
        if message.how == "await":
            return await replies
        found = []
        async for target, outcome in replies:
            found.append((target, outcome))
            if len(found) >= message.most:
                break
        return found


def kinds(outcomes: list[Any]) -> list[Any]:
    """Errors by the name of their class."""
    return [type(found).__name__ if isinstance(found, GarrickError) else found for found in outcomes]
