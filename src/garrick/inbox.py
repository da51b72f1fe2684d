"""`Inbox`: an address for a program, to send from and to receive at."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import SystemStopped
from garrick.handlers import on
from garrick.messages import Notice
from garrick.runtime import lifecycle
from garrick.runtime.cell import Cell
from garrick.runtime.once import Once
from garrick.runtime.signals import Spec, Stop
from garrick.supervision import Resume
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime


class Inbox:
    """Receives what is sent to its ``address``; made by ``ActorSystem.inbox()``, also a context manager."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._messages: deque[tuple[Any, Address[Any] | None]] = deque()
        self._arrival: Once | None = None
        self._lock = threading.Lock()
        self._closed = False
        address: Address[Any] = Address(runtime.system, runtime.number, runtime.next_serial())
        spec = Spec(_InboxActor, (self,), supervision=Resume())
        self._cell = Cell(runtime, address, spec, runtime.address)
        address._cell = self._cell
        runtime.cells[address.serial] = self._cell
        runtime.post(lifecycle.start, self._cell)
        self.address = address

    def send(self, target: Address[Any], message: Any) -> None:
        """Send with this inbox as the sender, so that replies come here."""
        self._check()
        self._runtime.route(target, message, self.address)

    def watch(self, target: Address[Any]) -> None:
        """Receive `Terminated` when ``target`` ends."""
        self._check()
        self._cell.watch(target)

    def receive(self, timeout: float | None = None) -> Any:
        """The next message.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            TimeoutError: nothing came in time.
            SystemStopped: the inbox is closed.
        """
        return self.receive_from(timeout)[0]

    def receive_from(self, timeout: float | None = None) -> tuple[Any, Address[Any] | None]:
        """As `receive`, with the sender."""
        clock = self._runtime.clock
        deadline = None if timeout is None else clock.now() + timeout
        while True:
            with self._lock:
                if self._messages:
                    return self._messages.popleft()
                self._check()
                arrival = self._arrival = Once()
            if not self._runtime.scheduler.wait(arrival, deadline):
                with self._lock:
                    if not self._messages:
                        raise TimeoutError(f"nothing came to {self.address} within {timeout} s")

    def close(self) -> None:
        """End the inbox; what comes later is a dead letter."""
        if not self._closed:
            self._closed = True
            self._runtime.route(self.address, Stop(), None, SIGNAL)
            self._wake()

    def _put(self, message: Any, sender: Address[Any] | None) -> None:
        with self._lock:
            self._messages.append((message, sender))
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.finish()

    def _check(self) -> None:
        if self._closed or self._runtime.ending:
            raise SystemStopped(f"the inbox {self.address} is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _InboxActor(Actor):
    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        self.inbox._put(message, sender)

    @on
    def notice(self, message: Notice) -> None:
        self.inbox._put(message, None)

    def stopping(self, reason: str) -> None:
        self.inbox._closed = True
        self.inbox._wake()
