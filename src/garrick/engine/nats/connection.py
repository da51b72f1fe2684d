"""One connection to the convention's servers that comes back for ever.

Owns the client library: its options, its traps, and when a new client is built. Must not know subjects or frames; it is
given subscriptions and says when it is up, down or refused. Decisions:

* The library's own reconnecting is switched off. It would send what it had buffered before our links know of the
  break, and some errors end it for good. Here a client lives for exactly one connection; then a new one is built, and
  the subscriptions are in place at the server before anybody is told.
* Its own pings are switched off as well: they need three intervals. A beat of ours (PING, PONG within 2 s) finds a hung
  server sooner, and the socket is aborted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import nats.errors
from nats.aio.client import Client

from garrick.engine.backoff import Backoff
from garrick.engine.nats.handshake import tls_context
from garrick.engine.nats.transport import TlsTransport
from garrick.errors import EngineError, JoinRefused

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from garrick.engine.identity import Credentials

__all__ = ["Connection", "Identity", "Subscription", "settled"]

_log = logging.getLogger("garrick.engine")
_CONNECT = 5.0
_BEAT = 1.0
_SILENCE = 1.9
_LATE = 0.1
_NEVER = 86_400
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 1.0
_REFUSED_WAIT = 5.0
_REFUSED_FOR = 2.0
_PENDING = 4 * 1024 * 1024
_SUB_MESSAGES = 1_000_000
_SUB_BYTES = 96 * 1024 * 1024

_VIOLATION = re.compile(r"permissions violation for (\w+) to \"?([^\"' ]+)", re.IGNORECASE)
_REFUSALS = ("authorization", "authentication", "account")


@dataclass(frozen=True)
class Subscription:
    """What the connection subscribes each time it comes up."""

    subject: str
    receive: Callable[[Msg], Awaitable[None]]
    queue: str = ""


@dataclass(frozen=True, repr=False)
class Identity:
    """What one connection shows: a system has one, and one more for the servers' own account."""

    jwt: str
    sign: Callable[[str], bytes]


class Listener(Protocol):
    """Told by the connection, on the loop's thread."""

    def connection_up(self, *, again: bool) -> None: ...
    def connection_down(self, why: str) -> None: ...
    def connection_refused(self, subject: str, why: str) -> None: ...
    def connection_slow(self, why: str) -> None: ...


async def settled(client: Client, timeout: float) -> None:
    """Return when the server has processed everything that was handed to the client before.

    The library writes the PING of `flush` past the commands that it still holds: those leave while the first PONG is
    awaited, so that the second one proves it.
    """
    for _ in range(2):
        await client.flush(timeout)  # type: ignore[arg-type]  # any number of seconds will do


class Connection:
    """Keeps one client connected.

    Args:
        credentials: certificate and addresses.
        identity: token and signature (several connections may share the credentials).
        label: shown to the servers as the client's name; the directory reads system ids from it.
        inbox: prefix of the subjects that answers come to.
        subscriptions: in place whenever the connection is up.
        listener: who is told.
    """

    def __init__(
        self,
        credentials: Credentials,
        identity: Identity,
        label: str,
        inbox: str,
        subscriptions: Sequence[Subscription],
        listener: Listener,
    ) -> None:
        self._credentials = credentials
        self._identity = identity
        self._label = label
        self._inbox = inbox
        self._subscriptions = tuple(subscriptions)
        self._listener = listener
        self._tls = tls_context(credentials)
        self._client: Client | None = None
        self._transport: TlsTransport | None = None
        self._broken: asyncio.Event = asyncio.Event()
        self._why = ""
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._backoff = Backoff(label, _FIRST_WAIT, _LONGEST_WAIT)
        self.up = False

    @property
    def client(self) -> Client | None:
        """The live client; None while disconnected."""
        return self._client if self.up else None

    async def start(self, timeout: float) -> None:
        """Connect, trying again until `timeout` seconds have passed.

        Raises:
            JoinRefused: when a server does not accept us; at once, if it is the only one.
            EngineError: no server could be reached.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            try:
                await self._connect()
                break
            except JoinRefused:
                # One of several servers may be just starting, and not know us yet.
                if len(self._credentials.servers) == 1 or loop.time() > deadline - timeout + _REFUSED_FOR:
                    raise
                wait = self._backoff.next()
            except EngineError:
                wait = self._backoff.next()
                if loop.time() + wait > deadline:
                    raise
            await asyncio.sleep(wait)
        self._listener.connection_up(again=False)
        self._keeper = asyncio.create_task(self._keep(), name=f"garrick-connection-{self._label}")

    async def stop(self) -> None:
        """Close for good. Idempotent."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self.up = False
        await self._discard()

    def break_off(self, why: str) -> None:
        """Treat the connection as lost; a new one is made."""
        self._mark_broken(why)

    # -- inside -------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            await self._watch()
            if self._stopping:
                return  # before Python 3.12 `wait_for` swallows a cancellation that meets the end of what it waits for
            self.up = False
            self._listener.connection_down(self._why)
            await self._discard()
            self._backoff.reset()
            refused = Backoff(self._label, _REFUSED_WAIT, _REFUSED_WAIT)
            wait = self._backoff.next()
            while True:
                await asyncio.sleep(wait)
                if self._stopping:
                    return
                try:
                    await self._connect()
                    break
                except JoinRefused as error:
                    self._listener.connection_refused("connect", str(error.args[0]))
                    wait = refused.next()
                except EngineError as error:
                    _log.debug("%s is not connected yet: %s", self._label, error)
                    wait = self._backoff.next()
                except Exception:
                    # The library has more ways to fail than it names; a system must not lose its convention to one.
                    _log.exception("connecting %s failed in an unexpected way", self._label)
                    wait = self._backoff.next()
            self._listener.connection_up(again=True)

    async def _watch(self) -> None:
        """Return when the connection is lost."""
        client = self._client
        assert client is not None
        while not self._broken.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._broken.wait(), _BEAT)
                return
            if not await self._answers(client):
                self._mark_broken("the server does not answer")

    async def _answers(self, client: Client) -> bool:
        """PING, and PONG before the server has been silent for too long. False as well if the connection broke.

        The library's own time-out is not used: a PONG that comes after it would end the library's reader.
        """
        ping = asyncio.create_task(client.flush(_NEVER))
        broken = asyncio.create_task(self._broken.wait())
        try:
            while True:
                received = client.stats["in_msgs"]
                await asyncio.wait({ping, broken}, timeout=_SILENCE, return_when=asyncio.FIRST_COMPLETED)
                if ping.done():
                    return ping.exception() is None
                if self._broken.is_set():
                    return False
                # The time may have passed while this process did not run at all: what has arrived is read first.
                await asyncio.sleep(_LATE)
                if not ping.done() and client.stats["in_msgs"] == received:
                    return False
        finally:
            broken.cancel()
            if not ping.done():
                if self._transport is not None:
                    self._transport.abort()  # so that no PONG comes for a PING that is given up
                ping.cancel()
            await asyncio.gather(ping, broken, return_exceptions=True)

    async def _connect(self) -> None:
        broken = asyncio.Event()
        client = Client()
        problem: list[Exception] = []

        def mark(why: str) -> None:
            if client is self._client and not broken.is_set():
                self._mark_broken(why)

        async def on_error(error: Exception) -> None:
            problem.append(error)
            del problem[:-5]
            self._judge(error)

        async def on_closed() -> None:
            mark(f"closed: {client.last_error!r}" if client.last_error else "closed by the server")

        self._broken, self._client, self._why = broken, client, ""
        client._transport = self._transport = TlsTransport(self._tls)
        try:
            await client.connect(
                servers=list(self._credentials.servers),
                name=self._label,
                error_cb=on_error,
                closed_cb=on_closed,
                disconnected_cb=on_closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=int(_CONNECT),
                ping_interval=86_400,
                tls=self._tls,  # unused by our transport, but the library would load all the system's authorities
                inbox_prefix=self._inbox,
                pending_size=_PENDING,
                user_jwt_cb=self._identity.jwt.encode,
                signature_cb=self._identity.sign,
            )
            for subscription in self._subscriptions:
                await client.subscribe(
                    subscription.subject,
                    queue=subscription.queue,
                    cb=subscription.receive,
                    pending_msgs_limit=_SUB_MESSAGES,
                    pending_bytes_limit=_SUB_BYTES,
                )
            await settled(client, _CONNECT)
        except (TimeoutError, nats.errors.Error, OSError, EOFError) as error:
            await self._discard()
            raise self._explain(error, problem) from error
        except BaseException:
            await self._discard()
            raise
        self.up = True

    def _explain(self, error: Exception, others: list[Exception]) -> EngineError:
        for candidate in [error, *reversed(others)]:
            text = str(candidate).lower()
            if isinstance(candidate, nats.errors.AuthorizationError) or any(word in text for word in _REFUSALS):
                return JoinRefused(
                    f"the convention {self._credentials.convention} refused {self._credentials.system}: {candidate}",
                    hint="the credentials may have expired, been revoked, or belong to another convention",
                )
            if "certificate" in text or "unknown ca" in text:
                return JoinRefused(
                    f"no trust between {self._credentials.system} and the server: {candidate}",
                    hint="certificate and server must come from the same convention",
                )
        cause = next((other for other in reversed(others) if not isinstance(other, nats.errors.NoServersError)), error)
        hint = None
        if isinstance(cause, socket.gaierror):
            hint = "a name in the list can't be resolved: `getent hosts NAME` shows what this host knows; an address works too"
        servers = ", ".join(self._credentials.servers)
        return EngineError(
            f"no server of {self._credentials.convention} can be reached at {servers}: {cause!r}", hint=hint
        )

    def _judge(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self._listener.connection_slow(f"frames dropped on {error.subject}")
        elif match := _VIOLATION.search(str(error)):
            self._listener.connection_refused(match[2], str(error))

    def _mark_broken(self, why: str) -> None:
        if not self._broken.is_set():
            self._why = why
            self._broken.set()

    async def _discard(self) -> None:
        client, self._client = self._client, None
        transport, self._transport = self._transport, None
        if client is None or transport is None:
            return
        if self._broken.is_set():
            transport.abort()
        try:
            await asyncio.wait_for(client.close(), 1.0)
        except (TimeoutError, nats.errors.Error, OSError):
            transport.abort()
