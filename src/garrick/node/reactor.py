"""What links need from whoever waits for their descriptors, and the two who do: a poller for runtimes, asyncio for the admin.

Owns waiting. Must not know links or envelopes. Invariant: callbacks run on one thread at a time, the one inside `Poller.poll` or
`busy` (the holder of the baton), or the loop's.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import selectors
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from garrick.node.haste import Haste

if TYPE_CHECKING:
    import asyncio

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

Ready = Callable[[int], None]
"""Called with the events that a descriptor is ready for."""


class Reactor(Protocol):
    """Tells when descriptors are ready and when time has passed. Only ``attention`` may be called from any thread."""

    def watch(self, descriptor: int, events: int, ready: Ready) -> None:
        """Call ``ready`` for these events from now on; replaces what was said before about the descriptor."""
        ...

    def unwatch(self, descriptor: int) -> None:
        """Forget the descriptor; to be called before it is closed."""
        ...

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Call ``action`` once in ``delay`` seconds."""
        ...

    def attention(self) -> None:
        """Something was put out that `on_turn` should look at soon."""
        ...

    def on_turn(self, action: Callable[[], None]) -> None:
        """Call ``action`` once per turn, before waiting."""
        ...

    def new_socket(self) -> socket.socket:
        """A new socket for a connection to another process of this machine, whose descriptor it can watch.

        Raises:
            OSError: there is none to be had.
        """
        ...


def unix_socket() -> socket.socket:
    """A Unix socket that never blocks, and that no child gets."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


class Poller:
    """A `garrick.ports.Poller` and `Reactor` over epoll (or what the platform has) with an eventfd to end the wait.

    Args:
        haste: whether it may wait awake (see `garrick.node.haste`). Not where the thread that polls hands on to another one, which then
            needs the core and the interpreter: a program that asks, the main thread of a dedicated process.
    """

    def __init__(self, *, haste: bool = False) -> None:
        self.asleep = False
        """Whether the holder waits, or is about to. Read by other threads, see `garrick.node.links`."""
        self._epoll = select.epoll() if hasattr(select, "epoll") else _Selector()
        self._ready: dict[int, Ready] = {}
        self._events: dict[int, int] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._turns: list[Callable[[], None]] = []
        self._woken = False
        self._closed = False
        self._wake_read, self._wake_write = _wake_descriptors()
        self._haste = Haste() if haste else None
        self._epoll.register(self._wake_read, READ)

    # --- Reactor

    def watch(self, descriptor: int, events: int, ready: Ready) -> None:
        """See `Reactor.watch`."""
        known = self._events.get(descriptor)
        self._ready[descriptor] = ready
        self._events[descriptor] = events
        if known is None:
            self._epoll.register(descriptor, _mask(events))
        elif known != events:
            self._epoll.modify(descriptor, _mask(events))

    def unwatch(self, descriptor: int) -> None:
        """See `Reactor.unwatch`."""
        if self._events.pop(descriptor, None) is not None:
            del self._ready[descriptor]
            if not self._closed:
                self._epoll.unregister(descriptor)

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """See `Reactor.later`."""
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), action))

    def attention(self) -> None:
        """See `Reactor.attention`."""
        if self.asleep:
            self.wake()

    def on_turn(self, action: Callable[[], None]) -> None:
        """See `Reactor.on_turn`."""
        self._turns.append(action)

    def new_socket(self) -> socket.socket:
        """See `Reactor.new_socket`."""
        return unix_socket()

    # --- Poller

    def poll(self, timeout: float | None) -> None:
        """See `garrick.ports.Poller.poll`."""
        # First say "asleep", then look for work: who puts work out does it the other way round, so that none is overlooked.
        self.asleep = True
        for action in self._turns:
            action()
        if self._timers:
            due = max(0.0, self._run_timers() - time.monotonic())
            timeout = due if timeout is None else min(timeout, due)
        if self._woken:
            timeout = 0.0
        # Rounded up to the next millisecond, or a due timer would be waited for in a spinning loop.
        wait = -1 if timeout is None else timeout and timeout + 0.0005
        poll = self._epoll.poll
        ready = self._haste.poll(poll, wait) if self._haste is not None and wait else poll(wait)
        self.asleep = False
        self._serve(ready)

    def busy(self) -> None:
        """See `garrick.ports.Poller.busy`."""
        for action in self._turns:
            action()
        if self._timers:
            self._run_timers()
        self._serve(self._epoll.poll(0))

    def wake(self) -> None:
        """See `garrick.ports.Poller.wake`."""
        if not self._woken and not self._closed:
            self._woken = True
            os.write(self._wake_write, b"\1\0\0\0\0\0\0\0")

    def close(self) -> None:
        """See `garrick.ports.Poller.close`."""
        if not self._closed:
            self._closed = True
            self._epoll.close()
            os.close(self._wake_read)
            if self._wake_write != self._wake_read:
                os.close(self._wake_write)

    def _serve(self, ready: list[tuple[int, int]]) -> None:
        for descriptor, mask in ready:
            if descriptor == self._wake_read:
                # Reading first: a wake that comes in between is answered by this very turn.
                os.read(descriptor, 8)
                self._woken = False
                continue
            action = self._ready.get(descriptor)
            if action is not None:
                action(_events(mask))

    def _run_timers(self) -> float:
        """Do what is due; when the next is."""
        timers = self._timers
        now = time.monotonic()
        while timers and timers[0][0] <= now:
            heapq.heappop(timers)[2]()
        return timers[0][0] if timers else now + 3600.0


class AsyncioReactor:
    """A `Reactor` on the running event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turns: list[Callable[[], None]] = []
        self._scheduled = False
        self._events: dict[int, int] = {}

    def watch(self, descriptor: int, events: int, ready: Ready) -> None:
        """See `Reactor.watch`."""
        before = self._events.get(descriptor, 0)
        self._events[descriptor] = events
        if events & READ:
            self._loop.add_reader(descriptor, ready, READ)
        elif before & READ:
            self._loop.remove_reader(descriptor)
        if events & WRITE:
            self._loop.add_writer(descriptor, ready, WRITE)
        elif before & WRITE:
            self._loop.remove_writer(descriptor)

    def unwatch(self, descriptor: int) -> None:
        """See `Reactor.unwatch`."""
        before = self._events.pop(descriptor, 0)
        if before & READ:
            self._loop.remove_reader(descriptor)
        if before & WRITE:
            self._loop.remove_writer(descriptor)

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """See `Reactor.later`."""
        self._loop.call_later(delay, action)

    def attention(self) -> None:
        """See `Reactor.attention`; here only from the loop's thread."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def on_turn(self, action: Callable[[], None]) -> None:
        """See `Reactor.on_turn`."""
        self._turns.append(action)

    def new_socket(self) -> socket.socket:
        """See `Reactor.new_socket`."""
        return unix_socket()

    def _turn(self) -> None:
        self._scheduled = False
        for action in self._turns:
            action()


class _Selector:
    """The interface of ``select.epoll`` over `selectors`, where there is no epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, descriptor: int, mask: int) -> None:
        self._selector.register(descriptor, _events(mask))

    def modify(self, descriptor: int, mask: int) -> None:
        self._selector.modify(descriptor, _events(mask))

    def unregister(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        found = self._selector.select(None if timeout < 0 else timeout)
        return [(key.fd, _mask(events)) for key, events in found]

    def close(self) -> None:
        self._selector.close()


_EPOLLIN: int = getattr(select, "EPOLLIN", READ)
_EPOLLOUT: int = getattr(select, "EPOLLOUT", WRITE)


def _mask(events: int) -> int:
    return (_EPOLLIN if events & READ else 0) | (_EPOLLOUT if events & WRITE else 0)


def _events(mask: int) -> int:
    """A hang-up or an error counts as readiness for everything: reading or writing then says what it is."""
    return (READ if mask & ~_EPOLLOUT else 0) | (WRITE if mask & ~_EPOLLIN else 0)


def _wake_descriptors() -> tuple[int, int]:
    if hasattr(os, "eventfd"):
        descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return descriptor, descriptor
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
