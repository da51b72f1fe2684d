"""Large messages in pieces, however the stream is cut."""

from __future__ import annotations

import os
import pickle
import random
from pickle import PickleBuffer

import pytest

from garrick import Address
from garrick.errors import UndecodableMessage
from garrick.wire import parcel as wire
from garrick.wire.codec import loads
from garrick.wire.envelope import BUFFERS, MESSAGE, Raw, decode, encode, peek

SYSTEM = "s@0000000001"
TARGET: Address[object] = Address(SYSTEM, 2, 7)


def packed(body: bytes, *buffers: bytes | bytearray) -> Raw:
    return wire.pack(MESSAGE, TARGET, None, body, [PickleBuffer(b) for b in buffers], SYSTEM, None, bytearray)


def stream(*raws: Raw) -> bytes:
    return b"".join(b"".join(raw.pieces()) if isinstance(raw, wire.Parcel) else raw for raw in raws)


def test_small_messages_are_plain_envelopes() -> None:
    assert packed(b"x" * 100) == encode(MESSAGE, TARGET, None, b"x" * 100, SYSTEM)


def test_a_parcel_can_be_routed_and_refused_like_any_envelope() -> None:
    raw = packed(b"body", b"buffer")
    assert peek(raw).target_process == 2
    assert decode(raw, SYSTEM)[1] == TARGET
    assert peek(raw).flags & BUFFERS
    assert wire.weight(raw) == len(raw) + len("body") + len("buffer")
    assert wire.contents(raw, b"?") == (b"body", (b"buffer",))


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_may_be_cut_anywhere(seed: int) -> None:
    choice = random.Random(seed)
    raws = [
        packed(b"plain"),
        packed(os.urandom(wire.LARGE), bytearray(b"abc")),
        packed(b"", b""),
        packed(b"body", b"", bytearray(70_000), b"end"),
        packed(b"plain again"),
        packed(os.urandom(20_000)),
    ]
    data = stream(*raws)
    decoder = wire.ParcelDecoder(bytearray)
    got: list[Raw] = []
    at = 0
    while at < len(data):
        size = choice.choice((1, 3, 50, 5000, 100_000))
        piece = data[at : at + size]
        room = decoder.room()
        if room is not None and choice.random() < 0.5:
            piece = piece[: len(room)]
            room[: len(piece)] = piece
            got += decoder.advance(len(piece))
        else:
            got += decoder.feed(piece)
        at += len(piece)
        assert decoder.failure is None
    assert [bytes(raw) for raw in got] == [bytes(raw) for raw in raws]
    for raw, expected in zip(got, raws, strict=True):
        assert wire.contents(raw, b"") == wire.contents(expected, b"")


def test_what_is_read_only_arrives_as_bytes() -> None:
    decoder = wire.ParcelDecoder(bytearray)
    (got,) = decoder.feed(stream(packed(b"x", b"steady", bytearray(b"own"))))
    assert [type(part) for part in wire.contents(got, b"")[1]] == [bytes, bytearray]


@pytest.mark.parametrize("damage", [b"\0" * 4, b"\xff" * 4, b"\x20\0\0\x80"])
def test_damage_is_told_behind_what_was_good(damage: bytes) -> None:
    decoder = wire.ParcelDecoder(bytearray, limit=1000)
    good = packed(b"good")
    assert decoder.feed(stream(good) + damage + b"x" * 40) == [good]
    assert decoder.failure is not None
    assert decoder.feed(stream(good)) == []


@pytest.mark.parametrize("step", [5000, 100_000])
def test_what_there_is_no_memory_for_is_read_over(step: int) -> None:
    def allocate(size: int) -> bytearray:
        if size == 70_000:
            raise MemoryError
        return bytearray(size)

    raws = [packed(b"first"), packed(b"body", bytearray(70_000), b"end"), packed(b"", b"fits"), packed(b"last")]
    data = stream(*raws)
    decoder = wire.ParcelDecoder(allocate)
    got: list[Raw] = []
    while data:
        room = decoder.room()
        if room is None:
            got += decoder.feed(data[:step])
            data = data[step:]
        else:
            count = min(len(room), len(data))
            room[:count] = data[:count]
            got += decoder.advance(count)
            data = data[count:]
    assert [bytes(raw) for raw in got] == [bytes(raw) for raw in raws]
    assert wire.contents(got[2], b"") == (b"", (b"fits",))
    with pytest.raises(UndecodableMessage, match="no memory for a message of 70007 bytes"):
        wire.contents(got[1], decode(got[1], SYSTEM)[3])


def test_a_size_that_can_not_be_is_damage() -> None:
    raw = packed(b"body", bytearray(10))
    assert isinstance(raw, wire.Parcel)
    head = bytearray(b"".join(raw.pieces())[: len(raw)])
    head[-8:] = (1 << 62).to_bytes(8, "little")
    decoder = wire.ParcelDecoder(bytearray)
    decoder.feed(bytes(head))
    assert "damaged" in str(decoder.failure)


def test_pickles_of_parcels_are_read_from_any_memory() -> None:
    decoder = wire.ParcelDecoder(bytearray)
    body = pickle.dumps("x" * wire.LARGE, 5)
    (got,) = decoder.feed(stream(packed(body)))
    assert loads(wire.contents(got, b"")[0]) == "x" * wire.LARGE
