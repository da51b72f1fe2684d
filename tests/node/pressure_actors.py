"""Actors for tests of load: many messages, many actors, large ones."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from garrick import Actor, Address, DeadLetter


class Echo(Actor):
    """Answers with what it gets."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if sender is not None:
            self.send(sender, message)


class Pid(Actor):
    """Answers with its pid."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if sender is not None:
            self.send(sender, os.getpid())


class Changer(Actor):
    """Adds one to the first element of every array it gets, in place, and sends it back."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        message[0] += 1
        if sender is not None:
            self.send(sender, message)


class Eraser(Actor):
    """Sends an array, overwrites it at once, and says so."""

    def receive(self, message: tuple[Address[Any], int], sender: Address[Any] | None) -> None:
        target, size = message
        array = np.ones(size)
        self.send(target, array)
        array[:] = 0
        if sender is not None:
            self.send(sender, "erased")


class Last(Actor):
    """Keeps the last message, and tells its sum when asked."""

    def __init__(self) -> None:
        self.last: Any = None

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if sender is not None and isinstance(message, str):
            self.send(sender, None if self.last is None else float(self.last.sum()))
        else:
            self.last = message


class Crowd(Actor):
    """Makes many actors, asks each of them once, and answers when all have; then ends them, and answers when all have ended."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, int):
            self.asker = sender
            self.members = [self.spawn(Echo) for _ in range(message)]
            self.missing = message
            for member in self.members:
                self.send(member, "here?")
        elif message == "here?":
            self.missing -= 1
            if not self.missing and self.asker is not None:
                self.send(self.asker, len({member.process for member in self.members}))
        elif message == "end":
            for member in self.members:
                self.stop(member)
            self.members = []
            if sender is not None:
                self.send(sender, "ended")
        elif message == "left" and sender is not None:
            self.send(sender, len(self.children))


class Letters(Actor):
    """Answers with how many dead letters it was told of, and how many of them still had their message."""

    def __init__(self) -> None:
        self.whole = self.all = 0

    def receive(self, message: Any, sender: Any) -> None:
        if isinstance(message, DeadLetter):
            self.all += 1
            self.whole += message.message is not None
        else:
            self.send(sender, (self.all, self.whole))
