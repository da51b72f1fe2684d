"""The directory's ears and mouth: runs the pure `Directory` over NATS.

Where several systems share the role, only the one that holds their lease (`Candidacy`) has a machine; the others hear the same and keep
silent. Before every step it looks whether the lease still holds.

Owns two connections beside the system's own: one that serves the members, one in the servers' own account that hears of
every connection and its end. Decides nothing.

    <ns>.m.up.<member>    announcements, good-byes and objections; the server vouches for <member>
    <ns>.m.snap           requests for a snapshot
    <ns>.m.delta          what the directory publishes
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import nats.errors

from garrick.engine import directory as machine
from garrick.engine.carrier import Verdict, name_of
from garrick.engine.epochs import leased, term_of
from garrick.engine.feedcodec import SnapshotEncoder, decode_member, encode_delta
from garrick.engine.namescodec import decode_request, encode_reply
from garrick.engine.nats.candidacy import Candidacy
from garrick.engine.nats.connection import Connection, Identity, Subscription
from garrick.engine.nkeys import KeyPair, claims_of
from garrick.errors import BadCredentials, EngineError, WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg

    from garrick.engine.follower import Follower
    from garrick.engine.identity import Credentials

__all__ = ["DirectoryService"]

_log = logging.getLogger("garrick.engine")
_PAGE = 1024
_SERVERS = 1.0  # seconds between two questions to all servers whether they are there
_MISSED = 2
_QUIET = 0.15  # seconds without a further answer: all servers have counted
_BY_PEER = {"client closed", "read error"}  # the latter: a reset, when it died with something unread


class DirectoryService:
    """Serves the convention's list of members from this system.

    Args:
        credentials: with the role `directory`.
        system: own id; names this start of the directory.
        probe: asks a member's carrier; gives the verdict and the id of who answered.
        follower: what this system knows as a member: where it begins when it takes over from another one.
    """

    def __init__(
        self,
        credentials: Credentials,
        system: str,
        probe: Callable[[str, float], Awaitable[tuple[Verdict, str]]],
        follower: Follower,
        *,
        patience: machine.Patience | None = None,
        connect_timeout: float = 10.0,
    ) -> None:
        if credentials.system_user is None:
            raise BadCredentials(f"the credentials of {credentials.system} lack the directory's second identity")
        namespace, inbox = credentials.convention, f"_I.{credentials.system}"
        events = f"$SYS.ACCOUNT.{credentials.account}"
        user = credentials.system_user
        self._delta_subject = f"{namespace}.m.delta"
        self._count_subject = f"$SYS.REQ.ACCOUNT.{credentials.account}.CONNZ"
        self._probe = probe
        self._connect_timeout = connect_timeout
        self._machine: machine.Directory | None = None
        self._system = system
        self._patience = patience
        self._encoder = SnapshotEncoder()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._follower = follower
        self._deaf = False
        self._server_ids: dict[str, int] = {}
        """Servers that have answered -> how often they have not, since."""
        self._watch: asyncio.Task[None] | None = None
        self._servers_inbox = f"{inbox}.servers"
        self._candidacy: Candidacy | None = None
        if credentials.servers_together > 1:
            self._candidacy = Candidacy(
                system,
                namespace,
                credentials.servers_together,
                lambda: self._members.client,
                self._least_term,
                self._lead,
                self._step_down,
            )
        self._members = Connection(
            credentials,
            Identity(credentials.jwt, credentials.sign),
            f"{system}/directory",
            inbox,
            [
                Subscription(f"{namespace}.m.up.*", self._heard),
                Subscription(f"{namespace}.m.snap", self._asked),
            ],
            _Ear("members", self._members_up, _nothing),
        )
        signer = KeyPair.from_seed(user.seed)
        self._servers = Connection(
            credentials,
            Identity(user.jwt, lambda nonce: _signature(signer, nonce)),
            f"{system}/presence",
            inbox,
            [
                Subscription(f"{events}.CONNECT", self._opened),
                Subscription(f"{events}.DISCONNECT", self._closed),
                Subscription(self._servers_inbox, self._server_answered),
            ],
            _Ear("servers", self._servers_up, self._servers_down),
        )

    async def start(self) -> None:
        """Listen to the servers first, so that no connection of a member is missed.

        Raises `EngineError` if the convention has a directory already and can have only one.
        """
        await self._servers.start(self._connect_timeout)
        if self._candidacy is not None:
            await self._members.start(self._connect_timeout)
            self._watch = asyncio.create_task(self._watch_servers(), name="garrick-directory-servers")
            self._candidacy.start()
            return
        await self._refuse_a_second_one()
        loop = asyncio.get_running_loop()
        self._machine = machine.Directory(self._system, loop.time(), self._patience, term=int(time.time() * 1000))
        await self._members.start(self._connect_timeout)
        self._feed(machine.Tick())

    async def stop(self) -> None:
        if self._candidacy is not None:
            await self._candidacy.stop()
        self._machine = None
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._members.stop()
        await self._servers.stop()

    async def _refuse_a_second_one(self) -> None:
        # One that was just killed may still be listed until the server's pings have missed it.
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 4.0
        while True:
            others = {s for s in (await self._count()).values() if s.endswith("/directory")}
            others.discard(f"{self._system}/directory")
            if not others:
                return
            if loop.time() > deadline:
                raise EngineError(
                    f"the convention already has a directory system: {min(others).partition('/')[0]}",
                    hint="start this system with credentials without the role 'directory'",
                )
            await asyncio.sleep(0.2)

    # -- one of several -----------------------------------------------------------------------------------------------

    def _least_term(self) -> int:
        # The clock, in case that the store has forgotten; what we have heard, in case that the clock was set back.
        return max(int(time.time() * 1000), term_of(self._follower.epoch) + 1)

    def _lead(self, term: int) -> None:
        now = asyncio.get_running_loop().time()
        self._machine = machine.Directory(
            leased(term, self._system), now, self._patience, term=term, before=self._follower.snapshot()
        )
        self._server_ids.clear()
        self._feed(machine.Deaf() if self._deaf else machine.Tick())

    def _step_down(self, why: str) -> None:
        del why
        self._machine = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _watch_servers(self) -> None:
        """A server that is killed takes its clients along without a word: ask all of them whether they are there."""
        while True:
            await asyncio.sleep(_SERVERS)
            client = self._servers.client
            if client is None or self._machine is None:
                self._server_ids.clear()
                continue
            for server in [s for s, missed in self._server_ids.items() if missed >= _MISSED]:
                del self._server_ids[server]
                self._feed(machine.Vanished(server))
            for server in self._server_ids:
                self._server_ids[server] += 1
            with contextlib.suppress(nats.errors.Error, OSError):
                await client.publish("$SYS.REQ.SERVER.PING.IDZ", b"", reply=self._servers_inbox)

    async def _server_answered(self, message: Msg) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self._server_ids[str(json.loads(message.data)["id"])] = 0

    # -- the machine --------------------------------------------------------------------------------------------------

    def _feed(self, event: machine.Event) -> None:
        if self._candidacy is not None and not self._candidacy.leads():
            return
        if self._machine is None:
            return
        loop = asyncio.get_running_loop()
        for effect in self._machine.handle(event, loop.time()):
            match effect:
                case machine.Publish(delta):
                    self._spawn(self._publish(self._delta_subject, encode_delta(delta)))
                case machine.Answer(token, accepted, session, why, epoch):
                    assert isinstance(token, str)
                    self._spawn(self._publish(token, json.dumps([accepted, session, why, epoch]).encode()))
                case machine.Reply(token, snapshot):
                    assert isinstance(token, str)
                    self._spawn(self._publish(token, self._encoder.encode(snapshot)))
                case machine.NamesAnswer(token, reply):
                    assert isinstance(token, str)
                    self._spawn(self._publish(token, encode_reply(reply)))
                case machine.Probe(name, within):
                    self._spawn(self._find_out(name, within))
                case machine.Count():
                    self._spawn(self._count_all())
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(max(loop.time() + 0.001, self._machine.next_wake()), self._feed, machine.Tick())

    def _spawn(self, work: Any) -> None:
        # Tasks start in the order in which they were made, and publishing appends before it waits: order is kept.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, subject: str, data: bytes) -> None:
        client = self._members.client
        if client is None or not subject:
            return  # everybody fetches a snapshot when the connection is back
        try:
            await client.publish(subject, data)
        except (nats.errors.Error, OSError) as error:
            self._members.break_off(f"publishing failed: {error!r}")

    async def _find_out(self, name: str, within: float) -> None:
        verdict, system = await self._probe(name, within)
        if verdict is not Verdict.SILENT or self._members.up:  # our own silence says nothing about a member
            self._feed(machine.Probed(name, verdict, system))

    async def _count_all(self) -> None:
        counted = await self._count()
        members = {c: s for c, s in counted.items() if "/" not in s}
        if counted:  # our own two are always there: an empty answer means that nobody answered
            self._feed(machine.Present(members))

    async def _count(self) -> dict[str, str]:
        """All connections of the members' account at all servers: connection → label."""
        client = self._servers.client
        if client is None:
            return {}
        found: dict[str, str] = {}
        offset = 0
        inbox = client.new_inbox()
        try:
            answers = await client.subscribe(inbox)
            try:
                while True:
                    request = {"auth": True, "limit": _PAGE, "offset": offset}
                    await client.publish(self._count_subject, json.dumps(request).encode(), reply=inbox)
                    full = False
                    with contextlib.suppress(nats.errors.TimeoutError):
                        while True:
                            message = await answers.next_msg(timeout=_QUIET)
                            full |= _count_page(json.loads(message.data), found)
                    if not full:
                        return found
                    offset += _PAGE
            finally:
                await answers.unsubscribe()
        except (nats.errors.Error, OSError, ValueError, KeyError) as error:
            _log.warning("counting the connections of the convention failed: %r", error)
            return {}

    # -- members speak ------------------------------------------------------------------------------------------------

    def _members_up(self, *, again: bool) -> None:
        if again:
            self._feed(machine.Tick())

    async def _heard(self, message: Msg) -> None:
        name = message.subject.rpartition(".")[2]
        try:
            kind, body = message.data[:1], message.data[1:]
            if kind == b"a":
                self._feed(machine.Announced(name, decode_member(body), message.reply))
                return
            if kind == b"n":
                self._feed(machine.NamesAsked(name, decode_request(body), message.reply))
                return
            system, session = json.loads(body)
            if kind == b"g" and name_of(system) == name:
                self._feed(machine.Leaving(name, system, int(session), message.reply))
            elif kind == b"o":
                self._feed(machine.Objected(str(system), int(session)))
        except (WireError, ValueError, TypeError) as error:
            _log.warning("%s sent something that is no announcement: %s", name, error)

    async def _asked(self, message: Msg) -> None:
        if message.reply:
            self._feed(machine.Asked(message.reply))

    # -- servers report -----------------------------------------------------------------------------------------------

    def _servers_up(self, *, again: bool) -> None:
        self._deaf = False
        if again:
            self._feed(machine.Interrupted())

    def _servers_down(self) -> None:
        self._deaf = True
        self._feed(machine.Deaf())

    async def _opened(self, message: Msg) -> None:
        event = json.loads(message.data)
        label = _label(event["client"])
        if label and "/" not in label:
            self._feed(machine.Opened(_connection(event["server"], event["client"]), label))

    async def _closed(self, message: Msg) -> None:
        event = json.loads(message.data)
        reason = str(event.get("reason", ""))
        connection = _connection(event["server"], event["client"])
        self._feed(machine.Closed(connection, reason.lower() in _BY_PEER, reason))


class _Ear:
    """Listens to one of the two connections; only its return matters."""

    def __init__(self, what: str, up: Callable[..., None], down: Callable[[], None]) -> None:
        self._what = what
        self._up = up
        self._down = down

    def connection_up(self, *, again: bool) -> None:
        self._up(again=again)

    def connection_down(self, why: str) -> None:
        _log.info("the directory's connection to the %s is down: %s", self._what, why)
        self._down()

    def connection_refused(self, subject: str, why: str) -> None:
        _log.error("the directory was refused %s: %s", subject, why)

    def connection_slow(self, why: str) -> None:
        _log.error("the directory is too slow: %s", why)


def _label(client: dict[str, Any]) -> str:
    """The label of a connection if its user may carry it: labels are free text, names of users are not."""
    label = str(client.get("name", ""))
    token = client.get("jwt")  # checked by the server; without its signature's secret it is of no use to anybody
    return label if token and claims_of(token).get("name") == name_of(label.partition("/")[0]) else ""


def _connection(server: dict[str, Any], client: dict[str, Any]) -> str:
    return f"{server['id']}:{client['id']}"


def _count_page(answer: dict[str, Any], found: dict[str, str]) -> bool:
    data = answer["data"]
    connections = data.get("connections") or []
    for connection in connections:
        if label := _label(connection):
            found[f"{answer['server']['id']}:{connection['cid']}"] = label
    return len(connections) >= _PAGE


def _signature(signer: KeyPair, nonce: str) -> bytes:
    import base64

    return base64.b64encode(signer.sign(nonce.encode()))


def _nothing() -> None:
    """The members' connection: what was not published is noticed by its version."""
