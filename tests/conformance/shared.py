"""Systems that several tests share: starting one takes longer than most tests.

A test that uses one must leave it as it was. `Shared.clear` ends what the program has made and finds what then is left.
"""

from __future__ import annotations

import os
import time
from typing import Any

from garrick import ActorSystem
from garrick.address import Address
from garrick.inbox import Inbox
from tests.conformance.actors import Echo

WAIT = 5.0
"""Seconds for what the last test has set going to end; it has ended at once unless the machine is overloaded."""


class Shared(ActorSystem):
    """Remembers what the program makes with it."""

    def __init__(self, node: Any) -> None:
        self._adopt(node)
        self._tops: list[Address[Any]] = []
        self._inboxes: list[Inbox] = []

    def spawn(self, *args: Any, **kwargs: Any) -> Address[Any]:
        address = super().spawn(*args, **kwargs)
        self._tops.append(address)
        return address

    def inbox(self) -> Inbox:
        inbox = super().inbox()
        self._inboxes.append(inbox)
        return inbox

    def dead_letters(self) -> Inbox:
        letters = super().dead_letters()
        self._inboxes.append(letters)
        return letters

    @property
    def pools(self) -> frozenset[str]:
        """The names of its pools of threads in this process; an idle thread more of those is no leftover."""
        return frozenset({f"garrick-{self.name}"})

    def living(self) -> list[str]:
        """The actors that there are."""
        return [f"{actor['class']} {actor['address']}" for actor in self.status()["actors"]]

    def end_actor(self, address: Address[Any]) -> None:
        """End one that the program has made."""
        self.stop_actor(address)

    def clear(self) -> None:
        """End what the program has made, so that the system can serve the next test; nothing may be left."""
        for inbox in self._inboxes:
            inbox.close()
        for address in self._tops:
            self.end_actor(address)
        self._tops.clear()
        self._inboxes.clear()
        deadline = time.monotonic() + WAIT
        while (left := self.living()) and time.monotonic() < deadline:
            time.sleep(0.01)  # an actor that its parent or itself has ended is waited for by nobody
        assert left == []


class SharedProcesses(Shared):
    """A multiprocess system with everything up that comes up late, or it would look like something that a test left behind."""

    def __init__(self) -> None:
        super().__init__(ActorSystem("multiprocess", name=f"conf-{os.getpid()}-shared", workers=2)._node)
        actors = [self.spawn(Echo) for _ in range(4)]
        actors += [self.spawn(Echo, isolation="process")]
        for actor in actors:
            self.ask(actor, "up")
        self.clear()
