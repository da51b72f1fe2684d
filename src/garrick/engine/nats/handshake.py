"""The first words with a server: TLS, challenge, PING and PONG.

Owns the TLS context of a system and one bare round trip, used to learn whether a server is ready and whether it accepts
us. Everything after that is the client library's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from garrick.errors import BadCredentials, JoinRefused

if TYPE_CHECKING:
    from garrick.engine.identity import Credentials

__all__ = ["check_server", "tls_context"]


def tls_context(credentials: Credentials) -> ssl.SSLContext:
    """Trusts the convention's CA and nothing else, and shows the system's own certificate."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=credentials.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The library loads keys from files only: a private one, for the shortest time.
    descriptor, path = tempfile.mkstemp(prefix="garrick-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(credentials.certificate + credentials.key)
        context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise BadCredentials(f"the certificate of {credentials.system} can't be used: {error}") from None
    finally:
        os.unlink(path)
    return context


async def check_server(credentials: Credentials, url: str, *, timeout: float) -> str:
    """Connect, authenticate, PING. Returns the server's version.

    Raises:
        JoinRefused: the server does not accept us.
        OSError, TimeoutError, asyncio.IncompleteReadError: it can't be reached or broke off.
    """
    async with asyncio.timeout(timeout):
        return await _round_trip(credentials, url)


async def _round_trip(credentials: Credentials, url: str) -> str:
    address = urlsplit(url)
    host = address.hostname or ""
    reader, writer = await asyncio.open_connection(
        host, address.port, ssl=tls_context(credentials), server_hostname=host
    )
    try:
        line = await reader.readuntil(b"\r\n")
        info = json.loads(line.partition(b" ")[2])
        options = {
            "jwt": credentials.jwt,
            "sig": credentials.sign(info["nonce"]).decode(),
            "verbose": False,
            "pedantic": False,
            "lang": "python3",
            "version": "0",
            "protocol": 1,
            "name": f"{credentials.system}/check",
        }
        writer.write(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        await writer.drain()
        while True:
            line = await reader.readuntil(b"\r\n")
            if line.startswith(b"PONG"):
                return str(info.get("version", ""))
            if line.startswith(b"-ERR"):
                raise JoinRefused(f"the server at {url} refused {credentials.system}: {line[4:].decode().strip()}")
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
