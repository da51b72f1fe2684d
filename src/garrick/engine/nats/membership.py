"""A member's connection to the feed: runs the pure `Follower` over the carrier's connection. Decides nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import nats.errors

from garrick.engine import follower as machine
from garrick.engine.feedcodec import decode_delta, decode_snapshot, encode_member
from garrick.engine.membership import Delta, Member
from garrick.engine.names import Reply, Request
from garrick.engine.namescodec import decode_reply, encode_request
from garrick.engine.nats.connection import Subscription
from garrick.engine.silence import Silence
from garrick.errors import EngineError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg


__all__ = ["MemberFeed"]

_log = logging.getLogger("garrick.engine")
_ANSWER = 1.0  # seconds; a directory that is there answers in a millisecond
_SNAPSHOT = 5.0
_LISTEN = 2.0


class MemberFeed:
    """Joins, keeps the session, tells the changes.

    Args:
        namespace: the convention.
        system: own id.
        client: gives the live client or None.
        on_members: told every change.
        on_shunned: told why the directory does not let us in.
        on_names: told what the authority over names answers.
        elsewhere: look for another server: nothing is heard of a directory by this one. None: there is no other.
    """

    def __init__(
        self,
        namespace: str,
        system: str,
        client: Callable[[], Client | None],
        on_members: Callable[[Delta], None],
        on_shunned: Callable[[str], None],
        on_names: Callable[[Reply], None],
        elsewhere: Callable[[str], None] | None = None,
    ) -> None:
        self._namespace = namespace
        self._name = system.partition("@")[0]
        self._client = client
        self._on_members = on_members
        self._on_shunned = on_shunned
        self._on_names = on_names
        self.machine = machine.Follower(system)
        self.joined = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._elsewhere = elsewhere
        self._silence = Silence(system)
        self._listening: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def subscription(self) -> Subscription:
        return Subscription(f"{self._namespace}.m.delta", self._heard)

    def offer(self, capabilities: dict[str, object], processes: tuple[int, ...], load: float) -> None:
        """Raises `TypeError` or `ValueError` if the capabilities are no plain data."""
        offer = machine.Offer(capabilities, processes, load)
        encode_member(Member(self.machine.system, 0, capabilities, processes, load))
        self._feed(offer)

    def ask_names(self, request: Request) -> None:
        """Speak to the authority over names."""
        if not self._stopped:
            self._spawn(self._names(encode_request(request)))

    def up(self) -> None:
        if self._elsewhere is not None:
            self._silence.connected(asyncio.get_running_loop().time())
            self._listen()
        self._feed(machine.Connected())

    def down(self) -> None:
        self._silence.disconnected()
        self._feed(machine.Disconnected())

    async def leave(self) -> None:
        """Say good-bye and wait for the directory to have heard it, but not for long."""
        self._feed(machine.Leave())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_ANSWER)

    async def stop(self) -> None:
        self._stopped = True
        for timer in (self._timer, self._listening):
            if timer is not None:
                timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _feed(self, event: machine.Event) -> None:
        if self._stopped:
            return
        loop = asyncio.get_running_loop()
        for effect in self.machine.handle(event, loop.time()):
            match effect:
                case machine.Tell(delta):
                    self._on_members(delta)
                case machine.Announce(member):
                    self._spawn(self._announce(encode_member(member)))
                case machine.AskSnapshot():
                    self._spawn(self._snapshot())
                case machine.GoodBye(system, session):
                    self._spawn(self._say(b"g", [system, session]))
                case machine.Object(system, session):
                    self._spawn(self._say(b"o", [system, session]))
                case machine.Shunned(why):
                    self._on_shunned(why)
        if self.machine.joined:
            self.joined.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake := self.machine.next_wake()) is not None:
            self._timer = loop.call_at(max(loop.time() + 0.001, wake), self._feed, machine.Tick())

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        if self._listening is not None:
            self._listening.cancel()
        self._listening = None if self._stopped else loop.call_later(_LISTEN, self._listen)
        if self._elsewhere is not None and self._silence.is_too_long(loop.time()):
            self._silence.disconnected()
            self._elsewhere("nothing is heard of a directory")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _heard(self, message: Msg) -> None:
        try:
            delta = decode_delta(message.data)
            if not self.machine.is_stale(delta.epoch):
                self._silence.heard(asyncio.get_running_loop().time())
            self._feed(delta)
        except WireError as error:
            _log.warning("the directory sent something that is no delta: %s", error)

    async def _request(self, subject: str, data: bytes, timeout: float) -> bytes:
        client = self._client()
        if client is None:
            raise EngineError("not connected")
        answer = await client.request(f"{self._namespace}.m.{subject}", data, timeout)
        return answer.data

    async def _announce(self, data: bytes) -> None:
        try:
            answer = await self._request(f"up.{self._name}", b"a" + data, _ANSWER)
            accepted, session, why, epoch = json.loads(answer)
            self._feed(machine.Answered(bool(accepted), int(session), str(why), str(epoch)))
        except (nats.errors.Error, EngineError, OSError, ValueError, TypeError) as error:
            _log.debug("no directory answered the announcement: %r", error)
            self._feed(machine.Unanswered("announce"))

    async def _snapshot(self) -> None:
        try:
            self._feed(decode_snapshot(await self._request("snap", b"", _SNAPSHOT)))
        except (nats.errors.Error, EngineError, OSError, WireError) as error:
            _log.debug("no snapshot of the members: %r", error)
            self._feed(machine.Unanswered("snapshot"))

    async def _names(self, data: bytes) -> None:
        try:
            reply = decode_reply(await self._request(f"up.{self._name}", b"n" + data, _ANSWER))
            if not self.machine.is_stale(reply.epoch):
                self._on_names(reply)
        except (nats.errors.Error, EngineError, OSError, WireError) as error:
            _log.debug("no authority over names answered: %r", error)

    async def _say(self, kind: bytes, body: list[object]) -> None:
        try:
            if kind == b"g":
                await self._request(f"up.{self._name}", kind + json.dumps(body).encode(), _ANSWER)
            elif (client := self._client()) is not None:
                await client.publish(f"{self._namespace}.m.up.{self._name}", kind + json.dumps(body).encode())
        except (nats.errors.Error, EngineError, OSError) as error:
            _log.debug("nobody heard %r of %s: %r", kind, self._name, error)
