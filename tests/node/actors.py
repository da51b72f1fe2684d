"""Actors under test; importable by name, since workers import them."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, ChildExited, DeadLetter, Terminated, on


@dataclass(frozen=True)
class Do:
    """What the actor should do to itself."""

    what: str
    argument: Any = None


class Victim(Actor):
    """Answers with its pid, and does harm to its process when told."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.seen: list[Any] = []

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if isinstance(message, Do):
            message = getattr(self, message.what)(message.argument)
        else:
            self.seen.append(message)
        if sender is not None:
            self.send(sender, message)

    def pid(self, _: Any) -> int:
        return os.getpid()

    def fork_server_pid(self, _: Any) -> int:
        return os.getppid()

    def segfault(self, _: Any) -> None:
        ctypes.string_at(0)

    def exit_now(self, status: int) -> None:
        os._exit(status)

    def kill_yourself(self, _: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def sys_exit(self, status: int) -> None:
        sys.exit(status)

    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    def wait_until_given_up(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.cancelled and time.monotonic() < end:
            time.sleep(0.005)
        self.seen.append(self.cancelled)

    def compute(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return "computed"

    def limit_memory(self, more: int) -> int:
        pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115
        limit = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return limit

    def allocate(self, amount: int) -> int:
        return len(bytearray(amount))

    def what_was_seen(self, _: Any) -> list[Any]:
        return self.seen

    def where(self, _: Any) -> int:
        return self.address.process

    def class_of(self, thing: Any) -> str:
        return type(thing).__module__

    def lambda_back(self, _: Any) -> Any:
        return lambda: None


@dataclass(frozen=True)
class Raise:
    """A child to be made by `Parent`."""

    isolation: str = "shared"


@dataclass(frozen=True)
class Notices:
    """Ask: what has the parent heard?"""


class Parent(Actor):
    """Spawns victims, watches them, and keeps what it hears of them."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.waiting: list[Address[Any]] = []

    @on
    def raise_child(self, message: Raise) -> Address[Any]:
        child = self.spawn(Victim, isolation=message.isolation)
        self.watch(child)
        return child

    @on
    def exited(self, notice: ChildExited) -> None:
        self.hear(notice)

    @on
    def terminated(self, notice: Terminated) -> None:
        self.hear(notice)

    def hear(self, notice: Any) -> None:
        self.heard.append(notice)
        if len(self.heard) == 2:
            for asker in self.waiting:
                self.send(asker, self.heard)

    @on
    def notices(self, message: Notices) -> None:
        """Answers as soon as both notices have come."""
        asker = self.defer()
        if len(self.heard) >= 2:
            self.send(asker, self.heard)
        else:
            self.waiting.append(asker)


class Spawner(Actor):
    """Makes dedicated processes, many at once."""

    def receive(self, message: int, sender: Address[Any] | None) -> None:
        assert sender is not None
        self.send(sender, [self.spawn(Victim, isolation="process") for _ in range(message)])


class Forwarder(Actor):
    """Sends on what it gets."""

    def __init__(self, target: Address[Any], copies: int = 1) -> None:
        self.target = target
        self.copies = copies

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        for _ in range(self.copies):
            self.send(self.target, message)


class Counter(Actor):
    """Counts; answers with the count when asked."""

    def __init__(self) -> None:
        self.count = 0
        self.wrong = 0
        self.last: dict[Any, int] = {}

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        if message == "count":
            assert sender is not None
            self.send(sender, (self.count, self.wrong))
        else:
            self.count += 1
            source, number = message[:2]
            self.wrong += number != self.last.get(source, -1) + 1
            self.last[source] = number


class Flooder(Actor):
    """Sends numbered messages, then answers."""

    def __init__(self, target: Address[Any], source: str = "") -> None:
        self.target = target
        self.source = source
        self.number = 0

    def receive(self, message: tuple[int, int], sender: Address[Any] | None) -> None:
        count, size = message
        for _ in range(count):
            self.send(self.target, (self.source, self.number, b"x" * size))
            self.number += 1
        if sender is not None:
            self.send(sender, self.number)


class LetterBox(Actor):
    """A handler for dead letters, so that the class is known to be importable."""

    @on
    def letter(self, message: DeadLetter) -> None:
        pass


class Thread(Actor):
    """Says on which thread it runs, and asks a child beside itself."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        assert sender is not None
        if message == "child":
            child = self.spawn(Thread)
            self.send(sender, (child.process, self.ask(child, "main?").result()))
        elif message == "deep":
            child = self.spawn(Thread)
            self.send(sender, self.ask(child, "child").result())
        else:
            self.send(sender, threading.current_thread() is threading.main_thread())
