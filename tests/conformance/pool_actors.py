"""Members of pools."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from garrick import Actor


class Member(Actor):
    """Answers with its address; does what it is told; keeps numbers."""

    def __init__(self, greeting: str = "hello", *, notes: Any = None) -> None:
        self.greeting = greeting
        self.notes = notes
        self.numbers: list[Any] = []

    def receive(self, message: Any, sender: Any) -> None:
        match message:
            case "who?":
                self.send(sender, self.address)
            case "greet":
                self.send(sender, self.greeting)
            case "stop":
                self.stop()
            case "die":
                time.sleep(0.2)  # what was said before has left the process
                os.kill(os.getpid(), signal.SIGKILL)
            case ("wait", wanted):
                self.ask(wanted, "go?", timeout=20).result()
                self.send(sender, self.address)
            case ("key", _):
                self.send(sender, (self.address, message))
            case _:
                if self.notes is not None:
                    self.send(self.notes, (self.address, message))


def first_of(message: Any) -> Any:
    return message[1] if isinstance(message, tuple) else message


class Hears(Actor):
    """Joins a topic and passes on what it gets."""

    def __init__(self, topic: Any, notes: Any, join: Any) -> None:
        self.notes = notes
        self.send(topic, join)

    def receive(self, message: Any, sender: Any) -> None:
        if message == "stop":
            self.stop()
        else:
            self.send(self.notes, (self.address, message))
