"""`Subscription`: what an actor publishes, as a stream for code outside of all actors.

Owns the reader's side: the buffer, and handing out credit as the program takes events out of it (the actor's side is
`garrick.runtime.streams`). Invariants: no more than one buffer of published events is ever under way and waiting here together; what the
reader was too slow for is told in its place by `Lagged`; the stream ends once, with the actor, the subscription or the system.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from garrick.actor import Actor
from garrick.address import Address
from garrick.errors import ActorGone, InvalidArgument, NotAnAddress, SystemStopped
from garrick.handlers import on
from garrick.messages import Lagged, Terminated
from garrick.runtime import supervise
from garrick.runtime.cell import Cell
from garrick.runtime.once import Once, finisher
from garrick.runtime.signals import Demand, Event, Missed, Spec, Stop, Subscribe, Unsubscribe
from garrick.supervision import Resume
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.runtime import Runtime

CLOSED = "closed"
SYSTEM_STOPPED = "system stopped"


class Subscription:
    """The events that an actor publishes from now on; made by ``ActorSystem.subscribe``.

    Iterate over it, or call `get`; also a context manager. Some items are `Lagged`. The iteration ends when the actor was stopped or the
    subscription was closed; any other end of the actor raises `ActorGone` with the reason.
    """

    def __init__(self, runtime: Runtime, target: Address[Any], request: Any, buffer: int) -> None:
        if not isinstance(target, Address):
            raise NotAnAddress(f"{target!r} is no Address", hint="use what spawn(...) returned")
        if buffer < 1:
            raise InvalidArgument(f"buffer={buffer!r} is no number of events", hint="at least 1")
        self.target = target
        self._runtime = runtime
        self._request = request
        self._size = buffer
        self._events: deque[tuple[Any, bool]] = deque()
        self._plain = 0
        """Items that were sent here by a plain send; there is no credit for them, so their number is limited here."""
        self._taken = 0
        self._arrival: Once | None = None
        self._lock = threading.Lock()
        self._reason: str | None = None
        address: Address[Any] = Address(runtime.system, runtime.number, runtime.next_serial())
        spec = Spec(_Reader, (self,), supervision=Resume())
        self._cell = Cell(runtime, address, spec, runtime.address)
        address._cell = self._cell
        self.address = address
        """Where the events arrive. Who knows it may also send to it."""
        runtime.cells[address.serial] = self._cell
        runtime.readers[address.serial] = self
        runtime.post(lambda cell: supervise.make(runtime, cell), self._cell)
        self._cell.watch(target)
        try:
            self._subscribe()
        except BaseException:
            self.close()
            raise

    def _subscribe(self) -> None:
        signal = Subscribe(self.address, self._request, self._size)
        self._runtime.route(self.target, signal, self.address, SIGNAL)

    @property
    def reason(self) -> str | None:
        """Why the stream has ended, or None: how the actor ended, ``closed``, or ``system stopped``."""
        return self._reason

    def get(self, timeout: float | None = None) -> Any:
        """The next event, or `Lagged`.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            TimeoutError: nothing came in time.
            ActorGone: the actor has ended, and all that it had published was taken.
            SystemStopped: the subscription is closed, or the system has ended.
        """
        self._wait(timeout)
        return self._take()

    def _wait(self, timeout: float | None) -> None:
        clock = self._runtime.clock
        deadline = None if timeout is None else clock.now() + timeout
        while (arrival := self._next_arrival()) is not None:
            if not self._runtime.scheduler.wait(arrival, deadline) and not self._events and self._reason is None:
                raise TimeoutError(f"{self.target} published nothing within {timeout} s")

    def close(self) -> None:
        """End the subscription; the actor is told, and what was not taken is dropped."""
        if self._end(CLOSED):
            self._events.clear()
            self._runtime.route(self.target, Unsubscribe(self.address), None, SIGNAL)
            self._runtime.route(self.address, Stop(), None, SIGNAL)

    # --- taking out ---------------------------------------------------------------------------------------------------------

    def _next_arrival(self) -> Once | None:
        """Something to wait for; None when there is something to take, or the stream has ended."""
        with self._lock:
            if self._events or self._reason is not None:
                return None
            if self._arrival is None:
                self._arrival = Once()
            return self._arrival

    def _take(self) -> Any:
        demand = 0
        with self._lock:
            if not self._events:
                raise self._error()
            event, published = self._events.popleft()
            if published:
                self._taken += 1
                # A quarter at a time: a signal per event would cost as much as the event.
                if self._taken >= max(1, self._size // 4) and self._reason is None:
                    demand, self._taken = self._taken, 0
            elif type(event) is not Lagged:
                self._plain -= 1
        if demand:
            self._runtime.route(self.target, Demand(self.address, demand), None, SIGNAL)
        return event

    def _error(self) -> BaseException:
        reason = self._reason or CLOSED
        if reason in (CLOSED, SYSTEM_STOPPED):
            return SystemStopped(f"the subscription of {self.target} has ended: {reason}")
        return ActorGone(f"{self.target} publishes no more: {reason}", reason=reason)

    def _is_over(self) -> bool:
        """Whether an iteration ends here without an error."""
        return not self._events and self._reason in ("stopped", CLOSED)

    # --- what arrives; on the holder of the baton -------------------------------------------------------------------------------

    def arrived(self, signal: Event | Missed) -> None:
        """What the actor's side sends."""
        if isinstance(signal, Event):
            self._put(signal.event, published=True)
        else:
            self._lag(signal.count)

    def made_again(self) -> None:
        """The actor died with its process and exists anew; how much was missed nobody knows."""
        self._lag(None)
        with self._lock:
            size = self._size - sum(published for _, published in self._events)
            self._taken = 0
        self._runtime.route(self.target, Subscribe(self.address, self._request, max(size, 0)), self.address, SIGNAL)

    def _put(self, event: Any, *, published: bool) -> None:
        if not published:
            if self._plain >= self._size:
                self._lag(1)
                return
            self._plain += 1
        with self._lock:
            if self._reason is not None:
                return
            self._events.append((event, published))
        self._wake()

    def _lag(self, missed: int | None) -> None:
        with self._lock:
            if self._events and type(self._events[-1][0]) is Lagged:
                before = self._events.pop()[0].missed
                missed = None if missed is None or before is None else before + missed
            self._events.append((Lagged(missed), False))
        self._wake()

    def _end(self, reason: str) -> bool:
        with self._lock:
            if self._reason is not None:
                return False
            self._reason = reason
        self._runtime.readers.pop(self.address.serial, None)
        self._wake()
        return True

    def _actor_ended(self, reason: str) -> None:
        if self._end(reason):
            self._runtime.route(self.address, Stop(), None, SIGNAL)

    def _reader_ends(self) -> None:
        if self._end(SYSTEM_STOPPED):
            self._runtime.route(self.target, Unsubscribe(self.address), None, SIGNAL)

    def _wake(self) -> None:
        with self._lock:
            arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.finish()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self._wait(None)
        if self._is_over():
            raise StopIteration
        return self._take()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Subscription of {self.target}{f' ended: {self._reason}' if self._reason else ''}>"


class AsyncSubscription:
    """As `Subscription`, for asyncio programs: ``async for event in system.subscribe(...)``, or ``await get()``."""

    def __init__(self, subscription: Subscription, *, in_thread: bool = False) -> None:
        self._subscription = subscription
        self._in_thread = in_thread
        """Whether waiting is what drives the system, which has a time of its own (base ``sim``)."""

    @property
    def reason(self) -> str | None:
        """See Subscription."""
        return self._subscription.reason

    @property
    def address(self) -> Address[Any]:
        """See Subscription."""
        return self._subscription.address

    async def get(self) -> Any:
        """The next event, or `Lagged`; put a limit with `asyncio.timeout`. Errors as of Subscription.get."""
        await self._wait()
        return self._subscription._take()

    async def _wait(self) -> None:
        import asyncio  # late: only asyncio programs use this

        while (arrival := self._subscription._next_arrival()) is not None:
            if self._in_thread:
                await asyncio.to_thread(self._subscription._wait, None)
                continue
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            arrival.on_done(finisher(loop, future))
            await future

    def close(self) -> None:
        """See Subscription."""
        self._subscription.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        await self._wait()
        if self._subscription._is_over():
            raise StopAsyncIteration
        return self._subscription._take()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._subscription)


class _Reader(Actor):
    """Stands for the program; what is published reaches the subscription past it."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription

    def receive(self, message: Any, sender: Address[Any] | None) -> None:
        self.subscription._put(message, published=False)

    @on
    def terminated(self, notice: Terminated) -> None:
        self.subscription._actor_ended(notice.reason)

    def stopping(self, reason: str) -> None:
        self.subscription._reader_ends()
