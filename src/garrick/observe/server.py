"""`ManagementServer`: the read-only socket at which a system tells about itself.

Owns the listening socket and its connections. Must not know where the answers come from. Invariants: only processes of the same
user are answered; a client that says nothing, too much, or nonsense costs no more than its connection.
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
from typing import Any

from garrick.errors import GarrickError, InvalidArgument
from garrick.observe.management import MAX_REQUEST, decode_request, encode_error, encode_result

log = logging.getLogger("garrick.observe")

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
        methods: name -> coroutine function.
    """

    def __init__(self, path: Path | str, methods: Mapping[str, Method]) -> None:
        self.path = Path(path)
        self._methods = dict(methods)
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
        if len(self._connections) >= MAX_CONNECTIONS or _uid_of(writer) not in {os.getuid(), 0}:
            log.warning("a management connection was refused: too many, or of another user")
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone or sleeps: nothing is owed to it
        except asyncio.CancelledError:
            pass  # the server closes
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            writer.write(await self._answer(line))
            await writer.drain()

    async def _answer(self, line: bytes) -> bytes:
        try:
            name, params = decode_request(line)
            if name not in self._methods:
                known = ", ".join(sorted(self._methods))
                return encode_error(
                    InvalidArgument(f"there is no method {name!r}; there are {known}", hint="update the client")
                )
            return encode_result(await self._methods[name](params))
        except GarrickError as error:
            return encode_error(error)
        except Exception as error:
            log.exception("a management request failed")
            return encode_error(error)


def _uid_of(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()  # macOS: the private directory alone decides
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(credentials)[1])
