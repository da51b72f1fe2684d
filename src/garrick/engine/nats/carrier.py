"""Frames over NATS.

Owns the subjects of frames, the out-queue and its one writer. Must not know what frames contain or who is a member.

    <ns>.n.<to>.<from>.<lane>     to one system
    <ns>.r.<role>.<from>.<lane>   to one of the systems that hold a role (queue group)
    <ns>.b.<from>.<lane>          to all
    lane `p`                      a probe: whoever is there answers with its system id

The sender is a token of the subject, and the server lets a system publish under its own name only. While the connection
is down nothing is queued: `send` answers False, and the links resend after `Reset` anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

import nats.errors

from garrick.engine.carrier import (
    LANES,
    Caps,
    Cut,
    OnEvent,
    OnFrame,
    Refused,
    Reset,
    Slow,
    Verdict,
    Writable,
    name_of,
)
from garrick.engine.identity import check_name
from garrick.engine.nats.connection import Connection, Identity, Subscription, settled
from garrick.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from garrick.engine.identity import Credentials

__all__ = ["NatsCarrier"]

_PROBE = "p"
_QUEUE_BYTES = 16 * 1024 * 1024
_EVERYBODY = ""
_DRAIN = 10.0

CAPS = Caps(
    max_frame=1024 * 1024,
    reliable=False,
    ordered=True,
    peer_close_event=True,
    no_responder_event=True,
    window_hint=4 * 1024 * 1024,
)


class NatsCarrier:
    """See `garrick.engine.carrier.Carrier`.

    Args:
        credentials: of this system.
        extra: further subscriptions of the same connection (the feed of members).
        on_up: called before `Reset` each time the connection is up.
        connect_timeout: seconds for the first connection.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        extra: Sequence[Subscription] = (),
        on_up: Callable[[], None] | None = None,
        on_down: Callable[[], None] | None = None,
        connect_timeout: float = 10.0,
    ) -> None:
        self._credentials = credentials
        self._namespace = credentials.convention
        self._me = credentials.system
        self._extra = tuple(extra)
        self._on_up = on_up
        self._on_down = on_down
        self._connect_timeout = connect_timeout
        self._system = ""
        self._on_frame: OnFrame = _nobody
        self._on_event: OnEvent = _nobody
        self._connection: Connection | None = None
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued = 0
        self._blocked: set[str] = set()
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._routes: dict[str, tuple[str, int]] = {}
        self._subjects: dict[tuple[str, int], str] = {}

    @property
    def caps(self) -> Caps:
        return CAPS

    @property
    def client(self) -> Client | None:
        """The live client, for the feed of members, which shares the connection; None while disconnected."""
        return None if self._connection is None else self._connection.client

    async def start(self, system: str, on_frame: OnFrame, on_event: OnEvent) -> None:
        if name_of(system) != self._me:
            raise InvalidArgument(
                f"the credentials are those of {self._me!r}, not of {name_of(system)!r}",
                hint="start the system under the name that its credentials were issued for",
            )
        self._system, self._on_frame, self._on_event = system, on_frame, on_event
        subscriptions = [
            Subscription(f"{self._namespace}.n.{self._me}.>", self._received),
            Subscription(f"{self._namespace}.b.>", self._received),
            *(Subscription(f"{self._namespace}.r.{role}.>", self._received, role) for role in self._credentials.roles),
            *self._extra,
        ]
        self._connection = Connection(
            self._credentials,
            Identity(self._credentials.jwt, self._credentials.sign),
            system,
            f"_I.{self._me}",
            subscriptions,
            self,
        )
        await self._connection.start(self._connect_timeout)

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        subject = self._subjects.get((peer, lane))
        if subject is None:
            check_name(peer, "the system name")
            subject = self._subjects[peer, lane] = f"{self._namespace}.n.{peer}.{self._me}.{_checked(lane)}"
        return self._put(peer, subject, frame)

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        check_name(role, "the role")
        return self._put(_EVERYBODY, f"{self._namespace}.r.{role}.{self._me}.{_checked(lane)}", frame)

    def broadcast(self, lane: int, frame: bytes) -> bool:
        return self._put(_EVERYBODY, f"{self._namespace}.b.{self._me}.{_checked(lane)}", frame)

    def look_elsewhere(self, why: str) -> None:
        """Leave this server for another one."""
        if self._connection is not None:
            self._connection.break_off(why)

    async def probe(self, peer: str, timeout: float) -> Verdict:
        return (await self.probe_system(peer, timeout))[0]

    async def probe_system(self, peer: str, timeout: float) -> tuple[Verdict, str]:
        """Also tells the id of the system that answered."""
        client = self._connection.client if self._connection is not None else None
        if client is None:
            return Verdict.SILENT, ""
        subject = f"{self._namespace}.n.{peer}.{self._me}.{_PROBE}"
        try:
            answer = await client.request(subject, b"", timeout)
        except nats.errors.NoRespondersError:
            return Verdict.NOBODY, ""
        except (TimeoutError, nats.errors.Error, OSError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
                raise  # we were cancelled; otherwise it was the library's future, when the connection closed
            return Verdict.SILENT, ""
        return Verdict.REACHED, answer.data.decode(errors="replace")

    async def stop(self, drain: float = 1.0) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if drain > 0 and (client := connection.client) is not None:
            with contextlib.suppress(asyncio.TimeoutError, nats.errors.Error, OSError):
                await asyncio.wait_for(self._drain(client), drain)
        await self._stop_writer()
        await connection.stop()

    # -- the connection tells -----------------------------------------------------------------------------------------

    def connection_up(self, *, again: bool) -> None:
        assert self._connection is not None
        client = self._connection.client
        assert client is not None
        self._writer = asyncio.create_task(self._write(client), name="garrick-carrier-writer")
        if self._on_up is not None:
            self._on_up()
        if again:
            self._on_event(Reset())
            self._unblock()

    def connection_down(self, why: str) -> None:
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None
        self._queue.clear()
        self._queued = 0
        if self._on_down is not None:
            self._on_down()
        self._on_event(Cut(why))

    def connection_refused(self, subject: str, why: str) -> None:
        self._on_event(Refused(subject, why))

    def connection_slow(self, why: str) -> None:
        self._on_event(Slow(why))

    # -- out ----------------------------------------------------------------------------------------------------------

    def _put(self, peer: str, subject: str, frame: bytes) -> bool:
        if len(frame) > CAPS.max_frame:
            raise InvalidArgument(
                f"a frame of {len(frame)} bytes; the carrier takes {CAPS.max_frame}", hint="cut it into pieces"
            )
        if self._writer is None or self._queued >= _QUEUE_BYTES:
            self._blocked.add(peer)
            return False
        self._queue.append((subject, frame))
        self._queued += len(frame)
        self._wake.set()
        return True

    async def _write(self, client: Client) -> None:
        queue = self._queue
        try:
            while True:
                while queue:
                    subject, frame = queue.popleft()
                    # Waits when the socket is full; that is what fills our queue.
                    await client.publish(subject, frame)
                    self._queued -= len(frame)
                    if self._blocked and self._queued <= _QUEUE_BYTES // 2:
                        self._unblock()
                self._wake.clear()
                await self._wake.wait()
        except (nats.errors.Error, OSError) as error:
            if self._connection is not None:
                self._connection.break_off(f"writing failed: {error!r}")

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, set()
        for peer in sorted(blocked):
            self._on_event(Writable(peer))

    async def _drain(self, client: Client) -> None:
        while self._queue:
            await client.flush()  # a round trip to the server: the writer gets its turns meanwhile
        await settled(client, _DRAIN)

    async def _stop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    # -- in -----------------------------------------------------------------------------------------------------------

    async def _received(self, message: Msg) -> None:
        subject = message.subject
        route = self._routes.get(subject)
        if route is None:
            tokens = subject.split(".")
            sender, lane = tokens[-2], tokens[-1]
            if lane == _PROBE:
                if message.reply:
                    await message.respond(self._system.encode())
                return
            if not lane.isdigit() or int(lane) >= LANES:
                return  # a newer version's lane; the link repairs what it misses
            route = sender, int(lane)
            if len(self._routes) < 100_000:
                self._routes[subject] = route
        if route[0] == self._me and subject.startswith(f"{self._namespace}.b."):
            return  # our own broadcast
        self._on_frame(route[0], route[1], message.data)


def _checked(lane: int) -> int:
    if not 0 <= lane < LANES:
        raise InvalidArgument(f"there is no lane {lane}", hint=f"lanes are 0 to {LANES - 1}")
    return lane


def _nobody(*_arguments: object) -> None:
    """Before start nobody listens."""
