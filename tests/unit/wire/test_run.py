"""Runs: they stand for exactly the envelopes that would have been sent without them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrick import Address
from garrick.errors import WireError
from garrick.wire.envelope import EXTENDED, HEADER_SIZE, MESSAGE, SIGNAL, Raw, encode, split
from garrick.wire.run import LONGEST, RUN, Entry, cut, gather, is_run, members, seal

SYSTEM = "s@0000000001"
OTHER_CREATOR = 1 << 90
"""Serials that begin in another system are longer than a header's field."""

ADDRESSES: list[Address[object]] = [
    Address(SYSTEM, 1, 1 << 40 | 1),
    Address(SYSTEM, 1, 1 << 40 | 2),
    Address(SYSTEM, 2, OTHER_CREATOR | 5),
]

small = st.tuples(st.sampled_from(ADDRESSES), st.sampled_from([None, *ADDRESSES]), st.binary(max_size=40))
whole = st.builds(lambda body: encode(SIGNAL, ADDRESSES[0], None, body, SYSTEM), st.binary(max_size=40))


def one_by_one(entry: Entry) -> Raw:
    return encode(MESSAGE, *entry, SYSTEM) if isinstance(entry, tuple) else entry


@given(st.lists(st.one_of(small, whole), max_size=60))
def test_a_run_stands_for_the_same_envelopes_in_the_same_order(entries: list[Entry]) -> None:
    gathered = gather(entries, SYSTEM)
    assert [each for raw in gathered for each in members(raw)] == [one_by_one(entry) for entry in entries]
    stream = b"".join(gathered)
    found, at, failure = split(stream)
    assert (found, at, failure) == (gathered, len(stream), None)


def test_messages_on_one_way_share_an_envelope() -> None:
    first, second, far = ADDRESSES
    ways = [(first, second)] * (LONGEST + 3) + [(first, None)] * 2 + [(second, first), (far, first), (far, first)]
    gathered = gather([(target, sender, b"%d" % i) for i, (target, sender) in enumerate(ways)], SYSTEM)
    assert [len(members(raw)) for raw in gathered] == [LONGEST, 3, 2, 1, 2]
    assert [is_run(raw) for raw in gathered] == [True, True, True, False, True]
    assert gathered[-1][5] == RUN | EXTENDED
    assert cut(gathered[1], HEADER_SIZE) == [b"256", b"257", b"258"]


@given(st.integers(min_value=0), st.binary(max_size=20))
def test_a_damaged_run_is_refused(at: int, junk: bytes) -> None:
    good = seal(ADDRESSES[0], None, [b"one", b"two", b"three"], SYSTEM)
    at = HEADER_SIZE + at % (len(good) - HEADER_SIZE)
    damaged = good[:at] + junk
    try:
        parts = cut(damaged, HEADER_SIZE)
    except WireError:
        return
    table = HEADER_SIZE + 4 + 4 * len(parts)
    assert table + sum(map(len, parts)) == len(damaged)


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0\5\0\0\0abcd"])
def test_a_run_without_its_parts_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        cut(b"h" * HEADER_SIZE + body, HEADER_SIZE)
