"""`Gateway`: a system's place in its convention: envelopes from here to other systems and back, and who is there.

Owns the peers, the table of members, and envelopes for systems that are not known yet. Runs in the admin's process, on its asyncio
loop. Must not know user messages: bodies stay opaque. What the admin decides is decided by `AdminMachine`. Invariants:

* An envelope given to `forward` is delivered, or comes back to the process that sent it as `Returned`, with a reason.
* Processes are told the loss of a system before they get back what it did not acknowledge: an ask whose outcome is unknown says so.
* No frame of a system that is no member reaches a link.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from garrick.address import Address, control
from garrick.engine.carrier import CarrierEvent, Down, Engine, Reset, Up, Writable, name_of
from garrick.engine.carrier import Refused as EngineRefused
from garrick.engine.lore import Table
from garrick.engine.membership import Delta, Joined, Left, Lost, Member
from garrick.engine.names import Reply, Request
from garrick.errors import UndecodableMessage, WireError
from garrick.node.admin import AdminMachine, Effect
from garrick.node.infos import infos_of
from garrick.node.peer import LANE, Peer
from garrick.node.returned import Returned
from garrick.node.salvage import salvage
from garrick.observe.management import is_plain
from garrick.runtime.signals import SystemInfo
from garrick.wire.codec import dumps
from garrick.wire.envelope import (
    EXTENDED,
    FAILURE,
    MESSAGE,
    REPLY,
    SIGNAL,
    Raw,
    decode,
    encode,
    fields,
    localise,
    peek,
    qualify,
)
from garrick.wire.link import LinkConfig

log = logging.getLogger("garrick.node")

HOLD = 2.0
"""Seconds that envelopes wait for a system that nobody has told us of yet (its address can be faster than the directory)."""
FAREWELL = 2.0
"""Seconds that a leaving system waits for acknowledgements."""
REMEMBERED = 10_000
"""Systems whose end is remembered."""
_KINDS = {MESSAGE: "message", REPLY: "reply"}


class House(Protocol):
    """The admin's process, as the gateway sees it."""

    @property
    def machine(self) -> AdminMachine: ...

    def deliver(self, number: int, envelope: Raw) -> None:
        """Send an envelope to a process of this system that is alive (or starting); what can't be sent: `Gateway.give_back`."""
        ...

    def to_admin(self, envelope: Raw, origin: str) -> None:
        """An envelope to process 0 from another system: decode it and give it to the machine with this origin."""
        ...

    def apply(self, effects: list[Effect]) -> None:
        """Execute what the machine decided."""
        ...


class Gateway:
    """See the module.

    Args:
        system: ``name@incarnation`` of this system.
        house: the admin's process.
        engine: not started.
        config: of the links.
        hold: see `HOLD`.
    """

    def __init__(
        self,
        system: str,
        house: House,
        engine: Engine,
        *,
        config: LinkConfig | None = None,
        hold: float = HOLD,
    ) -> None:
        self.system = system
        self._house = house
        self._engine = engine
        self._config = config
        self._hold = hold
        self._table = Table()
        self._infos: Mapping[str, SystemInfo] = {}
        """What the machine was told last."""
        self._ended: deque[Mapping[str, str]] = deque()
        """Systems that are gone -> the reason, in parts that many gateways share."""
        self._ended_count = 0
        self._met: dict[str, None] = {system: None}
        """Systems with which this one has had to do, itself among them: only they matter to its processes when they end."""
        self._peers: dict[str, Peer] = {}
        self._sessions = 0
        self._waiting: dict[str, list[Raw]] = {}
        self._shut_out = False
        """This system was declared lost and has not joined again."""
        self._stopped = False

    @property
    def members(self) -> Mapping[str, Member]:
        """All systems of the convention, by id."""
        return {member.system: member for member in self._table.members.values()}

    @property
    def suspected(self) -> AbstractSet[str]:
        """Members in doubt, by id."""
        return self._table.suspected

    @property
    def directory(self) -> str:
        """Id of the system that keeps the list of members; empty: none is known."""
        return self._engine.directory

    async def ping(self, name: str, timeout: float) -> str:
        """Whether a system answers over the engine: ``reached``, ``nobody`` (is connected under that name) or ``silent``."""
        return (await self._engine.probe(name, timeout)).value

    def _is_member(self, system: str) -> bool:
        member = self._table.members.get(name_of(system))
        return member is not None and member.system == system

    def _why_gone(self, system: str) -> str | None:
        """Why a system is not there any more; None: it was never heard of, or is there."""
        if self._is_member(system):
            return None
        return next((part[system] for part in reversed(self._ended) if system in part), None)

    # --- life ------------------------------------------------------------------------------------------------------------

    async def start(self, credentials: Any, *, server: Any = None) -> None:
        """Join the convention.

        Raises:
            EngineError: the engine can't be reached or started, or refuses this system.
        """
        self._house.machine.meets(self._met.keys())
        self._engine.on_names = self._on_names
        self._house.apply(self._house.machine.joins(self._now()))
        self.announce(self._house.machine.info())
        await self._engine.start(
            self.system,
            credentials,
            server=server,
            on_frame=self._on_frame,
            on_event=self._on_event,
            on_members=self._on_members,
        )

    def announce(self, info: SystemInfo) -> None:
        """Publish what others may know of this system; capabilities that are no plain data stay here."""
        capabilities = {key: value for key, value in info.capabilities.items() if is_plain(value)}
        for key in info.capabilities.keys() - capabilities.keys():
            log.warning("capability %r is not told to other systems: its value is no plain data", key)
        load = float(sum(p.load for p in info.processes))
        self._engine.announce(capabilities, [p.number for p in info.processes], load)

    def ask_names(self, request: Request) -> None:
        """Speak to the convention's authority over names."""
        if not self._stopped:
            self._engine.ask_names(request)

    def _on_names(self, reply: Reply) -> None:
        self._house.apply(self._house.machine.names_replied(reply, self._now()))

    async def leave(self, timeout: float = FAREWELL) -> None:
        """Go, with notice: let what is under way arrive, tell everybody, and end the engine."""
        if self._stopped:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        # Links tell nobody when they become idle, and this happens once in the life of a system.
        while loop.time() < deadline and not all(peer.idle for peer in self._peers.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        try:
            await self._engine.leave()
        finally:
            await self.stop()

    async def close(self, reason: str) -> None:
        """The system ends; see `leave`."""
        log.info("%s leaves its convention: %s", self.system, reason)
        await self.leave()

    async def stop(self) -> None:
        """End the engine; without `leave` the others take it for a crash."""
        if self._stopped:
            return
        self._stopped = True
        for peer in list(self._peers.values()):
            peer.close("stopped")
        await self._engine.stop()

    # --- outwards --------------------------------------------------------------------------------------------------------

    def post(self, target: Address[Any], message: Any, sender: Address[Any] | None, kind: int) -> None:
        """Send something of the admin's own to another system."""
        self.forward(encode(kind, target, sender, dumps(message), self.system))

    def forward(self, envelope: Raw) -> None:
        """Send an envelope of one of our processes to the system that it names."""
        system = peek(envelope).target_system or self.system
        if system == self.system:
            self._deliver(envelope, self.system)
        elif self._is_member(system):
            self._peer(system).send(qualify(envelope, self.system))
        elif self._stopped or self._why_gone(system):
            self.give_back(envelope, self._why_gone(system) or "stopped")
        else:
            self._wait_for(system, envelope)

    def _wait_for(self, system: str, envelope: Raw) -> None:
        waiting = self._waiting.get(system)
        if waiting is None:
            waiting = self._waiting[system] = []
            self._met[system] = None
            asyncio.get_running_loop().call_later(self._hold, self._give_up, system)
        waiting.append(envelope)

    def _give_up(self, system: str) -> None:
        for envelope in self._waiting.pop(system, ()):
            self.give_back(envelope, self._why_gone(system) or "system unknown")

    def _peer(self, system: str) -> Peer:
        peer = self._peers.get(system)
        if peer is None:
            self._sessions += 1
            self._met[system] = None
            peer = self._peers[system] = Peer(self.system, system, self._engine, self, self._sessions, self._config)
        return peer

    # --- inwards ---------------------------------------------------------------------------------------------------------

    def delivered(self, peer: Peer, envelopes: list[Raw]) -> None:
        """Envelopes of another system."""
        for envelope in envelopes:
            try:
                self._deliver(localise(envelope, self.system), peer.system)
            except WireError as error:
                log.warning("%s sent an envelope that can't be read: %s", peer.system, error)

    def _deliver(self, envelope: Raw, origin: str) -> None:
        _, _, flags, process, *_ = fields(envelope)  # the hot path: what is localised seldom has an extension
        if flags & EXTENDED and peek(envelope).target_system is not None:
            self.give_back(envelope, "unknown")  # another incarnation of this system, or a third one
            return
        moved = self._house.machine.moved
        if moved:
            process = moved.get(Address(self.system, process, peek(envelope).target_serial), process)
        if process == 0:
            self._house.to_admin(envelope, origin)
        elif self._house.machine.alive(process):
            self._house.deliver(process, envelope)
        else:
            self.give_back(envelope, self._house.machine.why_gone(process))

    # --- what can't be delivered -----------------------------------------------------------------------------------------

    def ended(self, peer: Peer) -> None:
        """See `PeerEvents`: what is sent from now on needs a new conversation."""
        if self._peers.get(peer.system) is peer:
            del self._peers[peer.system]

    def handed_back(self, peer: Peer, envelopes: list[Raw], reason: str) -> None:
        """A conversation ended before these were acknowledged."""
        for envelope in envelopes:
            self.give_back(envelope, self._why_gone(peer.system) or reason)

    def give_back(self, envelope: Raw, reason: str) -> None:
        """An envelope can't be delivered: return it to the process that sent it, wherever that is.

        What an admin sent (top-level actors are spawned in its name), nobody, or a process that is gone is settled here.
        """
        header = peek(envelope)
        system, process = header.sender_system or self.system, header.sender_process
        here = system == self.system
        if not process or (here and not self._house.machine.alive(process)):
            self._settle(envelope, reason)
            return
        # Without a sender, so that it can't come back a second time.
        returned = encode(SIGNAL, control(system, process), None, dumps(Returned(bytes(envelope), reason)), self.system)
        if here:
            self._house.deliver(process, returned)
        else:
            self.forward(returned)

    def _settle(self, envelope: Raw, reason: str) -> None:
        machine, apply, now = self._house.machine, self._house.apply, self._now()
        kind, target, sender, body = decode(envelope, self.system)
        if kind == SIGNAL:
            try:
                apply(machine.bounced(salvage(body), target, reason, now))
            except UndecodableMessage as error:
                log.warning("a signal to %s could neither be delivered (%s) nor be read: %s", target, reason, error)
        elif kind != FAILURE:
            apply(machine.undeliverable(target, sender, reason, now, _KINDS.get(kind, "envelope")))

    # --- what the engine tells ---------------------------------------------------------------------------------------------

    def _on_frame(self, name: str, lane: int, frame: bytes) -> None:
        member = self._table.members.get(name)
        if member is not None and lane == LANE and not self._stopped:
            self._peer(member.system).frame(frame)
        # Of a stranger: it introduces itself again until we have heard of it.

    def _on_event(self, event: CarrierEvent) -> None:
        match event:
            case Reset():
                for peer in self._peers.values():
                    peer.reset()
            case Writable(name) | Up(name):
                member = self._table.members.get(name)
                peer_ = self._peers.get(member.system) if member is not None else None
                if peer_ is not None:
                    peer_.wake()
            case Down(name, _, why):
                log.debug("%s can't be reached: %s", name, why)
            case EngineRefused(subject, why):
                log.error("the engine refused %s: %s", subject, why)
            case _:
                log.warning("engine: %s", event)

    def is_news(self, delta: Delta) -> bool:
        """Whether something that the engine may tell is about a system that this one has had to do with."""
        return bool(delta.about(self._met))

    def _on_members(self, delta: Delta) -> None:
        assert delta.state is not None
        self._table = delta.state
        if delta.ends:
            self._ended.append(delta.ends)
            self._ended_count += len(delta.ends)
            while self._ended_count > REMEMBERED:
                self._ended_count -= len(self._ended.popleft())
        # Most news are about systems that this one has nothing to do with: they cost no more than a look-up.
        changes = delta.about(self._met)
        for change in changes:
            if isinstance(change, Left | Lost):
                self._on_end(change)
        self._tell_machine()
        for change in changes:
            if isinstance(change, Joined):
                self._on_arrival(change.member.system)

    def _tell_machine(self) -> None:
        """Whom actors may be spawned on now."""
        machine = self._house.machine
        systems: Mapping[str, SystemInfo] = {}
        if not self._shut_out:
            systems = infos_of(self._table, self._infos, keep=machine.pulled)
        if not machine.pulled:
            self._infos = systems
        if machine.pulled and not machine.awaited:
            machine.members_are(systems, 0.0)
        else:
            self._house.apply(machine.members_are(systems, self._now()))

    def _on_end(self, change: Left | Lost) -> None:
        system, machine = change.system, self._house.machine
        if system == self.system:
            if isinstance(change, Lost):
                self._shut_out_of_it(change.why)
        elif system in self._met:
            self._met.pop(system, None)
            if isinstance(change, Lost):
                self._house.apply(machine.system_lost(system, change.why, self._now()))
            else:
                self._house.apply(machine.system_left(system, self._now()))
            self._close(system, "stopped" if isinstance(change, Left) else "system lost")

    def _on_arrival(self, system: str) -> None:
        if system == self.system:
            self._shut_out = False
            self._tell_machine()
        elif system in self._met:
            log.info("%s is there", system)
            for envelope in self._waiting.pop(system, ()):
                self.forward(envelope)
            if system in self._peers:
                self._peers[system].wake()

    def _close(self, system: str, reason: str) -> None:
        peer = self._peers.get(system)
        if peer is not None:
            peer.close(reason)

    def _shut_out_of_it(self, why: str) -> None:
        """Everybody else was told that this system is gone, and has drawn the consequences: so do we."""
        log.warning("this system was declared lost (%s) and joins again", why)
        self._shut_out = True
        for system in [system for system in self._met if system != self.system and self._is_member(system)]:
            self._met.pop(system, None)
            detail = f"this system was cut off from the convention: {why}"
            self._house.apply(self._house.machine.system_lost(system, detail, self._now()))
            self._close(system, "system lost")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
