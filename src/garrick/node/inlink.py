"""`Listener` and `InLink`: what other processes send to this one.

Own accepting, the check of the token, and cutting the stream into envelopes. Must not know what envelopes mean. Invariants: nothing
of a connection is parsed before its HELLO was found good; whoever does not say HELLO in time is thrown out; a stream that is damaged
is never read again.
"""

from __future__ import annotations

import errno
import logging
import mmap
import socket
from collections.abc import Callable
from typing import Final

from garrick.node import handshake
from garrick.node.handshake import Hello
from garrick.node.memory import allocate
from garrick.node.reactor import READ, Reactor
from garrick.wire.envelope import Raw
from garrick.wire.parcel import ParcelDecoder

log = logging.getLogger("garrick.node")

Receive = Callable[[list[Raw], int], None]
"""``receive(envelopes, number of the process they come from)``."""

BACKLOG: Final = 512
_READ_SIZE: Final = 256 * 1024
_HELLO_SECONDS: Final = 5.0
_OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def listen(path: str) -> socket.socket:
    """A listening Unix socket that only this user can reach."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.bind(path)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


class InLink:
    """One incoming connection. ``owner`` is told of its steps."""

    __slots__ = ("_decoder", "_early", "_owner", "_sock", "hello")

    def __init__(self, sock: socket.socket, owner: Listener) -> None:
        self.hello: Hello | None = None
        self._sock: socket.socket | None = sock
        self._owner = owner
        self._early = bytearray()
        self._decoder = ParcelDecoder(allocate)
        owner.reactor.watch(sock.fileno(), READ, self._ready)
        owner.reactor.later(_HELLO_SECONDS, self._too_late)

    def _ready(self, _events: int) -> None:
        self.read()

    def read(self) -> bool:
        """Take in what is there, up to some amount; False when nothing more is there now, or ever."""
        sock = self._sock
        if sock is None:
            return False
        room = self._decoder.room()
        buffer = self._owner.buffer if room is None else room
        try:
            count = sock.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            log.debug("reading from process %s: %s", self.hello and self.hello.number, error)
            count = 0
        if not count:
            self.close()
            return False
        if room is not None:
            self._hand_over(self._decoder.advance(count))
            return True
        data = bytes(buffer[:count])
        if self.hello is None:
            data = self._greet(data)
            if not data:
                return self._sock is not None
        self._hand_over(self._decoder.feed(data))
        if self._decoder.failure is not None:
            number = self.hello.number if self.hello else None
            log.error("what process %s sends can't be read any more: %s", number, self._decoder.failure)
            self.close()
            return False
        return True

    def _hand_over(self, envelopes: list[Raw]) -> None:
        hello = self.hello
        assert hello is not None
        if envelopes:
            self._owner.receive(envelopes, hello.number)

    def _greet(self, data: bytes) -> bytes:
        """Complete the HELLO; what came behind it."""
        early = self._early
        early += data
        if len(early) < handshake.SIZE:
            return b""
        hello = handshake.check(bytes(early[: handshake.SIZE]), self._owner.token)
        sock = self._sock
        assert sock is not None
        if hello is None:
            log.warning("a caller was refused: it does not know the token of this system")
            self._refuse("the token is wrong")
            return b""
        if hello.purpose == handshake.SESSION:
            session = self._owner.session
            if session is None:
                self._refuse("sessions are with the admin only")
                return b""
            self._owner.reactor.unwatch(sock.fileno())
            self._sock = None
            self._owner.links.pop(self, None)
            session(hello, sock)
            return b""
        self.hello = hello
        self._owner.greeted(self, hello)
        return bytes(early[handshake.SIZE :])

    def _refuse(self, reason: str) -> None:
        sock = self._sock
        if sock is not None:
            try:
                sock.send(handshake.line(refused=reason))
            except OSError as error:
                log.debug("could not say why a caller was refused: %s", error)
        self.close()

    def part(self) -> None:
        """Let the other side write no more, take in all that it has written, and end."""
        sock = self._sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RD)
            except OSError as error:
                log.debug("the other side has gone: %s", error)
        while self.read():
            pass
        self.close()

    def _too_late(self) -> None:
        if self.hello is None and self._sock is not None:
            log.warning("a caller was thrown out: it did not say HELLO in time")
            self.close()

    def close(self) -> None:
        """End the connection, and tell the owner if it was a good one."""
        sock, self._sock = self._sock, None
        if sock is not None:
            self._owner.reactor.unwatch(sock.fileno())
            sock.close()
            self._owner.links.pop(self, None)
            if self.hello is not None:
                self._owner.parted(self.hello)


class Listener:
    """Where other processes call.

    Args:
        sock: listens already.
        reactor: waits for it and for its connections.
        token: the system's secret.
        receive: gets the envelopes.
        session: gets the sessions (only the admin takes them).
    """

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        token: bytes,
        receive: Receive,
        session: Callable[[Hello, socket.socket], None] | None = None,
    ) -> None:
        self.reactor = reactor
        self.token = token
        self.receive = receive
        self.session = session
        self.buffer = memoryview(mmap.mmap(-1, _READ_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        """Read into and copied from: a fresh one of this size per read costs two system calls and many page faults. Mapped, since a
        bytearray is cleared first, and few of its pages are ever needed in most processes."""
        self.links: dict[InLink, None] = {}
        """In the order in which they called."""
        self.on_greeted: Callable[[Hello], None] = _nothing
        self.on_parted: Callable[[Hello], None] = _nothing
        self._sock = sock
        self._closed = False
        reactor.watch(sock.fileno(), READ, self._ready)

    def _ready(self, _events: int) -> None:
        self.accept()

    def accept(self) -> None:
        """Take all calls that wait."""
        while not self._closed:
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                log.error("no descriptor for a connection: %s (ulimit -n; garrick explain GAR-3101)", error)
                self.reactor.unwatch(self._sock.fileno())
                self.reactor.later(0.1, self._again)
                return
            sock.setblocking(False)
            self.links[InLink(sock, self)] = None

    def _again(self) -> None:
        if not self._closed:
            self.reactor.watch(self._sock.fileno(), READ, self._ready)

    def greeted(self, _link: InLink, hello: Hello) -> None:
        """A connection was found good."""
        self.on_greeted(hello)

    def parted(self, hello: Hello) -> None:
        """A good connection has ended."""
        self.on_parted(hello)

    def drain(self, number: int) -> None:
        """Take in all that a process which has died has still written."""
        self.accept()
        for link in [link for link in self.links if link.hello is None]:
            link.read()  # a connection of the dead whose HELLO has not been read yet
        for link in [link for link in self.links if link.hello is not None and link.hello.number == number]:
            while link.read():
                pass

    def part(self) -> None:
        """Take no more calls; of all connections take in what was written. What a peer writes from now on stays with it."""
        self.accept()
        self._refuse_calls()
        for link in list(self.links):
            link.part()

    def close(self) -> None:
        """Take no more calls and end all connections."""
        self._refuse_calls()
        for link in list(self.links):
            link.close()

    def _refuse_calls(self) -> None:
        if not self._closed:
            self._closed = True
            self.reactor.unwatch(self._sock.fileno())
            self._sock.close()


def _nothing(_hello: Hello) -> None:
    """Nobody wants to know."""
