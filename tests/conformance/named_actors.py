"""Actors that hold a name in the whole convention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrick import Actor, ChildExited, on


@dataclass(frozen=True)
class Hire:
    """Spawn a child under this name."""

    global_name: str


@dataclass(frozen=True)
class Where:
    """Who holds the name?"""

    global_name: str


class Office(Actor):
    """Says under which epoch it holds its name; spawns and looks up what it is told to, and tells how its children end."""

    def __init__(self, tell: Any = None) -> None:
        self.tell = tell

    @on
    def epoch_wanted(self, message: str) -> int | None:
        return self.epoch

    @on
    def hire(self, message: Hire) -> Any:
        return self.spawn(Office, global_name=message.global_name)

    @on
    async def where(self, message: Where) -> Any:
        return await self.lookup(message.global_name, everywhere=True)

    @on
    def exited(self, notice: ChildExited) -> None:
        self.send(self.tell, (notice.child, notice.reason))
