"""The directory: the one system that decides who takes part, as a pure machine.

Owns the list of members, its versions, and the verdicts on those who fall silent. Sans-IO: `handle(event, now)` gives
effects; time is a float of seconds. Must not know NATS, only what a server of the engine reports: connections opened and
closed, with the system id that each of them carries.

How a member ends (`Patience` holds the times):

* It says good-bye: `Left` at once.
* Its last connection ends: `Suspected` at once; after a grace long enough for a reconnection it is probed, and unless
  it answers it is `Lost`. Certain only if the connection was closed by its own side and nobody is subscribed any more.
* The servers or the directory itself were restarted: everybody is in doubt without a word, and has `settle` seconds to
  come back. Until then the feed says `settled: False` and nobody concludes anything from an absence.
* Another incarnation of the same name announces itself and the old one has no connection: lost, for certain.

Invariants: a (system, session) that was reported `Left` or `Lost` never joins again, the member has to take a higher
session; versions grow by one with each published delta; what a snapshot holds is the sum of all deltas up to its version.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from garrick.buggify import buggify
from garrick.engine.carrier import Verdict, name_of
from garrick.engine.feedcodec import digest_of
from garrick.engine.membership import (
    Change,
    Delta,
    Joined,
    Left,
    Lost,
    Member,
    Restored,
    Snapshot,
    Suspected,
    Updated,
)
from garrick.engine.names import Authority
from garrick.engine.names import Reply as NamesReply
from garrick.engine.names import Request as NamesRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Announced",
    "Answer",
    "Asked",
    "Closed",
    "Count",
    "Deaf",
    "Directory",
    "Effect",
    "Event",
    "Interrupted",
    "Leaving",
    "NamesAnswer",
    "NamesAsked",
    "Objected",
    "Opened",
    "Patience",
    "Present",
    "Probe",
    "Probed",
    "Publish",
    "Reply",
    "Tick",
    "Vanished",
]


@dataclass(frozen=True)
class Patience:
    """Seconds."""

    closed: float = 1.0
    """Grace after a connection was closed by the member's side: its process died, or it is just reconnecting."""
    stale: float = 0.5
    """Grace after the server gave a member up: that took the server two pings already."""
    settle: float = 2.0
    """Grace for everybody after a restart of the servers; twice as long after one of the directory."""
    settle_each: float = 0.002
    """More of it for each member: thousands do not come back at once."""
    unseen: float = 2.0
    """How long an announcement may go without a connection that the server has reported."""
    probe: float = 1.0
    """Bound of one probe."""
    publish: float = 0.05
    """Changes within this time travel in one delta."""
    publish_each: float = 0.0004
    """More of it for each member: each delta goes to all of them."""
    beat: float = 2.0
    """An empty delta at least this often, so that a lost one is noticed."""
    count: float = 30.0
    """All connections are counted this often, in case a report got lost."""


# -- events: what happened ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Announced:
    """`name` is who the engine says it is; the rest is what it says itself. `token` leads the answer back."""

    name: str
    member: Member
    token: object


@dataclass(frozen=True)
class Leaving:
    """A member says good-bye."""

    name: str
    system: str
    session: int
    token: object


@dataclass(frozen=True)
class Objected:
    """A member was told, perhaps by an earlier directory, that this session is over, and now sees it join."""

    system: str
    session: int


@dataclass(frozen=True)
class Asked:
    """Somebody wants a snapshot."""

    token: object


@dataclass(frozen=True)
class NamesAsked:
    """A system speaks about names that are unique in the convention."""

    name: str
    request: NamesRequest
    token: object


@dataclass(frozen=True)
class Opened:
    """A server reports a connection of a system."""

    connection: str
    system: str


@dataclass(frozen=True)
class Closed:
    """A server reports the end of a connection. `by_peer`: the system's own side closed it."""

    connection: str
    by_peer: bool
    why: str


@dataclass(frozen=True)
class Vanished:
    """One of several servers is gone, without a word about its connections (whose ids begin with its own)."""

    server: str


@dataclass(frozen=True)
class Present:
    """All connections there are now: connection → system."""

    connections: Mapping[str, str]


@dataclass(frozen=True)
class Probed:
    """The outcome of `Probe`; `system` is the id of whoever answered."""

    name: str
    verdict: Verdict
    system: str = ""


@dataclass(frozen=True)
class Deaf:
    """Our own ear at the servers is off: until `Interrupted` nobody is judged."""


@dataclass(frozen=True)
class Interrupted:
    """Our own ear at the servers is on again: meanwhile anything may have happened."""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = (
    Announced
    | Leaving
    | Objected
    | Asked
    | NamesAsked
    | Opened
    | Closed
    | Vanished
    | Present
    | Probed
    | Deaf
    | Interrupted
    | Tick
)


# -- effects: what to do -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """To an announcement or good-bye. Refused: `session` is the lowest one that may be tried; 0: not now at all."""

    token: object
    accepted: bool
    session: int
    why: str = ""
    epoch: str = ""


@dataclass(frozen=True)
class Reply:
    """A snapshot for who asked."""

    token: object
    snapshot: Snapshot


@dataclass(frozen=True)
class NamesAnswer:
    """The authority over names has decided."""

    token: object
    reply: NamesReply


@dataclass(frozen=True)
class Publish:
    """Tell everybody."""

    delta: Delta


@dataclass(frozen=True)
class Probe:
    """Find out whether anybody is subscribed under this name, within `within` seconds; answer with `Probed`."""

    name: str
    within: float


@dataclass(frozen=True)
class Count:
    """Ask the servers for all connections; answer with `Present`."""


Effect = Answer | Reply | NamesAnswer | Publish | Probe | Count


# -- the machine -------------------------------------------------------------------------------------------------------

_REMEMBERED = 20_000  # sessions that are over; the oldest are forgotten


@dataclass
class _Doubt:
    deadline: float
    by_peer: bool
    why: str
    told: bool  # the feed says "suspected"
    probing: bool = False


@dataclass
class _Record:
    member: Member
    connections: set[str] = field(default_factory=set)
    doubt: _Doubt | None = None


class Directory:
    """See the module.

    Args:
        epoch: names this start of the directory and must differ from all others, e.g. its incarnation.
        now: when it begins.
        patience: with members that are silent.
        term: greater than that of every start before; names that are unique in the convention are granted under it.
        before: what is known of an earlier directory that this one takes over from. Members who know as much go on with what they have:
            they need not announce themselves again, nor ask for a snapshot.
    """

    def __init__(
        self,
        epoch: str,
        now: float,
        patience: Patience | None = None,
        *,
        term: int = 1,
        before: Snapshot | None = None,
    ) -> None:
        self.epoch = epoch
        self.version = 0
        self._after: tuple[str, int, int] | None = None
        self.patience = patience or Patience()
        self.names = Authority(term, now)
        self._records: dict[str, _Record] = {}
        self._connections: dict[str, str] = {}
        self._connected: dict[str, set[str]] = {}  # the same by system
        self._doubts: list[tuple[float, int, str, _Doubt]] = []  # a heap; entries whose doubt is over are skipped
        self._doubted = 0
        self._askers: list[object] = []
        self._over: OrderedDict[str, int] = OrderedDict()
        self._changes: list[Change] = []
        self._settled_at: float | None = now + 2 * self.patience.settle
        self._next_beat = now
        self._next_count = now
        self._published_at = float("-inf")
        self._deaf = False
        self._snapshot: Snapshot | None = None
        if before is not None:
            self._take_over(before, now)

    @property
    def settled(self) -> bool:
        """False: an absence means nothing yet."""
        return self._settled_at is None

    @property
    def members(self) -> dict[str, Member]:
        return {name: record.member for name, record in self._records.items()}

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event in, effects out."""
        out: list[Effect] = []
        match event:
            case Announced():
                out.append(self._announced(event, now))
            case Leaving():
                out.append(self._leaving(event))
                self._flush(now, out)
            case Objected(system, session):
                self._objected(system, session)
            case Asked(token):
                self._askers.append(token)  # answered with the next version, or at once if nothing has changed
            case NamesAsked(name, request, token):
                reply = self.names.decide(request, now) if name_of(request.system) == name else None
                return [] if reply is None else [NamesAnswer(token, replace(reply, epoch=self.epoch))]
            case Opened(connection, system):
                self._opened(connection, system)
            case Closed(connection, by_peer, why):
                self._closed(connection, now, by_peer=by_peer, why=why)
            case Vanished(server):
                # Time for its clients to find another server, as after a restart of the only one.
                grace = self.patience.settle + self.patience.settle_each * len(self._records)
                for connection in sorted(c for c in self._connections if c.startswith(f"{server}:")):
                    self._closed(connection, now, by_peer=False, why="its server is gone", grace=grace)
            case Present(connections):
                self._present(connections, now)
            case Probed():
                self._probed(event, now, out)
            case Deaf():
                self._deaf = True
            case Interrupted():
                self._deaf = False
                self._interrupted(now)
            case Tick():
                pass
        self._pass_time(now, out)
        return out

    def next_wake(self) -> float:
        """When a `Tick` is due."""
        times = [self._next_count]
        times.append(self._publish_at if self._changes else self._next_beat)
        if self._settled_at is not None:
            times.append(self._settled_at)
        self._skip_settled_doubts()
        if self._doubts and not self._deaf:
            times.append(self._doubts[0][0])
        return min(times)

    @property
    def _publish_at(self) -> float:
        return self._published_at + self.patience.publish + self.patience.publish_each * len(self._records)

    def snapshot(self) -> Snapshot:
        """The list as of the last published version."""
        known = self._snapshot
        if known is None or (known.version, known.settled) != (self.version, self.settled):
            known = self._snapshot = self._list()
        return known

    def _list(self) -> Snapshot:
        return Snapshot(
            self.epoch,
            self.version,
            self.settled,
            tuple(record.member for record in self._records.values()),
            tuple(
                (record.member.system, record.doubt.why)
                for record in self._records.values()
                if record.doubt and record.doubt.told
            ),
        )

    def _take_over(self, before: Snapshot, now: float) -> None:
        # Nobody is trusted before a connection of it was seen, and nobody judged before there was time for it.
        self.version, self._after = before.version, (before.epoch, before.version, digest_of(before.members))
        suspected = dict(before.suspected)
        for member in before.members:
            self._records[name_of(member.system)] = _Record(member)
        self._interrupted(now)
        for record in self._records.values():
            if record.member.system in suspected and record.doubt is not None:
                record.doubt.told, record.doubt.why = True, suspected[record.member.system]

    def _delta(self, changes: tuple[Change, ...]) -> Delta:
        return Delta(self.epoch, self.version, changes, self.settled, self._after)

    # -- members speak ------------------------------------------------------------------------------------------------

    def _announced(self, event: Announced, now: float) -> Answer:
        member, name = event.member, event.name
        if name_of(member.system) != name:
            return self._answer(event.token, False, 0, f"{member.system} is not a system of {name}")
        over = self._over.get(member.system, 0)
        if member.session <= over:
            return self._answer(event.token, False, over + 1, "this session was declared over")
        record = self._records.get(name)
        if record is not None and record.member.system != member.system:
            if record.connections:
                return self._answer(event.token, False, 0, f"{record.member.system} is connected under this name")
            self._lose(name, certain=True, why=f"replaced by {member.system}")
            record = None
        elif record is not None and member.session != record.member.session:
            if member.session < record.member.session:
                return self._answer(event.token, False, record.member.session, "a later session is known")
            self._lose(name, certain=False, why="began a new session")
            record = None
        if record is None:
            record = self._records[name] = _Record(member)
            record.connections = set(self._connected.get(member.system, ()))
            self._changes.append(Joined(member))
            if not record.connections:
                self._doubt(record, _Doubt(now + self.patience.unseen, False, "never seen connected", told=False))
        elif record.member != member:
            record.member = member
            self._changes.append(Updated(member))
        return self._answer(event.token, True, member.session)

    def _answer(self, token: object, accepted: bool, session: int, why: str = "") -> Answer:
        return Answer(token, accepted, session, why, self.epoch)

    def _leaving(self, event: Leaving) -> Answer:
        record = self._records.get(event.name)
        if record is not None and (record.member.system, record.member.session) == (event.system, event.session):
            del self._records[event.name]
            self._bury(event.system, event.session)
            self._changes.append(Left(event.system, event.session))
        return self._answer(event.token, True, event.session)

    def _objected(self, system: str, session: int) -> None:
        record = self._records.get(name_of(system))
        if record is not None and record.member.system == system and record.member.session <= session:
            self._lose(name_of(system), certain=False, why="was declared lost before")
        self._bury(system, session)

    # -- servers report -----------------------------------------------------------------------------------------------

    def _opened(self, connection: str, system: str) -> None:
        self._connections[connection] = system
        self._connected.setdefault(system, set()).add(connection)
        record = self._records.get(name_of(system))
        if record is not None and record.member.system == system:
            record.connections.add(connection)
            self._trust(record)

    def _closed(self, connection: str, now: float, *, by_peer: bool, why: str, grace: float | None = None) -> None:
        system = self._connections.pop(connection, None)
        if system is None:
            return
        ways = self._connected[system]
        ways.discard(connection)
        if not ways:
            del self._connected[system]
        record = self._records.get(name_of(system))
        if record is None or connection not in record.connections:
            return
        record.connections.discard(connection)
        if not record.connections:
            if grace is None:
                grace = self.patience.closed if by_peer else self.patience.stale
            self._doubt(record, _Doubt(now + grace, by_peer, why, told=True))

    def _present(self, connections: Mapping[str, str], now: float) -> None:
        self._next_count = now + self.patience.count
        gone = self._connections.keys() - connections.keys()
        for connection in sorted(gone):
            self._closed(connection, now, by_peer=False, why="its connection is gone")
        for connection, system in connections.items():
            if connection not in self._connections:
                self._opened(connection, system)

    def _interrupted(self, now: float) -> None:
        # Connections to a server that was restarted ended without a report.
        self._connections.clear()
        self._connected.clear()
        until = now + self.patience.settle + self.patience.settle_each * len(self._records)
        self._settled_at = until
        self._next_count = now
        for record in self._records.values():
            record.connections.clear()
            why = record.doubt.why if record.doubt is not None and record.doubt.told else "did not come back"
            self._doubt(record, _Doubt(until, False, why, told=False))

    def _probed(self, event: Probed, now: float, out: list[Effect]) -> None:
        record = self._records.get(event.name)
        if record is None or record.doubt is None or not record.doubt.probing or self._deaf:
            return
        if event.verdict is Verdict.REACHED and event.system == record.member.system:
            # It lives, so we missed the report of its connection: the count will show it.
            if record.connections:
                self._trust(record)
            else:
                self._doubt(record, replace(record.doubt, deadline=now + self.patience.unseen, probing=False))
                out.append(Count())
        elif event.verdict is Verdict.REACHED:
            self._lose(event.name, certain=True, why=f"replaced by {event.system}")
        else:
            self._lose(event.name, certain=record.doubt.by_peer and event.verdict is Verdict.NOBODY)

    # -- verdicts -----------------------------------------------------------------------------------------------------

    def _doubt(self, record: _Record, doubt: _Doubt) -> None:
        already = record.doubt is not None and record.doubt.told
        if doubt.told and not already:
            self._changes.append(Suspected(record.member.system, record.member.session, doubt.why))
        doubt.told = doubt.told or already
        record.doubt = doubt
        self._doubted += 1
        heapq.heappush(self._doubts, (doubt.deadline, self._doubted, name_of(record.member.system), doubt))

    def _skip_settled_doubts(self) -> None:
        while self._doubts:
            _, _, name, doubt = self._doubts[0]
            record = self._records.get(name)
            if record is not None and record.doubt is doubt:
                return
            heapq.heappop(self._doubts)

    def _trust(self, record: _Record) -> None:
        if record.doubt is not None and record.doubt.told:
            self._changes.append(Restored(record.member.system, record.member.session))
        record.doubt = None

    def _lose(self, name: str, *, certain: bool, why: str = "") -> None:
        record = self._records.pop(name)
        reason = why or (record.doubt.why if record.doubt else "")
        self._bury(record.member.system, record.member.session)
        self._changes.append(Lost(record.member.system, record.member.session, certain, reason))

    def _bury(self, system: str, session: int) -> None:
        self._over[system] = max(session, self._over.pop(system, 0))
        while len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)

    # -- time ---------------------------------------------------------------------------------------------------------

    def _pass_time(self, now: float, out: list[Effect]) -> None:
        self._skip_settled_doubts()
        while self._doubts and not self._deaf and self._doubts[0][0] <= now:
            _, _, name, doubt = heapq.heappop(self._doubts)
            if doubt.probing:
                self._lose(name, certain=False)
            else:
                deadline = now + self.patience.probe + 0.5
                self._doubt(self._records[name], replace(doubt, deadline=deadline, probing=True))
                out.append(Probe(name, self.patience.probe))
            self._skip_settled_doubts()
        if self._settled_at is not None and now >= self._settled_at:
            self._settled_at = self._after = None
            self._next_beat = now
        if now >= self._next_count:
            self._next_count = now + self.patience.count
            out.append(Count())
        if self._changes and now >= self._publish_at:
            if buggify("directory.late delta"):
                self._published_at = now
            else:
                self._flush(now, out)
        elif now >= self._next_beat and not self._changes:
            self._next_beat = now + self.patience.beat
            out.append(Publish(self._delta(())))
        if self._askers and not self._changes:
            snapshot = self.snapshot()
            out += [Reply(token, snapshot) for token in self._askers]
            self._askers = []

    def _flush(self, now: float, out: list[Effect]) -> None:
        if not self._changes:
            return
        self.version += 1
        self._published_at = now
        self._next_beat = now + self.patience.beat
        out.append(Publish(self._delta(_squeezed(self._changes))))
        self._changes = []


def _squeezed(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Of several updates of one member only the last counts; everything else keeps its place."""
    last: dict[str, int] = {}
    kept: list[Change | None] = []
    for change in changes:
        if isinstance(change, Updated):
            before = last.get(change.member.system)
            if before is not None:
                earlier = kept[before]
                kept[before] = replace(earlier, member=change.member) if isinstance(earlier, Joined | Updated) else None
                continue
            last[change.member.system] = len(kept)
        elif isinstance(change, Joined):
            last[change.member.system] = len(kept)
        else:
            last.pop(change.system, None)
        kept.append(change)
    return tuple(change for change in kept if change is not None)
