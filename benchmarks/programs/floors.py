"""The floors: the same work without any actor library, to show what Python itself costs.

BASE is `deque` (one process: a FIFO of envelopes and a loop that calls a method for each) or `socket` (two processes:
a Unix-socket pair, a length before each message, every message pickled by itself).
A floor has no names, no failures, no supervision, no threads: a library can come near it, never reach it.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
from collections import deque
from typing import Any

from measured import Job, emit, expect, job_from_arguments, timed

HEADER = struct.Struct("!I")
FLUSH = 64 * 1024
READ = 256 * 1024

Envelope = tuple["Receiver", Any, "Receiver | None"]


class Receiver:
    """What an actor is at the very least: an object with a method that takes a message and a sender."""

    def __init__(self, queue: deque[Envelope]) -> None:
        self.queue = queue
        self.left = 0
        self.partner: Receiver | None = None

    def receive(self, message: Any, sender: Receiver | None) -> None:
        raise NotImplementedError


class Echo(Receiver):
    def receive(self, message: Any, sender: Receiver | None) -> None:
        assert sender is not None
        self.queue.append((sender, message, self))


class Pinger(Receiver):
    def receive(self, message: Any, sender: Receiver | None) -> None:
        self.left -= 1
        if self.left:
            assert self.partner is not None
            self.queue.append((self.partner, message, self))


class Sink(Receiver):
    def receive(self, message: Any, sender: Receiver | None) -> None:
        self.left -= 1


def run(queue: deque[Envelope]) -> None:
    take = queue.popleft
    while queue:
        cell, message, sender = take()
        cell.receive(message, sender)


def deque_ping_pong(job: Job) -> float:
    queue: deque[Envelope] = deque()
    pinger, partner = Pinger(queue), Echo(queue)
    pinger.partner = partner

    def work(messages: int) -> None:
        pinger.left = messages // 2
        queue.append((partner, ("ping", 1), pinger))
        run(queue)
        expect(pinger.left, 0)

    return timed(work, job)


def deque_flood(job: Job) -> float:
    queue: deque[Envelope] = deque()
    sink = Sink(queue)

    def work(messages: int) -> None:
        sink.left = messages
        for start in range(0, messages, job.batch):
            for index in range(start, min(start + job.batch, messages)):
                queue.append((sink, ("item", index), None))
            run(queue)
        expect(sink.left, 0)

    return timed(work, job)


def framed(message: Any) -> bytes:
    body = pickle.dumps(message, 5)
    return HEADER.pack(len(body)) + body


class Reader:
    """Takes messages out of a stream of frames."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = b""

    def read(self) -> list[Any]:
        """Wait for bytes and return every message that is complete by then; raises EOFError at the end."""
        data = self.connection.recv(READ)
        if not data:
            raise EOFError
        buffer = self.buffer + data if self.buffer else data
        messages, at, end = [], 0, len(buffer)
        while end - at >= HEADER.size:
            (size,) = HEADER.unpack_from(buffer, at)
            if end - at - HEADER.size < size:
                break
            at += HEADER.size
            messages.append(pickle.loads(buffer[at : at + size]))
            at += size
        self.buffer = buffer[at:]
        return messages


def serve(connection: socket.socket) -> None:
    """The other process: echoes pings; counts items and tells how many after the last one."""
    reader = Reader(connection)
    seen = expected = 0
    try:
        while True:
            for message in reader.read():
                if message[0] == "item":
                    seen += 1
                    if seen == expected:
                        connection.sendall(framed(("seen", seen)))
                elif message[0] == "expect":
                    seen, expected = 0, message[1]
                else:
                    connection.sendall(framed(message))
    except EOFError:
        return


def socket_ping_pong(job: Job, connection: socket.socket) -> float:
    reader = Reader(connection)

    def work(messages: int) -> None:
        message: Any = ("ping", 1)
        for _ in range(messages // 2):
            connection.sendall(framed(message))
            (message,) = reader.read()

    return timed(work, job)


def socket_ask(job: Job, connection: socket.socket) -> float:
    reader = Reader(connection)

    def work(questions: int) -> None:
        for _ in range(questions):
            connection.sendall(framed(("question", 1)))
            expect(reader.read(), [("question", 1)])

    return timed(work, job)


def socket_flood(job: Job, connection: socket.socket) -> float:
    reader = Reader(connection)

    def work(messages: int) -> None:
        connection.sendall(framed(("expect", messages)))
        frames: list[bytes] = []
        size = 0
        for index in range(messages):
            frame = framed(("item", index))
            frames.append(frame)
            size += len(frame)
            if size >= FLUSH:
                connection.sendall(b"".join(frames))
                frames.clear()
                size = 0
        connection.sendall(b"".join(frames))
        expect(reader.read(), [("seen", messages)])

    return timed(work, job)


def across_processes(job: Job) -> float:
    here, there = socket.socketpair()
    child = os.fork()
    if not child:
        here.close()
        serve(there)
        os._exit(0)
    there.close()
    workloads = {"ping-pong": socket_ping_pong, "flood": socket_flood, "ask": socket_ask}
    try:
        return workloads[job.workload](job, here)
    finally:
        here.close()
        os.waitpid(child, 0)


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    if job.base == "socket":
        seconds = across_processes(job)
    else:
        seconds = {"ping-pong": deque_ping_pong, "flood": deque_flood}[job.workload](job)
    emit(job, seconds, version=sys.version.split()[0], python=sys.version.split()[0])


if __name__ == "__main__":
    main()
