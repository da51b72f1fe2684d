"""One member's side of the feed, as a pure machine: it joins, and it keeps the list of members that the user sees.

Owns this system's session and the table of members. Sans-IO: `handle(event, now)` gives effects; time is a float of
seconds. Must not know how messages travel.

Invariants of what is told upward (`Tell`): for each name there is at most one member at a time; `Joined` comes first,
`Left` or `Lost` last, and exactly one of them for each session, whatever was lost, repeated or overtaken on the way;
a (system, session) that has ended never joins again. A system that was itself declared lost hears `Lost` of its own id,
then `Joined` with a higher session.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from garrick.buggify import buggify
from garrick.engine.backoff import Backoff
from garrick.engine.carrier import name_of
from garrick.engine.epochs import is_older
from garrick.engine.feedcodec import digest_of
from garrick.engine.lore import Over, Shared, Step, Table
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

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

__all__ = [
    "Announce",
    "Answered",
    "AskSnapshot",
    "Connected",
    "Disconnected",
    "Effect",
    "Event",
    "Follower",
    "GoodBye",
    "Leave",
    "Object",
    "Offer",
    "Shunned",
    "Tell",
    "Tick",
    "Unanswered",
]


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """What others may know of us."""

    capabilities: Mapping[str, object]
    processes: tuple[int, ...]
    load: float


@dataclass(frozen=True)
class Connected:
    """The connection is up (again)."""


@dataclass(frozen=True)
class Disconnected:
    """The connection is lost."""


@dataclass(frozen=True)
class Answered:
    """The directory's answer to `Announce`: see `directory.Answer`."""

    accepted: bool
    session: int
    why: str = ""
    epoch: str = ""


@dataclass(frozen=True)
class Unanswered:
    """No directory answered `what`: "announce" or "snapshot"."""

    what: str


@dataclass(frozen=True)
class Leave:
    """We want to go."""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Offer | Connected | Disconnected | Answered | Unanswered | Leave | Tick | Delta | Snapshot


# -- effects -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Announce:
    """To the directory; answer with `Answered` or `Unanswered`."""

    member: Member


@dataclass(frozen=True)
class GoodBye:
    """To the directory."""

    system: str
    session: int


@dataclass(frozen=True)
class AskSnapshot:
    """To the directory; answer with the `Snapshot` or `Unanswered`."""


@dataclass(frozen=True)
class Object:
    """To the directory: this session was declared over, it must not join."""

    system: str
    session: int


@dataclass(frozen=True)
class Tell:
    """To the user."""

    delta: Delta


@dataclass(frozen=True)
class Shunned:
    """To the user: the directory does not let us in, and why. We go on trying."""

    why: str


Effect = Announce | GoodBye | AskSnapshot | Object | Tell | Shunned

# -- the machine -------------------------------------------------------------------------------------------------------

_RETRY_FIRST = 0.1
_RETRY_LONGEST = 1.0
_LOAD_EVERY = 2.0  # load alone is published this often at most
_ALONE = 2.0  # without a connection for so long, everybody else is in doubt
_SHUNNED_AFTER = 5.0
_KEPT_DELTAS = 10_000


class Follower:
    """`system` is the own id, name@incarnation; `shared`: what all followers of this process know (see `lore`)."""

    def __init__(self, system: str, shared: Shared | None = None) -> None:
        self.system = system
        self._shared = shared
        self._table = shared.start if shared is not None else Table()
        self._succeeded = False
        """There was an earlier directory: its verdicts, which the present one need not know, count as well."""
        self._strayed = False
        """What it knows is not what the directory has said at this version."""
        self._stepping = False
        self._own: Table | None = None
        """A table that nobody else has, and that may be changed."""
        self.session = 1
        self.joined = False
        """The directory has accepted this session."""
        self.epoch = ""
        self.version = 0
        self._offer = Offer({}, (), 0.0)
        self._announced_at = float("-inf")
        self._announced: Offer | None = None
        self._announcing = False
        self._announcing_again = False
        self._retry_at: float | None = None
        self._retry_wait = Backoff(f"{system}/announce", _RETRY_FIRST, _RETRY_LONGEST)
        self._refused_since: float | None = None
        self._asking = False
        self._ask_at: float | None = None
        self._ask_wait = Backoff(f"{system}/ask", _RETRY_FIRST, _RETRY_LONGEST)
        self._later: OrderedDict[int, Delta] = OrderedDict()
        self._later_epoch = ""
        self._doubted_epoch = ""
        """A later epoch that a snapshot did not confirm; the next one decides."""
        self._unconfirmed: set[str] = set()
        self._over = Over()
        self._mine_over = 0
        """The highest own session that is over."""
        self._connected = False
        self._alone_at: float | None = None
        self._leaving = False

    @property
    def members(self) -> Mapping[str, Member]:
        """By name."""
        return self._table.members

    @property
    def suspected(self) -> AbstractSet[str]:
        """Ids of the members that are in doubt."""
        return self._table.suspected

    def is_stale(self, epoch: str) -> bool:
        """Whether a directory of this epoch has been succeeded by one that we know of: nothing that it says counts."""
        return is_older(epoch, self.epoch) or is_older(epoch, self._later_epoch)

    def snapshot(self) -> Snapshot | None:
        """All that the directory has said, for one who takes over from it; None: this is not known for certain."""
        if not self.epoch or self._unconfirmed:
            return None
        suspected = tuple((system, "suspected by an earlier directory") for system in sorted(self.suspected))
        return Snapshot(self.epoch, self.version, False, tuple(self.members.values()), suspected)

    def foresees(self, event: Event) -> tuple[Delta | None] | None:
        """What `handle` would tell the user of this event (None: nothing), if it would do nothing else; None: that is not known."""
        if (
            not isinstance(event, Delta)
            or event.epoch != self.epoch
            or self._later
            or self._unconfirmed
            or not self.joined
        ):
            return None
        if event.version == self.version and not event.changes:
            return (None,)
        step = self._table.next
        if (
            event.version == self.version + 1
            and step is not None
            and step.news is event
            and self.system not in step.ends
            and not self._objects_to(event)
        ):
            return (step.told,)
        return None

    def is_needless(self, event: Delta) -> bool:
        """Whether `handle` would do nothing at all with it, at any time: a heartbeat of the directory while everything is well."""
        return self.foresees(event) == (None,) and event.version == self.version and self.next_wake() is None

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event in, effects out."""
        out: list[Effect] = []
        match event:
            case Offer():
                self._offer = event
            case Connected():
                self._connected, self._alone_at = True, None
                self.joined, self._announcing, self._asking = False, False, False
                self._announcing_again = False
                self._retry_at = self._ask_at = now
                self._retry_wait.reset()
                self._ask_wait.reset()
            case Disconnected():
                self._connected, self.joined = False, False
                self._announcing, self._asking = False, False
                self._retry_at = self._ask_at = None
                self._alone_at = now + _ALONE
            case Answered():
                self._answered(event, now, out)
            case Unanswered(what):
                self._unanswered(what, now)
            case Delta():
                self._delta(event, now, out)
            case Snapshot():
                self._snapshot(event, now, out)
            case Leave():
                self._leaving = True
                out.append(GoodBye(self.system, self.session))
            case Tick():
                pass
        self._pass_time(now, out)
        return out

    def next_wake(self) -> float | None:
        """When a `Tick` is due; None: nothing is pending."""
        times = [t for t in (self._ask_at, self._alone_at) if t is not None]
        if self._retry_at is not None and not self._announcing:
            times.append(self._retry_at)
        if self.joined and not self._announcing and self._announced is not None and self._has_other_offer():
            times.append(self._announced_at + _LOAD_EVERY)
        return min(times, default=None)

    def _has_other_offer(self) -> bool:
        return self._announced is not self._offer and self._announced != self._offer

    # -- joining ------------------------------------------------------------------------------------------------------

    def _answered(self, event: Answered, now: float, out: list[Effect]) -> None:
        if not self._announcing:
            return
        if self.is_stale(event.epoch):
            self._unanswered("announce", now)
            return
        self._announcing = False
        if self._announcing_again:
            self._announcing_again = False
            self._retry_at = now
            return
        if event.accepted:
            self.joined, self._refused_since = True, None
            self._retry_wait.reset()
            return
        self.joined = False
        if event.session > self.session:
            self._told_lost(event.why, out)
            self.session = event.session
            self._retry_at = now
            return
        self._retry(now)
        if self._refused_since is None:
            self._refused_since = now
        if now - self._refused_since >= _SHUNNED_AFTER:
            self._refused_since = now
            out.append(Shunned(event.why))

    def _told_lost(self, why: str, out: list[Effect]) -> None:
        # Our session ended while we were away: what hung on it must end here too.
        mine = self.members.get(name_of(self.system))
        if mine is not None and mine.system == self.system and mine.session == self.session:
            change = Lost(self.system, self.session, False, why)
            self._forget(change.system, change.session)
            out.append(Tell(Delta(self.epoch, self.version, (change,), state=self._table)))
        self._bury(self.system, self.session)

    def _unanswered(self, what: str, now: float) -> None:
        if what == "announce" and self._announcing:
            self._announcing = self._announcing_again = False
            self._retry(now)
        elif what == "snapshot" and self._asking:
            self._asking = False
            self._ask_at = now + self._ask_wait.next()

    def _retry(self, now: float) -> None:
        self._retry_at = now + self._retry_wait.next()

    def _announce(self, now: float, out: list[Effect]) -> None:
        self._announcing, self._announced, self._announced_at = True, self._offer, now
        self._retry_at = None
        offer = self._offer
        member = Member(self.system, self.session, dict(offer.capabilities), offer.processes, offer.load)
        out.append(Announce(member))

    # -- the feed -----------------------------------------------------------------------------------------------------

    def _delta(self, delta: Delta, now: float, out: list[Effect]) -> None:
        if self.is_stale(delta.epoch):
            return
        if delta.after is not None and delta.epoch != self.epoch and self._is_at(delta.after):
            self._go_on(delta, now)
        if delta.epoch != self.epoch:
            if delta.epoch != self._later_epoch:
                # A directory that we do not know: it does not know us either, unless it is the first of all.
                first = not self.epoch and not self._later_epoch
                self._later.clear()
                self._later_epoch = delta.epoch
                if not first:
                    self._announce_again(now)
            self._keep(delta)
            self._ask(now)
        elif delta.changes and buggify("follower.missed delta"):
            pass  # as if it had been lost: the next one shows the gap
        elif delta.version == self.version + 1 and delta.changes and not self._later:
            self._advance(delta, out)
        elif delta.version > self.version:
            self._keep(delta)
            self._ask(now)
        elif delta.version == self.version and delta.settled:
            self._settle(out)

    def _is_at(self, point: tuple[str, int, int]) -> bool:
        return (
            point[:2] == (self.epoch, self.version)
            and not self._later
            and not self._unconfirmed
            and point[2] == digest_of(self.members.values())
        )

    def _go_on(self, delta: Delta, now: float) -> None:
        """Another directory goes on from where we are."""
        self.epoch, self._later_epoch, self._succeeded = delta.epoch, "", True
        mine, wanted = self.members.get(name_of(self.system)), self._announced
        if (
            mine is None
            or wanted is None
            or (mine.system, mine.session) != (self.system, self.session)
            or (dict(mine.capabilities), mine.processes, mine.load)
            != (dict(wanted.capabilities), wanted.processes, wanted.load)
        ):
            self._announce_again(now)  # the earlier one may have heard of it, but nobody else has

    def _announce_again(self, now: float) -> None:
        self.joined = False
        if self._announcing:
            self._announcing_again = True  # that one may still reach the old directory
        elif self._connected:
            self._retry_at = now

    def _keep(self, delta: Delta) -> None:
        if delta.changes or delta.version not in self._later:
            self._later[delta.version] = delta
        while len(self._later) > _KEPT_DELTAS:
            self._later.popitem(last=False)

    def _ask(self, now: float) -> None:
        if not self._asking and self._ask_at is None and self._connected:
            self._ask_at = now

    def _snapshot(self, snapshot: Snapshot, now: float, out: list[Effect]) -> None:
        if self.is_stale(snapshot.epoch):
            self._unanswered("snapshot", now)
            return
        self._asking = False
        self._ask_wait.reset()
        if snapshot.epoch == self.epoch and snapshot.version < self.version:
            self._ask(now)  # overtaken by deltas: it can't tell what is true now
            return
        before, count = self._table, len(out)
        self._succeeded |= self.epoch not in {"", snapshot.epoch}
        same = (snapshot.epoch == self.epoch or before is self._start) and not self._unconfirmed
        self.epoch, self.version = snapshot.epoch, snapshot.version
        if same and before.next is not None and before.next.news is snapshot and not self._objects_to(snapshot):
            self._strayed = False
            self._take(before.next, out)
            self._catch_up(now, out)
            return
        self._begin_step()
        changes: list[Change] = []
        listed, members = snapshot.by_name, self.members
        for name, mine in [(name, mine) for name, mine in members.items() if listed.get(name) is not mine]:
            other = listed.get(name)
            if other is None:
                if snapshot.settled:
                    changes.append(Lost(mine.system, mine.session, False, "not in the list any more"))
                else:
                    self._unconfirmed.add(name)
            elif (other.system, other.session) != (mine.system, mine.session):
                replaced = other.system != mine.system
                changes.append(Lost(mine.system, mine.session, replaced, f"replaced by {other.system}"))
        self._unconfirmed.difference_update(listed)
        for name, member in [(name, member) for name, member in listed.items() if members.get(name) is not member]:
            known = members.get(name)
            if known is None or (known.system, known.session) != (member.system, member.session):
                changes.append(Joined(member))
            elif known != member:
                changes.append(Updated(member))
        doubtful = dict(snapshot.suspected)
        changes += [Suspected(s, self._session_of(s, listed), why) for s, why in doubtful.items()]
        if self.suspected:
            changes += [
                Restored(member.system, member.session)
                for member in listed.values()
                if member.system in self.suspected and member.system not in doubtful
            ]
        self._apply(Delta(snapshot.epoch, snapshot.version, tuple(changes), snapshot.settled), out)
        self._strayed = False
        self._end_step(before, snapshot, out, count, known=same)
        self._catch_up(now, out)

    @staticmethod
    def _session_of(system: str, listed: Mapping[str, Member]) -> int:
        member = listed.get(name_of(system))
        return 0 if member is None else member.session

    def _catch_up(self, now: float, out: list[Effect]) -> None:
        later, self._later = self._later, OrderedDict()
        if self._later_epoch not in {"", self.epoch, self._doubted_epoch}:
            self._later = later  # they may belong to a directory that is newer still: one more question tells
            self._doubted_epoch = self._later_epoch
            self._ask(now)
            return
        if self._later_epoch not in {"", self.epoch}:
            later.clear()  # this answer is to a question asked after they came: they were stragglers of an older directory
        self._later_epoch = self._doubted_epoch = ""
        for version in sorted(later):
            if version <= self.version:
                continue
            if version > self.version + 1 or not later[version].changes:  # a beat only repeats a version
                self._keep(later[version])
                self._ask(now)
            elif not self._later:
                self._advance(later[version], out)
            else:
                self._keep(later[version])

    def _apply(self, delta: Delta, out: list[Effect]) -> None:
        self.version = delta.version
        self._tell(delta, out)
        if delta.settled:
            self._settle(out)
        self._check_self()

    # -- steps that others take too -----------------------------------------------------------------------------------

    def _advance(self, delta: Delta, out: list[Effect]) -> None:
        if self._shared is None or self._unconfirmed or self._strayed:
            self._apply(delta, out)
        else:
            self._step(delta, out)

    def _step(self, delta: Delta, out: list[Effect]) -> None:
        step = self._table.next
        if step is not None and step.news is delta and not self._objects_to(delta):
            self.version = delta.version
            self._take(step, out)
            return
        before, count = self._table, len(out)
        self._begin_step()
        self._apply(delta, out)
        self._end_step(before, delta, out, count, known=True)

    def _objects_to(self, news: Delta | Snapshot) -> bool:
        """Whether that, which others have taken, says something that this follower knows to be untrue."""
        return self._succeeded and self._over.contradicts(news.joined)

    def _take(self, step: Step, out: list[Effect]) -> None:
        self._table = step.table
        if step.ends:
            self._over.learn(step.ends)
            self._mine_over = max(self._mine_over, step.ends.get(self.system, 0))
        if step.told is not None:
            out.append(Tell(step.told))
        self._check_self()

    @property
    def _start(self) -> Table | None:
        return None if self._shared is None else self._shared.start

    def _begin_step(self) -> None:
        if self._shared is not None:
            self._own = None
            self._over.take_fresh()
            self._stepping = True

    def _end_step(self, before: Table, news: Delta | Snapshot, out: list[Effect], count: int, *, known: bool) -> None:
        """The step is taken, with the effects from ``count`` on; ``known``: nothing but the table and the news decided about it."""
        if self._shared is None:
            return
        self._stepping = False
        told = [effect.delta for effect in out[count:] if isinstance(effect, Tell)]
        self._strayed |= len(told) != len(out) - count
        if self._strayed or self._unconfirmed:
            return
        self._own = None
        self._table = self._shared.at(self.epoch, self.version, self._table)
        told = [replace(delta, state=self._table) for delta in told]
        out[count:] = [Tell(delta) for delta in told]
        if known and len(told) <= 1:
            before.next = Step(news, self._table, told[0] if told else None, self._over.take_fresh())

    def _change(self) -> Table:
        """The table, to be changed."""
        if self._shared is not None and self._table is not self._own:
            self._table = self._own = Table(dict(self._table.members), set(self._table.suspected))
        self._strayed |= not self._stepping and not self._unconfirmed
        return self._table

    def _are_all_doubtful(self, out: list[Effect]) -> None:
        """Cut off from everybody: nobody, this system included, is known to be there."""
        before, step = self._table, self._table.alone
        if self._shared is None or step is None or self._strayed:
            why = "this system is cut off from the convention"
            doubts = tuple(Suspected(m.system, m.session, why) for m in self.members.values())
            count = len(out)
            self._tell(Delta(self.epoch, self.version, doubts, settled=False), out)
            told = out[count].delta if len(out) > count else None  # type: ignore[union-attr]
            if self._shared is None or before is self._table:
                return  # or there was nobody
            step = Step(None, self._table, told, {})
            before.alone = step
        elif step.told is not None:
            out.append(Tell(step.told))
        self._table, self._strayed, self._own = step.table, True, None

    def _tell(self, delta: Delta, out: list[Effect]) -> None:
        told = tuple(news for change in delta.changes for news in self._accept(change, out))
        if told:
            out.append(Tell(replace(delta, changes=told, state=self._table)))

    def _accept(self, change: Change, out: list[Effect]) -> tuple[Change, ...]:
        """Enter a change into the table; what the user has to hear of it, nothing if it is no news or can't be true."""
        match change:
            case Joined(member):
                return self._joined(member, out)
            case Updated(member):
                name = name_of(member.system)
                if not self._is_current(member.system, member.session) or self.members[name] == member:
                    return ()
                self._change().members[name] = member
            case Suspected(system, session, _):
                if not self._is_current(system, session) or system in self.suspected:
                    return ()
                self._change().suspected.add(system)
            case Restored(system, session):
                if not self._is_current(system, session) or system not in self.suspected:
                    return ()
                self._change().suspected.discard(system)
            case Left(system, session) | Lost(system, session, _, _):
                if not self._forget(system, session):
                    return ()
        return (change,)

    def _joined(self, member: Member, out: list[Effect]) -> tuple[Change, ...]:
        if member.session <= self._over.get(member.system):
            out.append(Object(member.system, member.session))
            return ()
        known = self.members.get(name_of(member.system))
        self._unconfirmed.discard(name_of(member.system))
        if known is not None and (known.system, known.session) == (member.system, member.session):
            # Known from an earlier directory, and perhaps doubted while we were cut off.
            restored = self._accept(Restored(member.system, member.session), out)
            return restored + self._accept(Updated(member), out)
        news: tuple[Change, ...] = (Joined(member),)
        if known is not None:  # its end was not told: it must be, exactly once
            self._forget(known.system, known.session)
            other = known.system != member.system
            news = (Lost(known.system, known.session, other, f"replaced by {member.system}"), *news)
        self._change().members[name_of(member.system)] = member
        return news

    def _is_current(self, system: str, session: int) -> bool:
        member = self.members.get(name_of(system))
        return member is not None and member.system == system and member.session == session

    def _forget(self, system: str, session: int) -> bool:
        known = self._is_current(system, session)
        if known:
            table = self._change()
            del table.members[name_of(system)]
            table.suspected.discard(system)
            self._unconfirmed.discard(name_of(system))
        self._bury(system, session)
        return known

    def _bury(self, system: str, session: int) -> None:
        if system == self.system:
            self._mine_over = max(self._mine_over, session)
        self._over.add(system, session)

    def _settle(self, out: list[Effect]) -> None:
        names = sorted(self._unconfirmed)
        lost = [self.members[name] for name in names if name in self.members]
        if lost:
            changes = tuple(Lost(m.system, m.session, False, "did not come back") for m in lost)
            for change in changes:
                self._forget(change.system, change.session)
            out.append(Tell(Delta(self.epoch, self.version, changes, state=self._table)))
            self._check_self()
        self._unconfirmed.clear()

    def _check_self(self) -> None:
        """If our own session has ended without our asking, join with the next one."""
        if self._mine_over >= self.session and not self._leaving:
            self.session = self._mine_over + 1
            self.joined = self._announcing = self._announcing_again = False
            self._retry_at = float("-inf")  # at once

    # -- time ---------------------------------------------------------------------------------------------------------

    def _pass_time(self, now: float, out: list[Effect]) -> None:
        if self._alone_at is not None and now >= self._alone_at:
            self._alone_at = None
            self._are_all_doubtful(out)
        if not self._connected or self._leaving:
            return
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at, self._asking = None, True
            out.append(AskSnapshot())
        if self._announcing:
            return
        if self._retry_at is not None:
            if now >= self._retry_at:
                self._announce(now, out)
        elif self.joined and self._announced is not None and self._has_other_offer():
            before, wanted = self._announced, self._offer
            only_load = before.capabilities == wanted.capabilities and before.processes == wanted.processes
            if not only_load or now >= self._announced_at + _LOAD_EVERY:
                self._announce(now, out)
