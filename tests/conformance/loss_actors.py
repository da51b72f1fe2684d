"""Actors whose process is lost, and those who hear of it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, ChildExited, Request, Restart, Terminated, on

AGAIN = Restart(max=2, within=60, on_loss=True)


@dataclass(frozen=True)
class Kill:
    """End the process without a word."""


class Mortal(Actor):
    """Counts what it gets, and says in which process."""

    def __init__(self, start: int = 0) -> None:
        self.count = start

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, Kill):
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1
        if sender is not None:
            self.send(sender, (self.count, os.getpid()))


@dataclass(frozen=True)
class Make(Request[Any]):
    """A child."""

    start: int
    isolation: str
    on_loss: bool = True
    max: int = 2


@dataclass(frozen=True)
class Heard(Request[list[str]]):
    """Which notices came, as text."""


@dataclass(frozen=True)
class Enquire(Request[Any]):
    """Ask somebody, and say what he answered."""

    whom: Address[Any]


class Keeper(Actor):
    """Makes mortals, and hears of them."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @on
    def make(self, message: Make) -> Address[Any]:
        policy = Restart(max=message.max, within=60, on_loss=message.on_loss)
        child = self.spawn(Mortal, message.start, isolation=message.isolation, supervision={ValueError: policy})
        self.watch(child)
        return child

    @on
    def exited(self, notice: ChildExited) -> None:
        self.heard.append(f"exited: {notice.reason}")

    @on
    def terminated(self, notice: Terminated) -> None:
        self.heard.append(f"terminated: {notice.reason}")

    @on
    def notices(self, message: Heard) -> list[str]:
        return sorted(self.heard)

    @on
    def enquire(self, message: Enquire) -> Any:
        return self.ask(message.whom, "?", 20).result()


class Ends(Actor):
    """Ends itself in the way that it is told."""

    def receive(self, message: str, sender: Address[Any] | None) -> None:
        if message == "fail":
            raise SystemExit(1)
        self.stop()
