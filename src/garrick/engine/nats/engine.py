"""Everything a system needs towards its convention, behind one face: server, carrier, members, directory.

Owns the order in which the parts start and stop. See `garrick.engine.carrier.Engine` for the contract.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from garrick.engine.carrier import Caps, OnEvent, OnFrame, OnMembers, OnNames, Refused, Verdict, name_of
from garrick.engine.epochs import system_of
from garrick.engine.nats.carrier import CAPS, NatsCarrier
from garrick.engine.nats.directory import DirectoryService
from garrick.engine.nats.membership import MemberFeed
from garrick.engine.reachability import events_of
from garrick.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nats.aio.client import Client

    from garrick.engine.directory import Patience
    from garrick.engine.identity import Credentials
    from garrick.engine.membership import Delta
    from garrick.engine.names import Reply, Request
    from garrick.engine.nats.server import EmbeddedServer

__all__ = ["NatsEngine"]

_MAJORITY = 120.0
"""Seconds that one of several directory systems waits for most of the others to be started."""


class NatsEngine:
    """One system's part in a convention.

    Args:
        connect_timeout: seconds to reach a server.
        join_timeout: seconds to be accepted by the directory.
        patience: times of the directory, where this system is it.
    """

    def __init__(
        self, *, connect_timeout: float = 10.0, join_timeout: float = 10.0, patience: Patience | None = None
    ) -> None:
        self._connect_timeout = connect_timeout
        self._join_timeout = join_timeout
        self._patience = patience
        self._system = ""
        self._server: EmbeddedServer | None = None
        self._carrier: NatsCarrier | None = None
        self._feed: MemberFeed | None = None
        self._directory: DirectoryService | None = None
        self._offer: tuple[dict[str, object], tuple[int, ...], float] = ({}, (), 0.0)
        self._on_event: OnEvent = _nobody
        self._on_members: OnMembers = _nobody
        self.on_names: OnNames = _nobody
        self._server_restart: asyncio.Task[None] | None = None

    @property
    def caps(self) -> Caps:
        return CAPS

    @property
    def directory(self) -> str:
        return "" if self._feed is None else system_of(self._feed.machine.epoch)

    async def start(
        self,
        system: str,
        credentials: Credentials,
        *,
        server: EmbeddedServer | None = None,
        on_frame: OnFrame,
        on_event: OnEvent,
        on_members: OnMembers,
    ) -> None:
        """Start the server if there is one to start, connect, join.

        Raises:
            JoinRefused: the servers or the directory do not accept this system.
            EngineError: nobody could be reached, or the server did not start.
        """
        self._system, self._on_event, self._on_members = system, on_event, on_members
        try:
            if server is not None:
                self._server = server
                await server.start()
                server.exited = self._server_died
                # Our own way to it need not be the one that others use.
                others = [url for url in credentials.servers if url != server.url and urlsplit(url).port != 0]
                credentials = credentials.with_servers([server.url, *others])
            feed = MemberFeed(
                credentials.convention,
                system,
                self._client,
                self._members,
                self._shunned,
                self._names_answered,
                self._look_elsewhere if len(credentials.servers) > 1 else None,
            )
            self._feed = feed
            feed.offer(*self._offer)
            self._carrier = NatsCarrier(
                credentials,
                extra=[feed.subscription],
                on_up=feed.up,
                on_down=feed.down,
                connect_timeout=self._connect_timeout,
            )
            await self._carrier.start(system, on_frame, on_event)
            if credentials.is_directory:
                self._directory = DirectoryService(
                    credentials,
                    system,
                    self._carrier.probe_system,
                    feed.machine,
                    patience=self._patience,
                    connect_timeout=self._connect_timeout,
                )
                await self._directory.start()
            if credentials.is_directory and credentials.servers_together > 1:
                self._join_timeout = max(self._join_timeout, _MAJORITY)
            await self._wait_until_joined(feed)
        except BaseException:
            await self.stop()
            raise

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        return self._carrier is not None and self._carrier.send(peer, lane, frame)

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        return self._carrier is not None and self._carrier.send_any(role, lane, frame)

    def broadcast(self, lane: int, frame: bytes) -> bool:
        return self._carrier is not None and self._carrier.broadcast(lane, frame)

    async def probe(self, peer: str, timeout: float) -> Verdict:
        return Verdict.SILENT if self._carrier is None else await self._carrier.probe(peer, timeout)

    def announce(self, capabilities: Mapping[str, object], processes: Sequence[int], load: float) -> None:
        self._offer = dict(capabilities), tuple(processes), load
        if self._feed is not None:
            self._feed.offer(*self._offer)

    def ask_names(self, request: Request) -> None:
        if self._feed is not None:
            self._feed.ask_names(request)

    async def leave(self) -> None:
        if self._feed is not None:
            await self._feed.leave()

    async def stop(self) -> None:
        restart, self._server_restart = self._server_restart, None
        if restart is not None:
            restart.cancel()
            await asyncio.gather(restart, return_exceptions=True)
        directory, self._directory = self._directory, None
        feed, self._feed = self._feed, None
        carrier, self._carrier = self._carrier, None
        server, self._server = self._server, None
        if feed is not None:
            await feed.stop()
        if directory is not None:
            await directory.stop()
        if carrier is not None:
            await carrier.stop()
        if server is not None:
            server.exited = None
            await server.stop()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _client(self) -> Client | None:
        return None if self._carrier is None else self._carrier.client

    def _look_elsewhere(self, why: str) -> None:
        if self._carrier is not None:
            self._carrier.look_elsewhere(why)

    async def _wait_until_joined(self, feed: MemberFeed) -> None:
        try:
            async with asyncio.timeout(self._join_timeout):
                await feed.joined.wait()
        except TimeoutError:
            raise EngineError(
                f"no directory system of the convention accepted {self._system} within {self._join_timeout:g} s",
                hint="is the system that holds the role 'directory' running? Of several, most have to",
            ) from None

    def _members(self, delta: Delta) -> None:
        self._on_members(delta)
        for event in events_of(delta, name_of(self._system)):
            self._on_event(event)

    def _names_answered(self, reply: Reply) -> None:
        self.on_names(reply)

    def _shunned(self, why: str) -> None:
        self._on_event(Refused("join", why))

    def _server_died(self, code: int) -> None:
        if self._server_restart is None or self._server_restart.done():
            self._server_restart = asyncio.create_task(self._restart_server(code), name="garrick-server-restart")

    async def _restart_server(self, code: int) -> None:
        """Bring the server back on its port; the carrier reconnects by itself."""
        server = self._server
        wait = 0.05
        while server is not None and server is self._server:
            try:
                await server.stop()
                await server.start()
                return
            except EngineError as error:
                self._on_event(Refused("server", f"it ended with {code} and does not come back: {error}"))
                await asyncio.sleep(wait)
                wait = min(wait * 2, 2.0)


def _nobody(*_arguments: object) -> None:
    """Before start nobody listens."""
