"""Actors that are made again when their process dies, and those around them."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import Any

from garrick import Actor, Address, ChildExited, Request, Restart, Terminated, on
from garrick.supervision import Supervision
from tests.node.actors import Do, Victim

AGAIN = Restart(max=2, within=60, on_loss=True)


@dataclass(frozen=True)
class Make(Request[Any]):
    """A child to be made."""

    arguments: tuple[Any, ...] = ()
    isolation: str = "process"
    supervision: Supervision | None = AGAIN
    name: str | None = None
    kind: str = "Again"


@dataclass(frozen=True)
class Heard(Request[list[Any]]):
    """What notices have come?"""


@dataclass(frozen=True)
class End:
    """Stop a child."""

    child: Address[Any]


class House(Actor):
    """Makes children, watches them, and keeps what it hears."""

    def __init__(self) -> None:
        self.notices: list[Any] = []

    @on
    def make(self, message: Make) -> Address[Any]:
        child = self.spawn(
            f"{__name__}.{message.kind}",
            *message.arguments,
            name=message.name,
            isolation=message.isolation,
            supervision=message.supervision,
        )
        self.watch(child)
        return child

    @on
    def exited(self, notice: ChildExited) -> None:
        self.notices.append(notice)

    @on
    def terminated(self, notice: Terminated) -> None:
        self.notices.append(notice)

    @on
    def heard(self, message: Heard) -> list[Any]:
        return self.notices

    @on
    def end(self, message: End) -> None:
        self.stop(message.child)


class Again(Victim):
    """A victim that says how often it was made: a line per instance in a file."""

    def __init__(self, path: str = "", crash_from: int = 1_000_000, *arguments: Any) -> None:
        super().__init__(*arguments)
        if path:
            with open(path, "a") as file:
                file.write(f"{os.getpid()}\n")
            with open(path) as file:
                if len(file.readlines()) > crash_from:
                    os._exit(9)

    def make_child(self, _: Any) -> Address[Any]:
        return self.spawn(Again, isolation="process")

    def exit_on_a_thread(self, status: int) -> None:
        thread = threading.Thread(target=os._exit, args=(status,))
        thread.start()
        thread.join()

    def sys_exit_on_a_thread(self, _: Any) -> None:
        thread = threading.Thread(target=sys.exit, args=(3,))
        thread.start()
        thread.join()

    def abort(self, _: Any) -> None:
        os.abort()

    def stopping(self, reason: str) -> None:
        if "crash while stopping" in self.arguments:
            os._exit(5)


class Sender(Actor):
    """Asks another actor, and says what that answered."""

    def __init__(self, target: Address[Any]) -> None:
        self.target = target

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        assert sender is not None
        self.send(sender, ("answered", self.ask(self.target, message, 10).result()))


class Locked(Actor):
    """Makes a child whose arguments can't leave the process, and tells how that ends."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        self.asker = sender
        self.spawn(Again, "", 1, threading.Lock(), supervision=AGAIN)

    @on
    def exited(self, notice: ChildExited) -> None:
        assert self.asker is not None
        self.send(self.asker, notice)


__all__ = ["AGAIN", "Again", "Do", "End", "Heard", "House", "Locked", "Make", "Sender"]
