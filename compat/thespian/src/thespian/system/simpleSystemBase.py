"""``simpleSystemBase``: all actors in the program's thread, one message after the other, driven by the program's calls."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any, ClassVar

from garrick.errors import GarrickError
from garrick.inbox import Inbox
from garrick.sim.sequential import SequentialNode, start
from garrick.system import ActorSystem
from thespian import _logging
from thespian._address import PREFIX
from thespian._base import Base, Received
from thespian._capabilities import add_own
from thespian._errors import ActorSystemFailure
from thespian._host import Setting

_count = itertools.count(1)


class ActorSystemBase(Base):
    """See the module; and `thespian._base.Base`."""

    name: ClassVar[str] = "simpleSystem"
    in_program: ClassVar[bool] = True

    def __init__(self, capabilities: dict[str, Any], logDefs: Any = None) -> None:
        add_own(capabilities, self.name, 2, AllowRemoteActorSources="No")
        _logging.configure(logDefs, None)
        self._node: SequentialNode = start(f"{PREFIX}simple-{os.getpid()}-{next(_count)}", dict(capabilities))
        self._crew = self._node.crew
        system = ActorSystem.__new__(ActorSystem)
        system._adopt(self._node)
        super().__init__(system, Setting("shared"))

    def sent(self) -> None:
        """Run the whole system until no message waits."""
        if not self._crew.inside():
            self._crew.settle()

    def receive(self, inbox: Inbox, deadline: float | None) -> Received | None:
        """See Base. Waits for wakeups of actors that are due before the deadline, and for nothing else."""
        if self._crew.inside():  # an actor calls the system that it lives in
            return super().receive(inbox, deadline)
        while True:
            self._crew.settle()
            try:
                return inbox.receive_from(0)
            except TimeoutError:
                due = self._next_wakeup()
            if due is None or deadline is None or due > deadline:
                return None
            self._crew.sleep(max(0.0, due - time.monotonic()))

    def _next_wakeup(self) -> float | None:
        """When the next wakeup of an actor is due."""
        cells = tuple(self.system._runtime.cells.values())
        return min((timer.due for cell in cells for timer in cell.timers or ()), default=None)

    def update_capability(self, key: str, value: Any) -> None:
        """See Base."""
        self.system.set_capability(key, value)
        self.sent()

    def shutdown(self) -> None:
        """See Base."""
        try:
            self.system.stop(10.0)
        except GarrickError as error:
            raise ActorSystemFailure(f"shutdown failed: {error}") from error
