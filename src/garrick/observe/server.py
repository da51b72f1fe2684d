"""`ManagementServer`: the socket at which a system tells about itself, and takes what an operator wants done.

Owns the listening socket, its connections and the audit log. Must not know where the answers come from. Invariants: only processes of
the same user (or root) are answered; a client that says nothing, too much, or nonsense costs no more than its connection; every change
is in the audit log, with the user and process that the kernel names, before anything is done.

Why no further credential: the socket (0600) is in a directory that only this user may enter (0700), and the kernel names the user of
the peer. Whoever passes both could as well attach a debugger to the processes of the system, or send them signals; a password in a file
of that user would keep nobody out whom these let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from garrick.errors import GarrickError, InvalidArgument
from garrick.observe.management import MAX_REQUEST, decode_request, encode_error, encode_result

log = logging.getLogger("garrick.observe")
audit = logging.getLogger("garrick.audit")

Method = Callable[[dict[str, Any]], Awaitable[Any]]
"""Gets the parameters of the request; what it returns becomes JSON."""
IDLE = 60.0
"""Seconds after which a connection that asks nothing is closed."""
MAX_CONNECTIONS = 32
_UCRED = Struct("3i")


class ManagementServer:
    """See the module.

    Args:
        path: of the socket; its directory is private to the user.
        methods: name -> coroutine function, for what only looks.
        changes: the same for what changes something.
    """

    def __init__(
        self, path: Path | str, methods: Mapping[str, Method], changes: Mapping[str, Method] | None = None
    ) -> None:
        self.path = Path(path)
        self._changes = dict(changes or {})
        self._methods = {**methods, **self._changes}
        self._server: asyncio.AbstractServer | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self._server = await asyncio.start_unix_server(self._accept, self.path, limit=MAX_REQUEST)
        self.path.chmod(0o600)

    async def close(self) -> None:
        """Close the socket and all connections; idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._server is None:
            writer.close()  # it was being accepted while the server closed
            return
        peer = _peer_of(writer)
        if len(self._connections) >= MAX_CONNECTIONS or peer.uid not in {os.getuid(), 0}:
            log.warning("a management connection was refused: too many, or of another user")
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer, peer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone or sleeps: nothing is owed to it
        except asyncio.CancelledError:
            pass  # the server closes
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        while True:
            try:
                line = await asyncio.wait_for(reader.readuntil(b"\n"), IDLE)
            except asyncio.LimitOverrunError:
                writer.write(
                    encode_error(
                        InvalidArgument(f"a request has at most {MAX_REQUEST} bytes", hint="ask for less at once")
                    )
                )
                await writer.drain()
                return
            writer.write(await self._answer(line, peer))
            await writer.drain()

    async def _answer(self, line: bytes, peer: Peer) -> bytes:
        try:
            name, params = decode_request(line)
            if name not in self._methods:
                known = ", ".join(sorted(self._methods))
                return encode_error(
                    InvalidArgument(f"there is no method {name!r}; there are {known}", hint="update the client")
                )
            if name in self._changes:
                audit.info("%s %s by user %d, process %d", name, _loggable(params), peer.uid, peer.pid)
            return encode_result(await self._methods[name](params))
        except GarrickError as error:
            return encode_error(error)
        except Exception as error:
            log.exception("a management request failed")
            return encode_error(error)


class Peer(NamedTuple):
    """Who has connected, as the kernel says."""

    pid: int
    uid: int


def _peer_of(writer: asyncio.StreamWriter) -> Peer:
    peer: socket.socket = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return Peer(0, os.getuid())  # macOS: the private directory alone decides
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _gid = _UCRED.unpack(credentials)
    return Peer(pid, uid)


def _loggable(params: Mapping[str, Any]) -> str:
    """What was wanted, without what a message says: that may be a secret."""
    return " ".join(f"{key}={value!r}" for key, value in params.items() if key != "message")
