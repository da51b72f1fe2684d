"""Actors whose processes log."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import threading
from typing import Any

from garrick import Actor, Address

log = logging.getLogger("shop")


class Clerk(Actor):
    """Does what it is told by ``(what, argument)``; answers with its pid."""

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        what, argument = message
        if what == "log":
            log.info(argument)
        elif what == "lines":
            for number in range(argument):
                log.info("%s %s", number, "x" * (number * 97 % 20_000))
        elif what == "thread":
            thread = threading.Thread(target=_fail, name="my-thread")
            thread.start()
            thread.join()
        elif what == "fail":
            raise LookupError(argument)
        elif what == "exhaust":
            # From now on no descriptor can be had; what is open stays open.
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
            self.after(argument, ("restore", limits))
            self.send(self.spawn(Clerk, isolation="process"), ("log", "sent without descriptors"))
        elif what == "restore":
            resource.setrlimit(resource.RLIMIT_NOFILE, argument)
            return
        elif what == "segfault":
            ctypes.string_at(0)
        if sender is not None:
            self.send(sender, os.getpid())


class Buffered(logging.Handler):
    """Writes what it holds only when it is flushed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.held: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.held.append(record.getMessage())

    def flush(self) -> None:
        held, self.held = self.held, []
        if held:
            with open(self.path, "a") as file:
                file.write("".join(f"{line}\n" for line in held))


class Hanging(logging.Handler):
    """Never comes back from its flush."""

    def emit(self, record: logging.LogRecord) -> None:
        pass

    def flush(self) -> None:
        threading.Event().wait()


def _fail() -> None:
    raise LookupError("in a thread of my own")
