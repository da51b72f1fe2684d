"""Process numbers that a runtime has in stock for the dedicated processes it will want.

Owns the stock; the admin gives numbers out in blocks, so that a spawn needs no round trip. Must not know what they are used for.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from garrick.errors import AskError, SystemStopped
from garrick.runtime.signals import NumbersWanted
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.ask import Slot
    from garrick.runtime.runtime import Runtime

LOW: Final = 32
_SECONDS: Final = 30.0


class Numbers:
    """The stock of one runtime; becomes its source of numbers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stock: deque[int] = deque()
        self._lock = threading.Lock()
        self._asked: Slot | None = None
        runtime.next_number = self.take

    def fetch(self) -> Slot | None:
        """Ask the admin for a block, unless that has been done and not been answered."""
        with self._lock:
            if self._asked is not None and not self._asked.done:
                return self._asked
            try:
                slot: Slot = self._runtime.ask(self._runtime.admin, NumbersWanted(), _SECONDS, None, SIGNAL)._slot
            except SystemStopped:
                return None
            self._asked = slot
        slot.on_done(lambda: self._answered(slot))
        return slot

    def _answered(self, slot: Slot) -> None:
        try:
            first, count = slot.outcome()
        except AskError:
            return  # the admin has gone; whoever needs a number is told so by `take`
        self._stock.extend(range(first, first + count))

    def take(self) -> int:
        """A number for a new process; waits for the admin if there is none in stock.

        Raises:
            AskError: the admin gave none.
        """
        while True:
            try:
                number = self._stock.popleft()
            except IndexError:
                slot = self.fetch()
                if slot is None:
                    raise SystemStopped(f"the actor system {self._runtime.system} is ending") from None
                slot.wait()
                continue
            if len(self._stock) < LOW:
                self.fetch()
            return number
