"""The actor's side of streams: who subscribed to one actor, and how much each subscriber can still take.

Owns the credit. A subscriber grants as many events as its buffer holds, and more as its program takes them out. What it has no credit for
is not sent but counted, and the count goes out before the next event; so neither side, nor the way between them, ever holds more than one
buffer, and nobody waits for a slow reader. Events travel as signals: they never wait for room, and are no dead letters when their reader
has gone. Any thread may publish; the lock keeps the order of events and counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from garrick.address import Address
from garrick.messages import Subscribed, Unsubscribed
from garrick.runtime.cell import ENDED
from garrick.runtime.signals import Demand, Event, Missed, Subscribe, Told, Unsubscribe, Watch
from garrick.wire.envelope import SIGNAL

if TYPE_CHECKING:
    from garrick.runtime.cell import Cell
    from garrick.runtime.runtime import Runtime


class _Subscriber:
    __slots__ = ("credit", "missed")

    def __init__(self, credit: int) -> None:
        self.credit = credit
        self.missed = 0


class Subscribers:
    """Of one actor; see the module."""

    __slots__ = ("_cell", "_lock", "_table")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._lock = threading.Lock()
        self._table: dict[Address[Any], _Subscriber] = {}

    def __len__(self) -> int:
        return len(self._table)

    def publish(self, event: Any) -> None:
        """See `garrick.actor.Actor.publish`."""
        cell = self._cell
        route = cell.runtime.route
        with self._lock:
            for address, subscriber in self._table.items():
                if subscriber.credit > 0:
                    route(address, Event(event), cell.address, SIGNAL)
                    subscriber.credit -= 1
                else:
                    subscriber.missed += 1

    def add(self, address: Address[Any], credit: int) -> bool:
        """A subscriber; whether it is a new one."""
        with self._lock:
            new = address not in self._table
            self._table[address] = _Subscriber(credit)
            return new

    def remove(self, address: Address[Any]) -> bool:
        """It wants no more; whether it was there."""
        with self._lock:
            return self._table.pop(address, None) is not None

    def demand(self, address: Address[Any], credit: int) -> None:
        """It can take more."""
        with self._lock:
            subscriber = self._table.get(address)
            if subscriber is not None:
                subscriber.credit += credit
                self._tell_missed(address, subscriber)

    def end(self) -> None:
        """The actor ends: what was missed until now is told before that is."""
        with self._lock:
            for address, subscriber in self._table.items():
                self._tell_missed(address, subscriber)
            self._table.clear()

    def lost(self, hit: Callable[[Address[Any]], bool]) -> list[Address[Any]]:
        """Those that were in processes that are gone."""
        with self._lock:
            gone = [address for address in self._table if hit(address)]
            for address in gone:
                del self._table[address]
        return gone

    def _tell_missed(self, address: Address[Any], subscriber: _Subscriber) -> None:
        if subscriber.missed:
            missed, subscriber.missed = subscriber.missed, 0
            self._cell.runtime.route(address, Missed(missed), self._cell.address, SIGNAL)


# --- signals; on the holder of the baton, past the mailbox ------------------------------------------------------------------


def on_signal(runtime: Runtime, cell: Cell, signal: Subscribe | Unsubscribe | Demand) -> bool:
    """Somebody subscribes, wants more, or no more. The actor's handlers for the notices take their turn behind its mailbox."""
    subscribers = cell.subscribers
    if isinstance(signal, Subscribe):
        if cell.state == ENDED:
            return False  # the watch that comes with it tells the end
        if subscribers is None:
            subscribers = cell.subscribers = Subscribers(cell)
        if subscribers.add(signal.subscriber, signal.credit):
            return runtime.signal((cell, Told(Subscribed(signal.subscriber, signal.request)), None))
    elif subscribers is None:
        pass
    elif isinstance(signal, Demand):
        subscribers.demand(signal.subscriber, signal.credit)
    elif subscribers.remove(signal.subscriber):
        if not subscribers:
            cell.subscribers = None
        return runtime.signal((cell, Told(Unsubscribed(signal.subscriber)), None))
    return False


def subscribers_lost(runtime: Runtime, cell: Cell, hit: Callable[[Address[Any]], bool]) -> None:
    """Processes are gone: their subscriptions of this actor too."""
    if cell.subscribers is not None:
        for address in cell.subscribers.lost(hit):
            runtime.post(runtime.signal, (cell, Told(Unsubscribed(address)), None))
        if not cell.subscribers:
            cell.subscribers = None


def arrived(cell: Cell, signal: Event | Missed) -> None:
    """Something for a reader, which is an actor of the program that subscribed (`garrick.streams`)."""
    reader = cell.runtime.readers.get(cell.address.serial)
    if reader is not None:
        reader.arrived(signal)


def made_again(runtime: Runtime, cell: Cell, watched: Address[Any]) -> None:
    """An actor that this one watches died with its process and is made again: whoever knew of this one there is to be told anew."""
    runtime.route(watched, Watch(cell.address), cell.address, SIGNAL)
    reader = runtime.readers.get(cell.address.serial)
    if reader is not None:
        reader.made_again()
