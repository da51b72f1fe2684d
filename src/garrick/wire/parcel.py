"""Large messages between the processes of one system: a small head, and the body and its large buffers written behind it.

Owns the layout and putting the pieces together again. Must not know sockets or where memory comes from: who reads hands in
``allocate``. Invariants:

* A `Parcel` is the head of an ordinary envelope (flag BUFFERS) whose body is a table of sizes, so that everything that routes,
  refuses or answers envelopes works with it; its parts never become part of those bytes.
* The parts belong to the message alone: the sender's were copied or can't change, the reader's are new.
* Parcels stay inside of one system. What leaves it is one piece.
* A reader that has no memory for the parts reads over them: the parcel arrives without, and can't be decoded; what follows can.

Layout: the head, with the highest bit of its length set; then the parts one behind the other. The table has a u64 for each: its size,
with the highest bit set if it is read-only. The first part is the pickle, the others are its buffers in pickle's order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pickle import PickleBuffer
from typing import Any, Final, Self, TypeAlias

from garrick.address import Address
from garrick.errors import UndecodableMessage, WireError
from garrick.wire.codec import NO_MEMORY
from garrick.wire.envelope import BUFFERS, HEADER_SIZE, MAX_LENGTH, Raw, encode, peek, split

LARGE: Final = 256 * 1024
"""Bytes from which a body or a buffer is a part. Below, the copies cost less than the extra calls."""
MOST: Final = 1 << 40
"""Bytes of a parcel; a larger one is damage."""
APART: Final = 0x8000_0000
"""Set in the length of a head."""

Part: TypeAlias = bytes | bytearray
Allocate: TypeAlias = Callable[[int], bytearray]

_READ_ONLY: Final = 1 << 63
_LENGTH: Final = struct.Struct("<I")
_FLAGS_AT: Final = 5
_SCRATCH: Final = bytearray(16 * 1024)
"""Where parts are read to that nobody will look at; small, and there in time."""


class Parcel(bytes):
    """The head of a large envelope; see the module."""

    parts: tuple[Part, ...]
    """None: there was no memory for them where it was read."""

    @classmethod
    def make(cls, head: bytes, parts: Sequence[Part]) -> Self:
        """A parcel of a head and its parts."""
        parcel = cls(head)
        parcel.parts = tuple(parts)
        return parcel

    @property
    def weight(self) -> int:
        """Bytes on the way, parts included."""
        return len(self) + sum(map(len, self.parts))

    def pieces(self) -> list[memoryview]:
        """What is to be written, in order."""
        head = _LENGTH.pack(len(self) | APART) + self[_LENGTH.size :]
        return [memoryview(piece) for piece in (head, *self.parts) if piece]


def weight(data: Raw) -> int:
    """Bytes that an envelope needs on the way."""
    return data.weight if isinstance(data, Parcel) else len(data)


def pack(
    kind: int,
    target: Address[Any],
    sender: Address[Any] | None,
    body: bytes,
    buffers: Sequence[PickleBuffer],
    system: str,
    main: str | None,
    allocate: Allocate,
) -> Raw:
    """One envelope, large or not; the arguments as for `garrick.wire.envelope.encode`. The buffers are copied."""
    if not buffers and len(body) < LARGE:
        return encode(kind, target, sender, body, system, main)
    parts: list[Part] = [body]
    table = [len(body)]
    for buffer in buffers:
        with buffer.raw() as view:
            size = view.nbytes
            table.append(size | _READ_ONLY if view.readonly else size)
            whole = view.obj
            if type(whole) is bytes and len(whole) == size:
                parts.append(whole)  # nobody can change it
            else:
                copy = allocate(size)
                with memoryview(copy) as place:
                    place[:] = view
                parts.append(copy)
    head = bytearray(encode(kind, target, sender, struct.pack(f"<{len(table)}Q", *table), system, main))
    head[_FLAGS_AT] |= BUFFERS
    return Parcel.make(bytes(head), parts)


def contents(raw: Raw, body: Raw) -> tuple[Raw, tuple[Part, ...]]:
    """The pickle of a decoded envelope, whose body is ``body``, and the buffers that belong to it.

    Raises:
        UndecodableMessage: there was no memory for them where it was read.
    """
    if isinstance(raw, Parcel):
        if not raw.parts:
            size = sum(size & ~_READ_ONLY for (size,) in struct.iter_unpack("<Q", body))
            raise UndecodableMessage(f"there was no memory for a message of {size} bytes here", hint=NO_MEMORY)
        pickled = raw.parts[0]
        return pickled if isinstance(pickled, bytes) else memoryview(pickled), raw.parts[1:]
    return body, ()


class Assembly:
    """A parcel that arrives.

    Args:
        head: as it was read, with the mark in its length.
        allocate: makes the memory of the parts; need not clear it.

    Raises:
        WireError: this is no head of a parcel.
    """

    __slots__ = ("_at", "_head", "_over", "_parts", "_present", "_table")

    def __init__(self, head: bytes, allocate: Allocate) -> None:
        self._head = _LENGTH.pack(len(head)) + head[_LENGTH.size :]
        known = peek(self._head)
        if not known.flags & BUFFERS or (len(head) - known.body_at) % 8 or len(head) == known.body_at:
            raise WireError("the head of a large message is damaged")
        self._table = [size for (size,) in struct.iter_unpack("<Q", head[known.body_at :])]
        total = sum(size & ~_READ_ONLY for size in self._table)
        if total > MOST:
            raise WireError(f"the head of a large message is damaged: it has {total} bytes")
        self._parts: list[bytearray] = []
        self._over = 0
        """Bytes that are read over, since there is no memory for them."""
        try:
            self._parts += [allocate(size & ~_READ_ONLY) for size in self._table]
        except MemoryError:
            self._parts.clear()
            self._over = total
        self._present = -1
        self._at = 0
        self._next()

    def _next(self) -> None:
        self._present += 1
        self._at = 0
        while self._present < len(self._parts) and not self._parts[self._present]:
            self._present += 1

    @property
    def done(self) -> bool:
        """Whether everything has arrived."""
        return self._present == len(self._parts) and not self._over

    def room(self) -> memoryview:
        """Where the next bytes belong; may be longer than what comes next."""
        if self._over:
            return memoryview(_SCRATCH)[: self._over]
        return memoryview(self._parts[self._present])[self._at :]

    def advance(self, count: int) -> None:
        """So many bytes have been put into `room`."""
        if self._over:
            self._over -= count
            return
        self._at += count
        if self._at == len(self._parts[self._present]):
            self._next()

    def fill(self, data: memoryview) -> int:
        """Take what belongs here from the front of ``data``; how much that was."""
        at = 0
        while at < len(data) and not self.done:
            with self.room() as room:
                count = min(len(room), len(data) - at)
                room[:count] = data[at : at + count]
            self.advance(count)
            at += count
        return at

    def parcel(self) -> Parcel:
        """The whole; once, when it is `done`."""
        parts: list[Part] = []
        try:
            parts += [bytes(part) if size & _READ_ONLY else part for size, part in zip(self._table, self._parts)]  # noqa: B905 - none were read over
        except MemoryError:
            parts.clear()
        return Parcel.make(self._head, parts)


class ParcelDecoder:
    """Cuts the stream between two processes into envelopes and parcels; as `garrick.wire.envelope.Decoder`, which knows no parcels.

    Args:
        allocate: makes the memory of large messages; need not clear it.
        limit: the longest envelope or head that is accepted, in bytes.
    """

    __slots__ = ("_allocate", "_assembly", "_need", "_rest", "failure", "limit")

    def __init__(self, allocate: Allocate, limit: int = MAX_LENGTH) -> None:
        self.limit = limit
        self.failure: WireError | None = None
        """Why the stream can't be read any further; set as soon as it is known."""
        self._allocate = allocate
        self._assembly: Assembly | None = None
        self._rest = bytearray()
        self._need = 0

    def room(self) -> memoryview | None:
        """Where the next bytes of the stream may be put at once, to be told with `advance`; None: give them to `feed`."""
        return None if self._assembly is None else self._assembly.room()

    def advance(self, count: int) -> list[Raw]:
        """So many bytes have been put into `room`; what that completes."""
        assembly = self._assembly
        assert assembly is not None
        assembly.advance(count)
        return self._completed(assembly)

    def _completed(self, assembly: Assembly) -> list[Raw]:
        if not assembly.done:
            return []
        self._assembly = None
        return [assembly.parcel()]

    def feed(self, data: bytes) -> list[Raw]:
        """The envelopes and parcels that ``data`` completes. See `failure` for what is wrong behind them."""
        at = 0
        envelopes: list[Raw] = []
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return envelopes
            data = bytes(self._rest)
            self._rest.clear()
        while self.failure is None:
            if self._assembly is not None:
                at += self._assembly.fill(memoryview(data)[at:])
                envelopes += self._completed(self._assembly)
            if at == len(data):
                break
            found, at, failure = split(data, at, self.limit)
            envelopes = envelopes + found if envelopes else found
            if failure is not None:
                # No envelope begins with this: it is the head of a parcel, or damage.
                size = self._head_size(data, at)
                if not size:
                    self.failure = failure
                elif at + size <= len(data):
                    self._begin(data[at : at + size])
                    at += size
                    continue
            if at < len(data):
                self._keep(memoryview(data)[at:])
            break
        return envelopes

    def _head_size(self, data: bytes, at: int) -> int:
        """The size of the head of a parcel that begins there; 0 if none does."""
        (length,) = _LENGTH.unpack_from(data, at)
        size: int = length & ~APART
        return size if length & APART and HEADER_SIZE <= size <= self.limit else 0

    def _begin(self, head: bytes) -> None:
        try:
            self._assembly = Assembly(head, self._allocate)
        except WireError as error:
            self.failure = error

    def _keep(self, rest: memoryview) -> None:
        self._rest += rest
        known = len(rest) >= _LENGTH.size
        self._need = _LENGTH.unpack_from(rest)[0] & ~APART if known else _LENGTH.size
