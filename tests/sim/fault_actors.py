"""Actors of the tests of faults."""

from __future__ import annotations

from typing import Any

from garrick import Actor, Address, ChildExited, Notice, on


class Collects(Actor):
    """Keeps the numbers that it gets, in order, and the instants."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.times: list[float] = []

    @on
    def number(self, message: int) -> None:
        self.numbers.append(message)
        self.times.append(self.now())

    @on
    def told(self, message: str) -> list[Any]:
        return list(self.times if message == "times" else self.numbers)


class Sends(Actor):
    """Sends ``message`` numbers to whom it was made for, one every ``period`` seconds."""

    def __init__(self, target: Address[Any], period: float) -> None:
        self.target = target
        self.period = period
        self.next = 0
        self.last = 0

    @on
    def begin(self, message: int) -> None:
        self.last = message
        self.after(self.period, "tick")

    @on
    def tick(self, message: str) -> int:
        if message == "tick" and self.next < self.last:
            self.send(self.target, self.next)
            self.next += 1
            self.after(self.period, "tick")
        return self.next


class Notes(Actor):
    """Spawns a child on whatever has ``role``, and keeps what it is told of it."""

    def __init__(self, role: str) -> None:
        self.notes: list[tuple[float, str, str]] = []
        self.child = self.spawn(Collects, requires={"role": role})
        self.watch(self.child)

    @on
    def notice(self, message: Notice) -> None:
        self.notes.append((self.now(), type(message).__name__, getattr(message, "reason", "")))

    @on
    def told(self, message: str) -> Any:
        return self.child if message == "child" else list(self.notes)


class Spawns(Actor):
    """Makes a child when it is told to, and tells why children ended."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    @on
    def make(self, message: type) -> Address[Any]:
        return self.spawn(message)

    @on
    def ended(self, notice: ChildExited) -> None:
        self.told.append((notice.reason, type(notice.error).__name__))

    @on
    def tell(self, message: str) -> list[tuple[str, str]]:
        return self.told
