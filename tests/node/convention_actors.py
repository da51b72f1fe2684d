"""Actors for tests of conventions: importable on every system."""

from __future__ import annotations

import os
from typing import Any

from garrick import Actor, on
from garrick.messages import ChildExited, Terminated


class Where(Actor):
    """Says where it runs; keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def receive(self, message: Any, sender: Any) -> None:
        if message == "where?":
            self.send(sender, (self.address.system, os.getpid(), os.getppid()))
        elif message == "all":
            self.send(sender, self.told)
        else:
            self.told.append(message)


class Parent(Actor):
    """Has a child elsewhere and another actor to watch, and remembers what it hears of them."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.waiting: list[Any] = []

    @on
    def spawn_there(self, message: dict) -> Any:  # type: ignore[type-arg]
        child = self.spawn(Where, requires=message)
        self.watch(child)
        return child

    @on
    def child_exited(self, message: ChildExited) -> None:
        self.heard.append(("child", message.reason))

    @on
    def terminated(self, message: Terminated) -> None:
        self.heard.append(("watched", message.reason))

    @on
    def what(self, message: str) -> list[tuple[str, str]]:
        return self.heard
