"""The socket below the client library: TLS from the first byte, and an end that does not wait.

The library's own transport upgrades a plain connection, which our servers refuse, and closes by waiting up to half a
minute for the other side's TLS good-bye, which a hung server never says.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

from nats.aio.transport import Transport

if TYPE_CHECKING:
    from urllib.parse import ParseResult

__all__ = ["TlsTransport"]

_GOOD_BYE = 0.25


class TlsTransport(Transport):
    """What `nats.aio.client.Client` reads from and writes to."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        self._reader, self._writer = await asyncio.wait_for(
            asyncio.open_connection(
                uri.hostname, uri.port, limit=buffer_size, ssl=self._context, server_hostname=uri.hostname
            ),
            connect_timeout,
        )

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Nothing to do: it has been TLS from the start."""

    def write(self, payload: bytes) -> None:
        self._out.write(payload)

    def writelines(self, payload: list[bytes]) -> None:
        self._out.write(b"".join(payload))  # one TLS record after the other, not one for each command

    async def read(self, buffer_size: int) -> bytes:
        return await self._in.read(buffer_size)

    async def readline(self) -> bytes:
        return await self._in.readline()

    async def drain(self) -> None:
        await self._out.drain()

    async def wait_closed(self) -> None:
        if self._writer is None:
            return
        try:
            async with asyncio.timeout(_GOOD_BYE):
                await self._writer.wait_closed()
        except (TimeoutError, OSError, ssl.SSLError):
            self.abort()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def abort(self) -> None:
        """Drop the socket now."""
        if self._writer is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._writer.transport.abort()

    def at_eof(self) -> bool:
        return self._reader is None or self._reader.at_eof()

    def __bool__(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]  (declared without a return type there)
        # Asked by the library only to find out whether it has to make a transport: it has one.
        return True

    @property
    def _in(self) -> asyncio.StreamReader:
        if self._reader is None:
            raise ConnectionError("not connected")
        return self._reader

    @property
    def _out(self) -> asyncio.StreamWriter:
        if self._writer is None:
            raise ConnectionError("not connected")
        return self._writer
