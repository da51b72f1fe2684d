"""`Links`: the way of a process to all others of its system; the node's `garrick.ports.Outbound`.

Owns the outgoing links by process number, which of them have something to write, and what is known about lost processes. Must not
know runtimes or the admin's decisions. Each pair of processes has one connection per direction, so that order needs no counting.

Envelopes for other systems go to the admin, process 0, which knows the way.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pickle import PickleBuffer
from pickle import dumps as pickle_dumps
from typing import Any, Final, Protocol

from garrick.address import Address
from garrick.errors import BackPressure, UnpicklableMessage
from garrick.node import handshake
from garrick.node.memory import allocate
from garrick.node.outlink import LIMIT, PRESS_AT, OutLink
from garrick.node.reactor import Reactor
from garrick.runtime.once import Once
from garrick.wire.codec import PROTOCOL, refuse_large
from garrick.wire.envelope import MAX_LENGTH, MESSAGE, SENDER_IS_REPLY, Raw, encode
from garrick.wire.parcel import LARGE, pack, weight
from garrick.wire.run import SMALL

DIRECT: Final = 4
"""Envelopes that are written by their senders while the poller sleeps, before it is woken up to do that."""
MAX_BODY: Final = MAX_LENGTH - 64 * 1024
"""Longest body that is sent in one piece; the rest is for the header."""
_FLAGS_AT: Final = 5
_LOOK: Final = refuse_large(LARGE)
"""Called for buffers only (NumPy arrays and the like), so that messages without any pay next to nothing."""


class Sockets(Protocol):
    """Knows where processes listen; see `garrick.node.rundir.RunDir`."""

    def socket(self, number: int) -> str:
        """The path of the socket of a process."""
        ...


class Bodies(Protocol):
    """Makes the bodies of messages; see `garrick.node.mainmodule`."""

    careful: bool
    """Whether bodies for this system may differ from what plain pickle makes."""

    def dumps(
        self, message: object, *, foreign: bool, apart: list[PickleBuffer] | None = None
    ) -> tuple[bytes, str | None]:
        """The body, and the main module that the reader must know, if any. Large buffers go into ``apart``, if it is given."""
        ...


class Links:
    """See the module.

    Args:
        system: ``name@incarnation`` of this system.
        number: of this process.
        role: what this process is, for its HELLO.
        rundir: where the sockets are.
        token: the system's secret.
        reactor: serves the sockets.
        bodies: pickles.
        pid: of this process, if it is not one of the machine.
    """

    def __init__(
        self,
        *,
        system: str,
        number: int,
        role: str,
        rundir: Sockets,
        token: bytes,
        reactor: Reactor,
        bodies: Bodies,
        pid: int | None = None,
    ) -> None:
        self.system = system
        self.number = number
        self.losses: dict[int, str] = {}
        """Lost processes and the reasons."""
        self.moved: Mapping[Address[Any], int] = {}
        """Actors of this system that are in another process than their addresses say, and where. Only asked when there is no link to
        that process, since it is lost."""
        self.undeliverable: Callable[[Raw, str], None] = _forget
        """Gets each envelope that can't be sent, with the reason; any thread."""
        self.broken: Callable[[int], None] = _ignore
        """Told on the reactor's thread when a process closed a connection that we had to it."""
        self.wait: Callable[[Once, bool], bool] | None = None
        """``wait(room on the way to a process, whether it is for an ask)``: False when it took too long. Only for users' messages."""
        self.may_wait: Callable[[], bool] = _always
        """Whether the calling thread may be kept until there is room. One that may not sends beyond the limit."""
        self._reactor = reactor
        self._rundir = rundir
        self._bodies = bodies
        self._careful = bodies.careful
        self._hello = handshake.hello(handshake.LINK, role, number, os.getpid() if pid is None else pid, token)
        self._links: dict[int, OutLink] = {}
        self._dirty: deque[OutLink] = deque()
        self._lock = threading.Lock()
        """Guards the making and ending of links."""
        self._closed = False
        self._direct = 0
        """Writes by senders since the last turn; that two threads may count one does not matter."""
        self._poller: Any = reactor if hasattr(reactor, "asleep") else _Awake()
        reactor.on_turn(self.flush)

    # --- any thread -----------------------------------------------------------------------------------------------------

    def post(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """See `garrick.ports.Outbound.post`.

        Raises:
            UnpicklableMessage: nothing was sent.
            BackPressure: the way to the target's process stayed full; nothing was sent.
        """
        system = self.system
        link = self._links.get(target.process)
        if link is None or target.system != system or self._careful or link.size > LIMIT:
            number = target.process if target.system == system else 0
            if number and self.moved:
                number = self.moved.get(target, number)
            self.send(number, self._sealed(target, message, sender, kind), kind)
            return
        # The hot path. A process that is lost or not yet known has no link. For a small message only its pickle is made here: profiles
        # of floods said that header, lock and sizes cost as much again, so `OutLink` does that for a whole batch.
        try:
            body = pickle_dumps(message, PROTOCOL, buffer_callback=_LOOK)
        except Exception:
            self.send(target.process, self._sealed(target, message, sender, kind), kind)
            return
        self._put(link, target, body, sender, kind)

    def _put(self, link: OutLink, target: Address[Any], body: bytes, sender: Address[Any] | None, kind: int) -> None:
        """Put what was pickled on its way."""
        size = len(body)
        if size >= LARGE:
            data: Raw
            if target.process:
                data = pack(kind, target, sender, body, (), self.system, None, allocate)
            else:
                data = self._whole(kind, target, sender, body, None)  # the admin unpickles in one piece
            self.send(target.process, data, kind)
            return
        queue = link.queue
        if (
            size < SMALL
            and kind == MESSAGE
            and (sender is None or (type(sender) is Address and sender.system == self.system))
            and target.process
        ):
            queue.append((target, sender, body))
        else:
            queue.append(encode(kind, target, sender, body, self.system))
        if not link.dirty:
            self._hurry(link)
        elif len(queue) >= PRESS_AT or size >= SMALL:
            link.press()
        if link.closed:
            self._too_late(link, target.process)

    def shortcut(self, route: Callable[[Address[Any], Any, Address[Any] | None], None]) -> Callable[..., None]:
        """``away(target, message, sender)``: as ``route`` for what actors of this process send, and shorter for most of it.

        The hot path of a flood between processes: what `route` and `post` would ask is asked here once, without a call. A process that
        is lost or not yet known has no link, and an actor that is here has none either.
        """
        ways, moved, system = self._links, self.moved, self.system
        if self._careful:
            return route

        def away(target: Address[Any], message: Any, sender: Address[Any] | None) -> None:
            link = ways.get(target.process)
            if link is None or type(target) is not Address or target.system != system or moved or link.size > LIMIT:
                route(target, message, sender)
                return
            try:
                body = pickle_dumps(message, PROTOCOL, buffer_callback=_LOOK)
            except Exception:
                route(target, message, sender)  # the long way says what is wrong
                return
            if len(body) >= SMALL or not target.process:
                self._put(link, target, body, sender, MESSAGE)
                return
            queue = link.queue
            queue.append((target, sender, body))
            if not link.dirty:
                self._hurry(link)
            elif len(queue) >= PRESS_AT:
                link.press()
            if link.closed:
                self._too_late(link, target.process)

        return away

    def room(self, target: Address[Any]) -> Once | None:
        """See `garrick.ports.Outbound.room`."""
        number = target.process if target.system == self.system else 0
        if number and self.moved:
            number = self.moved.get(target, number)
        link = self._links.get(number)
        return link.space() if link is not None and link.size > LIMIT else None

    def envelope(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> bytes:
        """The bytes of a message.

        Raises:
            UnpicklableMessage: there are none, or too many for one piece.
        """
        body, main = self._bodies.dumps(message, foreign=target.system != self.system)
        return self._whole(kind, target, sender, body, main)

    def _whole(
        self, kind: int, target: Address[Any], sender: Address[Any] | None, body: bytes, main: str | None
    ) -> bytes:
        if len(body) > MAX_BODY:
            raise UnpicklableMessage(
                f"a message of {len(body) >> 20} MB is too long to leave this system",
                hint="send it in pieces, or where it can be read; 64 MB is what a link between systems carries",
            )
        return encode(kind, target, sender, body, self.system, main)

    def _sealed(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> Raw:
        """As `envelope`, for processes of this system: what is large goes apart. The admin forwards and unpickles in one piece."""
        if target.system != self.system or not target.process:
            return self.envelope(target, message, sender, kind)
        apart: list[PickleBuffer] = []
        body, main = self._bodies.dumps(message, foreign=False, apart=apart)
        return pack(kind, target, sender, body, apart, self.system, main, allocate)

    def send(self, number: int, data: Raw, kind: int) -> None:
        """Send a whole envelope to a process. ``kind`` is the envelope's; only user's messages ever wait for room."""
        link = self._links.get(number)
        if link is None:
            link = self._link(number)
            if link is None:
                self.undeliverable(data, self.losses.get(number, "stopped"))
                return
        if link.size > LIMIT and kind == MESSAGE and self.wait is not None:
            self._wait_for_room(link, number, self.wait, asking=bool(data[_FLAGS_AT] & SENDER_IS_REPLY))
        link.queue.append(data)
        if not link.dirty:
            self._hurry(link)
        elif len(link.queue) >= PRESS_AT or weight(data) >= SMALL:
            link.press()
        if link.closed:
            self._too_late(link, number)

    def _hurry(self, link: OutLink) -> None:
        """Something is in a link from which nothing was waiting to be written."""
        if self._poller.asleep and link.connected and self._direct < DIRECT:
            # The first few at once, which is cheaper than waking the poller for them; the rest of a flood in large pieces, by it.
            self._direct += 1
            link.flush()
        else:
            self._attend(link)

    def _too_late(self, link: OutLink, number: int) -> None:
        """The link was closed while something was put into it."""
        for data in link.close():
            self.undeliverable(data, self.losses.get(number, "stopped"))

    def _attend(self, link: OutLink) -> None:
        if not link.dirty:
            link.dirty = True
            self._dirty.append(link)
        self._reactor.attention()

    def _link(self, number: int) -> OutLink | None:
        with self._lock:
            if self._closed or number in self.losses:
                return None
            link = self._links.get(number)
            if link is None:
                path = self._rundir.socket(number)
                link = OutLink(path, self._hello, self._reactor, self._attend, lambda: self.broken(number), self.system)
                self._links[number] = link
            return link

    def _wait_for_room(self, link: OutLink, number: int, wait: Callable[[Once, bool], bool], *, asking: bool) -> None:
        # On an event loop it would stall all async actors of the process; they have `offer`.
        if _on_event_loop() or not self.may_wait():
            return
        while (space := link.space()) is not None:
            if not wait(space, asking):
                raise BackPressure(
                    f"process {number} of {self.system} does not keep up: more than {LIMIT >> 20} MB wait for it",
                    hint="send less at once, or wait for answers (ask) now and then",
                )

    # --- the reactor's thread ---------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what was put out since the last turn."""
        self._direct = 0
        dirty = self._dirty
        while dirty:
            link = dirty.popleft()
            link.dirty = False
            link.serve()

    def open(self, number: int) -> None:
        """Connect to a process now, without having anything to say."""
        link = self._link(number)
        if link is not None:
            self._attend(link)

    def lost(self, number: int, reason: str) -> None:
        """A process has died: hand back what was not sent to it, now and later."""
        with self._lock:
            self.losses.setdefault(number, reason)
            link = self._links.pop(number, None)
        if link is None:
            return
        for data in link.close():
            self.undeliverable(data, reason)

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        return sum(link.waiting for link in self._links.values())

    def pending_to(self, numbers: set[int]) -> int:
        """Bytes that wait to be written to these processes."""
        return sum(link.waiting for number, link in self._links.items() if number in numbers)

    def way_to(self, target: Address[Any]) -> str:
        """What there is to say of the way to an actor, for the error of an ask: begins with a separator, or is empty."""
        link = self._links.get(target.process if target.system == self.system else 0)
        if link is None or (link.connected and not link.waiting):
            return ""
        if not link.connected:
            return "; there is no connection to it yet"
        return f"; its way is {'full' if link.size > LIMIT else 'not free'}: {link.waiting} bytes wait to be written"

    def sizes(self) -> dict[int, int]:
        """Bytes that wait, by process."""
        return {number: link.waiting for number, link in list(self._links.items())}

    def disown(self) -> None:
        """In a child that the program forked: the sockets are the parent's. Touches no lock, which may be held for ever here."""
        self._lock = threading.Lock()
        self._closed = True
        self._links.clear()

    def close(self) -> None:
        """End all links; what was not sent is handed back."""
        with self._lock:
            self._closed = True
            links = list(self._links.values())
            self._links.clear()
        for link in links:
            for data in link.close():
                self.undeliverable(data, "stopped")


class _Awake:
    """Stands for a reactor that runs on the one thread there is: it never sleeps while somebody sends."""

    asleep = False


def _on_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def _always() -> bool:
    return True


def _forget(_data: Raw, _reason: str) -> None:
    """Nobody wants to know yet."""


def _ignore(_number: int) -> None:
    """Nobody wants to know yet."""
