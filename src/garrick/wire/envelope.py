"""The envelope: one message between processes, its addresses outside of the pickled body.

Owns the binary layout and nothing else. Must not know what a body means, how it was pickled, or where envelopes go. Invariants:

* Everything needed to route, refuse or answer a message is readable without touching the body, so that an admin forwards
  envelopes opaque and a message that can't be unpickled still has a sender who can be told.
* A header without a system means "the system of whoever reads this". Such envelopes are valid inside one system only; what leaves
  the system goes through `qualify`.
* The common case (both addresses in the same system, serials below 2**64) is one ``struct`` call in each direction.

Layout, little endian::

    u32 length of the whole envelope      u8 kind      u8 flags
    u32 target process   u64 target serial (low 64 bits)
    u32 sender process   u64 sender serial (low 64 bits)      process 0xFFFFFFFF: no sender
    [flag EXTENDED: u16 size, then entries of u8 tag, u16 size, value]
    body

Entries whose tag is unknown are kept and forwarded, never interpreted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, cast

from garrick.address import Address, ReplyAddress
from garrick.errors import WireError

Raw: TypeAlias = bytes | memoryview
"""A whole envelope, or a body. Long ones arrive as views of the buffer they were received in."""

MESSAGE: Final = 1
SIGNAL: Final = 2
REPLY: Final = 3
FAILURE: Final = 4
HELLO: Final = 5

EXTENDED: Final = 0x01
"""The header is followed by an extension."""
SENDER_IS_REPLY: Final = 0x02
"""The sender is the one-shot address of an ask."""
TARGET_IS_REPLY: Final = 0x04
"""The target is the one-shot address of an ask."""
BUFFERS: Final = 0x80
"""The body and its large buffers follow behind the envelope; see `garrick.wire.parcel`."""

NO_SENDER: Final = 0xFFFFFFFF
MAX_LENGTH: Final = 256 * 1024 * 1024
"""The longest envelope that a `Decoder` accepts unless told otherwise, in bytes."""

TAG_TARGET_SYSTEM: Final = 1
TAG_SENDER_SYSTEM: Final = 2
TAG_TARGET_HIGH: Final = 3
TAG_SENDER_HIGH: Final = 4
TAG_MAIN: Final = 5

HEADER: Final = struct.Struct("<IBBIQIQ")
HEADER_SIZE: Final = HEADER.size
fields: Final = HEADER.unpack_from
"""``fields(envelope)``: (length, kind, flags, target process, target serial, sender process, sender serial), for hot loops that
look up cells by serial and want no Address. Serials are whole only without the flag EXTENDED."""

_pack: Final = HEADER.pack
_LENGTH: Final = struct.Struct("<I")
_SIZE: Final = struct.Struct("<H")
_START: Final = struct.Struct("<IBB")
_ENTRY: Final = struct.Struct("<BH")
_LOW: Final = (1 << 64) - 1
_VIEW_FROM: Final = 16 * 1024
"""Slices from this size on are views: below, copying is cheaper than a view and does not pin the buffer."""


class Extension(NamedTuple):
    """The optional part of a header, decoded."""

    target_system: str | None = None
    sender_system: str | None = None
    target_high: int = 0
    sender_high: int = 0
    main: str | None = None
    other: tuple[tuple[int, bytes], ...] = ()


class Header(NamedTuple):
    """What `peek` tells about an envelope. A system that is None is the reader's own."""

    kind: int
    flags: int
    target_system: str | None
    target_process: int
    target_serial: int
    sender_system: str | None
    sender_process: int | None
    sender_serial: int
    main: str | None
    body_at: int


_EMPTY: Final = Extension()


def encode(
    kind: int, target: Address[Any], sender: Address[Any] | None, body: bytes, system: str, main: str | None = None
) -> bytes:
    """The bytes of one envelope.

    Args:
        kind: MESSAGE, SIGNAL, REPLY, FAILURE or HELLO.
        target: where it goes.
        sender: where it comes from. The one-shot address of an ask is registered with its process here, since it now leaves it.
        body: what `garrick.wire.codec.dumps` made of the message.
        system: the sending process's own system; addresses of it are written short.
        main: the module that ``__main__`` stands for in the body, if the reader can't know (see `garrick.wire.codec`).

    Raises:
        WireError: a number or the whole envelope exceeds its field.
    """
    if target.system == system and main is None and type(target) is Address:
        flags = 0
        if sender is None:
            process, serial = NO_SENDER, 0
        elif sender.system == system:
            if type(sender) is not Address:
                flags = _reply_flag(sender)
            process, serial = sender.process, sender.serial
        else:
            return _encode_long(kind, target, sender, body, system, main)
        try:
            return _pack(HEADER_SIZE + len(body), kind, flags, target.process, target.serial, process, serial) + body
        except struct.error:
            pass  # a serial of more than 64 bits goes the long way, and what else may be wrong is named there
    return _encode_long(kind, target, sender, body, system, main)


def _reply_flag(sender: Address[Any]) -> int:
    if not isinstance(sender, ReplyAddress):
        return 0
    if sender.slot is not None:
        sender.slot.expose()
    return SENDER_IS_REPLY


def _encode_long(
    kind: int, target: Address[Any], sender: Address[Any] | None, body: bytes, system: str, main: str | None
) -> bytes:
    flags = 0
    if isinstance(target, ReplyAddress):
        flags |= TARGET_IS_REPLY
    process, serial, sender_system = NO_SENDER, 0, None
    if sender is not None:
        flags |= _reply_flag(sender)
        process, serial = sender.process, sender.serial
        sender_system = None if sender.system == system else sender.system
    extension = Extension(
        None if target.system == system else target.system,
        sender_system,
        target.serial >> 64,
        serial >> 64,
        main,
    )
    packed = _pack_extension(extension)
    length = HEADER_SIZE + len(packed) + len(body)
    try:
        header = _pack(
            length,
            kind,
            flags | EXTENDED if packed else flags,
            target.process,
            target.serial & _LOW,
            process,
            serial & _LOW,
        )
    except struct.error as error:
        raise WireError(
            f"an envelope of {length} bytes from process {process} to process {target.process}: {error}"
        ) from None
    return b"".join((header, packed, body))


@lru_cache(maxsize=1024)
def _pack_extension(extension: Extension) -> bytes:
    if extension == _EMPTY:
        return b""
    entries: list[tuple[int, bytes]] = []
    if extension.target_system is not None:
        entries.append((TAG_TARGET_SYSTEM, extension.target_system.encode()))
    if extension.sender_system is not None:
        entries.append((TAG_SENDER_SYSTEM, extension.sender_system.encode()))
    for tag, high in ((TAG_TARGET_HIGH, extension.target_high), (TAG_SENDER_HIGH, extension.sender_high)):
        if high < 0:
            raise WireError(f"a negative serial can't be written (tag {tag})")
        if high:
            entries.append((tag, high.to_bytes((high.bit_length() + 7) // 8, "little")))
    if extension.main is not None:
        entries.append((TAG_MAIN, extension.main.encode()))
    entries.extend(extension.other)
    try:
        packed = b"".join(_ENTRY.pack(tag, len(value)) + value for tag, value in entries)
        return _SIZE.pack(len(packed)) + packed
    except struct.error as error:
        raise WireError(f"the extension of an envelope is too long: {error}") from None


@lru_cache(maxsize=1024)
def _parse_extension(packed: bytes) -> Extension:
    # Cached, because the envelopes between two processes repeat it byte for byte: even the high parts of serials are constant.
    texts: dict[int, str] = {}
    highs: dict[int, int] = {}
    other: list[tuple[int, bytes]] = []
    at, end = 0, len(packed)
    try:
        while at < end:
            tag, size = _ENTRY.unpack_from(packed, at)
            at += _ENTRY.size
            value = packed[at : at + size]
            if len(value) != size:
                raise WireError("an entry of an extension is cut off")
            at += size
            if tag in (TAG_TARGET_SYSTEM, TAG_SENDER_SYSTEM, TAG_MAIN):
                texts[tag] = value.decode()
            elif tag in (TAG_TARGET_HIGH, TAG_SENDER_HIGH):
                highs[tag] = int.from_bytes(value, "little")
            else:
                other.append((tag, value))
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(f"the extension of an envelope can't be read: {error}") from None
    return Extension(
        texts.get(TAG_TARGET_SYSTEM),
        texts.get(TAG_SENDER_SYSTEM),
        highs.get(TAG_TARGET_HIGH, 0),
        highs.get(TAG_SENDER_HIGH, 0),
        texts.get(TAG_MAIN),
        tuple(other),
    )


def _extension(envelope: Raw) -> tuple[Extension, int]:
    """The extension of an envelope that has one, and where its body begins."""
    try:
        (size,) = _SIZE.unpack_from(envelope, HEADER_SIZE)
    except struct.error:
        raise WireError("an envelope ends inside its header") from None
    begin = HEADER_SIZE + _SIZE.size
    end = begin + size
    if end > len(envelope):
        raise WireError("an envelope ends inside its extension")
    return _parse_extension(bytes(envelope[begin:end])), end


def peek(envelope: Raw) -> Header:
    """What is needed to route, refuse or answer the envelope; its body is not touched.

    Raises:
        WireError: this is no envelope, or not exactly one.
    """
    try:
        length, kind, flags, target_process, target_serial, sender_process, sender_serial = fields(envelope)
    except struct.error:
        raise WireError(f"{len(envelope)} bytes are too few for an envelope") from None
    if length != len(envelope):
        raise WireError(f"an envelope says that it has {length} bytes and has {len(envelope)}")
    sender = None if sender_process == NO_SENDER else sender_process
    if not flags & EXTENDED:
        return Header(kind, flags, None, target_process, target_serial, None, sender, sender_serial, None, HEADER_SIZE)
    extension, body_at = _extension(envelope)
    return Header(
        kind,
        flags,
        extension.target_system,
        target_process,
        extension.target_high << 64 | target_serial,
        extension.sender_system,
        sender,
        extension.sender_high << 64 | sender_serial,
        extension.main,
        body_at,
    )


def decode(envelope: Raw, system: str) -> tuple[int, Address[Any], Address[Any] | None, Raw]:
    """(kind, target, sender, body) of one whole envelope, as the `Decoder` yields them.

    Args:
        envelope: the bytes.
        system: the reader's own system, which addresses without a system belong to.

    Raises:
        WireError: this is no envelope.
    """
    try:
        _, kind, flags, target_process, target_serial, sender_process, sender_serial = fields(envelope)
    except struct.error:
        raise WireError(f"{len(envelope)} bytes are too few for an envelope") from None
    if not flags:
        return (
            kind,
            Address(system, target_process, target_serial),
            None if sender_process == NO_SENDER else Address(system, sender_process, sender_serial),
            envelope[HEADER_SIZE:],
        )
    target_system = sender_system = system
    body_at = HEADER_SIZE
    if flags & EXTENDED:
        extension, body_at = _extension(envelope)
        target_system = extension.target_system or system
        sender_system = extension.sender_system or system
        target_serial |= extension.target_high << 64
        sender_serial |= extension.sender_high << 64
    make_target = ReplyAddress if flags & TARGET_IS_REPLY else cast("type[Address[Any]]", Address)
    make_sender = ReplyAddress if flags & SENDER_IS_REPLY else cast("type[Address[Any]]", Address)
    return (
        kind,
        make_target(target_system, target_process, target_serial),
        None if sender_process == NO_SENDER else make_sender(sender_system, sender_process, sender_serial),
        envelope[body_at:],
    )


def route(envelope: Raw) -> tuple[str | None, int]:
    """(target system, target process): the cheapest form of `peek`. None is the reader's own system."""
    try:
        _, _, flags, process, _, _, _ = fields(envelope)
    except struct.error:
        raise WireError(f"{len(envelope)} bytes are too few for an envelope") from None
    return (_extension(envelope)[0].target_system if flags & EXTENDED else None), process


def qualify(envelope: Raw, system: str) -> Raw:
    """The envelope with full addresses, as it has to be when it leaves `system`; the body stays opaque."""
    return _rewrite(envelope, system, _qualified)


def localise(envelope: Raw, system: str) -> Raw:
    """The envelope with `system` left out of its addresses, as its own processes read it fastest; the inverse of `qualify`."""
    return _rewrite(envelope, system, _localised)


def _rewrite(envelope: Raw, system: str, change: Callable[[bytes, str, bool], bytes]) -> Raw:
    try:
        length, kind, flags, _, _, sender_process, _ = fields(envelope)
    except struct.error:
        raise WireError(f"{len(envelope)} bytes are too few for an envelope") from None
    if length != len(envelope):
        raise WireError(f"an envelope says that it has {length} bytes and has {len(envelope)}")
    old = b""
    if flags & EXTENDED:
        if length < HEADER_SIZE + _SIZE.size:
            raise WireError("an envelope ends inside its header")
        (size,) = _SIZE.unpack_from(envelope, HEADER_SIZE)
        old = bytes(envelope[HEADER_SIZE + _SIZE.size : HEADER_SIZE + _SIZE.size + size])
        if len(old) != size:
            raise WireError("an envelope ends inside its extension")
    new = change(old, system, sender_process != NO_SENDER)
    old_end = HEADER_SIZE + (_SIZE.size + len(old) if flags & EXTENDED else 0)
    if new == envelope[HEADER_SIZE:old_end]:
        return envelope
    flags = flags | EXTENDED if new else flags & ~EXTENDED
    start = _START.pack(HEADER_SIZE + len(new) + length - old_end, kind, flags)
    return b"".join((start, envelope[_START.size : HEADER_SIZE], new, envelope[old_end:]))


@lru_cache(maxsize=1024)
def _qualified(packed: bytes, system: str, has_sender: bool) -> bytes:
    extension = _parse_extension(packed)
    sender_system = extension.sender_system or (system if has_sender else None)
    return _pack_extension(
        extension._replace(target_system=extension.target_system or system, sender_system=sender_system)
    )


@lru_cache(maxsize=1024)
def _localised(packed: bytes, system: str, has_sender: bool) -> bytes:  # noqa: ARG001 - the same shape as _qualified
    extension = _parse_extension(packed)
    return _pack_extension(
        extension._replace(
            target_system=None if extension.target_system == system else extension.target_system,
            sender_system=None if extension.sender_system == system else extension.sender_system,
        )
    )


def split(data: bytes, at: int = 0, limit: int = MAX_LENGTH) -> tuple[list[Raw], int, WireError | None]:
    """Cut the envelopes out of `data` from `at` on.

    Returns:
        The whole envelopes; where the first incomplete one begins; and what is wrong there, if no further byte can mend it.
    """
    envelopes: list[Raw] = []
    append = envelopes.append
    read = _LENGTH.unpack_from
    end = len(data)
    last = end - _LENGTH.size
    while at <= last:
        (length,) = read(data, at)
        following = at + length
        if following > end or length < HEADER_SIZE or length >= _VIEW_FROM:
            if length < HEADER_SIZE or length > limit:
                problem = f"an envelope of {length} bytes; between {HEADER_SIZE} and {limit} are allowed"
                return envelopes, at, WireError(problem)
            if following > end:
                break
            append(memoryview(data)[at:following])
        else:
            append(data[at:following])
        at = following
    return envelopes, at, None


class Decoder:
    """Cuts a byte stream into envelopes. Once the stream was wrong it stays wrong: there is no way back into step.

    Args:
        limit: the longest envelope that is accepted, in bytes.
    """

    __slots__ = ("_need", "_rest", "failure", "limit")

    def __init__(self, limit: int = MAX_LENGTH) -> None:
        self.limit = limit
        self.failure: WireError | None = None
        """Why the stream can't be read any further; set as soon as it is known."""
        self._rest = bytearray()
        self._need = 0

    @property
    def buffered(self) -> int:
        """Bytes of an envelope that has not arrived as a whole."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Raw]:
        """The envelopes that `data` completes.

        Raises:
            WireError: the stream is damaged. Good envelopes before the damage are handed out first: then `failure` is set at once
                and the next call raises.
        """
        if self.failure is not None:
            raise self.failure
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._need:
                return []  # not even looked at, or a long envelope that comes in small pieces would cost its square
            data = bytes(rest)
            rest.clear()
        envelopes, at, self.failure = split(data, 0, self.limit)
        if self.failure is not None:
            if not envelopes:
                raise self.failure
        elif at < len(data):
            rest += memoryview(data)[at:]
            self._need = _LENGTH.unpack_from(rest)[0] if len(rest) >= _LENGTH.size else _LENGTH.size
        return envelopes
