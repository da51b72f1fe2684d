"""A floor: the bare link with an event loop, to show what it costs or saves beside blocking calls on a socket.

BASE is `asyncio` or `uvloop`, the event loop of both processes: a Unix-socket pair, a length before each message, every
message pickled by itself. It has no names, no failures, no supervision; only what the link needs.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from measured import Job, clock, emit, expect, job_from_arguments

HEADER = struct.Struct("!I")
READ = 256 * 1024


def framed(message: Any) -> bytes:
    body = pickle.dumps(message, 5)
    return HEADER.pack(len(body)) + body


class Link(asyncio.Protocol):
    """One end: hands every message that has come to a function."""

    def __init__(self, handle: Callable[[Link, Any], None]) -> None:
        self.handle = handle
        self.buffer = b""
        self.closed = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set_result(error)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer + data if self.buffer else data
        at, end = 0, len(buffer)
        while end - at >= HEADER.size:
            (size,) = HEADER.unpack_from(buffer, at)
            if end - at - HEADER.size < size:
                break
            at += HEADER.size
            message = pickle.loads(buffer[at : at + size])
            at += size
            self.handle(self, message)
        self.buffer = buffer[at:]

    def send(self, message: Any) -> None:
        self.transport.write(framed(message))


async def connect(end: socket.socket, handle: Callable[[Link, Any], None]) -> Link:
    _, link = await asyncio.get_running_loop().create_unix_connection(lambda: Link(handle), sock=end)
    return link


async def serve(end: socket.socket) -> None:
    """The other process: echoes pings; counts items and tells how many after the last one."""
    seen = expected = 0

    def handle(link: Link, message: Any) -> None:
        nonlocal seen, expected
        if message[0] == "item":
            seen += 1
            if seen == expected:
                link.send(("seen", seen))
        elif message[0] == "expect":
            seen, expected = 0, message[1]
        else:
            link.send(message)

    link = await connect(end, handle)
    await link.closed


async def measure(job: Job, end: socket.socket) -> float:
    left = 0
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def handle(link: Link, message: Any) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            link.send(message)
        else:
            done.set_result(message)

    link = await connect(end, handle)

    async def ping_pong(messages: int) -> None:
        nonlocal left, done
        left, done = messages // 2, asyncio.get_running_loop().create_future()
        link.send(("ping", 1))
        expect(await done, ("ping", 1))

    async def flood(messages: int) -> None:
        nonlocal left, done
        left, done = 1, asyncio.get_running_loop().create_future()
        link.send(("expect", messages))
        for start in range(0, messages, 1000):
            upto = min(start + 1000, messages)
            link.transport.write(b"".join([framed(("item", index)) for index in range(start, upto)]))
            await link.writable.wait()
        expect(await done, ("seen", messages))

    work = {"ping-pong": ping_pong, "flood": flood}[job.workload]
    try:
        if job.warm_up:
            await work(job.warm_up)
        begun = clock()
        await work(job.operations)
        return clock() - begun
    finally:
        link.transport.close()
        await link.closed


def main() -> None:
    job = job_from_arguments(sys.argv[1:])
    version = sys.version.split()[0]
    run: Callable[[Any], Any] = asyncio.run
    if job.base == "uvloop":
        import uvloop

        run, version = uvloop.run, uvloop.__version__
    here, there = socket.socketpair()
    child = os.fork()
    if not child:
        here.close()
        run(serve(there))
        os._exit(0)
    there.close()
    seconds = run(measure(job, here))
    os.waitpid(child, 0)
    emit(job, seconds, version=version, python=sys.version.split()[0])


if __name__ == "__main__":
    main()
