"""Links by themselves: order, partial writes, limits and losses, with a poller that the test drives."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

import numpy as np
import pytest

from garrick import Address, BackPressure
from garrick.node.handshake import LINK, SIZE, Hello, check, hello, line, parse_lines
from garrick.node.inlink import Listener, listen
from garrick.node.links import Links
from garrick.node.mainmodule import Bodies
from garrick.node.outlink import LIMIT
from garrick.node.reactor import READ, Poller
from garrick.node.rundir import RunDir, remove_if_dead
from garrick.runtime.once import Once
from garrick.wire.codec import loads
from garrick.wire.envelope import BUFFERS, MESSAGE, SIGNAL, Raw, decode, encode
from garrick.wire.parcel import LARGE, contents
from garrick.wire.run import members

SYSTEM = "s@0000000001"
TOKEN = b"t" * 32


def unpacked(raw: Raw) -> Any:
    body, buffers = contents(raw, decode(raw, SYSTEM)[3])
    return loads(body, None, buffers)


class End:
    """One process's links, with everything that arrived."""

    def __init__(self, rundir: RunDir, number: int, *, listening: bool = True) -> None:
        self.poller = Poller()
        self.number = number
        self.links = Links(
            system=SYSTEM,
            number=number,
            role="worker",
            rundir=rundir,
            token=TOKEN,
            reactor=self.poller,
            bodies=Bodies(None, None, program=False),
        )
        self.targets = {process: Address[Any](SYSTEM, process, process << 40 | 1) for process in range(4)}
        self.got: list[Any] = []
        self.back: list[tuple[Any, str]] = []
        self.links.undeliverable = lambda raw, reason: self.back.append((unpacked(raw), reason))
        self.rundir = rundir
        self.listener: Listener | None = None
        if listening:
            self.listen()

    def listen(self) -> None:
        self.listener = Listener(listen(self.rundir.socket(self.number)), self.poller, TOKEN, self.receive)

    def receive(self, envelopes: list[Raw], number: int) -> None:
        self.got += [(number, unpacked(raw)) for whole in envelopes for raw in members(whole)]

    def post(self, number: int, message: Any, kind: int = MESSAGE) -> None:
        self.links.post(self.targets[number], message, None, kind)

    def close(self) -> None:
        self.links.undeliverable = lambda _raw, _reason: None
        self.links.close()
        if self.listener is not None:
            self.listener.close()
        self.poller.close()


@pytest.fixture
def rundir() -> Iterator[RunDir]:
    made = RunDir.create("s")
    yield made
    made.remove()


@pytest.fixture
def ends(rundir: RunDir) -> Iterator[tuple[End, End]]:
    pair = End(rundir, 1), End(rundir, 2)
    yield pair
    for end in pair:
        end.close()


def turns(*ends: End, until: Any) -> None:
    """Let both ends work until the condition holds."""
    for _ in range(100_000):
        if until():
            return
        for end in ends:
            end.poller.poll(0.001)
    raise AssertionError("it did not happen")


def test_messages_arrive_in_order_whatever_their_size(ends: tuple[End, End]) -> None:
    first, second = ends
    sizes = [0, 1, 100, 70_000, 5, 1_000_000, 3, 20_000, 400_000] * 4
    messages = [(i, os.urandom(size)) for i, size in enumerate(sizes)]
    for message in messages:
        first.post(2, message)
    second.post(1, "back")
    turns(first, second, until=lambda: len(second.got) == len(messages) and first.got)
    assert second.got == [(1, message) for message in messages]
    assert first.got == [(2, "back")]
    assert first.links.pending == 0


def test_large_buffers_are_set_apart_and_keep_their_kind(ends: tuple[End, End]) -> None:
    first, second = ends
    size = 3 * LARGE
    steady, changed = os.urandom(size), bytearray(size)
    view = memoryview(changed).toreadonly()
    first.post(2, ["small", bytearray(7)])
    first.post(2, (PickleBuffer(steady), PickleBuffer(changed), PickleBuffer(view), b"", changed))
    first.post(2, [PickleBuffer(bytearray(10)), np.arange(size), np.arange(6).reshape(2, 3)[:, ::2]])
    changed[:] = b"x" * size  # after `post` the message is the receiver's
    first.post(2, "behind")
    turns(first, second, until=lambda: len(second.got) == 4)
    _, (_, buffers), (_, arrays), behind = second.got
    assert [type(part) for part in buffers] == [bytes, bytearray, bytes, bytes, bytearray]
    assert buffers == (steady, bytearray(size), bytes(size), b"", bytearray(size))
    assert type(arrays[0]) is bytearray
    assert np.array_equal(arrays[1], np.arange(size))
    assert np.array_equal(arrays[2], [[0, 2], [3, 5]])
    arrays[1][0] = 5  # it is the receiver's own
    buffers[1][0] = 5
    assert behind == (1, "behind")
    assert first.links.pending == 0


def test_a_large_message_for_the_dead_comes_back_whole_or_not_at_all(ends: tuple[End, End]) -> None:
    first, _ = ends
    first.post(2, "hello")
    turns(*ends, until=lambda: ends[1].got)
    messages = [np.full(1_000_000, i) for i in range(3)]
    for message in messages:
        first.post(2, message)
    first.poller.poll(0)
    first.links.lost(2, "worker lost")
    assert [int(message[-1]) for message, _ in first.back] == [1, 2]


def test_a_damaged_large_message_ends_its_connection(ends: tuple[End, End], caplog: pytest.LogCaptureFixture) -> None:
    _, second = ends
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(second.rundir.socket(2))
        body = (1 << 62).to_bytes(8, "little")
        head = bytearray(encode(MESSAGE, Address(SYSTEM, 2, 1), None, body, SYSTEM))
        head[3] |= 0x80
        head[5] |= BUFFERS
        stranger.sendall(hello(LINK, "worker", 1, os.getpid(), TOKEN) + head)
        turns(second, until=lambda: "damaged" in caplog.text)
        assert stranger.recv(1) == b""


def test_what_is_sent_before_the_peer_listens_waits(rundir: RunDir) -> None:
    first, second = End(rundir, 1), End(rundir, 2, listening=False)
    try:
        for i in range(100):
            first.post(2, i)
            first.poller.poll(0)
        second.listen()
        turns(first, second, until=lambda: len(second.got) == 100)
        assert second.got == [(1, i) for i in range(100)]
    finally:
        first.close()
        second.close()


def test_what_was_not_sent_to_the_dead_comes_back(rundir: RunDir) -> None:
    first = End(rundir, 1)
    try:
        for i in range(3):
            first.post(2, i)
        first.poller.poll(0)
        first.links.lost(2, "worker lost")
        first.post(2, 3)
        assert first.back == [(i, "worker lost") for i in range(4)]
    finally:
        first.close()


def test_half_an_envelope_is_not_handed_back_and_the_rest_is(ends: tuple[End, End]) -> None:
    first, second = ends
    first.post(2, "hello")
    turns(first, second, until=lambda: second.got)
    messages = [(i, b"x" * 300_000) for i in range(8)]
    for message in messages:
        first.post(2, message)
    for _ in range(5):
        first.poller.poll(0)  # the socket takes some; nobody reads
    first.links.lost(2, "worker lost")
    turns(second, until=lambda: not second.listener or not second.listener.links)
    arrived = [message for _, message in second.got[1:]]
    returned = [message for message, _ in first.back]
    assert arrived == messages[: len(arrived)]
    assert returned == messages[len(messages) - len(returned) :]
    assert len(messages) - 1 <= len(arrived) + len(returned) <= len(messages)


def test_small_messages_that_were_half_written_come_back(ends: tuple[End, End]) -> None:
    first, second = ends
    first.post(2, "hello")
    turns(first, second, until=lambda: second.got)
    messages = [(i, b"x" * 900) for i in range(3000)]
    for message in messages:
        first.post(2, message)
    for _ in range(5):
        first.poller.poll(0)  # the socket takes some; nobody reads
    assert first.links.pending
    first.links.lost(2, "worker lost")
    turns(second, until=lambda: not second.listener or not second.listener.links)
    assert [message for _, message in second.got[1:]] + [message for message, _ in first.back] == messages


def test_users_messages_wait_for_room_and_signals_do_not(ends: tuple[End, End]) -> None:
    first, second = ends
    waited: list[Once] = []

    def wait(space: Once, asking: bool) -> bool:
        assert not asking
        waited.append(space)
        if len(waited) > 1:
            turns(first, second, until=lambda: space.done)
        return space.done

    first.links.wait = wait
    for _ in range(LIMIT // (1 << 20) + 2):
        first.post(2, b"x" * (1 << 20), SIGNAL)
    with pytest.raises(BackPressure):
        first.post(2, "too much")
    first.post(2, "in the end")
    assert waited[-1].done
    turns(first, second, until=lambda: second.got[-1:] == [(1, "in the end")])
    assert (1, "too much") not in second.got


def test_a_lost_peer_frees_who_waits_for_room(ends: tuple[End, End]) -> None:
    first, _ = ends
    first.links.wait = lambda space, _asking: first.links.lost(2, "worker lost") or space.done  # type: ignore[func-returns-value]
    for _ in range(LIMIT // (1 << 20) + 2):
        first.post(2, b"x" * (1 << 20), SIGNAL)
    first.post(2, "last")
    assert first.back[-1] == ("last", "worker lost")


def test_many_threads_may_send(ends: tuple[End, End]) -> None:
    first, second = ends
    count, senders = 3000, 4

    def send(source: int) -> None:
        for i in range(count):
            first.post(2, (source, i))

    threads = [threading.Thread(target=send, args=(source,)) for source in range(senders)]
    for thread in threads:
        thread.start()
    turns(first, second, until=lambda: len(second.got) == count * senders)
    for thread in threads:
        thread.join()
    for source in range(senders):
        assert [i for _, (s, i) in second.got if s == source] == list(range(count))


def test_what_the_dead_had_written_is_drained(ends: tuple[End, End]) -> None:
    first, second = ends
    for i in range(1000):
        first.post(2, i)
    first.poller.poll(0)
    first.poller.poll(0)
    first.links.close()  # as its death would do
    assert second.listener is not None
    second.listener.drain(1)
    assert second.got == [(1, i) for i in range(1000)]


def test_a_descriptor_that_is_gone_does_not_disturb_the_poller(ends: tuple[End, End]) -> None:
    poller = ends[0].poller
    ours, theirs = socket.socketpair()
    with ours, theirs:
        poller.watch(ours.fileno(), READ, lambda _: poller.unwatch(ours.fileno()))
        theirs.send(b"x")
        poller.poll(1)
        poller.poll(0)
    poller.wake()
    poller.poll(5)
    poller.busy()


def test_hello_needs_the_token() -> None:
    said = hello(LINK, "worker", 7, 123, TOKEN)
    assert len(said) == SIZE
    assert check(said, TOKEN) == Hello(LINK, "worker", 0, 7, 123)
    assert check(said, b"u" * 32) is None
    assert check(b"HTTP" + said[4:], TOKEN) is None
    assert check(said[:5] + b"\xff" + said[6:], TOKEN) is None


def test_lines_come_in_pieces() -> None:
    buffer = bytearray(line(a=1) + line(b=2)[:-3])
    assert parse_lines(buffer) == [{"a": 1}]
    buffer += line(b=2)[-3:]
    assert parse_lines(buffer) == [{"b": 2}]
    assert not buffer


def test_a_directory_lives_as_long_as_its_lock(base: Path) -> None:
    first = RunDir.create("x")
    assert not remove_if_dead(first.path)
    assert RunDir.find("x").token() == first.token()
    first.close()
    assert remove_if_dead(first.path)
    assert not first.path.exists()


def test_an_abandoned_socket_is_no_obstacle(base: Path) -> None:
    dead = RunDir.create("x")
    with listen(dead.socket(0)):
        pass
    assert (dead.path / "p0.sock").exists()
    dead.close()
    again = RunDir.create("x")
    with listen(again.socket(0)):
        pass
    again.remove()
