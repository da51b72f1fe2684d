"""`MemoryEngine`: one system's engine in a `MemoryNetwork`: its carrier and its real follower.

Owns the connection of the two. Must not know threads, clocks or asyncio; see `garrick.engine.memory`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrick.engine import directory as d
from garrick.engine import follower as f
from garrick.engine.carrier import Caps, OnEvent, OnFrame, OnMembers, OnNames, Refused, Verdict
from garrick.engine.epochs import system_of
from garrick.engine.membership import Delta
from garrick.engine.memory import CAPS, STEP, MemoryCarrier, MemoryNetwork, nobody
from garrick.engine.reachability import events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from garrick.engine.names import Reply, Request


__all__ = ["MemoryEngine"]


class MemoryEngine:
    """See `garrick.engine.carrier.Engine`.

    Args:
        network: the hub.
        roles: of the system.
        schedule: runs what is this system's own after a delay; None: in the order of the network.
        now: the time that belongs to ``schedule``.
        is_news: whether the user has something to do about a delta; if not it may be told out of this system's order.
        reachability: whether `Up` and `Down` are told of every member, beside the changes that say the same.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        roles: Iterable[str] = (),
        *,
        schedule: Callable[[float, Callable[[], None]], object] | None = None,
        now: Callable[[], float] | None = None,
        reachability: bool = True,
        is_news: Callable[[Delta], bool] | None = None,
    ) -> None:
        self.network = network
        self.carrier = MemoryCarrier(network, roles, schedule)
        self._now = now or network.now
        self._reachability = reachability
        self._is_news = is_news
        self.follower: f.Follower | None = None
        self._offer = f.Offer({}, (), 0.0)
        self._on_event: OnEvent = nobody
        self._on_members: OnMembers = nobody
        self.on_names: OnNames = nobody
        self._wake_at: float | None = None

    @property
    def caps(self) -> Caps:
        return CAPS

    @property
    def directory(self) -> str:
        return "" if self.follower is None else system_of(self.follower.epoch)

    async def start(
        self,
        system: str,
        credentials: Any = None,
        *,
        server: Any = None,
        on_frame: OnFrame,
        on_event: OnEvent,
        on_members: OnMembers,
    ) -> None:
        del credentials, server
        self.open(system, on_frame=on_frame, on_event=on_event, on_members=on_members)

    def open(self, system: str, *, on_frame: OnFrame, on_event: OnEvent, on_members: OnMembers) -> None:
        """`start` for callers without a loop; the callbacks follow as the network moves."""
        self._on_event, self._on_members = on_event, on_members
        self.carrier.open(system, on_frame, on_event)
        self.carrier.on_feed = self._feed
        self.carrier.on_names = self._hear_names
        self.follower = f.Follower(system, self.network.shared)
        self.carrier.is_idle = self._is_idle
        self._feed(self._offer)
        if self.carrier.connection:
            self._feed(f.Connected())

    def send(self, peer: str, lane: int, frame: bytes) -> bool:
        return self.carrier.send(peer, lane, frame)

    def send_any(self, role: str, lane: int, frame: bytes) -> bool:
        return self.carrier.send_any(role, lane, frame)

    def broadcast(self, lane: int, frame: bytes) -> bool:
        return self.carrier.broadcast(lane, frame)

    async def probe(self, peer: str, timeout: float) -> Verdict:
        return await self.carrier.probe(peer, timeout)

    def announce(self, capabilities: Mapping[str, object], processes: Sequence[int], load: float) -> None:
        self._offer = f.Offer(dict(capabilities), tuple(processes), load)
        self._feed(self._offer)

    def ask_names(self, request: Request) -> None:
        self.carrier.ask(d.NamesAsked(self.carrier.name, request, self.carrier))

    async def leave(self) -> None:
        self.leave_now()

    def leave_now(self) -> None:
        """`leave` for callers without a loop."""
        self._feed(f.Leave())

    async def stop(self) -> None:
        self.close()

    def close(self) -> None:
        """`stop` for callers without a loop."""
        self.follower = None
        self.carrier.on_feed = None
        # What was sent before, a good-bye above all, is ahead of the end of the connection.
        self.network.later(0.0, lambda: self.network.tell(self.carrier.name, "", self.carrier.crash))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _feed(self, event: f.Event) -> None:
        follower, carrier = self.follower, self.carrier
        if follower is None:
            return
        if type(event) is Delta and not event.changes and follower.is_needless(event):
            return
        for effect in follower.handle(event, self._now()):
            match effect:
                case f.Tell(delta):
                    self._tell(delta)
                case f.Announce(member):
                    carrier.ask(d.Announced(carrier.name, member, carrier))
                case f.AskSnapshot():
                    carrier.ask(d.Asked(carrier))
                case f.GoodBye(system, session):
                    carrier.ask(d.Leaving(carrier.name, system, session, carrier))
                case f.Object(system, session):
                    carrier.ask(d.Objected(system, session))
                case f.Shunned(why):
                    self._on_event(Refused("join", why))
        self._plan_wake()

    def _hear_names(self, reply: Reply) -> None:
        if self.follower is None or not self.follower.is_stale(reply.epoch):
            self.on_names(reply)

    def _is_idle(self, event: f.Event) -> bool:
        told = self.follower.foresees(event) if self.follower is not None and self._is_news is not None else None
        return told is not None and (told[0] is None or not self._is_news(told[0]))  # type: ignore[misc]

    def _tell(self, delta: Delta) -> None:
        self._on_members(delta)
        if self._reachability:
            for event in events_of(delta, self.carrier.name):
                self._on_event(event)

    def _plan_wake(self) -> None:
        at = None if self.follower is None else self.follower.next_wake()
        if at is None or self._wake_at == at:
            return
        self._wake_at = at

        def wake() -> None:
            if self._wake_at == at:
                self._wake_at = None
                if not self.carrier.hung:
                    self._feed(f.Tick())

        self.carrier.later(max(STEP, at - self._now()), wake)
