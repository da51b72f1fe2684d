"""Actors of the tests of processes."""

from __future__ import annotations

from typing import Any

from garrick import Actor, Address, Notice, Terminated, on


class Keeps(Actor):
    """Keeps what it is given, and tells it."""

    def __init__(self, first: Any = None) -> None:
        self.kept: list[Any] = [] if first is None else [first]

    @on
    def number(self, message: int) -> None:
        self.kept.append(message)

    @on
    def given(self, message: list) -> int:  # type: ignore[type-arg]
        message.append("changed")
        self.kept.append(message)
        return len(self.kept)

    @on
    def tell(self, message: str) -> list[Any]:
        return list(self.kept)


class Family(Actor):
    """Has children, and keeps what it hears of them."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str, str]] = []

    @on
    def make(self, message: dict) -> Address[Any]:  # type: ignore[type-arg]
        child = self.spawn(Keeps, **message)
        self.watch(child)
        return child

    @on
    def notice(self, message: Notice) -> None:
        self.heard.append((self.now(), type(message).__name__, getattr(message, "reason", "")))

    @on
    def tell(self, message: str) -> list[tuple[float, str, str]]:
        return self.heard


class Streams(Actor):
    """Sends numbers to somebody as fast as it can, one after the other."""

    def __init__(self, target: Address[Any], count: int) -> None:
        self.target = target
        self.count = count
        self.next = 0
        self.after(0.001, "tick")

    @on
    def tick(self, message: str) -> int:
        if message == "tick" and self.next < self.count:
            self.send(self.target, self.next)
            self.next += 1
            self.after(0.001, "tick")
        return self.next


class Hoards(Actor):
    """Hears of others' ends."""

    def __init__(self, watched: list[Address[Any]]) -> None:
        self.heard: list[tuple[Address[Any], str]] = []
        for each in watched:
            self.watch(each)

    @on
    def ended(self, notice: Terminated) -> None:
        self.heard.append((notice.actor, notice.reason))

    @on
    def tell(self, message: str) -> list[tuple[Address[Any], str]]:
        return self.heard
