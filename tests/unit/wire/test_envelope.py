"""The envelope: what is written is read, in one process, between processes and between systems; nothing else is accepted."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrick.address import Address, ReplyAddress
from garrick.errors import WireError
from garrick.wire import envelope as wire

HOME = "home@0123456789"
AWAY = "away@abcdef0123"

systems = st.sampled_from([HOME, AWAY, "third@ffffffffff"])
serials = st.one_of(
    st.integers(0, 3), st.integers(0, (1 << 64) - 1), st.integers(1 << 64, (1 << 120) - 1), st.just((1 << 64) - 1)
)
processes = st.integers(0, wire.NO_SENDER - 1)


def address(kind: type[Address[Any]], system: str, process: int, serial: int) -> Address[Any]:
    return kind(system, process, serial)


addresses = st.builds(address, st.sampled_from([Address, ReplyAddress]), systems, processes, serials)
kinds = st.sampled_from([wire.MESSAGE, wire.SIGNAL, wire.REPLY, wire.FAILURE, wire.HELLO])
bodies = st.one_of(st.binary(max_size=80), st.integers(16_000, 70_000).map(bytes))
mains = st.sampled_from([None, None, "__garrick_main_12345678__"])


def same(one: Address[Any] | None, other: Address[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return type(one) is type(other) and (one.system, one.process, one.serial) == (
        other.system,
        other.process,
        other.serial,
    )


@given(kinds, addresses, st.one_of(st.none(), addresses), bodies, mains)
@settings(deadline=None)
def test_what_is_encoded_is_decoded(
    kind: int, target: Address[Any], sender: Address[Any] | None, body: bytes, main: str | None
) -> None:
    data = wire.encode(kind, target, sender, body, HOME, main)
    got_kind, got_target, got_sender, got_body = wire.decode(data, HOME)
    assert (got_kind, bytes(got_body)) == (kind, body)
    assert same(got_target, target)
    assert same(got_sender, sender)
    head = wire.peek(data)
    assert (head.kind, head.target_process, head.target_serial) == (kind, target.process, target.serial)
    assert (head.target_system or HOME) == target.system
    assert head.sender_process == (sender.process if sender else None)
    assert head.main == main
    assert wire.route(data) == (head.target_system, target.process)
    assert data[head.body_at :] == body


@given(addresses, st.one_of(st.none(), addresses), bodies)
@settings(deadline=None)
def test_an_envelope_that_left_its_system_means_the_same_everywhere(
    target: Address[Any], sender: Address[Any] | None, body: bytes
) -> None:
    data = wire.encode(wire.MESSAGE, target, sender, body, HOME)
    outside = wire.qualify(data, HOME)
    for reader in (HOME, AWAY):
        inside = wire.localise(outside, reader)
        assert len(inside) <= len(outside)
        for form in (outside, inside):
            _, got_target, got_sender, got_body = wire.decode(form, reader)
            assert same(got_target, target)
            assert same(got_sender, sender)
            assert bytes(got_body) == body
    assert wire.localise(outside, HOME) == data
    assert wire.qualify(outside, AWAY) is outside


def test_the_common_case_has_the_short_header() -> None:
    target, sender = Address[Any](HOME, 1, 5), Address[Any](HOME, 2, 7)
    data = wire.encode(wire.MESSAGE, target, sender, b"body", HOME)
    assert len(data) == wire.HEADER_SIZE + 4
    assert wire.fields(data) == (len(data), wire.MESSAGE, 0, 1, 5, 2, 7)
    assert wire.localise(data, HOME) is data


def test_entries_of_later_versions_are_kept_by_those_who_forward() -> None:
    entry = bytes([99, 3, 0]) + b"new"
    data = wire.encode(wire.MESSAGE, Address[Any](HOME, 1, 5), None, b"body", HOME)
    extended = wire._pack(len(data) + 2 + len(entry), 1, wire.EXTENDED, 1, 5, wire.NO_SENDER, 0)
    extended += bytes([len(entry), 0]) + entry + b"body"
    outside = wire.qualify(extended, HOME)
    assert entry in bytes(outside)
    assert wire.localise(outside, HOME) == extended
    assert bytes(wire.decode(outside, AWAY)[3]) == b"body"


class Slot:
    """Stands in for a pending ask: its address gets its serial when it leaves."""

    address: ReplyAddress

    def expose(self) -> None:
        self.address.serial = 77


def test_the_sender_of_an_ask_is_exposed_when_it_leaves() -> None:
    slot = Slot()
    slot.address = ReplyAddress(HOME, 3, 0, slot)
    data = wire.encode(wire.MESSAGE, Address[Any](HOME, 1, 5), slot.address, b"", HOME)
    _, _, sender, _ = wire.decode(data, HOME)
    assert isinstance(sender, ReplyAddress)
    assert sender.serial == 77
    assert len(data) == wire.HEADER_SIZE


@pytest.mark.parametrize(
    ("target", "sender"),
    [
        (Address[Any](HOME, 1 << 32, 5), None),
        (Address[Any](HOME, -1, 5), None),
        (Address[Any](HOME, 1, -5), None),
        (Address[Any](HOME, 1, 5), Address[Any](HOME, 1, -5)),
        (Address[Any]("x" * 70_000, 1, 5), None),
    ],
)
def test_numbers_that_do_not_fit_are_refused(target: Address[Any], sender: Address[Any] | None) -> None:
    with pytest.raises(WireError):
        wire.encode(wire.MESSAGE, target, sender, b"", HOME)


@given(
    st.lists(st.tuples(addresses, bodies), max_size=8),
    st.lists(st.sampled_from([1, 3, 40, 700, 5000, 90_000]), min_size=1),
)
@settings(max_examples=60, deadline=None)
def test_a_stream_in_any_pieces_gives_the_same_envelopes(
    messages: list[tuple[Address[Any], bytes]], sizes: list[int]
) -> None:
    whole = [wire.encode(wire.MESSAGE, target, None, body, HOME) for target, body in messages]
    stream = b"".join(whole)
    decoder = wire.Decoder()
    got: list[bytes] = []
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(stream):
            break
        got += map(bytes, decoder.feed(stream[at : at + size]))
        at += size
    assert got == whole
    assert decoder.buffered == 0


def test_a_long_envelope_is_a_view_and_a_short_one_a_copy() -> None:
    short = wire.encode(wire.MESSAGE, Address[Any](HOME, 1, 5), None, b"short", HOME)
    long = wire.encode(wire.MESSAGE, Address[Any](HOME, 1, 5), None, bytes(100_000), HOME)
    assert [type(raw) for raw in wire.Decoder().feed(short + long)] == [bytes, memoryview]


def test_good_envelopes_before_the_damage_are_handed_out() -> None:
    good = wire.encode(wire.MESSAGE, Address[Any](HOME, 1, 5), None, b"good", HOME)
    decoder = wire.Decoder()
    assert decoder.feed(good + bytes(40)) == [good]
    assert decoder.failure is not None
    with pytest.raises(WireError):
        decoder.feed(good)


@pytest.mark.parametrize("length", [0, wire.HEADER_SIZE - 1, 1001, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_before_anything_is_buffered_for_it(length: int) -> None:
    decoder = wire.Decoder(limit=1000)
    with pytest.raises(WireError):
        decoder.feed(length.to_bytes(4, "little"))
    assert decoder.buffered == 0


@given(st.lists(st.binary(max_size=200), max_size=10))
@settings(deadline=None)
def test_random_bytes_raise_nothing_but_wire_errors(pieces: list[bytes]) -> None:
    decoder = wire.Decoder(limit=10_000)
    for piece in pieces:
        try:
            envelopes = decoder.feed(piece)
        except WireError:
            break
        for raw in envelopes:
            for read in (wire.peek, lambda data: wire.decode(data, HOME), lambda data: wire.qualify(data, HOME)):
                with contextlib.suppress(WireError):
                    read(raw)


@given(addresses, st.one_of(st.none(), addresses), st.data())
@settings(deadline=None)
def test_a_damaged_envelope_is_read_or_refused(
    target: Address[Any], sender: Address[Any] | None, data: st.DataObject
) -> None:
    raw = bytearray(wire.encode(wire.MESSAGE, target, sender, b"body", HOME, "__garrick_main__"))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for read in (
        wire.peek,
        wire.route,
        lambda data: wire.decode(data, HOME),
        lambda data: wire.qualify(data, HOME),
        lambda data: wire.localise(data, HOME),
    ):
        with contextlib.suppress(WireError):
            read(damaged)
