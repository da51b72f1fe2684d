"""`OutLink`: everything that this process sends to one other process, in order, over one Unix socket.

Owns the queue of envelopes, connecting, and writing. Must not know what envelopes mean. Invariants:

* What is sent leaves in the order in which it was appended to ``queue``; each envelope is written as a whole or, if the peer is lost,
  handed back.
* Appending takes no lock (`list.append` is atomic), makes no header and does not count: a flood of small messages pays for all that
  once per batch, when a writer takes the batch over. That writer is the only one who takes from the queue or changes ``size``.
* Appending may be done by any thread; writing is done by one thread at a time (``_writing``), by whichever comes first; descriptors
  are watched and unwatched by the reactor's thread only.
* A link that is not connected keeps what it gets and tries again until its peer is there or reported lost: the peer may be a
  process that is only being started.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from garrick.node.reactor import READ, WRITE, Reactor
from garrick.runtime.once import Once
from garrick.wire.envelope import HEADER_SIZE, Raw
from garrick.wire.parcel import Parcel, weight
from garrick.wire.run import Entry, gather, is_run, members

log = logging.getLogger("garrick.node")

LIMIT: Final = 16 * 1024 * 1024
"""Bytes that may wait for one peer before senders have to wait."""
LOW: Final = LIMIT // 2
"""Senders that wait go on when no more than this is left."""
FLUSH_AT: Final = 16 * 1024
"""Bytes from which a link is written before the turn of its process ends: so much that waking the reader for it costs little, and so
little that the reader of a flood works while its sender still does."""
PRESS_AT: Final = 128
"""Entries from which they are taken over before the turn of the process ends."""
_BATCH: Final = 256 * 1024
"""Bytes that are joined for one write."""
_PIECES: Final = 64
"""Pieces of a large message that are given to the kernel at once; it takes at most 1024."""
_FIRST_RETRY: Final = 0.002
_LONGEST_RETRY: Final = 0.05
_NOT_YET: Final = frozenset({errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN})
"""The peer does not listen yet (or no longer: then it will be reported lost), or has too many callers at once."""


class OutLink:
    """See the module.

    Args:
        path: the peer's socket.
        hello: what the connection begins with.
        reactor: waits for the socket.
        attend: called on any thread when `serve` should be called soon.
        broken: called on the reactor's thread when the peer closes an established connection.
        system: whose processes both are.
    """

    __slots__ = (
        "_blocked",
        "_hello",
        "_partial",
        "_path",
        "_pieces",
        "_reactor",
        "_rest",
        "_retry",
        "_sock",
        "_space",
        "_system",
        "_watched",
        "_writing",
        "attend",
        "broken",
        "closed",
        "connected",
        "dirty",
        "lock",
        "queue",
        "size",
    )

    def __init__(
        self,
        path: str,
        hello: bytes,
        reactor: Reactor,
        attend: Callable[[OutLink], None],
        broken: Callable[[], None],
        system: str,
    ) -> None:
        self.attend = attend
        self.broken = broken
        self.connected = False
        self.closed = False
        self.dirty = False
        """Whether the owner has it on its list of links to flush."""
        self._system = system
        self._path = path
        self._hello = hello
        self._reactor = reactor
        self._sock: socket.socket | None = None
        self.lock = threading.Lock()
        """Guards ``_space`` and ``closed``; held for a few instructions."""
        self.queue: list[Entry] = []
        """What was sent and is not taken over: appended to by any thread."""
        self.size = 0
        """Bytes that were taken over and wait. Owned by who holds ``_writing``."""
        self._rest: list[Raw] = []
        """What has been taken out of the queue and not been written. Owned by who holds ``_writing``."""
        self._partial = False
        """The first of ``_rest`` is the end of an envelope whose beginning was written."""
        self._pieces: list[memoryview] = []
        """What has not been written of the parcel at the front of ``_rest``; nothing: all of it."""
        self._writing = threading.Lock()
        self._blocked = False
        """The socket is full: the reactor will say when it is not."""
        self._watched = 0
        self._retry = _FIRST_RETRY
        self._space: Once | None = None

    # --- any thread -----------------------------------------------------------------------------------------------------

    def space(self) -> Once | None:
        """Something to wait for, if too much waits."""
        with self.lock:
            if self.closed or self.size <= LIMIT:
                return None
            if self._space is None:
                self._space = Once()
            return self._space

    @property
    def waiting(self) -> int:
        """Bytes that wait; of what is not taken over yet only the headers are counted. 0: nothing waits."""
        # The queue first: what leaves it was added to ``size`` before.
        return HEADER_SIZE * len(self.queue) + self.size

    def press(self, least: int = FLUSH_AT) -> None:
        """Take the queue over, and write if at least so many bytes wait."""
        while self.queue or (self._rest and self.size >= least and self.connected and not self._blocked):
            if not self._writing.acquire(blocking=False):
                return  # whoever writes looks again when it is done
            try:
                self._take_over()
                if self.connected and not self._blocked and self.size >= least:
                    self._write()
            finally:
                self._writing.release()

    def flush(self) -> None:
        """Write what can be written without waiting."""
        self.press(0)

    def _take_over(self) -> None:
        queue = self.queue
        entries = queue[:]
        envelopes = gather(entries, self._system)
        self.size += sum(map(weight, envelopes))
        self._rest += envelopes
        del queue[: len(entries)]

    def _write(self) -> None:
        sock = self._sock
        if sock is None:
            return
        rest = self._rest
        while rest:
            if type(rest[0]) is Parcel:
                sent = self._write_parcel(sock, rest[0])
                if sent:
                    self._release(sent)
                if self._blocked:
                    self.attend(self)
                    return
                continue
            data, count = _batch(rest)
            sent = self._offer(sock.send, data)
            if sent < len(data):
                if sent:
                    self._partial = _cut(rest, sent)
                self._blocked = True
            else:
                del rest[:count]
                self._partial = False
            if sent:
                self._release(sent)
            if self._blocked:
                self.attend(self)
                return

    def _offer(self, send: Callable[[Any], int], data: Any) -> int:
        """How much the socket took."""
        try:
            return send(data)
        except OSError as error:
            # Full, or broken: then the reactor sees the same and `_ready` says so to the owner.
            if not isinstance(error, (BlockingIOError, InterruptedError)):
                log.debug("writing to %s: %s", self._path, error)
            return 0

    def _write_parcel(self, sock: socket.socket, parcel: Parcel) -> int:
        """Write what the socket takes of the first of ``_rest``, straight from its memory; how much that was."""
        pieces = self._pieces or parcel.pieces()
        sent = self._offer(sock.sendmsg, pieces[:_PIECES])
        left = sent
        done = 0
        while done < len(pieces) and left >= len(pieces[done]):
            left -= len(pieces[done])
            done += 1
        # A socket takes some hundred kilobytes at once: other links have their turn in between.
        self._blocked = done < min(len(pieces), _PIECES)
        pieces = pieces[done:]
        if left:
            pieces[0] = pieces[0][left:]
        self._pieces = pieces
        if pieces:
            self._partial = self._partial or sent > 0
        else:
            del self._rest[0]
            self._partial = False
        return sent

    def _release(self, sent: int) -> None:
        self.size -= sent
        with self.lock:
            space = None
            if self._space is not None and self.size <= LOW:
                space, self._space = self._space, None
        if space is not None:
            space.finish()

    # --- the reactor's thread ---------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Connect if need be, write, and have the reactor watch what is to be waited for."""
        if self.closed:
            return
        if self._sock is None:
            self._connect()
        self.flush()
        if self._sock is not None:
            wanted = READ | WRITE if self._blocked else READ
            if wanted != self._watched:
                self._watched = wanted
                self._reactor.watch(self._sock.fileno(), wanted, self._ready)

    def _connect(self) -> None:
        if self._retry < 0:
            return  # a retry is on its way
        try:
            sock = self._reactor.new_socket()
        except OSError as error:
            log.warning(
                "no descriptor for %s: %s; trying again (ulimit -n; garrick explain GAR-3101)", self._path, error
            )
            self._again()
            return
        try:
            sock.connect(self._path)
            sock.send(self._hello)
        except OSError as error:
            sock.close()
            if error.errno not in _NOT_YET:
                log.warning("can't connect to %s: %s; trying again", self._path, error)
            self._again()
            return
        self._sock = sock
        self._retry = _FIRST_RETRY
        self._watched = 0
        self._blocked = False
        self.connected = True

    def _again(self) -> None:
        delay = self._retry

        def retry() -> None:
            self._retry = min(delay * 1.5, _LONGEST_RETRY)
            self.serve()

        self._retry = -1.0
        self._reactor.later(delay, retry)

    def _ready(self, events: int) -> None:
        sock = self._sock
        if sock is None:
            return
        if events & WRITE:
            self._blocked = False
        if events & READ:
            try:
                # The peer never sends on this connection: readable means that it has gone.
                gone = not sock.recv(64)
            except (BlockingIOError, InterruptedError):
                gone = False
            except OSError:
                gone = True
            if gone:
                self._drop()
                self.broken()
                return
        self.serve()

    def _drop(self) -> None:
        with self._writing:
            sock, self._sock = self._sock, None
            self.connected = False
            # Half an envelope can't be continued on another connection; the peer that had the first half is gone.
            self._forget_partial()
        if sock is not None:
            self._reactor.unwatch(sock.fileno())
            sock.close()
        self._watched = 0
        self._again()

    def close(self) -> list[Raw]:
        """Nothing can be sent here any more; what was not sent."""
        with self.lock:
            self.closed = True
            space, self._space = self._space, None
        with self._writing:
            sock, self._sock = self._sock, None
            self.connected = False
            self._forget_partial()
            self._take_over()
            rest, self._rest = self._rest, []
            self.size = 0
        if sock is not None:
            self._reactor.unwatch(sock.fileno())
            sock.close()
        if space is not None:
            space.finish()
        return [envelope for raw in rest for envelope in members(raw)]

    def _forget_partial(self) -> None:
        if self._partial:
            self._partial = False
            lost = self._rest.pop(0)
            if type(lost) is Parcel:
                self.size -= sum(map(len, self._pieces))
            else:
                self.size -= len(lost)
                whole = lost.obj if type(lost) is memoryview else None
                if type(whole) is bytes and is_run(whole):
                    # The reader takes whole envelopes only, so it has none of these: as if they had never been written.
                    self._rest.insert(0, whole)
                    self.size += len(whole)
        self._pieces = []


def _batch(chunks: list[Raw]) -> tuple[Raw, int]:
    """The first chunks as one piece of about `_BATCH` bytes, and how many they are."""
    total = count = 0
    for chunk in chunks:
        if type(chunk) is Parcel:
            break
        total += len(chunk)
        count += 1
        if total >= _BATCH:
            break
    if count == 1:
        return chunks[0], 1
    return b"".join(chunks[:count]), count


def _cut(chunks: list[Raw], sent: int) -> bool:
    """Take ``sent`` bytes away from the front; whether that cuts an envelope in two."""
    count = 0
    for chunk in chunks:
        if sent < len(chunk):
            break
        sent -= len(chunk)
        count += 1
    del chunks[:count]
    if sent:
        chunks[0] = memoryview(chunks[0])[sent:]
        return True
    return False
